//! A machine in which perf samples the server and everything else under the load.

use super::Load;
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::time::Duration;
use ukl_app::tools::load_generator;
use ukl_guest::initramfs::ExtraFile;
use ukl_host::cache::Scratch;
use ukl_host::failure::Failure;
use ukl_host::process;
use ukl_repo::config::{App, Level};
use ukl_repo::ctx::Ctx;
use ukl_run::run::{self, READY_DEADLINE, Userland};
use ukl_vm::qemu::Accelerator;
use ukl_vm::vm::shell::Shell;
use ukl_vm::vm::{Vm, disk};
use xshell::cmd;

/// Each instruction advances the clock by a nanosecond, so this is one sample in that many instructions. A prime number, which
/// nothing periodic has for a factor.
pub(super) const PERIOD_NS: u32 = 99_991;
/// As much of the application's stack as a sample holds: Redis has an array of 16 KiB on it while it answers at length.
const STACK_BYTES: u32 = 20480;
/// Room for a buffer that holds all samples, so that none is lost while the server runs instead of perf.
const MEMORY_MIB: u32 = 2048;
/// By how much longer than the others this machine may take.
const PATIENCE: u32 = 5;
/// All of the load; half a minute on an idle machine.
const DEADLINE: Duration = Duration::from_secs(600);
/// Where the load generator lies, for the guest and for Debian's programs.
const PROGRAM: &str = "/opt/bench/ukl-loadgen";
/// Where perf writes, as Debian's programs see it and from outside: in memory, because the clock leaps whenever the machine waits
/// for a disk, and nothing the server does is to wait for that.
const MEMORY: &str = "/mnt";
const OUTSIDE: &str = "/debian/mnt";

/// What perf wrote, and what one must know of the machine to understand it.
#[derive(Debug)]
pub struct Recording {
    /// The file of perf.
    pub file: PathBuf,
    /// Where the kernel's `_text` was.
    pub text: u64,
    /// The application's process.
    pub pid: i32,
    pub log: PathBuf,
    /// Holds the file.
    _files: Scratch,
}

/// Boots the server at a level and samples the load.
pub fn record(ctx: &Ctx, app: &App, level: &Level, load: &Load) -> Result<Recording> {
    let program = load_generator(ctx)?;
    let content = std::fs::read(&program).with_context(|| format!("reading {}", program.display()))?;
    let extra = [ExtraFile { target: PROGRAM.to_owned(), permissions: 0o755, content }];
    let mut plan = run::plan_on(ctx, app, level, Userland::Tools, load.arguments(), &extra)?;
    let files = ctx.cache.scratch()?;
    let disk = disk::open(&files.path().join("data.img"), app.guest.disk_mib.unwrap_or(512).max(512))?;
    plan.name = format!("profile-{}-{}", app.name, level.name);
    plan.accelerator = Some(Accelerator::TcgCounting);
    plan.memory_mib = plan.memory_mib.max(MEMORY_MIB);
    plan.disk = Some(disk.image.clone());
    // A clock that follows the instructions makes a boot take ten seconds of an idle machine.
    plan.patience = PATIENCE;
    let mut vm = Vm::boot(ctx, &plan)?;
    vm.wait_ready(READY_DEADLINE)?;
    let (text, pid) = sample(&mut vm.shell()?, load).map_err(|error| vm.failure(format!("{error:#}")))?;
    vm.stop()?;
    vm.check_kernel()?;
    let file = files.path().join("perf.data");
    copy_out(&disk.image, "/perf.data", &file)?;
    Ok(Recording { file, text, pid, log: vm.log.clone(), _files: files })
}

/// Runs the load, the second time under perf. Returns the address of `_text` and the application's process.
fn sample(shell: &mut Shell, load: &Load) -> Result<(u64, i32)> {
    let mut succeed = |command: &str| {
        let output = shell.run(command, DEADLINE)?;
        ensure!(output.status == 0, "`{command}` ended with status {}: {}", output.status, output.text);
        Ok(output.text)
    };
    let text = succeed("grep ' _text$' /proc/kallsyms")?;
    let text = text.split(' ').next().and_then(|address| u64::from_str_radix(address, 16).ok());
    let text = text.context("/proc/kallsyms has no `_text`")?;
    let pid = succeed("cat /run/application.pid")?.parse().context("reading /run/application.pid")?;
    let (before, during) = load.commands(PROGRAM);
    succeed(&before)?;
    // The load generator starts from Debian's root as well; no limit on what sampling may cost; and no complaint about a task
    // that seems to wait for the disk for minutes.
    succeed(&format!(
        "mkdir -p /debian/opt/bench && cp {PROGRAM} /debian/opt/bench/ && mount -t tmpfs tmpfs {OUTSIDE} && \
         echo 0 >/proc/sys/kernel/perf_cpu_time_max_percent && echo 0 >/proc/sys/kernel/hung_task_timeout_secs"
    ))?;
    let during = during.join(" && ");
    succeed(&format!(
        "chroot /debian perf record --quiet --all-cpus --event cpu-clock --count {PERIOD_NS} --mmap-pages 256M \
         --call-graph dwarf,{STACK_BYTES} --output {MEMORY}/perf.data -- sh -c '{during}' && mv {OUTSIDE}/perf.data /data/"
    ))?;
    Ok((text, pid))
}

/// Copies a file out of a disk that no machine uses.
fn copy_out(image: &std::path::Path, from: &str, to: &std::path::Path) -> Result<()> {
    let program = ["/sbin/debugfs", "/usr/sbin/debugfs"].into_iter().find(|path| std::path::Path::new(path).exists());
    let (sh, program, request) =
        (xshell::Shell::new()?, program.unwrap_or("debugfs"), format!("dump {from} {}", to.display()));
    process::read(cmd!(sh, "{program} -R {request} {image}")).context("copying a file out of the data disk")?;
    if !to.is_file() {
        return Err(Failure::new(
            format!("{} has no file {from}", image.display()),
            "perf wrote nothing: see the console's log in the cache's folder `logs`",
        ));
    }
    Ok(())
}
