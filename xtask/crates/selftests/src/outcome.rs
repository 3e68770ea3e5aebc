//! What a selftest says of itself: by its exit status, and by lines of TAP.

use regex::Regex;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The exit status of a test that cannot run here (`KSFT_SKIP` of tools/testing/selftests/kselftest.h).
const SKIP: i32 = 4;

/// What became of a test or of one of its cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Skipped,
    /// With what there is to say of it.
    Failed(String),
    /// It was not run in ring 0, because the audit refuses the program: its first reason.
    Refused(String),
    /// The program ended before it came to this case.
    Missing,
}

impl Outcome {
    pub(crate) fn passed(&self) -> bool {
        *self == Outcome::Passed
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::Passed => f.write_str("passed"),
            Outcome::Skipped => f.write_str("skipped"),
            Outcome::Failed(why) => write!(f, "failed ({why})"),
            Outcome::Refused(why) => write!(f, "refused ({why})"),
            Outcome::Missing => f.write_str("not reached"),
        }
    }
}

/// A line of TAP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    /// Its number, and how many lines before it had the same: a program that forks may print a number twice.
    pub number: (u32, usize),
    pub name: String,
    pub outcome: Outcome,
}

/// What became of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Results {
    /// Of the program as a whole.
    pub program: Outcome,
    /// Of its cases, in their order. Empty when it reports none.
    pub cases: Vec<Case>,
    /// The end of what it printed.
    pub said: String,
    /// What the kernel complained of meanwhile.
    pub complaint: Option<String>,
}

impl Results {
    /// A program that came to no result of its own.
    pub(crate) fn only(program: Outcome) -> Self {
        Results { program, cases: vec![], said: String::new(), complaint: None }
    }

    /// Whether the program ended as its cases say.
    pub(crate) fn ends_as_its_cases(&self) -> bool {
        let failed = self.cases.iter().any(|case| !matches!(case.outcome, Outcome::Passed | Outcome::Skipped));
        matches!(&self.program, Outcome::Failed(_)) == failed
    }
}

/// What an exit status says.
pub(crate) fn of_status(status: i32) -> Outcome {
    match status {
        0 => Outcome::Passed,
        SKIP => Outcome::Skipped,
        // Signals have the numbers 1 to 64; `return -1` is status 255.
        129..=192 => Outcome::Failed(format!("signal {}", status - 128)),
        _ => Outcome::Failed(format!("status {status}")),
    }
}

/// The cases among the lines that a program printed: `ok 1 name`, `not ok 2 name # SKIP reason`.
///
/// What a program has printed before without a line break may stand in front.
pub(crate) fn cases(text: &str) -> Vec<Case> {
    static CASE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?:^|[^# ].*?)\b(not )?ok (\d+)\s*(?:- )?([^#]*?)\s*(?:# *([A-Za-z]*)(.*))?$").expect("valid")
    });
    let (mut seen, mut numbers) = (BTreeMap::new(), BTreeMap::new());
    let mut cases = Vec::new();
    for found in text.lines().filter_map(|line| CASE.captures(line.trim_end())) {
        let remark = found.get(4).map_or("", |word| word.as_str()).to_uppercase();
        let outcome = match (found.get(1).is_some(), remark.as_str()) {
            (_, "SKIP" | "XFAIL" | "TODO") => Outcome::Skipped,
            (false, _) => Outcome::Passed,
            (true, _) => Outcome::Failed("not ok".to_owned()),
        };
        let name = match found[3].trim() {
            "" => found.get(5).map_or("", |rest| rest.as_str()).trim(),
            name => name,
        };
        let name = constant(name);
        let count = seen.entry(name.clone()).and_modify(|count| *count += 1).or_insert(1);
        let name = if *count == 1 { name } else { format!("{name} ({count})") };
        let Ok(number) = found[2].parse() else { continue };
        let times = numbers.entry(number).and_modify(|times| *times += 1).or_insert(0_usize);
        cases.push(Case { number: (number, *times), name, outcome });
    }
    cases
}

/// A name without what is another in each run: addresses, numbers of processes, times.
fn constant(name: &str) -> String {
    static VARIABLE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"0x[0-9a-fA-F]+|\d{4,}").expect("valid"));
    VARIABLE.replace_all(name, "N").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_became_of_a_test() {
        assert_eq!(of_status(0), Outcome::Passed);
        assert_eq!(of_status(4), Outcome::Skipped);
        assert_eq!(of_status(1), Outcome::Failed("status 1".to_owned()));
        assert_eq!(of_status(255), Outcome::Failed("status 255".to_owned()));
        assert_eq!(of_status(139), Outcome::Failed("signal 11".to_owned()));
    }

    #[test]
    fn cases_are_read_from_tap() {
        let text = "TAP version 13\n1..5\n#  RUN           global.kcmp ...\nok 1 global.kcmp\nnot ok 2 - of pid 12345\n\
                    ok 3 # SKIP no swap\nok 4 x # XFAIL known\n  ok 5 indented\nDiff too high: 24..not ok 5 x\n#  OK  a\n# Totals: pass:1\n";
        let shown = |case: &Case| format!("{} {}: {}\n", case.number.0, case.name, case.outcome);
        let shown: String = cases(text).iter().map(shown).collect();
        insta::assert_snapshot!(shown, @r"
        1 global.kcmp: passed
        2 of pid N: failed (not ok)
        3 no swap: skipped
        4 x: skipped
        5 x (2): failed (not ok)
        ");
    }

    #[test]
    fn an_end_that_no_case_explains_is_seen() {
        let results = |program: i32, text: &str| Results {
            program: of_status(program),
            cases: cases(text),
            said: String::new(),
            complaint: None,
        };
        assert!(results(0, "ok 1 a").ends_as_its_cases());
        assert!(results(1, "not ok 1 a").ends_as_its_cases());
        assert!(!results(139, "ok 1 a").ends_as_its_cases());
        assert!(!results(0, "not ok 1 a").ends_as_its_cases());
    }
}
