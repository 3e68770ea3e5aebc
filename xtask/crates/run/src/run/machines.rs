//! The machines of one level, one a party, with a shell in each.

use super::{self as run, parties};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use ukl_repo::config::{App, Level, Parties};
use ukl_repo::ctx::Ctx;
use ukl_vm::qemu::Accelerator;
use ukl_vm::vm::Vm;
use ukl_vm::vm::protocol::BootWord;
use ukl_vm::vm::shell::Shell;

/// The largest case while parties poll that share the host's processors.
const DEADLINE: Duration = Duration::from_secs(600);

pub struct Machines {
    machines: Vec<(Vm, Shell)>,
    program: String,
}

impl Machines {
    /// Boots all, with the application there but not started.
    pub fn boot(ctx: &Ctx, app: &App, level: &Level, of: &Parties) -> Result<Self> {
        let mut started = Vec::new();
        for mut plan in parties::plans(ctx, app, level, of, &of.request)? {
            plan.name = format!("timed-{}", plan.name);
            plan.tell(BootWord::Idle);
            started.push(Vm::boot(ctx, &plan)?);
        }
        let mut machines = Vec::new();
        for mut vm in started {
            vm.wait_ready(run::READY_DEADLINE)?;
            let shell = vm.shell()?;
            machines.push((vm, shell));
        }
        Ok(Machines { machines, program: app.program_name()? })
    }

    pub fn accelerator(&self) -> Accelerator {
        self.machines[0].0.accelerator
    }

    /// Starts every party and returns what each printed; an error of one is ours.
    pub fn work(&mut self, arguments: &[String]) -> Result<Vec<String>> {
        let outputs = self.run(arguments, self.machines.len())?;
        let printed = outputs.into_iter().enumerate().map(|(party, (status, text))| {
            ensure!(status == 0, "party {party} ended with status {status}: {}", text.trim());
            Ok(text)
        });
        printed.collect()
    }

    /// Starts the first `count` parties and returns how each ended and what it printed.
    pub fn run(&mut self, arguments: &[String], count: usize) -> Result<Vec<(i32, String)>> {
        let program = format!("/usr/bin/{}", self.program);
        std::thread::scope(|scope| {
            let parties = self.machines.iter_mut().take(count).enumerate().map(|(party, (_, shell))| {
                let words = arguments.iter().map(|word| word.replace("{id}", &party.to_string())).collect::<Vec<_>>();
                let command = format!("{program} {}", words.join(" "));
                scope.spawn(move || {
                    let output = shell.run(&command, DEADLINE).with_context(|| format!("party {party}"))?;
                    Ok((output.status, output.text))
                })
            });
            // All are started before the first is waited for.
            let threads: Vec<_> = parties.collect();
            threads.into_iter().map(|thread| thread.join().expect("nothing in the thread panics")).collect()
        })
    }

    /// Stops all; no kernel may have complained.
    pub fn stop(self) -> Result<()> {
        for (mut vm, _) in self.machines {
            vm.check_kernel()?;
            vm.stop()?;
        }
        Ok(())
    }
}
