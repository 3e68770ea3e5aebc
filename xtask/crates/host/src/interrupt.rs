//! Ctrl-C: noted, so that a machine can be stopped in order instead of being cut off.

use std::sync::atomic::{AtomicUsize, Ordering};

static INTERRUPTIONS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn note(_signal: libc::c_int) {
    INTERRUPTIONS.fetch_add(1, Ordering::SeqCst);
}

/// From now on SIGINT, SIGTERM and SIGHUP are noted only.
pub fn catch() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the handler adds to an atomic and does nothing else.
        unsafe { libc::signal(signal, note as *const () as libc::sighandler_t) };
    }
}

/// Asks for the same as Ctrl-C does.
pub fn request() {
    INTERRUPTIONS.fetch_add(1, Ordering::SeqCst);
}

/// Whether one of them has come.
pub fn requested() -> bool {
    count() > 0
}

/// How many have come: another one means that stopping in order takes too long.
pub fn count() -> usize {
    INTERRUPTIONS.load(Ordering::SeqCst)
}
