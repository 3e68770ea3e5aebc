//! What Rust's standard library needs, checked by apps/hello-rs inside the guest, and what a panic does to program and kernel.

use super::suite::{Apps, Machines, Part, Quick, Suite, When};
use super::tally::Tally;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use ukl_repo::config::Levels;
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::Repo;
use ukl_run::run;
use ukl_vm::vm::Vm;
use ukl_vm::vm::protocol::BootWord;
use ukl_vm::vm::shell::Shell;

/// For all checks together, under emulation.
const DEADLINE: Duration = Duration::from_secs(60);
/// How the table of checks begins in the program's source.
const TABLE: &str = "const CHECKS: &[Check] = &[";
/// The status of a Rust program that panicked.
const PANICKED: i32 = 101;

/// One boot for each level: each has other paths for a call.
pub(super) const SUITE: Suite = Suite {
    name: "hello-rs",
    summary: "what Rust's standard library needs, and panics",
    prefix: "{level}/smp{cpus}/hello-rs/",
    apps: Apps::One("hello-rs"),
    machines: &[Machines { levels: Some(Levels::Every), cpus: 2, when: When::Default }],
    quick: Quick::Smallest,
    tests,
    run: boot_and_run,
};

/// The program's table of checks, and what this file adds.
fn tests(repo: &Repo, part: &Part) -> Result<Vec<String>> {
    let path = repo.root.join("apps").join(&part.app).join("src/main.rs");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let mut names = table(&text);
    ensure!(!names.is_empty(), "{} has no table `{TABLE}`", path.display());
    names.extend(["every-check-was-made", "panic-exits-with-101", "kernel-is-quiet"].map(str::to_owned));
    Ok(names)
}

/// The names in the program's table: `("threads", threads::share_a_counter),` and so on.
fn table(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| !line.starts_with(TABLE)).skip(1).take_while(|line| *line != "];");
    let names = lines.filter_map(|line| line.trim().strip_prefix("(\"")?.split_once('"'));
    names.map(|(name, _)| name.to_owned()).collect()
}

fn boot_and_run(ctx: &Ctx, part: &Part, tally: &mut Tally) -> Result<()> {
    let (app, level) = (ctx.repo.app(&part.app)?, part.level()?);
    let (prefix, cpus) = (part.prefix.as_str(), part.cpus);
    let mut plan = run::plan(ctx, &app, level, None)?;
    plan.name = format!("test-hello-rs-{}-smp{cpus}", level.name);
    plan.cpus = cpus;
    plan.tell(BootWord::Idle);
    let program = app.program_name()?;
    let mut vm = Vm::boot(ctx, &plan)?;
    vm.wait_ready(run::READY_DEADLINE)?;
    let mut shell = vm.shell()?;
    // What the level's file says, for the check of the paths that a level has.
    let output = shell.run(&format!("LEVEL_OPTIONS='{}' {program}", level.option_names()), DEADLINE)?;
    let lines = checks(&output.text);
    for (name, passed, compared) in &lines {
        tally.add(&format!("{prefix}{name}"), *passed, compared);
    }
    let passed = lines.iter().filter(|(_, passed, _)| *passed).count();
    let ended = output.status == 0 && output.text.contains(&format!("{passed} passed, 0 failed")) && passed > 0;
    let compared =
        format!("status {} and the lines of the program with 0 and its own sum: {passed} checks", output.status);
    tally.add(&format!("{prefix}every-check-was-made"), ended, &compared);
    tally.check(&format!("{prefix}panic-exits-with-101"), panic(&mut shell, &program));
    tally.kernel_is_quiet(prefix, &mut vm);
    vm.stop().context("stopping the machine")
}

/// Name, outcome and comparison in lines such as `ok   files: 3 names with what was made`.
fn checks(text: &str) -> Vec<(&str, bool, &str)> {
    let words = [("ok   ", true), ("FAIL ", false)];
    text.lines()
        .filter_map(|line| {
            let (rest, passed) = words.iter().find_map(|(word, passed)| Some((line.strip_prefix(word)?, *passed)))?;
            let (name, compared) = rest.split_once(": ")?;
            Some((name, passed, compared))
        })
        .collect()
}

/// A panic that nobody catches ends the program and nothing else: the next one runs.
fn panic(shell: &mut Shell, program: &str) -> Result<String> {
    let output = shell.run(&format!("{program} panic 2>&1"), DEADLINE)?;
    ensure!(output.status == PANICKED, "the status is {}; {PANICKED} was expected: {}", output.status, output.text);
    for part in ["thread 'main' (", "panicked at src/panics.rs:", "on purpose"] {
        ensure!(output.text.contains(part), "the message has no {part:?}: {}", output.text);
    }
    // The unwinder walks to the first function, and the search for names in a file that has none ends well.
    let traced = shell.run(&format!("RUST_BACKTRACE=1 {program} panic 2>&1"), DEADLINE)?;
    let walked = traced.status == PANICKED && traced.text.contains("stack backtrace:");
    ensure!(walked, "with RUST_BACKTRACE=1 the status is {}: {}", traced.status, traced.text);
    let next = shell.run(&format!("echo from the parent | {program} child word"), DEADLINE)?;
    ensure!(next.status == 7 && next.text.contains("word from the parent"), "the next program printed {:?}", next.text);
    Ok("message and status of a panic with what they are of any, and the next program's output with what it was told"
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_checks_is_read() {
        let text = "const CHECKS: &[Check] = &[\n    (\"threads\", threads::share),\n    (\"files\", files::list),\n];\n(\"x\", y)\n";
        assert_eq!(table(text), ["threads", "files"]);
    }

    #[test]
    fn only_outcomes_are_taken_for_checks() {
        let text =
            "ukl: level=byb cpl=0 pid=50\nok   files: 1000 lines: all\nFAIL level: it is 3\n1 passed, 1 failed\n";
        assert_eq!(checks(text), [("files", true, "1000 lines: all"), ("level", false, "it is 3")]);
    }
}
