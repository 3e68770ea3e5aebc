//! What may happen to a server in a machine that goes on.

use super::{Afflicted, DEADLINE, INTRUDER, LOAD_GENERATOR};
use crate::vmtest::faults::writer::Writer;
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};
use ukl_run::resp::Client;

type Test = (&'static str, fn(&mut Afflicted) -> Result<String>);

pub(super) const TESTS: &[Test] = &[
    ("sigkill", sigkill),
    ("disk-full", disk_full),
    ("clock-jumps", clock),
    ("cpu-hotplug", hotplug),
    ("suspend-is-refused", suspend),
    ("10000-connections", connections),
    ("no-descriptors", no_descriptors),
    ("out-of-memory", out_of_memory),
];

/// How often the server is killed, or a CPU is taken away.
const TIMES: u32 = 10;

/// SIGKILL in a stream of writes.
fn sigkill(guest: &mut Afflicted) -> Result<String> {
    let mut writer = Writer::new(2);
    for round in 0..TIMES {
        let delay_us = 200_000 + 50_000 * round;
        guest.run(&format!("(usleep {delay_us}; kill -KILL $(pidof redis-server)) >/dev/null 2>&1 & true"))?;
        // The fault comes from within the guest.
        writer = writer.until_it_breaks(guest.port, Duration::ZERO, || {})?;
        guest.run("while pidof redis-server; do usleep 50000; done")?;
        guest.start()?;
        writer.verify(guest.port).with_context(|| format!("after SIGKILL {round}"))?;
    }
    Ok(format!("{} acknowledged writes with what is there after {TIMES} times SIGKILL: 0 lost", writer.acknowledged))
}

/// A rewrite of the log that finds no room fails, and the server goes on with what it has.
fn disk_full(guest: &mut Afflicted) -> Result<String> {
    let mut writer = Writer::new(3);
    writer.writes(guest.port, 200)?;
    let mut client = Client::connect(guest.port, DEADLINE)?;
    // Under `always` Redis ends by itself when it cannot write, as it should; here it is to go on.
    client.text("CONFIG SET appendfsync everysec")?;
    guest.run("dd if=/dev/zero of=/data/fill bs=4096 2>/dev/null; true")?;
    let answer = client.text("BGREWRITEAOF")?.to_string();
    let status = rewritten(&mut client)?;
    ensure!(
        status != "ok" || answer.starts_with("(error)"),
        "BGREWRITEAOF on a full disk was answered {answer:?}, and its status is {status}"
    );
    writer.verify(guest.port).context("on the full disk")?;
    guest.run("rm /data/fill && sync")?;
    // It tries again by itself, and takes writes from then on.
    let start = Instant::now();
    while client.text("SET room again")?.to_string() != "OK" {
        ensure!(start.elapsed() < DEADLINE, "with room again, writes are still refused");
        std::thread::sleep(Duration::from_millis(200));
    }
    client.text("BGREWRITEAOF")?;
    let after = rewritten(&mut client)?;
    ensure!(after == "ok", "with room again, the rewrite's status is {after}");
    client.text("CONFIG SET appendfsync always")?;
    guest.restart()?;
    writer.verify(guest.port).context("after a new start")?;
    Ok(format!("the status of a rewrite without room ({status}) and with room ({after}); 200 values are there"))
}

/// Waits until no rewrite runs, and returns the last one's status.
fn rewritten(client: &mut Client) -> Result<String> {
    let start = Instant::now();
    loop {
        let info = client.text("INFO persistence")?.to_string();
        let field = |name: &str| {
            info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap_or_default().to_owned()
        };
        if field("aof_rewrite_in_progress:") == "0" && field("aof_rewrite_scheduled:") == "0" {
            return Ok(field("aof_last_bgrewrite_status:"));
        }
        ensure!(start.elapsed() < DEADLINE, "a rewrite does not end: {info}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A day forward and back: what expires by the clock does, and nothing else changes.
fn clock(guest: &mut Afflicted) -> Result<String> {
    const DAY_S: i64 = 86_400;

    let mut client = Client::connect(guest.port, DEADLINE)?;
    client.text("SET stays here")?;
    client.text("SET goes away EX 3600")?;
    let now: i64 = guest.run("date +%s")?.parse().context("the guest's time")?;
    guest.run(&format!("date -s @{} >/dev/null", now + DAY_S))?;
    let forward = [client.text("GET stays")?.to_string(), client.text("GET goes")?.to_string()];
    guest.run(&format!("date -s @{now} >/dev/null"))?;
    let back = client.text("GET stays")?.to_string();
    ensure!(forward == ["here", "(nil)"] && back == "here", "after the jumps {forward:?} and {back:?} are there");
    Ok("a key without and one with an hour to live, a day later, with `here` and nothing; and after the jump back"
        .to_owned())
}

/// A CPU goes and comes while the server writes.
fn hotplug(guest: &mut Afflicted) -> Result<String> {
    let port = guest.port;
    let mut writer = Writer::new(4).during(port, || {
        for _ in 0..TIMES {
            let online = "/sys/devices/system/cpu/cpu1/online";
            guest
                .run(&format!(
                    "echo 0 >{online}; usleep 100000; cat {online}; echo 1 >{online}; usleep 100000; cat {online}"
                ))
                .and_then(|seen| {
                    ensure!(
                        seen.split_whitespace().eq(["0", "1"]),
                        "the CPU's states were {seen:?}; 0 and 1 were expected"
                    );
                    Ok(())
                })?;
        }
        Ok(())
    })?;
    writer.verify(port)?;
    Ok(format!(
        "the states of CPU 1 with 0 and 1, {TIMES} times, and {} writes with what is there",
        writer.acknowledged
    ))
}

/// The kernel has no suspend, and says so.
fn suspend(guest: &mut Afflicted) -> Result<String> {
    let output = guest.shell.run("echo mem >/sys/power/state", DEADLINE)?;
    ensure!(output.status != 0, "the machine took `mem` for a state");
    let answer = Client::connect(guest.port, DEADLINE)?.text("PING")?.to_string();
    ensure!(answer == "PONG", "PING was answered {answer:?}");
    Ok(format!("the status of a request to suspend ({}) with 0: they differ; then PING with PONG", output.status))
}

/// All open at once.
fn connections(guest: &mut Afflicted) -> Result<String> {
    const COUNT: u32 = 10_000;

    guest.run("echo 1024 65000 >/proc/sys/net/ipv4/ip_local_port_range")?;
    let text = guest.run(&format!(
        "{LOAD_GENERATOR} run --target 127.0.0.1:6379 --connections {COUNT} --ratio 0:1 --no-populate --requests {} --json /tmp/load.json \
         >/tmp/load.log 2>&1 || {{ cat /tmp/load.log; false; }}; cat /tmp/load.json",
        2 * COUNT
    ))?;
    let report: serde_json::Value = serde_json::from_str(&text).with_context(|| format!("the report {text:.300}"))?;
    let lost = |what: &str| report["results"]["errors"][what].as_u64().with_context(|| format!("the report's {what}"));
    let lost = [lost("lost_connections")?, lost("lost_requests")?, lost("wrong_answers")?];
    ensure!(lost == [0; 3], "{lost:?} connections, requests and answers were lost or wrong");
    let client = Client::connect(guest.port, DEADLINE)?.text("INFO stats")?.to_string();
    let received = client.lines().find_map(|line| line.strip_prefix("total_connections_received:")).unwrap_or("0");
    let received: u32 = received.trim().parse().context("total_connections_received")?;
    ensure!(received >= COUNT, "the server has seen {received} connections; {COUNT} were expected");
    Ok(format!(
        "the connections that the server has seen ({received}) with {COUNT}; none was lost, and no request of them"
    ))
}

/// While no descriptor is to be had, who is connected is served, and who connects waits until there is one.
fn no_descriptors(guest: &mut Afflicted) -> Result<String> {
    const WAITING: usize = 20;
    const USUAL: u32 = 65_536;

    let mut writer = Writer::new(6);
    writer.writes(guest.port, 100)?;
    let mut connected = Client::connect(guest.port, DEADLINE)?;
    connected.text("SET before shortage")?;
    let pid = guest.run("pidof redis-server")?;
    let limit = |guest: &mut Afflicted, number: &str| {
        let said = guest.run(&format!("{INTRUDER} descriptors {pid} {number}"))?;
        ensure!(said == "done", "limiting the server to {number} descriptors was answered {said:?}");
        Ok(())
    };
    let open = guest.run(&format!("ls /proc/{pid}/fd | wc -l"))?;
    limit(guest, &open)?;
    let mut waiting = (0..WAITING).map(|_| Client::connect(guest.port, DEADLINE)).collect::<Result<Vec<_>>>()?;
    waiting.iter_mut().try_for_each(|client| client.send(&[b"PING"]))?;
    guest.run(
        "(for try in $(seq 600); do grep -q 'accept: No file descriptors available' /tmp/redis.log && exit 0; usleep 100000; done; exit 1)",
    )
    .context("waiting for the server to find no descriptor")?;
    let during = connected.text("SET during shortage")?.to_string();
    limit(guest, &USUAL.to_string())?;
    let served =
        waiting.iter_mut().map(Client::receive).collect::<Result<Vec<_>>>().context("with descriptors again")?;
    let served = served.iter().filter(|answer| answer.to_string() == "PONG").count();
    ensure!(
        during == "OK" && served == WAITING,
        "a write was answered {during:?}, and {served} of {WAITING} were served"
    );
    guest.restart()?;
    writer.verify(guest.port)?;
    let kept = Client::connect(guest.port, DEADLINE)?.text("GET during")?.to_string();
    ensure!(kept == "shortage", "the write of that time is now {kept:?}");
    Ok(format!(
        "a write with {open} of {open} descriptors open ({during}) with what is there; {served} who waited with {WAITING}"
    ))
}

/// The kernel ends it when memory is short, as any process; what was acknowledged is there after the next start.
fn out_of_memory(guest: &mut Afflicted) -> Result<String> {
    let mut writer = Writer::new(5);
    writer.writes(guest.port, 200)?;
    let pid = guest.run("pidof redis-server")?;
    guest.run(&format!("echo 1000 >/proc/{pid}/oom_score_adj"))?;
    // It reads a line that never ends.
    guest.run("tail /dev/zero >/dev/null 2>&1; true")?;
    // The shell says by itself that its job has ended.
    guest.run("true")?;
    let killed = guest.run("dmesg | grep -c 'Out of memory: Killed process .*(redis-server)'")?;
    ensure!(guest.run("pidof redis-server; true")?.is_empty(), "the server still runs");
    guest.start()?;
    writer.verify(guest.port)?;
    Ok(format!("the servers that the kernel ended ({killed}) with 1 or more; 200 acknowledged values are there"))
}
