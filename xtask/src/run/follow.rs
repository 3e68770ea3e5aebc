//! An application that runs to its end, with its output on this terminal as it comes.

use crate::config::App;
use crate::failure::Failure;
use crate::vm::console::{self, Event};
use crate::vm::messages::{Line, Lines};
use crate::vm::{Vm, interrupt};
use anyhow::{Context, Result};
use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

/// How often the console is looked at.
const PERIOD: Duration = Duration::from_millis(20);
/// How long the machine may take to stop after the application has ended.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// Prints what the application prints until it ends; its status becomes ours. Ctrl-C stops it.
pub fn follow(vm: &mut Vm, app: &App) -> Result<()> {
    let mut output = Output::default();
    let mut offset = 0;
    loop {
        // Asked before the log is read, so that no last line is missed.
        let ended = vm.ended()?;
        let mut file = std::fs::File::open(&vm.log).with_context(|| format!("opening {}", vm.log.display()))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        offset += file.read_to_end(&mut bytes)? as u64;
        let part = output.take(&bytes);
        crate::terminal::out_bytes(&part.application);
        eprint!("{}", String::from_utf8_lossy(&part.others));
        vm.poll()?;
        if let Some(line) = vm.trouble() {
            return Err(vm.failure(format!("the guest's kernel is in trouble: {line}")));
        }
        let status =
            vm.events.iter().find_map(|event| if let Event::Exit(status) = event { Some(*status) } else { None });
        if let Some(status) = status {
            vm.wait_end(STOP_DEADLINE)?;
            return verdict(app, status, vm);
        }
        if let Some(status) = ended {
            return Err(vm.failure(format!("the machine ended before {} did: {}", app.name, vm.ending(status))));
        }
        if interrupt::requested() {
            eprintln!("stopping {}; Ctrl-C again cuts it off", app.name);
            vm.stop()?;
            return Err(Failure::ended(130, format!("{} was interrupted", app.name), "run the same command again"));
        }
        std::thread::sleep(PERIOD);
    }
}

/// Success for status 0; any other becomes ours.
pub fn verdict(app: &App, status: i32, vm: &Vm) -> Result<()> {
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

/// What the application printed, of a whole log; what the kernel said meanwhile goes to standard error.
pub fn printed(log: &[u8]) -> String {
    let Part { application, others } = Output::default().take(log);
    eprint!("{}", String::from_utf8_lossy(&others));
    String::from_utf8_lossy(&application).into_owned()
}

/// Sorts what comes from the console.
#[derive(Debug, Default)]
struct Output {
    started: bool,
    ended: bool,
    lines: Lines,
    /// Whether a line break is owed: init's mark begins with one that is not the application's.
    pending: bool,
}

/// A part of the output: for standard output, and for standard error.
#[derive(Debug, Default, PartialEq, Eq)]
struct Part {
    application: Vec<u8>,
    others: Vec<u8>,
}

impl Output {
    /// Takes what the console printed since the last call.
    fn take(&mut self, bytes: &[u8]) -> Part {
        let mut part = Part::default();
        for line in self.lines.take(bytes) {
            self.line(&line, &mut part);
        }
        part
    }

    fn line(&mut self, line: &Line, part: &mut Part) {
        let text = line.text();
        match (console::event(&text), line) {
            (Some(Event::Start), _) if !self.started => self.started = true,
            _ if !self.started || self.ended => {}
            (Some(Event::Exit(_)), _) => self.ended = true,
            (Some(Event::Banner(_) | Event::Trouble(_)), _) | (_, Line::Kernel(_)) => {
                part.others.extend(format!("{text}\n").bytes());
            }
            (_, Line::Process(bytes)) => {
                if self.pending {
                    part.application.push(b'\n');
                }
                part.application.extend(bytes);
                self.pending = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(log: &str) -> (String, String) {
        let mut output = Output::default();
        let (mut application, mut others) = (Vec::new(), Vec::new());
        // In pieces, as it comes.
        for piece in log.as_bytes().chunks(5) {
            let part = output.take(piece);
            application.extend(part.application);
            others.extend(part.others);
        }
        (String::from_utf8(application).unwrap(), String::from_utf8(others).unwrap())
    }

    #[test]
    fn the_applications_output_is_kept_apart_from_the_rest() {
        let log = "Linux version\r\nUKL-START\r\nukl: level=byb cpl=0 pid=43\r\nhel[    2.345678] random: crng init \
                   done\r\nlo\r\n[1.5] is mine\r\n\r\nUKL-EXIT status=0\r\nreboot\r\n";
        let (application, others) = whole(log);
        assert_eq!(application, "hello\n[1.5] is mine\n");
        assert_eq!(others, "ukl: level=byb cpl=0 pid=43\n[    2.345678] random: crng init done\n");
    }

    #[test]
    fn a_last_line_without_an_end_gets_none() {
        assert_eq!(whole("UKL-START\nno end\nUKL-EXIT status=0\n").0, "no end");
        assert_eq!(whole("UKL-START\n\nUKL-EXIT status=0\n").0, "");
    }
}
