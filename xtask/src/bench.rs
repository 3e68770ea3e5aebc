//! Instructions per system call at each level, and what the patches cost the ordinary processes beside it.

use crate::config::{App, KernelFlavour, Level};
use crate::counting::{self, Order, Requests};
use crate::counts::{self, Measured, Place, Rules};
use crate::ctx::Ctx;
use crate::failure::Failure;
use crate::initramfs;
use crate::qemu::Accelerator;
use crate::run;
use crate::vm::{Vm, interrupt};
use anyhow::{Context, Result};
use std::time::Duration;

/// Boot and run execute some hundred million instructions, one at a time.
const BOOT_DEADLINE: Duration = Duration::from_secs(180);
const RUN_DEADLINE: Duration = Duration::from_secs(120);

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
}

/// Runs `bench`: boots each level under an instruction counter, prints the table, and fails when a rule of bench.toml is
/// broken.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
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
        let order = Order { app: &app, levels: &levels, requests: &requests, profile: args.profile, prelude: "" };
        return counting::run(ctx, &order);
    }
    let rules = Rules::read(&path)?;
    interrupt::catch();
    let mut runs = Vec::new();
    for level in &levels {
        runs.extend(
            measure(ctx, &app, level).with_context(|| format!("measuring {} at level {}", app.name, level.name))?,
        );
    }
    // The ledger stands below the levels. It is the same kernel each time; every one of them is shown.
    runs.sort_by_key(|run| run.place == Place::Patched);

    println!("instructions per call, minimum / median of the batches, under qemu -icount shift=0:\n");
    print!("{}", counts::table(&runs));
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

/// Boots one level and runs the program in it: as what the level is about, and on a patched kernel also as the ordinary
/// process it can be there.
fn measure(ctx: &Ctx, app: &App, level: &Level) -> Result<Vec<Measured>> {
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
    vm.poll()?;
    if let Some(line) = vm.trouble() {
        return Err(vm.failure(format!("the guest's kernel is in trouble: {line}")));
    }
    vm.stop()?;
    Ok(runs)
}
