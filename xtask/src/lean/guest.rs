//! A running machine of the lean footing, which never outlives this process.

use super::Image;
use super::answer::{self, Question};
use super::machine::{self, Machine};
use crate::ctx::Ctx;
use crate::failure::Failure;
use crate::vm::console::{self, Event};
use crate::vm::{clock, interrupt, messages};
use crate::{net, process, qemu};
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A boot takes half a second; a counted one on a busy machine a minute.
const DEADLINE: Duration = Duration::from_secs(120);
/// How often the console is looked at.
const POLL: Duration = Duration::from_millis(20);

/// How a machine is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub memory_mib: u32,
    pub cpus: u32,
    /// With a serial console, which costs time.
    pub console: bool,
    /// An instruction is a nanosecond; the console says what initialisation takes.
    pub counting: bool,
}

/// A machine.
#[derive(Debug)]
pub struct Guest {
    child: Child,
    start: Instant,
    question: Question,
    /// The host's port that leads to the server.
    pub port: u16,
    /// Everything that the console printed, if there is one.
    log: PathBuf,
    errors: PathBuf,
}

impl Guest {
    /// Starts the machine of an image.
    pub fn start(ctx: &Ctx, image: &Image, options: Options) -> Result<Self> {
        let logs = ctx.cache.root().join("logs");
        std::fs::create_dir_all(&logs).with_context(|| format!("creating {}", logs.display()))?;
        let name = format!("lean-{}-{}-{}", image.app.name, image.level.name, std::process::id());
        let (log, errors) = (logs.join(format!("{name}.log")), logs.join(format!("{name}-qemu.log")));
        // What an earlier machine printed is not this one's.
        std::fs::write(&log, "").with_context(|| format!("emptying {}", log.display()))?;
        let port = net::free_port()?;
        let machine = Machine {
            kernel: image.kernel.clone(),
            initramfs: image.initramfs.clone(),
            memory_mib: options.memory_mib,
            cpus: options.cpus,
            forward: (port, image.requests.port),
            tsc_khz: clock::rate_khz(),
            console: options.console.then(|| log.clone()),
            counting: options.counting,
        };
        let mut command = Command::new(qemu::PROGRAM);
        let stderr = std::fs::File::create(&errors).with_context(|| format!("creating {}", errors.display()))?;
        command.args(machine::arguments(&machine)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let question = Question::of(&image.requests)?;
        let start = Instant::now();
        let child = process::die_with_parent(&mut command).spawn().map_err(|error| {
            Failure::new(
                format!("starting {}: {error}", qemu::PROGRAM),
                "run `cargo xtask doctor`, which names the Debian package that has it",
            )
        })?;
        Ok(Guest { child, start, question, port, log, errors })
    }

    /// The time from the start of QEMU to the server's first answer.
    pub fn first_answer(&mut self) -> Result<Duration> {
        let (start, port, question) = (self.start, self.port, self.question);
        match answer::first(start, port, question, DEADLINE, || self.check_alive())? {
            Some(time) => Ok(time),
            None => Err(self.failure(&format!("the server did not answer within {} s", DEADLINE.as_secs()))),
        }
    }

    /// The processor time that QEMU has used, in steps of 10 ms. On a busy host it says more than a clock on the wall.
    pub fn cpu_time(&self) -> Result<Duration> {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        let ticks =
            cpu_ticks(&text).with_context(|| format!("{path} does not say how much time was used: {text:?}"))?;
        // SAFETY: sysconf has no preconditions.
        let per_s = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        Ok(Duration::from_secs_f64(ticks as f64 / per_s as f64))
    }

    /// Waits until the console has printed a line that begins with `mark`, and returns all that it printed.
    pub fn wait_for(&mut self, mark: &str) -> Result<String> {
        let start = Instant::now();
        loop {
            let text = self.console()?;
            if text.lines().any(|line| line.starts_with(mark)) {
                return Ok(text);
            }
            self.check_alive()?;
            ensure!(start.elapsed() < DEADLINE, self.failure(&format!("the console did not say `{mark}`")));
            std::thread::sleep(POLL);
        }
    }

    /// What the console printed up to now.
    pub fn console(&self) -> Result<String> {
        let bytes = std::fs::read(&self.log).with_context(|| format!("reading {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
    }

    /// What the console told the host.
    pub fn events(&self) -> Result<Vec<Event>> {
        let lines = messages::lines(self.console()?.as_bytes());
        Ok(lines.iter().filter_map(|line| console::event(&line.text())).collect())
    }

    /// Fails when the machine has ended or the kernel complained.
    pub fn check_alive(&mut self) -> Result<()> {
        ensure!(!interrupt::requested(), "interrupted");
        let trouble = self.events()?.into_iter().find_map(|event| match event {
            Event::Trouble(line) => Some(line),
            _ => None,
        });
        if let Some(line) = trouble {
            return Err(self.failure(&format!("the guest's kernel is in trouble: {line}")));
        }
        match self.child.try_wait().context("asking for QEMU's state")? {
            None => Ok(()),
            Some(status) => {
                let said = std::fs::read_to_string(&self.errors).unwrap_or_default();
                let said = said.lines().last().unwrap_or("it said nothing").to_owned();
                Err(self.failure(&format!("the machine ended with {status}: {said}")))
            }
        }
    }

    fn failure(&self, reason: &str) -> anyhow::Error {
        Failure::new(
            reason.to_owned(),
            format!("read the console's log {}; a machine that is timed has no console", self.log.display()),
        )
    }
}

/// Time in user and in kernel mode, fields 14 and 15 of /proc/PID/stat (proc(5)). The second is a name, which may have any
/// characters and ends with the last parenthesis.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::cpu_ticks;

    #[test]
    fn the_time_is_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 41 12 0 0 20 0 1 0 5 6 7";
        assert_eq!(cpu_ticks(stat), Some(53));
        assert_eq!(cpu_ticks("7 (a) S 1"), None);
    }
}
