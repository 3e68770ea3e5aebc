//! Files and calls that tell where the kernel lies, or change what it does.

use crate::outcome::Outcome;
use anyhow::Result;
use clap::ValueEnum;
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Secret {
    /// An address in /proc/kallsyms that is not 0.
    Symbols,
    /// The kernel's log.
    Log,
}

/// Opens it, and changes nothing.
pub(crate) fn for_writing(path: &Path) -> Result<Outcome> {
    Ok(Outcome::of_io(std::fs::OpenOptions::new().write(true).open(path)))
}

pub(crate) fn learn(what: Secret) -> Result<Outcome> {
    match what {
        Secret::Symbols => {
            let symbols = std::fs::read_to_string("/proc/kallsyms")?;
            let known = symbols.lines().any(|line| !line.starts_with("0000000000000000") && line.ends_with(" _text"));
            Ok(if known { Outcome::Done } else { Outcome::Refused("zeros".to_owned()) })
        }
        Secret::Log => {
            /// SYSLOG_ACTION_READ_ALL of syslog(2).
            const READ_ALL: i32 = 3;
            let mut text = [0u8; 4096];
            // SAFETY: the buffer is as long as is said.
            let read = unsafe { libc::klogctl(READ_ALL, text.as_mut_ptr().cast(), text.len() as i32) };
            Ok(Outcome::of_raw(read.into()))
        }
    }
}
