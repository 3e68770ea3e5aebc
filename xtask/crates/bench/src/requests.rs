//! Instructions that a server executes per request, counted exactly.
//!
//! Server and load generator are in one guest that nothing from outside disturbs, so every run of a seed is the same. A
//! QEMU plug-in (`xtask/tools/counter`) attributes each instruction to the task that was current.

pub mod figures;
mod guest;
mod kernel;
mod parallel;
mod profile;
pub mod settings;
mod table;

pub use figures::Figures;
pub use settings::Requests;

use anyhow::{Context, Result};
use ukl_app::tools;
use ukl_repo::config::{App, Level};
use ukl_repo::ctx::Ctx;

/// What is measured.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    pub app: &'a App,
    pub levels: &'a [Level],
    pub requests: &'a Requests,
    /// Also count by function of the kernel.
    pub profile: bool,
    /// Shell commands in the guest before the load.
    pub prelude: &'a str,
}

/// The figures of one kind of request at one level.
#[derive(Clone, Debug)]
pub struct Row {
    pub level: String,
    /// Such as `GET`; a key of `[requests.ratios]`.
    pub request: String,
    pub figures: Figures,
}

/// Measures every kind of request at every level, each in a machine of its own and as many at once as there are jobs.
pub fn measure(ctx: &Ctx, job: &Job) -> Result<Vec<Row>> {
    let plugin = tools::counter(ctx)?;
    let load_generator = tools::load_generator(ctx)?;
    let mut machines = Vec::new();
    for level in job.levels {
        for (request, ratio) in &job.requests.ratios {
            let run = guest::Run { job, level, request, ratio, plugin: &plugin, load_generator: &load_generator };
            // What is missing is built before machines run beside each other.
            machines.push((&level.name, request, guest::prepare(ctx, &run)?));
        }
    }
    parallel::each(&machines, ctx.jobs, |(level, request, prepared)| {
        let what = format!("counting {request} of {} at level {level}", job.app.name);
        eprintln!("{what}");
        let figures = guest::run(ctx, prepared).and_then(|report| Figures::new(&report, job.requests.requests));
        Ok(Row { level: (*level).clone(), request: (*request).clone(), figures: figures.context(what)? })
    })
}

/// Measures and prints.
pub fn run(ctx: &Ctx, job: &Job) -> Result<Vec<Row>> {
    let rows = measure(ctx, job)?;
    println!("{}\n", job.requests.headline(&job.app.name));
    print!("{}", table::table(&rows));
    if job.profile {
        rows.iter().for_each(|row| print!("\n{}", profile::text(row)));
    }
    Ok(rows)
}
