//! What a word on the command line asks for, decided from the names of all tests before anything is built or booted.

use super::suite::{Part, When};
use anyhow::{Error, Result};
use std::collections::BTreeSet;
use ukl_host::failure::Failure;
use ukl_repo::repo::nearest;

/// The first word of the names of unit tests.
pub const UNIT: &str = "unit";

/// A choice of tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// What runs without being asked for.
    Everything,
    /// Names that begin with this, whose first word is that of some names: `byb/smp2`, `order/`.
    Below(String),
    /// Names with this word between the slashes before the test's own name, a suite or an application, and unit tests that
    /// contain it: `redis`.
    Word(String),
    /// Names that contain this: `fork`.
    Containing(String),
}

impl Filter {
    /// What `text` asks for, of these parts.
    pub fn new<'a>(text: &str, parts: impl Iterator<Item = &'a Part> + Clone) -> Self {
        let head = text.split('/').next().unwrap_or_default();
        if text.is_empty() {
            Filter::Everything
        } else if parts.clone().any(|part| part.group() == head) {
            Filter::Below(if text == head { format!("{head}/") } else { text.to_owned() })
        } else if parts.clone().any(|part| has_word(part, text)) {
            Filter::Word(text.to_owned())
        } else {
            Filter::Containing(text.to_owned())
        }
    }

    /// The names of a part that are to run; with `quick` of those that `--quick` keeps.
    pub fn select(&self, part: &Part, quick: bool) -> Vec<String> {
        let asked = match (part.when, self) {
            (When::Default, _) | (When::Asked, Filter::Below(_)) => true,
            (When::Named, Filter::Below(start)) => start.starts_with(part.prefix.trim_end_matches('/')),
            _ => false,
        };
        let names = if quick { &part.quick } else { &part.names };
        names.iter().filter(|name| asked && self.matches(part, name)).cloned().collect()
    }

    fn matches(&self, part: &Part, name: &str) -> bool {
        match self {
            Filter::Everything => true,
            Filter::Below(start) => name.starts_with(start),
            Filter::Word(word) if part.group() == UNIT => name.contains(word),
            Filter::Word(word) => has_word(part, word),
            Filter::Containing(text) => name.contains(text),
        }
    }

    /// An error when nothing is to run: what was probably meant by `text`, or how what was meant is asked for.
    pub fn check<'a>(&self, text: &str, parts: impl Iterator<Item = &'a Part> + Clone, quick: bool) -> Result<()> {
        let selects = |quick| parts.clone().any(|part| !self.select(part, quick).is_empty());
        if selects(quick) {
            return Ok(());
        }
        if selects(false) {
            return Err(Failure::usage(
                format!("`--quick` leaves out every test that `{text}` asks for"),
                format!("`cargo xtask test {text}` without --quick"),
            ));
        }
        let mut names = parts.clone().flat_map(|part| part.names.iter().map(move |name| (part, name)));
        if let Some((_, name)) = names.find(|(part, name)| self.matches(part, name)) {
            return Err(Failure::usage(
                format!("what `{text}` names only runs when it is asked for from its first word on, such as {name}"),
                format!("`cargo xtask test {name}`"),
            ));
        }
        Err(unknown(text, parts))
    }
}

fn has_word(part: &Part, word: &str) -> bool {
    part.prefix.split('/').any(|known| known == word)
}

