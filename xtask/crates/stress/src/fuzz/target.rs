//! A machine in which the fuzzer runs as one kind of process.

use anyhow::{Context, Result, bail, ensure};
use std::time::Duration;
use ukl_repo::config::{DEFAULT_LEVEL, KernelFlavour, KernelProfile, Level, Levels, REFERENCE_LEVEL};
use ukl_repo::ctx::Ctx;
use ukl_run::run::{self, READY_DEADLINE};
use ukl_vm::vm::Vm;
use ukl_vm::vm::protocol::BootWord;
use ukl_vm::vm::shell::Shell;

/// For one command in the guest; emulation is slow, and five machines run at once.
const DEADLINE: Duration = Duration::from_secs(300);
/// The levels that are compared with `linux`: one for each way of a call.
const LEVELS: Levels = Levels::LinkedWays;

/// A machine and the program in it.
#[derive(Debug)]
pub struct Target {
    pub name: String,
    vm: Vm,
    shell: Shell,
    program: String,
}

/// One line of `fuzz run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub number: u64,
    pub calls: u64,
    /// The number of its last call.
    pub last: u32,
    pub hash: String,
    /// The wait status of its process, hexadecimal.
    pub end: String,
    pub leaks: u64,
    pub leaked: u64,
}

/// One line of `fuzz show`: the call's number, its errno, and its arguments and what memory is after it as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub number: u32,
    pub error: u32,
    pub arguments: String,
}

/// The reference first, a process of `linux`; then an ordinary process of the patched kernel, then the application at each level.
///
/// When `checked`, the second is the reference: a kernel with other checks has other kernel threads, whose numbers calls may name.
pub fn all(ctx: &Ctx, checked: bool) -> Result<Vec<Target>> {
    let level = |name| ctx.repo.level(name);
    let mut targets = if checked { vec![] } else { vec![Target::boot(ctx, &level(REFERENCE_LEVEL)?, false, false)?] };
    targets.push(Target::boot(ctx, &level(DEFAULT_LEVEL)?, true, checked)?);
    for level in LEVELS.of(&ctx.repo.levels()?) {
        targets.push(Target::boot(ctx, &level, false, checked)?);
    }
    Ok(targets)
}

/// What the fuzzer writes for the end of a batch that it had to kill.
const LATE: &str = "ffff";

impl Batch {
    /// Its last call was waiting for something that did not come.
    pub fn is_late(&self) -> bool {
        self.end == LATE
    }
}

impl Target {
    fn boot(ctx: &Ctx, level: &Level, ordinary: bool, checked: bool) -> Result<Target> {
        let app = ctx.repo.app("fuzz")?;
        let mut plan = if checked {
            run::on_profile(ctx, &app, level, KernelProfile::Checked)?
        } else {
            run::plan(ctx, &app, level, None)?
        };
        plan.tell(BootWord::Idle);
        let program = app.program_name()?;
        let (name, program) = match (ordinary, level.kernel) {
            (false, KernelFlavour::Vanilla) => ("a process of linux".to_owned(), program),
            (false, KernelFlavour::Ukl) => (format!("an application at {}", level.name), program),
            (true, _) => ("a process beside it".to_owned(), format!("/opt/process/{program}")),
        };
        plan.name = format!("fuzz-{}", name.replace(' ', "-"));
        let mut vm = Vm::boot(ctx, &plan)?;
        vm.wait_ready(READY_DEADLINE)?;
        let mut shell = vm.shell()?;
        // A random number is an address of the heap in one run and not in the next.
        shell.run("echo 0 >/proc/sys/kernel/randomize_va_space", DEADLINE)?;
        Ok(Target { name, vm, shell, program })
    }

    /// Runs `count` batches from `first` on.
    pub fn run(&mut self, seed: u64, first: u64, count: u64) -> Result<Vec<Batch>> {
        let text = self.ask(&format!("run {seed} {first} {count}"))?;
        let batches = text.lines().filter(|line| line.starts_with("batch ")).map(batch).collect::<Result<Vec<_>>>()?;
        ensure!(
            batches.len() as u64 == count,
            "{}: {} of {count} batches have a line: {text}",
            self.name,
            batches.len()
        );
        Ok(batches)
    }

    /// The calls of one batch.
    pub fn show(&mut self, seed: u64, number: u64) -> Result<Vec<Call>> {
        let text = self.ask(&format!("show {seed} {number}"))?;
        text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).map(call).collect()
    }

    /// What its kernel complained about.
    pub fn trouble(&mut self) -> Result<Option<String>> {
        self.vm.catch_up()?;
        Ok(self.vm.trouble().map(|line| format!("{}: the console said: {line}", self.name)))
    }

    pub fn stop(&mut self) -> Result<()> {
        self.vm.stop().with_context(|| format!("stopping the machine of {}", self.name))
    }

    fn ask(&mut self, arguments: &str) -> Result<String> {
        let outcome = self.shell.run(&format!("{} {arguments}", self.program), DEADLINE);
        let output = match outcome {
            Ok(output) => output,
            Err(error) => return Err(self.vm.failure(format!("{}: {error:#}", self.name))),
        };
        ensure!(output.status == 0, "{}: status {}: {}", self.name, output.status, output.text);
        Ok(output.text)
    }
}

/// Reads a line of `fuzz run`.
pub fn batch(line: &str) -> Result<Batch> {
    let words: Vec<_> = line.split_whitespace().collect();
    let ["batch", number, "calls", calls, "last", last, "hash", hash, "end", end, "leaks", leaks, leaked] = words[..]
    else {
        bail!("`{line}` of the fuzzer is not understood");
    };
    Ok(Batch {
        number: number.parse()?,
        calls: calls.parse()?,
        last: last.parse()?,
        hash: hash.to_owned(),
        end: end.to_owned(),
        leaks: leaks.parse()?,
        leaked: u64::from_str_radix(leaked, 16)?,
    })
}

/// Reads a line of `fuzz show`.
pub fn call(line: &str) -> Result<Call> {
    let mut words = line.splitn(3, ' ');
    let (number, error, arguments) = (words.next(), words.next(), words.next());
    let number = number.unwrap_or_default().parse().with_context(|| format!("the number in `{line}`"))?;
    let error = error.unwrap_or_default().parse().with_context(|| format!("the error in `{line}`"))?;
    Ok(Call { number, error, arguments: arguments.unwrap_or_default().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_fuzzer() {
        let found = batch("batch 7 calls 400 last 3 hash 00ff end 8b leaks 1 ffffffff81000000").unwrap();
        assert_eq!((found.number, found.calls, found.leaks), (7, 400, 1));
        assert_eq!((found.hash.as_str(), found.end.as_str(), found.leaked), ("00ff", "8b", 0xffff_ffff_8100_0000));
        assert!(batch("batch 7 calls").is_err());
        let found = call("0 9 3 10000000000 8 0 0 0").unwrap();
        assert_eq!((found.number, found.error, found.arguments.as_str()), (0, 9, "3 10000000000 8 0 0 0"));
        assert!(call("read 9").is_err());
    }
}
