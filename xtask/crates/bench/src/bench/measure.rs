//! One level measured: a boot under the instruction counter, and the program's output in it.

use crate::calls::{self, Counts, Measured, RunsAs};
use anyhow::{Context, Result};
use std::time::{Duration, Instant};
use ukl_repo::config::{App, KernelFlavour, Level};
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::Repo;
use ukl_report::record::GuestFacts;
use ukl_run::run as running;
use ukl_vm::qemu::Accelerator;
use ukl_vm::vm::Vm;
use ukl_vm::vm::protocol::BootWord;
use ukl_vm::vm::shell::Shell;

/// Boot and run execute some hundred million instructions, one at a time.
const BOOT_DEADLINE: Duration = Duration::from_secs(180);
const RUN_DEADLINE: Duration = Duration::from_secs(180);
const QUERY_DEADLINE: Duration = Duration::from_secs(10);
/// Time between two lines that say how far a run is.
const LINE_PERIOD: Duration = Duration::from_secs(3);

/// How the program is run.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// For the guest's shell.
    pub arguments: &'a str,
    /// On a patched kernel, once more as the ordinary process it can be there.
    pub beside: bool,
}

/// Every level the application runs at, from the most to the least expensive: what is measured when no level is named.
pub fn levels(repo: &Repo, app: &App) -> Result<Vec<Level>> {
    let mut levels = repo.levels()?;
    levels.retain(|level| !app.skip_levels.contains_key(&level.name));
    Ok(levels)
}

/// Boots one level and runs the program in it; also says what the guest was.
pub fn run(ctx: &Ctx, app: &App, level: &Level, program: &Program) -> Result<(Vec<Measured>, GuestFacts)> {
    let doing = || format!("measuring {} at level {}", app.name, level.name);
    let runs_as = match level.kernel {
        KernelFlavour::Vanilla => RunsAs::Vanilla,
        KernelFlavour::Ukl => RunsAs::Linked,
    };
    let mut machine = CountingMachine::boot(ctx, app, level).with_context(doing)?;
    let counts = machine.count("/usr/bin", program.arguments).with_context(doing)?;
    let mut runs = vec![Measured { label: level.name.clone(), runs_as, counts }];
    if program.beside && level.kernel == KernelFlavour::Ukl {
        let counts = machine.count("/opt/process", program.arguments).with_context(doing)?;
        runs.push(Measured { label: "process beside it".to_owned(), runs_as: RunsAs::Beside, counts });
    }
    let guest = machine.guest().with_context(doing)?;
    machine.stop().with_context(doing)?;
    Ok((runs, guest))
}

/// A machine that counts instructions, with a shell.
pub struct CountingMachine {
    vm: Vm,
    shell: Shell,
    cpus: u32,
    memory_mib: u32,
    program: String,
    level: String,
}

impl CountingMachine {
    /// Boots a level with the application there but not started.
    pub fn boot(ctx: &Ctx, app: &App, level: &Level) -> Result<Self> {
        let mut plan = running::plan(ctx, app, level, None)?;
        plan.name = format!("bench-{}-{}", app.name, level.name);
        plan.accelerator = Some(Accelerator::TcgCounting);
        plan.tell(BootWord::Idle);
        // Where mappings happen to lie decides how many page tables a fork copies: some thousand instructions.
        plan.append.push("norandmaps".to_owned());
        eprintln!("counting {} at level {}", app.name, level.name);
        let mut vm = Vm::boot(ctx, &plan)?;
        vm.wait_ready(BOOT_DEADLINE)?;
        let shell = vm.shell()?;
        Ok(CountingMachine {
            vm,
            shell,
            cpus: plan.cpus,
            memory_mib: plan.memory_mib,
            program: app.program_name()?,
            level: level.name.clone(),
        })
    }

    /// What the guest says of itself.
    pub fn guest(&mut self) -> Result<GuestFacts> {
        let answer = self.shell.run(GuestFacts::QUERY, QUERY_DEADLINE)?;
        GuestFacts::parse(&answer.text, self.cpus, self.memory_mib)
    }

    /// Runs the program of that folder and reads its counts.
    pub fn count(&mut self, folder: &str, arguments: &str) -> Result<Counts> {
        let command = format!("{folder}/{} {arguments}", self.program);
        let (start, mut said, mut lines) = (Instant::now(), Instant::now(), 0);
        let output = self.shell.run_watched(command.trim_end(), RUN_DEADLINE, |line| {
            let Some(name) = line.strip_prefix("count name=") else { return };
            lines += 1;
            if said.elapsed() >= LINE_PERIOD {
                said = Instant::now();
                eprintln!("  {}: {lines} counts, {}", self.level, name.split(' ').next().unwrap_or_default());
            }
        })?;
        if output.status != 0 {
            let last = output.text.lines().last().unwrap_or_default();
            return Err(self.vm.failure(format!("`{command}` ended with status {}: {last}", output.status)));
        }
        if start.elapsed() >= LINE_PERIOD {
            eprintln!(
                "  {}: {lines} counts of {folder}/{} in {} s",
                self.level,
                self.program,
                start.elapsed().as_secs()
            );
        }
        calls::parse(&output.text)
    }

    /// Runs the program and returns what it printed.
    pub fn print(&mut self, arguments: &str) -> Result<String> {
        let command = format!("/usr/bin/{} {arguments}", self.program);
        eprintln!("  {}: {command}", self.level);
        let output = self.shell.run(&command, RUN_DEADLINE)?;
        if output.status != 0 {
            return Err(self.vm.failure(format!("`{command}` ended with status {}: {}", output.status, output.text)));
        }
        Ok(output.text)
    }

    /// Stops the machine, whose kernel must not have complained.
    pub fn stop(mut self) -> Result<()> {
        self.vm.check_kernel()?;
        self.vm.stop()
    }
}
