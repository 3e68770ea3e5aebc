//! docs/claims.md and docs/compatibility.md against the tests that there are: each claim, and each difference that ring 0
//! makes, names what would fail if it were wrong.

use super::{none, read, repo};
use crate::test::{parts, units};
use std::collections::BTreeSet;
use std::path::Path;

/// The head of the table; the others of that page are about something else.
const HEAD: &str = "| claim | number | test |";
/// What a claim names that nothing tests yet.
const PENDING: &str = "pending";
/// The head of the table of docs/compatibility.md.
const DIFFERENCES: &str = "| what | a process | an application | test |";
/// What a difference begins with that no test can show, before the reason.
const NONE: &str = "none: ";
/// What must pass before a change lands, beside the tests: a claim may name one of its steps.
const STEPS: &str = ".ci/run";

/// Everything that a claim may name: what `cargo xtask test --list` prints; `apps/NAME/` and the unit tests of an application
/// in Rust, as cargo calls them; and the steps of `.ci/run`.
fn known() -> BTreeSet<String> {
    let repo = repo();
    let mut known: BTreeSet<String> = parts(&repo).unwrap().into_iter().flat_map(|(_, part)| part.names).collect();
    for app in repo.apps().unwrap().iter().filter(|app| app.dir.join("Cargo.toml").is_file()) {
        let tests = units::names(&app.dir).unwrap();
        known.extend(tests.into_iter().map(|name| format!("apps/{}/{name}", app.name)));
    }
    let steps = read(Path::new(STEPS));
    known.extend(steps.lines().filter_map(|line| line.strip_prefix("step ")).map(str::to_owned));
    known
}

/// Whether a name is meant: in `*/smp2/redis/ping` the star stands for any level. The test's own name has no star.
fn is_meant(pattern: &str, name: &str) -> bool {
    let Some((start, end)) = pattern.split_once('*') else { return pattern == name };
    let Some(rest) = name.strip_prefix(start) else { return false };
    // The star may stand for nothing, and for more than one word.
    rest.char_indices().map(|(at, _)| &rest[at..]).any(|rest| is_meant(end, rest))
}

/// The rows of the table with this head, by column.
fn rows<'a>(page: &'a str, head: &str) -> Vec<Vec<&'a str>> {
    let lines = page.lines().skip_while(|line| *line != head).skip(2).take_while(|line| line.starts_with('|'));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What is wrong with the last column of a row: it is `pending`, or names tests between backquotes and commas.
fn fault(cell: &str, known: &BTreeSet<String>) -> Option<String> {
    if cell == PENDING {
        return None;
    }
    for word in cell.split(", ") {
        let Some(pattern) = word.strip_prefix('`').and_then(|word| word.strip_suffix('`')) else {
            return Some(format!("{word} is neither `{PENDING}` nor the name of a test between backquotes"));
        };
        if pattern.rsplit('/').next().is_some_and(|own| own.contains('*')) {
            return Some(format!("`{pattern}`: the test's own name has to be whole"));
        }
        if !known.iter().any(|name| is_meant(pattern, name)) {
            return Some(format!("`{pattern}` is no test: `cargo xtask test --list` prints no such name"));
        }
    }
    None
}

#[test]
fn every_claim_names_its_test_or_is_pending() {
    let (page, known) = (read(Path::new("docs/claims.md")), known());
    let rows = rows(&page, HEAD);
    assert!(!rows.is_empty(), "docs/claims.md has no table `{HEAD}`");
    let mut findings = Vec::new();
    for row in rows {
        assert_eq!(row.len(), 3, "claim | number | test: {row:?}");
        findings.extend(fault(row[2], &known).map(|fault| format!("{}: {fault}", row[0])));
    }
    none(findings);
}

#[test]
fn every_difference_of_ring_0_names_its_test_or_why_there_is_none() {
    let (page, known) = (read(Path::new("docs/compatibility.md")), known());
    let rows = rows(&page, DIFFERENCES);
    assert!(!rows.is_empty(), "docs/compatibility.md has no table `{DIFFERENCES}`");
    let mut findings = Vec::new();
    for row in rows {
        assert_eq!(row.len(), 4, "{DIFFERENCES} {row:?}");
        let fault = match row[3].strip_prefix(NONE) {
            Some(reason) => (reason.len() < 10).then(|| format!("`{reason}` is no reason for having no test")),
            None if row[3] == PENDING => Some(format!("a test, or `{NONE}` and the reason, was expected")),
            None => fault(row[3], &known),
        };
        findings.extend(fault.map(|fault| format!("{}: {fault}", row[0])));
    }
    none(findings);
}

#[test]
fn no_claim_is_made_twice() {
    let page = read(Path::new("docs/claims.md"));
    let mut seen = BTreeSet::new();
    none(rows(&page, HEAD).iter().filter(|row| !seen.insert(row[0])).map(|row| format!("twice: {}", row[0])).collect());
}

#[test]
fn a_claim_whose_test_is_gone_is_found() {
    let known: BTreeSet<_> = known().into_iter().filter(|name| !name.ends_with("/redis/bgsave")).collect();
    for there in ["*/redis/ping", "byb/smp1/redis/ping", "*/smp2/behaviour/clock", "cargo xtask fuzz --minutes 2"] {
        assert_eq!(fault(&format!("`{there}`"), &known), None);
    }
    assert_eq!(fault(PENDING, &known), None);
    for absent in ["*/redis/bgsave", "bgsave", "ping", "*/redis/pin", "unit/no::such", "*/redis/*", "cargo xtask bench"]
    {
        assert!(fault(&format!("`{absent}`"), &known).is_some(), "{absent}");
    }
    assert!(fault("*/redis/ping", &known).is_some() && fault("`*/redis/ping` and more", &known).is_some());
}
