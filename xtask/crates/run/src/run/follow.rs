//! An application that runs to its end, with its output on this terminal as it comes.

use crate::run::READY_DEADLINE;
use crate::run::output::Output;
use anyhow::Result;
use std::time::{Duration, Instant};
use ukl_host::failure::Failure;
use ukl_host::terminal;
use ukl_repo::config::App;
use ukl_vm::vm::console::Said;
use ukl_vm::vm::protocol::Mark;
use ukl_vm::vm::{Event, Vm};

/// How long the machine may take to stop after the application has ended.
pub(crate) const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// Prints what the application prints until it ends; its status becomes ours. Ctrl-C stops it.
pub(crate) fn follow(vm: &mut Vm, app: &App) -> Result<()> {
    let status = print_until_exit(vm, app, None)?;
    verdict(app, status, vm)
}

/// Prints what an application prints that runs to its end, and returns its status.
pub fn finish(vm: &mut Vm, app: &App) -> Result<i32> {
    print_until_exit(vm, app, Some(READY_DEADLINE))
}

fn print_until_exit(vm: &mut Vm, app: &App, deadline: Option<Duration>) -> Result<i32> {
    let deadline = deadline.map(|deadline| vm.patient(deadline));
    let until = deadline.map(|deadline| Instant::now() + deadline);
    let mut output = Output::default();
    loop {
        match vm.next(until)? {
            Event::Line(line, said) => {
                let part = output.line(&line, said.as_ref());
                terminal::out_bytes(&part.application);
                eprint!("{}", String::from_utf8_lossy(&part.others));
                if let Some(Said::Mark(Mark::Exit(status))) = said {
                    vm.wait_end(STOP_DEADLINE)?;
                    return Ok(status);
                }
            }
            Event::Trouble(_) => return Err(vm.failed_kernel()),
            Event::End(status) => {
                return Err(vm.failure(format!("the machine ended before {} did: {}", app.name, vm.ending(status))));
            }
            Event::Interrupt => {
                eprintln!("stopping {}; Ctrl-C again cuts it off", app.name);
                vm.stop()?;
                return Err(Failure::ended(130, format!("{} was interrupted", app.name), "run the same command again"));
            }
            Event::Deadline => {
                let within = deadline.unwrap_or_default().as_secs();
                return Err(vm.failure(format!("{} did not end within {within} s", app.name)));
            }
        }
    }
}

/// Success for status 0; any other becomes ours.
pub(crate) fn verdict(app: &App, status: i32, vm: &Vm) -> Result<()> {
    if status == 0 {
        return Ok(());
    }
    // What a shell says about a process that a signal ended.
    let signal = match status {
        129..=192 => format!(", which is signal {}", status - 128),
        _ => String::new(),
    };
    let next = match app.program {
        Some(_) => "the status is the program's own",
        None => "the status is the application's own",
    };
    Err(Failure::ended(
        u8::try_from(status).unwrap_or(1),
        format!("{} ended with status {status}{signal}", app.name),
        format!("{next}; the machine's console is in {}", vm.log.display()),
    ))
}
