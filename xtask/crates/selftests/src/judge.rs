//! Compares what became of the tests at one place with what became of them at level `linux`, and the differences with those
//! that the collection explains.

use crate::collection::{Collection, Difference, fits};
use crate::outcome::{Outcome, Results};
use std::collections::BTreeMap;

/// The results of the programs of a collection at one place, by `folder/program`.
pub(crate) type Record = BTreeMap<String, Results>;

/// One result at a place, beside that at `linux`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// `folder/program`, or `folder/program: case`.
    pub name: String,
    pub reference: Outcome,
    pub outcome: Outcome,
}

impl Pair {
    /// What passes at `linux` has to pass.
    pub(crate) fn differs(&self) -> bool {
        self.reference.passed() && !self.outcome.passed()
    }
}

/// Every result at a place beside the reference. A case counts by its number: its words may tell how it ended.
pub(crate) fn pairs(reference: &Record, record: &Record) -> Vec<Pair> {
    reference.iter().flat_map(|(name, expected)| of_program(name, expected, record.get(name))).collect()
}

fn of_program(name: &str, expected: &Results, found: Option<&Results>) -> Vec<Pair> {
    let lost = Results::only(Outcome::Missing);
    let found = found.unwrap_or(&lost);
    let mut pairs = of_cases(name, expected, found);
    if let (None, Some(line)) = (&expected.complaint, &found.complaint) {
        let outcome = Outcome::Failed(line.clone());
        pairs.push(Pair { name: format!("{name}: the kernel is quiet"), reference: Outcome::Passed, outcome });
    }
    pairs
}

fn of_cases(name: &str, expected: &Results, found: &Results) -> Vec<Pair> {
    let whole = |reference: Outcome, outcome: Outcome| Pair { name: name.to_owned(), reference, outcome };
    if expected.cases.is_empty() {
        return vec![whole(expected.program.clone(), found.program.clone())];
    }
    let mut pairs: Vec<Pair> = expected
        .cases
        .iter()
        .map(|case| Pair {
            name: format!("{name}: {}", case.name),
            reference: case.outcome.clone(),
            outcome: found
                .cases
                .iter()
                .find(|other| other.number == case.number)
                .map_or_else(|| absent(found), |other| other.outcome.clone()),
        })
        .collect();
    // The end of a program is a result of its own where no case tells of it.
    if expected.ends_as_its_cases() && !found.cases.is_empty() && !found.ends_as_its_cases() {
        pairs.push(whole(Outcome::Passed, found.program.clone()));
    }
    pairs
}

/// What became of a case that the program has not printed.
fn absent(found: &Results) -> Outcome {
    match &found.program {
        Outcome::Passed => Outcome::Missing,
        other => other.clone(),
    }
}

/// A place, and whether the tests are applications there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub name: &'a str,
    pub linked: bool,
}

/// What a comparison comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
    /// Differences with a reason.
    pub explained: usize,
    /// Differences without one.
    pub unexplained: Vec<Pair>,
    /// Patterns of the collection that no difference fits.
    pub vain: Vec<String>,
}

impl Verdict {
    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Skipped => self.skipped += 1,
            Outcome::Failed(_) | Outcome::Refused(_) | Outcome::Missing => self.failed += 1,
        }
    }

    fn explain(&mut self, pair: &Pair, patterns: &[&String]) {
        if patterns.iter().any(|pattern| fits(pattern, &pair.name)) {
            self.explained += 1;
        } else {
            self.unexplained.push(pair.clone());
        }
    }
}

impl Difference {
    fn is_about(&self, place: Place) -> bool {
        self.at.as_ref().map_or(place.linked, |places| places.iter().any(|name| name == place.name))
    }
}

/// Judges the reference: what fails has to have a reason, and what has one has to fail.
pub(crate) fn judge_reference(collection: &Collection, reference: &Record) -> Verdict {
    let pairs = pairs(reference, reference);
    let known = &collection.settings.fails_at_linux;
    let patterns: Vec<_> = known.iter().flat_map(|known| &known.tests).collect();
    let always = known.iter().filter(|known| !known.sometimes).flat_map(|known| &known.tests);
    let mut verdict = Verdict::default();
    for pair in &pairs {
        verdict.count(&pair.outcome);
        if !matches!(pair.outcome, Outcome::Passed | Outcome::Skipped) {
            verdict.explain(pair, &patterns);
        }
    }
    let fails = |pattern: &str| {
        pairs
            .iter()
            .any(|pair| matches!(pair.outcome, Outcome::Failed(_) | Outcome::Missing) && fits(pattern, &pair.name))
    };
    verdict.vain = always.filter(|pattern| !fails(pattern)).cloned().collect();
    verdict
}

