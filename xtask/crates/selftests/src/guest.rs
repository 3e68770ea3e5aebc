//! Runs the programs of a collection in a machine, one after the other.

use crate::build::{Built, Program};
use crate::collection::Collection;
use crate::judge::Record;
use crate::outcome::{self, Outcome, Results};
use anyhow::{Context, Result, bail};
use std::time::{Duration, Instant};
use ukl_audit::program::{self, Options};
use ukl_guest::initramfs::{self, ExtraFile};
use ukl_host::interrupt;
use ukl_repo::config::{App, KernelFlavour, Level};
use ukl_repo::ctx::Ctx;
use ukl_run::run::{self, READY_DEADLINE};
use ukl_vm::vm::protocol::BootWord;
use ukl_vm::vm::shell::{Output, Shell};
use ukl_vm::vm::{Plan, Vm};

/// Two: tests of futexes, rseq and membarrier want threads that run at once.
const CPUS: u32 = 2;
/// What the guest's shell may take beyond the deadline of a test.
const SHELL_DEADLINE: Duration = Duration::from_secs(60);
/// What stands between the lines of cases and the end of the output.
const MIDDLE: &str = "UKL-OUTPUT";
/// The exit status of what its deadline killed.
const KILLED: i32 = 137;

/// Where tests run, and as what.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// `process`, or a level.
    pub name: String,
    /// The level of the image.
    pub level: Level,
    /// Whether the tests are applications.
    pub linked: bool,
}

impl Place {
    /// The folder of the programs in the guest: applications and those of `linux` lie where programs do, and an image has
    /// its programs a second time as those of processes.
    fn folder(&self) -> &'static str {
        if self.linked || self.level.kernel == KernelFlavour::Vanilla { "/usr/bin" } else { "/opt/process" }
    }
}

/// A machine that answers.
struct Machine {
    vm: Vm,
    shell: Shell,
}

/// Runs those programs of a collection that `wanted` names; each machine that a test has spoilt is replaced.
pub(crate) fn run(
    ctx: &Ctx,
    collection: &Collection,
    built: &Built,
    place: &Place,
    wanted: impl Fn(&str) -> bool,
) -> Result<Record> {
    let plan = plan(ctx, collection, built, place)?;
    let mut machine = None;
    let mut record = Record::new();
    for program in built.programs.iter().filter(|program| wanted(&program.test)) {
        if interrupt::requested() {
            bail!("interrupted");
        }
        let results = match &program.refusal {
            Some(reason) if place.linked => Results::only(Outcome::Refused(reason.clone())),
            _ => {
                let mut at = match machine.take() {
                    Some(machine) => machine,
                    None => boot(ctx, &plan)?,
                };
                let (results, whole) = one(&mut at, collection, program, place)?;
                machine = whole.then_some(at);
                results
            }
        };
        record.insert(program.test.clone(), results);
    }
    if let Some(mut at) = machine {
        at.vm.stop().context("stopping the machine")?;
    }
    Ok(record)
}

/// The image with every program that can be linked in; the others are files.
fn plan(ctx: &Ctx, collection: &Collection, built: &Built, place: &Place) -> Result<Plan> {
    let (refused, linked): (Vec<_>, Vec<_>) = built.programs.iter().partition(|program| program.refusal.is_some());
    let apps = linked.iter().map(|program| program::app(&program.path, Options::default()));
    let mut apps = apps.collect::<Result<Vec<App>>>()?;
    anyhow::ensure!(!apps.is_empty(), "no program of {} can be linked into the kernel", collection.name);
    let app = apps.remove(0).with_beside(apps)?;
    let scratch = ctx.cache.scratch()?;
    let mut files = Vec::new();
    for program in refused {
        let stripped = initramfs::without_debug_data(&program.path, scratch.path())?;
        let target = format!("{}/{}", place.folder(), program.name()?);
        files.push(ExtraFile { target, permissions: 0o755, content: fs_err::read(&stripped)? });
    }
    let mut plan = run::plan_with(ctx, &app, &place.level, None, &files)?;
    plan.name = format!("test-selftests-{}-{}", collection.name, place.name);
    (plan.cpus, plan.memory_mib) = (CPUS, collection.settings.memory_mib);
    plan.tell(BootWord::Idle);
    Ok(plan)
}

