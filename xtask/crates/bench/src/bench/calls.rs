//! A benchmark of calls: instructions per operation at each level, and what the patches cost the ordinary processes beside
//! it.

use super::Outcome;
use super::measure::{self, Program};
use crate::calls::rules::{Kind, LeftOut};
use crate::calls::{self, Measured, Rules, RunsAs, Verdict};
use crate::schema;
use anyhow::Result;
use ukl_host::failure::Failure;
use ukl_repo::config::{App, Level};
use ukl_repo::ctx::Ctx;
use ukl_vm::qemu::Accelerator;

/// Boots each level under an instruction counter, prints the table, and judges it by the rules of bench.toml. `levels` are
/// those that were asked for; rules about others are left alone.
pub(super) fn run(ctx: &Ctx, app: &App, rules: &Rules, levels: Option<&[Level]>, outcome: &mut Outcome) -> Result<()> {
    let (levels, left_out) = match levels {
        None => (measure::levels(&ctx.repo, app)?, LeftOut::new()),
        Some(levels) => {
            let measured = |name: &String| levels.iter().any(|level| level.name == *name);
            (levels.to_vec(), rules.levels().into_iter().filter(|name| !measured(name)).collect())
        }
    };
    let mut runs: Vec<Measured> = Vec::new();
    for level in &levels {
        // It is the same kernel at each of its levels, so once is enough.
        let beside = runs.iter().all(|run| run.runs_as != RunsAs::Beside);
        let (measured, guest) = measure::run(ctx, app, level, &Program { arguments: "", beside })?;
        runs.extend(measured);
        outcome.guest.get_or_insert(guest);
    }
    // What it costs others stands behind the levels.
    runs.sort_by_key(|run| run.runs_as == RunsAs::Beside);
    outcome.used(Accelerator::TcgCounting);
    outcome.samples.extend(runs.iter().flat_map(|run| run.samples(&app.name)));

    println!(
        "instructions per operation of {} under qemu -icount shift=0: the median of the batches, and before",
        app.name
    );
    println!("it the minimum where that differs\n");
    print!("{}", calls::table(&runs));
    println!();
    if !left_out.is_empty() {
        let names: Vec<_> = left_out.iter().map(String::as_str).collect();
        println!("not compared, because --levels leaves it out: {}", names.join(", "));
    }
    let verdicts = rules.judge(&runs, &left_out);
    summarise(&verdicts);
    let broken = verdicts.iter().filter(|verdict| !verdict.holds).count();
    if broken > 0 {
        let path = schema::path(app);
        outcome.broken.push(Failure::new(
            format!("{broken} of {} comparisons break a rule of {}", verdicts.len(), path.display()),
            "look for what the last change added to the path of a system call",
        ));
    }
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
