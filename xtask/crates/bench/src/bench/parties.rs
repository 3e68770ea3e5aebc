//! A benchmark of an application that is several machines: the time of its work against the clock, and the instructions of a
//! round of messages, counted.

mod settings;
mod table;

pub use settings::Settings;

use super::Outcome;
use super::measure::CountingMachine;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use settings::{Case, Variant};
use ukl_host::interrupt;
use ukl_repo::config::{App, Level};
use ukl_repo::ctx::Ctx;
use ukl_report::record::{Kind, Metric, Sample};
use ukl_run::run::machines::Machines;
use ukl_run::run::parties;
use ukl_vm::qemu::Accelerator;

/// The line that a party prints, as far as it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Line {
    /// From the first message to the opened result.
    pub elapsed_us: f64,
    /// How often all parties waited for each other.
    pub rounds: u64,
    /// Whether the answer was compared with that of the work in the clear, which it then equals.
    checked: bool,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
struct Measured {
    case: String,
    variant: String,
    round: u32,
    messages: u64,
    us: f64,
    kind: Kind,
}

/// Measures every case at every level and prints the table.
pub fn run(ctx: &Ctx, app: &App, settings: &Settings, chosen: Option<&[Level]>, outcome: &mut Outcome) -> Result<()> {
    let names =
        chosen.map_or_else(|| settings.levels.clone(), |levels| levels.iter().map(|l| l.name.clone()).collect());
    let levels = names.iter().map(|name| ctx.repo.level(name)).collect::<Result<Vec<Level>>>()?;
    let variants = settings.variants(&names);
    let mut measured = counted(ctx, app, settings, (&levels, &variants), outcome)?;
    measured.extend(timed(ctx, app, settings, (&levels, &variants), outcome)?);
    print!("{}", table::text(&app.name, &settings.cases, &variants, &measured));
    outcome.samples.extend(measured.iter().map(|one| sample(app, one)));
    Ok(())
}

/// All parties in one process on one CPU whose clock is the number of instructions.
fn counted(
    ctx: &Ctx,
    app: &App,
    settings: &Settings,
    (levels, variants): (&[Level], &[Variant]),
    outcome: &mut Outcome,
) -> Result<Vec<Measured>> {
    let mut measured = Vec::new();
    outcome.used(Accelerator::TcgCounting);
    for level in levels {
        let mut machine = CountingMachine::boot(ctx, app, level)?;
        for variant in variants.iter().filter(|variant| variant.level == level.name) {
            for case in settings.cases.iter().filter(|case| case.counted) {
                let words = [&settings.together, &settings.request, &case.args, &variant.args];
                let text = machine.print(&words.map(|words| words.join(" ")).join(" "))?;
                let line = line(&text)?;
                measured.push(one(case, variant, 0, line, Kind::Counted));
            }
        }
        if outcome.guest.is_none() {
            outcome.guest = Some(machine.guest()?);
        }
        machine.stop()?;
    }
    Ok(measured)
}

/// Three machines for each level, which wait while those of another are measured: each round goes over all.
fn timed(
    ctx: &Ctx,
    app: &App,
    settings: &Settings,
    (levels, variants): (&[Level], &[Variant]),
    outcome: &mut Outcome,
) -> Result<Vec<Measured>> {
    let of = app.parties.as_ref().context("a benchmark of parties needs [parties] in app.toml")?;
    let mut machines = Vec::new();
    for level in levels {
        machines.push((&level.name, Machines::boot(ctx, app, level, of)?));
    }
    let mut measured = Vec::new();
    for case in &settings.cases {
        for round in 0..case.rounds {
            for variant in variants {
                eprintln!("{}: {} at {}, round {} of {}", app.name, case.name, variant.name, round + 1, case.rounds);
                let (_, machines) = machines
                    .iter_mut()
                    .find(|(level, _)| **level == variant.level)
                    .context("every variant has a level that was booted")?;
                outcome.used(machines.accelerator());
                let request = [&settings.request, &case.args, &variant.args].map(|words| words.as_slice()).concat();
                let texts = machines.work(&parties::arguments(of, &request))?;
                let kind =
                    if machines.accelerator() == Accelerator::Kvm { Kind::MeasuredTime } else { Kind::EmulatedTime };
                let lines = texts.iter().map(|text| line(text)).collect::<Result<Vec<_>>>()?;
                let slowest = lines.into_iter().max_by(|a, b| a.elapsed_us.total_cmp(&b.elapsed_us));
                measured.push(one(case, variant, round, slowest.context("no party answered")?, kind));
                ensure!(!interrupt::requested(), "interrupted");
            }
        }
    }
    machines.into_iter().try_for_each(|(_, machines)| machines.stop())?;
    Ok(measured)
}

fn one(case: &Case, variant: &Variant, round: u32, line: Line, kind: Kind) -> Measured {
    let (case, variant) = (case.name.clone(), variant.name.clone());
    Measured { case, variant, round, messages: line.rounds, us: line.elapsed_us, kind }
}

/// The line of JSON among what the program and the kernel printed.
fn line(text: &str) -> Result<Line> {
    let json = text.lines().find(|line| line.starts_with('{'));
    let json = json.with_context(|| format!("the program printed no result: {text:?}"))?;
    let line: Line = serde_json::from_str(json).with_context(|| format!("the program printed {json:?}"))?;
    ensure!(line.checked, "the program did not compare its answer with that of the work in the clear: {json}");
    ensure!(line.rounds > 0 && line.elapsed_us > 0.0, "the program did nothing: {json}");
    Ok(line)
}

fn sample(app: &App, measured: &Measured) -> Sample {
    let Measured { case, variant, round, messages, us, kind } = measured;
    let (metric, value) = match kind {
        // A nanosecond of that clock is an instruction.
        Kind::Counted => (Metric::InstructionsPerRound, us * 1e3 / *messages as f64),
        _ => (Metric::QueryMs, us / 1e3),
    };
    Sample::new(&app.name, variant, metric, *kind, *round, value).with("command", case.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_counts_only_when_it_was_checked() {
        let good = "tsc: refined\n{\"elapsed_us\":9,\"rounds\":3,\"checked\":true,\"query\":\"sort\"}\n";
        assert_eq!(line(good).unwrap().rounds, 3);
        assert!(line(&good.replace("true", "false")).unwrap_err().to_string().contains("did not compare"));
        assert!(line(&good.replace('9', "0")).unwrap_err().to_string().contains("did nothing"));
        assert!(line("error: no\n").unwrap_err().to_string().contains("no result"));
    }
}
