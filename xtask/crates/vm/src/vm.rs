//! A running virtual machine: started, watched through its console, and never outliving this process.

mod accel;
pub mod clock;
pub mod console;
pub mod disk;
pub mod emulator;
mod events;
pub mod messages;
mod place;
mod plan;
pub mod protocol;
pub mod shell;
mod start;
mod usage;

pub use accel::choose as accelerator;
pub use events::Event;
pub use plan::{MicroPlan, Plan};

use crate::net::Connection;
use crate::qemu::Accelerator;
use anyhow::{Context, Result};
use console::Banner;
use events::{Feed, Heard};
use place::{HostFiles, Reader};
use protocol::Mark;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};
use ukl_host::failure::Failure;
use ukl_host::interrupt;
use ukl_repo::config::{App, Ready};

/// How long the machine may take to stop when asked, the application's last saving included.
const STOP_DEADLINE: Duration = Duration::from_secs(120);
/// How long a machine that ends by itself may still take.
const ENDING_DEADLINE: Duration = Duration::from_secs(5);
/// How often the machine is looked at.
const POLL: Duration = Duration::from_millis(20);

/// A machine.
#[derive(Debug)]
pub struct Vm {
    child: Child,
    /// When QEMU was started.
    pub started: Instant,
    /// Everything that the console printed.
    pub log: PathBuf,
    pub accelerator: Accelerator,
    has_console: bool,
    patience: u32,
    place: HostFiles,
    reader: Reader,
    feed: Feed,
    heard: Heard,
    /// How many interruptions are no news any more.
    obeyed: usize,
    // Dropped after QEMU has been killed.
    connection: Connection,
}

impl Vm {
    /// The next thing that happens; `Event::Deadline` when nothing does until then, never without a deadline. Everything that
    /// runs a machine is a `match` over it.
    pub fn next(&mut self, deadline: Option<Instant>) -> Result<Event> {
        loop {
            let judged = self.feed.is_fresh();
            let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if let Some(event) = self.feed.next(interrupt::count() > self.obeyed, late) {
                self.heard.note(&event);
                return Ok(event);
            }
            if judged {
                let left = deadline.map_or(POLL, |deadline| deadline.saturating_duration_since(Instant::now()));
                std::thread::sleep(left.min(POLL));
            }
            self.look()?;
        }
    }

    fn look(&mut self) -> Result<()> {
        // Asked before the log is read, so that no last line is missed.
        let ended = self.ended()?;
        let lines = self.reader.read(&self.log, ended.is_some())?;
        self.feed.add(ended, lines);
        Ok(())
    }

    /// Takes note of all that the console has said by now.
    pub fn catch_up(&mut self) -> Result<()> {
        self.look()?;
        while let Some(event) = self.feed.line() {
            self.heard.note(&event);
        }
        Ok(())
    }

    /// Fails when the guest's kernel has complained by now.
    pub fn check_kernel(&mut self) -> Result<()> {
        self.catch_up()?;
        match &self.heard.trouble {
            None => Ok(()),
            Some(line) => Err(self.failure(events::trouble(line))),
        }
    }

    /// Fails when the guest's kernel has complained by now, the machine has ended, or the user wants to stop.
    pub fn check_alive(&mut self) -> Result<()> {
        self.check_kernel()?;
        match self.next(Some(Instant::now()))? {
            Event::End(status) => Err(self.failure(format!("the machine ended: {}", self.ending(status)))),
            Event::Interrupt => Err(anyhow::anyhow!("interrupted")),
            Event::Line(..) | Event::Trouble(_) | Event::Deadline => Ok(()),
        }
    }

    /// Waits until the machine or its application is ready.
    pub fn wait_ready(&mut self, deadline: Duration) -> Result<()> {
        self.wait_for("the machine to be ready", deadline, |mark| matches!(mark, Mark::Ready(_)))
    }

    /// Waits until every application of the machine is ready.
    pub fn wait_all_ready(&mut self, app: &App, deadline: Duration) -> Result<()> {
        self.wait_ready(deadline)?;
        for other in app.beside.iter().filter(|other| matches!(other.guest.ready, Ready::Tcp(_))) {
            let ready = |mark: &Mark| matches!(mark, Mark::BesideReady(name) if *name == other.name);
            self.wait_for(&format!("{} to be ready", other.name), deadline, ready)?;
        }
        Ok(())
    }

    /// Waits until the console has said what `wanted` accepts, now or earlier. Fails at once when the kernel is in
    /// trouble, the application has ended, or the machine has; a failure shows the end of the console's log.
    pub fn wait_for(&mut self, what: &str, deadline: Duration, wanted: impl Fn(&Mark) -> bool) -> Result<()> {
        match self.watch(deadline, wanted)? {
            None => Ok(()),
            Some(reason) => Err(self.failure(format!("waiting for {what}: {reason}"))),
        }
    }

