//! The suite: a collection at each place, held against level `linux`.

use crate::build;
use crate::collection::{self, Collection};
use crate::guest::{self, Place};
use crate::judge::{self, Record, Verdict};
use crate::record;
use anyhow::{Result, bail, ensure};
use std::collections::BTreeSet;
use ukl_repo::config::{DEFAULT_LEVEL, Levels, REFERENCE_LEVEL};
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::Repo;
use ukl_vmtest::vmtest::suite::{Apps, Machines, Quick, Suite, When};
use ukl_vmtest::vmtest::{Part, Tally};

/// Whether all programs are built that can be.
const BUILD: &str = "build";
/// As processes beside an application.
const PROCESS: &str = "process";

/// Links an image of dozens of programs for each collection and level, so only when asked for.
pub const SUITE: Suite = Suite {
    name: "selftests",
    summary: "the kernel's own selftests: what passes at linux passes as a process of the patched kernel and in ring 0",
    prefix: "selftests/{app}/",
    apps: Apps::Found(collection::names),
    machines: &[Machines { levels: None, cpus: 2, when: When::Asked }],
    quick: Quick::Nothing,
    tests: |repo, _| Ok(std::iter::once(BUILD.to_owned()).chain(places(repo)?.into_iter().map(|p| p.name)).collect()),
    run,
};

/// The reference first.
fn places(repo: &Repo) -> Result<Vec<Place>> {
    let place =
        |name: &str, level: &str, linked| Ok(Place { name: name.to_owned(), level: repo.level(level)?, linked });
    let mut places: Vec<Result<Place>> =
        vec![place(REFERENCE_LEVEL, REFERENCE_LEVEL, false), place(PROCESS, DEFAULT_LEVEL, false)];
    for level in Levels::LinkedWays.of(&repo.levels()?) {
        places.push(place(&level.name, &level.name, true));
    }
    places.into_iter().collect()
}

fn run(ctx: &Ctx, part: &Part, tally: &mut Tally) -> Result<()> {
    let collection = collection::read(&ctx.repo, &part.app)?;
    let built = build::build(ctx, &collection)?;
    tally.check(&part.test(BUILD), built.check(&collection));
    let mut reference: Option<Record> = None;
    for place in places(&ctx.repo)? {
        let name = part.test(&place.name);
        if !tally.wants(&name) {
            continue;
        }
        // Whatever is asked for is compared with it.
        if reference.is_none() {
            let linux = places(&ctx.repo)?.swap_remove(0);
            reference = Some(guest::run(ctx, &collection, &built, &linux, |_| true)?);
        }
        let Some(reference) = &reference else { bail!("there is no reference") };
        let outcome = match place.name == REFERENCE_LEVEL {
            true => held(ctx, &collection, &place, reference, reference, &BTreeSet::new()),
            false => at(ctx, &collection, &built, &place, reference),
        };
        tally.check(&name, outcome);
    }
    Ok(())
}

/// Runs a collection at a place and compares. What differs without a reason is run once more in a fresh machine: a test of
/// time on a busy host may have failed for that alone.
fn at(ctx: &Ctx, collection: &Collection, built: &build::Built, place: &Place, reference: &Record) -> Result<String> {
    let mut record = guest::run(ctx, collection, built, place, |_| true)?;
    let differing: BTreeSet<String> = judge_at(collection, place, reference, &record)
        .unexplained
        .iter()
        .map(|pair| pair.name.split(": ").next().unwrap_or_default().to_owned())
        .collect();
    let mut repeated = BTreeSet::new();
    if !differing.is_empty() {
        let again = guest::run(ctx, collection, built, place, |test| differing.contains(test))?;
        for (test, results) in again {
            let mut trial = record.clone();
            trial.insert(test.clone(), results);
            let verdict = judge_at(collection, place, reference, &trial);
            if !verdict.unexplained.iter().any(|pair| pair.name.split(": ").next() == Some(&test)) {
                record = trial;
                repeated.insert(test);
            }
        }
    }
    held(ctx, collection, place, reference, &record, &repeated)
}

fn judge_at(collection: &Collection, place: &Place, reference: &Record, record: &Record) -> Verdict {
    if place.name == REFERENCE_LEVEL {
        return judge::judge_reference(collection, reference);
    }
    judge::judge(collection, judge::Place { name: &place.name, linked: place.linked }, reference, record)
}

/// What the comparison comes to, in one line.
fn held(
    ctx: &Ctx,
    collection: &Collection,
    place: &Place,
    reference: &Record,
    record: &Record,
    repeated: &BTreeSet<String>,
) -> Result<String> {
    let path = record::write(ctx, &collection.name, &place.name, reference, record)?;
    let Verdict { passed, failed, skipped, explained, unexplained, vain } =
        judge_at(collection, place, reference, record);
    let counts = format!("{passed} passed, {failed} failed, {skipped} skipped");
    let shown = path.display();
    let list: Vec<_> = unexplained.iter().map(|pair| format!("{} {}", pair.name, pair.outcome)).collect();
    ensure!(
        unexplained.is_empty(),
        "{counts}; {} {} without a reason in collections/{}.toml: {}; all are in {shown}",
        unexplained.len(),
        if place.name == REFERENCE_LEVEL { "fail" } else { "differ from linux" },
        collection.name,
        list.join("; ")
    );
    ensure!(
        vain.is_empty(),
        "{counts}; collections/{}.toml explains what did not occur: {}; all are in {shown}",
        collection.name,
        vain.join(", ")
    );
    ensure!(passed > 0, "{counts}; at least one that passes was expected; all are in {shown}");
    let again: Vec<_> = repeated.iter().map(String::as_str).collect();
    let again = if again.is_empty() { String::new() } else { format!("; at the second attempt: {}", again.join(", ")) };
    Ok(match place.name == REFERENCE_LEVEL {
        true => format!(
            "{counts} ({}), with what may fail: {explained} have a reason; the other places are compared with this",
            collection.settings.summary
        ),
        false => format!("{counts}, with those at linux: {explained} differ, each with its reason{again}"),
    })
}
