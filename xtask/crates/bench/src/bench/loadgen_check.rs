//! Whether `ukl-loadgen` sees what redis-benchmark sees of the same server.
//!
//! Both clients run on the host and the server in the guest. Emulated or behind a virtual network card it is what both wait
//! for, as it has to be: of clients that wait for themselves, the one that needs less CPU for a request sees more.

use crate::requests::Requests;
use anyhow::Result;
use std::process::Command;
use ukl_app::app;
use ukl_app::tools::load_generator;
use ukl_host::process;
use ukl_repo::config::{App, Level};
use ukl_repo::ctx::Ctx;
use ukl_run::{run, smoke};
use ukl_vm::net::{self, Forward};
use ukl_vm::vm::Vm;

/// The program that the sources of Redis bring along.
const TOOL: &str = "redis-benchmark";
/// redis-benchmark's own number.
const CONNECTIONS: u32 = 50;
/// Of one run, at pipeline 1: seconds where the guest is emulated.
const REQUESTS: u32 = 10_000;

/// Boots the server and has both measure it in turns; prints the table, and fails when they are further apart than 5 %.
pub(super) fn run(ctx: &Ctx, app: &App, settings: &Requests, level: &Level) -> Result<()> {
    let (benchmark, program) = (app::build_tool(ctx, app, TOOL)?, load_generator(ctx)?);
    let mut plan = run::plan(ctx, app, level, settings.arguments.as_deref())?;
    let host = net::free_port()?;
    plan.name = format!("check-loadgen-{}-{}", app.name, level.name);
    plan.forwards = vec![Forward { host, guest: settings.port }];
    let mut vm = Vm::boot(ctx, &plan)?;
    vm.wait_ready(run::READY_DEADLINE)?;
    smoke::wait_answering(app, host)?;
    println!("{} at level {}, {CONNECTIONS} connections, {}-byte values:", app.name, level.name, settings.value_bytes);
    let mut compare = Command::new(program);
    compare.args(["compare", "--target", &format!("127.0.0.1:{host}"), "--redis-benchmark"]).arg(benchmark);
    for (option, number) in [
        ("--connections", CONNECTIONS),
        ("--requests", REQUESTS),
        ("--value-bytes", settings.value_bytes),
        ("--keys", settings.keys),
    ] {
        compare.args([option, &number.to_string()]);
    }
    let outcome = process::run(&mut compare);
    vm.stop()?;
    outcome
}
