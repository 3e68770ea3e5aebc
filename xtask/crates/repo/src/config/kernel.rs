//! The kernel pin, `kernel/kernel.toml`.

use super::Source;
use serde::Deserialize;

/// What is built, and what stands in its version string.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelPin {
    pub source: Source,
    pub stamp: Stamp,
}

/// What the kernel says about its own build; fixed, so that two builds of the same sources are the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// Seconds since 1970, for `KBUILD_BUILD_TIMESTAMP` and `SOURCE_DATE_EPOCH`.
    pub time_s: u64,
    /// `KBUILD_BUILD_USER`.
    pub user: String,
    /// `KBUILD_BUILD_HOST`.
    pub host: String,
}
