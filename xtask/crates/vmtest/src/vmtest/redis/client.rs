//! What a client on the host sees.

use crate::vmtest::server::{ANSWER_DEADLINE, HostTest};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use ukl_run::resp::{Client, Reply, encode};

/// In the order in which they run.
pub(super) const TESTS: &[HostTest] = &[
    ("ping", ping),
    ("set-get", set_get),
    ("info", info),
    ("wrong-type-is-an-error", wrong_type),
    ("300-connections", many_connections),
    ("16-mb-value", large_value),
    ("pipelines-of-100", pipelines),
    ("bgsave", bgsave),
    ("bgrewriteaof", bgrewriteaof),
];

fn connect(port: u16) -> Result<Client> {
    Client::connect(port, ANSWER_DEADLINE)
}

fn expect(client: &mut Client, line: &str, expected: &str) -> Result<()> {
    let reply = client.text(line)?.to_string();
    ensure!(reply == expected, "`{line}` was answered {reply:?}; {expected:?} was expected");
    Ok(())
}

fn ping(port: u16) -> Result<String> {
    expect(&mut connect(port)?, "PING", "PONG")?;
    Ok("the answer with PONG".to_owned())
}

fn set_get(port: u16) -> Result<String> {
    let mut client = connect(port)?;
    expect(&mut client, "SET key value", "OK")?;
    expect(&mut client, "GET key", "value")?;
    expect(&mut client, "DEL key", "1")?;
    expect(&mut client, "GET key", "(nil)")?;
    Ok("a value with the one written, and nothing after DEL".to_owned())
}

fn info(port: u16) -> Result<String> {
    let text = connect(port)?.text("INFO server")?.to_string();
    for part in ["redis_version:7.0.15", "os:Linux 6.12", "tcp_port:6379"] {
        ensure!(text.contains(part), "INFO server has no {part}: {text}");
    }
    Ok("redis_version, os and tcp_port with the pins".to_owned())
}

/// The negative control of this file's comparisons: an error is not taken for an answer.
fn wrong_type(port: u16) -> Result<String> {
    let mut client = connect(port)?;
    expect(&mut client, "SET text abc", "OK")?;
    let reply = client.text("INCR text")?;
    ensure!(matches!(reply, Reply::Error(_)), "INCR of a text was answered {reply:?}; an error was expected");
    Ok("the answer to INCR of a text with an error".to_owned())
}

fn many_connections(port: u16) -> Result<String> {
    let start = Instant::now();
    let mut clients = (0..300).map(|_| connect(port)).collect::<Result<Vec<_>>>()?;
    // All questions before the first answer, so that all connections are open and busy at once.
    clients.iter_mut().try_for_each(|client| client.send(&[b"INCR", b"visitors"]))?;
    let mut seen = Vec::new();
    for client in &mut clients {
        match client.receive()? {
            Reply::Integer(number) => seen.push(number),
            other => anyhow::bail!("INCR was answered {other:?}"),
        }
    }
    seen.sort_unstable();
    ensure!(seen == (1..=300).collect::<Vec<_>>(), "the answers to 300 INCR are not 1 to 300: {seen:?}");
    let connected = clients[0].text("INFO clients")?.to_string();
    ensure!(connected.contains("connected_clients:300"), "Redis counts other than 300 clients: {connected}");
    Ok(format!("the answers to INCR on 300 open connections with 1 to 300 ({} ms)", start.elapsed().as_millis()))
}

fn large_value(port: u16) -> Result<String> {
    let mut client = connect(port)?;
    // Not periodic in any power of two, so that a page put in the wrong place is seen.
    let value: Vec<u8> = (0..16_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
    let reply = client.call(&[b"SET", b"large", &value])?.to_string();
    ensure!(reply == "OK", "SET of 16 MiB was answered {reply:?}");
    match client.call(&[b"GET", b"large"])? {
        Reply::Bulk(bytes) => ensure!(bytes == value, "16 MiB came back different, {} bytes", bytes.len()),
        other => anyhow::bail!("GET was answered {other}"),
    }
    expect(&mut client, "DEL large", "1")?;
    Ok("16 MiB written with what came back, byte by byte".to_owned())
}

fn pipelines(port: u16) -> Result<String> {
    let mut client = connect(port)?;
    let mut next = 0;
    for _ in 0..10 {
        let numbers: Vec<_> = (0..100).map(|at| (next + at).to_string()).collect();
        let batch: Vec<u8> = numbers.iter().flat_map(|number| encode(&[b"ECHO", number.as_bytes()])).collect();
        client.send_raw(&batch)?;
        for number in &numbers {
            let reply = client.receive()?.to_string();
            ensure!(reply == *number, "ECHO {number} in a pipeline was answered {reply:?}");
        }
        next += 100;
    }
    Ok("each of 10 x 100 answers with its question's place in the pipeline".to_owned())
}

/// Waits until INFO says that a background child has ended, and returns what it says then.
fn persistence(client: &mut Client, running: &str) -> Result<String> {
    let start = Instant::now();
    loop {
        let info = client.text("INFO persistence")?.to_string();
        if info.contains(&format!("{running}:0")) {
            return Ok(info);
        }
        ensure!(start.elapsed() < ANSWER_DEADLINE, "{running} is still 1 after {} s", ANSWER_DEADLINE.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn bgsave(port: u16) -> Result<String> {
    let mut client = connect(port)?;
    // A rewrite at the first start may still be running; Redis does one of the two at a time.
    persistence(&mut client, "aof_rewrite_in_progress")?;
    persistence(&mut client, "rdb_bgsave_in_progress")?;
    expect(&mut client, "SET before saved", "OK")?;
    expect(&mut client, "BGSAVE", "Background saving started")?;
    // Written while the child saves: the parent's pages are its own.
    expect(&mut client, "SET during unsaved", "OK")?;
    let info = persistence(&mut client, "rdb_bgsave_in_progress")?;
    ensure!(info.contains("rdb_last_bgsave_status:ok"), "BGSAVE failed: {info}");
    ensure!(info.contains("rdb_saves:") && !info.contains("rdb_saves:0\r"), "no save was counted: {info}");
    expect(&mut client, "GET during", "unsaved")?;
    Ok("the forked child's status with ok, and a value written meanwhile with what is read".to_owned())
}

fn bgrewriteaof(port: u16) -> Result<String> {
    let mut client = connect(port)?;
    expect(&mut client, "BGREWRITEAOF", "Background append only file rewriting started")?;
    let info = persistence(&mut client, "aof_rewrite_in_progress")?;
    ensure!(info.contains("aof_last_bgrewrite_status:ok"), "BGREWRITEAOF failed: {info}");
    ensure!(info.contains("aof_rewrites:") && !info.contains("aof_rewrites:0\r"), "no rewrite was counted: {info}");
    Ok("the forked child's status with ok, and the count of rewrites with at least 1".to_owned())
}
