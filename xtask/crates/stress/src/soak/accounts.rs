//! What the guest says its processors did: do the parts add up to the time that there was?

use anyhow::{Context, Result, ensure};
use std::fmt::Write;
use ukl_guest::userland::WaysIn;

/// Ticks of /proc a second (USER_HZ).
const TICKS: f64 = 100.0;

/// Prints the time since the start, the number of CPUs, the first line of /proc/stat, and the sum over all processes of the
/// time that they and their ended children were on a CPU, user and system. A process's name may have spaces and brackets.
const SCRIPT: &str = "cut -d' ' -f1 /proc/uptime; nproc; head -1 /proc/stat; \
                      cat /proc/[0-9]*/stat 2>/dev/null | sed 's/.*) //' | \
                      awk '{own += $12 + $14; kernel += $13 + $15} END {printf \"%.0f %.0f\\n\", own, kernel}'";

/// A moment's accounts, in seconds; each sums over all CPUs, but for the uptime.
#[derive(Clone, Debug, PartialEq)]
pub struct Accounts {
    uptime: f64,
    cpus: f64,
    /// The processes' own, kernel threads among them, from /proc/PID/stat.
    processes: Times,
    /// The same as the system's sum, from /proc/stat, nice time with user time.
    system: Times,
    idle: f64,
    waiting: f64,
    interrupts: f64,
    softirqs: f64,
    stolen: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Times {
    user: f64,
    system: f64,
}

impl Accounts {
    /// Reads them in the guest.
    pub fn read(ways: &WaysIn) -> Result<Self> {
        Self::parse(&ways.run(SCRIPT)?)
    }

    /// Reads what the script printed.
    pub fn parse(text: &str) -> Result<Self> {
        let numbers = text.split_whitespace().filter(|word| *word != "cpu");
        let numbers: Vec<f64> =
            numbers.map(str::parse).collect::<Result<_, _>>().with_context(|| format!("{text:?}"))?;
        // The ten of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal, guest and guest_nice, see proc(5).
        let [uptime, cpus, user, nice, system, idle, waiting, irq, softirq, steal, _, _, own, own_system] = numbers[..]
        else {
            anyhow::bail!("the guest's accounts are {text:?}; uptime, CPUs, /proc/stat and two sums were expected");
        };
        Ok(Accounts {
            uptime,
            cpus,
            processes: Times { user: own / TICKS, system: own_system / TICKS },
            system: Times { user: (user + nice) / TICKS, system: system / TICKS },
            idle: idle / TICKS,
            waiting: waiting / TICKS,
            interrupts: irq / TICKS,
            softirqs: softirq / TICKS,
            stolen: steal / TICKS,
        })
    }

    /// Where the time since `before` went: name and seconds. The processes come first, then what is no process's.
    fn parts(&self, before: &Accounts) -> [(&'static str, f64); 7] {
        [
            ("processes, user", self.processes.user - before.processes.user),
            ("processes, system", self.processes.system - before.processes.system),
            ("interrupts", self.interrupts - before.interrupts),
            ("softirqs", self.softirqs - before.softirqs),
            ("idle", self.idle - before.idle),
            ("waiting for disks", self.waiting - before.waiting),
            ("stolen", self.stolen - before.stolen),
        ]
    }

    /// The time that the CPUs had since `before`.
    fn available(&self, before: &Accounts) -> f64 {
        (self.uptime - before.uptime) * self.cpus
    }

    /// The parts, one a line, and the two sums of /proc/stat that `top` shows beside them.
    pub fn table(&self, before: &Accounts) -> String {
        let available = self.available(before);
        let mut text = String::new();
        let mut line = |name: &str, seconds: f64| {
            let _ = writeln!(text, "  {name:<28} {seconds:>9.2} s {:>6.2} %", seconds * 100.0 / available);
        };
        for (name, seconds) in self.parts(before) {
            line(name, seconds);
        }
        line("all of these", self.sum(before));
        line("user in /proc/stat", self.system.user - before.system.user);
        line("system in /proc/stat", self.system.system - before.system.system);
        line("time of all CPUs", available);
        text
    }

    fn sum(&self, before: &Accounts) -> f64 {
        self.parts(before).iter().map(|(_, seconds)| seconds).sum()
    }

    /// Whether the parts add up to the time that there was, to within this many percent. The kernel counts at its ticks: with
    /// more CPUs than its `host` has, one of them is always not running and misses some, so less is no mistake then.
    pub fn check(&self, before: &Accounts, host: usize, tolerance_percent: f64) -> Result<String> {
        let (sum, available) = (self.sum(before), self.available(before));
        let percent = (sum - available) * 100.0 / available;
        let text = format!(
            "{sum:.2} s of processes, interrupts and idle time in {available:.2} s of CPU time, {percent:+.2} %"
        );
        if percent < 0.0 && self.cpus > host as f64 {
            return Ok(format!("{text}; ticks are missed on a host with {host} CPUs"));
        }
        ensure!(percent.abs() <= tolerance_percent, "{text}; at most {tolerance_percent} % were expected");
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "100.00\n2\ncpu  1000 0 2000 15000 0 500 700 0 0 0\n900 1800\n";
    const AFTER: &str = "200.00\n2\ncpu  4000 100 8000 22000 100 1500 2700 0 0 0\n4100 7900\n";

    #[test]
    fn the_parts_are_shown_with_their_share() {
        let (before, after) = (Accounts::parse(BEFORE).unwrap(), Accounts::parse(AFTER).unwrap());
        insta::assert_snapshot!(after.table(&before));
        insta::assert_snapshot!(
            after.check(&before, 2, 5.0).unwrap(),
            @"194.00 s of processes, interrupts and idle time in 200.00 s of CPU time, -3.00 %"
        );
        assert!(after.check(&before, 2, 2.0).unwrap_err().to_string().contains("at most 2 % were expected"));
        assert!(after.check(&before, 1, 2.0).unwrap().contains("ticks are missed on a host with 1 CPUs"));
    }

    #[test]
    fn what_is_no_account_is_shown() {
        assert!(Accounts::parse("100 2 cpu 1").unwrap_err().to_string().contains("cpu 1"));
    }
}
