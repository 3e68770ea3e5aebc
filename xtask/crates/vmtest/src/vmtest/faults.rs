//! Nothing that was acknowledged is lost, whatever happens to the machine or to the process.

mod trouble;
mod writer;

use super::suite::{Apps, Machines, Part, Quick, Suite, When, names, words};
use super::tally::Tally;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use ukl_app::tools::{guest_program, load_generator};
use ukl_guest::initramfs::ExtraFile;
use ukl_host::interrupt;
use ukl_repo::config::{App, Level, Levels};
use ukl_repo::ctx::Ctx;
use ukl_run::run::{self, READY_DEADLINE, Userland};
use ukl_run::smoke;
use ukl_vm::net::{self, Forward};
use ukl_vm::vm::protocol::BootWord;
use ukl_vm::vm::shell::Shell;
use ukl_vm::vm::{Plan, Vm, disk};
use writer::Writer;

/// Redis writes each command to the disk before it answers.
const ARGUMENTS: &[&str] =
    &["/etc/redis.conf", "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxclients", "11000"];
/// Of these, the one that says when it writes.
const SYNC: usize = 4;
/// How often the power goes, and when after the first write, in milliseconds.
const POWER_OFFS: u32 = 50;
const POWER_OFF_MS: std::ops::Range<u64> = 20..700;
/// The data disk, small enough to be filled.
const DISK_MIB: u32 = 96;
/// How long a command in the guest may take.
const DEADLINE: Duration = Duration::from_secs(120);
/// The load generator in the guest.
const LOAD_GENERATOR: &str = "/opt/bench/ukl-loadgen";
/// `xtask/tools/intruder`, which can change another process's limits.
const INTRUDER: &str = "/opt/bench/ukl-intruder";

/// A machine with the server.
struct Afflicted {
    shell: Shell,
    port: u16,
}

