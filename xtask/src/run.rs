//! Builds, boots and serves an application.

mod console;

use crate::config::{App, Level, Ready};
use crate::ctx::Ctx;
use crate::failure::Failure;
use crate::initramfs::{self, ExtraFile};
use crate::net::Forward;
use crate::qemu::Accelerator;
use crate::vm::console::Event;
use crate::vm::disk::{self, Disk};
use crate::vm::{Plan, Vm, interrupt};
use crate::{doctor, link, net, smoke};
use anyhow::Result;
use std::time::Duration;

/// A boot takes two to four seconds under emulation; loading a large data set takes longer.
pub const READY_DEADLINE: Duration = Duration::from_secs(60);
/// How often a machine that serves is looked at.
const WATCH_PERIOD: Duration = Duration::from_millis(100);

/// Options of `run`.
#[derive(clap::Args)]
pub struct Args {
    /// A folder below apps/; several, separated by commas, are linked into one image and run beside the first.
    app: String,
    /// A file in kernel/levels/, without `.toml`.
    #[arg(long, short, default_value = "byb")]
    level: String,
    /// The host's port for the application's first port [default: the same number].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Virtual CPUs.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    smp: u32,
    /// Memory in MiB [default: what app.toml says].
    #[arg(long, value_parser = clap::value_parser!(u32).range(96..))]
    memory_mib: Option<u32>,
    /// Talk to the application once as a client would, print what came back, and stop.
    #[arg(long)]
    smoke: bool,
    /// Attach to a shell in the guest, with the application running beside it.
    #[arg(long, conflicts_with = "smoke")]
    console: bool,
    /// Use an empty data disk that is not kept; `--smoke` always does.
    #[arg(long)]
    fresh_disk: bool,
    /// Arguments for the application instead of those in app.toml.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Runs `run`.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    let (app, level) = (ctx.repo.app(&args.app)?, ctx.repo.level(&args.level)?);
    for app in app.all() {
        if let Some(reason) = app.skip_levels.get(&level.name) {
            return Err(Failure::usage(
                format!("application `{}` does not run at level `{}`: {reason}", app.name, level.name),
                "choose another level with `--level`",
            ));
        }
    }
    let forwards = forwards(&app, args.port)?;
    // Before anything is built: a port that is taken now is most likely still taken then.
    forwards.iter().try_for_each(|forward| net::check_free(*forward))?;
    doctor::prepare(ctx)?;
    let arguments = (!args.arguments.is_empty()).then_some(args.arguments.as_slice());
    let mut plan = plan(ctx, &app, &level, arguments)?;
    plan.forwards = forwards;
    plan.cpus = args.smp;
    plan.memory_mib = args.memory_mib.unwrap_or(app.memory_mib());
    if let Some(first) = plan.forwards.first() {
        plan.name = format!("{}-{}-port-{}", app.title(), level.name, first.host);
    }
    if args.console {
        plan.append.push("UKL_KEEP=1".to_owned());
    }
    let scratch = ctx.cache.scratch()?;
    let disk = match app.all().filter_map(|app| app.guest.disk_mib).max() {
        None => None,
        Some(size_mib) if args.smoke || args.fresh_disk => {
            Some(disk::open(&scratch.path().join("fresh.img"), size_mib)?)
        }
        Some(size_mib) => Some(disk::kept(ctx, &format!("{}-{}", app.title(), level.name), size_mib)?),
    };
    plan.disk = disk.as_ref().map(|disk: &Disk| disk.image.clone());
    interrupt::catch();
    let mut vm = Vm::boot(ctx, &plan)?;
    announce(&app, &level, &plan, &vm);
    if args.smoke {
        return smoke::smoke(&app, &level, &plan, &mut vm);
    }
    if args.console {
        return console::attach(&mut vm, &app);
    }
    match app.guest.ready {
        Ready::Tcp(_) => serve(&app, &plan, &mut vm),
        Ready::Exit => {
            let status = finish(&mut vm)?;
            anyhow::ensure!(status == 0, "the application ended with status {status}");
            Ok(())
        }
    }
}

/// The machine for an application at a level; everything that is missing is built.
pub fn plan(ctx: &Ctx, app: &App, level: &Level, arguments: Option<&[String]>) -> Result<Plan> {
    plan_with(ctx, app, level, arguments, &[])
}

/// The same with more files in the guest.
pub fn plan_with(
    ctx: &Ctx,
    app: &App,
    level: &Level,
    arguments: Option<&[String]>,
    extra: &[ExtraFile],
) -> Result<Plan> {
    let image = link::image(ctx, app, level)?;
    Ok(Plan {
        name: format!("{}-{}", app.title(), level.name),
        flavour: level.kernel.to_string(),
        kernel: image.bzimage,
        initramfs: initramfs::initramfs(ctx, app, level, arguments, extra)?,
        accelerator: None,
        counter: None,
        memory_mib: app.memory_mib(),
        cpus: 1,
        forwards: vec![],
        disk: None,
        append: vec![],
    })
}

