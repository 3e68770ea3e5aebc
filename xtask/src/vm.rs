//! A running virtual machine: started, watched through its console, and never outliving this process.

mod accel;
pub mod clock;
pub mod console;
pub mod disk;
pub mod interrupt;
pub mod messages;
pub mod shell;

use crate::cache::Scratch;
use crate::config::{App, Ready};
use crate::ctx::Ctx;
use crate::net::{self, Connection, Forward};
use crate::qemu::{self, Accelerator, Counter, Machine};
use crate::{failure::Failure, process};
use anyhow::{Context, Result};
use console::Event;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long the machine may take to stop when asked, the application's last saving included.
const STOP_DEADLINE: Duration = Duration::from_secs(120);
/// How long a machine that ends by itself may still take.
const ENDING_DEADLINE: Duration = Duration::from_secs(5);
/// How often the console's log is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How many lines of the console a failure shows.
const TAIL_LINES: usize = 25;

/// What to boot.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Names the log file: application, level and whatever tells concurrent machines apart.
    pub name: String,
    /// The kernel's flavour, for which the choice of the accelerator is remembered.
    pub flavour: String,
    pub kernel: PathBuf,
    pub initramfs: PathBuf,
    /// `None` chooses: KVM where it works.
    pub accelerator: Option<Accelerator>,
    /// Counts instructions, in a machine that runs alike each time.
    pub counter: Option<Counter>,
    pub memory_mib: u32,
    pub cpus: u32,
    pub forwards: Vec<Forward>,
    /// To other machines.
    pub cables: Vec<net::Cable>,
    pub disk: Option<PathBuf>,
    /// The Debian root, which stays as it is: what the guest writes to it is thrown away.
    pub debian: Option<PathBuf>,
    /// Stops before the first instruction, for a debugger that connects to `debugger_socket`.
    pub debugger: bool,
    /// By how much each deadline for what the guest does is longer: a distribution boots longer than the small guest.
    pub patience: u32,
    /// Words for the kernel's command line; see `guest/init`.
    pub append: Vec<String>,
}

impl Plan {
    /// The host's port for an application's first one.
    pub fn host_port(&self, app: &App) -> Option<u16> {
        let guest = *app.guest.ports.first()?;
        self.forwards.iter().find(|forward| forward.guest == guest).map(|forward| forward.host)
    }
}

/// A machine.
#[derive(Debug)]
pub struct Vm {
    child: Child,
    /// Everything that the console printed.
    pub log: PathBuf,
    pub accelerator: Accelerator,
    /// What QEMU itself said.
    errors: PathBuf,
    sockets: Sockets,
    patience: u32,
    offset: u64,
    lines: messages::Lines,
    /// What the console said so far, oldest first.
    pub events: Vec<Event>,
    // Dropped after QEMU has been killed.
    connection: Connection,
    _claim: std::fs::File,
}

/// The empty, locked log of a machine, and its name without `.log`: NAME, or NAME-PID beside a machine that has that one.
fn claim_log(logs: &Path, name: &str) -> Result<(String, std::fs::File)> {
    let own = format!("{name}-{}", std::process::id());
    for name in [name, own.as_str()] {
        let path = logs.join(format!("{name}.log"));
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("creating {}", path.display()))?;
        if file.try_lock().is_ok() {
            file.set_len(0).with_context(|| format!("emptying {}", path.display()))?;
            return Ok((name.to_owned(), file));
        }
    }
    Err(Failure::new(
        format!("{} and {own}.log are in use by other machines", logs.join(format!("{name}.log")).display()),
        "wait for them to end",
    ))
}

