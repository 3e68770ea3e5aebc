//! Boots a kernel and an initramfs as they are, with the console on this terminal; for work on the kernel.

use anyhow::{Result, ensure};
use std::path::PathBuf;
use ukl_host::failure::Failure;
use ukl_host::interrupt;
use ukl_host::terminal;
use ukl_repo::ctx::Ctx;
use ukl_vm::vm::{Event, Plan, Vm};

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
    interrupt::catch();
    let plan = Plan {
        name: "boot".to_owned(),
        flavour: "boot".to_owned(),
        kernel: args.kernel,
        initramfs: args.initramfs,
        accelerator: Some(ukl_vm::qemu::Accelerator::Tcg),
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
                ensure!(status.success(), "QEMU ended with {status}");
                return Ok(());
            }
            Event::Interrupt => return Ok(()),
            Event::Deadline => {}
        }
    }
}
