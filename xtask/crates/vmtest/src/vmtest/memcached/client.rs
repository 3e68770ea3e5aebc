//! What a client on the host sees.

use super::{expect, same};
use crate::vmtest::server::{ANSWER_DEADLINE, HostTest};
use anyhow::{Context, Result, bail, ensure};
use std::time::{Duration, Instant};
use ukl_repo::repo::Repo;
use ukl_run::memcached::{Client, Reply, Value};

/// In the order in which they run.
pub(super) const TESTS: &[HostTest] = &[
    ("version", version),
    ("set-get-delete", set_get_delete),
    ("wrong-commands-are-errors", wrong_commands),
    ("incr-decr", incr_decr),
    ("cas", cas),
    ("multi-get-of-100", multi_get),
    ("values-expire", values_expire),
    ("largest-value", largest_value),
    ("pipelines-of-100", pipelines),
    ("300-connections", many_connections),
    ("16-clients-at-once", clients_at_once),
    ("stats-are-sane", stats_are_sane),
];

pub(super) fn connect(port: u16) -> Result<Client> {
    Client::connect(port, ANSWER_DEADLINE)
}

fn set(client: &mut Client, key: &str, value: &[u8]) -> Result<()> {
    let reply = client.set(key, value)?;
    same(&format!("set {key}"), &reply, "STORED")
}

fn version(port: u16) -> Result<String> {
    expect(&mut connect(port)?, "version", "VERSION 1.6.38")?;
    Ok("the version with the pin".to_owned())
}

fn set_get_delete(port: u16) -> Result<String> {
    let mut client = connect(port)?;
    set(&mut client, "key", b"value")?;
    expect(&mut client, "get key", "VALUE key 0 5\nvalue\nEND")?;
    let reply = client.call(&[b"add key 0 0 5", b"other"])?;
    same("add key", &reply, "NOT_STORED")?;
    expect(&mut client, "delete key", "DELETED")?;
    expect(&mut client, "get key", "END")?;
    expect(&mut client, "delete key", "NOT_FOUND")?;
    Ok("a value with the one written, and nothing after delete".to_owned())
}

/// The negative control of this file's comparisons: an error is not taken for an answer.
fn wrong_commands(port: u16) -> Result<String> {
    let mut client = connect(port)?;
    set(&mut client, "text", b"abc")?;
    for line in ["incr text 1", "no-such-command", "get"] {
        let reply = client.text(line)?;
        ensure!(matches!(reply, Reply::Error(_)), "`{line}` was answered {reply:?}; an error was expected");
    }
    Ok("incr of a text, an unknown command and a get without key with errors".to_owned())
}

fn incr_decr(port: u16) -> Result<String> {
    let mut client = connect(port)?;
    set(&mut client, "number", b"18446744073709551610")?;
    expect(&mut client, "incr number 5", "18446744073709551615")?;
    // Both as documented: up goes around, down stops at 0.
    expect(&mut client, "incr number 3", "2")?;
    expect(&mut client, "decr number 7", "0")?;
    expect(&mut client, "incr no-such-number 1", "NOT_FOUND")?;
    Ok("sums of 64 bits with those that incr and decr return".to_owned())
}

/// The one value that `gets` returns.
fn gets(client: &mut Client, key: &str) -> Result<Value> {
    match client.text(&format!("gets {key}"))? {
        Reply::Values(mut values) if values.len() == 1 => Ok(values.remove(0)),
        other => bail!("`gets {key}` was answered {other}"),
    }
}

fn cas(port: u16) -> Result<String> {
    let mut client = connect(port)?;
    set(&mut client, "versioned", b"1")?;
    let version = gets(&mut client, "versioned")?.cas.context("gets returned no version number")?;
    let line = format!("cas versioned 0 0 1 {version}");
    let mut store = |value: &[u8], expected| same(&line, &client.call(&[line.as_bytes(), value])?, expected);
    store(b"2", "STORED")?;
    store(b"3", "EXISTS")?;
    let after = gets(&mut client, "versioned")?;
    ensure!(after.data == b"2", "the value is {:?} after a cas that lost", after.data);
    ensure!(after.cas != Some(version), "the version number is still {version} after a cas that won");
    Ok("a cas with the present version with STORED, one with the old version with EXISTS".to_owned())
}

