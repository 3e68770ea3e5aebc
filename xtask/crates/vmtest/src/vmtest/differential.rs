//! The same scripted clients at every level: what each of their connections observes must be what it observes at `linux`,
//! byte by byte, end by end. One test per script and level, `differential/APP/LEVEL/SCRIPT`.
//!
//! The clients run in the guest, over loopback: whatever forwards ports from the host ends TCP itself, and a reset or the
//! end of a half would be its, not theirs.

mod machine;

use super::suite::{Apps, Machines, Part, Quick, Suite, When, words};
use super::tally::Tally;
use anyhow::{Context, Result, ensure};
use machine::Clients;
use ukl_clients::{Outcome, Played, Record, Script, compare};
use ukl_host::interrupt;
use ukl_repo::config::{App, Level, Levels, REFERENCE_LEVEL};
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::Repo;

/// The levels that differ in how a system call reaches TCP: those that are compared with the reference.
const LEVELS: Levels = Levels::LinkedWays;

/// Every application that has scripts.
pub(super) const SUITE: Suite = Suite {
    name: "differential",
    summary: "the same TCP clients at every way of a call: each byte and end as at `linux`",
    prefix: "differential/{app}/",
    apps: Apps::Found(with_clients),
    machines: &[Machines { levels: None, cpus: 1, when: When::Default }],
    quick: Quick::Nothing,
    tests,
    run: |ctx, part, tally| compare_levels(ctx, &ctx.repo.app(&part.app)?, &part.prefix, tally),
};

fn with_clients(repo: &Repo) -> Result<Vec<String>> {
    let apps = repo.apps()?.into_iter();
    Ok(apps.filter(|app| app.dir.join("clients.toml").is_file()).map(|app| app.name).collect())
}

fn scripts(app: &App) -> Result<Vec<String>> {
    Ok(Script::read_all(&app.dir.join("clients"))?.into_iter().map(|script| script.name).collect())
}

fn tests(repo: &Repo, part: &Part) -> Result<Vec<String>> {
    let ends = [scripts(&repo.app(&part.app)?)?, words(&["privilege", "kernel-is-quiet"])].concat();
    let levels = [vec![repo.level(REFERENCE_LEVEL)?], LEVELS.of(&repo.levels()?)].concat();
    let names = levels.iter().flat_map(|level| ends.iter().map(|end| format!("{}/{end}", level.name)));
    Ok(names.chain(["negative-control".to_owned()]).collect())
}

fn compare_levels(ctx: &Ctx, app: &App, prefix: &str, tally: &mut Tally) -> Result<()> {
    let scripts = scripts(app)?;
    let (reference, others) = (ctx.repo.level(REFERENCE_LEVEL)?, LEVELS.of(&ctx.repo.levels()?));
    let control = format!("{prefix}negative-control");
    // Whoever asks for the machine's own tests needs some script; all of them then.
    let wanted = |level: &Level, tally: &Tally| {
        let wants = |test: &str| tally.wants(&format!("{prefix}{}/{test}", level.name));
        let mut names = scripts.clone();
        names.retain(|script| wants(script));
        if names.is_empty() && (wants("privilege") || wants("kernel-is-quiet")) { scripts.clone() } else { names }
    };
    // The reference is needed for whatever is asked of another level.
    let mut asked = scripts.clone();
    asked.retain(|script| others.iter().chain([&reference]).any(|level| wanted(level, tally).contains(script)));
    if asked.is_empty() && tally.wants(&control) {
        asked.clone_from(&scripts);
    }
    if asked.is_empty() {
        return Ok(());
    }
    let clients = Clients::prepare(ctx, app, &asked)?;
    let reference = clients.play(ctx, app, &reference, &asked, prefix, tally)?;
    for played in &reference.scripts {
        tally.check(&format!("{prefix}{REFERENCE_LEVEL}/{}", played.name), to_its_end(played));
    }
    if tally.wants(&control) {
        tally.check(&control, alterations_are_found(&reference));
    }
    for level in others {
        let names = wanted(&level, tally);
        if names.is_empty() || interrupt::requested() {
            continue;
        }
        let prefix_of_level = format!("{prefix}{}/", level.name);
        match clients.play(ctx, app, &level, &names, prefix, tally) {
            Err(error) => tally.broke(&prefix_of_level, &error),
            Ok(record) => {
                for name in &names {
                    let outcome = same(&reference, &level.name, &record, name);
                    tally.check(&format!("{prefix_of_level}{name}"), outcome);
                }
            }
        }
    }
    Ok(())
}

fn find<'a>(record: &'a Record, level: &str, name: &str) -> Result<&'a Played> {
    let found = record.scripts.iter().find(|played| played.name == name);
    found.with_context(|| format!("the record at {level} has no script `{name}`"))
}

/// Success when a script's record is the reference's.
fn same(reference: &Record, level: &str, record: &Record, name: &str) -> Result<String> {
    let (first, second) = (find(reference, REFERENCE_LEVEL, name)?, find(record, level, name)?);
    let compared = compare((REFERENCE_LEVEL, first), (level, second))?;
    Ok(format!("{compared}: each with that at {REFERENCE_LEVEL}"))
}