fn unknown<'a>(text: &str, parts: impl Iterator<Item = &'a Part> + Clone) -> Error {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for part in parts.clone() {
        known.extend(part.prefix.split('/').filter(|word| !word.is_empty()).map(str::to_owned));
        known.insert(part.prefix.clone());
        for name in &part.names {
            known.insert(name.clone());
            known.extend(name.rsplit(['/', ':']).next().map(str::to_owned));
        }
    }
    let meant = nearest(text, &known).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
    let groups: BTreeSet<String> = parts.map(|part| format!("{}/", part.group())).collect();
    let groups: Vec<_> = groups.into_iter().collect();
    Failure::usage(
        format!("no test's name contains `{text}`{meant}"),
        format!("`cargo xtask test --list` prints every name; names begin with {}", groups.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vmtest::SUITES;
    use ukl_repo::repo::Repo;

    fn parts() -> Vec<Part> {
        let repo = Repo::find().unwrap();
        let unit = vec!["unit/resp::tests::redis".to_owned(), "unit/cpio::tests::fork".to_owned()];
        let unit = Part {
            app: String::new(),
            level: None,
            cpus: 1,
            when: When::Default,
            prefix: "unit/".to_owned(),
            quick: unit.clone(),
            names: unit,
        };
        let suites = SUITES.iter().flat_map(|suite| suite.parts(&repo).unwrap());
        std::iter::once(unit).chain(suites).collect()
    }

    /// The prefixes of what is to run.
    fn prefixes(text: &str, quick: bool) -> Vec<String> {
        let parts = parts();
        let filter = Filter::new(text, parts.iter());
        let selected = parts.iter().filter(|part| !filter.select(part, quick).is_empty());
        selected.map(|part| part.prefix.clone()).collect()
    }

    fn names(text: &str) -> Vec<String> {
        let parts = parts();
        let filter = Filter::new(text, parts.iter());
        parts.iter().flat_map(|part| filter.select(part, false)).collect()
    }

    #[test]
    fn without_a_filter_what_is_not_asked_for_stays() {
        let all = prefixes("", false);
        for there in ["unit/", "byb/smp1/behaviour/", "ret/smp2/behaviour/", "linux/smp1/redis/", "differential/redis/"]
        {
            assert!(all.iter().any(|prefix| prefix == there), "{there}");
        }
        for absent in ["linux/smp1/behaviour/", "order/redis/", "userland/byb/", "packages/xz/byb/"] {
            assert!(!all.iter().any(|prefix| prefix == absent), "{absent}");
        }
    }

    #[test]
    fn a_filter_selects_machines_and_tests() {
        assert_eq!(prefixes("linux/smp1/behaviour/", false), ["linux/smp1/behaviour/"]);
        assert!(prefixes("byb/smp2/", false).iter().all(|prefix| prefix.starts_with("byb/smp2/")));
        assert_eq!(names("byb/smp1/redis/ping"), ["byb/smp1/redis/ping"]);
        let redis = prefixes("redis", false);
        assert!(redis.contains(&"unit/".to_owned()) && redis.contains(&"differential/redis/".to_owned()));
        assert!(redis.iter().all(|prefix| prefix == "unit/" || prefix.contains("/redis/")), "{redis:?}");
        assert!(
            !redis.contains(&"tools/byb/redis/".to_owned())
                && !names("redis").contains(&"unit/cpio::tests::fork".to_owned())
        );
        assert_eq!(prefixes("order/redis", false), ["order/redis/"]);
        assert!(prefixes("order", false).iter().all(|prefix| prefix.starts_with("order/")));
        assert!(prefixes("fork", false).contains(&"byb/smp1/behaviour/".to_owned()));
        let shortcut = names("differential/redis/shortcut/");
        assert!(!shortcut.is_empty() && shortcut.iter().all(|name| name.starts_with("differential/redis/shortcut/")));
        assert!(names("ret").iter().all(|name| name.starts_with("ret/")), "not those of ret-byb");
    }

    #[test]
    fn packages_run_at_the_default_level_or_at_the_one_that_is_named() {
        assert_eq!(prefixes("packages/xz", false), ["packages/xz/byb/"]);
        assert_eq!(prefixes("packages/xz/ret", false), ["packages/xz/ret/"]);
        assert_eq!(prefixes("packages/xz/ret-byb/", false), ["packages/xz/ret-byb/"]);
    }

    #[test]
    fn quick_keeps_the_default_level_with_the_fewest_cpus() {
        let quick = prefixes("", true);
        let expected = [
            "unit/",
            "byb/smp1/behaviour/",
            "compatibility/",
            "entry/",
            "byb/smp1/redis/",
            "byb/smp1/memcached/",
            "byb/smp2/hello-rs/",
            "byb/smp2/echo-rs/",
        ];
        assert_eq!(quick, expected);
        assert_eq!(prefixes("lean", true), ["lean/byb/redis/"]);
    }

    #[test]
    fn what_no_test_is_called_is_answered_with_the_nearest_name() {
        let parts = parts();
        let answer = |text: &str, quick| {
            let filter = Filter::new(text, parts.iter());
            filter.check(text, parts.iter(), quick).map_err(|error| error.to_string())
        };
        assert!(answer("byb/smp1/redis/ping", false).is_ok() && answer("", true).is_ok());
        insta::assert_snapshot!(answer("redsi", false).unwrap_err(), @"no test's name contains `redsi`; did you mean `redis`?");
        insta::assert_snapshot!(
            answer("byb/smp1/redis/pign", false).unwrap_err(),
            @"no test's name contains `byb/smp1/redis/pign`; did you mean `byb/smp1/redis/ping`?"
        );
        insta::assert_snapshot!(answer("poll/", false).unwrap_err(), @"no test's name contains `poll/`; did you mean `epoll`?");
        insta::assert_snapshot!(
            answer("memory-max", false).unwrap_err(),
            @"what `memory-max` names only runs when it is asked for from its first word on, such as userland/linux/memory-max"
        );
        insta::assert_snapshot!(
            answer("linux/smp1/redis/ping", true).unwrap_err(),
            @"`--quick` leaves out every test that `linux/smp1/redis/ping` asks for"
        );
    }
}
