//! A long run of a whole system: Debian with systemd, logins, cron, an ordinary Redis and two processes of the linked-in one under load; and at
//! the end the questions whether the data are right, the kernel is content, and the times add up.

pub mod accounts;
mod load;

use accounts::Accounts;
use anyhow::{Context, Result, bail, ensure};
use load::Load;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};
use ukl_guest::initramfs::ExtraFile;
use ukl_guest::userland::{WaysIn, unit_name};
use ukl_host::failure::Failure;
use ukl_host::interrupt;
use ukl_repo::config::{App, DEFAULT_LEVEL, Level};
use ukl_repo::ctx::Ctx;
use ukl_run::run::{self, READY_DEADLINE, Userland};
use ukl_run::smoke;
use ukl_vm::net::{self, Forward};
use ukl_vm::vm::{Event, Vm};

/// Connections for each server; each has keys and a model of its own. So many that the machine seldom has nothing to do: Linux
/// charges to nobody what the idle task does itself, restarting the tick and waking tasks of other CPUs. Where the timer is
/// emulated that is 0.1 ms each time, and with few connections more than 2 % of all.
const CONNECTIONS: u64 = 8;
/// How often somebody logs in, and how often the machine is looked at.
const LOGIN_PERIOD: Duration = Duration::from_secs(20);
const WATCH_PERIOD: Duration = Duration::from_millis(500);
/// A job of cron, each minute, and where it leaves its trace.
const CRON: (&str, &str) = ("/etc/cron.d/ukl", "* * * * * root date >>/var/log/ukl-cron\n");
/// A second process of the linked-in Redis, with a port and a folder of its own.
const SECOND: (&str, u16, &str) = (
    "/etc/systemd/system/ukl-redis-second.service",
    6390,
    "[Unit]\n\
     Description=a second process of the linked-in redis\n\
     After=network.target\n\
     \n\
     [Service]\n\
     ExecStartPre=/bin/mkdir -p /data/second\n\
     ExecStart=/opt/ukl/redis-server /etc/redis.conf --port 6390 --dir /data/second\n\
     Restart=on-failure\n\
     LimitNOFILE=65536\n",
);
/// What `cargo xtask soak` tolerates: by how much the sum of all times may differ from the time that the CPUs had, in percent.
const TOLERANCE_PERCENT: f64 = 2.0;

/// Options of `soak`.
#[derive(clap::Args)]
pub struct Args {
    /// The level of the linked-in Redis.
    #[arg(long, short, default_value = DEFAULT_LEVEL)]
    level: String,
    /// How long, in minutes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
    /// Virtual CPUs.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    smp: u32,
    /// Where the random requests begin.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs `soak`: prints a line for each thing that was looked at, and fails if one is wrong.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    let (app, level) = (ctx.repo.app("redis")?, ctx.repo.level(&args.level)?);
    interrupt::catch();
    let mut machine = Loaded::boot(ctx, &app, &level, &args)?;
    let minutes = args.minutes;
    eprintln!(
        "for {minutes} min: three servers under load, a login every {} s, a job each minute",
        LOGIN_PERIOD.as_secs()
    );
    let before = Accounts::read(&machine.ways)?;
    let outcome = machine.endure(Duration::from_secs(u64::from(minutes) * 60), args.seed)?;
    let after = Accounts::read(&machine.ways)?;
    let mut wrong = 0;
    let mut tell = |name: &str, outcome: Result<String>| {
        let (word, text) = match outcome {
            Ok(text) => ("ok  ", text),
            Err(error) => {
                wrong += 1;
                ("FAIL", format!("{error:#}"))
            }
        };
        println!("{word} {name}: {text}");
    };
    for (server, verified) in outcome.servers {
        tell(server, verified);
    }
    tell("logins", outcome.logins);
    tell("cron", machine.cron(minutes));
    tell("units", machine.units(&unit_name(&app.name)));
    print!("{}", after.table(&before));
    let host = std::thread::available_parallelism().context("counting this machine's CPUs")?.get();
    tell("accounting", after.check(&before, host, TOLERANCE_PERCENT));
    tell("kernel", machine.kernel());
    machine.vm.stop()?;
    if wrong > 0 {
        let next = format!("the machine's console is in {}", machine.vm.log.display());
        return Err(Failure::new(format!("{wrong} things went wrong in {minutes} min"), next));
    }
    println!("{minutes} min at level {} on {} CPUs: passed", level.name, args.smp);
    Ok(())
}

/// The machine and the ways into it.
struct Loaded {
    vm: Vm,
    ways: WaysIn,
    /// The host's ports for the two processes of the linked-in Redis.
    port: u16,
    second: u16,
}

