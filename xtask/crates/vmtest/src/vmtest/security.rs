//! Nobody who may not load kernel code enters or steers ring 0 through an application: docs/security.md.
//!
//! Every attempt that is refused has controls: the same attempt where it is allowed, which has to succeed. Without them
//! a misspelt path would be a refusal.

mod attempts;
mod hold;
mod protection;

use super::server::{PID, privilege, succeed};
use super::suite::{Apps, Machines, Part, Quick, Suite, When, names, words};
use super::tally::Tally;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use ukl_app::tools::guest_program;
use ukl_guest::initramfs::ExtraFile;
use ukl_repo::config::{Level, Levels};
use ukl_repo::ctx::Ctx;
use ukl_run::run::{self, READY_DEADLINE, Userland};
use ukl_vm::vm::Vm;
use ukl_vm::vm::shell::Shell;

/// How long an attempt may take under emulation.
const DEADLINE: Duration = Duration::from_secs(60);
/// Where `xtask/tools/intruder` lies in the guest.
const INTRUDER: &str = "/opt/security/ukl-intruder";
/// What starts the application.
const STUB: &str = "/usr/bin/redis-server";
/// In a writable folder: stubs that differ in owner, mode and mount.
const PREPARE: &[&str] = &[
    "cp /usr/bin/redis-server /tmp/own && chown 1000:1000 /tmp/own && chmod 755 /tmp/own",
    "cp /usr/bin/redis-server /tmp/roots && chmod 755 /tmp/roots",
    "cp /usr/bin/redis-server /tmp/wide && chmod 775 /tmp/wide",
    "cp /usr/bin/redis-server /tmp/closed && chmod 750 /tmp/closed",
    "mkdir /tmp/nosuid /tmp/suid && mount -t tmpfs -o nosuid,mode=755 none /tmp/nosuid && mount -t tmpfs -o mode=755 none /tmp/suid",
    "cp /tmp/roots /tmp/nosuid/stub && cp /tmp/roots /tmp/suid/stub && chmod 755 /tmp/nosuid/stub /tmp/suid/stub",
    "mkdir -p /mnt /tmp/private && chown 1000:1000 /tmp/private && chmod 700 /tmp/private",
    "mount -t securityfs securityfs /sys/kernel/security",
    // Programs of an ordinary user: one linked in, one not.
    "{intruder} --as user exec /usr/bin/redis-server --port 7001 --save '' --dir /tmp >/tmp/mine.log 2>&1 & echo $! >/run/mine",
    "{intruder} --as user exec /bin/busybox sleep 100000 & echo $! >/run/sleep",
    "until grep -q 'Ready to accept' /tmp/mine.log; do usleep 100000; done",
];

/// A level's machine.
struct Besieged<'a> {
    shell: Shell,
    level: &'a Level,
    /// What stands in commands for something that differs from boot to boot, and what it is.
    names: Vec<(&'static str, String)>,
}

/// On the kernel of the distribution, for its boundaries; only when asked for.
pub(super) const SUITE: Suite = Suite {
    name: "security",
    summary: "who may start and touch an application: each attempt with its controls",
    prefix: "security/{level}/",
    apps: Apps::One("redis"),
    machines: &[Machines { levels: Some(Levels::LinkedWays), cpus: 1, when: When::Asked }],
    quick: Quick::Smallest,
    tests: |_, _| {
        let attempts = attempts::ATTEMPTS.iter().map(|attempt| attempt.name.to_owned()).collect();
        let first = words(&["privilege", "protection"]);
        Ok([first, attempts, names(hold::TESTS), words(&["kernel-is-quiet"])].concat())
    },
    run,
};

fn run(ctx: &Ctx, part: &Part, tally: &mut Tally) -> Result<()> {
    let (app, level, prefix) = (ctx.repo.app(&part.app)?, part.level()?, part.prefix.as_str());
    let program = guest_program(ctx, "ukl-intruder")?;
    let content = std::fs::read(&program).with_context(|| format!("reading {}", program.display()))?;
    let extra = [ExtraFile { target: INTRUDER.to_owned(), permissions: 0o755, content }];
    let mut plan = run::plan_on(ctx, &app, level, Userland::Tools, None, &extra)?;
    plan.name = format!("test-security-{}", level.name);
    plan.append.retain(|word| word != run::NO_AUDIT);
    plan.append.push("audit=1".to_owned());
    let mut vm = Vm::boot(ctx, &plan)?;
    vm.wait_ready(READY_DEADLINE)?;
    tally.check(&format!("{prefix}privilege"), privilege(level, &vm));
    if tally.wants(&format!("{prefix}protection")) {
        tally.check(&format!("{prefix}protection"), protection::check(ctx, &app, level, &mut vm));
    }
    let mut guest = prepare(vm.shell()?, level)?;

    for attempt in attempts::ATTEMPTS {
        let name = format!("{prefix}{}", attempt.name);
        if tally.wants(&name) {
            tally.check(&name, guest.judge(attempt));
        }
    }
    // Lockdown, which cannot be lifted again, is the last of them.
    for (name, test) in hold::TESTS {
        let name = format!("{prefix}{name}");
        if tally.wants(&name) {
            tally.check(&name, test(&mut guest));
        }
    }
    tally.kernel_is_quiet(prefix, &mut vm);
    vm.stop().context("stopping the machine")
}

fn prepare(mut shell: Shell, level: &Level) -> Result<Besieged<'_>> {
    for command in PREPARE {
        succeed(&mut shell, &command.replace("{intruder}", INTRUDER))?;
    }
    let mut ask = |command: &str| Ok::<_, anyhow::Error>(succeed(&mut shell, command)?.trim().to_owned());
    let names = vec![
        ("{stub}", STUB.to_owned()),
        ("{roots}", ask(&format!("echo {PID}"))?),
        ("{mine}", ask("cat /run/mine")?),
        ("{sleep}", ask("cat /run/sleep")?),
        ("{entry}", ask("sed -n 's/ [A-Za-z] ukl_entry_syscall$//p' /proc/kallsyms")?),
    ];
    for (name, value) in &names {
        ensure!(!value.is_empty(), "the guest says nothing for {name}");
    }
    Ok(Besieged { shell, level, names })
}

impl Besieged<'_> {
    /// Runs a command that has to succeed, and returns what it prints.
    fn run(&mut self, command: &str) -> Result<String> {
        let output = self.shell.run(command, DEADLINE)?;
        ensure!(output.status == 0, "`{command}` ended with status {}: {}", output.status, output.text);
        Ok(output.text.trim().to_owned())
    }

    /// What becomes of an attempt: the last line that the intruder prints, after what a program it started has printed.
    fn attempt(&mut self, arguments: &str) -> Result<String> {
        let mut command = format!("{INTRUDER} {arguments}");
        for (name, value) in &self.names {
            command = command.replace(name, value);
        }
        let text = self.run(&command)?;
        Ok(text.lines().last().unwrap_or_default().to_owned())
    }

    /// The attempt is answered as it should be, and its controls succeed.
    fn judge(&mut self, attempt: &attempts::Attempt) -> Result<String> {
        let answer = self.attempt(attempt.attempt)?;
        ensure!(
            answer == attempt.answer,
            "`{}` was answered `{answer}`; `{}` was expected",
            attempt.attempt,
            attempt.answer
        );
        for control in attempt.controls {
            let answer = self.attempt(control)?;
            ensure!(answer == "done", "the control `{control}` was answered `{answer}`; it has to succeed");
        }
        Ok(format!("the answer `{answer}`; and done: {}", attempt.controls.join(", ")))
    }
}
