//! `--console`: this terminal becomes the guest's.

use crate::run::READY_DEADLINE;
use anyhow::{Context, Result};
use std::io::{ErrorKind, IsTerminal, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use ukl_repo::config::{App, Ready};
use ukl_vm::vm::protocol::Mark;
use ukl_vm::vm::{Event, Vm};

/// How long a look at either side waits.
const PERIOD_MS: libc::c_int = 100;
/// What ends input in the guest's terminal (Ctrl-D).
const END_OF_INPUT: u8 = 4;
/// What detaches (Ctrl-]).
const DETACH: u8 = 0x1d;

/// The terminal's settings before raw mode; put back when dropped.
struct RawTerminal(libc::termios);

impl RawTerminal {
    /// `None` when standard input is no terminal.
    fn enter() -> Option<Self> {
        // SAFETY: both calls get a descriptor that is open and a structure of the right type.
        unsafe {
            let mut before: libc::termios = std::mem::zeroed();
            if libc::tcgetattr(0, &mut before) != 0 {
                return None;
            }
            let mut raw = before;
            libc::cfmakeraw(&mut raw);
            (libc::tcsetattr(0, libc::TCSANOW, &raw) == 0).then_some(RawTerminal(before))
        }
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // SAFETY: the settings came from tcgetattr of the same descriptor.
        unsafe { libc::tcsetattr(0, libc::TCSANOW, &self.0) };
    }
}

/// Rows and columns of this terminal, if it says so.
fn size() -> Option<(u16, u16)> {
    // SAFETY: the structure is plain data, for which all zeroes is a value, and lives through the call.
    let size = unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        (libc::ioctl(1, libc::TIOCGWINSZ, &mut size) == 0).then_some(size)
    };
    size.filter(|size| size.ws_row > 0 && size.ws_col > 0).map(|size| (size.ws_row, size.ws_col))
}

/// Connects this terminal to the guest's shell until the shell ends; then the machine is stopped. Commands can also come
/// from a pipe.
pub(super) fn attach(vm: &mut Vm, app: &App) -> Result<()> {
    match app.guest.ready {
        Ready::Tcp(_) => {
            vm.wait_for("the application to listen", READY_DEADLINE, |mark| matches!(mark, Mark::Ready(_)))?
        }
        Ready::Exit => vm.wait_for("the application to end", READY_DEADLINE, |mark| matches!(mark, Mark::Exit(_)))?,
    }
    let terminal = std::io::stdin().is_terminal();
    eprintln!("{} is ready; `exit`{} ends the machine", app.name, if terminal { " or Ctrl-]" } else { "" });
    let socket = vm.shell_socket();
    let stream = UnixStream::connect(&socket).with_context(|| format!("connecting to {}", socket.display()))?;
    {
        let _raw = RawTerminal::enter();
        relay(vm, stream, terminal)?;
    }
    eprintln!();
    vm.stop()?;
    vm.check_kernel()?;
    match vm.ended()? {
        Some(status) if !status.success() => Err(vm.failure(vm.ending(status))),
        _ => Ok(()),
    }
}

/// Moves bytes both ways.
fn relay(vm: &mut Vm, mut stream: UnixStream, terminal: bool) -> Result<()> {
    stream.set_nonblocking(true)?;
    // The guest cannot ask how large this terminal is. After any line the shell prints its prompt again: the first one went
    // by unseen.
    if terminal {
        let line = size().map_or_else(String::new, |(rows, columns)| format!("stty rows {rows} columns {columns}"));
        stream.write_all(format!("{line}\n").as_bytes()).context("writing to the guest's shell")?;
    }
    let mut input_open = true;
    let mut buffer = [0; 4096];
    loop {
        let mut watched = [
            libc::pollfd { fd: stream.as_raw_fd(), events: libc::POLLIN, revents: 0 },
            libc::pollfd { fd: if input_open { 0 } else { -1 }, events: libc::POLLIN, revents: 0 },
        ];
        // SAFETY: the array lives across the call and its length is given.
        unsafe { libc::poll(watched.as_mut_ptr(), watched.len() as libc::nfds_t, PERIOD_MS) };
        if watched[0].revents != 0 {
            match stream.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    let mut out = std::io::stdout();
                    out.write_all(&buffer[..count]).and_then(|()| out.flush()).context("writing to the terminal")?;
                    continue;
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error).context("reading from the guest's shell"),
            }
        }
        if watched[1].revents != 0 {
            let count = std::io::stdin().read(&mut buffer).context("reading from the terminal")?;
            if terminal && buffer[..count].contains(&DETACH) {
                return Ok(());
            }
            input_open = count > 0;
            let bytes = if input_open { &buffer[..count] } else { &[END_OF_INPUT] };
            send(&mut stream, bytes)?;
        }
        let is_over = loop {
            match vm.next(Some(Instant::now()))? {
                Event::Line(..) | Event::Trouble(_) => {}
                Event::Deadline => break vm.marks().contains(&Mark::ShellExit),
                Event::End(_) | Event::Interrupt => break true,
            }
        };
        if is_over {
            return Ok(());
        }
    }
}

/// Writes everything to a socket that may be full for a moment.
fn send(stream: &mut UnixStream, bytes: &[u8]) -> Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(bytes).context("writing to the guest's shell")?;
    stream.set_nonblocking(true).context("setting up the guest's shell")
}
