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

/// How the table of crates begins in docs/architecture.md.
const TABLE: &str = "| crate | what it is for | is built on |\n|---|---|---|\n";
/// Where the graph lies as text.
const GRAPH: &str = "docs/pictures/crates.dot";
/// The environment variable with which the tests write what they compare.
const WRITE: &str = "UKL_WRITE_DOCS";

fn table(crates: &BTreeMap<String, Crate>) -> String {
    let short = |name: &String| format!("`{}`", name.trim_start_matches("ukl-"));
    let row = |(name, room): (&String, &Crate)| {
        let needs = room.needs.iter().map(short).collect::<Vec<_>>().join(", ");
        format!("| [`{name}`](../{}) | {} | {needs} |\n", room.folder.display(), room.description)
    };
    crates.iter().map(row).collect()
}

/// Every crate that `name` is built on, at whatever distance.
fn below<'a>(crates: &'a BTreeMap<String, Crate>, name: &str, found: &mut BTreeSet<&'a str>) {
    for need in &crates[name].needs {
        if found.insert(need) {
            below(crates, need, found);
        }
    }
}

/// The graph, without the arrows that follow from others.
fn graph(crates: &BTreeMap<String, Crate>) -> String {
    let mut text = format!(
        "// What each crate is built on. Written by `{WRITE}=1 cargo test --package xtask crates`, then drawn by \
         `dot -Tsvg {GRAPH} -o docs/pictures/crates.svg`.\ndigraph {{\n    bgcolor = \"white\"\n    node [shape = box, \
         style = filled, fillcolor = \"#dce6f2\", fontname = \"sans-serif\", fontsize = 11]\n    edge [color = \"#555555\"]\n"
    );
    for (name, room) in crates {
        text.push_str(&format!("    \"{name}\"\n"));
        let mut implied = BTreeSet::new();
        room.needs.iter().for_each(|need| below(crates, need, &mut implied));
        for need in room.needs.iter().filter(|need| !implied.contains(need.as_str())) {
            text.push_str(&format!("    \"{name}\" -> \"{need}\"\n"));
        }
    }
    text + "}\n"
}

#[test]
fn the_crates_are_shown_as_the_manifests_have_them() {
    let root = super::repo().root;
    let path = root.join("docs/architecture.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(TABLE).expect("docs/architecture.md has the table of crates");
    let end = rest.find("\n\n").map_or(rest.len(), |end| end + 1);
    let crates = crates();
    let (table, graph) = (table(&crates), graph(&crates));
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, format!("{before}{TABLE}{table}{}", &rest[end..])).unwrap();
        std::fs::write(root.join(GRAPH), &graph).unwrap();
        return;
    }
    let next = format!("write both with `{WRITE}=1 cargo test --package xtask crates`, and draw the graph");
    assert_eq!(rest[..end], table, "{next}");
    assert_eq!(std::fs::read_to_string(root.join(GRAPH)).unwrap_or_default(), graph, "{next}");
}
