//! Reading and changing a running process.

use crate::outcome::Outcome;
use anyhow::{Context, Result};
use clap::ValueEnum;
use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use std::io::{IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// PTRACE_ATTACH.
    Attach,
    /// PTRACE_SEIZE.
    Seize,
    /// process_vm_writev: a byte of its data, to the value that it has.
    Write,
    /// process_vm_readv.
    Read,
    /// /proc/PID/mem, for writing.
    Memory,
    /// pidfd_getfd of its standard input.
    Descriptor,
    /// /proc/PID/syscall: its registers.
    Registers,
    /// /proc/PID/maps.
    Maps,
    /// /proc/PID/auxv: the addresses of its program.
    Auxiliary,
    /// perf_event_open with its instruction pointers.
    Samples,
    /// prlimit with a new limit.
    Limit,
    /// kill with signal 0.
    Signal,
}

/// Where an application's data begins, and that of a static program: for a process whose maps cannot be read.
const DATA: usize = 0x40_0000;

pub(crate) fn attempt(way: Way, pid: Pid) -> Result<Outcome> {
    let proc = |name: &str| format!("/proc/{pid}/{name}");
    Ok(match way {
        Way::Attach => traced(pid, ptrace::attach(pid))?,
        Way::Seize => seized(pid, ptrace::seize(pid, ptrace::Options::empty()))?,
        Way::Read => Outcome::of(read(pid, writable(pid))),
        Way::Write => {
            let address = writable(pid);
            // Unknown where reading is refused, too; the call is made all the same.
            let byte = read(pid, address).unwrap_or_default();
            let remote = RemoteIoVec { base: address, len: 1 };
            Outcome::of(process_vm_writev(pid, &[IoSlice::new(&[byte])], &[remote]))
        }
        Way::Memory => Outcome::of_io(through_proc(&proc("mem"), writable(pid))),
        Way::Descriptor => {
            // SAFETY: three numbers; the descriptors that come back are this process's.
            let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
            let descriptor = Errno::result(descriptor).context("pidfd_open")?;
            // SAFETY: as above.
            Outcome::of_raw(unsafe { libc::syscall(libc::SYS_pidfd_getfd, descriptor, 0, 0) })
        }
        Way::Registers => Outcome::of_io(std::fs::read(proc("syscall"))),
        Way::Maps => Outcome::of_io(std::fs::read(proc("maps"))),
        Way::Auxiliary => Outcome::of_io(std::fs::read(proc("auxv"))),
        Way::Samples => samples(pid)?,
        Way::Limit => limit(pid, libc::RLIMIT_CORE as _, 0),
        Way::Signal => Outcome::of(nix::sys::signal::kill(pid, None)),
    })
}

/// Lets a process have this many descriptors; those that it has stay open.
pub(crate) fn descriptors(pid: Pid, number: u64) -> Result<Outcome> {
    Ok(limit(pid, libc::RLIMIT_NOFILE as _, number))
}

/// The C libraries have different types for the number of a resource.
fn limit(pid: Pid, resource: i32, value: u64) -> Outcome {
    let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: the limit lives during the call; the old one is not asked for.
    let result = unsafe { libc::prlimit(pid.as_raw(), resource as _, &limit, std::ptr::null_mut()) };
    Outcome::of_raw(result.into())
}

/// Lets go of it again.
fn traced(pid: Pid, attached: nix::Result<()>) -> Result<Outcome> {
    if attached.is_ok() {
        waitpid(pid, Some(WaitPidFlag::__WALL)).context("waiting for it to stop")?;
        ptrace::detach(pid, None).context("detaching")?;
    }
    Ok(Outcome::of(attached))
}

fn seized(pid: Pid, attached: nix::Result<()>) -> Result<Outcome> {
    if attached.is_ok() {
        ptrace::interrupt(pid).context("interrupting it")?;
        return traced(pid, attached);
    }
    Ok(Outcome::of(attached))
}

/// The first address of its memory that can be written to.
fn writable(pid: Pid) -> usize {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let line = maps.lines().find(|line| line.contains(" rw-p "));
    line.and_then(|line| usize::from_str_radix(line.split('-').next()?, 16).ok()).unwrap_or(DATA)
}

fn read(pid: Pid, address: usize) -> nix::Result<u8> {
    let mut byte = [0];
    let remote = RemoteIoVec { base: address, len: 1 };
    process_vm_readv(pid, &mut [IoSliceMut::new(&mut byte)], &[remote])?;
    Ok(byte[0])
}

/// Writes the byte that is there.
fn through_proc(path: &str, address: usize) -> std::io::Result<()> {
    let mut memory = std::fs::OpenOptions::new().read(true).write(true).open(path)?;
    let mut byte = [0];
    memory.seek(SeekFrom::Start(address as u64))?;
    memory.read_exact(&mut byte)?;
    memory.seek(SeekFrom::Start(address as u64))?;
    memory.write_all(&byte)
}

/// The kernel's `struct perf_event_attr` in its first version (include/uapi/linux/perf_event.h).
#[repr(C)]
#[derive(Default)]
struct EventAttributes {
    kind: u32,
    size: u32,
    config: u64,
    period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup: u32,
    breakpoint: u32,
    config1: u64,
}

fn samples(pid: Pid) -> Result<Outcome> {
    const PERF_TYPE_SOFTWARE: u32 = 1;
    const PERF_SAMPLE_IP: u64 = 1;
    /// What runs in the kernel is not asked for, which every user may.
    const EXCLUDE_KERNEL_AND_HYPERVISOR: u64 = 1 << 5 | 1 << 6;

    let attributes = EventAttributes {
        kind: PERF_TYPE_SOFTWARE,
        size: u32::try_from(size_of::<EventAttributes>())?,
        period: 1_000_000,
        sample_type: PERF_SAMPLE_IP,
        flags: EXCLUDE_KERNEL_AND_HYPERVISOR,
        ..EventAttributes::default()
    };
    // SAFETY: the attributes live during the call and say their own size.
    let result = unsafe { libc::syscall(libc::SYS_perf_event_open, &attributes, pid.as_raw(), -1, -1, 0) };
    Ok(Outcome::of_raw(result))
}
