//! Linux's tools on the linked-in Redis while it serves: perf, ftrace, probes, strace, gdb, /proc and a core dump.

mod debuggers;
mod ftrace;
mod gdbstub;
mod perf;
mod probes;
mod proc;

use super::server::{ANSWER_DEADLINE, PID, privilege, succeed};
use super::suite::{Apps, Machines, Part, Quick, Suite, When, names, words};
use super::tally::Tally;
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::time::Duration;
use ukl_app::symbols;
use ukl_app::tools::load_generator;
use ukl_bench::profile::{self, Load};
use ukl_guest::initramfs::ExtraFile;
use ukl_repo::config::{App, KernelFlavour, Level, Levels};
use ukl_repo::ctx::Ctx;
use ukl_run::run::{self, READY_DEADLINE, Userland};
use ukl_vm::vm::Vm;
use ukl_vm::vm::protocol::BootWord;
use ukl_vm::vm::shell::Shell;

/// How long a tool may take under emulation, beside other work of the host.
const TOOL_DEADLINE: Duration = Duration::from_secs(120);
/// Where the load generator and the symbols lie in the guest and, copied, in Debian's root.
const FOLDER: &str = "/opt/bench";
/// For the crash: Redis ends as it would without its own report.
const ARGUMENTS: [&str; 9] = [
    "/etc/redis.conf",
    "--save",
    "",
    "--appendonly",
    "no",
    "--enable-debug-command",
    "yes",
    "--crash-log-enabled",
    "no",
];

/// The guest and what one must know about it.
struct Observed<'a> {
    shell: Shell,
    level: &'a Level,
    /// The application for a debugger: on the host, and as the guest has it.
    symbols: PathBuf,
    pid: u32,
    /// How far KASLR has moved the kernel.
    slide: u64,
}

