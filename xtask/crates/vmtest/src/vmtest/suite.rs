//! What a suite is: which machines it boots, what its tests are called, and what runs them. Filters, lists, help and the
//! order of a run follow from the table of suites and from the repository's data; nothing else names suites or levels.

use super::tally::Tally;
use anyhow::{Context, Result};
use ukl_repo::config::{DEFAULT_LEVEL, Level, Levels};
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::Repo;

/// Tests that begin with the same kind of machine.
pub struct Suite {
    /// In `--help` and in errors.
    pub name: &'static str,
    /// One line for `--help`.
    pub summary: &'static str,
    /// What its names begin with; `{app}`, `{level}` and `{cpus}` stand for those of a part.
    pub prefix: &'static str,
    pub apps: Apps,
    /// In the order in which they are booted.
    pub machines: &'static [Machines],
    pub quick: Quick,
    /// What the names of a part's tests end with.
    pub tests: fn(&Repo, &Part) -> Result<Vec<String>>,
    /// Runs those tests of a part that the tally wants. An error is a machine that failed: one failed test more.
    pub run: fn(&Ctx, &Part, &mut Tally) -> Result<()>,
}

/// What a suite tests.
#[derive(Clone, Copy)]
pub enum Apps {
    /// No application, or always the same ones.
    None,
    /// An application of `apps/`, or several in one image: `redis,memcached`. Levels that one of them skips are left out.
    One(&'static str),
    /// Those that the repository's data name.
    Found(fn(&Repo) -> Result<Vec<String>>),
}

/// Where a suite runs.
#[derive(Clone, Copy, Debug)]
pub struct Machines {
    /// One part for each; without any choice one part that has no level, or sees to all levels by itself.
    pub levels: Option<Levels>,
    /// Virtual CPUs, for suites whose names tell.
    pub cpus: u32,
    pub when: When,
}

/// When a part runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Without a filter, too.
    Default,
    /// When the filter begins with the first word of its names, because it takes long or asks for more than others.
    Asked,
    /// When the filter begins with all that its names have in common.
    Named,
}

/// What `--quick` leaves of a suite.
#[derive(Clone, Copy)]
pub enum Quick {
    /// The default level with the fewest CPUs; of a suite without levels everything.
    Smallest,
    Nothing,
    /// Of the default level with the most CPUs, the tests whose names end like this.
    TheseOnMostCpus(fn(&str) -> bool),
    /// The tests whose names end like this.
    These(fn(&str) -> bool),
}

/// One application at one level: in most suites what one boot is for.
#[derive(Clone, Debug)]
pub struct Part {
    /// Empty where the suite has none.
    pub app: String,
    pub level: Option<Level>,
    pub cpus: u32,
    pub when: When,
    /// What the names of its tests begin with, up to and with the last slash that they share.
    pub prefix: String,
    /// The whole names, in the order of their run.
    pub names: Vec<String>,
    /// Those of `names` that `--quick` keeps.
    pub quick: Vec<String>,
}

impl Part {
    /// The level of a part that has one.
    pub fn level(&self) -> Result<&Level> {
        self.level.as_ref().with_context(|| format!("the tests {}* belong to no level", self.prefix))
    }

    /// The whole name of a test.
    pub fn test(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A name for its machine: `test-byb-smp1-redis`.
    pub fn machine_name(&self) -> String {
        format!("test-{}", self.prefix.trim_end_matches('/').replace('/', "-"))
    }

    /// The first word of its names.
    pub fn group(&self) -> &str {
        self.prefix.split('/').next().unwrap_or_default()
    }
}

impl Suite {
    /// What its names begin with, for people: `LEVEL/smpN/redis/`.
    pub fn pattern(&self) -> String {
        let app = if let Apps::One(name) = self.apps { name } else { "APP" };
        self.prefix.replace("{app}", app).replace("{level}", "LEVEL").replace("{cpus}", "N")
    }

    /// Whether some of it runs without a filter.
    pub fn runs_unasked(&self) -> bool {
        self.machines.iter().any(|machines| machines.when == When::Default)
    }

    /// Every part of the suite in this checkout, with the names of its tests.
    pub fn parts(&self, repo: &Repo) -> Result<Vec<Part>> {
        let levels = repo.levels()?;
        let cpus = || self.machines.iter().map(|machines| machines.cpus);
        let (fewest, most) = (cpus().min().unwrap_or_default(), cpus().max().unwrap_or_default());
        let mut parts = Vec::new();
        for machines in self.machines {
            let chosen: Vec<Option<Level>> =
                machines.levels.map_or(vec![None], |choice| choice.of(&levels).into_iter().map(Some).collect());
            for app in self.apps.names(repo)? {
                for level in &chosen {
                    if !self.apps.runs_at(repo, level.as_ref())? {
                        continue;
                    }
                    let mut part = Part {
                        prefix: self.prefix_of(&app, level.as_ref(), machines.cpus),
                        app: app.clone(),
                        level: level.clone(),
                        cpus: machines.cpus,
                        when: machines.when,
                        names: vec![],
                        quick: vec![],
                    };
                    let tests = (self.tests)(repo, &part)
                        .with_context(|| format!("listing the tests of the suite `{}`", self.name))?;
                    let default = level.as_ref().is_none_or(|level| level.name == DEFAULT_LEVEL);
                    let quick = tests.iter().filter(|test| match self.quick {
                        Quick::Smallest => default && part.cpus == fewest,
                        Quick::TheseOnMostCpus(keeps) => default && part.cpus == most && keeps(test),
                        Quick::Nothing => false,
                        Quick::These(keeps) => keeps(test),
                    });
                    part.quick = quick.map(|test| part.test(test)).collect();
                    part.names = tests.iter().map(|test| part.test(test)).collect();
                    parts.push(part);
                }
            }
        }
        Ok(parts)
    }

    fn prefix_of(&self, app: &str, level: Option<&Level>, cpus: u32) -> String {
        let level = level.map_or("", |level| level.name.as_str());
        self.prefix.replace("{app}", app).replace("{level}", level).replace("{cpus}", &cpus.to_string())
    }
}

impl Apps {
    fn names(self, repo: &Repo) -> Result<Vec<String>> {
        match self {
            Apps::None => Ok(vec![String::new()]),
            Apps::One(name) => Ok(vec![name.to_owned()]),
            Apps::Found(find) => find(repo),
        }
    }

    /// Whether an application of `apps/` can run at a level.
    fn runs_at(self, repo: &Repo, level: Option<&Level>) -> Result<bool> {
        match (self, level) {
            (Apps::One(name), Some(level)) => {
                Ok(repo.app(name)?.all().all(|app| !app.skip_levels.contains_key(&level.name)))
            }
            _ => Ok(true),
        }
    }
}

/// Names from a table of tests, whatever its functions are.
pub fn names<T>(tests: &[(&'static str, T)]) -> Vec<String> {
    tests.iter().map(|(name, _)| (*name).to_owned()).collect()
}

/// A list of names, from words.
pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
