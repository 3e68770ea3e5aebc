//! An application that is three machines: the right answer at every party, and an error at each when one is missing.

use super::suite::{Apps, Machines, Part, Quick, Suite, When};
use super::tally::Tally;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use ukl_repo::config::Levels;
use ukl_repo::ctx::Ctx;
use ukl_run::run::machines::Machines as Trio;
use ukl_run::run::parties;

/// The application with parties.
const APP: &str = "secrecy";
/// What they are asked, waiting and polling (`-spin`).
const QUERIES: [&str; 3] = ["group-by", "join", "sort"];
/// How long a party waits for one that does not come.
const DEADLINE_MS: &str = "2000";

/// Three machines for each level, booted once.
pub(super) const SUITE: Suite = Suite {
    name: "parties",
    summary: "three machines that compute with `secrecy`, and one that never comes",
    prefix: "{level}/parties/{app}/",
    apps: Apps::One(APP),
    machines: &[Machines { levels: Some(Levels::Ways), cpus: 1, when: When::Default }],
    quick: Quick::Nothing,
    tests: |_, _| {
        let queries = QUERIES.iter().flat_map(|query| [(*query).to_owned(), format!("{query}-spin")]);
        Ok(queries.chain(["missing-party", "kernels-are-quiet"].map(str::to_owned)).collect())
    },
    run: boot_and_run,
};

fn boot_and_run(ctx: &Ctx, part: &Part, tally: &mut Tally) -> Result<()> {
    let (app, level, prefix) = (ctx.repo.app(&part.app)?, part.level()?, part.prefix.as_str());
    let of = app.parties.as_ref().context("its app.toml has no [parties]")?;
    let mut machines = Trio::boot(ctx, &app, level, of)?;
    for query in QUERIES {
        for spin in [None, Some("--spin")] {
            let words = ["--query", query, "--rows", "64", "--check"].into_iter().chain(spin);
            let request: Vec<String> = words.map(str::to_owned).collect();
            let outcome = machines.work(&parties::arguments(of, &request)).and_then(|printed| agree(&printed));
            tally.check(&format!("{prefix}{query}{}", spin.map_or("", |_| "-spin")), outcome);
        }
    }
    let request = ["--query", "sort", "--rows", "64", "--deadline-ms", DEADLINE_MS].map(str::to_owned);
    let outcome = machines.run(&parties::arguments(of, &request), 2).and_then(|printed| missing(&printed));
    tally.check(&format!("{prefix}missing-party"), outcome);
    let outcome = machines.stop().map(|()| "no warning, oops or panic on three consoles".to_owned());
    tally.check(&format!("{prefix}kernels-are-quiet"), outcome);
    Ok(())
}

/// Every party compared the answer with that in the clear, and all say the same of it.
fn agree(printed: &[String]) -> Result<String> {
    let mut answers = Vec::new();
    for (party, text) in printed.iter().enumerate() {
        let json = text.lines().find(|line| line.starts_with('{'));
        let json = json.with_context(|| format!("party {party} printed {text:?}"))?;
        let value: Value = serde_json::from_str(json).with_context(|| format!("party {party} printed {json}"))?;
        ensure!(value["checked"] == true, "party {party} checked nothing: {json}");
        answers.push((value["result_rows"].clone(), value["rounds"].clone()));
    }
    ensure!(answers.iter().all(|answer| *answer == answers[0]), "the parties disagree: {answers:?}");
    let (rows, rounds) = &answers[0];
    Ok(format!("{} parties with the answer in the clear: {rows} rows after {rounds} rounds", answers.len()))
}

/// Those that were started ended with an error that names the one that was not.
fn missing(printed: &[(i32, String)]) -> Result<String> {
    for (party, (status, text)) in printed.iter().enumerate() {
        ensure!(*status == 1, "party {party} ended with status {status}: {text:?}");
        ensure!(text.contains("party 2"), "party {party} does not name party 2: {text:?}");
        ensure!(!text.lines().any(|line| line.starts_with('{')), "party {party} printed an answer: {text:?}");
    }
    Ok(format!("{} parties with status 1 and an error about party 2", printed.len()))
}
