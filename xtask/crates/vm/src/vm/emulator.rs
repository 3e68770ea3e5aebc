//! What runs a machine where QEMU on this host does not do it by itself.

use crate::qemu::{Accelerator, Machine};
use crate::vm::place::HostFiles;
use anyhow::Result;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// Runs machines. The guest's console must come out in the file that the machine names, and the shell must be behind the
/// machine's socket; so whatever drives a machine drives it here, too.
pub trait Emulator: Debug + Send + Sync {
    /// What executes the guest's instructions, as the guest's kernel finds it.
    fn accelerator(&self) -> Accelerator;

    /// By how much each deadline is longer than on QEMU's own emulation.
    fn patience(&self) -> u32;

    /// Whether this is the status of a machine that switched itself off.
    fn is_power_off(&self, status: ExitStatus) -> bool {
        status.success()
    }

    /// The command that runs `machine` to its end. What is needed for it goes to a folder that lives as long as the machine.
    /// What the command prints is kept beside the console's log.
    fn command(&self, machine: &Machine, place: &Place) -> Result<Command>;
}

/// Where an emulator puts its files.
#[derive(Debug)]
pub struct Place<'a>(pub(crate) &'a HostFiles);

impl Place<'_> {
    /// The folder, which is removed after the machine.
    pub fn folder(&self) -> &Path {
        self.0.folder()
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }
}
