//! Starting a program in a way that gives its starter a hold on it.

use crate::outcome::{Outcome, in_child};
use crate::restrict;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::sys::{personality, ptrace};
use nix::unistd::{Pid, fexecve, getgid, getuid};
use std::convert::Infallible;
use std::ffi::CString;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// As any program.
    Plain,
    /// From a file in memory that is a copy of it.
    Memory,
    /// As the root of a user namespace.
    Namespace,
    /// As the root of a user namespace, from a file system mounted there that has a copy of it.
    NamespaceCopy,
    /// With `no_new_privs`.
    NoNewPrivileges,
    /// Under a filter that could make up what its system calls return.
    Filter,
    /// Traced by its starter since before.
    Traced,
    /// The same by PTRACE_SEIZE.
    Seized,
    /// With a neighbour that can change its working directory.
    SharedDirectory,
    /// With data that can be executed, at addresses known before.
    Personality,
}

pub(crate) fn attempt(way: Way, command: &[String]) -> Result<Outcome> {
    let command = command.iter().map(|word| CString::new(word.as_str())).collect::<Result<Vec<_>, _>>()?;
    match way {
        Way::Traced => traced(&command),
        Way::Seized => seized(&command),
        Way::SharedDirectory => {
            // SAFETY: as fork(), except that both have one working directory.
            let child = unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_FS | libc::SIGCHLD, 0, 0, 0, 0) };
            match Errno::result(child).context("clone")? {
                // SAFETY: ends the child at once.
                0 => unsafe { libc::_exit(exec(&command)) },
                child => ended(Pid::from_raw(i32::try_from(child)?)),
            }
        }
        _ => {
            // The identity's numbers, before a namespace takes them away.
            let (user, group) = (getuid(), getgid());
            ended(in_child(|| {
                prepare(way, &command, user.as_raw(), group.as_raw()).map_or_else(number, |()| exec(&command))
            })?)
        }
    }
}

/// Only an error returns.
fn exec(command: &[CString]) -> i32 {
    let Err(error) = nix::unistd::execv(&command[0], command);
    error as i32
}

fn number(error: anyhow::Error) -> i32 {
    // What was to be prepared is not what is tested: no errno has this number.
    eprintln!("preparing: {error:#}");
    255
}

/// Of a program that ended: this program's children end with 0 when they have succeeded.
fn ended(child: Pid) -> Result<Outcome> {
    Outcome::of_child(child)
}

/// What comes before the exec, in the child.
fn prepare(way: Way, command: &[CString], user: u32, group: u32) -> Result<()> {
    match way {
        Way::Memory => from_memory(command).map(|never| match never {}),
        Way::Namespace => namespace(user, group),
        Way::NamespaceCopy => {
            namespace(user, group)?;
            let content = std::fs::read(command[0].to_str()?).context("reading the program")?;
            let no = None::<&str>;
            mount(Some("none"), "/mnt", Some("tmpfs"), MsFlags::empty(), no).context("mounting a tmpfs")?;
            std::fs::write("/mnt/program", content).context("writing the copy")?;
            std::fs::set_permissions("/mnt/program", std::fs::Permissions::from_mode(0o755))?;
            let path = CString::new("/mnt/program")?;
            let Err(error) = nix::unistd::execv(&path, command);
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(error as i32) }
        }
        Way::NoNewPrivileges => nix::sys::prctl::set_no_new_privs().context("no_new_privs"),
        Way::Filter => restrict::take_on(restrict::Restriction::Lies, "/".as_ref()),
        Way::Personality => {
            let wanted = personality::Persona::READ_IMPLIES_EXEC | personality::Persona::ADDR_NO_RANDOMIZE;
            personality::set(wanted).map(drop).context("personality")
        }
        _ => Ok(()),
    }
}

/// The root of a user namespace with a mount namespace of its own.
fn namespace(user: u32, group: u32) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).context("unshare")?;
    std::fs::write("/proc/self/setgroups", "deny").context("setgroups")?;
    std::fs::write("/proc/self/uid_map", format!("0 {user} 1")).context("uid_map")?;
    std::fs::write("/proc/self/gid_map", format!("0 {group} 1")).context("gid_map")
}

fn from_memory(command: &[CString]) -> Result<Infallible> {
    let content = std::fs::read(command[0].to_str()?).context("reading the program")?;
    let file = memfd_create(c"program", MFdFlags::empty()).context("memfd_create")?;
    let mut file = std::fs::File::from(file);
    file.write_all(&content).context("writing the copy")?;
    file.set_permissions(std::fs::Permissions::from_mode(0o755)).context("its mode")?;
    // A file that is open for writing is busy.
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    let readable = std::fs::File::open(path).context("opening it for reading")?;
    drop(file);
    let Err(error) = fexecve(&readable, command, &[] as &[CString]);
    // SAFETY: ends the child at once.
    unsafe { libc::_exit(error as i32) }
}

/// The child asks to be traced, and its exec stops it for the tracer.
fn traced(command: &[CString]) -> Result<Outcome> {
    let child = in_child(|| ptrace::traceme().map_or_else(|error| error as i32, |()| exec(command)))?;
    match waitpid(child, None).context("waiting for the exec")? {
        // The tracer holds it at its first instruction; left alone, it goes on.
        WaitStatus::Stopped(_, Signal::SIGTRAP) => {
            ptrace::detach(child, None).context("detaching")?;
            ended(child)
        }
        WaitStatus::Exited(_, status) => Ok(Outcome::refused(Errno::from_raw(status))),
        other => bail!("the traced child is {other:?}"),
    }
}

/// The tracer takes the child before its exec, by the newer request.
fn seized(command: &[CString]) -> Result<Outcome> {
    let (mut told, mut tell) = std::io::pipe().context("pipe")?;
    let child = in_child(|| match told.read_exact(&mut [0]) {
        Ok(()) => exec(command),
        Err(_) => libc::EPIPE,
    })?;
    ptrace::seize(child, ptrace::Options::PTRACE_O_TRACEEXEC).context("seizing an ordinary child")?;
    tell.write_all(&[0]).context("telling it to go on")?;
    loop {
        match waitpid(child, None).context("waiting for the exec")? {
            WaitStatus::PtraceEvent(_, _, event) if event == ptrace::Event::PTRACE_EVENT_EXEC as i32 => {
                ptrace::detach(child, None).context("detaching")?;
                return ended(child);
            }
            WaitStatus::Stopped(_, signal) => ptrace::cont(child, signal).context("continuing it")?,
            WaitStatus::Exited(_, status) => return Ok(Outcome::refused(Errno::from_raw(status))),
            other => bail!("the seized child is {other:?}"),
        }
    }
}
