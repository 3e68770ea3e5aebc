//! Every test of the repository: the host's unit and snapshot tests, then those that need a machine.

use crate::ctx::Ctx;
use crate::failure::Failure;
use crate::vm::interrupt;
use crate::vmtest::{self, Tally};
use crate::{doctor, nix, process, reproduce};
use anyhow::{Context, Result};
use std::process::{Command, Stdio};

/// Options of `test`.
#[derive(clap::Args)]
pub struct Args {
    /// Only tests whose names contain this, such as `byb/` or `redis` or `unit/`.
    #[arg(default_value = "")]
    filter: String,
    /// Unit tests, and machines at level byb with one CPU only; of the flake, what needs no kernel built in the sandbox.
    #[arg(long)]
    quick: bool,
}

/// Runs `test`: a line per test and the sum at the end.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    doctor::prepare(ctx)?;
    let mut tally = Tally::new(&args.filter);
    // Before Ctrl-C is caught: cargo and make end with it by themselves.
    unit_tests(ctx, &mut tally)?;
    interrupt::catch();
    // Many builds in a sandbox: only when asked for.
    if args.filter.starts_with("nix") {
        nix::test::run(ctx, args.quick, &mut tally)?;
    } else {
        vmtest::run(ctx, args.quick, &mut tally)?;
    }
    // Whose hashes those are depends on this machine's tools: only when asked for.
    if args.filter.starts_with("reproduce") {
        reproduce::test(ctx, &mut tally)?;
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.passed + tally.failed == 0 {
        return Err(Failure::usage(
            format!("no test's name contains `{}`", args.filter),
            "names begin with unit/, nix/, entry/, packages/NAME/, programs/LEVEL/, order/APP/, differential/APP/LEVEL/, reproduce/, \
             tools/LEVEL/, userland/LEVEL/, security/LEVEL/, faults/byb/, robustness/, or LEVEL/smpN/ as in byb/smp1/redis/ping",
        ));
    }
    anyhow::ensure!(tally.failed == 0, "{} tests failed", tally.failed);
    Ok(())
}

/// The tests that need no machine, through `cargo test`.
fn unit_tests(ctx: &Ctx, tally: &mut Tally) -> Result<()> {
    if !tally.wants_group("unit/") {
        return Ok(());
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Snapshots are compared, never written.
    cargo.current_dir(&ctx.repo.root).env("INSTA_UPDATE", "no");
    cargo.args(["test", "--release", "--workspace"]).stdin(Stdio::null());
    eprintln!("$ {}", process::display(&cargo));
    let output = process::die_with_parent(&mut cargo).output().context("starting cargo test")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let results: Vec<_> = text.lines().filter_map(unit_result).collect();
    for (name, passed) in &results {
        tally.add(&format!("unit/{name}"), *passed, "the function's results with those written in the test");
    }
    if !output.status.success() {
        let (stderr, failures) = (String::from_utf8_lossy(&output.stderr), text.split_once("\nfailures:\n"));
        eprintln!("{}", failures.map_or(stderr.as_ref(), |(_, failures)| failures));
        if results.iter().all(|(_, passed)| *passed) {
            tally.add("unit/cargo-test", false, &format!("cargo's exit status with success: {}", output.status));
        }
    }
    Ok(())
}

/// The name and outcome in a line of the test harness.
fn unit_result(line: &str) -> Option<(&str, bool)> {
    let (name, outcome) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    match outcome {
        "ok" => Some((name, true)),
        "FAILED" => Some((name, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_harness() {
        assert_eq!(unit_result("test cpio::tests::a ... ok"), Some(("cpio::tests::a", true)));
        assert_eq!(unit_result("test cpio::tests::b ... FAILED"), Some(("cpio::tests::b", false)));
        assert_eq!(unit_result("test result: ok. 3 passed; 0 failed"), None);
    }
}
