//! A debugger on the whole machine: application and kernel in one session, stopped together.

use crate::run::{self, Userland};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::process::Command;
use ukl_app::{image, symbols};
use ukl_host::failure::Failure;
use ukl_host::process;
use ukl_kernel::kernel;
use ukl_repo::config::{DEFAULT_LEVEL, KernelFlavour, KernelProfile};
use ukl_repo::ctx::Ctx;
use ukl_sources::doctor;
use ukl_vm::vm::Vm;

/// Options of `debug`.
#[derive(clap::Args)]
pub struct Args {
    /// The application: a folder of apps/.
    app: String,
    /// The level: a file of kernel/levels.
    #[arg(long, short, default_value = DEFAULT_LEVEL)]
    level: String,
    /// A command for gdb; may be repeated. gdb ends after the last one, and the machine with it.
    #[arg(long, short, value_name = "COMMAND")]
    execute: Vec<String>,
}

/// Runs `debug`: the machine waits before its first instruction, and ends with gdb.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    doctor::prepare(ctx)?;
    doctor::require(ctx, &BTreeMap::from([("gdb".to_owned(), "gdb".to_owned())]))?;
    let gdb = session(ctx, &args.app, &args.level)?;
    let mut command = gdb.command();
    for text in &args.execute {
        command.arg("--eval-command").arg(text);
    }
    if !args.execute.is_empty() {
        command.arg("--batch");
    }
    let status = process::die_with_parent(&mut command).status().context("starting gdb")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    if code == 0 { Ok(()) } else { Err(Failure::ended(code, format!("gdb ended with {status}"), "read what it said")) }
}

/// A machine that waits for its debugger.
pub struct Session {
    words: Vec<String>,
    /// Ends with this value.
    _vm: Vm,
}

/// Starts the machine.
pub fn session(ctx: &Ctx, app: &str, level: &str) -> Result<Session> {
    let (app, level) = (ctx.repo.app(app)?, ctx.repo.level(level)?);
    let image = image::image_on(ctx, &app, &level, KernelProfile::Debian)?;
    let mut plan = run::plan_on(ctx, &app, &level, Userland::Tools, None, &[])?;
    plan.name = format!("debug-{}-{}", app.name, level.name);
    // Functions lie where the image says.
    plan.append.push("nokaslr".to_owned());
    plan.debugger = true;
    let vm = Vm::boot(ctx, &plan)?;
    let scripts = kernel::kernel(ctx, level.kernel, KernelProfile::Debian)?.output.join("vmlinux-gdb.py");
    let mut words = vec![
        "set confirm off".to_owned(),
        "set pagination off".to_owned(),
        "set debuginfod enabled off".to_owned(),
        format!("source {}", scripts.display()),
    ];
    let symbols = symbols::file(ctx, &app, &level, &image)?;
    words.push(match level.kernel {
        KernelFlavour::Ukl => symbols::gdb_command(&symbols, &symbols.display().to_string(), 0)?,
        KernelFlavour::Vanilla => format!("add-symbol-file {}", symbols.display()),
    });
    words.push(format!("target remote {}", vm.debugger_socket().display()));
    // In this order, after the kernel is loaded.
    let commands = words.into_iter().flat_map(|word| ["--eval-command".to_owned(), word]);
    Ok(Session { words: [image.vmlinux.display().to_string()].into_iter().chain(commands).collect(), _vm: vm })
}

impl Session {
    /// gdb with both programs loaded and the machine connected.
    pub fn command(&self) -> Command {
        let mut command = Command::new("gdb");
        command.args(["--nx", "--quiet"]).args(&self.words);
        command
    }
}
