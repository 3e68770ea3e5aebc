//! Redis over TCP from the host, and beside it in the guest.

mod client;
mod guest;

use super::server::{self, ANSWER_DEADLINE, Server};
use super::suite::{Apps, Machines, Part, Quick, Suite, When, names, words};
use super::tally::Tally;
use anyhow::{Context, Result, ensure};
use ukl_repo::config::Levels;
use ukl_repo::ctx::Ctx;
use ukl_run::resp::Client;
use ukl_run::smoke;
use ukl_vm::vm::{Plan, Vm, disk};

/// Two boots for each level, on the same data disk.
pub(super) const SUITE: Suite = Suite {
    name: "redis",
    summary: "Redis from the host and beside it in the guest, and its data after a new start",
    prefix: "{level}/smp{cpus}/redis/",
    apps: Apps::One("redis"),
    machines: &[Machines { levels: Some(Levels::Ways), cpus: 1, when: When::Default }],
    quick: Quick::Smallest,
    tests: |_, _| Ok(tests()),
    run: |ctx, part, tally| server::run(ctx, part, tally, boot_and_run),
};

/// What the names of the tests end with.
pub fn tests() -> Vec<String> {
    let others =
        ["privilege", "shutdown", "kernel-is-quiet", "data-set-is-loaded-again", "second-boot-kernel-is-quiet"];
    [names(client::TESTS), names(guest::TESTS), words(&others)].concat()
}

/// Runs them in machines that `adapt` may change.
pub fn run_adapted(
    ctx: &Ctx,
    part: &Part,
    tally: &mut Tally,
    adapt: impl FnOnce(&mut Plan) -> Result<()>,
) -> Result<()> {
    server::run_adapted(ctx, part, tally, adapt, boot_and_run)
}

fn boot_and_run(ctx: &Ctx, server: &mut Server, tally: &mut Tally) -> Result<()> {
    let scratch = ctx.cache.scratch()?;
    let disk = disk::open(&scratch.path().join("data.img"), server.app.guest.disk_mib.unwrap_or(256))?;
    server.plan.disk = Some(disk.image.clone());
    let (prefix, port) = (server.prefix.clone(), server.port);

    let mut vm = server.boot(ctx)?;
    server.check_privilege(&vm, tally);
    server.check_from_host(client::TESTS, tally);
    server.check_in_guest(&vm, guest::TESTS, tally)?;
    tally.check(&format!("{prefix}shutdown"), shut_down(server, &mut vm));
    tally.kernel_is_quiet(&prefix, &mut vm);
    drop(vm);

    server.plan.name.push_str("-again");
    let mut vm = server.boot(ctx)?;
    tally.check(&format!("{prefix}data-set-is-loaded-again"), loaded_again(port));
    tally.kernel_is_quiet(&format!("{prefix}second-boot-"), &mut vm);
    vm.stop().context("stopping the machine")
}

/// SHUTDOWN saves and ends the process.
fn shut_down(server: &Server, vm: &mut Vm) -> Result<String> {
    let mut client = Client::connect(server.port, ANSWER_DEADLINE)?;
    client.text("SET kept across-boots")?;
    client.send(&[b"SHUTDOWN"])?;
    server.ended_well(vm, "SHUTDOWN")
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
