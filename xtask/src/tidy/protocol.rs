//! guest/PROTOCOL.md, the types of `vm/protocol.rs` and the guest's files agree.

use crate::tidy::{files, none, read, repo};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const PAGE: &str = "guest/PROTOCOL.md";

/// A mark, or a word on the kernel's command line or in the environment. A line break in a string may stand before it.
fn names(text: &str) -> BTreeSet<String> {
    let name = Regex::new(r"(?:\b|\\n)(UKL(?:-[A-Z]+)+|UKL_[A-Z_]+)").unwrap();
    name.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// The rows of a table of the page by the name in the first cell, with the guest's files that the second cell names.
fn table(heading: &str) -> BTreeMap<String, BTreeSet<PathBuf>> {
    let page = read(Path::new(PAGE));
    let rows = page.lines().skip_while(|line| *line != format!("## {heading}")).skip(1);
    let rows = rows.take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with("| `"));
    let rows = rows.map(|row| {
        let cells: Vec<_> = row.split('|').collect();
        let named = names(cells[1]);
        assert_eq!(named.len(), 1, "a row has one name: {row}");
        let quoted = cells[2].split('`').skip(1).step_by(2).map(|path| Path::new("guest").join(path));
        let places: BTreeSet<_> = quoted.filter(|path| repo().root.join(path).is_file()).collect();
        (named.into_iter().next().unwrap(), places)
    });
    let rows: BTreeMap<_, _> = rows.collect();
    assert!(!rows.is_empty(), "{PAGE} has no table below `{heading}`");
    rows
}

/// The code of a file: no comments, and none of a Rust file's tests.
fn code(path: &Path) -> String {
    let text = read(path);
    let text = text.split("#[cfg(test)]").next().unwrap();
    let comment = |line: &str| ["#", "//", "/*", "* "].iter().any(|start| line.trim_start().starts_with(start));
    text.lines().filter(|line| !comment(line)).map(|line| format!("{line}\n")).collect()
}

/// Where each name stands in the guest's files.
fn in_guest() -> BTreeMap<String, BTreeSet<PathBuf>> {
    let mut found: BTreeMap<String, BTreeSet<PathBuf>> = BTreeMap::new();
    for path in files() {
        if path.starts_with("guest") && path.extension().is_none_or(|extension| extension != "md") {
            for name in names(&code(&path)) {
                found.entry(name).or_default().insert(path.clone());
            }
        }
    }
    found
}

/// The file with the types.
fn types() -> PathBuf {
    let is_it = |path: &PathBuf| path.ends_with("protocol.rs") && code(path).contains("pub enum BootWord");
    files().into_iter().find(is_it).expect("a file protocol.rs has the boot words")
}

#[test]
fn the_page_lists_the_types() {
    let listed: BTreeSet<_> = table("Marks").into_keys().chain(table("Boot words").into_keys()).collect();
    assert_eq!(listed, names(&code(&types())));
}

#[test]
fn the_page_says_which_of_the_guests_files_has_what() {
    let listed: BTreeMap<_, _> = ["Marks", "Boot words", "Variables"]
        .into_iter()
        .flat_map(table)
        .filter(|(_, places)| !places.is_empty())
        .collect();
    assert_eq!(listed, in_guest());
}

#[test]
fn only_one_file_of_the_host_spells_them() {
    let types = types();
    let spelled = names(&code(&types));
    let mut findings = Vec::new();
    for path in files() {
        let is_source = path.starts_with("xtask") && path.extension().is_some_and(|extension| extension == "rs");
        if is_source && path != types && !path.iter().any(|part| part == "tidy" || part == "tests") {
            for name in names(&code(&path)).intersection(&spelled) {
                findings.push(format!("{}: {name} belongs to {}", path.display(), types.display()));
            }
        }
    }
    none(findings);
}
