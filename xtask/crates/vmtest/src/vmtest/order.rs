//! Each level costs less than the one before: the orders in the bench.toml of every application, counted in machines in
//! which a tick is an instruction. One test per count, `order/APP/COUNT`, one for the limits, one for what the patches cost an
//! ordinary process, and one that a level made slower fails.

use super::suite::{Apps, Machines, Part, Quick, Suite, When};
use super::tally::Tally;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use ukl_bench::bench::measure::{self, CountingMachine, Program};
use ukl_bench::calls::rules::LeftOut;
use ukl_bench::calls::{Measured, Rules, RunsAs, Verdict};
use ukl_bench::schema;
use ukl_host::interrupt;
use ukl_repo::config::App;
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::Repo;

/// The test of the most that a level may need of a count.
const LIMITS: &str = "limits";
/// The test of what an ordinary process pays for the patches.
const LEDGER: &str = "ledger";
/// The test that a level which was made slower breaks its orders.
const CONTROL: &str = "negative-control";

/// The orders of every application that has some, at the levels that they name. Counting executes one instruction after the
/// other: minutes, so only when asked for.
pub(super) const SUITE: Suite = Suite {
    name: "order",
    summary: "instruction counts: each level needs fewer than the one before",
    prefix: "order/{app}/",
    apps: Apps::Found(with_rules),
    machines: &[Machines { levels: None, cpus: 1, when: When::Asked }],
    quick: Quick::Smallest,
    tests,
    run,
};

fn with_rules(repo: &Repo) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for app in repo.apps()? {
        names.extend(schema::rules(repo, &app)?.map(|_| app.name));
    }
    Ok(names)
}

fn rules(repo: &Repo, part: &Part) -> Result<(App, Rules)> {
    let app = repo.app(&part.app)?;
    let rules = schema::rules(repo, &app)?.with_context(|| format!("{} has no [[order]]", app.name))?;
    Ok((app, rules))
}

fn tests(repo: &Repo, part: &Part) -> Result<Vec<String>> {
    let (_, rules) = rules(repo, part)?;
    let mut names: Vec<_> = rules.ordered().into_iter().collect();
    let others = [
        (LIMITS, !rules.limited().is_empty()),
        (LEDGER, !rules.in_ledger().is_empty()),
        (CONTROL, rules.slow_option.is_some()),
    ];
    names.extend(others.iter().filter(|(_, there)| *there).map(|(name, _)| (*name).to_owned()));
    Ok(names)
}

fn run(ctx: &Ctx, part: &Part, tally: &mut Tally) -> Result<()> {
    let (app, rules) = rules(&ctx.repo, part)?;
    judge_app(ctx, &app, &rules, &part.prefix, tally)
}

/// Measures what the filter asks for at every level that an order names, and judges it.
fn judge_app(ctx: &Ctx, app: &App, rules: &Rules, prefix: &str, tally: &mut Tally) -> Result<()> {
    let [limits, ledger, control] = [LIMITS, LEDGER, CONTROL].map(|name| format!("{prefix}{name}"));
    let all: Vec<String> = rules.ordered().into_iter().collect();
    let mut wanted: Vec<String> =
        all.iter().filter(|count| tally.wants(&format!("{prefix}{count}"))).cloned().collect();
    if wanted.is_empty() && tally.wants(&control) {
        wanted = all;
    }
    let mut counted: BTreeSet<String> = wanted.iter().cloned().collect();
    if tally.wants(&limits) {
        counted.extend(rules.limited());
    }
    if tally.wants(&ledger) {
        counted.extend(rules.in_ledger());
    }
    let arguments = counted.into_iter().collect::<Vec<_>>().join(" ");
    let mut runs: Vec<Measured> = Vec::new();
    for level in rules.levels() {
        // It is the same kernel at each of its levels, so once is enough.
        let beside = tally.wants(&ledger) && runs.iter().all(|run| run.runs_as != RunsAs::Beside);
        let program = Program { arguments: &arguments, beside };
        runs.extend(measure::run(ctx, app, &ctx.repo.level(&level)?, &program)?.0);
        ensure!(!interrupt::requested(), "interrupted");
    }
    for count in &wanted {
        let verdicts = rules.judge_order(count, &runs, &LeftOut::new());
        tally.check(&format!("{prefix}{count}"), combined(&verdicts));
    }
    for (name, verdicts) in
        [(&limits, rules.judge_limits(&runs, &LeftOut::new())), (&ledger, rules.judge_ledger(&runs, &LeftOut::new()))]
    {
        if tally.wants(name) {
            tally.check(name, combined(&verdicts));
        }
    }
    if let Some(option) = rules.slow_option.as_deref().filter(|_| tally.wants(&control)) {
        let outcome = slowed_fails(ctx, app, rules, &runs, &wanted, option);
        tally.check(&control, outcome);
    }
    Ok(())
}

/// Success when all of the verdicts hold; either way the figures.
fn combined(verdicts: &[Verdict]) -> Result<String> {
    let text = joined(verdicts);
    ensure!(!verdicts.is_empty(), "nothing was judged");
    ensure!(verdicts.iter().all(|verdict| verdict.holds), "{text}");
    Ok(format!("instructions: {text}"))
}

/// The negative control. The cheapest level is measured once more with instructions added to each operation, twice as many
/// as it is cheaper than the level before it; now every order of a count has to be broken in which it stands behind one.
fn slowed_fails(
    ctx: &Ctx,
    app: &App,
    rules: &Rules,
    runs: &[Measured],
    counts: &[String],
    option: &str,
) -> Result<String> {
    let level = rules.cheapest().context("there is no [[order]]")?;
    let slow = runs.iter().position(|run| run.label == level).with_context(|| format!("no run at {level}"))?;
    let mut slowed = runs.to_vec();
    let mut machine = CountingMachine::boot(ctx, app, &ctx.repo.level(level)?)?;
    let mut examples = Vec::new();
    for count in counts {
        let advantages = rules.advantages(level, count, runs)?;
        let Some(most) = advantages.iter().max() else { continue };
        let added = 2 * (*most).max(1);
        slowed[slow].counts.extend(machine.count("/usr/bin", &format!("{option} {added} {count}"))?);
        let verdicts = rules.judge_order(count, &slowed, &LeftOut::new());
        let text = joined(&verdicts);
        ensure!(
            verdicts.iter().filter(|verdict| !verdict.holds).count() >= advantages.len(),
            "{count} at level {level} with {added} instructions added to each: still judged as `{text}`"
        );
        examples.push(format!("{count} + {added}: {text}"));
    }
    machine.stop()?;
    let first = examples.first().with_context(|| format!("no order has another level before {level}"))?;
    Ok(format!("the verdict on each of {} counts of a slowed level {level} with `broken`; {first}", examples.len()))
}

fn joined(verdicts: &[Verdict]) -> String {
    verdicts.iter().map(|verdict| verdict.text.as_str()).collect::<Vec<_>>().join("; ")
}
