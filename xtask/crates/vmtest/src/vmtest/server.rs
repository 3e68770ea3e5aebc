//! What the tests of every server share: its machine, its privilege level, and a shell beside it.

use super::suite::Part;
use super::tally::Tally;
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};
use ukl_repo::config::{App, Level};
use ukl_repo::ctx::Ctx;
use ukl_run::run::{self, READY_DEADLINE};
use ukl_run::smoke;
use ukl_vm::net::{self, Forward};
use ukl_vm::vm::protocol::Mark;
use ukl_vm::vm::shell::Shell;
use ukl_vm::vm::{Plan, Vm};

/// How long one answer may take under emulation.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// The server's process in the guest, for commands there.
pub(super) const PID: &str = "$(cat /run/application.pid)";

/// A test from the host: its name and what it does with the port; the result says what was compared.
pub(super) type HostTest = (&'static str, fn(u16) -> Result<String>);

/// A test that also has the guest's shell.
pub(super) type GuestTest = (&'static str, fn(&mut Shell, u16) -> Result<String>);

/// A server at a level, on that many CPUs: what its tests need to begin.
#[derive(Debug)]
pub(super) struct Server {
    pub app: App,
    pub level: Level,
    /// What the names of its tests begin with.
    pub prefix: String,
    pub plan: Plan,
    /// The host's port for the server's first one.
    pub port: u16,
}

/// Runs `tests` on the server of a part, in a machine that `adapt` may change.
pub(super) fn run_adapted(
    ctx: &Ctx,
    part: &Part,
    tally: &mut Tally,
    adapt: impl FnOnce(&mut Plan) -> Result<()>,
    tests: impl FnOnce(&Ctx, &mut Server, &mut Tally) -> Result<()>,
) -> Result<()> {
    let mut server = prepare(ctx, part)?;
    adapt(&mut server.plan)?;
    tests(ctx, &mut server, tally)
}

/// Runs `tests` on the server of a part.
pub(super) fn run(
    ctx: &Ctx,
    part: &Part,
    tally: &mut Tally,
    tests: impl FnOnce(&Ctx, &mut Server, &mut Tally) -> Result<()>,
) -> Result<()> {
    run_adapted(ctx, part, tally, |_| Ok(()), tests)
}

fn prepare(ctx: &Ctx, part: &Part) -> Result<Server> {
    let (app, level, cpus) = (ctx.repo.app(&part.app)?, part.level()?.clone(), part.cpus);
    let mut plan = run::plan(ctx, &app, &level, None)?;
    plan.name = part.machine_name();
    plan.cpus = cpus;
    let guest = *app.guest.ports.first().with_context(|| format!("application `{}` has no port", app.name))?;
    let port = net::free_port()?;
    plan.forwards = vec![Forward { host: port, guest }];
    Ok(Server { app, level, prefix: part.prefix.clone(), plan, port })
}

impl Server {
    /// The machine, once the server listens.
    pub(super) fn boot(&self, ctx: &Ctx) -> Result<Vm> {
        let mut vm = Vm::boot(ctx, &self.plan)?;
        vm.wait_ready(READY_DEADLINE)?;
        Ok(vm)
    }

    /// The test that begins each machine: the server runs as its level says.
    pub(super) fn check_privilege(&self, vm: &Vm, tally: &mut Tally) {
        tally.check(&format!("{}privilege", self.prefix), privilege(&self.level, vm));
    }

    /// Runs those of the tests that are wanted.
    pub(super) fn check_from_host(&self, tests: &[HostTest], tally: &mut Tally) {
        for (name, test) in tests {
            let name = format!("{}{name}", self.prefix);
            if tally.wants(&name) {
                tally.check(&name, test(self.port));
            }
        }
    }

    /// Runs those of the tests that are wanted, with a shell in the guest.
    pub(super) fn check_in_guest(&self, vm: &Vm, tests: &[GuestTest], tally: &mut Tally) -> Result<()> {
        let mut shell = vm.shell()?;
        for (name, test) in tests {
            let name = format!("{}{name}", self.prefix);
            if tally.wants(&name) {
                tally.check(&name, test(&mut shell, self.port));
            }
        }
        Ok(())
    }

    /// The test that ends a server: it ends with status 0, whereupon init stops the machine.
    pub(super) fn ended_well(&self, vm: &mut Vm, what: &str) -> Result<String> {
        let name = &self.app.name;
        vm.wait_for(&format!("{what} to end {name}"), ANSWER_DEADLINE, |mark| matches!(mark, Mark::Exit(_)))?;
        ensure!(vm.marks().contains(&Mark::Exit(0)), "{name} ended with another status than 0: {:?}", vm.marks());
        vm.wait_end(ANSWER_DEADLINE)?;
        Ok(format!("the exit status of {name} after {what} with 0, and the machine stopped by itself"))
    }
}

/// Success when the application in the machine says that it runs as its level is to.
pub fn privilege(level: &Level, vm: &Vm) -> Result<String> {
    let banner = vm.banners().first().context("no `ukl: level=… cpl=…` line")?;
    match smoke::mismatch(level, banner) {
        None => Ok(format!("level {} and CPL {} with what the level is to have", banner.level, banner.cpl)),
        Some(reason) => Err(anyhow::anyhow!(reason)),
    }
}

/// Runs a command in the guest that has to succeed, and returns what it prints.
pub(super) fn succeed(shell: &mut Shell, command: &str) -> Result<String> {
    let output = shell.run(command, ANSWER_DEADLINE)?;
    ensure!(output.status == 0, "`{command}` ended with status {}: {}", output.status, output.text);
    Ok(output.text)
}

/// The letter and word of the server's state, such as `S (sleeping)`.
fn state(shell: &mut Shell) -> Result<String> {
    succeed(shell, &format!("sed -n 's/^State:[^A-Za-z]*//p' /proc/{PID}/status"))
}

/// Stops the server with SIGSTOP, asks it, resumes it with SIGCONT, asks it again. `ask` gets a port and a deadline.
pub(super) fn stop_and_continue<T: std::fmt::Debug>(
    shell: &mut Shell,
    port: u16,
    ask: impl Fn(u16, Duration) -> Result<T>,
) -> Result<T> {
    succeed(shell, &format!("kill -STOP {PID}"))?;
    let start = Instant::now();
    loop {
        let state = state(shell)?;
        if state.starts_with('T') {
            break;
        }
        ensure!(start.elapsed() < ANSWER_DEADLINE, "the server's state after SIGSTOP stays {state}");
    }
    let answer = ask(port, Duration::from_millis(700));
    // Resumed before anything is judged, or the tests after this one would fail as well.
    succeed(shell, &format!("kill -CONT {PID}"))?;
    ensure!(answer.is_err(), "the stopped server answered {answer:?}");
    ask(port, ANSWER_DEADLINE).context("after SIGCONT")
}
