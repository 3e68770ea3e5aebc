//! `cargo xtask bench --calibrate`: what calls and faults cost on this host, for the cost model.

use crate::model::{CostedMachine, Costs};
use crate::record::{self, Host};
use crate::stats;
use anyhow::{Context, Result, ensure};
use std::arch::x86_64::{_mm_lfence, _rdtsc};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The file's name below the folder given with `--out`.
pub const FILE_NAME: &str = "calibration.toml";
/// An interrupt or another task disturbs a batch; batches are short and many, so that the median does not care.
const BATCHES: usize = 501;
const CALLS_PER_BATCH: u32 = 1000;
const SIGNALS_PER_BATCH: u32 = 100;
/// Enough pages to spread the cost of the loop's own system call over.
const PAGES: u32 = 512;

/// One kind of event, per event.
#[derive(Clone, Copy, Debug)]
struct Cost {
    ns: f64,
    tsc_cycles: f64,
}

/// Measures, prints the table and the block, and writes the block into `out` if given.
pub fn run(out: Option<&Path>) -> Result<()> {
    let host = Host::here()?;
    let calls = calls()?;
    let others = [("page-fault", page_fault()?), ("signal", signal()?)];
    let name = "this host";
    println!("{}, Linux {}", host.cpu_model, host.kernel_release);
    if host.load_average_1_min > f64::from(host.cpus) / 2.0 {
        println!("the load average is {}: other work on this machine is part of these times", host.load_average_1_min);
    }
    println!();
    println!("{:<12} {:>10} {:>12}", "", "ns", "TSC cycles");
    for (name, cost) in calls.iter().chain(&others) {
        println!("{name:<12} {:>10.1} {:>12.0}", cost.ns, cost.tsc_cycles);
    }
    let active = host.mitigations.iter().filter(|(_, state)| *state != "Not affected");
    let machine = CostedMachine {
        name: name.to_owned(),
        cpu: host.cpu_model.clone(),
        ghz: round(calls[0].1.tsc_cycles / calls[0].1.ns, 1000.0),
        mitigations: active.map(|(name, state)| format!("{name}: {state}")).collect::<Vec<_>>().join("; "),
        source: format!("measured by `cargo xtask bench --calibrate` on Linux {}", host.kernel_release),
        is_published: false,
        crossing: None,
        call_ns: nanoseconds(&calls),
        other_ns: nanoseconds(&others),
    };
    let block = toml::to_string(&Costs { machines: vec![machine], transitions: vec![] })?;
    println!("\n{block}");
    if let Some(dir) = out {
        let path = dir.join(FILE_NAME);
        record::write_whole(&path, block.as_bytes())?;
        println!("written to {}; `cargo xtask report` reads it from there", path.display());
    }
    Ok(())
}

fn nanoseconds(costs: &[(&str, Cost)]) -> BTreeMap<String, f64> {
    costs.iter().map(|(name, cost)| ((*name).to_owned(), round(cost.ns, 100.0))).collect()
}