/// Compares a record with the reference.
pub(crate) fn judge(collection: &Collection, place: Place, reference: &Record, record: &Record) -> Verdict {
    let pairs = pairs(reference, record);
    let about: Vec<_> = collection.settings.differences.iter().filter(|known| known.is_about(place)).collect();
    let patterns: Vec<_> = about.iter().flat_map(|known| &known.tests).collect();
    let mut verdict = Verdict::default();
    for pair in &pairs {
        verdict.count(&pair.outcome);
        if pair.differs() {
            verdict.explain(pair, &patterns);
        }
    }
    let always = about.iter().filter(|known| !known.sometimes).flat_map(|known| &known.tests);
    let vain = always.filter(|pattern| !pairs.iter().any(|pair| pair.differs() && fits(pattern, &pair.name)));
    verdict.vain = vain.cloned().collect();
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::Settings;
    use crate::outcome::{cases, of_status};
    use ukl_repo::config::parse;

    const RING0: Place = Place { name: "byb", linked: true };
    const PROCESS: Place = Place { name: "process", linked: false };

    fn results(status: i32, text: &str) -> Results {
        Results { program: of_status(status), cases: cases(text), said: String::new(), complaint: None }
    }

    fn record(programs: &[(&str, Results)]) -> Record {
        programs.iter().map(|(name, results)| ((*name).to_owned(), results.clone())).collect()
    }

    fn collection(differences: &str) -> Collection {
        let settings: Settings = parse(&format!("summary = 'x'\n[[folder]]\npath = 'ptrace'\n{differences}")).unwrap();
        Collection { name: "ptrace".to_owned(), settings }
    }

    fn shown(verdict: &Verdict) -> String {
        let Verdict { passed, failed, skipped, explained, unexplained, vain } = verdict;
        let unexplained: Vec<_> = unexplained.iter().map(|pair| format!("{}: {}", pair.name, pair.outcome)).collect();
        format!("{passed} {failed} {skipped}, {explained} explained, {unexplained:?}, vain {vain:?}")
    }

    #[test]
    fn what_passes_at_linux_has_to_pass() {
        let reference = record(&[
            ("ptrace/a", results(0, "")),
            ("ptrace/b", results(1, "")),
            ("ptrace/c", results(0, "ok 1 x took 5000\nok 2 y\n")),
        ]);
        let same = record(&[
            ("ptrace/a", results(0, "")),
            ("ptrace/b", results(0, "")),
            ("ptrace/c", results(0, "ok 1 x took 6000\nok 2 y\n")),
        ]);
        insta::assert_snapshot!(shown(&judge(&collection(""), RING0, &reference, &same)), @"4 0 0, 0 explained, [], vain []");
        let other = record(&[
            ("ptrace/a", results(4, "")),
            ("ptrace/b", results(1, "")),
            ("ptrace/c", results(139, "ok 1 x took 6000\n")),
        ]);
        insta::assert_snapshot!(
            shown(&judge(&collection(""), RING0, &reference, &other)),
            @r#"1 3 1, 0 explained, ["ptrace/a: skipped", "ptrace/c: y: failed (signal 11)", "ptrace/c: failed (signal 11)"], vain []"#
        );
    }

    #[test]
    fn a_complaint_of_the_kernel_is_a_difference_even_where_the_test_fails_at_linux() {
        let reference = record(&[("ptrace/a", results(1, ""))]);
        let complaint = Some("BUG: x".to_owned());
        let loud = record(&[("ptrace/a", Results { complaint, ..results(1, "") })]);
        insta::assert_snapshot!(
            shown(&judge(&collection(""), PROCESS, &reference, &loud)),
            @r#"0 2 0, 0 explained, ["ptrace/a: the kernel is quiet: failed (BUG: x)"], vain []"#
        );
        assert!(judge(&collection(""), PROCESS, &loud, &loud).unexplained.is_empty());
    }

    #[test]
    fn what_fails_at_linux_has_a_reason() {
        let known = "[[fails_at_linux]]\ntests = ['ptrace/a', 'ptrace/b']\nreason = 'because it is so'";
        let reference =
            record(&[("ptrace/a", results(1, "")), ("ptrace/b", results(0, "")), ("ptrace/c", results(1, ""))]);
        insta::assert_snapshot!(
            shown(&judge_reference(&collection(known), &reference)),
            @r#"1 2 0, 1 explained, ["ptrace/c: failed (status 1)"], vain ["ptrace/b"]"#
        );
    }

    #[test]
    fn a_difference_is_explained_where_it_occurs_and_nowhere_else() {
        let known = "[[difference]]\ntests = ['ptrace/a']\nreason = 'because it is so'";
        let reference = record(&[("ptrace/a", results(0, ""))]);
        let fails = record(&[("ptrace/a", results(1, ""))]);
        let verdict = judge(&collection(known), RING0, &reference, &fails);
        insta::assert_snapshot!(shown(&verdict), @"0 1 0, 1 explained, [], vain []");
        let verdict = judge(&collection(known), RING0, &reference, &reference);
        insta::assert_snapshot!(shown(&verdict), @r#"1 0 0, 0 explained, [], vain ["ptrace/a"]"#);
        let sometimes = format!("{known}\nsometimes = true");
        let verdict = judge(&collection(&sometimes), RING0, &reference, &reference);
        insta::assert_snapshot!(shown(&verdict), @"1 0 0, 0 explained, [], vain []");
        let verdict = judge(&collection(known), PROCESS, &reference, &fails);
        insta::assert_snapshot!(shown(&verdict), @r#"0 1 0, 0 explained, ["ptrace/a: failed (status 1)"], vain []"#);
    }
}
