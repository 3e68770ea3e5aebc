//! Outcomes, counted and printed as they come, and held against what was declared: what `--list` prints is what runs.

use super::suite::Part;
use anyhow::Result;
use std::collections::BTreeSet;
use ukl_host::interrupt;
use ukl_vm::vm::Vm;

/// Counts outcomes and prints each as it comes.
#[derive(Debug)]
pub struct Tally {
    /// Where lines go.
    print: fn(&str),
    /// Every name of the part that runs.
    declared: BTreeSet<String>,
    /// Those that are to run and have not run yet.
    missing: BTreeSet<String>,
    /// Those that are to run.
    wanted: BTreeSet<String>,
    pub passed: usize,
    pub failed: usize,
}

impl Default for Tally {
    /// Counts from zero and prints to standard output.
    fn default() -> Self {
        let nothing = BTreeSet::new;
        Tally {
            print: |line| println!("{line}"),
            declared: nothing(),
            missing: nothing(),
            wanted: nothing(),
            passed: 0,
            failed: 0,
        }
    }
}

impl Tally {
    /// A part begins, of which `wanted` are to run.
    pub fn begin(&mut self, part: &Part, wanted: &[String]) {
        self.declared = part.names.iter().cloned().collect();
        self.wanted = wanted.iter().cloned().collect();
        self.missing.clone_from(&self.wanted);
    }

    /// A part has ended. What was to run and has not, though no machine failed and nobody interrupted it, fails.
    pub fn end(&mut self) {
        for name in std::mem::take(&mut self.missing) {
            if !interrupt::requested() {
                self.count(&name, false, "declared, and did not run: the suite's list and what it runs differ");
            }
        }
    }

    /// Whether the test is to be run.
    pub fn wants(&self, name: &str) -> bool {
        self.wanted.contains(name)
    }

    /// Prints and counts one outcome; `compared` says what was compared with what. A test that is not to be run is left
    /// out; one that its suite does not declare fails.
    pub fn add(&mut self, name: &str, passed: bool, compared: &str) {
        self.missing.remove(name);
        if self.wanted.contains(name) {
            self.count(name, passed, compared);
        } else if !self.declared.contains(name) {
            self.count(name, false, &format!("ran, and its suite does not declare it; it said: {compared}"));
        }
    }

    fn count(&mut self, name: &str, passed: bool, compared: &str) {
        let word = if passed { "ok  " } else { "FAIL" };
        (self.print)(&format!("{word} {name}: {compared}"));
        if passed { self.passed += 1 } else { self.failed += 1 }
    }

    /// Counts a check whose error is the comparison that failed.
    pub fn check(&mut self, name: &str, outcome: Result<String>) {
        match outcome {
            Ok(compared) => self.add(name, true, &compared),
            Err(error) => self.add(name, false, &format!("{error:#}").replace('\n', "; ")),
        }
    }

    /// Counts a machine that failed before all of its tests could be run: one failed test, `byb/smp1/redis/machine`, which is
    /// in no list. The tests below `prefix` that have not run yet are not counted.
    pub fn broke(&mut self, prefix: &str, error: &anyhow::Error) {
        self.missing.retain(|name| !name.starts_with(prefix));
        self.count(&format!("{prefix}machine"), false, &format!("{error:#}").replace('\n', "; "));
    }

    /// Says why a test cannot run on this machine; it is neither passed nor failed.
    pub fn skip(&mut self, name: &str, reason: &str) {
        if self.missing.remove(name) {
            (self.print)(&format!("not run: {name}, for {reason}"));
        }
    }

    /// The test that ends each machine: its kernel complained about nothing.
    pub fn kernel_is_quiet(&mut self, prefix: &str, vm: &mut Vm) {
        let outcome = vm.check_kernel().map(|()| "no warning, oops or panic on the console".to_owned());
        self.check(&format!("{prefix}kernel-is-quiet"), outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vmtest::suite::When;

    fn begun(wanted: &[&str]) -> Tally {
        let names = ["a/one", "a/two"].map(str::to_owned).to_vec();
        let part = Part {
            app: String::new(),
            level: None,
            cpus: 1,
            when: When::Default,
            prefix: "a/".to_owned(),
            quick: names.clone(),
            names,
        };
        let mut tally = Tally { print: |_| {}, ..Tally::default() };
        tally.begin(&part, &wanted.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        tally
    }

    #[test]
    fn what_is_not_wanted_is_not_counted() {
        let mut tally = begun(&["a/one"]);
        assert!(tally.wants("a/one") && !tally.wants("a/two"));
        tally.add("a/one", true, "");
        tally.add("a/two", false, "");
        tally.end();
        assert_eq!((tally.passed, tally.failed), (1, 0));
    }

    #[test]
    fn a_test_that_is_not_declared_fails() {
        let mut tally = begun(&["a/one"]);
        tally.add("a/one", true, "");
        tally.add("a/three", true, "");
        tally.end();
        assert_eq!((tally.passed, tally.failed), (1, 1));
    }

    #[test]
    fn a_declared_test_that_did_not_run_fails_unless_its_machine_did_or_it_cannot() {
        let mut tally = begun(&["a/one", "a/two"]);
        tally.add("a/one", true, "");
        tally.end();
        assert_eq!((tally.passed, tally.failed), (1, 1));
        let mut tally = begun(&["a/one", "a/two"]);
        tally.broke("a/", &anyhow::anyhow!("no boot"));
        tally.end();
        assert_eq!((tally.passed, tally.failed), (0, 1));
        let mut tally = begun(&["a/two"]);
        tally.skip("a/two", "want of a tool");
        tally.end();
        assert_eq!((tally.passed, tally.failed), (0, 0));
    }
}