impl Vm {
    /// Starts the machine; it is up when `wait_ready` returns.
    pub fn boot(ctx: &Ctx, plan: &Plan) -> Result<Vm> {
        let accelerator = match plan.accelerator {
            Some(accelerator) => accelerator,
            None => accel::choose(ctx, plan)?,
        };
        let logs = ctx.cache.root().join("logs");
        std::fs::create_dir_all(&logs).with_context(|| format!("creating {}", logs.display()))?;
        let (name, claim) = claim_log(&logs, &plan.name)?;
        let log = logs.join(format!("{name}.log"));
        let sockets = Sockets::new(ctx)?;
        let connection = net::connect(&plan.forwards, &logs.join(format!("{name}-passt.log")))?;
        let mut append = plan.append.clone();
        if accelerator == Accelerator::Tcg {
            append.push(clock::known_rate());
        }
        let machine = Machine {
            kernel: plan.kernel.clone(),
            initramfs: plan.initramfs.clone(),
            accelerator,
            counter: plan.counter.clone(),
            memory_mib: plan.memory_mib,
            cpus: plan.cpus,
            network: connection.network.clone(),
            cables: plan.cables.iter().map(net::Cable::end).collect(),
            disk: plan.disk.clone(),
            debian: plan.debian.clone(),
            debugger_socket: plan.debugger.then(|| sockets.path().join("debug")),
            append,
            log: log.clone(),
            shell_socket: sockets.path().join("shell"),
            control_socket: sockets.path().join("control"),
        };
        let mut command = Command::new(qemu::PROGRAM);
        command.args(qemu::arguments(&machine)).stdin(Stdio::null()).stdout(Stdio::null());
        let errors = logs.join(format!("{name}-qemu.log"));
        let stderr = std::fs::File::create(&errors).with_context(|| format!("creating {}", errors.display()))?;
        // Ctrl-C is for us: we stop the machine in order.
        process::die_with_parent(&mut command).stderr(stderr).process_group(0);
        if let Some(socket) = &connection.socket {
            net::inherit(&mut command, socket);
        }
        for cable in &plan.cables {
            net::inherit(&mut command, &*cable.socket);
        }
        let child = command.spawn().map_err(|error| {
            Failure::new(
                format!("starting {}: {error}", qemu::PROGRAM),
                "run `cargo xtask doctor`, which names the Debian package that has it",
            )
        })?;
        Ok(Vm {
            child,
            log,
            accelerator,
            errors,
            sockets,
            patience: plan.patience,
            offset: 0,
            lines: messages::Lines::default(),
            events: Vec::new(),
            connection,
            _claim: claim,
        })
    }

    /// Where to connect to the shell on hvc0.
    pub fn shell_socket(&self) -> PathBuf {
        self.sockets.path().join("shell")
    }

    /// Where a debugger connects.
    pub fn debugger_socket(&self) -> PathBuf {
        self.sockets.path().join("debug")
    }

    /// Connects to the shell; the machine must be ready.
    pub fn shell(&self) -> Result<shell::Shell> {
        shell::Shell::connect(&self.shell_socket())
    }

    /// Waits until the machine or its application is ready.
    pub fn wait_ready(&mut self, deadline: Duration) -> Result<()> {
        self.wait_for("the machine to be ready", deadline, |event| matches!(event, Event::Ready(_)))
    }

    /// Waits until every application of the machine is ready.
    pub fn wait_all_ready(&mut self, app: &App, deadline: Duration) -> Result<()> {
        self.wait_ready(deadline)?;
        for other in app.beside.iter().filter(|other| matches!(other.guest.ready, Ready::Tcp(_))) {
            let ready = |event: &Event| matches!(event, Event::BesideReady(name) if *name == other.name);
            self.wait_for(&format!("{} to be ready", other.name), deadline, ready)?;
        }
        Ok(())
    }

    /// Waits until the console has said what `wanted` accepts, now or earlier. Fails at once when the kernel is in
    /// trouble, the application has ended, or the machine has; a failure shows the end of the console's log.
    pub fn wait_for(&mut self, what: &str, deadline: Duration, wanted: impl Fn(&Event) -> bool) -> Result<()> {
        match self.watch(deadline, wanted)? {
            None => Ok(()),
            Some(reason) => Err(self.failure(format!("waiting for {what}: {reason}"))),
        }
    }

    /// `wait_for` for callers who expect that it may fail: the reason instead of a failure.
    fn watch(&mut self, deadline: Duration, wanted: impl Fn(&Event) -> bool) -> Result<Option<String>> {
        let (start, deadline) = (Instant::now(), deadline * self.patience);
        loop {
            // Asked before the log is read, so that no last line is missed.
            let ended = self.ended()?;
            self.poll()?;
            if self.events.iter().any(&wanted) {
                return Ok(None);
            }
            return Ok(Some(match self.events.iter().find(|e| matches!(e, Event::Trouble(_) | Event::Exit(_))) {
                Some(Event::Trouble(line)) => format!("the guest's kernel is in trouble: {line}"),
                Some(Event::Exit(status)) => format!("the application ended with status {status}"),
                _ if let Some(status) = ended => self.ending(status),
                _ if interrupt::requested() => "interrupted".to_owned(),
                _ if start.elapsed() > deadline => format!("nothing happened within {} s", deadline.as_secs()),
                _ => {
                    std::thread::sleep(POLL);
                    continue;
                }
            }));
        }
    }

