//! `cargo xtask bench --boot`: how fast, how small and how frugal a server is on the lean kernel profile, level beside level.

use super::guest::{DEADLINE, Options};
use super::phases::{self, Phases};
use super::size::{self, Sizes};
use super::table;
use super::throughput::{self, CONNECTIONS};
use super::{Image, Server};
use anyhow::{Context, Result, ensure};
use ukl_host::interrupt;
use ukl_repo::config::{App, Level};
use ukl_repo::ctx::Ctx;
use ukl_report::record::{self, Accelerator, Emulator, Kind, Metric, Record, Sample, Start, emulator_version};
use ukl_run::smoke;
use ukl_vm::vm::Vm;
use ukl_vm::vm::protocol::{self, Mark};

/// The memory of the peers' table.
const MEMORY_MIB: u32 = 512;
/// The numbers of CPUs for which throughput is measured, and how often.
const CPUS: [u32; 3] = [1, 2, 4];
const THROUGHPUT_ROUNDS: u32 = 3;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct BootJob<'a> {
    pub app: &'a App,
    pub levels: &'a [Level],
    /// How often each level boots for its time.
    pub rounds: u32,
    /// Also list what takes the time and the space.
    pub profile: bool,
}

/// Measures everything and prints it; the record holds every sample.
pub fn run(ctx: &Ctx, job: &BootJob) -> Result<Record> {
    // Before the work begins: the load and the tree as they are then.
    let start = Start::now(&ctx.repo.root)?;
    let images: Vec<Image> =
        job.levels.iter().map(|level| Image::build(ctx, job.app, level, None)).collect::<Result<_>>()?;
    interrupt::catch();
    let mut samples = sizes(&images)?;
    let mut seen = None;
    for level in job.levels {
        let doing = || format!("looking into {} at level {}", job.app.name, level.name);
        let (free_kib, guest) = idle(ctx, job.app, level).with_context(doing)?;
        let used = f64::from(MEMORY_MIB) * 1024.0 * 1024.0 - free_kib as f64 * 1024.0;
        let sample = Sample::new(&job.app.name, &level.name, Metric::IdleMemoryBytes, Kind::Counted, 0, used);
        samples.push(on_lean(sample).with("memory_mib", u64::from(MEMORY_MIB)));
        seen.get_or_insert(guest);
    }
    samples.extend(boots(ctx, &images, job.rounds)?);
    samples.extend(loads(ctx, &images)?);
    print!("{}", table::table(&samples));
    if job.profile {
        images.iter().try_for_each(|image| profile(ctx, image))?;
    }
    let accelerators = vec![Accelerator::Tcg];
    let guest = seen.context("no level was named")?;
    Ok(Record::new(start, Emulator { version: emulator_version()?, accelerators }, guest, samples))
}

/// No other kernel profile's sample is compared with it.
fn on_lean(sample: Sample) -> Sample {
    sample.with("kernel_profile", "lean")
}

fn sizes(images: &[Image]) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for image in images {
        for (part, bytes) in Sizes::of(image)?.parts() {
            let sample = image.sample(Metric::ImageBytes, Kind::Counted, 0, bytes as f64);
            samples.push(on_lean(sample).with("part", part));
        }
    }
    Ok(samples)
}

/// Boots once with a console and a shell beside the server: the memory that is free when nothing happens, in KiB, and what
/// the machine says of itself. The server has to run as its level says.
fn idle(ctx: &Ctx, app: &App, level: &Level) -> Result<(u64, record::GuestFacts)> {
    let script = format!(
        "/bin/busybox --install -s /bin\nmount -t sysfs sys /sys\nsleep 3\n\
         while read name value unit; do [ $name != MemFree: ] || echo \"{} $value\"; done </proc/meminfo\n\
         {}\necho \"{}\"\n",
        protocol::IDLE,
        record::GuestFacts::QUERY,
        Mark::Done(0)
    );
    let image = Image::build(ctx, app, level, Some(&script))?;
    let options = Options { memory_mib: MEMORY_MIB, cpus: 1, console: true, counting: false };
    let mut guest = Server::start(ctx, &image, options)?;
    guest.first_answer()?;
    guest.vm.wait_for("the script beside the server to end", DEADLINE, |mark| matches!(mark, Mark::Done(_)))?;
    check_privilege(&mut guest.vm, level)?;
    let text = guest.vm.text()?;
    let free = guest.vm.marks().iter().find_map(|mark| if let Mark::Idle(kib) = mark { Some(*kib) } else { None });
    let free = free.with_context(|| format!("the guest did not say how much memory is free: {text:?}"))?;
    Ok((free, record::GuestFacts::parse(&text, options.cpus, options.memory_mib)?))
}

