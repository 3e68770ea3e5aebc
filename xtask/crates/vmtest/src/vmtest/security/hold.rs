//! What holds for an application as it does for every process: precautions at its start, restrictions, the audit, lockdown.

use super::{Besieged, INTRUDER, STUB};
use anyhow::{Context, Result, ensure};

type Test = (&'static str, fn(&mut Besieged) -> Result<String>);

/// In this order: lockdown stays until the machine ends.
pub(super) const TESTS: &[Test] = &[
    ("no-page-is-writable-and-executable", pages),
    ("secure-mode", secure_mode),
    ("personality", personality),
    ("preloaded-library", preload),
    ("landlock", |guest| restricted(guest, "landlock")),
    ("seccomp", |guest| restricted(guest, "seccomp")),
    ("capabilities", |guest| restricted(guest, "capabilities")),
    ("audit", audit),
    ("lockdown", lockdown),
];

/// The kernel has looked at its own page tables, the application's text among them, at the end of its boot.
fn pages(guest: &mut Besieged) -> Result<String> {
    let said = guest.run("dmesg | grep 'Checked W+X mappings'")?;
    ensure!(said.contains("passed, no W+X pages found"), "the kernel says {said:?}");
    Ok(format!("what the kernel says of its pages with `passed`: {said}"))
}

/// AT_SECURE of auxv(5) says that the starter has fewer rights than the program.
fn secure_mode(guest: &mut Besieged) -> Result<String> {
    let mut of = |name: &str| -> Result<String> {
        let pid = guest.names.iter().find(|(known, _)| *known == name).context("a process")?.1.clone();
        let text = guest.run(&format!("chroot /debian od -An -v -t u8 -w16 /proc/{pid}/auxv"))?;
        let words = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let entry = words.filter(|words| words.first() == Some(&"23")).find_map(|words| words.get(1).copied());
        Ok(entry.with_context(|| format!("no AT_SECURE in {text:?}"))?.to_owned())
    };
    let (mine, roots) = (of("{mine}")?, of("{roots}")?);
    ensure!(
        mine == "1" && roots == "0",
        "AT_SECURE is {mine} for the user's and {roots} for root's; 1 and 0 were expected"
    );
    Ok("AT_SECURE of the user's with 1, of root's with 0".to_owned())
}

/// Nobody chooses for it that its data can be executed, or where it lies.
fn personality(guest: &mut Besieged) -> Result<String> {
    let mut of = |command: &str, ready: &str| -> Result<String> {
        let start = format!("{INTRUDER} --as user start personality {command} >/tmp/personality.log 2>&1 & starter=$!");
        let wait = |until: &str| format!("for try in $(seq 100); do {until} && break; usleep 100000; done");
        let child = wait("child=$(echo $(cat /proc/$starter/task/$starter/children 2>/dev/null)) && [ -n \"$child\" ]");
        let ready = wait(ready);
        let text = guest.run(&format!(
            "{start}; {child}; {ready}; tail -n 3 /tmp/personality.log; cat /proc/$child/personality; kill $child"
        ))?;
        Ok(text.lines().last().unwrap_or_default().to_owned())
    };
    let linked =
        of(&format!("{STUB} --port 7003 --dir /tmp --save ''"), "grep -q 'Ready to accept' /tmp/personality.log")?;
    let ordinary = of("/bin/busybox sleep 100", "grep -q sleep /proc/$child/cmdline")?;
    ensure!(
        linked == "00000000" && ordinary == "00040000",
        "/proc/PID/personality is {linked} for the application and {ordinary} for an ordinary program; 00000000 and \
         00040000 were expected"
    );
    Ok("the personality of the application with 0, of an ordinary program with ADDR_NO_RANDOMIZE".to_owned())
}

/// There is no dynamic linker to ask for a library.
fn preload(guest: &mut Besieged) -> Result<String> {
    const COMPLAINT: &str = "cannot be preloaded";

    let linked =
        guest.run(&format!("LD_PRELOAD=/nowhere.so {INTRUDER} --as user start plain {STUB} --version 2>&1"))?;
    let ordinary = guest.run("chroot /debian env LD_PRELOAD=/nowhere.so /bin/true 2>&1")?;
    ensure!(linked.ends_with("done") && !linked.contains(COMPLAINT), "LD_PRELOAD gives {linked:?}");
    ensure!(ordinary.contains(COMPLAINT), "an ordinary program says {ordinary:?} to LD_PRELOAD");
    Ok("the dynamic linker's complaint with the application's silence".to_owned())
}

/// Redis opens its log, and then ends because its port is taken.
fn restricted(guest: &mut Besieged, by: &str) -> Result<String> {
    const TAKEN: &str = "Failed listening on port 6379";

    let mut start = |by: &str| -> Result<String> {
        let redis = format!("{STUB} --port 6379 --dir /data --logfile /tmp/private/log");
        let log = "cat /tmp/private/log 2>/dev/null; rm -f /tmp/private/log";
        guest.run(&format!("{INTRUDER} restrict {by} --folder /data {redis} 2>&1; {log}"))
    };
    let (restricted, free) = (start(by)?, start("nothing")?);
    ensure!(
        restricted.contains("Can't open the log file: Permission denied") && !restricted.contains(TAKEN),
        "restricted by {by}, redis says {restricted:?}"
    );
    ensure!(free.contains(TAKEN), "without a restriction, redis says {free:?}");
    Ok(format!(
        "what redis says of its log under {by} with `Permission denied`, without it with its port's being taken"
    ))
}

/// A rule about calls of the application is followed, and without one nothing is recorded.
fn audit(guest: &mut Besieged) -> Result<String> {
    const ACCEPT4: u32 = 288;

    let pid = guest.names.iter().find(|(name, _)| *name == "{roots}").context("root's process")?.1.clone();
    let count = format!("dmesg | grep -c 'type=1300 .*syscall={ACCEPT4} success=yes.* pid={pid} '; true");
    let ask = "[ $(chroot /debian redis-cli ping) = PONG ]";
    // Without a daemon the kernel prints records, and by itself not all that come at once.
    guest.run("echo 10000 >/proc/sys/kernel/printk_ratelimit_burst")?;
    let mut seen = Vec::new();
    for rule in ["-D", &format!("-a always,exit -F arch=b64 -S accept4 -F pid={pid}"), "-D"] {
        guest.run(&format!("chroot /debian auditctl {rule}"))?;
        for _ in 0..3 {
            guest.run(ask)?;
        }
        seen.push(guest.run(&count)?.parse::<u32>().context("a number of records")?);
    }
    ensure!(
        seen == [0, 3, 3],
        "before, with and after the rule {seen:?} calls of accept4 are on record; 0, 3, 3 were expected"
    );
    Ok(format!("records of accept4 before, with and after the rule, for three connections each: {seen:?}"))
}

/// Under lockdown root does not change the kernel, so it does not control an application either; it may start one.
fn lockdown(guest: &mut Besieged) -> Result<String> {
    let attempts = ["touch attach {roots}", "touch write {roots}", "start traced {stub} --version"];
    for attempt in attempts {
        let answer = guest.attempt(attempt)?;
        ensure!(answer == "done", "before lockdown, `{attempt}` was answered `{answer}`");
    }
    guest.run("echo integrity >/sys/kernel/security/lockdown")?;
    for attempt in attempts {
        let answer = guest.attempt(attempt)?;
        ensure!(answer == "refused EPERM", "under lockdown, `{attempt}` was answered `{answer}`");
    }
    for allowed in ["start plain {stub} --version", "touch attach {sleep}"] {
        let answer = guest.attempt(allowed)?;
        ensure!(answer == "done", "under lockdown, `{allowed}` was answered `{answer}`");
    }
    Ok(format!(
        "{} attempts of root before lockdown with done, under it with EPERM, at level {}",
        attempts.len(),
        guest.level.name
    ))
}
