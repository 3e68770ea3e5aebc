//! Printing that cannot end this program. The standard library's macros panic when whoever read the output is gone (`| head`,
//! a `tee` that got the same Ctrl-C), which would cut off a machine that holds data; these note it, and the machine is
//! stopped in order, as by Ctrl-C.

use crate::failure::Failure;
use crate::interrupt;
use anyhow::Result;
use std::fmt::Arguments;
use std::io::{Error, ErrorKind, Write};
use std::sync::OnceLock;

/// The first error of writing to standard output.
static LOST: OnceLock<Error> = OnceLock::new();

/// Writes to standard output; what `println!` and `print!` do in this program.
pub fn out(text: Arguments) {
    out_bytes(text.to_string().as_bytes());
}

/// Writes bytes to standard output at once, such as a console's.
pub fn out_bytes(bytes: &[u8]) {
    let mut stdout = std::io::stdout();
    if let Err(error) = stdout.write_all(bytes).and_then(|()| stdout.flush())
        && LOST.set(error).is_ok()
    {
        interrupt::request();
    }
}

/// Writes to standard error; what `eprintln!` and `eprint!` do in this program. When nobody can read it, nobody can be told.
pub fn err(text: Arguments) {
    let _ = std::io::stderr().write_fmt(text);
}

/// Fails when standard output could not be written, unless its reader had enough.
pub fn check() -> Result<()> {
    LOST.get().map_or(Ok(()), lost)
}

fn lost(error: &Error) -> Result<()> {
    match error.kind() {
        ErrorKind::BrokenPipe => Ok(()),
        _ => Err(Failure::new(
            format!("writing the results to standard output: {error}"),
            "the work itself went on; send the output elsewhere and run the same command again",
        )),
    }
}

#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => { $crate::terminal::out(format_args!($($argument)*)) };
}
#[macro_export]
macro_rules! println {
    () => { $crate::println!("") };
    ($($argument:tt)+) => { $crate::terminal::out(format_args!("{}\n", format_args!($($argument)+))) };
}
#[macro_export]
macro_rules! eprint {
    ($($argument:tt)*) => { $crate::terminal::err(format_args!($($argument)*)) };
}
#[macro_export]
macro_rules! eprintln {
    () => { $crate::eprintln!("") };
    ($($argument:tt)+) => { $crate::terminal::err(format_args!("{}\n", format_args!($($argument)+))) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_left_is_no_failure_and_a_full_disk_is() {
        lost(&ErrorKind::BrokenPipe.into()).unwrap();
        let (text, status) = crate::failure::describe(&lost(&ErrorKind::StorageFull.into()).unwrap_err());
        assert!(status == 1 && text.contains("standard output"), "{text}");
    }
}
