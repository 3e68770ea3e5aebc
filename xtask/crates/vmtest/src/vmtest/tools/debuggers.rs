//! strace and gdb on the running process, and gdb on its core.

use super::{FOLDER, Observed, Test};
use anyhow::{Context, Result, ensure};
use ukl_app::symbols;

pub(super) const TESTS: &[Test] = &[("strace", strace), ("gdb", gdb), ("core-dump", core)];

/// Each call once, with what it was given and what it returned; afterwards calls are direct again.
fn strace(guest: &mut Observed) -> Result<String> {
    let (pid, requests) = (guest.pid, 40);
    let load = guest.load(requests);
    guest.run(&format!(
        "chroot /debian strace -f -q -e trace=read,write -o /tmp/strace.txt -p {pid} & \
                        while grep -q 'TracerPid:.0$' /proc/{pid}/status; do usleep 50000; done"
    ))?;
    let done = guest.run(&format!("chroot /debian {load} >/dev/null"));
    guest.run("kill -INT $(pidof strace); while pidof strace >/dev/null; do usleep 50000; done")?;
    done?;
    let text = guest.run("cat /debian/tmp/strace.txt")?;
    let lines = |pattern: &str| text.lines().filter(|line| line.contains(pattern)).count() as u32;
    let (reads, writes) = (lines("\"*3\\r\\n$3\\r\\nSET\\r\\n"), lines("\"+OK\\r\\n\", 5)"));
    ensure!(
        reads == requests,
        "{reads} reads of a SET for {requests} requests: {}",
        text.lines().next().unwrap_or_default()
    );
    ensure!(writes == requests, "{writes} writes of +OK for {requests} requests");
    let right = text.lines().filter(|line| line.contains("\"+OK\\r\\n\", 5)") && line.ends_with("= 5")).count() as u32;
    ensure!(right == requests, "{right} of {writes} writes returned 5");
    let status = guest.run(&format!("grep TracerPid /proc/{pid}/status"))?;
    ensure!(status.ends_with("\t0"), "after strace has ended: {status}");
    let work = super::ftrace::TESTS[0].1(guest).context("after strace has ended")?;
    Ok(format!("{reads} reads and {writes} writes with {requests} requests; afterwards {work}"))
}

/// The frames of a program that waits for requests, the innermost first.
const FRAMES: [&str; 4] = ["epoll_pwait", "aeProcessEvents", "aeMain", "main"];

/// gdb's words before anything else, with the application's symbols at their places.
fn with_symbols(guest: &Observed, words: &str) -> Result<String> {
    let symbols = format!("{FOLDER}/app.symbols");
    let load = if guest.is_linked_in() {
        symbols::gdb_command(&guest.symbols, &symbols, guest.slide)?
    } else {
        format!("file {symbols}")
    };
    Ok(format!("gdb -nx -q -batch -ex 'set debuginfod enabled off' -ex '{load}' {words} 2>&1"))
}

/// Whether these functions stand in a backtrace, in this order.
fn in_order(text: &str, names: &[&str]) -> Result<()> {
    let mut frames = text.lines().filter(|line| line.starts_with('#'));
    for name in names {
        let named = |line: &str| {
            line.split([' ', '(', '[', ']']).any(|word| word == *name || word.starts_with(&format!("{name}.")))
        };
        ensure!(frames.any(named), "the backtrace has no {name} in its place: {text}");
    }
    Ok(())
}

/// Those of one that reads a request. At `linux` a process that waits is in musl's own way into a system call, which has no
/// unwind information: no debugger gets out of it.
const BUSY: [&str; 4] = ["readQueryFromClient", "aeProcessEvents", "aeMain", "main"];

fn gdb(guest: &mut Observed) -> Result<String> {
    let pid = guest.pid;
    if !guest.is_linked_in() {
        return busy(guest);
    }
    let command = with_symbols(guest, &format!("-p {pid} -ex bt -ex detach"))?;
    let text = guest.tool(&command)?;
    in_order(&text, &FRAMES)?;
    // Without the symbols gdb knows none of them: it is these that make the difference.
    let bare = guest.tool(&format!("gdb -nx -q -batch -p {pid} -ex bt -ex detach 2>&1"))?;
    ensure!(in_order(&bare, &FRAMES).is_err(), "gdb knows the frames without symbols: {bare}");
    Ok(format!("the frames of gdb's backtrace of the waiting process with {FRAMES:?}"))
}

/// Under load, at a breakpoint.
fn busy(guest: &mut Observed) -> Result<String> {
    let pid = guest.pid;
    let command = with_symbols(guest, &format!("-p {pid} -ex 'tbreak {}' -ex continue -ex bt -ex detach", BUSY[0]))?;
    let text = guest.under_load(|guest| guest.tool(&command))?;
    in_order(&text, &BUSY)?;
    Ok(format!("the frames of gdb's backtrace at a breakpoint with {BUSY:?}"))
}

/// The frames of a crash in a command.
const CRASH: [&str; 5] = ["debugCommand", "call", "processCommand", "readQueryFromClient", "main"];

fn core(guest: &mut Observed) -> Result<String> {
    let pid = guest.pid;
    guest.tool(&format!("prlimit --pid {pid} --core=unlimited"))?;
    guest.run(
        "printf 'DEBUG SEGFAULT\\r\\n' | nc 127.0.0.1 6379; while [ -d /proc/PID ]; do usleep 50000; done"
            .replace("PID", &pid.to_string())
            .as_str(),
    )?;
    guest.run("mv /tmp/core* /debian/tmp/core")?;
    let command = with_symbols(guest, "-ex 'core-file /tmp/core' -ex bt")?;
    let text = guest.tool(&command)?;
    ensure!(text.contains("signal SIGSEGV"), "gdb says of the core: {text}");
    in_order(&text, &CRASH)?;
    Ok(format!("the signal and the frames of the core with SIGSEGV and {CRASH:?}"))
}
