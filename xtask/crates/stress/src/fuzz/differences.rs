//! Where two runs of the same calls part, and which of these partings are meant.

use super::target::Call;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fmt;
use ukl_repo::repo::Repo;

/// The head of the table in docs/compatibility.md that has what is meant.
const HEAD: &str = "| call | a process of `linux` | an application | why |";

/// The first call of a batch that ended in two ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub name: String,
    /// The names of errors, `0` for success, or `the end`.
    pub expected: String,
    pub found: String,
    arguments: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}) gives {}; an ordinary process gets {}", self.name, self.arguments, self.found, self.expected)
    }
}

/// Where they part, if they do.
pub fn first(expected: &[Call], found: &[Call], names: &BTreeMap<u32, String>) -> Option<Difference> {
    let at = (0..expected.len().max(found.len())).find(|at| expected.get(*at) != found.get(*at))?;
    let call = expected.get(at).or_else(|| found.get(at))?;
    let same_error = expected.get(at).map(|call| call.error) == found.get(at).map(|call| call.error);
    let how = |call: Option<&Call>| match call {
        None => "the end".to_owned(),
        // The call's name and arguments are the same: what is left is what it wrote.
        Some(_) if same_error => "other memory".to_owned(),
        Some(call) => error(call.error),
    };
    Some(Difference {
        name: names.get(&call.number).cloned().unwrap_or_else(|| call.number.to_string()),
        expected: how(expected.get(at)),
        found: how(found.get(at)),
        arguments: call.arguments.clone(),
    })
}

/// What the fuzzer writes for a call that did not return.
const NEVER: u32 = 0xffff;

fn error(number: u32) -> String {
    match number {
        0 => "0".to_owned(),
        NEVER => "the end".to_owned(),
        // `No such file or directory (os error 2)`
        number => std::io::Error::from_raw_os_error(i32::try_from(number).unwrap_or(i32::MAX)).to_string(),
    }
}

/// The differences that are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known(Vec<[String; 3]>);

impl Known {
    pub fn read(repo: &Repo) -> Result<Known> {
        let path = repo.root.join("docs/compatibility.md");
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        Known::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    /// The table in the page.
    pub fn parse(page: &str) -> Result<Known> {
        let (_, table) = page.split_once(HEAD).with_context(|| format!("there is no table that begins with {HEAD}"))?;
        let mut known = Vec::new();
        for line in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
            let [call, expected, found, why] = &cells[..] else {
                anyhow::bail!("`{line}` has {} columns; 4 were expected", cells.len());
            };
            ensure!(why.len() > 10, "`{line}` has no reason");
            known.push([call, expected, found].map(|cell| cell.trim_matches('`').to_owned()));
        }
        Ok(Known(known))
    }

    /// Whether a reason for it is written down.
    pub fn explains(&self, difference: &Difference) -> bool {
        let this = [&difference.name, &difference.expected, &difference.found];
        self.0.iter().any(|row| row.iter().zip(this).all(|(known, this)| known == "any" || known == this))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(errors: &[u32]) -> Vec<Call> {
        errors.iter().map(|error| Call { number: 3, error: *error, arguments: "1 2".to_owned() }).collect()
    }

    #[test]
    fn the_first_call_that_differs_is_told() {
        let names = BTreeMap::from([(3, "close".to_owned())]);
        assert_eq!(first(&calls(&[0, 9]), &calls(&[0, 9]), &names), None);
        let difference = first(&calls(&[0, 9, 9]), &calls(&[0, 0, 9]), &names).unwrap();
        assert_eq!(
            difference.to_string(),
            "close(1 2) gives 0; an ordinary process gets Bad file descriptor (os error 9)"
        );
        let shorter = first(&calls(&[0, 9]), &calls(&[0]), &names).unwrap();
        assert_eq!(shorter.found, "the end");
    }

    #[test]
    fn only_what_is_written_down_is_meant() {
        let page =
            format!("text\n{HEAD}\n|---|---|---|---|\n| `close` | 0 | any | for a reason of its own |\n\n| a | b |\n");
        let known = Known::parse(&page).unwrap();
        let difference = |name: &str, expected: &str| Difference {
            name: name.to_owned(),
            expected: expected.to_owned(),
            found: "the end".to_owned(),
            arguments: String::new(),
        };
        assert!(known.explains(&difference("close", "0")));
        assert!(!known.explains(&difference("close", "1")) && !known.explains(&difference("read", "0")));
        assert!(Known::parse("no table").is_err());
        assert!(Known::parse(&format!("{HEAD}\n|---|\n| `close` | 0 | any | |\n")).is_err());
    }
}