type Test = (&'static str, fn(&Ctx, &Part) -> Result<String>);

/// What is tried in machines of its own.
const POWER: &[Test] = &[("power-off", power_off), ("negative-control", control)];

/// Boots one machine fifty times, so only when asked for. What is written reaches the disk the same way at each level.
pub(super) const SUITE: Suite = Suite {
    name: "faults",
    summary: "power-offs and other faults: is every acknowledged write there?",
    prefix: "faults/{level}/redis/",
    apps: Apps::One("redis"),
    machines: &[Machines { levels: Some(Levels::Default), cpus: 2, when: When::Asked }],
    quick: Quick::Smallest,
    tests: |_, _| Ok([names(POWER), names(trouble::TESTS), words(&["kernel-is-quiet"])].concat()),
    run,
};

fn run(ctx: &Ctx, part: &Part, tally: &mut Tally) -> Result<()> {
    for (name, test) in POWER {
        let name = part.test(name);
        if tally.wants(&name) {
            tally.check(&name, test(ctx, part));
        }
    }
    let in_one_machine = names(trouble::TESTS).into_iter().chain(words(&["kernel-is-quiet"]));
    if in_one_machine.map(|name| part.test(&name)).any(|name| tally.wants(&name)) {
        one_machine(ctx, part, tally)?;
    }
    Ok(())
}

fn plan(ctx: &Ctx, app: &App, level: &Level, sync: &str, extra: &[ExtraFile]) -> Result<Plan> {
    let mut arguments: Vec<_> = ARGUMENTS.iter().map(|word| (*word).to_owned()).collect();
    sync.clone_into(&mut arguments[SYNC]);
    let mut plan = run::plan_on(ctx, app, level, Userland::Busybox, Some(&arguments), extra)?;
    plan.forwards =
        vec![Forward { host: net::free_port()?, guest: *app.guest.ports.first().context("Redis has a port")? }];
    plan.name = format!("test-faults-{}", level.name);
    Ok(plan)
}

/// QEMU is killed at random moments of a stream of writes, again and again on the same disk.
fn power_off(ctx: &Ctx, part: &Part) -> Result<String> {
    let (acknowledged, lost) = power_offs(ctx, part, "always", POWER_OFFS)?;
    ensure!(lost.is_none(), "{}", lost.unwrap_or_default());
    ensure!(acknowledged > u64::from(POWER_OFFS), "only {acknowledged} writes were acknowledged");
    Ok(format!("{acknowledged} acknowledged writes with what is there after {POWER_OFFS} power-offs: 0 lost"))
}

/// Where Redis leaves it to the kernel when to write, the same does lose some: this test can tell.
fn control(ctx: &Ctx, part: &Part) -> Result<String> {
    let (acknowledged, lost) = power_offs(ctx, part, "no", 3)?;
    let lost = lost.with_context(|| format!("none of {acknowledged} writes was lost without a sync"))?;
    Ok(format!("what a power-off takes of writes that nothing has synced with nothing: they differ; {lost:.60}…"))
}

/// Returns how many writes were acknowledged, and what was missing after a power-off.
fn power_offs(ctx: &Ctx, part: &Part, sync: &str, times: u32) -> Result<(u64, Option<String>)> {
    let mut plan = plan(ctx, &ctx.repo.app(&part.app)?, part.level()?, sync, &[])?;
    plan.name.push_str("-power-off");
    let scratch = ctx.cache.scratch()?;
    let disk = disk::open(&scratch.path().join("data.img"), DISK_MIB)?;
    plan.disk = Some(disk.image.clone());
    let port = plan.forwards[0].host;
    let (mut random, mut writer) = (fastrand::Rng::with_seed(1), Writer::new(1));
    for round in 0..=times {
        ensure!(!interrupt::requested(), "interrupted");
        let mut vm = Vm::boot(ctx, &plan)?;
        vm.wait_ready(READY_DEADLINE)?;
        smoke::wait_loaded(port)?;
        if let Err(error) = writer.verify(port) {
            return Ok((writer.acknowledged, Some(format!("after power-off {round}: {error:#}"))));
        }
        if let Some(line) = vm.trouble() {
            anyhow::bail!("after power-off {round} the console said: {line}");
        }
        if round == times {
            vm.stop()?;
            break;
        }
        let delay = Duration::from_millis(random.u64(POWER_OFF_MS));
        // Dropping it kills QEMU.
        writer = writer.until_it_breaks(port, delay, move || drop(vm))?;
    }
    Ok((writer.acknowledged, None))
}

fn one_machine(ctx: &Ctx, part: &Part, tally: &mut Tally) -> Result<()> {
    let (app, level, prefix) = (ctx.repo.app(&part.app)?, part.level()?, part.prefix.as_str());
    let program = |target: &str, path: std::path::PathBuf| {
        let content = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok::<_, anyhow::Error>(ExtraFile { target: target.to_owned(), permissions: 0o755, content })
    };
    let extra =
        [program(LOAD_GENERATOR, load_generator(ctx)?)?, program(INTRUDER, guest_program(ctx, "ukl-intruder")?)?];
    let mut plan = plan(ctx, &app, level, ARGUMENTS[SYNC], &extra)?;
    let scratch = ctx.cache.scratch()?;
    let disk = disk::open(&scratch.path().join("data.img"), DISK_MIB)?;
    plan.disk = Some(disk.image.clone());
    plan.cpus = part.cpus;
    plan.tell(BootWord::Keep);
    let port = plan.forwards[0].host;
    let mut vm = Vm::boot(ctx, &plan)?;
    vm.wait_ready(READY_DEADLINE)?;
    smoke::wait_loaded(port)?;
    let mut guest = Afflicted { shell: vm.shell()?, port };
    // The server that init has started ends here, and the machine does not.
    guest.restart()?;
    for (name, test) in trouble::TESTS {
        let name = format!("{prefix}{name}");
        if tally.wants(&name) {
            tally.check(&name, test(&mut guest));
        }
    }
    tally.kernel_is_quiet(prefix, &mut vm);
    vm.stop().context("stopping the machine")
}

impl Afflicted {
    /// Runs a command that has to succeed.
    fn run(&mut self, command: &str) -> Result<String> {
        let output = self.shell.run(command, DEADLINE)?;
        ensure!(output.status == 0, "`{command}` ended with status {}: {}", output.status, output.text);
        Ok(output.text.trim().to_owned())
    }

    /// Starts the server where none runs any more, and waits until it has its data.
    fn start(&mut self) -> Result<()> {
        let arguments: String = ARGUMENTS.iter().map(|word| format!(" '{word}'")).collect();
        self.run(&format!("cd /data; redis-server{arguments} >/tmp/redis.log 2>&1 & echo $! >/run/server"))?;
        self.run("for try in $(seq 600); do grep -q ' 00000000:0000 0A ' /proc/net/tcp && grep -q ':18EB ' /proc/net/tcp && break; usleep 100000; done")?;
        smoke::wait_loaded(self.port)
    }

    /// Ends the server as SIGKILL does and starts it again.
    fn restart(&mut self) -> Result<()> {
        self.run("for pid in $(pidof redis-server); do kill -KILL $pid; done; while pidof redis-server; do usleep 50000; done")?;
        self.start()
    }
}
