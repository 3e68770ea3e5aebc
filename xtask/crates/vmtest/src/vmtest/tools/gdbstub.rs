//! gdb on the whole machine.

use anyhow::{Result, ensure};
use ukl_host::process;
use ukl_repo::config::Level;
use ukl_repo::ctx::Ctx;
use ukl_run::debug;

/// Breakpoints in the application and in the kernel are both hit.
pub(super) fn both_break(ctx: &Ctx, level: &Level) -> Result<String> {
    let session = debug::session(ctx, "redis", &level.name)?;
    let mut gdb = session.command();
    gdb.arg("--batch");
    // The first system call of its own that a server makes on a socket of TCP.
    for command in
        ["tbreak main", "continue", "backtrace", "tbreak tcp_v4_init_sock", "continue", "backtrace", "lx-version"]
    {
        gdb.args(["--eval-command", command]);
    }
    let text = process::read(&mut gdb)?;
    let mut frames = text.lines().filter(|line| line.starts_with('#'));
    // An ordinary process is behind an entry that the kernel does not describe.
    let one: &[&str] = if level.crosses_rings() { &[] } else { &["socket", "anet", "main"] };
    for name in [&["main", "tcp_v4_init_sock", "inet_create"], one].concat() {
        ensure!(frames.any(|line| line.contains(name)), "gdb's backtraces have no {name} in its place: {text}");
    }
    ensure!(text.contains("Linux version 6.12"), "the kernel's scripts are not loaded: {text}");
    Ok("two breakpoints, and the frames of the second with kernel and application in one stack".to_owned())
}