    /// How QEMU ended, with the last thing it said itself: that memory is short, say.
    pub fn ending(&self, status: ExitStatus) -> String {
        let said = std::fs::read(&self.errors).unwrap_or_default();
        match String::from_utf8_lossy(&said).lines().last() {
            Some(line) => format!("QEMU ended with {status}: {}", line.trim()),
            None => format!("QEMU ended with {status}"),
        }
    }

    /// Reads what the console printed since the last look.
    pub fn poll(&mut self) -> Result<()> {
        let mut file = std::fs::File::open(&self.log).with_context(|| format!("opening {}", self.log.display()))?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        self.offset += file.read_to_end(&mut bytes)? as u64;
        self.events.extend(self.lines.take(&bytes).iter().filter_map(|line| console::event(line.text().trim_end())));
        Ok(())
    }

    /// QEMU's exit status, if it has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("asking for QEMU's state")
    }

    /// Whether the ports still lead to the guest.
    pub fn is_reachable(&mut self) -> Result<bool> {
        Ok(!self.connection.has_ended()?)
    }

    /// The kernel's first complaint, if there is one.
    pub fn trouble(&self) -> Option<&str> {
        self.events.iter().find_map(|event| match event {
            Event::Trouble(line) => Some(line.as_str()),
            _ => None,
        })
    }

    /// An error that comes with the end of the console's log and says where the rest is.
    pub fn failure(&self, reason: String) -> anyhow::Error {
        eprint!("{}", tail(&self.log));
        Failure::new(reason, format!("read the console's log {}", self.log.display()))
    }

    /// Asks the application to end and the machine to stop, and waits for it; does nothing when it has ended.
    pub fn stop(&mut self) -> Result<()> {
        if self.ended()?.is_some() {
            return self.poll();
        }
        let path = self.sockets.path().join("control");
        let asked = UnixStream::connect(&path).and_then(|mut control| control.write_all(b"stop\n").map(|()| control));
        match asked {
            // Kept open until the end: init reads from it.
            Ok(_control) => self.wait_end(STOP_DEADLINE),
            // QEMU takes its sockets away before it ends; after a panic nobody has to ask.
            Err(error) => {
                self.wait_end(ENDING_DEADLINE).with_context(|| format!("asking through {}: {error}", path.display()))
            }
        }
    }

    /// Waits until the machine has stopped by itself.
    pub fn wait_end(&mut self, deadline: Duration) -> Result<()> {
        let (start, interruptions) = (Instant::now(), interrupt::count());
        while self.ended()?.is_none() {
            if interrupt::count() > interruptions {
                return Err(Failure::new(
                    "interrupted again while the machine was stopping: it was cut off",
                    "the data disk is as after a power failure; the next start repairs it",
                ));
            }
            if start.elapsed() > deadline {
                return Err(self.failure(format!("the machine did not stop within {} s", deadline.as_secs())));
            }
            std::thread::sleep(POLL);
        }
        self.poll()
    }
}

/// The directory of a machine's sockets, removed with the machine.
#[derive(Debug)]
enum Sockets {
    InCache(Scratch),
    /// The path of a socket is short (`sun_path` of unix(7)), and this cache lies deep.
    Temporary(tempfile::TempDir),
}

impl Sockets {
    /// How long the path of the directory may be: 107 bytes less the longest name of a socket.
    const MAX_BYTES: usize = 107 - "/control".len();

    fn new(ctx: &Ctx) -> Result<Self> {
        let scratch = ctx.cache.scratch()?;
        if scratch.path().as_os_str().len() <= Self::MAX_BYTES {
            return Ok(Sockets::InCache(scratch));
        }
        let dir = tempfile::Builder::new().prefix("ukl-").tempdir().map_err(|error| {
            Failure::new(
                format!("{} is too deep for sockets, and no other place works: {error}", ctx.cache.root().display()),
                "set UKL_CACHE to a shorter path, or TMPDIR to a folder that can be written",
            )
        })?;
        Ok(Sockets::Temporary(dir))
    }

    fn path(&self) -> &Path {
        match self {
            Sockets::InCache(scratch) => scratch.path(),
            Sockets::Temporary(dir) => dir.path(),
        }
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last lines of the console, indented.
fn tail(log: &Path) -> String {
    let text = String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).replace('\r', "");
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].iter().map(|line| format!("  | {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::claim_log;

    #[test]
    fn a_second_machine_of_the_same_name_gets_a_log_of_its_own() {
        let logs = tempfile::tempdir().unwrap();
        let (first, _held) = claim_log(logs.path(), "redis-byb").unwrap();
        let (second, _also_held) = claim_log(logs.path(), "redis-byb").unwrap();
        assert_eq!(first, "redis-byb");
        assert_eq!(second, format!("redis-byb-{}", std::process::id()));
    }
}
