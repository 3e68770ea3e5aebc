//! Runs the tests of apps/behaviour inside one machine, each as a process of its own.

use super::server::succeed;
use super::suite::{Apps, Machines, Part, Quick, Suite, When};
use super::tally::Tally;
use anyhow::{Context, Result, bail, ensure};
use std::time::Duration;
use ukl_app::image;
use ukl_host::interrupt;
use ukl_repo::config::{KernelProfile, Level, Levels};
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::Repo;
use ukl_run::run;
use ukl_vm::vm::protocol::BootWord;
use ukl_vm::vm::shell::{Output, Shell};
use ukl_vm::vm::{Plan, Vm};

/// Each test has its own deadline of 30 s inside the guest; this one is for a guest that is stuck.
const TEST_DEADLINE: Duration = Duration::from_secs(60);

/// How much of what a test compared is shown when all of it held.
const SHOWN_CHARS: usize = 300;

/// How a table of tests begins in a source file, what each of its lines begins with, and how it ends.
const TABLE: &str = "const struct test ";
const ENTRY: &str = "{ \"";
const END: &str = "END_OF_TESTS";

/// The tests hold for an ordinary process, too. That reference never changes, so it is run when its level is asked for. One
/// CPU makes no difference to the options beyond the two entries of a call.
pub(super) const SUITE: Suite = Suite {
    name: "behaviour",
    summary: "what Linux promises a program: signals, threads, faults, files, TCP, tracing",
    prefix: "{level}/smp{cpus}/behaviour/",
    apps: Apps::One("behaviour"),
    machines: &[
        Machines { levels: Some(Levels::Reference), cpus: 1, when: When::Asked },
        Machines { levels: Some(Levels::Entries), cpus: 1, when: When::Default },
        Machines { levels: Some(Levels::Linked), cpus: 2, when: When::Default },
    ],
    quick: Quick::Smallest,
    tests,
    run: |ctx, part, tally| boot_and_run(ctx, part, tally, |_| Ok(())),
};

/// The same tests on a kernel that switches tasks wherever it may.
pub(super) const PREEMPT: Suite = Suite {
    name: "preempt",
    summary: "the tests of behaviour on a kernel with CONFIG_PREEMPT",
    prefix: "preempt/{level}/smp{cpus}/behaviour/",
    machines: &[Machines { levels: Some(Levels::Linked), cpus: 2, when: When::Asked }],
    quick: Quick::Nothing,
    run: |ctx, part, tally| {
        boot_and_run(ctx, part, tally, |plan| {
            let (app, level) = (ctx.repo.app(&part.app)?, part.level()?);
            plan.kernel = image::image_on(ctx, &app, level, KernelProfile::Preempt)?.bzimage;
            Ok(())
        })
    },
    ..SUITE
};

/// The names in the tables of the part's application, and what this file adds.
pub fn tests(repo: &Repo, part: &Part) -> Result<Vec<String>> {
    let folder = repo.root.join("apps").join(&part.app);
    let mut files: Vec<_> =
        walkdir::WalkDir::new(&folder).max_depth(1).sort_by_file_name().into_iter().collect::<Result<_, _>>()?;
    files.retain(|file| file.path().extension().is_some_and(|extension| extension == "c"));
    let mut names = Vec::new();
    for file in files {
        let text =
            std::fs::read_to_string(file.path()).with_context(|| format!("reading {}", file.path().display()))?;
        names.extend(table(&text));
    }
    ensure!(!names.is_empty(), "{} has no table of tests", folder.display());
    names.extend(["negative-control", "kernel-is-quiet"].map(str::to_owned));
    Ok(names)
}

/// The names in the table of a source file: `{ "fork", fork_and_wait },` and so on.
fn table(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).skip_while(|line| !line.starts_with(TABLE)).skip(1);
    let entries = lines.take_while(|line| *line != END).filter_map(|line| line.strip_prefix(ENTRY)?.split_once('"'));
    entries.map(|(name, _)| name.to_owned()).collect()
}

