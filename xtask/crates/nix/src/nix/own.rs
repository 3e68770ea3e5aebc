//! The flake as somebody else's input: a program of their own, by `lib.mkUklApp`.

use super::machine::Nix;
use anyhow::{Result, ensure};
use fs_err as fs;

/// What the program prints.
const WORDS: &str = "a program of somebody else";

/// A flake with a program in C that takes ours as its input.
const FLAKE: &str = r#"{
  inputs.ukl.url = "git+https://example.org/ukl";
  outputs =
    { ukl, ... }:
    {
      packages.x86_64-linux = ukl.lib.mkUklApp {
        name = "mine";
        src = ./source;
        build = [ [ "{cc}" "-O2" "-o" "mine" "{source}/mine.c" ] ];
        entry = "mine";
      };
    };
}
"#;

/// Builds its image at level `byb` and boots it.
pub(super) fn program(nix: &Nix) -> Result<String> {
    let folder = nix.folder("own")?;
    let source = folder.join("source");
    fs::create_dir_all(&source)?;
    let program = format!("#include <stdio.h>\nint main(void)\n{{\n\treturn puts(\"{WORDS}\") < 0;\n}}\n");
    for (path, text) in [(source.join("mine.c"), program.as_str()), (folder.join("flake.nix"), FLAKE)] {
        fs::write(&path, text)?;
    }
    let (flake, ukl) = (format!("path:{}", folder.display()), format!("path:{}", nix.checkout().display()));
    let standin = format!("path:{}", nix.checkout().join("nixos-tests/standin").display());
    let image = format!("{flake}#ukl-mine-byb");
    let mut words = vec!["run", "--offline", "--no-write-lock-file", "--override-input", "ukl", &ukl];
    for input in ["ukl/nixpkgs", "ukl/crane", "ukl/rust-overlay"] {
        words.extend(["--override-input", input, &standin]);
    }
    words.push(&image);
    let said = nix.plain(&words)?;
    ensure!(said.lines().any(|line| line == WORDS), "it printed {said:?}; {WORDS:?} was expected");
    Ok("a flake with this one as its input: its program, in the kernel, prints what it has to".to_owned())
}