fn round(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

/// The calls that `apps/microbench` counts too, so that the model has a time and a count of the same thing.
fn calls() -> Result<[(&'static str, Cost); 3]> {
    let zero = File::open("/dev/zero").context("opening /dev/zero")?;
    let null = File::options().write(true).open("/dev/null").context("opening /dev/null")?;
    let mut byte = 0_u8;
    let buffer = std::ptr::from_mut(&mut byte);
    let (zero, null) = (zero.as_raw_fd(), null.as_raw_fd());
    // SAFETY: the call takes no argument.
    let getppid = || unsafe { libc::syscall(libc::SYS_getppid) } > 0;
    // SAFETY: a descriptor that lives and the address of one byte that does.
    let read = || unsafe { libc::syscall(libc::SYS_read, zero, buffer, 1) } == 1;
    // SAFETY: as above.
    let write = || unsafe { libc::syscall(libc::SYS_write, null, buffer, 1) } == 1;
    let mut batches = [Batches::default(), Batches::default(), Batches::default()];
    // In turns, so that a change of the clock or of the load meets all three.
    for _ in 0..BATCHES {
        batches[0].add(CALLS_PER_BATCH, || (0..CALLS_PER_BATCH).all(|_| getppid()))?;
        batches[1].add(CALLS_PER_BATCH, || (0..CALLS_PER_BATCH).all(|_| read()))?;
        batches[2].add(CALLS_PER_BATCH, || (0..CALLS_PER_BATCH).all(|_| write()))?;
    }
    let [getppid, read, write] = batches;
    Ok([("getppid", getppid.median()?), ("read", read.median()?), ("write", write.median()?)])
}

/// What one event took in each batch.
#[derive(Default)]
struct Batches {
    ns: Vec<f64>,
    tsc_cycles: Vec<f64>,
}

impl Batches {
    /// Runs one batch of `events`; it says whether each did what it should.
    fn add(&mut self, events: u32, batch: impl FnOnce() -> bool) -> Result<()> {
        let (start, start_cycles) = (Instant::now(), cycles_now());
        ensure!(batch(), "calibrating: a call failed: {}", std::io::Error::last_os_error());
        let (end_cycles, elapsed) = (cycles_now(), start.elapsed());
        self.ns.push(elapsed.as_nanos() as f64 / f64::from(events));
        self.tsc_cycles.push(end_cycles.wrapping_sub(start_cycles) as f64 / f64::from(events));
        Ok(())
    }

    fn median(&self) -> Result<Cost> {
        let median = |values: &[f64]| stats::median(values).context("no batch was measured");
        Ok(Cost { ns: median(&self.ns)?, tsc_cycles: median(&self.tsc_cycles)? })
    }
}

/// The median over the batches.
fn repeat(events: u32, mut batch: impl FnMut() -> bool) -> Result<Cost> {
    let mut batches = Batches::default();
    (0..BATCHES).try_for_each(|_| batches.add(events, &mut batch))?;
    batches.median()
}

/// The time stamp counter, read after everything before it has been executed (Intel SDM, RDTSC).
fn cycles_now() -> u64 {
    // SAFETY: both instructions exist on every x86-64 processor and touch no memory.
    unsafe {
        _mm_lfence();
        _rdtsc()
    }
}

/// The first write to a page of private memory, the fault included: allocation and clearing are part of it.
fn page_fault() -> Result<Cost> {
    let page_bytes = rustix::param::page_size();
    let length = PAGES as usize * page_bytes;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: asks for new memory at an address of the kernel's choice.
    let memory = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, -1, 0) };
    ensure!(memory != libc::MAP_FAILED, "mapping {length} bytes: {}", std::io::Error::last_os_error());
    // One large page would make one fault of all.
    // SAFETY: the range is the mapping made above.
    let advised = unsafe { libc::madvise(memory, length, libc::MADV_NOHUGEPAGE) } == 0;
    let touch = || {
        // SAFETY: the range is the mapping made above, and nothing else refers to it.
        unsafe {
            if libc::madvise(memory, length, libc::MADV_DONTNEED) != 0 {
                return false;
            }
            (0..PAGES as usize).for_each(|page| memory.cast::<u8>().add(page * page_bytes).write_volatile(1));
        }
        true
    };
    let cost = if advised { repeat(PAGES, touch) } else { Err(std::io::Error::last_os_error().into()) };
    // SAFETY: nothing refers to the mapping any more.
    unsafe { libc::munmap(memory, length) };
    cost
}

/// Signals that the handler has seen.
static SIGNALS: AtomicU64 = AtomicU64::new(0);

extern "C" fn count_signal(_: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

/// A signal sent to this thread, its handler and the return from it, which leaves the kernel by `iretq`.
fn signal() -> Result<Cost> {
    const SIGNAL: libc::c_int = libc::SIGUSR2;
    // SAFETY: the handler only adds to an atomic; the old action is put back below.
    let old = unsafe { libc::signal(SIGNAL, count_signal as *const () as libc::sighandler_t) };
    ensure!(old != libc::SIG_ERR, "installing a signal handler: {}", std::io::Error::last_os_error());
    let before = SIGNALS.load(Ordering::Relaxed);
    // SAFETY: both calls take no argument.
    let (process, thread) = unsafe { (libc::getpid(), libc::gettid()) };
    // SAFETY: sends this thread a signal that has a handler.
    let send = || unsafe { libc::syscall(libc::SYS_tgkill, process, thread, SIGNAL) } == 0;
    let cost = repeat(SIGNALS_PER_BATCH, || (0..SIGNALS_PER_BATCH).all(|_| send()));
    // SAFETY: puts back what was there.
    unsafe { libc::signal(SIGNAL, old) };
    let seen = SIGNALS.load(Ordering::Relaxed) - before;
    let sent = BATCHES as u64 * u64::from(SIGNALS_PER_BATCH);
    ensure!(seen == sent, "{seen} of {sent} signals reached the handler");
    cost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_call_costs_more_and_the_block_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        run(Some(dir.path())).unwrap();
        let costs = Costs::read(&dir.path().join(FILE_NAME)).unwrap();
        let machine = &costs.machines[0];
        assert_eq!(machine.call_ns.keys().collect::<Vec<_>>(), ["getppid", "read", "write"]);
        assert!(machine.other_ns["signal"] > machine.call_ns["getppid"]);
        assert!(machine.ghz > 0.1 && machine.ghz < 10.0, "{} GHz", machine.ghz);
    }
}
