//! Memcached over TCP from the host, and its threads seen from the guest.

mod client;
mod guest;

use super::server::{self, PID, Server, succeed};
use super::suite::{Apps, Machines, Quick, Suite, When, names, words};
use super::tally::Tally;
use anyhow::{Result, ensure};
use ukl_repo::config::Levels;
use ukl_repo::ctx::Ctx;
use ukl_run::memcached::{Client, Reply};
use ukl_vm::vm::Vm;

/// Its threads run at once only where there is more than one CPU.
pub(super) const SUITE: Suite = Suite {
    name: "memcached",
    summary: "memcached from the host, and its threads seen from the guest",
    prefix: "{level}/smp{cpus}/memcached/",
    apps: Apps::One("memcached"),
    machines: &[
        Machines { levels: Some(Levels::Default), cpus: 1, when: When::Default },
        Machines { levels: Some(Levels::Ways), cpus: 2, when: When::Default },
    ],
    quick: Quick::Smallest,
    tests: |_, _| {
        let others = words(&["privilege", "sigterm", "kernel-is-quiet"]);
        Ok([names(client::TESTS), names(guest::TESTS), others].concat())
    },
    run: |ctx, part, tally| server::run(ctx, part, tally, boot_and_run),
};

fn boot_and_run(ctx: &Ctx, server: &mut Server, tally: &mut Tally) -> Result<()> {
    let mut vm = server.boot(ctx)?;
    server.check_privilege(&vm, tally);
    server.check_from_host(client::TESTS, tally);
    server.check_in_guest(&vm, guest::TESTS, tally)?;
    tally.check(&format!("{}sigterm", server.prefix), terminate(server, &mut vm));
    tally.kernel_is_quiet(&server.prefix, &mut vm);
    Ok(())
}

/// SIGTERM, which the main thread takes while the others serve, ends the process in order.
fn terminate(server: &Server, vm: &mut Vm) -> Result<String> {
    let mut shell = vm.shell()?;
    succeed(&mut shell, &format!("kill -TERM {PID}"))?;
    server.ended_well(vm, "SIGTERM")
}

/// Sends a command of one line and compares the reply as it is shown.
fn expect(client: &mut Client, line: &str, expected: &str) -> Result<()> {
    same(line, &client.text(line)?, expected)
}

fn same(line: &str, reply: &Reply, expected: &str) -> Result<()> {
    let reply = reply.to_string();
    ensure!(reply == expected, "`{line}` was answered {reply:?}; {expected:?} was expected");
    Ok(())
}
