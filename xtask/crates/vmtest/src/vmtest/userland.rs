//! Redis as a unit of Debian's systemd, with an ordinary Redis beside it.

mod failing;
mod ordinary;
mod sandbox;

use super::server;
use super::suite::{Apps, Machines, Part, Quick, Suite, When, names, words};
use super::tally::Tally;
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};
use ukl_guest::userland::WaysIn;
use ukl_repo::config::{Level, Levels};
use ukl_repo::ctx::Ctx;
use ukl_run::resp::Client;
use ukl_run::run::{self, READY_DEADLINE, Userland};
use ukl_vm::net::{self, Forward};
use ukl_vm::vm::Vm;
use ukl_vm::vm::shell::Shell;

/// How long a command in the guest, or an answer of it, may take.
const DEADLINE: Duration = Duration::from_secs(90);
/// How often something that takes time is looked at.
const PERIOD: Duration = Duration::from_millis(300);
/// The unit that systemd keeps.
const UNIT: &str = "ukl-redis";

/// What is tested: its name and what it does; the result says what was compared.
type Test = (&'static str, fn(&mut Distribution) -> Result<String>);

/// In this order: what ends the server comes after what looks at it.
const TESTS: &[Test] = &[
    ("unit-is-active", ordinary::active),
    ("journal", ordinary::journal),
    ("ssh", ordinary::ssh),
    ("neighbour", ordinary::neighbour),
    ("accounting-grows", ordinary::accounting),
    ("stop-saves", ordinary::stop),
    ("restart-after-segv", failing::restart),
    ("coredumpctl", failing::coredump),
    ("memory-max", failing::memory_max),
    ("limit-nofile", sandbox::limit_nofile),
    ("sandbox", sandbox::sandbox),
    ("seccomp", sandbox::seccomp),
];

/// The machine with what the tests need of it.
struct Distribution {
    level: Level,
    shell: Shell,
    ways: WaysIn,
    /// The host's port for the application.
    port: u16,
}

/// Boots a distribution on a kernel of its own, one machine for each level, so only when asked for.
pub(super) const SUITE: Suite = Suite {
    name: "userland",
    summary: "a unit of Debian's systemd: crash, limits, sandbox, stop; an ordinary Redis beside it",
    prefix: "userland/{level}/",
    apps: Apps::One("redis"),
    machines: &[Machines { levels: Some(Levels::Ways), cpus: 1, when: When::Asked }],
    quick: Quick::Smallest,
    tests: |_, _| Ok([words(&["privilege"]), names(TESTS), words(&["kernel-is-quiet", "poweroff"])].concat()),
    run,
};

fn run(ctx: &Ctx, part: &Part, tally: &mut Tally) -> Result<()> {
    let prefix = part.prefix.as_str();
    let (mut vm, mut guest) = boot(ctx, &part.app, part.level()?)?;
    tally.check(&format!("{prefix}privilege"), server::privilege(&guest.level, &vm));
    for (name, test) in TESTS {
        let name = format!("{prefix}{name}");
        if tally.wants(&name) {
            tally.check(&name, test(&mut guest));
        }
    }
    tally.kernel_is_quiet(prefix, &mut vm);
    let stopped = vm.stop().map(|()| "the machine switched itself off when it was asked to".to_owned());
    tally.check(&format!("{prefix}poweroff"), stopped);
    Ok(())
}

fn boot(ctx: &Ctx, app: &str, level: &Level) -> Result<(Vm, Distribution)> {
    let (app, level) = (ctx.repo.app(app)?, level.clone());
    let mut plan = run::plan_on(ctx, &app, &level, Userland::Debian, None, &[])?;
    plan.name = format!("test-userland-{}", level.name);
    let port = net::free_port()?;
    plan.forwards = vec![Forward { host: port, guest: *app.guest.ports.first().context("Redis has a port")? }];
    let ways = WaysIn::add(ctx, &mut plan)?;
    let mut vm = Vm::boot(ctx, &plan)?;
    vm.wait_ready(READY_DEADLINE)?;
    let mut shell = vm.shell()?;
    // systemd's programs take the console for a person's.
    shell.run("export SYSTEMD_PAGER=cat SYSTEMD_COLORS=0 SYSTEMD_URLIFY=0", DEADLINE)?;
    Ok((vm, Distribution { level, shell, ways, port }))
}

impl Distribution {
    /// Runs a command that has to succeed.
    fn succeed(&mut self, command: &str) -> Result<String> {
        let output = self.shell.run(command, DEADLINE)?;
        ensure!(output.status == 0, "`{command}` ended with status {}: {}", output.status, output.text);
        Ok(output.text.trim().to_owned())
    }

    /// A property of the unit.
    fn property(&mut self, name: &str) -> Result<String> {
        self.succeed(&format!("systemctl show --property={name} --value {UNIT}"))
    }

    /// A property that is a number.
    fn number(&mut self, name: &str) -> Result<u64> {
        let text = self.property(name)?;
        text.parse().with_context(|| format!("{name} of {UNIT} is {text:?}; a number was expected"))
    }

    /// Waits until a command in the guest prints what is wanted.
    fn wait(&mut self, command: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let start = Instant::now();
        loop {
            let text = self.shell.run(command, DEADLINE)?.text;
            if wanted(&text) {
                return Ok(text.trim().to_owned());
            }
            ensure!(start.elapsed() < DEADLINE, "`{command}` still prints {text:?} after {} s", DEADLINE.as_secs());
            std::thread::sleep(PERIOD);
        }
    }

    /// Waits until the unit has this state.
    fn wait_state(&mut self, state: &str) -> Result<()> {
        self.wait(&format!("systemctl is-active {UNIT}"), |text| text.trim() == state).map(drop)
    }

    /// A connection to the application.
    fn client(&self) -> Result<Client> {
        Client::connect(self.port, DEADLINE)
    }

    /// Asks the application, or the ordinary Redis; the answer has to be the expected one.
    fn ask(&self, port: u16, line: &str, expected: &str) -> Result<()> {
        let answer = Client::connect(port, DEADLINE)?.text(line)?.to_string();
        ensure!(answer == expected, "`{line}` was answered {answer:?}; {expected:?} was expected");
        Ok(())
    }

    /// Settings of the unit beside those of its file, from the next start on; none takes them away.
    fn settings(&mut self, settings: &[&str]) -> Result<()> {
        let dir = format!("/run/systemd/system/{UNIT}.service.d");
        let lines = settings.iter().map(|line| format!(" '{line}'")).collect::<String>();
        self.succeed(&format!("mkdir -p {dir}; printf '%s\\n' '[Service]'{lines} >{dir}/test.conf"))?;
        self.succeed("systemctl daemon-reload").map(drop)
    }
}