/// Success when a script was played to its end, and something was observed: two records of nothing are equal too.
fn to_its_end(played: &Played) -> Result<String> {
    if let Some(event) = played.unplayed() {
        anyhow::bail!("step {} ({}) was {} and ended the script", event.step, event.action, event.outcome);
    }
    let seen = played.events.iter().any(|event| !event.received.is_empty() || event.outcome != Outcome::Open);
    ensure!(seen, "no connection observed anything");
    Ok(format!("the last step with the one that was reached: {}", played.summary()))
}

/// Success when the comparison tells each altered copy of a record from the record: a bit, a missing byte, another end, a
/// missing observation, another line of the log.
fn alterations_are_found(record: &Record) -> Result<String> {
    let mut found = 0;
    for played in &record.scripts {
        for (what, altered) in alterations(played) {
            let verdict = compare((REFERENCE_LEVEL, played), ("altered", &altered));
            ensure!(verdict.is_err(), "script `{}` with {what} altered was taken for the same", played.name);
            found += 1;
        }
    }
    ensure!(found > record.scripts.len(), "{found} alterations of {} scripts", record.scripts.len());
    Ok(format!("{found} altered records of {} scripts with the records: none is the same", record.scripts.len()))
}

fn alterations(played: &Played) -> Vec<(String, Played)> {
    let mut altered = Vec::new();
    let mut add = |what: String, change: &dyn Fn(&mut Played)| {
        let mut copy = played.clone();
        change(&mut copy);
        altered.push((what, copy));
    };
    // Not of each of a thousand alike: the first and the last.
    for at in [0, played.events.len().saturating_sub(1)] {
        let Some(event) = played.events.get(at) else { continue };
        if let Some(last) = event.received.len().checked_sub(1) {
            add(format!("a bit of step {}", event.step), &|copy| copy.events[at].received[last] ^= 1);
            add(format!("the size of step {}", event.step), &|copy| copy.events[at].received.truncate(last));
        }
        let other = if event.outcome == Outcome::Reset { Outcome::Ended } else { Outcome::Reset };
        add(format!("the end of step {}", event.step), &|copy| copy.events[at].outcome = other.clone());
        add(format!("step {}", event.step), &|copy| drop(copy.events.remove(at)));
    }
    if !played.log.is_empty() {
        add("the log".to_owned(), &|copy| copy.log[0].push('!'));
        add("the log's end".to_owned(), &|copy| drop(copy.log.pop()));
    }
    altered
}

#[cfg(test)]
mod tests {
    use super::*;
    use ukl_clients::Event;

    fn record(received: &[u8], outcome: Outcome) -> Record {
        let event = Event { step: "2".to_owned(), action: "a reads".to_owned(), received: received.to_vec(), outcome };
        let log = vec!["Client closed connection".to_owned()];
        Record { scripts: vec![Played { name: "half-close".to_owned(), events: vec![event], log }] }
    }

    #[test]
    fn a_different_record_fails_and_an_equal_one_says_what_was_compared() {
        let reference = record(b"+PONG\r\n", Outcome::Ended);
        let verdict = |other: &Record| same(&reference, "shortcut", other, "half-close").map_err(|e| e.to_string());
        insta::assert_snapshot!(verdict(&reference).unwrap(), @"1 observations, 7 bytes, 1 ends, 0 resets, 1 lines of the server's log: each with that at linux");
        insta::assert_snapshot!(verdict(&record(b"+PONG\r\n", Outcome::Reset)).unwrap_err(), @"step 2 (a reads): the same 7 bytes, then ended by the server at linux, reset at shortcut");
        insta::assert_snapshot!(verdict(&record(b"+PING\r\n", Outcome::Ended)).unwrap_err(), @r"step 2 (a reads): 7 bytes at linux, 7 at shortcut; the first difference is at byte 2: `+P»ONG\r\n` at linux, `+P»ING\r\n` at shortcut; then at both: ended by the server");
        insta::assert_snapshot!(verdict(&Record { scripts: vec![] }).unwrap_err(), @"the record at shortcut has no script `half-close`");
    }

    #[test]
    fn a_script_that_was_cut_short_or_saw_nothing_is_no_reference() {
        assert!(to_its_end(&record(b"+PONG\r\n", Outcome::Open).scripts[0]).is_ok());
        assert!(to_its_end(&record(b"", Outcome::Reset).scripts[0]).is_ok());
        assert!(to_its_end(&record(b"", Outcome::Open).scripts[0]).is_err());
        let cut = to_its_end(&record(b"+PO", Outcome::Overdue).scripts[0]).unwrap_err().to_string();
        insta::assert_snapshot!(cut, @"step 2 (a reads) was silent until the deadline and ended the script");
    }

    #[test]
    fn every_alteration_of_a_record_is_one() {
        let record = record(b"+PONG\r\n", Outcome::Ended);
        let altered = alterations(&record.scripts[0]);
        assert!(altered.len() >= 6 && altered.iter().all(|(_, copy)| *copy != record.scripts[0]));
        assert!(alterations_are_found(&record).unwrap().starts_with(&altered.len().to_string()));
    }
}
