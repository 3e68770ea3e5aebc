//! How something fails: the reason, the next step, and whether the request was at fault or the work.

use std::fmt;

/// An error that knows what the user can do about it.
#[derive(Debug)]
pub struct Failure {
    reason: String,
    next: String,
    usage: bool,
}

impl Failure {
    /// The work failed.
    #[expect(clippy::new_ret_no_self, reason = "a failure only ever travels as an error")]
    pub fn new(reason: impl Into<String>, next: impl Into<String>) -> anyhow::Error {
        Failure { reason: reason.into(), next: next.into(), usage: false }.into()
    }

    /// The request makes no sense.
    pub fn usage(reason: impl Into<String>, next: impl Into<String>) -> anyhow::Error {
        Failure { reason: reason.into(), next: next.into(), usage: true }.into()
    }

    /// What to do about it.
    pub fn next(&self) -> &str {
        &self.next
    }

    /// Whether the request makes no sense, as opposed to work that failed.
    pub fn is_usage(&self) -> bool {
        self.usage
    }

    /// The failure in a chain of errors, where there is one.
    pub fn within(error: &anyhow::Error) -> Option<&Failure> {
        error.chain().find_map(|cause| cause.downcast_ref::<Failure>())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Failure {}
