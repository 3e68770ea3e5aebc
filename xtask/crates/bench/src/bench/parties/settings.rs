//! The section `[parties]` of a `bench.toml`: what an application of several machines computes.

use anyhow::{Result, ensure};
use serde::Deserialize;

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// In the order of the table.
    pub levels: Vec<String>,
    /// Arguments of every case, after those of a party.
    pub request: Vec<String>,
    pub polling: Polling,
    /// Arguments with which one process is all parties.
    pub together: Vec<String>,
    #[serde(rename = "case")]
    pub cases: Vec<Case>,
}

/// The same program, which polls instead of waiting.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Polling {
    /// Levels at which it is measured also, as LEVEL-spin.
    pub levels: Vec<String>,
    pub args: Vec<String>,
}

/// One amount of work.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    pub args: Vec<String>,
    /// How often it is measured against the clock.
    pub rounds: u32,
    /// Whether its instructions are counted, too.
    #[serde(default)]
    pub counted: bool,
}

/// A level, or a level at which the program polls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// `byb`, `linux-spin`.
    pub name: String,
    pub level: String,
    pub args: Vec<String>,
}

impl Settings {
    /// Checks what the types do not.
    pub fn validate(&self) -> Result<()> {
        ensure!(!self.levels.is_empty(), "`parties.levels` is empty; a level such as \"linux\" was expected");
        for level in &self.polling.levels {
            ensure!(
                self.levels.contains(level),
                "`parties.polling.levels` has {level}, which `parties.levels` has not"
            );
        }
        for case in &self.cases {
            ensure!(case.rounds > 0, "`parties.case` {:?} has 0 rounds; at least 1 was expected", case.name);
        }
        Ok(())
    }

    /// Every level of `chosen`, and behind each the one at which the program polls.
    pub fn variants(&self, chosen: &[String]) -> Vec<Variant> {
        let mut variants = Vec::new();
        for level in chosen {
            variants.push(Variant { name: level.clone(), level: level.clone(), args: vec![] });
            if self.polling.levels.contains(level) {
                let (name, args) = (format!("{level}-spin"), self.polling.args.clone());
                variants.push(Variant { name, level: level.clone(), args });
            }
        }
        variants
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    const FILE: &str = "[parties]\nlevels = ['linux', 'byb']\nrequest = ['--check']\ntogether = ['local']\n\
                        polling = { levels = ['linux'], args = ['--spin'] }\n\
                        [[parties.case]]\nname = 'few'\nargs = ['9']\nrounds = 2\n";

    fn read(text: &str) -> Result<Settings> {
        match Schema::parse(text)? {
            Schema::Parties(settings) => Ok(settings),
            other => panic!("{other:?} is not about parties"),
        }
    }

    #[test]
    fn a_level_that_polls_stands_behind_the_one_that_waits() {
        let settings = read(FILE).unwrap();
        let names: Vec<_> = settings.variants(&settings.levels).into_iter().map(|variant| variant.name).collect();
        assert_eq!(names, ["linux", "linux-spin", "byb"]);
    }

    #[test]
    fn wrong_values_are_named() {
        let error = |from: &str, to: &str| format!("{:#}", read(&FILE.replace(from, to)).unwrap_err());
        assert!(error("rounds = 2", "rounds = 0").contains("`parties.case` \"few\" has 0 rounds"));
        assert!(error("levels = ['linux'],", "levels = ['ret'],").contains("has ret, which `parties.levels` has not"));
    }
}
