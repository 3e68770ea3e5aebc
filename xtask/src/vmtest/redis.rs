//! Redis over TCP from the host, and beside it in the guest.

mod client;
mod guest;

use super::Tally;
use crate::ctx::Ctx;
use crate::net::{self, Forward};
use crate::resp::Client;
use crate::run::{self, READY_DEADLINE};
use crate::smoke;
use crate::vm::console::Event;
use crate::vm::{Plan, Vm, disk};
use anyhow::{Context, Result, ensure};
use std::time::Duration;

/// How long one answer may take under emulation.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// All Redis tests at a level: two boots on the same data disk.
pub fn run(ctx: &Ctx, level: &str, tally: &mut Tally) -> Result<()> {
    let prefix = format!("{level}/smp1/redis/");
    if !tally.wants_group(&prefix) {
        return Ok(());
    }
    if let Err(error) = boot_and_run(ctx, level, &prefix, tally) {
        tally.check(&format!("{prefix}machine"), Err(error));
    }
    Ok(())
}

fn boot_and_run(ctx: &Ctx, level: &str, prefix: &str, tally: &mut Tally) -> Result<()> {
    let (app, level) = (ctx.repo.app("redis")?, ctx.repo.level(level)?);
    let mut plan = run::plan(ctx, &app, &level, None)?;
    plan.name = format!("test-redis-{}", level.name);
    let port = net::free_port()?;
    plan.forwards = vec![Forward { host: port, guest: 6379 }];
    let scratch = ctx.cache.scratch()?;
    let disk = disk::open(&scratch.path().join("data.img"), app.guest.disk_mib.unwrap_or(256))?;
    plan.disk = Some(disk.image.clone());

    let mut vm = boot(ctx, &plan)?;
    let banner = vm.events.iter().find_map(|event| match event {
        Event::Banner(banner) => Some(banner.clone()),
        _ => None,
    });
    tally.check(
        &format!("{prefix}privilege"),
        banner.context("no `ukl: level=… cpl=…` line").and_then(|banner| match smoke::mismatch(&level, &banner) {
            None => Ok(format!("level {} and CPL {} with what the level is to have", banner.level, banner.cpl)),
            Some(reason) => Err(anyhow::anyhow!(reason)),
        }),
    );
    for (name, test) in client::TESTS {
        tally.check(&format!("{prefix}{name}"), test(port));
    }
    let mut shell = vm.shell()?;
    for (name, test) in guest::TESTS {
        tally.check(&format!("{prefix}{name}"), test(&mut shell, port));
    }
    tally.check(&format!("{prefix}shutdown"), shut_down(port, &mut vm));
    tally.kernel_is_quiet(prefix, &mut vm);
    drop(vm);

    plan.name.push_str("-again");
    let mut vm = boot(ctx, &plan)?;
    tally.check(&format!("{prefix}data-set-is-loaded-again"), loaded_again(port));
    tally.kernel_is_quiet(&format!("{prefix}second-boot-"), &mut vm);
    vm.stop().context("stopping the machine")
}

fn boot(ctx: &Ctx, plan: &Plan) -> Result<Vm> {
    let mut vm = Vm::boot(ctx, plan)?;
    vm.wait_ready(READY_DEADLINE)?;
    Ok(vm)
}

/// SHUTDOWN saves and ends the process with status 0, whereupon init stops the machine.
fn shut_down(port: u16, vm: &mut Vm) -> Result<String> {
    let mut client = Client::connect(port, ANSWER_DEADLINE)?;
    client.text("SET kept across-boots")?;
    client.send(&[b"SHUTDOWN"])?;
    vm.wait_for("SHUTDOWN to end Redis", ANSWER_DEADLINE, |event| matches!(event, Event::Exit(_)))?;
    ensure!(vm.events.contains(&Event::Exit(0)), "Redis ended with another status than 0: {:?}", vm.events);
    vm.wait_end(ANSWER_DEADLINE)?;
    Ok("Redis's exit status with 0, and the machine stopped by itself".to_owned())
}

fn loaded_again(port: u16) -> Result<String> {
    smoke::wait_loaded(port)?;
    let mut client = Client::connect(port, ANSWER_DEADLINE)?;
    let value = client.text("GET kept")?.to_string();
    ensure!(value == "across-boots", "GET kept answered {value:?}; the value written before SHUTDOWN was expected");
    let absent = client.text("GET never-written")?.to_string();
    ensure!(absent == "(nil)", "GET of a key that was never written answered {absent:?}");
    Ok("a value written before SHUTDOWN with the one read after the next boot; a key never written is absent"
        .to_owned())
}
