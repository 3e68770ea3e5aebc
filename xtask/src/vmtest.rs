//! Tests that need a machine: one boot per level and number of CPUs, and all tests in it.

mod behaviour;
mod differential;
mod echo;
mod entry;
mod faults;
mod hello;
mod lean;
mod memcached;
mod order;
mod packages;
mod parties;
mod programs;
mod redis;
mod requests;
mod robustness;
mod security;
mod server;
mod together;
mod tools;
mod userland;

use crate::ctx::Ctx;
use crate::vm::{Vm, interrupt};
use anyhow::Result;

/// Whose machines there are: the third part of a test's name. As a filter, one of them boots no other's machines.
const SUITES: &[&str] = &["behaviour", "redis", "memcached", "hello-rs", "echo-rs", "together", "parties"];

/// What the names of tests begin with.
const GROUPS: [&str; 21] = [
    "unit",
    "nix",
    "linux",
    "base",
    "byb",
    "ret",
    "ret-byb",
    "shortcut",
    "differential",
    "order",
    "lean",
    "reproduce",
    "packages",
    "programs",
    "userland",
    "tools",
    "security",
    "compatibility",
    "entry",
    "faults",
    "robustness",
];

/// Counts outcomes and prints each as it comes.
#[derive(Debug)]
pub struct Tally {
    filter: String,
    pub passed: usize,
    pub failed: usize,
}

impl Tally {
    /// Only tests whose names contain `filter` count; what names a whole group means that group and no other.
    pub fn new(filter: &str) -> Self {
        let end = if GROUPS.contains(&filter) { "/" } else { "" };
        Tally { filter: format!("{filter}{end}"), passed: 0, failed: 0 }
    }

    /// Whether the test is to be run.
    pub fn wants(&self, name: &str) -> bool {
        name.contains(&self.filter)
    }

    /// Whether a test below `prefix` may be wanted, so that a machine is worth booting: the filter names the group, or
    /// something inside it that only the group's own list can tell.
    pub fn wants_group(&self, prefix: &str) -> bool {
        let first = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
        if SUITES.contains(&self.filter.as_str()) {
            return prefix == "unit/" || prefix.ends_with(&format!("/{}/", self.filter));
        }

        // A group by itself, such as `order`, is what its tests' names begin with; nothing else is booted for it.
        if GROUPS.contains(&self.filter.as_str()) {
            return first(prefix) == self.filter;
        }
        match self.filter.split_once('/') {
            Some((head, _)) if GROUPS.contains(&head) => {
                first(prefix) == head && (prefix.starts_with(&self.filter) || self.filter.starts_with(prefix))
            }
            _ => true,
        }
    }

    /// Whether the filter itself has this text in it.
    pub fn asks_for(&self, text: &str) -> bool {
        self.filter.contains(text)
    }

    /// Prints and counts one outcome; `compared` says what was compared with what.
    pub fn add(&mut self, name: &str, passed: bool, compared: &str) {
        if !self.wants(name) {
            return;
        }
        let word = if passed { "ok  " } else { "FAIL" };
        println!("{word} {name}: {compared}");
        if passed { self.passed += 1 } else { self.failed += 1 }
    }

    /// Counts a check whose error is the comparison that failed.
    pub fn check(&mut self, name: &str, outcome: Result<String>) {
        match outcome {
            Ok(compared) => self.add(name, true, &compared),
            Err(error) => self.add(name, false, &format!("{error:#}").replace('\n', "; ")),
        }
    }

    /// The test that ends each machine: its kernel complained about nothing.
    pub fn kernel_is_quiet(&mut self, prefix: &str, vm: &mut Vm) {
        let outcome = vm.poll().and_then(|()| match vm.trouble() {
            None => Ok("no warning, oops or panic on the console".to_owned()),
            Some(line) => Err(vm.failure(format!("the console said: {line}"))),
        });
        self.check(&format!("{prefix}kernel-is-quiet"), outcome);
    }
}

