//! A real Nix, made beside the system where there is none, over a copy of the checkout: `cargo xtask nix WORDS`.
//!
//! The flake's inputs are overridden by nixos-tests/standin, because this has to work where only Debian's packages and crates
//! can be fetched. What that proves and what it does not is in nixos-tests/standin/README.md.

mod controls;
mod install;
mod lint;
mod machine;
mod own;
pub mod test;

use anyhow::Result;
use machine::Nix;
use ukl_repo::ctx::Ctx;

/// Options of `nix`.
#[derive(clap::Args)]
pub struct Args {
    /// What `nix` is to do, such as: build .#ukl-redis-byb. Commands on flakes get the overridden inputs (docs/nix.md).
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORDS")]
    words: Vec<String>,
}

/// Runs `nix`: with its output and status.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    let nix = Nix::prepare(ctx)?;
    eprintln!("  in {}, a copy of the checkout", nix.checkout().display());
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    nix.interactively(&with_options(&words, &nix.overrides(nix.checkout())))
}

/// The words with options for the inputs, before the arguments of a program that is run. Commands that read no other flake
/// than ours take none: `flake metadata` shows what flake.lock pins.
fn with_options<'a>(words: &[&'a str], options: &'a [String]) -> Vec<&'a str> {
    let reads_inputs = match words {
        ["flake", what, ..] => matches!(*what, "show" | "check"),
        [what, ..] => matches!(*what, "build" | "run" | "eval" | "develop" | "shell" | "path-info" | "repl" | "log"),
        [] => false,
    };
    let options = if reads_inputs { options } else { &[] };
    let end = words.iter().position(|word| *word == "--").unwrap_or(words.len());
    let options = options.iter().map(String::as_str);
    words[..end].iter().copied().chain(options).chain(words[end..].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_before_the_arguments_of_a_program() {
        let options = ["--offline".to_owned()];
        assert_eq!(with_options(&["flake", "show"], &options), ["flake", "show", "--offline"]);
        assert_eq!(with_options(&["flake", "metadata"], &options), ["flake", "metadata"]);
        assert_eq!(
            with_options(&["run", ".#a", "--", "--smoke"], &options),
            ["run", ".#a", "--offline", "--", "--smoke"]
        );
    }
}