/// The application's ports under the same numbers on the host; `first` replaces the first one's.
fn forwards(app: &App, first: Option<u16>) -> Result<Vec<Forward>> {
    let mut ports = app.all().flat_map(|app| &app.guest.ports).copied().peekable();
    if first.is_some() && ports.peek().is_none() {
        return Err(Failure::usage(
            format!("application `{}` has no port", app.name),
            "leave `--port` out, or name a port under `[guest] ports` in its app.toml",
        ));
    }
    let host = |at: usize, guest: u16| if at == 0 { first.unwrap_or(guest) } else { guest };
    Ok(ports.enumerate().map(|(at, guest)| Forward { host: host(at, guest), guest }).collect())
}

fn announce(app: &App, level: &Level, plan: &Plan, vm: &Vm) {
    let accelerator = match vm.accelerator {
        Accelerator::Kvm => "KVM",
        Accelerator::Tcg | Accelerator::TcgCounting => "emulation (TCG)",
    };
    eprintln!(
        "booting {} at level {} on {} CPU(s), {} MiB, {accelerator}; console: {}",
        app.title(),
        level.name,
        plan.cpus,
        plan.memory_mib,
        vm.log.display()
    );
}

/// Waits until the application listens, says where, and keeps the machine until Ctrl-C or the application's end.
fn serve(app: &App, plan: &Plan, vm: &mut Vm) -> Result<()> {
    vm.wait_all_ready(app, READY_DEADLINE)?;
    for app in app.all() {
        if let Some(port) = plan.host_port(app) {
            smoke::wait_answering(app, port).map_err(|error| vm.failure(format!("{error:#}")))?;
        }
        for forward in plan.forwards.iter().filter(|forward| app.guest.ports.contains(&forward.guest)) {
            println!("{} listens on 127.0.0.1:{}", app.name, forward.host);
        }
    }
    println!("Ctrl-C stops it");
    let mut told = 0;
    loop {
        vm.poll()?;
        for event in &vm.events[told..] {
            if let Event::BesideExit(name, status) = event {
                println!("{name} ended with status {status}; {} goes on", app.name);
            }
        }
        told = vm.events.len();
        if let Some(line) = vm.trouble() {
            return Err(vm.failure(format!("the guest's kernel is in trouble: {line}")));
        }
        if let Some(status) = exit_status(vm) {
            println!("{} ended with status {status}", app.name);
            vm.wait_end(Duration::from_secs(20))?;
            anyhow::ensure!(status == 0, "the application ended with status {status}");
            return Ok(());
        }
        if let Some(status) = vm.ended()? {
            return Err(vm.failure(format!("the machine ended before {} did: {}", app.name, vm.ending(status))));
        }
        if !vm.is_reachable()? {
            vm.stop()?;
            return Err(Failure::new("passt, which is the machine's network, has ended", "run the same command again"));
        }
        if interrupt::requested() {
            eprintln!("stopping {}; Ctrl-C again cuts it off", app.name);
            return vm.stop();
        }
        std::thread::sleep(WATCH_PERIOD);
    }
}

/// Waits for an application that runs to its end, prints what it printed, and returns its status.
pub fn finish(vm: &mut Vm) -> Result<i32> {
    vm.wait_for("the application to end", READY_DEADLINE, |event| matches!(event, Event::Exit(_)))?;
    print!("{}", application_output(&std::fs::read_to_string(&vm.log)?));
    vm.wait_end(Duration::from_secs(20))?;
    if let Some(line) = vm.trouble() {
        return Err(vm.failure(format!("the guest's kernel is in trouble: {line}")));
    }
    Ok(exit_status(vm).unwrap_or(-1))
}

fn exit_status(vm: &Vm) -> Option<i32> {
    vm.events.iter().find_map(|event| match event {
        Event::Exit(status) => Some(*status),
        _ => None,
    })
}

/// What lies between init's marks on the console, without carriage returns.
fn application_output(log: &str) -> String {
    let log = log.replace('\r', "");
    let lines = log.lines().skip_while(|line| *line != "UKL-START").skip(1);
    lines.take_while(|line| !line.starts_with("UKL-EXIT ")).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_application_is_printed() {
        let log =
            "Linux version\r\nUKL-START\r\nukl: level=byb cpl=0 pid=43\r\nhello\r\nUKL-EXIT status=0\r\nreboot\r\n";
        assert_eq!(application_output(log), "ukl: level=byb cpl=0 pid=43\nhello\n");
        assert_eq!(application_output("panic\n"), "");
    }
}
