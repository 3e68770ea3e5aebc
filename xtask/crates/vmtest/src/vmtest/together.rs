//! Redis and memcached in one image: both serve, and either may crash and be started again without the other noticing.

use super::server::{ANSWER_DEADLINE, succeed};
use super::suite::{Apps, Machines, Part, Quick, Suite, When, names, words};
use super::tally::Tally;
use anyhow::{Context, Result, bail, ensure};
use std::time::{Duration, Instant};
use ukl_repo::config::{App, Level, Levels};
use ukl_repo::ctx::Ctx;
use ukl_run::run::{self, READY_DEADLINE};
use ukl_run::smoke;
use ukl_run::{memcached, resp};
use ukl_vm::net::{self, Forward};
use ukl_vm::vm::protocol::{BootWord, Mark};
use ukl_vm::vm::shell::Shell;
use ukl_vm::vm::{Event, Vm};

/// The image: Redis is the first, so that its arguments can be given.
const APPS: &str = "redis,memcached";
/// Lets a client ask for a crash, and has its report leave out the test of all memory.
const REDIS_ARGUMENTS: [&str; 5] =
    ["/etc/redis.conf", "--enable-debug-command", "yes", "--crash-memcheck-enabled", "no"];
/// 128 + SIGSEGV.
const SEGFAULT: i32 = 139;

/// The machine and how its servers are reached from the host.
struct Pair<'a> {
    vm: Vm,
    level: &'a Level,
    redis: u16,
    memcached: u16,
}

type Test = (&'static str, fn(&mut Pair) -> Result<String>);

/// Each begins where the one before it ended.
const TESTS: &[Test] = &[
    ("privilege", privilege),
    ("both-serve", both_serve),
    ("memcached-crashes", memcached_crashes),
    ("redis-crashes", redis_crashes),
];

/// One boot for each level.
pub(super) const SUITE: Suite = Suite {
    name: "together",
    summary: "Redis and memcached in one image; either crashes without the other noticing",
    prefix: "{level}/smp{cpus}/together/",
    apps: Apps::One(APPS),
    machines: &[Machines { levels: Some(Levels::Ways), cpus: 2, when: When::Default }],
    quick: Quick::Nothing,
    tests: |_, _| Ok([names(TESTS), words(&["kernel-is-quiet"])].concat()),
    run,
};

fn run(ctx: &Ctx, part: &Part, tally: &mut Tally) -> Result<()> {
    let app = ctx.repo.app(&part.app)?;
    let mut pair = boot(ctx, &app, part.level()?, part.cpus)?;
    for (name, test) in TESTS {
        tally.check(&part.test(name), test(&mut pair));
    }
    tally.kernel_is_quiet(&part.prefix, &mut pair.vm);
    pair.vm.stop()
}

fn boot<'a>(ctx: &Ctx, app: &App, level: &'a Level, cpus: u32) -> Result<Pair<'a>> {
    let mut plan = run::plan(ctx, app, level, Some(&REDIS_ARGUMENTS.map(str::to_owned)))?;
    plan.name = format!("test-{}-{}", app.title(), level.name);
    plan.cpus = cpus;
    plan.tell(BootWord::Keep);
    let mut ports = Vec::new();
    for app in app.all() {
        let guest = *app.guest.ports.first().context("a server has a port")?;
        let host = net::free_port()?;
        plan.forwards.push(Forward { host, guest });
        ports.push(host);
    }
    let mut vm = Vm::boot(ctx, &plan)?;
    vm.wait_all_ready(app, READY_DEADLINE)?;
    Ok(Pair { vm, level, redis: ports[0], memcached: ports[1] })
}

/// Both say that they run as the level is to.
fn privilege(pair: &mut Pair) -> Result<String> {
    pair.vm.catch_up()?;
    let banners = pair.vm.banners();
    ensure!(banners.len() == 2, "{} applications said where they run; 2 were expected", banners.len());
    let wrong = banners.iter().find_map(|banner| smoke::mismatch(pair.level, banner));
    ensure!(wrong.is_none(), "{}", wrong.unwrap_or_default());
    Ok(format!("what processes {} and {} say with level {}", banners[0].pid, banners[1].pid, pair.level.name))
}

