//! The tests that need no machine, through `cargo test`. Their names are read from the sources, so that listing them compiles
//! nothing; a run holds the list against what cargo says.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::path::Path;
use std::process::{Command, Stdio};
use ukl_host::process;
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::Repo;
use ukl_vmtest::vmtest::suite::When;
use ukl_vmtest::vmtest::{Part, Tally, UNIT};
use xshell::cmd;

/// The workspace's manifest, as far as it names folders.
#[derive(Deserialize)]
struct Manifest {
    workspace: Workspace,
}

#[derive(Deserialize)]
struct Workspace {
    members: Vec<String>,
}

/// Every unit and integration test of the workspace; none in the part of a checkout that the flake's checks have.
pub(crate) fn part(repo: &Repo) -> Result<Part> {
    let path = repo.root.join("Cargo.toml");
    let mut names = Vec::new();
    for member in members(&path)? {
        names.extend(self::names(&repo.root.join(member))?.into_iter().map(|name| format!("{UNIT}/{name}")));
    }
    // Two programs may have a test of the same name; cargo tells them apart by nothing but the order of its lines.
    names.sort();
    names.dedup();
    Ok(Part {
        app: String::new(),
        level: None,
        cpus: 1,
        when: When::Default,
        prefix: format!("{UNIT}/"),
        quick: names.clone(),
        names,
    })
}

/// The folders of a workspace; of one that is not there, none.
fn members(manifest: &Path) -> Result<Vec<String>> {
    if !manifest.exists() {
        return Ok(vec![]);
    }
    let text = std::fs::read_to_string(manifest).with_context(|| format!("reading {}", manifest.display()))?;
    let Manifest { workspace } = toml::from_str(&text).with_context(|| format!("reading {}", manifest.display()))?;
    ensure!(!workspace.members.is_empty(), "{} has no members", manifest.display());
    let mut members = Vec::new();
    for member in workspace.members {
        let Some(folder) = member.strip_suffix("/*") else {
            members.push(member);
            continue;
        };
        // As cargo takes it: each folder there that is a package.
        let packages =
            walkdir::WalkDir::new(manifest.with_file_name(folder)).min_depth(1).max_depth(1).sort_by_file_name();
        for entry in packages {
            let entry = entry.with_context(|| format!("listing the members {member}"))?;
            if entry.path().join("Cargo.toml").is_file() {
                members.push(format!("{folder}/{}", entry.file_name().to_string_lossy()));
            }
        }
    }
    Ok(members)
}

/// The tests in the sources of a package.
pub(crate) fn names(package: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    // Below `target` lie the sources of others.
    let ours = walkdir::WalkDir::new(package).sort_by_file_name().into_iter();
    for file in ours.filter_entry(|entry| entry.file_name() != "target") {
        let file = file.with_context(|| format!("listing {}", package.display()))?;
        let Some(module) = module(file.path().strip_prefix(package)?) else { continue };
        let text =
            std::fs::read_to_string(file.path()).with_context(|| format!("reading {}", file.path().display()))?;
        names.extend(functions(&module, &text));
    }
    Ok(names)
}

/// The path of the module that a source file of a package is, empty for the root of a program; nothing for what is no part of
/// a program. `src/bench/calls.rs` is `bench::calls`, `src/bin/tool/main.rs` and `tests/cli.rs` are roots.
fn module(path: &Path) -> Option<Vec<String>> {
    let mut words: Vec<String> =
        path.with_extension("").iter().map(|word| word.to_string_lossy().into_owned()).collect();
    if path.extension()? != "rs" {
        return None;
    }
    let below = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["src", "bin", _, ..] => 3,
        ["src", ..] => 1,
        ["tests", _, ..] => 2,
        _ => return None,
    };
    words.drain(..below.min(words.len()));
    if words.last().is_some_and(|last| ["main", "lib", "mod"].contains(&last.as_str())) {
        words.pop();
    }
    Some(words)
}

/// The tests of a source file as cargo names them, with the modules in it that they stand in. What is written is what rustfmt
/// leaves: an attribute and a function begin a line, and a module ends with a brace below its first letter.
fn functions(module: &[String], text: &str) -> Vec<String> {
    let mut inner: Vec<(&str, String)> = Vec::new();
    let (mut names, mut is_test) = (Vec::new(), false);
    for line in text.lines() {
        let (indent, code) = line.split_at(line.len() - line.trim_start().len());
        let code =
            ["pub ", "pub(crate) ", "pub(super) "].iter().find_map(|word| code.strip_prefix(word)).unwrap_or(code);
        if let Some(name) = code.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {")) {
            inner.push((indent, name.to_owned()));
        } else if code == "}" && inner.last().is_some_and(|(open, _)| *open == indent) {
            inner.pop();
        } else if code == "#[test]" {
            is_test = true;
        } else if is_test && let Some(rest) = code.strip_prefix("fn ") {
            let function = rest.split('(').next().unwrap_or_default();
            let modules = module.iter().cloned().chain(inner.iter().map(|(_, name)| name.clone()));
            names.push(modules.chain([function.to_owned()]).collect::<Vec<_>>().join("::"));
            is_test = false;
        }
    }
    names
}

