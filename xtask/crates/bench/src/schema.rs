//! `bench.toml` of an application: what is measured of it. One file, one of three subjects, told apart here only.

use crate::bench::parties::Settings;
use crate::calls::rules::Rules;
use crate::requests::Requests;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use ukl_repo::config::{self, App};
use ukl_repo::repo::Repo;

/// The name of the file.
const FILE: &str = "bench.toml";
/// The tables that tell the subjects apart; a file with neither has rules about calls.
const REQUESTS: &str = "requests";
const PARTIES: &str = "parties";

/// What is measured of an application.
#[derive(Clone, Debug)]
pub enum Schema {
    /// Instructions of single calls, with rules about levels.
    Calls(Rules),
    /// Requests to a server.
    Requests(Requests),
    /// A computation of several machines.
    Parties(Settings),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfRequests {
    requests: Requests,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfParties {
    parties: Settings,
}

/// Where an application's file is, or would be.
pub fn path(app: &App) -> PathBuf {
    app.dir.join(FILE)
}

impl Schema {
    /// Reads the file of an application; `None` where it has none.
    pub fn read(repo: &Repo, app: &App) -> Result<Option<Self>> {
        let path = path(app);
        if !path.is_file() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let schema = Self::parse(&text).with_context(|| format!("in {}", path.display()))?;
        if let Schema::Calls(rules) = &schema {
            rules.validate(repo).with_context(|| format!("in {}", path.display()))?;
        }
        Ok(Some(schema))
    }

    /// The schema of a text, but for the names of levels in it, which only a checkout knows.
    pub fn parse(text: &str) -> Result<Self> {
        let tables: toml::Table = config::parse(text)?;
        let subjects = [REQUESTS, PARTIES].iter().filter(|name| tables.contains_key(**name)).count();
        ensure!(subjects < 2, "[{REQUESTS}] and [{PARTIES}] are both there; a file is about one of them");
        if tables.contains_key(REQUESTS) {
            let OfRequests { requests } = strictly(text)?;
            requests.validate()?;
            return Ok(Schema::Requests(requests));
        }
        if tables.contains_key(PARTIES) {
            let OfParties { parties } = strictly(text)?;
            parties.validate()?;
            return Ok(Schema::Parties(parties));
        }
        strictly(text).map(Schema::Calls)
    }
}

fn strictly<T: DeserializeOwned>(text: &str) -> Result<T> {
    config::parse(text)
}

/// The requests to a server; `None` for an application of which something else, or nothing, is measured.
pub fn requests(repo: &Repo, app: &App) -> Result<Option<Requests>> {
    Ok(match Schema::read(repo, app)? {
        Some(Schema::Requests(requests)) => Some(requests),
        _ => None,
    })
}

/// The rules about calls; `None` as in [`requests`].
pub fn rules(repo: &Repo, app: &App) -> Result<Option<Rules>> {
    Ok(match Schema::read(repo, app)? {
        Some(Schema::Calls(rules)) => Some(rules),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_repository_is_valid_and_each_subject_occurs() {
        let repo = Repo::find().unwrap();
        let schemas = repo.apps().unwrap().into_iter().filter_map(|app| Schema::read(&repo, &app).unwrap());
        let mut seen = [0; 3];
        for schema in schemas {
            seen[match schema {
                Schema::Calls(_) => 0,
                Schema::Requests(_) => 1,
                Schema::Parties(_) => 2,
            }] += 1;
        }
        assert!(seen.iter().all(|count| *count > 0), "calls, requests, parties: {seen:?}");
    }

    #[test]
    fn a_file_has_one_subject() {
        let error = Schema::parse("[requests]\n[parties]\n").unwrap_err().to_string();
        insta::assert_snapshot!(error, @"[requests] and [parties] are both there; a file is about one of them");
    }
}