/// Boots the part's application and runs its tests, each as a process of its own, in a machine that `adapt` may change.
pub fn boot_and_run(
    ctx: &Ctx,
    part: &Part,
    tally: &mut Tally,
    adapt: impl FnOnce(&mut Plan) -> Result<()>,
) -> Result<()> {
    let (app, level) = (ctx.repo.app(&part.app)?, part.level()?);
    let (prefix, cpus) = (part.prefix.as_str(), part.cpus);
    let mut plan = run::plan(ctx, &app, level, None)?;
    plan.name = part.machine_name();
    plan.cpus = cpus;
    plan.tell(BootWord::Idle);
    adapt(&mut plan)?;
    let program = app.program_name()?;
    let mut vm = Vm::boot(ctx, &plan)?;
    vm.wait_ready(run::READY_DEADLINE)?;
    let mut shell = vm.shell()?;
    succeed(&mut shell, &format!("export PATIENCE={}", vm.patience()))?;
    let list = shell.run(&format!("{program} --list"), TEST_DEADLINE)?;
    ensure!(list.status == 0 && !list.text.is_empty(), "`{program} --list` printed {:?}", list.text);
    for name in list.text.lines() {
        let full = format!("{prefix}{name}");
        if !tally.wants(&full) {
            continue;
        }
        if interrupt::requested() {
            bail!("interrupted");
        }
        match shell.run(&command(level, &program, name), TEST_DEADLINE) {
            Ok(output) => tally.check(&full, outcome(&output)),
            // The shell is lost: the rest of this machine's tests cannot be run.
            Err(error) => {
                tally.check(&full, Err(error));
                return Err(vm.failure(format!("the guest answers no more after {name}")));
            }
        }
    }
    control(&mut shell, &program, prefix, tally)?;
    tally.kernel_is_quiet(prefix, &mut vm);
    vm.stop().context("stopping the machine")
}

/// The command of a test. What the level's file says is told to the program, whose tests of it would else be their own judges.
fn command(level: &Level, program: &str, test: &str) -> String {
    format!("LEVEL_OPTIONS='{}' {program} run {test}", level.option_names())
}

/// A test that does not exist fails: this way of running tests can tell failure from success.
fn control(shell: &mut Shell, program: &str, prefix: &str, tally: &mut Tally) -> Result<()> {
    let output = shell.run(&format!("{program} run no-such-test"), TEST_DEADLINE)?;
    let told = output.status != 0;
    tally.add(
        &format!("{prefix}negative-control"),
        told,
        &format!("the status of a test that does not exist ({}) with 0: they differ", output.status),
    );
    Ok(())
}

/// Success is status 0 together with at least one comparison.
fn outcome(output: &Output) -> Result<String> {
    let said = output.text.replace("compared: ", "").replace('\n', "; ");
    ensure!(output.status == 0, "status {}: {said}", output.status);
    ensure!(output.text.contains("compared: "), "status 0, but nothing was compared: {said}");
    Ok(shortened(&said))
}

/// The first comparisons of a test that passed; one that failed is shown in full.
fn shortened(said: &str) -> String {
    match said.char_indices().nth(SHOWN_CHARS) {
        None => said.to_owned(),
        Some((end, _)) => format!("{}… and so on", &said[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_the_sources_are_read() {
        let text = "static int x;\nconst struct test path_tests[] = {\n\t{ \"choose-path\", choose },\n\t{ \"clock\", read },\n\t\
                    END_OF_TESTS\n};\nconst char *const other[] = { \"x\" };\n";
        assert_eq!(table(text), ["choose-path", "clock"]);
        assert!(table("extern const struct test path_tests[];\n").is_empty());
    }

    #[test]
    fn success_without_a_comparison_is_a_failure() {
        let output = |text: &str, status| outcome(&Output { text: text.to_owned(), status });
        assert_eq!(output("compared: 1 with 1", 0).unwrap(), "1 with 1");
        assert!(output("all is well", 0).is_err());
        assert!(output("compared: 1 with 1", 139).is_err());
    }
}