/// The server's own word for the level and the privilege it has.
pub fn check_privilege(vm: &mut Vm, level: &Level) -> Result<String> {
    vm.catch_up()?;
    let banner = vm.banners().first().context("the server did not say `ukl: level=… cpl=…`")?;
    match smoke::mismatch(level, banner) {
        None => Ok(format!("level {} and CPL {} with what the level is to have", banner.level, banner.cpl)),
        Some(reason) => Err(anyhow::anyhow!(reason)),
    }
}

/// The time to the first answer, the levels one after the other in each round.
fn boots(ctx: &Ctx, images: &[Image], rounds: u32) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for round in 0..rounds {
        for image in images {
            let mut guest = Server::start(ctx, image, timed(1))?;
            let wall = guest.first_answer()?.as_secs_f64();
            let cpu = guest.vm.cpu_time()?.as_secs_f64();
            let (name, level) = (&image.app.name, &image.level.name);
            eprintln!("round {round}: {name} at level {level} answered after {wall:.3} s, {cpu:.2} s of a processor");
            for (clock, time) in [("wall", wall), ("cpu", cpu)] {
                let sample = image.sample(Metric::BootToFirstPongS, Kind::EmulatedTime, round, time);
                samples.push(on_lean(sample).with("memory_mib", u64::from(MEMORY_MIB)).with("clock", clock));
            }
        }
    }
    Ok(samples)
}

/// Requests per second of each kind and number of CPUs, interleaved in the same way.
fn loads(ctx: &Ctx, images: &[Image]) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for round in 0..THROUGHPUT_ROUNDS {
        for cpus in CPUS {
            for image in images {
                let mut guest = Server::start(ctx, image, timed(cpus))?;
                guest.first_answer()?;
                for (command, ratio) in &image.requests.ratios {
                    let rate = throughput::measure(&mut guest, image, ratio)?;
                    let level = &image.level.name;
                    eprintln!("round {round}, {cpus} CPU(s): {command} at level {level}: {rate:.0} requests/s");
                    let sample = image.sample(Metric::RequestsPerS, Kind::EmulatedTime, round, rate);
                    let sample = on_lean(sample).with("command", command.as_str()).with("cpus", u64::from(cpus));
                    samples.push(sample.with("connections", u64::from(CONNECTIONS)));
                }
            }
        }
    }
    ensure!(!samples.is_empty(), "the application's [requests] names no kind of request");
    Ok(samples)
}

/// A machine without a console, whose time counts.
fn timed(cpus: u32) -> Options {
    Options { memory_mib: MEMORY_MIB, cpus, console: false, counting: false }
}

/// What the time and the space go into.
fn profile(ctx: &Ctx, image: &Image) -> Result<()> {
    let options = Options { memory_mib: MEMORY_MIB, cpus: 1, console: true, counting: true };
    let mut guest = Server::start(ctx, image, options)?;
    guest.first_answer()?;
    let phases = Phases::new(&guest.vm.text()?, &phases::symbols(&image.symbols)?);
    println!("\n{} at level {}: millions of instructions of a boot with a console", image.app.name, image.level.name);
    print!("{}", phases.table());
    println!("\n{} at level {}: what is loaded", image.app.name, image.level.name);
    print!("{}", size::listing(ctx, image)?);
    Ok(())
}
