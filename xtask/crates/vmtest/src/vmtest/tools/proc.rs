//! What /proc says of the application.

use super::{Observed, Test};
use anyhow::{Context, Result, ensure};

pub(super) const TESTS: &[Test] = &[("proc", proc)];

/// It waits in `epoll_pwait`, and every file that tells of it says so.
fn proc(guest: &mut Observed) -> Result<String> {
    let pid = guest.pid;
    let stat = guest.run(&format!("cat /proc/{pid}/stat"))?;
    ensure!(stat.starts_with(&format!("{pid} (redis-server) ")), "/proc/{pid}/stat says {stat:?}");
    let mut read = |name: &str| guest.run(&format!("cat /proc/{pid}/{name}"));
    // Ten times a second it does something else.
    let mut until = |name: &str, waits: fn(&str) -> bool| {
        let mut text = read(name)?;
        for _ in 0..20 {
            if waits(&text) {
                break;
            }
            text = read(name)?;
        }
        Ok::<_, anyhow::Error>(text)
    };
    let sleeps = |text: &str| text.contains("ep_poll") || text.contains("do_epoll_wait");
    let syscall = until("syscall", |text| text.starts_with("281 "))?;
    let words: Vec<_> = syscall.split(' ').collect();
    ensure!(
        words.len() == 9 && words[..2] == ["281", "0x5"],
        "/proc/{pid}/syscall says {syscall:?}; epoll_pwait was expected"
    );
    let stack = until("stack", sleeps)?;
    ensure!(sleeps(&stack), "/proc/{pid}/stack does not wait: {stack}");
    let wchan = until("wchan", sleeps)?;
    ensure!(sleeps(&wchan), "/proc/{pid}/wchan says {wchan:?}");
    let maps = read("maps")?;
    let pointer = u64::from_str_radix(words[7].trim_start_matches("0x"), 16).context("the stack pointer")?;
    let within = |line: &str| {
        let (start, rest) = line.split_once('-')?;
        let parse = |text| u64::from_str_radix(text, 16).ok();
        (parse(start)?..parse(rest.split_once(' ')?.0)?).contains(&pointer).then(|| line.to_owned())
    };
    let area = maps.lines().find_map(within).with_context(|| format!("{pointer:#x} is in no range of {maps}"))?;
    ensure!(area.contains("[stack]"), "the stack pointer {pointer:#x} of `syscall` lies in {area}");
    let status = read("status")?;
    ensure!(status.contains("\nTracerPid:\t0"), "status: {status}");
    // A thread of the kernel makes no call and has no memory.
    let control = guest.run("cat /proc/2/maps /proc/2/syscall")?;
    ensure!(control == "0 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0", "a kernel thread has {control:?}");
    Ok("stat's name, epoll_pwait in syscall, stack and wchan, and the stack pointer with the range [stack] of maps"
        .to_owned())
}
