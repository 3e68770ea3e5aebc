//! This program itself, killed at any moment, twice at once, and short of space, rights, tools or network: nothing corrupt
//! in the cache, nobody left behind, and an answer that has a next step.

mod machine;
mod shortage;
mod trial;

use super::suite::{Apps, Machines, Quick, Suite, When, names};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};
use trial::{Trial, random};
use ukl_host::interrupt;
use ukl_repo::ctx::Ctx;

/// What is tried, by name.
type Test = (&'static str, fn(&Ctx) -> Result<String>);

const TESTS: &[Test] = &[
    ("killed-at-random", killed),
    ("two-at-once", two_at_once),
    ("full-disk", shortage::full_disk),
    ("read-only-cache", shortage::read_only),
    ("no-network", shortage::no_network),
    ("missing-tools", shortage::missing_tools),
    ("odd-paths", shortage::odd_paths),
    ("no-orphan", machine::no_orphan),
];

/// How often a build is killed.
const KILLS: u32 = 8;
/// The latest moment of a kill; the build takes longer.
const LATEST: Duration = Duration::from_secs(25);
/// A build of a C library and a toolchain, on a busy machine.
const BUILD_DEADLINE: Duration = Duration::from_secs(600);

/// Builds again and again what it kills, so only when asked for.
pub(super) const SUITE: Suite = Suite {
    name: "robustness",
    summary: "this program killed, without space, network or tools, in odd paths",
    prefix: "robustness/",
    apps: Apps::None,
    machines: &[Machines { levels: None, cpus: 1, when: When::Asked }],
    quick: Quick::Smallest,
    tests: |_, _| Ok(names(TESTS)),
    run: |ctx, part, tally| {
        for (name, test) in TESTS {
            let name = part.test(name);
            if tally.wants(&name) && !interrupt::requested() {
                tally.check(&name, test(ctx));
            }
        }
        Ok(())
    },
};

/// Kills a build at random moments, starts it again at once each time, and compares the last result with that of a build
/// that nobody disturbed.
fn killed(ctx: &Ctx) -> Result<String> {
    let expected = trial::library(&ukl_app::musl::musl(ctx, ukl_app::musl::Flavour::Process)?)?;
    let trial = Trial::new(ctx)?;
    let mut moments = Vec::new();
    for _ in 0..KILLS {
        let mut build = trial.spawn(&["toolchain", "--bin"])?;
        let wait = Duration::from_millis(random(LATEST.as_millis() as u64));
        let start = Instant::now();
        while start.elapsed() < wait && !build.has_ended()? {
            std::thread::sleep(Duration::from_millis(10));
        }
        moments.push(format!("{:.1}", start.elapsed().as_secs_f64()));
        build.kill()?;
        if trial.is_built()? {
            trial.forget()?;
        }
    }
    let output = trial.spawn(&["toolchain", "--bin"])?.wait(BUILD_DEADLINE)?;
    ensure!(output.status == Some(0), "the build after the last kill failed: {}", output.stderr);
    let built = trial.find("musl-process")?.context("no C library was built")?;
    ensure!(trial::library(&built)? == expected, "the library built after the kills has another content");
    let unfinished = trial.unfinished()?;
    ensure!(unfinished.is_empty(), "left in the cache: {}", unfinished.join(", "));
    trial.nobody_left()?;
    Ok(format!("the library of a build killed after {} s with one that was not", moments.join(", ")))
}

/// Two builds of the same thing at the same time: one does it, the other waits, and both say the same.
fn two_at_once(ctx: &Ctx) -> Result<String> {
    let trial = Trial::new(ctx)?;
    let (first, second) = (trial.spawn(&["toolchain", "--bin"])?, trial.spawn(&["toolchain", "--bin"])?);
    let outputs = [first.wait(BUILD_DEADLINE)?, second.wait(BUILD_DEADLINE)?];
    for output in &outputs {
        ensure!(output.status == Some(0), "one of two builds failed: {}", output.stderr);
    }
    ensure!(outputs[0].stdout == outputs[1].stdout, "two answers: {:?} and {:?}", outputs[0].stdout, outputs[1].stdout);
    let configured = outputs.iter().map(|output| output.stderr.matches("/configure ").count()).sum::<usize>();
    ensure!(configured == 1, "the C library was configured {configured} times");
    ensure!(trial.unfinished()?.is_empty(), "something unfinished is left in the cache");
    Ok("the answers of two builds at once, of which one did the work".to_owned())
}
