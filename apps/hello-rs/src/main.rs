//! What the standard library needs of its system, checked one by one: threads, thread-local storage, sockets, files and
//! processes. Only `kernel.rs` knows that it may be linked into a kernel.
//!
//! `hello-rs panic` panics, and `hello-rs child WORD` is the child that
//! `processes` starts.

mod files;
mod kernel;
mod panics;
mod processes;
mod sockets;
mod threads;

use std::fmt::Debug;
use std::process::ExitCode;

/// What went wrong, in words.
type Outcome = Result<String, Box<dyn std::error::Error>>;

/// A check: its name, and what it compared or why it failed.
type Check = (&'static str, fn() -> Outcome);

/// In the order in which they run.
const CHECKS: &[Check] = &[
    ("threads", threads::share_a_counter),
    ("channels", threads::pass_messages),
    ("thread-local", threads::destroy_thread_locals),
    ("sockets", sockets::talk_over_loopback),
    ("datagrams", sockets::exchange_datagrams),
    ("files", files::write_and_read),
    ("directories", files::list_and_remove),
    ("processes", processes::run_a_child),
    ("failing-process", processes::start_what_is_not_there),
    ("caught-panic", panics::catch),
    ("level", kernel::know_the_level),
    ("paths", kernel::send_by_every_path),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => check(),
        ["panic"] => panics::panic_on_purpose(),
        ["child", word] => processes::child(word),
        other => {
            eprintln!("hello-rs: unknown arguments {other:?}; expected none, `panic`, or `child WORD`");
            ExitCode::from(2)
        }
    }
}

/// Runs every check and prints a line for each.
fn check() -> ExitCode {
    let mut failed = 0;
    for (name, run) in CHECKS {
        match run() {
            Ok(compared) => println!("ok   {name}: {compared}"),
            Err(error) => {
                failed += 1;
                println!("FAIL {name}: {error}");
            }
        }
    }
    println!("{} passed, {failed} failed", CHECKS.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Fails with both values when they differ.
fn same<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Result<(), Box<dyn std::error::Error>> {
    if found == expected { Ok(()) } else { Err(format!("{what} is {found:?}; {expected:?} was expected").into()) }
}
