//! `cargo xtask bench`: what each level costs, counted and against the clock.

mod calls;
mod loadgen_check;
pub mod measure;
mod outcome;
pub mod parties;
mod requests;
mod timed;

use outcome::Outcome;

use crate::lean;
use crate::schema::{self, Schema};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use ukl_host::failure::Failure;
use ukl_host::interrupt;
use ukl_repo::config::{App, Level, Levels, REFERENCE_LEVEL};
use ukl_repo::ctx::Ctx;
use ukl_report::calibrate;
use ukl_report::record::{Emulator, Record, Start, emulator_version};
use ukl_report::report;

/// Options of `bench`.
#[derive(clap::Args)]
pub struct Args {
    /// The benchmarks, separated by commas: folders of apps/ with a bench.toml.
    #[arg(long, value_delimiter = ',', default_value = "microbench", default_value_if("boot", "true", "redis"))]
    app: Vec<String>,
    /// Levels to measure, separated by commas; rules about the others are left alone [default: those of the rules].
    #[arg(long, value_delimiter = ',')]
    levels: Option<Vec<String>>,
    /// For a server: how often each level is measured against the clock; 0 counts only [default: what bench.toml says].
    /// With --boot: how often each level boots [default: 11].
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// For a server: count only, and also show where the kernel's instructions per request go, function by function.
    #[arg(long, conflicts_with = "rounds")]
    profile: bool,
    /// For Redis: compare the throughput that ukl-loadgen sees with that of redis-benchmark instead, at the first level.
    #[arg(long, conflicts_with_all = ["rounds", "profile", "out", "calibrate"])]
    check_loadgen: bool,
    /// Write every sample to DIR/bench.json and the page DIR/index.html.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Measure the lean kernel profile instead: boot to the first answer, size, idle memory, throughput; with --profile also what
    /// takes the time and the space.
    #[arg(long, conflicts_with = "calibrate")]
    boot: bool,
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

/// An application and what is measured of it.
type Benchmark = (App, Schema);

/// Runs `bench`: measures one application after the other, prints the tables, writes the record and the page, and fails
/// when a rule of a bench.toml is broken.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    if args.calibrate {
        return calibrate::run(args.out.as_deref());
    }
    let benchmarks = args.app.iter().map(|name| find(ctx, name)).collect::<Result<Vec<_>>>()?;
    let named = |names: &Vec<String>| names.iter().map(|name| ctx.repo.level(name)).collect::<Result<Vec<Level>>>();
    let levels = args.levels.as_ref().map(named).transpose()?;
    interrupt::catch();
    if args.boot {
        return boot(ctx, &args, &benchmarks, levels);
    }
    if args.check_loadgen {
        return check_loadgen(ctx, &benchmarks, levels.as_deref());
    }
    let start = Start::now(&ctx.repo.root)?;
    let mut outcome = Outcome::default();
    for (index, benchmark) in benchmarks.iter().enumerate() {
        if index > 0 {
            println!();
        }
        let (app, schema) = benchmark;
        match schema {
            Schema::Parties(settings) => parties::run(ctx, app, settings, levels.as_deref(), &mut outcome)?,
            Schema::Calls(rules) => calls::run(ctx, app, rules, levels.as_deref(), &mut outcome)?,
            Schema::Requests(settings) => {
                let mut choice = requests::Choice::new(ctx, app, settings, levels.as_deref())?;
                choice.profile = args.profile;
                choice.rounds = if args.profile { 0 } else { args.rounds.unwrap_or(settings.timed.rounds) };
                choice.record = args.out.is_some();
                requests::run(ctx, &choice, &mut outcome)?;
            }
        }
    }
    if let Some(dir) = &args.out {
        let emulator = Emulator { version: emulator_version()?, accelerators: outcome.accelerators };
        let guest = outcome.guest.context("no machine said what it is")?;
        write(ctx, &Record::new(start, emulator, guest, outcome.samples), dir)?;
    }
    outcome.broken.into_iter().next().map_or(Ok(()), Err)
}

fn boot(ctx: &Ctx, args: &Args, benchmarks: &[Benchmark], levels: Option<Vec<Level>>) -> Result<()> {
    let [(app, Schema::Requests(_))] = benchmarks else {
        return Err(Failure::usage("`--boot` needs one server", "add `--app redis`"));
    };
    let levels = match levels {
        Some(levels) => levels,
        None => Levels::ReferenceAndDefault.of(&ctx.repo.levels()?),
    };
    let rounds = args.rounds.unwrap_or(11);
    if rounds == 0 {
        return Err(Failure::usage("`--boot` with `--rounds 0` measures nothing", "`--rounds 11`, or leave it away"));
    }
    let record = lean::bench(ctx, &lean::BootJob { app, levels: &levels, rounds, profile: args.profile })?;
    args.out.as_deref().map_or(Ok(()), |dir| write(ctx, &record, dir))
}

/// The record, and the page made from it.
fn write(ctx: &Ctx, record: &Record, dir: &Path) -> Result<()> {
    record.write(dir)?;
    println!("\nthe samples and the page: {}", report::render(&ctx.repo, record, dir)?.display());
    Ok(())
}

fn check_loadgen(ctx: &Ctx, benchmarks: &[Benchmark], levels: Option<&[Level]>) -> Result<()> {
    let [(app, Schema::Requests(settings))] = benchmarks else {
        return Err(Failure::usage("`--check-loadgen` needs one server", "add `--app redis`"));
    };
    let level = match levels {
        Some([level, ..]) => level.clone(),
        _ => ctx.repo.level(REFERENCE_LEVEL)?,
    };
    loadgen_check::run(ctx, app, settings, &level)
}

/// The benchmark of that name.
fn find(ctx: &Ctx, name: &str) -> Result<Benchmark> {
    let app = ctx.repo.app(name)?;
    match Schema::read(&ctx.repo, &app)? {
        Some(schema) => Ok((app, schema)),
        None => Err(Failure::usage(
            format!("application `{}` has no {}, so it is no benchmark", app.name, schema::path(&app).display()),
            "`cargo xtask bench --app microbench`",
        )),
    }
}
