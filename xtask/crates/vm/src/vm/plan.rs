//! What to boot.

use crate::net::{Cable, Forward};
use crate::qemu::{Accelerator, Counter};
use crate::vm::emulator::Emulator;
use crate::vm::protocol::BootWord;
use std::path::PathBuf;
use std::sync::Arc;
use ukl_repo::config::App;

/// A machine with everything that a guest may want to have: QEMU's q35.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Names the log file: application, level and whatever tells concurrent machines apart.
    pub name: String,
    /// The kernel's flavour, for which the choice of the accelerator is remembered.
    pub flavour: String,
    pub kernel: PathBuf,
    pub initramfs: PathBuf,
    /// `None` chooses: KVM where it works.
    pub accelerator: Option<Accelerator>,
    /// What runs the machine, if not QEMU on this host by itself.
    pub emulator: Option<Arc<dyn Emulator>>,
    /// The processor's model; `None` is the one that has most.
    pub processor: Option<String>,
    /// Counts instructions, in a machine that runs alike each time.
    pub counter: Option<Counter>,
    pub memory_mib: u32,
    pub cpus: u32,
    pub forwards: Vec<Forward>,
    /// To other machines.
    pub cables: Vec<Cable>,
    pub disk: Option<PathBuf>,
    /// The Debian root, which stays as it is: what the guest writes to it is thrown away.
    pub debian: Option<PathBuf>,
    /// Stops before the first instruction, for a debugger that connects to `debugger_socket`.
    pub debugger: bool,
    /// By how much each deadline for what the guest does is longer: a distribution boots longer than the small guest.
    pub patience: u32,
    /// Words for the kernel's command line.
    pub append: Vec<String>,
}

impl Plan {
    /// The host's port for an application's first one.
    pub fn host_port(&self, app: &App) -> Option<u16> {
        let guest = *app.guest.ports.first()?;
        self.forwards.iter().find(|forward| forward.guest == guest).map(|forward| forward.host)
    }

    /// Tells the guest's init what to do.
    pub fn tell(&mut self, word: BootWord) {
        self.append.push(word.to_string());
    }
}

/// A machine with one network card, in which a kernel is entered directly: QEMU's microvm. It is always emulated.
#[derive(Clone, Debug)]
pub struct MicroPlan {
    /// Names the log file.
    pub name: String,
    /// Uncompressed, an ELF file with a PVH entry.
    pub kernel: PathBuf,
    pub initramfs: PathBuf,
    pub memory_mib: u32,
    pub cpus: u32,
    pub forward: Forward,
    /// With a serial console, which costs time.
    pub console: bool,
    /// An instruction is a nanosecond; the console says what initialisation takes.
    pub counting: bool,
}