fn both_serve(pair: &mut Pair) -> Result<String> {
    let mut redis = resp::Client::connect(pair.redis, ANSWER_DEADLINE)?;
    let mut memcached = memcached::Client::connect(pair.memcached, ANSWER_DEADLINE)?;
    for round in 0..100 {
        let (mine, its) = (format!("redis-{round}"), format!("memcached-{round}"));
        redis.text(&format!("SET kept {mine}"))?;
        memcached.set("kept", its.as_bytes())?;
        expect(&redis.text("GET kept")?.to_string(), &mine)?;
        expect_value(&mut memcached, &its)?;
    }
    Ok("100 values written to each in turn with what each then gives back".to_owned())
}

/// A wild jump would do the same; the signal can be sent to a program that has no bug.
fn memcached_crashes(pair: &mut Pair) -> Result<String> {
    let mut redis = resp::Client::connect(pair.redis, ANSWER_DEADLINE)?;
    let mut shell = pair.vm.shell()?;
    succeed(&mut shell, "kill -SEGV $(cat /run/memcached.pid)")?;
    wait(&mut pair.vm, &Mark::BesideExit("memcached".to_owned(), SEGFAULT))?;
    expect(&redis.text("GET kept")?.to_string(), "redis-99")?;
    start(&mut shell, "/etc/ukl/beside/memcached.command")?;
    let mut memcached = retry(|| {
        memcached::Client::connect(pair.memcached, ANSWER_DEADLINE).and_then(|mut client| {
            client.text("version")?;
            Ok(client)
        })
    })?;
    expect(&memcached.text("get kept")?.to_string(), "END")?;
    memcached.set("kept", b"memcached-99")?;
    expect_value(&mut memcached, "memcached-99")?;
    expect(&redis.text("GET kept")?.to_string(), "redis-99")?;
    Ok("Redis, on one connection, before, between and after memcached's SIGSEGV and new start; memcached begins empty"
        .to_owned())
}

/// A store to an address that is not mapped, by the server itself.
fn redis_crashes(pair: &mut Pair) -> Result<String> {
    let mut memcached = memcached::Client::connect(pair.memcached, ANSWER_DEADLINE)?;
    let mut redis = resp::Client::connect(pair.redis, ANSWER_DEADLINE)?;
    expect(&redis.text("SAVE")?.to_string(), "OK")?;
    redis.send(&[b"DEBUG", b"SEGFAULT"])?;
    wait(&mut pair.vm, &Mark::Exit(SEGFAULT))?;
    expect_value(&mut memcached, "memcached-99")?;
    let mut shell = pair.vm.shell()?;
    start(&mut shell, "/etc/ukl/command")?;
    let mut redis = retry(|| {
        smoke::wait_loaded(pair.redis)?;
        resp::Client::connect(pair.redis, ANSWER_DEADLINE)
    })?;
    expect(&redis.text("GET kept")?.to_string(), "redis-99")?;
    expect_value(&mut memcached, "memcached-99")?;
    Ok("memcached, on one connection, before, between and after a fault of Redis and its new start; Redis has its data set"
        .to_owned())
}

/// Runs a command file of the guest in the background, in a session of its own.
fn start(shell: &mut Shell, command: &str) -> Result<()> {
    succeed(shell, &format!("setsid sh {command} </dev/null >/dev/console 2>&1 &")).map(drop)
}

fn expect(found: &str, expected: &str) -> Result<()> {
    ensure!(found == expected, "the answer is {found:?}; {expected:?} was expected");
    Ok(())
}

fn expect_value(client: &mut memcached::Client, expected: &str) -> Result<()> {
    let reply = client.text("get kept")?.to_string();
    ensure!(reply.contains(expected), "`get kept` was answered {reply:?}; {expected:?} was expected in it");
    Ok(())
}

/// Waits until the console has said it; that an application ends is what is waited for.
fn wait(vm: &mut Vm, wanted: &Mark) -> Result<()> {
    let until = Instant::now() + ANSWER_DEADLINE;
    while !vm.marks().contains(wanted) {
        match vm.next(Some(until))? {
            Event::Line(..) => {}
            Event::Trouble(_) => return Err(vm.failed_kernel()),
            event @ (Event::End(_) | Event::Interrupt | Event::Deadline) => {
                bail!("{event:?} came before the console said `{wanted}`: {:?}", vm.marks());
            }
        }
    }
    Ok(())
}

/// Tries until a server that was just started answers.
fn retry<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) if start.elapsed() > ANSWER_DEADLINE => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}