/// Runs every machine's tests. `quick` keeps level byb with one CPU. The behaviour tests hold for an ordinary process
/// too; that reference is run when the filter asks for it (`linux/smp1/behaviour/`), for it never changes.
pub fn run(ctx: &Ctx, quick: bool, tally: &mut Tally) -> Result<()> {
    if tally.filter.starts_with("linux/") {
        behaviour::run(ctx, "linux", 1, tally)?;
    }
    for (level, cpus) in [("base", 1), ("byb", 1), ("base", 2), ("byb", 2), ("ret", 2), ("ret-byb", 2), ("shortcut", 2)]
    {
        if (!quick || (level == "byb" && cpus == 1)) && !interrupt::requested() {
            behaviour::run(ctx, level, cpus, tally)?;
        }
    }
    // Of the kernel that is built for the machines above.
    if tally.wants("compatibility/table") && tally.wants_group("compatibility/") {
        tally.check("compatibility/table", crate::compatibility::test(ctx));
    }
    if !interrupt::requested() {
        entry::run(ctx, tally);
    }
    for level in ["linux", "base", "byb", "shortcut"] {
        if (!quick || level == "byb") && !interrupt::requested() {
            redis::run(ctx, level, tally);
        }
    }
    // Its threads run at once only where there is more than one CPU.
    for (level, cpus) in [("byb", 1), ("linux", 2), ("base", 2), ("byb", 2), ("shortcut", 2)] {
        if (!quick || (level == "byb" && cpus == 1)) && !interrupt::requested() {
            memcached::run(ctx, level, cpus, tally);
        }
    }
    for level in ["linux", "base", "byb", "ret", "ret-byb", "shortcut"] {
        if (!quick || level == "byb") && !interrupt::requested() {
            hello::run(ctx, level, 2, tally);
            echo::run(ctx, level, 2, tally);
        }
    }
    for level in ["linux", "base", "byb", "shortcut"] {
        if !quick && !interrupt::requested() {
            together::run(ctx, level, tally);
        }
    }
    for level in ["linux", "base", "byb", "shortcut"] {
        if !quick && !interrupt::requested() {
            parties::run(ctx, level, tally);
        }
    }
    if !quick && !interrupt::requested() {
        differential::run(ctx, tally)?;
    }
    // Counting executes one instruction after the other: minutes, so only when asked for.
    if tally.filter.starts_with("order") {
        order::run(ctx, tally)?;
        requests::run(ctx, tally)?;
    }
    // Two more kernels, so only when asked for.
    if tally.filter.starts_with("lean") {
        for level in ["linux", "byb"] {
            if (!quick || level == "byb") && !interrupt::requested() {
                lean::run(ctx, level, tally);
            }
        }
    }
    // Builds programs of others, so only when asked for.
    if tally.filter.starts_with("packages") {
        packages::run(ctx, tally)?;
    }
    // Kernels on another footing, and a Debian: only when asked for.
    if tally.filter.starts_with("tools") {
        for level in ["linux", "base", "byb", "shortcut"] {
            if (!quick || level == "byb") && !interrupt::requested() {
                tools::run(ctx, level, tally);
            }
        }
    }
    // Links two images for each level.
    if tally.filter.starts_with("programs") {
        programs::run(ctx, tally)?;
    }
    // Boots a distribution on a kernel of its own.
    if tally.filter.starts_with("userland") {
        for level in ["linux", "base", "byb", "shortcut"] {
            userland::run(ctx, level, tally);
        }
    }
    // Boots one machine fifty times.
    if tally.filter.starts_with("faults") {
        faults::run(ctx, "byb", tally);
    }
    // Builds again and again what it kills.
    if tally.filter.starts_with("robustness") {
        robustness::run(ctx, tally)?;
    }
    // On the kernel of the distribution, for its boundaries.
    if tally.filter.starts_with("security") {
        for level in ["base", "byb", "shortcut"] {
            if (!quick || level == "byb") && !interrupt::requested() {
                security::run(ctx, level, tally);
            }
        }
    }
    anyhow::ensure!(!interrupt::requested(), "interrupted after {} tests", tally.passed + tally.failed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_selects_machines_and_tests() {
        let tally = Tally::new("byb/smp2/");
        assert!(tally.wants_group("byb/smp2/behaviour/"));
        assert!(!tally.wants_group("byb/smp1/behaviour/") && !tally.wants_group("unit/"));
        assert!(tally.wants("byb/smp2/redis/ping") && !tally.wants("base/smp2/redis/ping"));
        assert!(Tally::new("redis").wants_group("byb/smp1/redis/") && Tally::new("redis").wants_group("unit/"));
        assert!(!Tally::new("redis").wants_group("byb/smp2/behaviour/"));
        assert!(Tally::new("order").wants_group("order/redis/") && !Tally::new("order").wants_group("byb/smp1/redis/"));
        assert!(Tally::new("fork").wants_group("byb/smp1/behaviour/"));
        assert!(Tally::new("byb/smp1/redis/ping").wants_group("byb/smp1/redis/"));
        assert!(!Tally::new("byb/smp1/redis/ping").wants_group("byb/smp1/behaviour/"));
        let shortcut = Tally::new("differential/redis/shortcut/");
        assert!(shortcut.wants_group("differential/redis/") && !shortcut.wants_group("differential/memcached/"));
        assert!(Tally::new("redis").wants_group("differential/redis/"));
        assert!(!Tally::new("shortcut").wants_group("differential/redis/"));
        let order = Tally::new("order");
        assert!(order.wants_group("order/microbench/") && !order.wants_group("byb/smp1/behaviour/"));
        assert!(order.wants("order/microbench/fork") && !order.wants("byb/smp1/behaviour/orderly"));
    }
}
