//! Panics: one that is caught, and one that ends the program.

use crate::{Outcome, same};
use std::panic;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many values were dropped while the stack was unwound.
static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct Dropped;

impl Drop for Dropped {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Not inlined, so that there is a frame for each step.
#[inline(never)]
fn fall(depth: usize) -> usize {
    let _dropped = Dropped;
    if depth == 0 {
        panic!("caught on purpose");
    }
    std::hint::black_box(fall(depth - 1)) + 1
}

/// Unwinds through frames with destructors, in this thread and in another one.
pub fn catch() -> Outcome {
    // The message is expected and would only look like a failure.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let here = panic::catch_unwind(|| fall(10));
    let there = thread::spawn(|| fall(20)).join();
    panic::set_hook(hook);
    for outcome in [here, there] {
        let message = outcome.err().and_then(|payload| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        same("the message", message.as_deref(), Some("caught on purpose"))?;
    }
    same("the number of values dropped on the way", DROPPED.load(Ordering::Relaxed), 11 + 21)?;
    Ok("2 caught panics with their message, and 32 destructors on the way".to_owned())
}

/// For the test of what a panic does to a program and to the kernel: it ends with status 101.
pub fn panic_on_purpose() -> ExitCode {
    panic!("on purpose")
}
