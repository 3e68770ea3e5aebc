//! Boots a kernel and an initramfs as they are, with the console on this terminal; for work on the kernel.

use crate::bochs::Bochs;
use crate::nested::Nested;
use anyhow::{Result, ensure};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use ukl_host::failure::Failure;
use ukl_host::interrupt;
use ukl_host::terminal;
use ukl_repo::ctx::Ctx;
use ukl_vm::vm::emulator::Emulator;
use ukl_vm::vm::{Event, Plan, Vm};

/// What runs a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
enum On {
    Qemu,
    Nested,
    Bochs(String),
}

impl FromStr for On {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "qemu" => Ok(On::Qemu),
            None if text == "nested" => Ok(On::Nested),
            Some(("bochs", model)) => Ok(On::Bochs(model.to_owned())),
            _ => Err(format!("`{text}` runs no machine: qemu, nested or bochs:MODEL was expected")),
        }
    }
}

/// Options of `boot`.
#[derive(clap::Args)]
pub struct Args {
    /// A bzImage, such as `cargo xtask build` names.
    kernel: PathBuf,
    /// The archive that `cargo xtask run` made.
    initramfs: PathBuf,
    /// Virtual CPUs.
    #[arg(long, default_value_t = 1)]
    smp: u32,
    /// Memory in MiB.
    #[arg(long, default_value_t = 512)]
    memory_mib: u32,
    /// What runs it: `qemu`, which emulates; `nested`, which is KVM in an emulated host; or `bochs:MODEL`, with a model of
    /// machines/bochs.toml.
    #[arg(long, default_value = "qemu")]
    on: On,
    /// A word for the kernel's command line; may be repeated.
    #[arg(long)]
    append: Vec<String>,
}

/// Runs `boot`: until the machine ends or Ctrl-C.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    for path in [&args.kernel, &args.initramfs] {
        if !path.is_file() {
            return Err(Failure::new(
                format!("{} does not exist", path.display()),
                "`cargo xtask build APP --level LEVEL` builds an image and says where it is",
            ));
        }
    }
    let emulator: Option<Arc<dyn Emulator>> = match &args.on {
        On::Qemu => None,
        On::Nested => Some(Nested::prepare(ctx)?),
        On::Bochs(model) => Some(Bochs::prepare(ctx, model)?),
    };
    interrupt::catch();
    let plan = Plan {
        name: "boot".to_owned(),
        flavour: "boot".to_owned(),
        kernel: args.kernel,
        initramfs: args.initramfs,
        accelerator: Some(ukl_vm::qemu::Accelerator::Tcg),
        emulator: emulator.clone(),
        processor: None,
        counter: None,
        memory_mib: args.memory_mib,
        cpus: args.smp,
        forwards: vec![],
        cables: vec![],
        disk: None,
        debian: None,
        debugger: false,
        patience: 1,
        append: args.append,
    };
    let mut vm = Vm::boot(ctx, &plan)?;
    loop {
        match vm.next(None)? {
            Event::Line(line, _) | Event::Trouble(line) => {
                terminal::out_bytes(&[line.bytes(), b"\n"].concat());
            }
            Event::End(status) => {
                let off = emulator.as_ref().map_or(status.success(), |emulator| emulator.is_power_off(status));
                ensure!(off, "{}", vm.ending(status));
                return Ok(());
            }
            Event::Interrupt => return Ok(()),
            Event::Deadline => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_a_machine_is_a_word() {
        assert_eq!("qemu".parse(), Ok(On::Qemu));
        assert_eq!("bochs:ryzen".parse(), Ok(On::Bochs("ryzen".to_owned())));
        for text in ["kvm", "bochs", "nested:x"] {
            assert!(text.parse::<On>().is_err(), "{text}");
        }
    }
}
