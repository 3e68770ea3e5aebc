//! The rooms of this program: how large each is, and that docs/architecture.md shows their doors.

use super::{files, none, read};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Most lines of Rust in a crate, tests included.
const MAX_LINES: usize = 7000;

/// What a manifest says of a crate.
struct Crate {
    folder: PathBuf,
    description: String,
    /// Crates of the workspace that it is compiled with.
    needs: BTreeSet<String>,
}

/// Every crate of the workspace, by name.
fn crates() -> BTreeMap<String, Crate> {
    let manifests: Vec<PathBuf> = files().into_iter().filter(|path| path.ends_with("Cargo.toml")).collect();
    let parsed = manifests.iter().map(|path| (path, read(path).parse::<toml::Table>().unwrap()));
    // Members have the workspace's edition; programs for other targets have their own workspace.
    let members = parsed.filter(|(_, manifest)| {
        manifest.get("package").and_then(|package| package["edition"].get("workspace")).is_some()
    });
    members
        .map(|(path, manifest)| {
            let package = &manifest["package"];
            let text = |key: &str| package[key].as_str().unwrap().to_owned();
            let needs = manifest.get("dependencies").and_then(toml::Value::as_table).into_iter().flat_map(|t| t.keys());
            let needs = needs.filter(|name| name.starts_with("ukl")).cloned().collect();
            let folder = path.parent().unwrap().to_owned();
            (text("name"), Crate { folder, description: text("description"), needs })
        })
        .collect()
}

#[test]
fn no_crate_is_too_large_to_know() {
    let lines = |folder: &Path, others: &[&PathBuf]| -> usize {
        let own = |path: &PathBuf| {
            path.starts_with(folder)
                && path.extension().is_some_and(|extension| extension == "rs")
                && !others
                    .iter()
                    .any(|other| other.as_path() != folder && path.starts_with(other) && other.starts_with(folder))
        };
        files().iter().filter(|path| own(path)).map(|path| read(path).lines().count()).sum()
    };
    let crates = crates();
    let folders: Vec<&PathBuf> = crates.values().map(|room| &room.folder).collect();
    none(
        crates
            .iter()
            .map(|(name, room)| (name, lines(&room.folder, &folders)))
            .filter(|(_, lines)| *lines > MAX_LINES)
            .map(|(name, lines)| format!("{name}: {lines} lines, at most {MAX_LINES}; split it"))
            .collect(),
    );
}

#[test]
fn the_table_of_crates_is_that_of_the_manifests() {
    let page = read(Path::new("docs/architecture.md"));
    let rows: BTreeSet<&str> =
        page.lines().filter(|line| line.starts_with("| `ukl") || line.starts_with("| `xtask`")).collect();
    let expected: Vec<String> = crates()
        .iter()
        .map(|(name, room)| {
            let needs: Vec<&str> = room.needs.iter().map(|need| need.trim_start_matches("ukl-")).collect();
            format!("| `{name}` | {} | {} |", room.description, needs.join(", "))
        })
        .collect();
    let lacking = expected.iter().filter(|row| !rows.contains(row.as_str()));
    let mut findings: Vec<String> = lacking.map(|row| format!("docs/architecture.md lacks: {row}")).collect();
    let stale = rows.iter().filter(|row| !expected.iter().any(|wanted| wanted == *row));
    findings.extend(stale.map(|row| format!("docs/architecture.md has: {row}")));
    none(findings);
}
