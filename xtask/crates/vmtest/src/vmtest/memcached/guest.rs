//! What the ordinary tools in the guest see of the running memcached and its threads.

use super::client::connect;
use super::expect;
use crate::vmtest::server::{GuestTest, PID, stop_and_continue, succeed};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use ukl_run::memcached::Client;
use ukl_vm::vm::shell::Shell;

/// In the order in which they run.
pub(super) const TESTS: &[GuestTest] = &[
    ("console-ps", ps),
    ("console-threads", threads),
    ("every-worker-serves", every_worker_serves),
    ("console-kill-stop-continue", stop_continue),
];

/// `-t` in app.toml.
const WORKERS: usize = 4;

fn ps(shell: &mut Shell, _port: u16) -> Result<String> {
    let text = succeed(shell, &format!("ps -o pid,args | grep \"^ *{PID} \""))?;
    ensure!(text.contains("memcached") && text.contains("-t 4"), "ps shows {text:?}; memcached -t 4 was expected");
    let pid = succeed(shell, &format!("echo {PID}"))?;
    Ok(format!("the line of ps for process {pid} with memcached's command"))
}

/// How often each worker has waited for something, by thread number.
fn waits_of_workers(shell: &mut Shell) -> Result<BTreeMap<u32, u64>> {
    let list = "for task in /proc/$pid/task/*; do \
                echo ${task##*/} $(cat $task/comm) $(sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' $task/status); done";
    let text = succeed(shell, &format!("pid={PID}; {list}"))?;
    let lines = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    lines
        .filter(|words| words.get(1) == Some(&"mc-worker"))
        .map(|words| match words[..] {
            [thread, _, waits] => Ok((thread.parse()?, waits.parse()?)),
            _ => anyhow::bail!("no thread, name and number: {words:?}"),
        })
        .collect::<Result<_>>()
        .with_context(|| format!("the threads are {text:?}"))
}

fn threads(shell: &mut Shell, port: u16) -> Result<String> {
    let stated = connect(port)?.stats()?.get("threads").cloned();
    ensure!(stated.as_deref() == Some("4"), "STAT threads is {stated:?}; {WORKERS} were expected");
    let workers = waits_of_workers(shell)?.len();
    ensure!(workers == WORKERS, "{workers} threads are called mc-worker; {WORKERS} were expected");
    // The main thread, and those that look after the hash table, the LRU lists, the slabs and the log.
    let all = succeed(shell, &format!("sed -n 's/^Threads:[^0-9]*//p' /proc/{PID}/status"))?;
    let tasks = succeed(shell, &format!("ls /proc/{PID}/task | wc -l"))?;
    ensure!(all == tasks.trim(), "the status has {all} threads, the task folder {tasks}");
    ensure!(
        all.parse::<usize>()? > WORKERS + 1,
        "memcached has {all} threads; more than {} were expected",
        WORKERS + 1
    );
    Ok(format!("{all} threads of /proc with the folders there, {WORKERS} of them workers"))
}

/// Connections go to the workers in turn; every one of them wakes up for its own.
fn every_worker_serves(shell: &mut Shell, port: u16) -> Result<String> {
    const ROUNDS: u64 = 20;
    let mut clients = (0..WORKERS * 2).map(|_| connect(port)).collect::<Result<Vec<_>>>()?;
    let before = waits_of_workers(shell)?;
    for _ in 0..ROUNDS {
        clients.iter_mut().try_for_each(|client| expect(client, "get nothing", "END"))?;
    }
    let after = waits_of_workers(shell)?;
    for (thread, waits) in &after {
        let more = waits - before.get(thread).with_context(|| format!("worker {thread} is new"))?;
        // Not each time: a request may come before the worker is back from the last one.
        ensure!(
            more >= ROUNDS / 2,
            "worker {thread} waited {more} times in {ROUNDS} rounds: {before:?}, then {after:?}"
        );
    }
    Ok(format!("the waits of each of {} workers before and after {ROUNDS} rounds of requests: they grew", after.len()))
}

fn stop_continue(shell: &mut Shell, port: u16) -> Result<String> {
    let ask = |port, deadline| Ok(Client::connect(port, deadline)?.text("version")?.to_string());
    let answer = stop_and_continue(shell, port, ask)?;
    ensure!(answer.starts_with("VERSION "), "after SIGCONT, version was answered {answer:?}");
    Ok("state T and no answer of any thread after SIGSTOP, the version after SIGCONT".to_owned())
}
