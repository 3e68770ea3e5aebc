//! Builds, boots and serves an application.

mod console;
mod follow;
pub mod machines;
mod output;
pub mod parties;
mod plan;
mod port;
pub mod protection;

pub use follow::finish;
pub use plan::{NO_AUDIT, Userland, on_profile, plan, plan_on, plan_with};

use crate::smoke;
use anyhow::{Context, Result};
use port::Port;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use ukl_audit::program;
use ukl_guest::userland;
use ukl_host::failure::Failure;
use ukl_host::interrupt;
use ukl_repo::config::{App, DEFAULT_LEVEL, Level, Ready};
use ukl_repo::ctx::Ctx;
use ukl_sources::doctor;
use ukl_vm::net;
use ukl_vm::qemu::Accelerator;
use ukl_vm::vm::console::Said;
use ukl_vm::vm::disk::{self, Disk};
use ukl_vm::vm::protocol::{BootWord, Mark};
use ukl_vm::vm::{Event, Plan, Vm};

/// A boot takes two to four seconds under emulation; loading a large data set takes longer.
pub const READY_DEADLINE: Duration = Duration::from_secs(60);
/// How often the network of a machine that serves is looked at.
const NETWORK_PERIOD: Duration = Duration::from_millis(100);

/// Options of `run`.
#[derive(clap::Args)]
pub struct Args {
    /// A folder below apps/, or the path of a program that ukl-cc linked, such as ./hello. Several folders, separated by commas,
    /// are linked into one image and run beside the first.
    app: String,
    /// A file in kernel/levels/, without `.toml`.
    #[arg(long, short, default_value = DEFAULT_LEVEL)]
    level: String,
    /// The host's port for the application's first one, or for GUEST [default: the same numbers]; may be repeated. A program
    /// named by its path is a server if there is one: it is ready when it listens on the first.
    #[arg(long, value_name = "HOST[:GUEST]")]
    port: Vec<Port>,
    /// A file of this machine that the program named by its path finds at GUEST; may be repeated.
    #[arg(long, value_name = "HOST:GUEST")]
    file: Vec<String>,
    /// What is beside the application: a small busybox, the same with Debian's tools below /debian, or a Debian with systemd.
    #[arg(long, default_value = "busybox")]
    userland: Userland,
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
    /// Boot a machine for each of N parties, with a cable between any two; for applications that say so in app.toml. The
    /// arguments replace those that follow a party's own.
    #[arg(long, value_name = "N", conflicts_with_all = ["console", "smoke", "port"])]
    parties: Option<u32>,
    /// Use an empty data disk that is not kept; `--smoke` always does.
    #[arg(long)]
    fresh_disk: bool,
    /// Arguments for the application instead of those in app.toml.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Runs `run`.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    let (app, level) = (application(ctx, &args)?, ctx.repo.level(&args.level)?);
    for app in app.all() {
        if let Some(reason) = app.skip_levels.get(&level.name) {
            return Err(Failure::usage(
                format!("application `{}` does not run at level `{}`: {reason}", app.name, level.name),
                "choose another level with `--level`",
            ));
        }
    }
    if let Some(count) = args.parties {
        let parties = parties::of(&app, count)?;
        doctor::prepare(ctx)?;
        let request = if args.arguments.is_empty() { &parties.request } else { &args.arguments };
        let mut plans = parties::plans(ctx, &app, &level, parties, request)?;
        for plan in &mut plans {
            plan.cpus = args.smp;
            plan.memory_mib = args.memory_mib.unwrap_or(plan.memory_mib);
        }
        return parties::run(ctx, &app, &level, plans);
    }
    let forwards = port::forwards(&app, &args.port)?;
    // Before anything is built: a port that is taken now is most likely still taken then.
    forwards.iter().try_for_each(|forward| net::check_free(*forward))?;
    doctor::prepare(ctx)?;
    let arguments = (!args.arguments.is_empty()).then_some(args.arguments.as_slice());
    let mut plan = plan_on(ctx, &app, &level, args.userland, arguments, &[])?;
    plan.forwards = forwards;
    plan.cpus = args.smp;
    plan.memory_mib = args.memory_mib.unwrap_or(plan.memory_mib);
    if let Some(first) = plan.forwards.first() {
        plan.name = format!("{}-{}-port-{}", app.title(), level.name, first.host);
    }
    let ways_in = match args.userland {
        Userland::Debian => Some(userland::WaysIn::add(ctx, &mut plan)?),
        Userland::Busybox | Userland::Tools => None,
    };
    if args.console {
        plan.tell(BootWord::Keep);
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
    protection::of(&mut vm)?.lines().iter().for_each(|line| eprintln!("{line}"));
    if args.smoke {
        return smoke::smoke(&app, &level, &plan, &mut vm);
    }
    if args.console {
        return console::attach(&mut vm, &app);
    }
    match app.guest.ready {
        Ready::Tcp(_) => serve(&app, &plan, ways_in.as_ref(), &mut vm),
        Ready::Exit => follow::follow(&mut vm, &app),
    }
}

/// Whether what is to be run is named by its path: it has a slash, or is no application but a file.
pub fn is_path(ctx: &Ctx, name: &str) -> bool {
    name.contains('/')
        || (!ctx.repo.root.join("apps").join(name).join("app.toml").is_file() && Path::new(name).is_file())
}

/// The application that is to be run.
fn application(ctx: &Ctx, args: &Args) -> Result<App> {
    if is_path(ctx, &args.app) {
        let mut files = BTreeMap::new();
        for words in &args.file {
            let Some((host, guest)) = words.split_once(':') else {
                return Err(Failure::usage(
                    format!("`--file {words}` does not say where the file goes"),
                    "write --file HOST:GUEST, such as --file ./my.conf:/etc/my.conf",
                ));
            };
            let path = std::path::absolute(host).with_context(|| format!("resolving {host}"))?;
            files.insert(guest.to_owned(), path);
        }
        let ports = args.port.iter().map(|port| port.guest.unwrap_or(port.host)).collect();
        return program::app(Path::new(&args.app), program::Options { ports, files });
    }
    if !args.file.is_empty() {
        return Err(Failure::usage(
            format!("`--file` is for programs named by their path, and `{}` is an application", args.app),
            format!("name the file under `[guest.files]` in apps/{}/app.toml", args.app),
        ));
    }
    ctx.repo.app(&args.app)
}

fn announce(app: &App, level: &Level, plan: &Plan, vm: &Vm) {
    let accelerator = match vm.accelerator {
        Accelerator::Kvm => "KVM",
        Accelerator::Tcg | Accelerator::TcgParallel | Accelerator::TcgCounting => "emulation (TCG)",
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
fn serve(app: &App, plan: &Plan, ways_in: Option<&userland::WaysIn>, vm: &mut Vm) -> Result<()> {
    vm.wait_all_ready(app, READY_DEADLINE)?;
    for app in app.all() {
        if let Some(port) = plan.host_port(app) {
            smoke::wait_answering(app, port).map_err(|error| vm.failure(format!("{error:#}")))?;
        }
        for forward in plan.forwards.iter().filter(|forward| app.guest.ports.contains(&forward.guest)) {
            println!("{} listens on 127.0.0.1:{}", app.name, forward.host);
        }
    }
    if let Some(ways_in) = ways_in {
        println!("{ways_in}");
    }
    println!("Ctrl-C stops it");
    let tell = |mark: &Mark| {
        if let Mark::BesideExit(name, status) = mark {
            println!("{name} ended with status {status}; {} goes on", app.name);
        }
    };
    vm.marks().iter().for_each(tell);
    loop {
        match vm.next(Some(Instant::now() + NETWORK_PERIOD))? {
            Event::Line(_, Some(Said::Mark(Mark::Exit(status)))) => {
                println!("{} ended with status {status}", app.name);
                vm.wait_end(follow::STOP_DEADLINE)?;
                return follow::verdict(app, status, vm);
            }
            Event::Line(_, Some(Said::Mark(mark))) => tell(&mark),
            Event::Line(..) => {}
            Event::Trouble(_) => return Err(vm.failed_kernel()),
            Event::End(status) => {
                return Err(vm.failure(format!("the machine ended before {} did: {}", app.name, vm.ending(status))));
            }
            Event::Interrupt => {
                eprintln!("stopping {}; Ctrl-C again cuts it off", app.name);
                return vm.stop();
            }
            Event::Deadline if vm.is_reachable()? => {}
            Event::Deadline => {
                vm.stop()?;
                return Err(Failure::new(
                    "passt, which is the machine's network, has ended",
                    "run the same command again",
                ));
            }
        }
    }
}