/// Runs them all and counts those that are wanted.
pub(crate) fn run(ctx: &Ctx, tally: &mut Tally) -> Result<()> {
    let sh = process::shell_in(&ctx.repo.root)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Snapshots are compared, never written.
    let cargo = cmd!(sh, "{cargo} test --workspace").env("INSTA_UPDATE", "no");
    let mut cargo = Command::from(cargo);
    eprintln!("$ {}", process::display(&cargo));
    let output = process::die_with_parent(&mut cargo).stdin(Stdio::null()).output().context("starting cargo test")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let results: Vec<_> = text.lines().filter_map(result).collect();
    for (name, passed) in &results {
        tally.add(&format!("{UNIT}/{name}"), *passed, "the function's results with those written in the test");
    }
    if !output.status.success() {
        let (stderr, failures) = (String::from_utf8_lossy(&output.stderr), text.split_once("\nfailures:\n"));
        eprintln!("{}", failures.map_or(stderr.as_ref(), |(_, failures)| failures));
        ensure!(
            results.iter().any(|(_, passed)| !*passed),
            "`{}` ended with {} and no test failed",
            process::display(&cargo),
            output.status
        );
    }
    Ok(())
}

/// The name and outcome in a line of the test harness. Examples in documentation, which it names by their line, are left to
/// cargo's own status.
fn result(line: &str) -> Option<(&str, bool)> {
    let (name, outcome) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    match outcome {
        _ if name.contains(" - ") => None,
        "ok" => Some((name, true)),
        "FAILED" => Some((name, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_harness() {
        assert_eq!(result("test cpio::tests::a ... ok"), Some(("cpio::tests::a", true)));
        assert_eq!(result("test cpio::tests::b ... FAILED"), Some(("cpio::tests::b", false)));
        assert_eq!(result("test result: ok. 3 passed; 0 failed"), None);
        assert_eq!(result("test ukl/src/lib.rs - (line 7) ... ok"), None);
    }

    #[test]
    fn members_are_found_one_by_one_and_below_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = dir.path().join("Cargo.toml");
        assert_eq!(members(&manifest).unwrap(), Vec::<String>::new(), "a tree without a workspace");
        std::fs::write(&manifest, "[workspace]\nmembers = ['one', 'tools/*']\n").unwrap();
        for package in ["one", "tools/b", "tools/a"] {
            std::fs::create_dir_all(dir.path().join(package)).unwrap();
            std::fs::write(dir.path().join(package).join("Cargo.toml"), "").unwrap();
        }
        std::fs::create_dir(dir.path().join("tools/notes")).unwrap();
        assert_eq!(members(&manifest).unwrap(), ["one", "tools/a", "tools/b"]);
    }

    #[test]
    fn a_file_is_the_module_that_cargo_takes_it_for() {
        let module = |path: &str| module(Path::new(path)).map(|words| words.join("::"));
        assert_eq!(module("src/bench/calls.rs").as_deref(), Some("bench::calls"));
        assert_eq!(module("src/config/mod.rs").as_deref(), Some("config"));
        assert_eq!(module("src/main.rs").as_deref(), Some(""));
        assert_eq!(module("src/bin/tool/main.rs").as_deref(), Some(""));
        assert_eq!(module("src/bin/tool/compare/table.rs").as_deref(), Some("compare::table"));
        assert_eq!(module("tests/cli.rs").as_deref(), Some(""));
        assert_eq!(module("tests/fakes/main.rs").as_deref(), Some(""));
        assert_eq!(module("tests/fakes/redis.rs").as_deref(), Some("redis"));
        assert_eq!(module("build.rs"), None);
        assert_eq!(module("src/style.css"), None);
    }

    #[test]
    fn tests_are_found_with_their_modules() {
        // In two halves, so that this is no test itself.
        let attribute = ["#[", "test]"].concat();
        let text = format!(
            "fn no_test() {{\n}}\n\npub(crate) mod tests {{\n    mod inner {{\n        {attribute}\n        #[should_panic]\n        \
             fn deep() {{\n        }}\n    }}\n\n    {attribute}\n    fn flat() {{\n    }}\n}}\n\n{attribute}\nfn outer() {{\n}}\n"
        );
        let names = functions(&["a".to_owned(), "b".to_owned()], &text);
        assert_eq!(names, ["a::b::tests::inner::deep", "a::b::tests::flat", "a::b::outer"]);
    }
}
