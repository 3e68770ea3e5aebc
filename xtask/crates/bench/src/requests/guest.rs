//! One measurement: a machine that starts the server, runs the load generator beside it, and stops.

use super::{Job, kernel};
use anyhow::{Context, Result};
use std::path::Path;
use std::time::Duration;
use ukl_app::image;
use ukl_counter::Report;
use ukl_guest::initramfs::ExtraFile;
use ukl_host::cache::Scratch;
use ukl_host::failure::Failure;
use ukl_repo::config::Level;
use ukl_repo::ctx::Ctx;
use ukl_run::run;
use ukl_vm::qemu::{Accelerator, Counter};
use ukl_vm::vm::protocol::Mark;
use ukl_vm::vm::{Plan, Vm};

/// Where the load generator lies in the guest.
const PROGRAM: &str = "/opt/bench/ukl-loadgen";
/// Boot, preparation and the measured part, of which each instruction is looked at: half a minute where nothing else runs.
const DEADLINE: Duration = Duration::from_secs(900);
/// The server ends when it is told to.
const END_DEADLINE: Duration = Duration::from_secs(30);

/// What is run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    pub job: &'a Job<'a>,
    pub level: &'a Level,
    pub request: &'a str,
    pub ratio: &'a str,
    pub plugin: &'a Path,
    pub load_generator: &'a Path,
}

/// A machine with everything that it needs.
pub(super) struct Prepared {
    plan: Plan,
    counter: Counter,
    /// What the counter must know, and what it will write.
    _files: Scratch,
}

/// Builds what is missing.
pub(super) fn prepare(ctx: &Ctx, run: &Run) -> Result<Prepared> {
    let (app, requests) = (run.job.app, run.job.requests);
    let program = std::fs::read(run.load_generator);
    let program = program.with_context(|| format!("reading {}", run.load_generator.display()))?;
    let script = format!("{}exec {}\n", run.job.prelude, requests.command(PROGRAM, run.ratio));
    let extra = [
        ExtraFile { target: PROGRAM.to_owned(), permissions: 0o755, content: program },
        ExtraFile { target: "/etc/ukl/load".to_owned(), permissions: 0o644, content: script.into_bytes() },
    ];
    let mut plan = run::plan_with(ctx, app, run.level, requests.arguments.as_deref(), &extra)?;
    let spec = kernel::spec(&image::image(ctx, app, run.level)?.vmlinux, run.job.profile)?;
    let files = ctx.cache.scratch()?;
    let counter = Counter {
        plugin: run.plugin.to_owned(),
        spec: files.path().join("spec.json"),
        report: files.path().join("report.json"),
    };
    let text = serde_json::to_string(&spec).context("encoding what the counter must know")?;
    std::fs::write(&counter.spec, text).with_context(|| format!("writing {}", counter.spec.display()))?;
    plan.name = format!("count-{}-{}-{}", app.name, run.level.name, run.request);
    plan.accelerator = Some(Accelerator::TcgCounting);
    plan.counter = Some(counter.clone());
    Ok(Prepared { plan, counter, _files: files })
}

/// Boots the machine and returns what was counted.
pub(super) fn run(ctx: &Ctx, prepared: &Prepared) -> Result<Report> {
    let Prepared { plan, counter, .. } = prepared;
    let mut vm = Vm::boot(ctx, plan)?;
    vm.wait_for("the load generator to end", DEADLINE, |mark| matches!(mark, Mark::Load(_)))?;
    if let Some(status) = vm.marks().iter().find_map(status).filter(|status| *status != 0) {
        return Err(vm.failure(format!("the load generator ended with status {status}")));
    }
    vm.wait_end(END_DEADLINE)?;
    vm.check_kernel()?;
    if !counter.report.is_file() {
        return Err(Failure::new(
            "the instruction counter wrote no report".to_owned(),
            format!("read what it said in {}", vm.log.with_file_name(format!("{}-qemu.log", plan.name)).display()),
        ));
    }
    // Kept beside the console's log, for whoever wants to know more than the table says.
    let kept = vm.log.with_file_name(format!("{}.json", plan.name));
    std::fs::copy(&counter.report, &kept).with_context(|| format!("writing {}", kept.display()))?;
    Report::read(&kept)
}

fn status(mark: &Mark) -> Option<i32> {
    match mark {
        Mark::Load(status) => Some(*status),
        _ => None,
    }
}
