//! A kernel profile: how much kernel and machine there is around an application.

use clap::ValueEnum;
use std::fmt;

/// Which of the kernel configurations is built. Each has both flavours, so every level runs on either kernel profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KernelProfile {
    /// `base.config`: the tools, file systems and devices of an ordinary guest.
    Full,
    /// With `lean.config` on top: what a server on a bare machine needs, for a short boot and a small image.
    Lean,
    /// With `systemd.config` and `debian.config` on top: a distribution beside the application, and its tools.
    Debian,
    /// With `checked.config` on top: a kernel that looks for its own mistakes, many times slower.
    Checked,
    /// With `preempt.config` on top: the kernel gives up the processor wherever it may, as desktops have it.
    Preempt,
}

impl KernelProfile {
    /// Its fragments, merged in this order after `base.config`.
    pub fn fragments(self) -> &'static [&'static str] {
        match self {
            KernelProfile::Full => &[],
            KernelProfile::Lean => &["lean.config"],
            KernelProfile::Debian => &["systemd.config", "debian.config"],
            KernelProfile::Checked => &["checked.config"],
            KernelProfile::Preempt => &["preempt.config"],
        }
    }
}

impl fmt::Display for KernelProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KernelProfile::Full => "full",
            KernelProfile::Lean => "lean",
            KernelProfile::Debian => "debian",
            KernelProfile::Checked => "checked",
            KernelProfile::Preempt => "preempt",
        })
    }
}