    /// `wait_for` for callers who expect that it may fail: the reason instead of a failure.
    fn watch(&mut self, deadline: Duration, wanted: impl Fn(&Mark) -> bool) -> Result<Option<String>> {
        let deadline = self.patient(deadline);
        let until = Instant::now() + deadline;
        loop {
            if self.heard.marks.iter().any(&wanted) {
                return Ok(None);
            }
            if let Some(reason) = self.heard.hopeless() {
                return Ok(Some(reason));
            }
            return Ok(Some(match self.next(Some(until))? {
                Event::Line(..) | Event::Trouble(_) => continue,
                Event::End(status) => self.ending(status),
                Event::Interrupt => "interrupted".to_owned(),
                Event::Deadline => format!("nothing happened within {} s", deadline.as_secs()),
            }));
        }
    }

    /// A deadline for what the guest does, as much longer as this machine is slower than the small guest.
    pub fn patient(&self, deadline: Duration) -> Duration {
        deadline * self.patience
    }

    /// By how much its deadlines are longer, for those that the guest itself keeps.
    pub fn patience(&self) -> u32 {
        self.patience
    }

    /// What the guest has told, oldest first.
    pub fn marks(&self) -> &[Mark] {
        &self.heard.marks
    }

    /// What its applications said about themselves.
    pub fn banners(&self) -> &[Banner] {
        &self.heard.banners
    }

    /// The kernel's first complaint, if there is one.
    pub fn trouble(&self) -> Option<&str> {
        self.heard.trouble.as_deref()
    }

    /// All that the console has printed by now.
    pub fn text(&self) -> Result<String> {
        let bytes = std::fs::read(&self.log).with_context(|| format!("reading {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
    }

    /// How QEMU ended, with the last thing it said itself.
    pub fn ending(&self, status: ExitStatus) -> String {
        self.place.ending(status)
    }

    /// QEMU's exit status, if it has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("asking for QEMU's state")
    }

    /// Whether the ports still lead to the guest.
    pub fn is_reachable(&mut self) -> Result<bool> {
        Ok(!self.connection.has_ended()?)
    }

    /// The processor time that QEMU has used.
    pub fn cpu_time(&self) -> Result<Duration> {
        usage::cpu_time(self.child.id())
    }

    /// Where to connect to the shell on hvc0.
    pub fn shell_socket(&self) -> PathBuf {
        self.place.socket(start::SHELL)
    }

    /// Where a debugger connects.
    pub fn debugger_socket(&self) -> PathBuf {
        self.place.socket(start::DEBUGGER)
    }

    /// Connects to the shell; the machine must be ready.
    pub fn shell(&self) -> Result<shell::Shell> {
        shell::Shell::connect(&self.shell_socket(), self.patience)
    }

    /// An error that comes with the end of the console's log and says where the rest is.
    pub fn failure(&self, reason: String) -> anyhow::Error {
        eprint!("{}", self.place.tail());
        let next = match self.has_console {
            true => format!("read the console's log {}", self.log.display()),
            false => format!("a machine that is timed has no console; QEMU wrote {}", self.place.errors.display()),
        };
        Failure::new(reason, next)
    }

    /// The failure of a machine whose kernel has complained.
    pub fn failed_kernel(&self) -> anyhow::Error {
        self.failure(events::trouble(self.trouble().unwrap_or("it does not say why")))
    }

    /// Asks the application to end and the machine to stop, and waits for it; does nothing when it has ended.
    pub fn stop(&mut self) -> Result<()> {
        if self.ended()?.is_some() {
            return self.catch_up();
        }
        let path = self.place.socket(start::CONTROL);
        let ask = |mut control: UnixStream| control.write_all(protocol::STOP_REQUEST.as_bytes()).map(|()| control);
        match UnixStream::connect(&path).and_then(ask) {
            // Kept open until the end: init reads from it.
            Ok(_control) => self.wait_end(STOP_DEADLINE * self.patience),
            // QEMU takes its sockets away before it ends; after a panic nobody has to ask.
            Err(error) => {
                self.wait_end(ENDING_DEADLINE).with_context(|| format!("asking through {}: {error}", path.display()))
            }
        }
    }

    /// Waits until the machine has stopped by itself.
    pub fn wait_end(&mut self, deadline: Duration) -> Result<()> {
        // Whoever interrupted before is obeyed by this.
        self.obeyed = interrupt::count();
        let until = Instant::now() + deadline;
        loop {
            match self.next(Some(until))? {
                Event::Line(..) | Event::Trouble(_) => {}
                Event::End(_) => return Ok(()),
                Event::Interrupt => {
                    return Err(Failure::new(
                        "interrupted again while the machine was stopping: it was cut off",
                        "the data disk is as after a power failure; the next start repairs it",
                    ));
                }
                Event::Deadline => {
                    return Err(self.failure(format!("the machine did not stop within {} s", deadline.as_secs())));
                }
            }
        }
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