/// A test: what its name ends with and what it does; the result says what was compared.
type Test = (&'static str, fn(&mut Observed) -> Result<String>);

/// Kernels on another kernel profile, and a Debian: only when asked for.
pub(super) const SUITE: Suite = Suite {
    name: "tools",
    summary: "perf, ftrace, probes, strace, gdb, /proc and a core dump, on Redis",
    prefix: "tools/{level}/redis/",
    apps: Apps::One("redis"),
    machines: &[Machines { levels: Some(Levels::Ways), cpus: 1, when: When::Asked }],
    quick: Quick::Smallest,
    tests: |_, _| {
        Ok([words(&["privilege"]), names(&in_guest_tests()), words(&["kernel-is-quiet", "one-stack", "gdbstub"])]
            .concat())
    },
    run,
};

/// The tests that share a guest. The crash is the last.
fn in_guest_tests() -> Vec<Test> {
    [proc::TESTS, perf::TESTS, ftrace::TESTS, probes::TESTS, debuggers::TESTS].concat()
}

fn run(ctx: &Ctx, part: &Part, tally: &mut Tally) -> Result<()> {
    let level = part.level()?;
    let outcome = in_guest(ctx, part, tally);
    for (name, test) in
        [("one-stack", one_stack as fn(&Ctx, &Level) -> Result<String>), ("gdbstub", gdbstub::both_break)]
    {
        let name = part.test(name);
        if tally.wants(&name) {
            tally.check(&name, test(ctx, level));
        }
    }
    outcome
}

fn in_guest(ctx: &Ctx, part: &Part, tally: &mut Tally) -> Result<()> {
    let (app, level, prefix) = (ctx.repo.app(&part.app)?, part.level()?, part.prefix.as_str());
    let (mut vm, symbols) = boot(ctx, &app, level)?;
    tally.check(&part.test("privilege"), privilege(level, &vm));
    let mut shell = vm.shell()?;
    let (pid, slide) = prepare(ctx, &app, level, &mut shell)?;
    let mut guest = Observed { shell, level, symbols, pid, slide };
    for (name, test) in in_guest_tests() {
        let name = part.test(name);
        if tally.wants(&name) {
            tally.check(&name, test(&mut guest));
        }
    }
    tally.kernel_is_quiet(prefix, &mut vm);
    vm.stop().context("stopping the machine")
}

fn boot(ctx: &Ctx, app: &App, level: &Level) -> Result<(Vm, PathBuf)> {
    let (program, symbols) = (load_generator(ctx)?, symbols::with_tools(ctx, app, level)?);
    let file = |target: &str, path: &std::path::Path| {
        let content = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        Ok::<_, anyhow::Error>(ExtraFile { target: format!("{FOLDER}/{target}"), permissions: 0o755, content })
    };
    let extra = [file("ukl-loadgen", &program)?, file("app.symbols", &symbols)?];
    let mut plan = run::plan_on(ctx, app, level, Userland::Tools, Some(&ARGUMENTS.map(str::to_owned)), &extra)?;
    plan.name = format!("test-tools-{}", level.name);
    // The machine outlives the crash.
    plan.tell(BootWord::Keep);
    let mut vm = Vm::boot(ctx, &plan)?;
    vm.wait_ready(READY_DEADLINE)?;
    Ok((vm, symbols))
}

/// Gives Debian's tools what they need. Returns the application's process and how far the kernel's text was moved.
fn prepare(ctx: &Ctx, app: &App, level: &Level, shell: &mut Shell) -> Result<(u32, u64)> {
    succeed(
        shell,
        &format!(
            "mkdir -p /debian/opt && cp -r {FOLDER} /debian/opt/ && echo /tmp/core >/proc/sys/kernel/core_pattern"
        ),
    )?;
    let pid = succeed(shell, &format!("echo {PID}"))?.parse().context("the application's process")?;
    let text = succeed(shell, "sed -n 's/ [A-Za-z] _text$//p' /proc/kallsyms")?;
    let text = u64::from_str_radix(&text, 16).with_context(|| format!("/proc/kallsyms says `_text` is at {text:?}"))?;
    let image = ukl_app::image::image_on(ctx, app, level, ukl_repo::config::KernelProfile::Debian)?;
    Ok((pid, text.wrapping_sub(symbols::kernel(&image.vmlinux)?.1)))
}

impl Observed<'_> {
    /// Runs a command in Debian's root and returns what it prints; it has to succeed.
    fn tool(&mut self, command: &str) -> Result<String> {
        self.run(&format!("chroot /debian env PAGER=cat TERM=dumb {command}"))
    }

    /// Runs a command of the small guest.
    fn run(&mut self, command: &str) -> Result<String> {
        let output = self.shell.run(command, TOOL_DEADLINE)?;
        ensure!(output.status == 0, "`{command}` ended with status {}: {}", output.status, output.text);
        Ok(output.text)
    }

    /// The same where failing is what is expected; returns the output.
    fn fails(&mut self, command: &str) -> Result<String> {
        let output = self.shell.run(command, ANSWER_DEADLINE)?;
        ensure!(output.status != 0, "`{command}` ended with status 0; it was to fail: {}", output.text);
        Ok(output.text)
    }

    /// A command for so many SETs over one connection.
    fn load(&self, requests: u32) -> String {
        format!(
            "{FOLDER}/ukl-loadgen run --target 127.0.0.1:6379 --connections 1 --ratio 0:1 --no-populate --requests {requests} \
             --json /tmp/load.json"
        )
    }

    /// Looks while SETs arrive without an end.
    fn under_load<T>(&mut self, look: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let load = self.load(500);
        self.run(&format!(
            "touch /run/loading; (while [ -e /run/loading ]; do chroot /debian {load} >/dev/null 2>&1; done) & echo started"
        ))?;
        let seen = look(self);
        self.run("rm /run/loading; while pidof ukl-loadgen >/dev/null; do usleep 100000; done")?;
        seen
    }

    /// Whether the application is linked in.
    fn is_linked_in(&self) -> bool {
        self.level.kernel == KernelFlavour::Ukl
    }
}

/// `cargo xtask profile` finds the application's functions above those of TCP, and its stacks whole.
fn one_stack(ctx: &Ctx, level: &Level) -> Result<String> {
    let app = ctx.repo.app("redis")?;
    let stacks = profile::of_level(ctx, &app, level, &Load::read(&ctx.repo, &app)?)?.stacks;
    let all = stacks.of_application();
    ensure!(all > 500, "only {all} samples are of redis");
    for path in
        [["main", "readQueryFromClient", "tcp_recvmsg"], ["main", "handleClientsWithPendingWrites", "tcp_write_xmit"]]
    {
        let count = stacks.through(&path);
        ensure!(count > 0, "no sample has {path:?} in its stack, of {all}");
    }
    let upside_down = stacks.through(&["tcp_recvmsg", "readQueryFromClient"]);
    ensure!(upside_down == 0, "{upside_down} samples have readQueryFromClient called by tcp_recvmsg");
    let cut = stacks.cut();
    ensure!(
        cut < 0.1,
        "{:.1} % of the stacks do not reach the program's start; less than 10 % was expected",
        100.0 * cut
    );
    Ok(format!(
        "the functions of {} stacks with main, readQueryFromClient and tcp_recvmsg in this order; {:.1} % are cut",
        all,
        100.0 * cut
    ))
}
