//! Tests over the repository itself: each fact in its one place, and nothing dangling.

mod claims;
mod crates;
mod protocol;

use fs_err as fs;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use ukl_kernel::patches;
use ukl_repo::repo::Repo;

/// Longest file that one reads in one sitting.
const MAX_LINES: usize = 400;

fn repo() -> Repo {
    Repo::find().unwrap()
}

/// Every file of the checkout, relative to its top, without what git or cargo keep there.
fn files() -> Vec<PathBuf> {
    let root = repo().root;
    let skipped = |name: &std::ffi::OsStr| name == ".git" || name == "target";
    let walk = walkdir::WalkDir::new(&root).sort_by_file_name().into_iter();
    walk.filter_entry(|entry| !skipped(entry.file_name()))
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(&root).unwrap().to_owned())
        .collect()
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

fn read(path: &Path) -> String {
    fs::read_to_string(repo().root.join(path)).unwrap()
}

/// Fails with every finding, a line each.
fn none(findings: Vec<String>) {
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn the_series_names_every_patch_and_nothing_else() {
    let series = read(Path::new("kernel/patches/series"));
    let named: Vec<&str> = patches::names(&series).collect();
    let there = fs::read_dir(repo().root.join("kernel/patches")).unwrap();
    let there = there.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let there: BTreeSet<String> = there.filter(|name| name.ends_with(".patch")).collect();
    assert_eq!(named.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), there);
    assert!(named.is_sorted(), "patches are applied in the order of their numbers");
}

#[test]
fn every_level_application_and_pin_is_valid() {
    let repo = repo();
    let levels: Vec<_> = repo.levels().unwrap().into_iter().map(|level| level.name).collect();
    let sources = repo.sources().unwrap();
    assert!(sources.contains(&repo.kernel().unwrap().source));
    let mut unused: BTreeSet<_> = repo.libraries().unwrap().into_iter().map(|library| library.name).collect();
    for app in repo.apps().unwrap() {
        assert!(app.source.iter().all(|source| sources.contains(source)), "the pin of {} is not found", app.name);
        for library in &app.libraries {
            assert!(sources.contains(&library.source), "the pin of {} is not found", library.name);
            unused.remove(&library.name);
        }
        for (level, reason) in &app.skip_levels {
            assert!(levels.contains(level), "apps/{}: skips `{level}`, which is no level", app.name);
            assert!(reason.len() > 10, "apps/{}: skips `{level}` without a reason", app.name);
        }
    }
    assert!(unused.is_empty(), "no application is linked with {unused:?} of apps/libraries/");
}

#[test]
fn no_tarball_is_pinned_twice() {
    let mut seen = BTreeSet::new();
    none(
        repo()
            .sources()
            .unwrap()
            .into_iter()
            .filter(|source| !seen.insert(source.file.clone()))
            .map(|source| format!("{} is pinned twice", source.file))
            .collect(),
    );
}

#[test]
fn no_file_is_too_long_to_read() {
    let prose_and_code = ["rs", "c", "h", "S", "s", "sh", "toml", "md", "config", "lds", "nix"];
    none(
        files()
            .iter()
            .filter(|path| prose_and_code.contains(&extension(path)))
            // Generated, and looked up in.
            .filter(|path| !["docs/compatibility.md", "docs/commands.md"].map(Path::new).contains(&path.as_path()))
            .map(|path| (path, read(path).lines().count()))
            .filter(|(_, lines)| *lines > MAX_LINES)
            .map(|(path, lines)| format!("{}: {lines} lines, at most {MAX_LINES}; split it", path.display()))
            .collect(),
    );
}

