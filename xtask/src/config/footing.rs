//! A footing: how much kernel and machine there is around an application.

use std::fmt;

/// Which of the two kernel configurations is built. Each has both flavours, so every level runs on either footing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Footing {
    /// `base.config`: the tools, file systems and devices of an ordinary guest.
    Full,
    /// With `lean.config` on top: what a server on a bare machine needs, for a short boot and a small image.
    Lean,
}

impl Footing {
    /// Its fragment, merged after `base.config`.
    pub fn fragment(self) -> Option<&'static str> {
        match self {
            Footing::Full => None,
            Footing::Lean => Some("lean.config"),
        }
    }
}

impl fmt::Display for Footing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Footing::Full => "full",
            Footing::Lean => "lean",
        })
    }
}
