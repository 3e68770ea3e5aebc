//! The commands of a manifest: words with placeholders in braces, each of them known when the file is read.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What every command may name.
pub(super) const FOR_ALL: &[&str] = &["cc", "ar", "cargo", "jobs", "source"];

/// Commands that run one after the other, each a program with its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Commands(Vec<Vec<String>>);

impl Commands {
    /// Nothing to run.
    pub const NONE: Commands = Commands(Vec::new());

    /// Checks that no command is empty and that every placeholder is in `known`; `key` is where they stand in the file.
    pub fn validate(&self, key: &str, known: &[String]) -> Result<()> {
        ensure!(self.0.iter().all(|words| !words.is_empty()), "`{key}` has an empty command");
        for word in self.0.iter().flatten() {
            for name in placeholders(word).with_context(|| format!("`{key}`: `{word}`"))? {
                ensure!(
                    known.iter().any(|known| known == name),
                    "`{key}`: `{word}` names {{{name}}}; one of {{{}}} was expected",
                    known.join("}, {")
                );
            }
        }
        Ok(())
    }

    /// Whether any command names this placeholder.
    pub fn name(&self, placeholder: &str) -> bool {
        self.0.iter().flatten().any(|word| word.contains(&format!("{{{placeholder}}}")))
    }

    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All words as one text, for the key of what they build.
    pub fn text(&self) -> String {
        self.0.iter().map(|words| words.join("\0")).collect::<Vec<_>>().join("\n")
    }

    /// Program and arguments of each command with the values in place of the placeholders.
    pub fn filled(&self, values: &BTreeMap<String, String>) -> Vec<Vec<String>> {
        let fill = |word: &String| {
            values.iter().fold(word.clone(), |word, (name, value)| word.replace(&format!("{{{name}}}"), value))
        };
        self.0.iter().map(|words| words.iter().map(fill).collect()).collect()
    }
}

/// The names in braces. A brace that no lower-case letter follows is an ordinary character.
fn placeholders(word: &str) -> Result<Vec<&str>> {
    let starts = word.match_indices('{').map(|(at, _)| &word[at + 1..]);
    let names = starts.filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
    names.map(|rest| Ok(rest.split_once('}').context("a `{` has no `}`")?.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn commands(text: &str) -> Commands {
        #[derive(Deserialize)]
        struct File {
            commands: Commands,
        }
        parse::<File>(&format!("commands = {text}")).unwrap().commands
    }

    fn refusal(text: &str) -> String {
        let known = FOR_ALL.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        format!("{:#}", commands(text).validate("build.commands", &known).unwrap_err())
    }

    #[test]
    fn placeholders_get_their_values() {
        let values = [("cc", "ukl-cc"), ("jobs", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let filled = commands(r#"[["make", "-j{jobs}", "CC={cc}"], ["sh", "-c", "f() { :; }"]]"#);
        filled.validate("build.commands", &["cc".to_owned(), "jobs".to_owned()]).unwrap();
        assert_eq!(
            filled.filled(&values.into_iter().collect()),
            [vec!["make", "-j2", "CC=ukl-cc"], vec!["sh", "-c", "f() { :; }"]]
        );
    }

    #[test]
    fn an_unknown_placeholder_is_refused_with_the_known_ones() {
        insta::assert_snapshot!(
            refusal(r#"[["make", "-j{cpus}"]]"#),
            @"`build.commands`: `-j{cpus}` names {cpus}; one of {cc}, {ar}, {cargo}, {jobs}, {source} was expected"
        );
        insta::assert_snapshot!(refusal(r#"[["make", "CC={cc"]]"#), @"`build.commands`: `CC={cc`: a `{` has no `}`");
    }

    #[test]
    fn an_empty_command_is_refused() {
        insta::assert_snapshot!(refusal("[[]]"), @"`build.commands` has an empty command");
    }
}
