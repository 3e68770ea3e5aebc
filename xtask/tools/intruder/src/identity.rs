//! Who makes an attempt.

use anyhow::{Context, Result};
use caps::{CapSet, Capability};
use clap::ValueEnum;
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

/// An ordinary user's number.
const USER: u32 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Identity {
    /// An ordinary user without any capability.
    User,
    /// Root as in a container: with all capabilities but those over the kernel's code and the hardware.
    Container,
    /// Root.
    Root,
}

impl Identity {
    pub(crate) fn take_on(self) -> Result<()> {
        match self {
            Identity::Root => Ok(()),
            Identity::Container => {
                for capability in [Capability::CAP_SYS_MODULE, Capability::CAP_SYS_RAWIO] {
                    for set in
                        [CapSet::Ambient, CapSet::Inheritable, CapSet::Bounding, CapSet::Effective, CapSet::Permitted]
                    {
                        caps::drop(None, set, capability)
                            .with_context(|| format!("dropping {capability} from {set:?}"))?;
                    }
                }
                Ok(())
            }
            Identity::User => {
                setgroups(&[]).context("setgroups")?;
                setgid(Gid::from_raw(USER)).context("setgid")?;
                setuid(Uid::from_raw(USER)).context("setuid")?;
                // As for somebody who has logged in: its own files in /proc belong to it.
                nix::sys::prctl::set_dumpable(true).context("PR_SET_DUMPABLE")
            }
        }
    }
}
