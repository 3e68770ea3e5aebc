//! A benchmark of a server: instructions per request, then rounds against the clock.

use super::{Outcome, timed};
use crate::requests::{self, Job, Requests, Row};
use anyhow::Result;
use ukl_repo::config::{App, Level};
use ukl_repo::ctx::Ctx;
use ukl_report::record::{Kind, Metric, Sample};
use ukl_vm::qemu::Accelerator;

/// What is measured of a server.
#[derive(Clone, Debug)]
pub(super) struct Choice<'a> {
    pub app: &'a App,
    pub settings: &'a Requests,
    pub levels: Vec<Level>,
    /// Also count by function of the kernel.
    pub profile: bool,
    /// Against the clock; 0 for none.
    pub rounds: u32,
    /// Whether the run is recorded, for which the guest must be known.
    pub record: bool,
}

impl<'a> Choice<'a> {
    /// Those levels, or the ones that the application's order names.
    pub(super) fn new(ctx: &Ctx, app: &'a App, settings: &'a Requests, levels: Option<&[Level]>) -> Result<Self> {
        let levels = match levels {
            Some(levels) => levels.to_vec(),
            None => settings.order.levels.iter().map(|name| ctx.repo.level(name)).collect::<Result<_>>()?,
        };
        Ok(Choice { app, settings, levels, profile: false, rounds: settings.timed.rounds, record: false })
    }
}

/// Counts, measures, and prints the tables.
pub(super) fn run(ctx: &Ctx, choice: &Choice, outcome: &mut Outcome) -> Result<()> {
    let Choice { app, settings, levels, profile, .. } = choice;
    let job = Job { app, levels, requests: settings, profile: *profile, prelude: "" };
    let rows = requests::run(ctx, &job)?;
    outcome.used(Accelerator::TcgCounting);
    outcome.samples.extend(rows.iter().flat_map(|row| samples(&app.name, settings, row)));
    if choice.rounds > 0 {
        println!();
        timed::run(ctx, choice, outcome)?;
    } else if choice.record && outcome.guest.is_none() {
        outcome.guest = Some(timed::guest(ctx, choice)?);
    }
    Ok(())
}

/// What tells a load from others, as parameters.
pub(super) fn with_load(sample: Sample, settings: &Requests, command: &str) -> Sample {
    sample
        .with("command", command)
        .with("connections", u64::from(settings.connections))
        .with("pipeline", u64::from(settings.pipeline))
        .with("value_bytes", u64::from(settings.value_bytes))
}

/// The counters of a row per request.
fn samples(app: &str, settings: &Requests, row: &Row) -> Vec<Sample> {
    let figures = &row.figures;
    let sample = |metric, value| {
        let sample = Sample::new(app, &row.level, metric, Kind::Counted, 0, value);
        with_load(sample, settings, &row.request)
    };
    let server = figures.server;
    let scopes =
        [("user", server.user), ("kernel", server.kernel), ("softirq", server.softirq), ("total", server.total())];
    let instructions = scopes.map(|(scope, count)| {
        sample(Metric::ServerInstructionsPerRequest, figures.per_request(count)).with("scope", scope)
    });
    let watches = [
        (Metric::KernelEntriesPerRequest, "system_calls"),
        (Metric::ContextSwitchesPerRequest, "context_switches"),
        (Metric::PageFaultsPerRequest, "page_faults"),
    ];
    instructions.into_iter().chain(watches.map(|(metric, name)| sample(metric, figures.watch(name)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::Figures;
    use crate::requests::figures::tests::report;
    use crate::requests::settings::tests::{FILE, read};

    #[test]
    fn every_counter_becomes_a_sample() {
        let settings = read(FILE).unwrap();
        let figures = Figures::new(&report(), 10).unwrap();
        let row = Row { level: "byb".to_owned(), request: "GET".to_owned(), figures };
        let line = |sample: &Sample| {
            let parameters: Vec<_> = sample.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{}: {} {} ({})", sample.metric, sample.value, sample.unit, parameters.join(", "))
        };
        let lines: Vec<_> = samples("a", &settings, &row).iter().map(line).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
