//! What Rust needs besides what compiles this program.

use anyhow::Result;
use std::path::Path;
use ukl_host::failure::Failure;
use ukl_host::process;
use ukl_repo::ctx::{Ctx, Install};
use xshell::{Shell, cmd};

/// A part of the compiler's toolchain, as `rustup` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub name: &'static str,
    /// The subcommand of `rustup` that adds it.
    kind: &'static str,
    /// What it is for.
    pub purpose: &'static str,
}

/// All of them; the same stand in rust-toolchain.toml.
pub(super) const PARTS: &[Part] = &[
    Part { name: "x86_64-unknown-none", kind: "target", purpose: "compiles the runtime" },
    Part { name: "x86_64-unknown-linux-musl", kind: "target", purpose: "compiles the load generator" },
    Part { name: "rust-src", kind: "component", purpose: "the standard library of applications in Rust" },
];

impl Part {
    /// What adds it.
    pub(super) fn command(&self) -> String {
        format!("rustup {} add {}", self.kind, self.name)
    }

    /// Whether the compiler in use has it.
    fn is_there(&self) -> bool {
        let Ok(sh) = Shell::new() else { return false };
        let ask = |arguments: &[&str]| process::read(cmd!(sh, "rustc --print {arguments...}"));
        let place = match self.kind {
            "target" => ask(&["target-libdir", "--target", self.name]).map(|dir| Path::new(dir.trim()).to_owned()),
            _ => ask(&["sysroot"]).map(|dir| Path::new(dir.trim()).join("lib/rustlib/src/rust/library")),
        };
        place.is_ok_and(|place| place.is_dir())
    }
}

/// Those that are not there.
pub(super) fn missing() -> Vec<Part> {
    PARTS.iter().filter(|part| !part.is_there()).copied().collect()
}

/// Adds what is missing, or says how to.
pub(super) fn install(ctx: &Ctx) -> Result<()> {
    for part in missing() {
        let command = part.command();
        if ctx.install == Install::Never {
            return Err(Failure::new(
                format!("this machine lacks for Rust: {}", part.name),
                format!("run `{command}` in the checkout"),
            ));
        }
        eprintln!("adding to Rust: {}", part.name);
        let sh = process::shell_in(&ctx.repo.root)?;
        let Part { kind, name, .. } = part;
        process::run(cmd!(sh, "rustup {kind} add {name}")).map_err(|error| {
            Failure::new(
                format!("{} cannot be added to Rust: {error:#}", part.name),
                format!("install Rust with rustup, then run `{command}` in the checkout"),
            )
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_toolchain_file_names_every_part() {
        let file = ukl_repo::repo::Repo::find().unwrap().root.join("rust-toolchain.toml");
        let text = fs_err::read_to_string(file).unwrap();
        let lacking: Vec<_> = PARTS.iter().filter(|part| !text.contains(&format!("\"{}\"", part.name))).collect();
        assert_eq!(lacking, Vec::<&Part>::new());
    }
}
