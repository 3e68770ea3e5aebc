//! The ports of the host that lead into Debian beside the application's own.

use super::Keys;
use anyhow::{Context, Result};
use std::fmt;
use std::time::{Duration, Instant};
use ukl_host::interrupt;
use ukl_repo::ctx::Ctx;
use ukl_vm::net::{self, Forward};
use ukl_vm::vm::Plan;

/// Where sshd and the ordinary Redis listen in the guest; the latter leaves its own port to the application.
pub(super) const SSH_PORT: u16 = 22;
pub(super) const NEIGHBOUR_PORT: u16 = 6380;
/// Between two attempts to log in.
const LOGIN_PERIOD: Duration = Duration::from_secs(1);

/// Ways into the guest.
#[derive(Clone, Debug)]
pub struct WaysIn {
    pub keys: Keys,
    /// The host's ports for sshd and for the ordinary Redis.
    pub ssh: u16,
    pub neighbour: u16,
}

impl WaysIn {
    /// Adds both to a machine, at ports that are free now.
    pub fn add(ctx: &Ctx, plan: &mut Plan) -> Result<Self> {
        let ways = WaysIn { keys: Keys::open(ctx)?, ssh: net::free_port()?, neighbour: net::free_port()? };
        plan.forwards.push(Forward { host: ways.ssh, guest: SSH_PORT });
        plan.forwards.push(Forward { host: ways.neighbour, guest: NEIGHBOUR_PORT });
        Ok(ways)
    }

    /// Waits until a login succeeds: the guest may be ready for the application's clients before its sshd listens.
    pub fn wait_for_login(&self, deadline: Duration) -> Result<()> {
        let start = Instant::now();
        loop {
            match self.run("true") {
                Err(_) if start.elapsed() < deadline && !interrupt::requested() => std::thread::sleep(LOGIN_PERIOD),
                outcome => return outcome.map(drop).context("logging into the guest"),
            }
        }
    }

    /// Runs a command in the guest through ssh.
    pub fn run(&self, command: &str) -> Result<String> {
        self.keys.run(self.ssh, command)
    }
}

impl fmt::Display for WaysIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "an ordinary Redis listens on 127.0.0.1:{}", self.neighbour)?;
        write!(f, "a shell: {}", self.keys.command(self.ssh).join(" "))
    }
}
