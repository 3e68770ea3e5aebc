//! How an attempt ended.

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::fmt;

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It did what it is for.
    Done,
    /// A call, or what it should have read, was refused.
    Refused(String),
    /// The process that tried got a signal.
    Signal(Signal),
}

impl Outcome {
    pub(crate) fn refused(error: Errno) -> Outcome {
        // `EPERM: Operation not permitted` and so on: the name is what tests compare.
        Outcome::Refused(error.to_string().split(':').next().unwrap_or_default().to_owned())
    }

    /// Of a call.
    pub(crate) fn of<T>(result: nix::Result<T>) -> Outcome {
        match result {
            Ok(_) => Outcome::Done,
            Err(error) => Outcome::refused(error),
        }
    }

    /// Of a call that returns -1 for an error.
    pub(crate) fn of_raw(result: libc::c_long) -> Outcome {
        Outcome::of(Errno::result(result))
    }

    /// Of an operation of the standard library.
    pub(crate) fn of_io<T>(result: std::io::Result<T>) -> Outcome {
        Outcome::of(result.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))))
    }

    /// Of a child that tried it: it ends with status 0 when it succeeded, else with the number of the error.
    pub(crate) fn of_child(child: Pid) -> Result<Outcome> {
        match waitpid(child, None).context("waiting for the child")? {
            WaitStatus::Exited(_, 0) => Ok(Outcome::Done),
            WaitStatus::Exited(_, status) => Ok(Outcome::refused(Errno::from_raw(status))),
            WaitStatus::Signaled(_, signal, _) => Ok(Outcome::Signal(signal)),
            other => bail!("the child is {other:?}; its end was expected"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done => f.write_str("done"),
            Outcome::Refused(error) => write!(f, "refused {error}"),
            Outcome::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// Runs `body` in a child, which ends with what it returns.
pub(crate) fn in_child(body: impl FnOnce() -> i32) -> Result<Pid> {
    // SAFETY: this program has one thread, so the child may do whatever its parent may.
    match unsafe { fork() }.context("fork")? {
        ForkResult::Parent { child } => Ok(child),
        // SAFETY: ends the child at once, without what the parent has registered for its own end.
        ForkResult::Child => unsafe { libc::_exit(body()) },
    }
}
