//! One machine with a server and its clients, which are played against it from beside it.

use super::super::server::{privilege, succeed};
use super::super::tally::Tally;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::time::Duration;
use ukl_app::tools;
use ukl_clients::{Record, Suite};
use ukl_guest::initramfs::{ExtraFile, without_debug_data};
use ukl_repo::config::{App, Level};
use ukl_repo::ctx::Ctx;
use ukl_run::run::{self, READY_DEADLINE};
use ukl_vm::vm::Vm;
use ukl_vm::vm::shell::Shell;

/// Where the clients lie in the guest.
const PROGRAM: &str = "/opt/clients/ukl-clients";
const SUITE: &str = "/etc/ukl/clients.toml";
const RECORD: &str = "/tmp/record";
/// QEMU drops what a console prints beyond what the socket to the host holds, some 200 KiB.
const PIECE_BYTES: usize = 64 << 10;
/// At most 256 KiB in the buffer to a peer that does not read, instead of 4 MiB: a server has to wait for a stalling client
/// after fewer bytes, and writes a large answer in many parts.
const SMALL_SEND_BUFFERS: &str = "echo 4096 16384 262144 >/proc/sys/net/ipv4/tcp_wmem";
/// How long one step may wait, and all scripts together; far more than either needs, for a host that is busy otherwise.
const STEP_DEADLINE_S: u64 = 60;
const DEADLINE: Duration = Duration::from_secs(600);

/// The clients of an application.
#[derive(Debug)]
pub(super) struct Clients {
    suite: Suite,
    /// Their program, the suite and the scripts, for the guest.
    files: Vec<ExtraFile>,
}

impl Clients {
    /// Reads `clients.toml` and builds what plays it.
    pub(super) fn prepare(ctx: &Ctx, app: &App, scripts: &[String]) -> Result<Self> {
        let suite = Suite::read(&app.dir.join("clients.toml"))?;
        Ok(Clients { suite, files: files(ctx, app, scripts)? })
    }

    /// What the clients observe at a level. The machine's own tests, `privilege` and `kernel-is-quiet`, are counted.
    pub(super) fn play(
        &self,
        ctx: &Ctx,
        app: &App,
        level: &Level,
        names: &[String],
        prefix: &str,
        tally: &mut Tally,
    ) -> Result<Record> {
        let prefix = format!("{prefix}{}/", level.name);
        let port = *app.guest.ports.first().with_context(|| format!("application `{}` has no port", app.name))?;
        let mut plan = run::plan_with(ctx, app, level, self.suite.arguments.as_deref(), &self.files)?;
        plan.name = format!("test-differential-{}-{}", app.name, level.name);
        let mut vm = Vm::boot(ctx, &plan)?;
        vm.wait_ready(READY_DEADLINE)?;
        tally.check(&format!("{prefix}privilege"), privilege(level, &vm));
        let command = format!(
            "{PROGRAM} --packed-to {RECORD} --deadline-s {STEP_DEADLINE_S} --target 127.0.0.1:{port} --suite {SUITE} {}",
            names.join(" ")
        );
        let mut shell = vm.shell()?;
        succeed(&mut shell, SMALL_SEND_BUFFERS)?;
        let output = shell.run(&command, DEADLINE).map_err(|error| vm.failure(format!("{error:#}")))?;
        ensure!(output.status == 0, "`{PROGRAM}` ended with status {}: {}", output.status, output.text);
        let record = Record::unpack(&fetch(&mut shell, output.text.trim())?)?;
        // Kept beside the console's log, for whoever wants to know more than the first difference.
        let kept = vm.log.with_extension("json");
        let text = serde_json::to_string_pretty(&record).context("encoding the record")?;
        std::fs::write(&kept, text).with_context(|| format!("writing {}", kept.display()))?;
        tally.kernel_is_quiet(&prefix, &mut vm);
        vm.stop().context("stopping the machine")?;
        Ok(record)
    }
}

fn files(ctx: &Ctx, app: &App, scripts: &[String]) -> Result<Vec<ExtraFile>> {
    let scratch = ctx.cache.scratch()?;
    let program = without_debug_data(&tools::guest_program(ctx, "ukl-clients")?, scratch.path())?;
    let file = |target: &str, permissions, from: &Path| -> Result<ExtraFile> {
        let content = std::fs::read(from).with_context(|| format!("reading {}", from.display()))?;
        Ok(ExtraFile { target: target.to_owned(), permissions, content })
    };
    let mut files = vec![file(PROGRAM, 0o755, &program)?, file(SUITE, 0o644, &app.dir.join("clients.toml"))?];
    for name in scripts {
        let script = format!("clients/{name}.toml");
        files.push(file(&format!("/etc/ukl/{script}"), 0o644, &app.dir.join(&script))?);
    }
    Ok(files)
}

/// The line of that many bytes that the program has written, piece by piece.
fn fetch(shell: &mut Shell, length: &str) -> Result<String> {
    let length: usize = length.parse().with_context(|| format!("`{PROGRAM}` printed {length:?}, no length"))?;
    let mut line = String::new();
    for piece in 0..length.div_ceil(PIECE_BYTES) {
        line += &succeed(shell, &format!("dd if={RECORD} bs={PIECE_BYTES} skip={piece} count=1 2>/dev/null"))?;
    }
    ensure!(line.len() == length, "{} bytes of the record came through the console, {length} were sent", line.len());
    Ok(line)
}
