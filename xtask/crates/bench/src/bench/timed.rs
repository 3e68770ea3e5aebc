//! A server against the clock: rounds that go over the levels in turn, each in a machine of its own.

mod server;
mod table;

use super::Outcome;
use super::requests::{Choice, with_load};
use anyhow::{Context, Result, ensure};
use server::Server;
use ukl_app::tools::load_generator;
use ukl_host::interrupt;
use ukl_loadgen::Results;
use ukl_repo::config::Level;
use ukl_repo::ctx::Ctx;
use ukl_report::record::{GuestFacts, Kind, Metric, Sample};
use ukl_vm::qemu::Accelerator;
use ukl_vm::vm::Plan;

/// One closed loop.
#[derive(Clone, Debug)]
struct Run {
    round: u32,
    level: String,
    /// A key of `[requests.ratios]`.
    command: String,
    results: Results,
}

/// One search for the highest rate under the limit.
#[derive(Clone, Debug)]
struct Found {
    round: u32,
    level: String,
    requests_per_s: f64,
}

/// Everything that was measured of a server.
#[derive(Clone, Debug, Default)]
struct Measured {
    runs: Vec<Run>,
    found: Vec<Found>,
}

/// Measures and prints. A change of the host's speed meets every level alike: each round measures all of them, and begins
/// with another one.
pub(super) fn run(ctx: &Ctx, choice: &Choice, outcome: &mut Outcome) -> Result<()> {
    let Choice { app, settings, rounds, .. } = choice;
    let program = load_generator(ctx)?;
    let plan = |level| Ok((level, Server::plan(ctx, choice, level, &program)?));
    // Nothing is built between the rounds.
    let plans = choice.levels.iter().map(plan).collect::<Result<Vec<(&Level, Plan)>>>()?;
    let (mut measured, mut emulated) = (Measured::default(), false);
    for round in 0..*rounds {
        for (level, plan) in turned(&plans, round) {
            let what = format!("round {} of {rounds}: {} at level {}", round + 1, app.name, level.name);
            eprintln!("{what}");
            let mut server = Server::boot(ctx, plan).with_context(|| what.clone())?;
            outcome.used(server.accelerator());
            emulated = server.accelerator() != Accelerator::Kvm;
            measure(&mut server, choice, (round, &level.name), &mut measured).with_context(|| what.clone())?;
            if outcome.guest.is_none() {
                outcome.guest = Some(server.guest()?);
            }
            server.stop().context(what)?;
            ensure!(!interrupt::requested(), "interrupted");
        }
    }
    outcome.samples.extend(samples(choice, &measured, emulated));
    let how = if emulated { "EMULATED, so compare levels only" } else { "with KVM" };
    println!(
        "{} against the clock ({how}): {} connections, pipeline {}, {}-byte values, load generator in the guest; medians of \
         {rounds} rounds (least..most) of {} s\n",
        app.name, settings.connections, settings.pipeline, settings.value_bytes, settings.timed.duration_s
    );
    print!("{}", table::closed_loop(&measured.runs));
    if let Some(limit) = &settings.timed.limit {
        println!("\nhighest rate with a p99 below {} µs, {}\n", limit.p99_us(emulated), limit.command());
        print!("{}", table::under_limit(&measured.found));
    }
    Ok(())
}

/// What the guest of this server says of itself.
pub(super) fn guest(ctx: &Ctx, choice: &Choice) -> Result<GuestFacts> {
    let level = choice.levels.first().context("no level was named")?;
    let mut server = Server::boot(ctx, &Server::plan(ctx, choice, level, &load_generator(ctx)?)?)?;
    let guest = server.guest()?;
    server.stop()?;
    Ok(guest)
}

/// The levels in their order, from another one on in each round.
fn turned<T>(levels: &[T], round: u32) -> impl Iterator<Item = &T> {
    let first = round as usize % levels.len().max(1);
    levels[first..].iter().chain(&levels[..first])
}

/// All that is measured in one machine.
fn measure(server: &mut Server, choice: &Choice, (round, level): (u32, &str), measured: &mut Measured) -> Result<()> {
    for (command, ratio) in &choice.settings.ratios {
        let results = server.closed_loop(choice.settings, ratio)?;
        measured.runs.push(Run { round, level: level.to_owned(), command: command.clone(), results });
    }
    if let Some(limit) = &choice.settings.timed.limit {
        let requests_per_s = server.highest_rate(choice.settings, limit)?;
        measured.found.push(Found { round, level: level.to_owned(), requests_per_s });
    }
    Ok(())
}

fn samples(choice: &Choice, measured: &Measured, emulated: bool) -> Vec<Sample> {
    let settings = choice.settings;
    let kind = if emulated { Kind::EmulatedTime } else { Kind::MeasuredTime };
    let sample = |level: &str, round, command: &str, metric, value| {
        with_load(Sample::new(&choice.app.name, level, metric, kind, round, value), settings, command)
    };
    let mut samples = Vec::new();
    for Run { round, level, command, results } in &measured.runs {
        let of = |metric, value| sample(level, *round, command, metric, value);
        samples.push(of(Metric::RequestsPerS, results.requests_per_s));
        samples.push(of(Metric::KibPerS, results.kib_per_s));
        if let Some(latency) = &results.latency {
            let percentiles =
                [("50", latency.p50_us), ("90", latency.p90_us), ("99", latency.p99_us), ("99.9", latency.p99_9_us)];
            samples.extend(percentiles.map(|(name, value)| of(Metric::LatencyUs, value).with("percentile", name)));
        }
    }
    if let Some(limit) = &settings.timed.limit {
        let p99_us = limit.p99_us(emulated);
        samples.extend(measured.found.iter().map(|Found { round, level, requests_per_s }| {
            sample(level, *round, &limit.command(), Metric::RequestsPerSUnderLimit, *requests_per_s)
                .with("p99_limit_us", p99_us)
        }));
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_begins_with_another_level_and_measures_all() {
        let order = |round| turned(&["linux", "base", "byb"], round).copied().collect::<Vec<_>>();
        assert_eq!(order(0), ["linux", "base", "byb"]);
        assert_eq!(order(4), ["base", "byb", "linux"]);
    }
}
