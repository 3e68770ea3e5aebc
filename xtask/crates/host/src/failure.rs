//! How a command fails: one line with the reason, one line with the next step, and the exit status.

use std::fmt;
use std::io::ErrorKind;
use std::process::ExitCode;

/// Exit status of a command that could not do its work.
const FAILED: u8 = 1;
/// Exit status of a command that was asked for something that does not exist; the same as clap's.
const USAGE: u8 = 2;

/// What to do about a full disk, whoever meets it.
pub const MAKE_SPACE: &str = "free some space (`cargo xtask clean` removes old builds), or set UKL_CACHE to a folder on a \
                              larger disk; then run the same command again";

/// An error that knows what the user can do about it.
#[derive(Debug)]
pub struct Failure {
    reason: String,
    next: String,
    status: u8,
}

impl Failure {
    /// The work failed: exit status 1.
    #[expect(clippy::new_ret_no_self, reason = "a failure only ever travels as an error")]
    pub fn new(reason: impl Into<String>, next: impl Into<String>) -> anyhow::Error {
        Failure { reason: reason.into(), next: next.into(), status: FAILED }.into()
    }

    /// The request makes no sense (an unknown level, say): exit status 2.
    pub fn usage(reason: impl Into<String>, next: impl Into<String>) -> anyhow::Error {
        Failure { reason: reason.into(), next: next.into(), status: USAGE }.into()
    }

    /// The program that was run ended with a status other than 0, which becomes ours.
    pub fn ended(status: u8, reason: impl Into<String>, next: impl Into<String>) -> anyhow::Error {
        Failure { reason: reason.into(), next: next.into(), status }.into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Failure {}

/// The lines for the terminal and the exit status; kept apart from the printing so that it can be tested.
pub fn describe(error: &anyhow::Error) -> (String, u8) {
    let mut text = format!("error: {error:#}");
    let failure = error.chain().find_map(|cause| cause.downcast_ref::<Failure>());
    let next = failure.map(|failure| failure.next.as_str()).or_else(|| is_disk_full(error).then_some(MAKE_SPACE));
    if let Some(next) = next {
        text.push_str(&format!("\n next: {next}"));
    }
    (text, failure.map_or(FAILED, |failure| failure.status))
}

fn is_disk_full(error: &anyhow::Error) -> bool {
    let io = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.into_iter().any(|error| matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}

/// Prints the error once, the whole chain on one line, and returns the exit status.
pub fn report(error: &anyhow::Error) -> ExitCode {
    let (text, status) = describe(error);
    eprintln!("{text}");
    ExitCode::from(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_failure_keeps_its_next_step_and_status_through_context() {
        let error = Err::<(), _>(Failure::usage("no level `bybb`", "use `byb`")).context("reading the request");
        assert_eq!(
            describe(&error.unwrap_err()),
            ("error: reading the request: no level `bybb`\n next: use `byb`".to_owned(), 2)
        );
    }

    #[test]
    fn a_full_disk_has_a_next_step_wherever_it_was_met() {
        let error = Err::<(), _>(std::io::Error::from(ErrorKind::StorageFull)).context("writing the initramfs");
        let (text, status) = describe(&error.unwrap_err());
        assert!(status == 1 && text.contains("writing the initramfs") && text.contains("UKL_CACHE"), "{text}");
    }

    #[test]
    fn a_plain_error_exits_with_one() {
        assert_eq!(describe(&anyhow::anyhow!("disk on fire")), ("error: disk on fire".to_owned(), 1));
    }
}
