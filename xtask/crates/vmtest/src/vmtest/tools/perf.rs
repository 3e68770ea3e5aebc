//! perf.

use super::{Observed, Test};
use anyhow::{Context, Result, ensure};
use ukl_repo::config::LevelOptions;

pub(super) const TESTS: &[Test] = &[("perf-stat", stat), ("perf-record", record), ("perf-top", top)];

/// So many requests are so many calls of write, and another process has none of them.
fn stat(guest: &mut Observed) -> Result<String> {
    let mut seen = Vec::new();
    for requests in [200, 500] {
        let load = guest.load(requests);
        let events = "task-clock,syscalls:sys_enter_write";
        let pid = guest.pid;
        let text = guest.tool(&format!("perf stat -x, -e {events} -p {pid} -- {load}"))?;
        let count = |event: &str| {
            let line =
                text.lines().find(|line| line.contains(event)).with_context(|| format!("no {event} in {text}"))?;
            line.split(',').next().and_then(|n| n.parse::<f64>().ok()).with_context(|| format!("no count in {line:?}"))
        };
        ensure!(count("task-clock")? > 0.0, "perf stat saw redis use no time: {text}");
        seen.push((requests, count("sys_enter_write")? as u32));
    }
    // Each request is answered by one write.
    for (requests, writes) in &seen {
        ensure!((*requests..requests + 5).contains(writes), "{requests} requests were {writes} calls of write");
    }
    let idle = guest.tool("perf stat -x, -e syscalls:sys_enter_write -p 2 -- sleep 0.1")?;
    ensure!(
        !idle.lines().any(|line| line.starts_with(|c: char| ('1'..='9').contains(&c))),
        "a kernel thread writes: {idle}"
    );
    Ok(format!("calls of write that perf stat counts with requests: {seen:?}"))
}

/// Samples belong to redis, and their kernel part is TCP's below the call's entry.
fn record(guest: &mut Observed) -> Result<String> {
    let load = guest.load(3000);
    guest.tool(&format!("perf record -q -a -e cpu-clock -F 999 -g -o /tmp/perf.data -- {load}"))?;
    let shares = guest.tool("perf --no-pager report --no-inline -i /tmp/perf.data --stdio --stdio-color never --no-children -g none --sort comm 2>/dev/null")?;
    let share =
        shares.lines().find(|line| line.contains("redis-server")).with_context(|| format!("no redis in {shares}"))?;
    let share: f64 = share.trim().split('%').next().and_then(|text| text.parse().ok()).context("the share of redis")?;
    ensure!((10.0..90.0).contains(&share), "redis has {share} % of the samples beside its only client");
    let script = guest
        .tool("perf --no-pager script --no-inline -i /tmp/perf.data --comm redis-server -F comm,ip,sym 2>/dev/null")?;
    let wanted = match guest.level.options {
        LevelOptions { shortcut: true, .. } => ["tcp_push", "ukl_short_1"],
        LevelOptions { bypass: true, .. } => ["tcp_sendmsg", "ukl_sys_1"],
        _ => ["tcp_sendmsg", "do_syscall_64"],
    };
    let together = |stack: &&str| wanted.iter().all(|name| stack.contains(name));
    let stacks: Vec<_> = script.split("\n\n").collect();
    let found = stacks.iter().filter(|stack| together(stack)).count();
    ensure!(found > 0, "none of {} stacks has both {wanted:?}", stacks.len());
    let named = script.contains("redis.") || !guest.is_linked_in();
    ensure!(named, "perf knows no function of redis");
    Ok(format!("{found} of {} stacks with {wanted:?}; redis has {share} % of the samples", stacks.len()))
}

/// How long the live view is looked at, in seconds: its first picture comes late, and without samples, on a busy host.
const LOOKS_S: [u32; 3] = [6, 15, 40];

/// The live view names the application's functions among the kernel's.
fn top(guest: &mut Observed) -> Result<String> {
    let seen = guest.under_load(|guest| {
        let mut looks = LOOKS_S.iter().map(|seconds| look(guest, *seconds));
        looks.find(|look| !matches!(look, Ok((0, _)))).context("perf top shows no line of redis-server")?
    });
    let (lines, seconds) = seen?;
    Ok(format!("{lines} lines of perf top with the name redis-server, in {seconds} s"))
}

/// How many lines of the application are in what `perf top` shows in this time.
fn look(guest: &mut Observed, seconds: u32) -> Result<(usize, u32)> {
    // Into a file, and seldom: under emulation a sample takes long, and the console waits for the host meanwhile.
    let command = format!("timeout {seconds} perf top --stdio -e cpu-clock -F 199 -d 2 --sort comm,symbol");
    guest.run(&format!("chroot /debian {command} </dev/null >/tmp/top.log 2>&1; true"))?;
    let text = guest.run("grep redis-server /tmp/top.log; true")?;
    Ok((text.lines().filter(|line| line.contains('%')).count(), seconds))
}
