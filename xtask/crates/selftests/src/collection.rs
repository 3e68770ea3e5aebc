//! A collection of selftests: one file `collections/NAME.toml` says which folders it takes its programs from, what is left
//! out, and which results may differ from those of an ordinary process on the unpatched kernel.

use anyhow::{Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use ukl_repo::config;
use ukl_repo::repo::Repo;

/// Where the files lie, relative to the checkout.
const FOLDER: &str = "xtask/crates/selftests/collections";

/// A validated collection.
#[derive(Clone, Debug)]
pub(crate) struct Collection {
    /// The file's name without `.toml`.
    pub name: String,
    pub settings: Settings,
}

/// The file as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// One phrase for the report.
    pub summary: String,
    /// Memory of the virtual machine in MiB; 512 by default.
    #[serde(default = "default_memory_mib")]
    pub memory_mib: u32,
    /// How long a test may take, in seconds; 60 by default.
    #[serde(default = "default_deadline_s")]
    pub deadline_s: u32,
    #[serde(rename = "folder")]
    pub folders: Vec<Folder>,
    /// Arguments of tests that want some: `folder/program` = words for a shell. None by default.
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
    /// Programs that cannot be built here. One that can fails.
    #[serde(default)]
    pub unbuilt: Vec<Exception>,
    /// Programs that are built and not run.
    #[serde(default)]
    pub left_out: Vec<Exception>,
    /// What fails at level `linux`, so that nothing is compared with it. One that passes fails.
    #[serde(default)]
    pub fails_at_linux: Vec<Exception>,
    /// Results that differ from those at level `linux`. One that does not fails.
    #[serde(default, rename = "difference")]
    pub differences: Vec<Difference>,
}

/// A folder of `tools/testing/selftests`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Folder {
    /// Below `tools/testing/selftests`.
    pub path: String,
    /// The variables of its Makefile that name its tests.
    #[serde(default = "default_lists")]
    pub lists: Vec<String>,
    /// Programs that its Makefile does not call tests and that are some all the same; none by default.
    #[serde(default)]
    pub also: Vec<String>,
    /// Variables for make's command line; none by default.
    #[serde(default)]
    pub make: Vec<String>,
    /// Shell commands before make, in the folder. `$CC` is the compiler and `$OUTPUT` where programs go; none by default.
    #[serde(default)]
    pub prepare: Vec<String>,
}

/// Tests that something is true of.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exception {
    /// `folder/program`, of those that fail also `folder/program: case`; `*` at the end stands for the rest.
    pub tests: Vec<String>,
    pub reason: String,
    /// Whether it need not happen in each run, because it depends on how busy the host is; not by default.
    #[serde(default)]
    pub sometimes: bool,
}

/// Tests whose results differ from those of an ordinary process on the unpatched kernel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Difference {
    /// `folder/program`, or `folder/program: case` of a program that reports cases; `*` at the end stands for the rest.
    pub tests: Vec<String>,
    /// Names of places (`process`, or levels); by default every level at which the test is an application.
    pub at: Option<Vec<String>>,
    pub reason: String,
    /// Whether it need not happen in each run, because it depends on how busy the host is; not by default.
    #[serde(default)]
    pub sometimes: bool,
}

fn default_memory_mib() -> u32 {
    512
}

fn default_deadline_s() -> u32 {
    60
}

fn default_lists() -> Vec<String> {
    ["TEST_GEN_PROGS", "TEST_CUSTOM_PROGS"].map(str::to_owned).to_vec()
}

/// The names of all collections; none in the part of a checkout that the flake's checks have.
pub(crate) fn names(repo: &Repo) -> Result<Vec<String>> {
    let folder = repo.root.join(FOLDER);
    if !folder.is_dir() {
        return Ok(vec![]);
    }
    let mut names = Vec::new();
    for entry in fs_err::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// The file of a collection.
pub(crate) fn file(repo: &Repo, name: &str) -> PathBuf {
    repo.root.join(FOLDER).join(format!("{name}.toml"))
}

/// Reads a collection.
pub(crate) fn read(repo: &Repo, name: &str) -> Result<Collection> {
    config::load(&file(repo, name), |settings: Settings| {
        settings.validate()?;
        Ok(Collection { name: name.to_owned(), settings })
    })
}

impl Settings {
    fn validate(&self) -> Result<()> {
        ensure!(!self.folders.is_empty(), "there is no [[folder]]");
        let exceptions = || self.unbuilt.iter().chain(&self.left_out).chain(&self.fails_at_linux);
        let reasons = exceptions().map(|exception| (&exception.tests, &exception.reason));
        let reasons = reasons.chain(self.differences.iter().map(|difference| (&difference.tests, &difference.reason)));
        for (tests, reason) in reasons {
            ensure!(!tests.is_empty() && reason.len() > 10, "{tests:?} has the reason `{reason}`; both were expected");
        }
        let named = self.arguments.keys();
        let named = named.chain(exceptions().flat_map(|exception| &exception.tests));
        let named = named.chain(self.differences.iter().flat_map(|difference| &difference.tests));
        for test in named {
            let known = self.folders.iter().any(|folder| test.starts_with(&format!("{}/", folder.path)));
            ensure!(known, "`{test}` begins with no folder of this collection");
        }
        Ok(())
    }
}

/// Whether a name is what a pattern says: the same, or the same up to a `*` at its end.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ukl_repo::config::parse;

    #[test]
    fn every_collection_is_valid() {
        let repo = Repo::find().unwrap();
        let names = names(&repo).unwrap();
        assert!(!names.is_empty());
        let levels: Vec<_> = repo.levels().unwrap().into_iter().map(|level| level.name).collect();
        for name in names {
            for difference in read(&repo, &name).unwrap().settings.differences {
                for place in difference.at.unwrap_or_default() {
                    assert!(place == "process" || levels.contains(&place), "{name}: no place `{place}`");
                }
            }
        }
    }

    #[test]
    fn a_test_of_another_folder_and_a_missing_reason_are_refused() {
        let with = |more: &str| -> String {
            let text = format!("summary = 'x'\n[[folder]]\npath = 'ptrace'\n{more}");
            parse::<Settings>(&text).unwrap().validate().unwrap_err().to_string()
        };
        insta::assert_snapshot!(with("[arguments]\n'rseq/x' = '1'"), @"`rseq/x` begins with no folder of this collection");
        insta::assert_snapshot!(
            with("[[difference]]\ntests = ['ptrace/x']\nreason = 'why'"),
            @r#"["ptrace/x"] has the reason `why`; both were expected"#
        );
    }

    #[test]
    fn a_star_stands_for_the_rest() {
        assert!(fits("mm/uffd*", "mm/uffd-stress") && fits("mm/cow", "mm/cow"));
        assert!(!fits("mm/cow", "mm/cow: fork") && !fits("mm/uffd*", "mm/cow"));
    }
}