fn multi_get(port: u16) -> Result<String> {
    let mut client = connect(port)?;
    let keys: Vec<_> = (0..100).map(|at| format!("multi-{at}")).collect();
    for key in keys.iter().skip(1) {
        set(&mut client, key, key.as_bytes())?;
    }
    match client.text(&format!("get {}", keys.join(" ")))? {
        Reply::Values(values) => {
            let found: Vec<_> = values.iter().map(|value| value.key.as_str()).collect();
            ensure!(found == keys[1..], "the keys found are {found:?}; multi-1 to multi-99 were expected");
            ensure!(values.iter().all(|value| value.data == value.key.as_bytes()), "a key came with another's value");
        }
        other => bail!("a get of 100 keys was answered {other}"),
    }
    Ok("99 of 100 keys with their values in order, the one never written absent".to_owned())
}

fn values_expire(port: u16) -> Result<String> {
    let mut client = connect(port)?;
    let reply = client.call(&[b"set passing 0 2 1", b"x"])?;
    same("set passing 0 2 1", &reply, "STORED")?;
    expect(&mut client, "get passing", "VALUE passing 0 1\nx\nEND")?;
    let start = Instant::now();
    while client.text("get passing")? != Reply::Values(vec![]) {
        ensure!(start.elapsed() < ANSWER_DEADLINE, "a value with 2 s to live is there after {:?}", start.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok("a value with 2 s to live is there at first and gone later: the clock of the event loop runs".to_owned())
}

fn largest_value(port: u16) -> Result<String> {
    let mut client = connect(port)?;
    // An item has at most 1 MiB (`-I`), its own head included. Not periodic in any power of two, so that a page put in the
    // wrong place is seen.
    let value: Vec<u8> = (0..(1_u32 << 20) - 512).map(|at| (at.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
    set(&mut client, "large", &value)?;
    match client.text("get large")? {
        Reply::Values(values) if values.len() == 1 => {
            ensure!(values[0].data == value, "1 MiB - 512 came back different, {} bytes", values[0].data.len());
        }
        other => bail!("get was answered {other}"),
    }
    let reply = client.set("too-large", &vec![0; 1 << 20])?;
    same("set too-large", &reply, "SERVER_ERROR object too large for cache")?;
    expect(&mut client, "get too-large", "END")?;
    expect(&mut client, "delete large", "DELETED")?;
    Ok("1 MiB - 512 bytes written with what came back, byte by byte; 1 MiB with its refusal".to_owned())
}

fn pipelines(port: u16) -> Result<String> {
    let mut client = connect(port)?;
    for round in 0..10 {
        let keys: Vec<_> = (0..100).map(|at| format!("pipe-{round}-{at}")).collect();
        let sets: Vec<_> = keys.iter().map(|key| format!("set {key} 0 0 {}\r\n{key}", key.len())).collect();
        let gets: Vec<_> = keys.iter().map(|key| format!("get {key}")).collect();
        let lines: Vec<_> = sets.iter().chain(&gets).map(String::as_bytes).collect();
        client.send(&lines)?;
        for key in &keys {
            same(&format!("set {key}"), &client.receive()?, "STORED")?;
        }
        for key in &keys {
            same(&format!("get {key}"), &client.receive()?, &format!("VALUE {key} 0 {}\n{key}\nEND", key.len()))?;
        }
    }
    Ok("each of 10 x 200 answers with its question's place in the pipeline".to_owned())
}

fn number(client: &mut Client, name: &str) -> Result<u64> {
    let stats = client.stats()?;
    let value = stats.get(name).with_context(|| format!("the stats have no {name}"))?;
    value.parse().with_context(|| format!("STAT {name} {value}"))
}

fn many_connections(port: u16) -> Result<String> {
    let start = Instant::now();
    let mut clients = (0..300).map(|_| connect(port)).collect::<Result<Vec<_>>>()?;
    set(&mut clients[0], "visitors", b"0")?;
    // All questions before the first answer, so that all connections are open and busy at once.
    clients.iter_mut().try_for_each(|client| client.send(&[b"incr visitors 1"]))?;
    let mut seen = Vec::new();
    for client in &mut clients {
        let reply = client.receive()?.to_string();
        seen.push(reply.parse::<u32>().with_context(|| format!("incr was answered {reply:?}"))?);
    }
    seen.sort_unstable();
    ensure!(seen == (1..=300).collect::<Vec<_>>(), "the answers to 300 incr are not 1 to 300: {seen:?}");
    let connected = number(&mut clients[0], "curr_connections")?;
    // Its own ends of internal pipes count as well.
    ensure!((300..=320).contains(&connected), "memcached counts {connected} connections; some 300 were expected");
    Ok(format!("the answers to incr on 300 open connections with 1 to 300 ({} ms)", start.elapsed().as_millis()))
}

/// Items are shared by the threads: every increment of one key and every value of each client's own is seen.
fn clients_at_once(port: u16) -> Result<String> {
    const CLIENTS: u64 = 16;
    const ROUNDS: u64 = 50;
    set(&mut connect(port)?, "shared", b"0")?;
    let work = |name: u64| -> Result<()> {
        let mut client = connect(port)?;
        for round in 0..ROUNDS {
            let (key, value) = (format!("own-{name}-{}", round % 8), format!("{name}/{round}"));
            set(&mut client, &key, value.as_bytes())?;
            client.text("incr shared 1")?;
            expect(&mut client, &format!("get {key}"), &format!("VALUE {key} 0 {}\n{value}\nEND", value.len()))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|name| scope.spawn(move || work(name))).collect();
        clients.into_iter().try_for_each(|client| client.join().expect("a client does not panic"))
    })?;
    let sum = (CLIENTS * ROUNDS).to_string();
    expect(&mut connect(port)?, "get shared", &format!("VALUE shared 0 {}\n{sum}\nEND", sum.len()))?;
    Ok(format!("{sum} increments of one key by {CLIENTS} clients at once with its value, and each one's own values"))
}

fn stats_are_sane(port: u16) -> Result<String> {
    let mut client = connect(port)?;
    let before = client.stats()?;
    let app = Repo::find()?.app("memcached")?;
    let libevent = app.libraries.iter().find(|library| library.name == "libevent").context("the pin of libevent")?;
    for part in [
        ("threads", "4"),
        ("libevent", libevent.source.version()),
        ("pointer_size", "64"),
        ("limit_maxbytes", "268435456"),
    ] {
        let value = before.get(part.0).map(String::as_str);
        ensure!(value == Some(part.1), "STAT {} is {value:?}; {:?} was expected", part.0, part.1);
    }
    let names = ["cmd_set", "cmd_get", "get_hits", "get_misses", "curr_items", "bytes_read", "rusage_user"];
    set(&mut client, "counted", b"x")?;
    expect(&mut client, "get counted", "VALUE counted 0 1\nx\nEND")?;
    expect(&mut client, "get not-counted", "END")?;
    let after = client.stats()?;
    let grown = |name: &str| -> Result<f64> {
        let number = |stats: &std::collections::BTreeMap<String, String>| -> Result<f64> {
            Ok(stats.get(name).with_context(|| format!("the stats have no {name}"))?.parse()?)
        };
        Ok(number(&after)? - number(&before)?)
    };
    let grown = names.iter().map(|name| grown(name)).collect::<Result<Vec<_>>>()?;
    ensure!(grown[..5] == [1.0, 2.0, 1.0, 1.0, 1.0], "after 1 set, 1 hit, 1 miss {names:?} grew by {grown:?}");
    ensure!(grown[5] > 50.0 && grown[6] >= 0.0, "bytes_read grew by {}, rusage_user by {}", grown[5], grown[6]);
    Ok("threads, libevent, limit with the manifest; the growth of sets, gets, hits, misses and items with 1 2 1 1 1"
        .to_owned())
}
