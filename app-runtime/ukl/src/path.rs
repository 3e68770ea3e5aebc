//! How system calls are made, and the choice of it while the program runs.

use crate::runtime;
use core::ffi::c_int;
use core::fmt;

/// How a system call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// Through the kernel's entry code, as from any process: every level has it.
    Full,
    /// By a call of the kernel's function: the levels with bypass (`byb`, `ret-byb`, `shortcut`).
    Direct,
    /// Past the layers above TCP or epoll, for calls that have such a shortcut, and as [`Path::Direct`] for the others: level
    /// `shortcut`.
    Shortcut,
}

/// A system call, by its number on x86-64: `libc::SYS_read`, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Call(pub c_int);

impl Call {
    /// `read`.
    pub const READ: Call = Call(0);
    /// `write`.
    pub const WRITE: Call = Call(1);
    /// `getpid`.
    pub const GETPID: Call = Call(39);
    /// `sendto`, which [`send`](crate::send) makes.
    pub const SENDTO: Call = Call(44);
    /// `recvfrom`, which [`recv`](crate::recv) makes.
    pub const RECVFROM: Call = Call(45);
    /// `epoll_wait`.
    pub const EPOLL_WAIT: Call = Call(232);
    /// `epoll_pwait`.
    pub const EPOLL_PWAIT: Call = Call(281);
}

/// The level has no such path, or no system call has the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchPath {
    /// The call that was asked about.
    pub call: Call,
    /// The path that was asked for; none when the question was which one is taken.
    pub path: Option<Path>,
}

impl fmt::Display for NoSuchPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, level) = (self.call.0, crate::level());
        match self.path {
            Some(path) => write!(f, "level {level} has no path {path:?} for system call {number}"),
            None => write!(f, "{number} is not the number of a system call"),
        }
    }
}

impl core::error::Error for NoSuchPath {}

/// The path that a call takes in the calling thread. [`Path::Shortcut`] for a call without shortcut means direct.
pub fn path(call: Call) -> Result<Path, NoSuchPath> {
    match runtime::get_path(call.0) {
        0 => Ok(Path::Full),
        1 => Ok(Path::Direct),
        2 => Ok(Path::Shortcut),
        _ => Err(NoSuchPath { call, path: None }),
    }
}

/// Chooses the path of a call for the calling thread and the threads and processes that it will create; all of them share the
/// choice. In a program that never chooses, calls do not even look whether somebody did.
pub fn set_path(call: Call, path: Path) -> Result<(), NoSuchPath> {
    let wanted = match path {
        Path::Full => 0,
        Path::Direct => 1,
        Path::Shortcut => 2,
    };
    if runtime::set_path(call.0, wanted) == 0 { Ok(()) } else { Err(NoSuchPath { call, path: Some(path) }) }
}