fn boot(ctx: &Ctx, plan: &Plan) -> Result<Machine> {
    let mut vm = Vm::boot(ctx, plan)?;
    vm.wait_ready(READY_DEADLINE)?;
    let shell = vm.shell()?;
    Ok(Machine { vm, shell })
}

/// Runs a test; its results, and whether the machine is as it was before.
fn one(at: &mut Machine, collection: &Collection, program: &Program, place: &Place) -> Result<(Results, bool)> {
    let deadline_s = collection.settings.deadline_s;
    let path = format!("{}/{}", place.folder(), program.name()?);
    let arguments = collection.settings.arguments.get(&program.test).map_or("", String::as_str);
    let command = command(&path, arguments, deadline_s);
    let start = Instant::now();
    let answer = at.shell.run(&command, Duration::from_secs(deadline_s.into()) + SHELL_DEADLINE);
    at.vm.catch_up()?;
    let late = start.elapsed() >= Duration::from_secs(deadline_s.into());
    let mut results = match &answer {
        Ok(output) => results(output),
        Err(_) => Results::only(Outcome::Failed("the machine answers no more".to_owned())),
    };
    let overdue = late && results.program == outcome::of_status(KILLED);
    if overdue {
        results.program = Outcome::Failed(format!("no end within {deadline_s} s"));
    }
    results.complaint = at.vm.trouble().map(str::to_owned);
    let whole = answer.is_ok() && !overdue && results.complaint.is_none();
    Ok((results, whole))
}

/// The command in the guest: in a folder of its own, with the lines of cases first and then the end of all it printed.
fn command(path: &str, arguments: &str, deadline_s: u32) -> String {
    format!(
        "mkdir -p /mnt /tmp/test; cd /tmp/test; timeout -s KILL {deadline_s} {path} {arguments} >/tmp/output 2>&1 </dev/null; \
         status=$?; cd /; rm -rf /tmp/test; grep -aE '(^|[^# ].*)(not )?ok [0-9]' /tmp/output; echo {MIDDLE}; \
         tail -c 1500 /tmp/output | tr -cd '\\011\\012\\040-\\176'; rm -f /tmp/output; (exit $status)"
    )
}

fn results(output: &Output) -> Results {
    let (cases, said) = output.text.split_once(MIDDLE).unwrap_or(("", &output.text));
    Results {
        program: outcome::of_status(output.status),
        cases: outcome::cases(cases),
        said: said.trim().to_owned(),
        complaint: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_come_before_the_output() {
        let text = "ok 1 a\nnot ok 2 b\nUKL-OUTPUT\nok 1 a\nb is wrong\nnot ok 2 b\n".to_owned();
        let results = results(&Output { text, status: 1 });
        assert_eq!(results.program, Outcome::Failed("status 1".to_owned()));
        assert_eq!(results.cases.len(), 2);
        assert_eq!(results.said, "ok 1 a\nb is wrong\nnot ok 2 b");
    }

    #[test]
    fn the_status_of_the_command_is_that_of_the_test() {
        let run = |test: &str| {
            let line = command(test, "", 5).replace("/tmp/", "./");
            let folder = tempfile::tempdir().unwrap();
            let mut shell = std::process::Command::new("sh");
            let output =
                shell.args(["-c", &line.replace("cd /;", "cd ..;")]).current_dir(folder.path()).output().unwrap();
            output.status.code()
        };
        assert_eq!((run("true"), run("false"), run("sh -c 'exit 4'")), (Some(0), Some(1), Some(4)));
    }
}
