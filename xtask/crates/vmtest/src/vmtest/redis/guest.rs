//! What the ordinary tools in the guest see of the running Redis.

use crate::vmtest::server::{ANSWER_DEADLINE, GuestTest, PID, stop_and_continue, succeed};
use anyhow::{Result, ensure};
use ukl_run::resp::Client;
use ukl_vm::vm::shell::Shell;

/// In the order in which they run.
pub(super) const TESTS: &[GuestTest] = &[
    ("console-ps", ps),
    ("console-top", top),
    ("console-maps", maps),
    ("console-kill-stop-continue", stop_continue),
    ("console-job-control", job_control),
];

fn ps(shell: &mut Shell, _port: u16) -> Result<String> {
    let text = succeed(shell, &format!("ps -o pid,stat,args | grep \"^ *{PID} \""))?;
    ensure!(text.contains("redis-server"), "ps shows {text:?}; redis-server was expected");
    let control = shell.run("ps -o args | grep -c '[n]o-such-server'", ANSWER_DEADLINE)?;
    ensure!(control.text == "0", "ps shows a process that does not exist: {}", control.text);
    Ok("the line of ps for Redis's process with its command; a name that does not run is absent".to_owned())
}

fn top(shell: &mut Shell, _port: u16) -> Result<String> {
    let text = succeed(shell, "top -b -n 1 | grep redis-server | grep -v grep")?;
    let pid = succeed(shell, &format!("echo {PID}"))?;
    let shown = text.lines().any(|line| line.split_whitespace().next() == Some(&pid));
    ensure!(shown, "top shows {text:?}; process {pid} was expected");
    Ok("the process number that top shows with the one that init noted".to_owned())
}

fn maps(shell: &mut Shell, _port: u16) -> Result<String> {
    let text = succeed(shell, &format!("cat /proc/{PID}/maps"))?;
    for part in ["[stack]", "[heap]"] {
        ensure!(text.contains(part), "the maps have no {part}: {text}");
    }
    let ends: Vec<_> = text
        .lines()
        .filter_map(|line| u64::from_str_radix(line.split_once('-')?.1.split_once(' ')?.0, 16).ok())
        .collect();
    ensure!(ends.len() > 4 && ends.is_sorted(), "the maps are not sorted ranges: {text}");
    Ok(format!("{} ranges of the maps with order, a stack and a heap", ends.len()))
}

fn stop_continue(shell: &mut Shell, port: u16) -> Result<String> {
    let ask = |port, deadline| Ok(Client::connect(port, deadline)?.text("PING")?.to_string());
    let answer = stop_and_continue(shell, port, ask)?;
    ensure!(answer == "PONG", "after SIGCONT, PING was answered {answer:?}");
    Ok("state T and no answer after SIGSTOP, PONG after SIGCONT".to_owned())
}

fn job_control(shell: &mut Shell, _port: u16) -> Result<String> {
    // A foreground job that stops gives the terminal back to the shell; `fg` lets it run to its end.
    let text = succeed(shell, "tty; set -m; sh -c 'kill -STOP $$; exit 7'; jobs; fg; echo $?")?;
    ensure!(text.contains("/dev/hvc0"), "the shell's terminal is not /dev/hvc0: {text}");
    ensure!(text.contains("Stopped"), "`jobs` shows no stopped job: {text}");
    ensure!(text.lines().last() == Some("7"), "the job's status after `fg` is not 7: {text}");
    Ok("a stopped job with what `jobs` shows, and its status after `fg` with 7".to_owned())
}