#[test]
fn no_path_or_mirror_of_one_machine_is_written_down() {
    // In two halves, so that this file does not find itself.
    let local = [("/ho", "me/"), ("/wo", "rk/main"), ("/tmp", "/w/"), ("/ro", "ot/.cargo"), ("deb.debian", ".org/")];
    let mut findings = Vec::new();
    for path in files() {
        let Ok(text) = fs::read_to_string(repo().root.join(&path)) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            if local.iter().any(|(start, end)| line.contains(&format!("{start}{end}"))) {
                findings.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    none(findings);
}

#[test]
fn every_folder_says_what_lives_there() {
    let files = files();
    let folders: BTreeSet<_> = files
        .iter()
        .filter(|path| path.components().count() > 1)
        .map(|path| path.components().next().unwrap().as_os_str().to_owned())
        .filter(|name| !name.as_encoded_bytes().starts_with(b"."))
        .collect();
    let lacking = folders.iter().filter(|folder| !files.contains(&Path::new(folder).join("README.md")));
    none(lacking.map(|folder| format!("{} has no README.md", folder.display())).collect());
}

#[test]
fn every_source_file_is_part_of_its_program() {
    let mut findings = Vec::new();
    for path in files() {
        if extension(&path) != "rs" || !path.iter().any(|folder| folder == "src") {
            continue;
        }
        let stem = path.file_stem().unwrap().to_str().unwrap();
        // A file of that name is where cargo begins.
        if ["main", "lib"].contains(&stem) {
            continue;
        }
        // `a/mod.rs` and `a.rs` are declared by what contains `a`.
        let folder = path.parent().unwrap();
        let (name, folder) = match stem {
            "mod" => (folder.file_name().unwrap().to_str().unwrap(), folder.parent().unwrap()),
            _ => (stem, folder),
        };
        let parents = ["main.rs", "lib.rs", "mod.rs"].map(|parent| folder.join(parent)).to_vec();
        let parents = parents.into_iter().chain([folder.with_extension("rs")]);
        let declared: String = parents.filter_map(|parent| fs::read_to_string(repo().root.join(parent)).ok()).collect();
        if !declared.contains(&format!("mod {name};")) {
            findings.push(format!("{} is not declared by its parent", path.display()));
        }
    }
    none(findings);
}

#[test]
fn every_command_in_the_documents_exists() {
    let commands = crate::cli::subcommands();
    let mut findings = Vec::new();
    for path in files().iter().filter(|path| extension(path) == "md") {
        for (number, line) in read(path).lines().enumerate() {
            for rest in line.split("cargo xtask ").skip(1) {
                let word: String = rest.chars().take_while(|c| c.is_ascii_lowercase()).collect();
                if !word.is_empty() && !commands.contains(&word) {
                    findings.push(format!("{}:{}: no command `{word}`", path.display(), number + 1));
                }
            }
        }
    }
    none(findings);
}

#[test]
fn every_source_file_that_a_text_names_is_there() {
    let name = regex::Regex::new(r"\bxtask/[A-Za-z0-9_./-]+\.rs\b").unwrap();
    let mut findings = Vec::new();
    for path in files().iter().filter(|path| ["md", "rs", "nix", "toml"].contains(&extension(path))) {
        for (number, line) in read(path).lines().enumerate() {
            let lost = name.find_iter(line).filter(|found| !repo().root.join(found.as_str()).exists());
            findings.extend(lost.map(|found| format!("{}:{}: no file {}", path.display(), number + 1, found.as_str())));
        }
    }
    none(findings);
}

#[test]
fn every_picture_shows_the_words_of_its_text() {
    let texts: Vec<_> = files().into_iter().filter(|path| extension(path) == "dot").collect();
    assert!(!texts.is_empty(), "docs/pictures has no text of a picture");
    let mut findings = Vec::new();
    for path in &texts {
        let drawn = read(&path.with_extension("svg")).replace("&#45;", "-").replace("&#39;", "'");
        let source = read(path);
        // Between quotation marks, or in the cells of a table.
        let quoted = source.split("label = \"").skip(1).filter_map(|rest| rest.split('"').next());
        let cells = source.lines().filter(|line| line.contains("</")).flat_map(|line| line.split('>').skip(1));
        let cells = cells.filter_map(|cell| cell.split('<').next()).filter(|cell| *cell != "]");
        for words in quoted.flat_map(|label| label.split("\\n")).chain(cells).map(str::trim).filter(|w| !w.is_empty()) {
            if !drawn.contains(words) {
                findings
                    .push(format!("{} does not show `{words}`; its first line says how it is drawn", path.display()));
            }
        }
    }
    none(findings);
}
