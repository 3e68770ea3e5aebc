//! Probes: on the kernel's functions as ever, and refused where they would fire on the application's side.

use super::{Observed, Test};
use anyhow::{Result, ensure};

pub(super) const TESTS: &[Test] = &[("kprobe", kprobe), ("kprobes-refused", refused), ("uprobe-refused", uprobe)];

const EVENTS: &str = "/sys/kernel/tracing/kprobe_events";

fn kprobe(guest: &mut Observed) -> Result<String> {
    let (pid, load) = (guest.pid, guest.load(50));
    let function = "__tcp_push_pending_frames";
    guest.run(&format!("echo 'p:ukl {function}' >{EVENTS}"))?;
    let text = guest.tool(&format!("perf stat -x, -e kprobes:ukl -p {pid} -- {load}"));
    guest.run(&format!("echo >{EVENTS}"))?;
    let text = text?;
    let hits = text.lines().find(|line| line.contains("kprobes:ukl")).and_then(|line| line.split(',').next());
    let hits: u32 = hits.and_then(|hits| hits.parse().ok()).unwrap_or(0);
    ensure!((50..55).contains(&hits), "the probe on {function} was hit {hits} times by 50 requests: {text}");
    Ok(format!("{hits} hits of a probe on {function} in redis with 50 requests"))
}

fn refused(guest: &mut Observed) -> Result<String> {
    if !guest.is_linked_in() {
        return Ok("nothing: there are no entries for applications at this level".to_owned());
    }
    let places = [
        "ukl_entry_syscall",
        "ukl_sys_1",
        "ukl_short_1",
        "ukl_bypass_leave",
        "ukl_return_to_app",
        "ukl_ret",
        "redis.main",
    ];
    for place in places {
        let text = guest.fails(&format!("echo 'p:ukl {place}' >{EVENTS}"))?;
        ensure!(text.contains("Invalid argument"), "a probe on {place} was refused with {text:?}");
    }
    Ok(format!("EINVAL with what a probe on {} was refused with", places.join(", ")))
}

/// The application's text is in no file: a probe of its stub could never be hit, and the kernel says so.
fn uprobe(guest: &mut Observed) -> Result<String> {
    if !guest.is_linked_in() {
        return Ok("nothing: the program is an ordinary file at this level".to_owned());
    }
    guest.run("cp -p /usr/bin/redis-server /debian/opt/bench/stub")?;
    let text = guest.fails("chroot /debian perf probe -x /opt/bench/stub readQueryFromClient")?;
    ensure!(text.contains("Failed to") || text.contains("No "), "perf probe said {text:?}");
    let events = "/sys/kernel/tracing/uprobe_events";
    // The control: the same line with an ordinary program is accepted.
    guest.run(&format!("echo 'p:ukl /debian/usr/bin/perf:0x1000' >{events}"))?;
    guest.run(&format!("echo >{events}"))?;
    let raw = guest.fails(&format!("echo 'p:ukl /usr/bin/redis-server:0x0' >{events}"))?;
    ensure!(raw.contains("not supported"), "a uprobe in the stub was refused with {raw:?}");
    Ok(format!("of perf probe {:?}, of uprobe_events EOPNOTSUPP", text.lines().next().unwrap_or_default()))
}
