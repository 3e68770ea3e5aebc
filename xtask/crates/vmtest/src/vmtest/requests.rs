//! Each level costs a server less per request than the one before. One test per kind of request,
//! `order/APP/GET-total`; one that a second run gives the same figures; one that a level made slower fails.

use super::suite::{Apps, Machines, Part, Quick, Suite, When, words};
use super::tally::Tally;
use anyhow::{Context, Result, ensure};
use ukl_bench::requests::{self, Job, Requests, Row};
use ukl_bench::schema;
use ukl_repo::config::App;
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::Repo;

/// Has every system call of every task traced, for which a call has to go the full way.
const SLOWER: &str = "echo 1 >/sys/kernel/tracing/events/raw_syscalls/enable || exit 1\n";

/// Every application whose bench.toml has `[requests]`, at the levels of its order; only when asked for, as other counts.
pub(super) const SUITE: Suite = Suite {
    name: "requests",
    summary: "instructions a request of a server: each level needs fewer than the one before",
    prefix: "order/{app}/",
    apps: Apps::Found(with_requests),
    machines: &[Machines { levels: None, cpus: 1, when: When::Asked }],
    quick: Quick::Smallest,
    tests,
    run: |ctx, part, tally| {
        let app = ctx.repo.app(&part.app)?;
        let requests = schema::requests(&ctx.repo, &app)?.with_context(|| format!("{} has no [requests]", app.name))?;
        judge_app(ctx, &app, &requests.for_order(), &part.prefix, tally)
    },
};

fn with_requests(repo: &Repo) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for app in repo.apps()? {
        names.extend(schema::requests(repo, &app)?.map(|_| app.name));
    }
    Ok(names)
}

fn tests(repo: &Repo, part: &Part) -> Result<Vec<String>> {
    let ratios = schema::requests(repo, &repo.app(&part.app)?)?.map(|requests| requests.ratios).unwrap_or_default();
    let totals = ratios.keys().map(|name| format!("{name}-total"));
    Ok(totals.chain(words(&["repeatable", "negative-control"])).collect())
}

fn judge_app(ctx: &Ctx, app: &App, requests: &Requests, prefix: &str, tally: &mut Tally) -> Result<()> {
    let levels = requests.order.levels.iter().map(|name| ctx.repo.level(name)).collect::<Result<Vec<_>>>()?;
    let job = Job { app, levels: &levels, requests, profile: false, prelude: "" };
    let rows = requests::measure(ctx, &job)?;
    for request in requests.ratios.keys() {
        tally.check(&format!("{prefix}{request}-total"), falling(&rows, request));
    }
    let (Some(request), Some(last)) = (requests.ratios.keys().next(), levels.last()) else { return Ok(()) };
    let one = Requests { ratios: requests.ratios.clone().into_iter().take(1).collect(), ..requests.clone() };
    let again = Job { levels: std::slice::from_ref(last), requests: &one, ..job.clone() };
    if tally.wants(&format!("{prefix}repeatable")) {
        let outcome = requests::measure(ctx, &again).and_then(|second| same(&rows, &second[0]));
        tally.check(&format!("{prefix}repeatable"), outcome);
    }
    if tally.wants(&format!("{prefix}negative-control")) {
        let slow = requests::measure(ctx, &Job { prelude: SLOWER, ..again });
        tally.check(&format!("{prefix}negative-control"), slow.and_then(|slow| broken(&rows, request, &slow[0])));
    }
    Ok(())
}

/// What is compared: all that the processor executes while the server is current.
fn total(row: &Row) -> f64 {
    row.figures.per_request(row.figures.server.total())
}

/// Success when each level needs fewer instructions than the one before it.
fn falling(rows: &[Row], request: &str) -> Result<String> {
    let figures: Vec<_> =
        rows.iter().filter(|row| row.request == request).map(|row| (&row.level, total(row))).collect();
    ensure!(figures.len() > 1, "{request} was counted at {} levels; an job needs two", figures.len());
    let text = figures.iter().map(|(level, figure)| format!("{level} {figure:.1}")).collect::<Vec<_>>().join(" > ");
    ensure!(figures.windows(2).all(|pair| pair[0].1 > pair[1].1), "instructions per request do not fall: {text}");
    Ok(format!("instructions per request: {text}"))
}

/// Success when a second run counted the very same.
fn same(rows: &[Row], second: &Row) -> Result<String> {
    let first = rows.iter().find(|row| row.request == second.request && row.level == second.level);
    let first = &first.context("the first run is missing")?.figures;
    ensure!(*first == second.figures, "two runs differ: {first:?} and {:?}", second.figures);
    Ok(format!(
        "every counter of two runs of {} at {}: {} instructions",
        second.request,
        second.level,
        first.server.total()
    ))
}

/// Success when the order fails with the slower run in place of the last level's.
fn broken(rows: &[Row], request: &str, slow: &Row) -> Result<String> {
    let with_slow: Vec<Row> =
        rows.iter().filter(|row| row.level != slow.level).cloned().chain([slow.clone()]).collect();
    match falling(&with_slow, request) {
        Err(verdict) => Ok(format!("the verdict on a level that traces each call with a failure: {verdict}")),
        Ok(text) => anyhow::bail!("a level that traces each call is still judged as in job: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ukl_bench::requests::Figures;
    use ukl_counter::{Classes, Report, TaskCount};

    fn row(level: &str, requests: u64) -> Row {
        let client = TaskCount { client: true, address: 1, ..TaskCount::default() };
        let instructions = Classes { user: 110, kernel: 330, softirq: 2, ..Classes::default() };
        let server = TaskCount { address: 2, instructions, ..TaskCount::default() };
        let report = Report { instructions: instructions.total(), tasks: vec![client, server] };
        let figures = Figures::new(&report, requests).unwrap();
        Row { level: level.to_owned(), request: "GET".to_owned(), figures }
    }

    #[test]
    fn levels_in_order_pass_and_equal_or_slower_ones_do_not() {
        let text = falling(&[row("linux", 10), row("base", 20)], "GET").unwrap();
        assert_eq!(text, "instructions per request: linux 44.2 > base 22.1");
        assert!(falling(&[row("linux", 10), row("base", 10)], "GET").is_err());
        assert!(falling(&[row("linux", 10)], "GET").is_err());
        assert!(broken(&[row("linux", 10), row("byb", 20)], "GET", &row("byb", 5)).is_ok());
        assert!(broken(&[row("linux", 10), row("byb", 20)], "GET", &row("byb", 15)).is_err());
    }

    #[test]
    fn a_second_run_must_be_the_same() {
        assert!(same(&[row("byb", 10)], &row("byb", 10)).is_ok());
        assert!(same(&[row("byb", 10)], &row("byb", 11)).is_err());
    }
}
