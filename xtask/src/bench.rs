//! Instructions per operation at each level, and what the patches cost the ordinary processes beside it.

pub mod measure;

use crate::calibrate;
use crate::config::{App, Level};
use crate::counting::{self, Order, Requests};
use crate::counts::rules::{FILE, Kind, LeftOut};
use crate::counts::{self, Place, Rules, Verdict};
use crate::ctx::Ctx;
use crate::failure::Failure;
use crate::qemu::Accelerator;
use crate::record::{Emulator, Host, Record, Revision, emulator_version};
use crate::report;
use crate::vm::interrupt;
use anyhow::Result;
use measure::Program;
use std::path::{Path, PathBuf};

/// Options of `bench`.
#[derive(clap::Args)]
pub struct Args {
    /// The benchmark: a folder of apps/ with a bench.toml.
    #[arg(long, default_value = "microbench")]
    app: String,
    /// Levels to measure, separated by commas; rules about the others are left alone [default: those of the rules].
    #[arg(long, value_delimiter = ',')]
    levels: Option<Vec<String>>,
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
    let app = ctx.repo.app(&args.app)?;
    let path = app.dir.join(FILE);
    let requests = if path.is_file() { Requests::read(&path)? } else { None };
    if let Some(requests) = &requests {
        return per_request(ctx, &app, requests, &args);
    }
    // Before the work begins: the load and the tree as they are then.
    let (host, revision) = (Host::here()?, Revision::of(&ctx.repo.root)?);
    let Some(rules) = Rules::find(&ctx.repo, &app.dir)? else {
        return Err(Failure::usage(
            format!("application `{}` has no {}, so it is no benchmark", app.name, path.display()),
            "`cargo xtask bench --app microbench`",
        ));
    };
    let levels = match &args.levels {
        Some(names) => named(ctx, names)?,
        None => measure::levels(ctx, &app, &rules)?,
    };
    let measured = |name: &String| levels.iter().any(|level| level.name == *name);
    let left_out: LeftOut = match &args.levels {
        Some(_) => rules.levels().into_iter().filter(|name| !measured(name)).collect(),
        None => LeftOut::new(),
    };
    interrupt::catch();
    let (mut runs, mut guests) = (Vec::new(), Vec::new());
    for level in &levels {
        // It is the same kernel at each of its levels, so once is enough.
        let beside = runs.iter().all(|run: &counts::Measured| run.place != Place::Beside);
        let (measured, guest) = measure::run(ctx, &app, level, &Program { arguments: "", beside })?;
        runs.extend(measured);
        guests.push(guest);
    }
    // What it costs others stands behind the levels.
    runs.sort_by_key(|run| run.place == Place::Beside);

    println!("instructions per operation under qemu -icount shift=0: the median of the batches, and before it the");
    println!("minimum where that differs\n");
    print!("{}", counts::table(&runs));
    if let (Some(dir), Some(guest)) = (&args.out, guests.into_iter().next()) {
        let accelerators = vec![Accelerator::TcgCounting.into()];
        let mut record = Record::begin(revision, host, Emulator { version: emulator_version()?, accelerators }, guest);
        record.samples = runs.iter().flat_map(|run| run.samples(&app.name)).collect();
        write(ctx, &record, dir)?;
    }
    println!();
    if !left_out.is_empty() {
        let names: Vec<_> = left_out.iter().map(String::as_str).collect();
        println!("not compared, because --levels leaves it out: {}", names.join(", "));
    }
    let verdicts = rules.judge(&runs, &left_out);
    summarise(&verdicts);
    let broken = verdicts.iter().filter(|verdict| !verdict.holds).count();
    if broken > 0 {
        return Err(Failure::new(
            format!("{broken} of {} comparisons break a rule of {}", verdicts.len(), path.display()),
            "look for what the last change added to the path of a system call",
        ));
    }
    Ok(())
}

/// A server: instructions per request.
fn per_request(ctx: &Ctx, app: &App, requests: &Requests, args: &Args) -> Result<()> {
    if args.out.is_some() {
        return Err(Failure::usage(
            format!("`--out` does not write counts per request yet, and {} is counted per request", app.name),
            "leave `--out` away: the table is printed, and every counter is kept as count-*.json in logs of the cache",
        ));
    }
    let levels = named(ctx, args.levels.as_ref().unwrap_or(&requests.order.levels))?;
    counting::run(ctx, &Order { app, levels: &levels, requests, profile: args.profile, prelude: "" })
}

fn named(ctx: &Ctx, names: &[String]) -> Result<Vec<Level>> {
    names.iter().map(|name| ctx.repo.level(name)).collect()
}

/// The record, and the page made from it.
fn write(ctx: &Ctx, record: &Record, dir: &Path) -> Result<()> {
    record.write(dir)?;
    println!("\nthe samples and the page: {}", report::render(&ctx.repo.root, record, dir)?.display());
    Ok(())
}

/// A line for each kind of rule and one for each that is broken; those that hold can be read off the table.
fn summarise(verdicts: &[Verdict]) {
    let kinds = [
        (Kind::Order, "comparisons of levels"),
        (Kind::Limit, "limits"),
        (Kind::Ledger, "comparisons of ordinary processes on the two kernels"),
    ];
    for (kind, what) in kinds {
        let of_kind = || verdicts.iter().filter(|verdict| verdict.kind == kind);
        println!("{} of {} {what} hold", of_kind().filter(|verdict| verdict.holds).count(), of_kind().count());
    }
    for verdict in verdicts.iter().filter(|verdict| !verdict.holds) {
        println!("BROKEN {}: {}", verdict.count, verdict.text);
    }
}
