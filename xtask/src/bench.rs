//! Instructions per system call at each level, and what the patches cost the ordinary processes beside it.

use crate::calibrate;
use crate::config::{App, KernelFlavour, Level};
use crate::counting::{self, Order, Requests};
use crate::counts::{self, Measured, Place, Rules};
use crate::ctx::Ctx;
use crate::failure::Failure;
use crate::initramfs;
use crate::qemu::Accelerator;
use crate::record::{Emulator, Guest, Host, Record, Revision, emulator_version};
use crate::report;
use crate::run;
use crate::vm::{Vm, interrupt};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Boot and run execute some hundred million instructions, one at a time.
const BOOT_DEADLINE: Duration = Duration::from_secs(180);
const RUN_DEADLINE: Duration = Duration::from_secs(120);

const QUERY_DEADLINE: Duration = Duration::from_secs(10);

/// Options of `bench`.
#[derive(clap::Args)]
pub struct Args {
    /// The benchmark: a folder of apps/ with a bench.toml.
    #[arg(long, default_value = "microbench")]
    app: String,
    /// Levels to measure, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "linux,base,byb")]
    levels: Vec<String>,
    /// For a server: also show where the kernel's instructions per request go, function by function.
    #[arg(long)]
    profile: bool,
    /// Write every sample to DIR/bench.json and the page DIR/index.html.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Measure this host's own calls for the cost model instead, and print the block that it reads.
    #[arg(long)]
    calibrate: bool,
}

impl Args {
    /// Whether nothing is built or booted.
    pub fn only_this_host(&self) -> bool {
        self.calibrate
    }
}

/// Runs `bench`: boots each level under an instruction counter, prints the table, and fails when a rule of bench.toml is
/// broken.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    if args.calibrate {
        return calibrate::run(args.out.as_deref());
    }
    // Before the work begins: the load and the tree as they are then.
    let (host, revision) = (Host::here()?, Revision::of(&ctx.repo.root)?);
    let app = ctx.repo.app(&args.app)?;
    let path = app.dir.join("bench.toml");
    if !path.is_file() {
        return Err(Failure::usage(
            format!("application `{}` has no {}, so it is no benchmark", app.name, path.display()),
            "`cargo xtask bench --app microbench`",
        ));
    }
    let levels = args.levels.iter().map(|name| ctx.repo.level(name)).collect::<Result<Vec<_>>>()?;
    if let Some(requests) = Requests::read(&path)? {
        if args.out.is_some() {
            return Err(Failure::usage(
                format!("`--out` does not write counts per request yet, and {} is counted per request", app.name),
                "leave `--out` away: the table is printed, and every counter is kept as count-*.json in logs of the cache",
            ));
        }
        let order = Order { app: &app, levels: &levels, requests: &requests, profile: args.profile, prelude: "" };
        return counting::run(ctx, &order);
    }
    let rules = Rules::read(&path)?;
    interrupt::catch();
    let (mut runs, mut guests) = (Vec::new(), Vec::new());
    for level in &levels {
        let (measured, guest) =
            measure(ctx, &app, level).with_context(|| format!("measuring {} at level {}", app.name, level.name))?;
        runs.extend(measured);
        guests.push(guest);
    }
    // The ledger stands below the levels. It is the same kernel each time; every one of them is shown.
    runs.sort_by_key(|run| run.place == Place::Patched);

    println!("instructions per call, minimum / median of the batches, under qemu -icount shift=0:\n");
    print!("{}", counts::table(&runs));
    if let (Some(dir), Some(guest)) = (&args.out, guests.into_iter().next()) {
        let accelerators = vec![Accelerator::TcgCounting.into()];
        let mut record = Record::begin(revision, host, Emulator { version: emulator_version()?, accelerators }, guest);
        record.samples = runs.iter().flat_map(|run| run.samples(&app.name)).collect();
        write(ctx, &record, dir)?;
    }
    let verdicts = counts::judge(&runs, &rules);
    println!();
    verdicts.iter().for_each(|verdict| println!("{} {}", if verdict.holds { "ok  " } else { "OVER" }, verdict.text));
    let broken = verdicts.iter().filter(|verdict| !verdict.holds).count();
    if broken > 0 {
        return Err(Failure::new(
            format!("{broken} of {} counts are over what {} allows", verdicts.len(), path.display()),
            "look for what the last change added to the path of a system call",
        ));
    }
    Ok(())
}

/// The record, and the page made from it.
fn write(ctx: &Ctx, record: &Record, dir: &Path) -> Result<()> {
    record.write(dir)?;
    println!("\nthe samples and the page: {}", report::render(&ctx.repo.root, record, dir)?.display());
    Ok(())
}

/// Boots one level and runs the program in it: as what the level is about, and on a patched kernel also as the ordinary
/// process it can be there.
fn measure(ctx: &Ctx, app: &App, level: &Level) -> Result<(Vec<Measured>, Guest)> {
    let mut plan = run::plan(ctx, app, level, None)?;
    plan.name = format!("bench-{}-{}", app.name, level.name);
    plan.accelerator = Some(Accelerator::TcgCounting);
    plan.append.push("UKL_IDLE=1".to_owned());
    eprintln!("counting {} at level {}", app.name, level.name);
    let mut vm = Vm::boot(ctx, &plan)?;
    vm.wait_ready(BOOT_DEADLINE)?;
    let program = initramfs::program_name(app)?;
    let mut programs = match level.kernel {
        KernelFlavour::Vanilla => vec![(level.name.clone(), Place::Vanilla, "/usr/bin")],
        KernelFlavour::Ukl => vec![
            (level.name.clone(), Place::Linked(level.name.clone()), "/usr/bin"),
            (format!("process beside {}", level.name), Place::Patched, "/opt/process"),
        ],
    };
    let mut shell = vm.shell()?;
    let mut runs = Vec::new();
    for (label, place, folder) in programs.drain(..) {
        let output = shell.run(&format!("{folder}/{program}"), RUN_DEADLINE)?;
        if output.status != 0 {
            return Err(vm.failure(format!("{folder}/{program} ended with status {}: {}", output.status, output.text)));
        }
        runs.push(Measured { label, place, counts: counts::parse(&output.text)? });
    }
    let answer = shell.run(Guest::QUERY, QUERY_DEADLINE)?;
    let guest = Guest::parse(&answer.text, plan.cpus, plan.memory_mib)?;
    vm.poll()?;
    if let Some(line) = vm.trouble() {
        return Err(vm.failure(format!("the guest's kernel is in trouble: {line}")));
    }
    vm.stop()?;
    Ok((runs, guest))
}
