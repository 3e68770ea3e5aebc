//! A virtual machine never outlives the program that started it.

use super::BUILD_DEADLINE;
use super::trial::Trial;
use anyhow::{Context, Result, ensure};
use std::net::TcpListener;
use std::time::Duration;
use ukl_repo::ctx::Ctx;

const SIGNALS: &[(i32, &str)] =
    &[(libc::SIGKILL, "SIGKILL"), (libc::SIGTERM, "SIGTERM"), (libc::SIGINT, "SIGINT"), (libc::SIGHUP, "SIGHUP")];
/// From the signal to the end of the program.
const DEADLINE: Duration = Duration::from_secs(60);

/// Ends `run` in each way there is while Redis serves; the machine ends with it and the port is free again.
pub(super) fn no_orphan(ctx: &Ctx) -> Result<String> {
    let trial = Trial::empty(ctx)?;
    for (signal, name) in SIGNALS {
        let listener = TcpListener::bind("127.0.0.1:0").context("finding a free port")?;
        let port = listener.local_addr().context("finding a free port")?.port();
        drop(listener);
        let mut command = trial.command()?;
        command.env("UKL_CACHE", ctx.cache.root());
        command.args(["run", "redis", "--level", "byb", "--fresh-disk", "--port", &port.to_string()]);
        let mut running = trial.start(&mut command)?;
        running.wait_for(&format!("redis listens on 127.0.0.1:{port}"), BUILD_DEADLINE)?;
        let machine = trial.descendants()?;
        ensure!(machine.iter().any(|process| process.starts_with("qemu")), "no QEMU among {machine:?}");
        running.signal(*signal, DEADLINE)?;
        trial.nobody_left().with_context(|| format!("after {name}"))?;
        TcpListener::bind(("127.0.0.1", port)).with_context(|| format!("port {port} after {name}"))?;
    }
    let names: Vec<_> = SIGNALS.iter().map(|(_, name)| *name).collect();
    Ok(format!("the processes after {} with none", names.join(", ")))
}