/// What came of the time.
struct Outcome {
    /// What was found out about the data of each server.
    servers: Vec<(&'static str, Result<String>)>,
    logins: Result<String>,
}

impl Loaded {
    fn boot(ctx: &Ctx, app: &App, level: &Level, args: &Args) -> Result<Self> {
        let (target, content) = (CRON.0.to_owned(), CRON.1.as_bytes().to_vec());
        let job = ExtraFile { target, permissions: 0o644, content };
        let (target, guest, unit) = SECOND;
        let unit = ExtraFile { target: target.to_owned(), permissions: 0o644, content: unit.as_bytes().to_vec() };
        let mut plan = run::plan_on(ctx, app, level, Userland::Debian, None, &[job, unit])?;
        plan.name = format!("soak-{}", level.name);
        plan.cpus = args.smp;
        let port = net::free_port()?;
        let second = net::free_port()?;
        plan.forwards = vec![
            Forward { host: port, guest: *app.guest.ports.first().context("Redis has a port")? },
            Forward { host: second, guest },
        ];
        let ways = WaysIn::add(ctx, &mut plan)?;
        let mut vm = Vm::boot(ctx, &plan)?;
        eprintln!("booting; console: {}", vm.log.display());
        vm.wait_ready(READY_DEADLINE)?;
        ways.wait_for_login(READY_DEADLINE)?;
        // Until what starts once has ended, and the neighbour is up.
        ways.run("while [ \"$(systemctl is-system-running)\" = starting ]; do sleep 1; done")?;
        smoke::wait_loaded(second).context("the second process of the linked-in Redis")?;
        Ok(Loaded { vm, ways, port, second })
    }

    /// Keeps the servers busy and logs in for as long as this, then compares the data with what they should be.
    fn endure(&mut self, duration: Duration, seed: u64) -> Result<Outcome> {
        let stop = AtomicBool::new(false);
        let servers = [
            ("linked-in Redis", self.port),
            ("second linked-in Redis", self.second),
            ("ordinary Redis", self.ways.neighbour),
        ];
        let ways = self.ways.clone();
        std::thread::scope(|scope| {
            let stop = &stop;
            let loads: Vec<Vec<ScopedJoinHandle<Result<Load>>>> = servers
                .iter()
                .map(|&(_, port)| {
                    let start = |connection| scope.spawn(move || Load::new(seed, connection).run(port, stop));
                    (0..CONNECTIONS).map(start).collect()
                })
                .collect();
            let logins = scope.spawn(|| log_in(&ways, stop));
            let watched = self.watch(duration);
            stop.store(true, Ordering::Relaxed);
            let ended = |thread: ScopedJoinHandle<Result<Load>>| thread.join().expect("a load does not panic");
            let ended = loads.into_iter().map(|threads| threads.into_iter().map(ended).collect::<Result<Vec<_>>>());
            let servers = servers
                .iter()
                .zip(ended)
                .map(|(&(name, port), loads)| (name, loads.and_then(|loads| load::verify(&loads, port))));
            let outcome =
                Outcome { servers: servers.collect(), logins: logins.join().expect("logging in does not panic") };
            watched.map(|()| outcome)
        })
    }

    /// Waits, and ends early when the machine is in trouble.
    fn watch(&mut self, duration: Duration) -> Result<()> {
        let start = Instant::now();
        let mut told = Duration::ZERO;
        while told < duration {
            let minute = duration.min(told + Duration::from_secs(60));
            match self.vm.next(Some(start + minute))? {
                Event::Line(..) => {}
                Event::Trouble(_) => return Err(self.vm.failed_kernel()),
                Event::End(status) => return Err(self.vm.failure(self.vm.ending(status))),
                Event::Interrupt => bail!("interrupted after {} s", start.elapsed().as_secs()),
                Event::Deadline => {
                    told = minute;
                    eprintln!("  {} min", told.as_secs() / 60);
                }
            }
        }
        Ok(())
    }

    /// Cron's job has run each minute, but for the first and the last, which may not be whole.
    fn cron(&self, minutes: u32) -> Result<String> {
        let runs: u32 = self.ways.run("cat /var/log/ukl-cron 2>/dev/null | wc --lines")?.trim().parse()?;
        ensure!(runs + 1 >= minutes, "cron's job ran {runs} times in {minutes} min");
        Ok(format!("the job ran {runs} times"))
    }

    /// No unit has failed, and no server was started again.
    fn units(&self, unit: &str) -> Result<String> {
        let failed = self.ways.run("systemctl --failed --no-legend --plain")?;
        let restarts =
            self.ways.run(&format!("systemctl show --property=NRestarts --value {unit} {unit}-second redis-server"))?;
        let restarts: Vec<_> = restarts.split_whitespace().collect();
        ensure!(failed.is_empty() && restarts == ["0", "0", "0"], "failed: {failed:?}; restarts: {restarts:?}");
        Ok("none failed, no server was started again".to_owned())
    }

    /// The kernel has warned of nothing since it started.
    fn kernel(&mut self) -> Result<String> {
        self.vm.check_kernel()?;
        let said = self.ways.run("journalctl --dmesg --boot --priority=warning --output=cat --no-pager --quiet")?;
        let traces = said.lines().filter(|line| line.contains("Call Trace") || line.contains("WARNING: ")).count();
        ensure!(traces == 0, "the kernel's log has {traces} warnings: {said}");
        Ok(format!(
            "no warning, oops or stall on the console; {} lines of priority warning in the log",
            said.lines().count()
        ))
    }
}

/// Logs in again and again, as somebody would.
fn log_in(ways: &WaysIn, stop: &AtomicBool) -> Result<String> {
    let mut logins = 0;
    while !stop.load(Ordering::Relaxed) {
        let said = ways.run("id --user --name; uptime; systemctl is-active ukl-redis ukl-redis-second redis-server")?;
        ensure!(said.starts_with("root\n") && said.ends_with("active\nactive\nactive\n"), "a login printed {said:?}");
        logins += 1;
        let start = Instant::now();
        while start.elapsed() < LOGIN_PERIOD && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(WATCH_PERIOD);
        }
    }
    Ok(format!("{logins} through ssh, each of which ran three commands"))
}
