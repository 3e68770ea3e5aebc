//! Random system calls at every level, compared with what an ordinary process gets from Linux.

pub mod differences;
pub mod target;

use anyhow::{Context, Result, ensure};
use differences::Known;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use target::{Batch, Target};
use ukl_host::failure::Failure;
use ukl_host::interrupt;
use ukl_kernel::source;
use ukl_kernel::syscalls;
use ukl_repo::config::KernelFlavour;
use ukl_repo::ctx::Ctx;

/// Batches that each target runs before they are compared.
const ROUND: u64 = 25;

/// One batch in so many may be unsteady.
const MAX_UNSTEADY: u64 = 50;

/// Options of `fuzz`.
#[derive(clap::Args)]
pub struct Args {
    /// How long, in minutes, without the builds.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
    /// Where the random calls begin; the same seed makes the same calls.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// On a kernel with KASAN, lockdep and checks of its entry code; it is built first, and many times slower.
    #[arg(long)]
    checked: bool,
}

/// What was seen of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tally {
    calls: u64,
    batches: u64,
    /// Batches that went another way than at `linux`, for a reason that is written down.
    explained: u64,
    /// Batches that went another way only once: something that no two runs have alike had a part in it.
    unsteady: u64,
}

/// Runs `fuzz`.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    let known = Known::read(&ctx.repo)?;
    let names: BTreeMap<u32, String> = syscalls::read(&source::kernel_source(ctx, KernelFlavour::Ukl)?)?
        .into_iter()
        .map(|call| (call.number, call.name))
        .collect();
    interrupt::catch();
    let mut targets = target::all(ctx, args.checked)?;
    let mut tallies = vec![Tally::default(); targets.len()];
    let mut findings = Vec::new();
    // Calls that waited until their batch was ended, by number.
    let mut waits = BTreeMap::new();
    let (start, length) = (Instant::now(), Duration::from_secs(u64::from(args.minutes) * 60));
    let mut first = 0;
    while start.elapsed() < length && findings.is_empty() {
        ensure!(!interrupt::requested(), "interrupted");
        let rounds = round(&mut targets, args.seed, first)?;
        let (reference, others) = rounds.split_first().context("there is a reference")?;
        add(&mut tallies[0], reference);
        for batch in reference.iter().filter(|batch| batch.is_late()) {
            *waits.entry(batch.last).or_insert(0u32) += 1;
        }
        for (at, batches) in others.iter().enumerate() {
            add(&mut tallies[at + 1], batches);
            for (expected, found) in reference.iter().zip(batches) {
                // Every machine has its kernel elsewhere: what all of them have is no address but a number that was passed in.
                if found.leaks > 0 && (found.leaks, found.leaked) != (expected.leaks, expected.leaked) {
                    findings.push(format!(
                        "{}: batch {} left {:#x} in memory",
                        targets[at + 1].name,
                        found.number,
                        found.leaked
                    ));
                }
                if expected.hash == found.hash && expected.end == found.end {
                    continue;
                }
                let number = found.number;
                let calls = |target: &mut Target| target.show(args.seed, number);
                let (expected, found) = (calls(&mut targets[0])?, calls(&mut targets[at + 1])?);
                match differences::first(&expected, &found, &names) {
                    Some(difference) if known.explains(&difference) => tallies[at + 1].explained += 1,
                    Some(difference) => {
                        findings.push(format!("{}, batch {number}: {difference}", targets[at + 1].name));
                    }
                    None => tallies[at + 1].unsteady += 1,
                }
            }
        }
        first += ROUND;
    }
    for (number, count) in &waits {
        println!("{} waited until its batch was ended: {count}", names.get(number).map_or("?", String::as_str));
    }
    report(&mut targets, &tallies, args.seed, start.elapsed(), findings)
}

/// The same batches at every target, at once.
fn round(targets: &mut [Target], seed: u64, first: u64) -> Result<Vec<Vec<Batch>>> {
    std::thread::scope(|scope| {
        let running: Vec<_> =
            targets.iter_mut().map(|target| scope.spawn(move || target.run(seed, first, ROUND))).collect();
        running.into_iter().map(|thread| thread.join().expect("a target's thread does not panic")).collect()
    })
}

fn add(tally: &mut Tally, batches: &[Batch]) {
    tally.batches += batches.len() as u64;
    tally.calls += batches.iter().map(|batch| batch.calls).sum::<u64>();
}

fn report(
    targets: &mut [Target],
    tallies: &[Tally],
    seed: u64,
    elapsed: Duration,
    mut findings: Vec<String>,
) -> Result<()> {
    println!("{:28} {:>10} {:>8} {:>10} {:>10}", "", "calls", "batches", "explained", "unsteady");
    for (target, tally) in targets.iter_mut().zip(tallies) {
        let Tally { calls, batches, explained, unsteady } = tally;
        println!("{:28} {calls:>10} {batches:>8} {explained:>10} {unsteady:>10}", target.name);
        if *unsteady > batches / MAX_UNSTEADY {
            findings.push(format!("{}: {unsteady} of {batches} batches are unsteady", target.name));
        }
        findings.extend(target.trouble()?);
    }
    println!("seed {seed}, {} s", elapsed.as_secs());
    for target in targets {
        target.stop()?;
    }
    if findings.is_empty() {
        println!("no other differences, no complaint of a kernel, nothing of a kernel's memory in a buffer");
        return Ok(());
    }
    for finding in &findings {
        println!("FAIL {finding}");
    }
    Err(Failure::new(
        format!("{} findings", findings.len()),
        format!(
            "`fuzz show {seed} BATCH` in the guest lists a batch's calls; a difference that is meant is written into docs/compatibility.md"
        ),
    ))
}
