//! Boots a kernel and an initramfs as they are, with the console on this terminal; for work on the kernel.

use crate::ctx::Ctx;
use crate::failure::Failure;
use crate::terminal;
use crate::vm::{Plan, Vm, interrupt};
use anyhow::Result;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

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
        accelerator: Some(crate::qemu::Accelerator::Tcg),
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
    let mut offset = 0;
    loop {
        let ended = vm.ended()?;
        let mut file = std::fs::File::open(&vm.log)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        offset += file.read_to_end(&mut bytes)? as u64;
        terminal::out_bytes(&bytes);
        if let Some(status) = ended {
            anyhow::ensure!(status.success(), "QEMU ended with {status}");
            return Ok(());
        }
        if interrupt::requested() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
