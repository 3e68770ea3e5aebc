//! Machines in Bochs, which is no relative of QEMU: other processor models, and another reading of the manuals.

mod relay;

use crate::debian::{LIBRARIES, Root};
use anyhow::{Context, Result, ensure};
use fs_err as fs;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use ukl_guest::cpio::Archive;
use ukl_host::failure::Failure;
use ukl_host::process;
use ukl_repo::config;
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::{Repo, nearest};
use ukl_vm::qemu::{self, Accelerator, Channel, Machine, Network, Shape};
use ukl_vm::vm::emulator::{Emulator, Place};

/// Below the top folder.
const SETTINGS: &str = "machines/bochs.toml";
/// Below the top folder: the first process, which puts the shell on a serial port, and its name in the guest.
const SERIAL: &str = "machines/bochs/serial";
const SERIAL_IN_GUEST: &str = "serial";

/// `machines/bochs.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The Debian release with the packages.
    suite: String,
    packages: Vec<String>,
    patience: u32,
    instructions_per_s: u32,
    models: BTreeMap<String, Model>,
}

/// A processor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    /// What is tested on it.
    suites: Vec<SuiteName>,
    /// Words for the kernel's command line.
    #[serde(default)]
    append: Vec<String>,
}

/// A suite that can run in Bochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SuiteName {
    Hello,
    Behaviour,
    Entry,
}

fn settings(repo: &Repo) -> Result<Settings> {
    config::read(&repo.root.join(SETTINGS))
}

/// The models on which a suite runs.
pub fn models(repo: &Repo, suite: SuiteName) -> Result<Vec<String>> {
    let models = settings(repo)?.models.into_iter().filter(|(_, model)| model.suites.contains(&suite));
    Ok(models.map(|(name, _)| name).collect())
}

/// Bochs with a processor.
#[derive(Debug)]
pub struct Bochs {
    root: Root,
    settings: Settings,
    processor: String,
    model: Model,
    serial: Vec<u8>,
}

impl Bochs {
    /// Bochs with a processor that `machines/bochs.toml` names; installed beside the system the first time.
    pub fn prepare(ctx: &Ctx, processor: &str) -> Result<Arc<Self>> {
        let settings = settings(&ctx.repo)?;
        let Some(model) = settings.models.get(processor).cloned() else {
            let names: Vec<_> = settings.models.keys().cloned().collect();
            let meant = nearest(processor, &names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            return Err(Failure::usage(
                format!("{SETTINGS} has no model `{processor}`{meant}"),
                format!("use one of: {}", names.join(", ")),
            ));
        };
        let root = Root::prepare(ctx, &settings.suite, &settings.packages)?;
        let serial = fs::read(ctx.repo.root.join(SERIAL))?;
        Ok(Arc::new(Bochs { root, settings, processor: processor.to_owned(), model, serial }))
    }

    /// A disc that boots the kernel with its initramfs.
    fn disc(&self, machine: &Machine, folder: &Path) -> Result<()> {
        let tree = folder.join("disc");
        fs::create_dir_all(&tree)?;
        for (name, file) in [
            ("isolinux.bin", self.root.file("usr/lib/ISOLINUX/isolinux.bin")),
            ("ldlinux.c32", self.root.file("usr/lib/syslinux/modules/bios/ldlinux.c32")),
            ("kernel", machine.kernel.clone()),
        ] {
            fs::copy(file, tree.join(name))?;
        }
        let mut first = Archive::default();
        first.file(SERIAL_IN_GUEST, 0o755, &self.serial);
        fs::write(tree.join("initramfs"), [fs::read(&machine.initramfs)?, first.finish()].concat())?;
        let words = command_line(machine, &self.model.append);
        fs::write(tree.join("isolinux.cfg"), format!("default /kernel initrd=/initramfs {words}\nprompt 0\n"))?;
        let mut xorriso = self.root.program("usr/bin/xorriso");
        xorriso.args(["-as", "mkisofs", "-quiet", "-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot"]);
        xorriso.args(["-boot-load-size", "4", "-boot-info-table", "-o"]).arg(folder.join("disc.iso")).arg(&tree);
        let output = process::die_with_parent(&mut xorriso).output().context("starting xorriso")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`{}` ended with {}: {said}", process::display(&xorriso), output.status);
        Ok(fs::remove_dir_all(&tree)?)
    }

    /// Bochs' own file. `port` is where the second serial port connects to.
    fn settings_file(&self, machine: &Machine, folder: &Path, port: u16) -> Result<String> {
        let console = machine.console.as_ref().context("a machine in Bochs has a console")?;
        let firmware = |name: &str| self.root.file("usr/share/bochs").join(name);
        let (bios, vga) = (firmware("BIOS-bochs-latest"), firmware("VGABIOS-lgpl-latest"));
        let [disc, console, bios, vga] =
            [&folder.join("disc.iso"), console, &bios, &vga].map(|path| path.display().to_string());
        Ok(format!(
            "display_library: rfb, options=\"timeout=0\"\nmegs: {}\nromimage: file={bios}\nvgaromimage: file={vga}\n\
             boot: cdrom\nata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14\n\
             ata0-master: type=cdrom, path={disc}, status=inserted\n\
             cpu: model={}, count=1, ips={}, reset_on_triple_fault=0\nclock: sync=none, time0=utc\n\
             com1: enabled=1, mode=file, dev={console}\ncom2: enabled=1, mode=socket-client, dev=127.0.0.1:{port}\n\
             log: /dev/stderr\npanic: action=fatal\nerror: action=ignore\ninfo: action=ignore\ndebug: action=ignore\n",
            machine.memory_mib, self.processor, self.settings.instructions_per_s
        ))
    }
}

/// The kernel's command line. A serial port of Bochs takes as long for a byte as a real one.
fn command_line(machine: &Machine, append: &[String]) -> String {
    let words = qemu::command_line(machine).replace("console=ttyS0 ", "console=ttyS0,115200 ");
    [words, format!("rdinit=/{SERIAL_IN_GUEST}"), append.join(" ")].join(" ").trim_end().to_owned()
}

impl Emulator for Bochs {
    fn accelerator(&self) -> Accelerator {
        Accelerator::Tcg
    }

    fn patience(&self) -> u32 {
        self.settings.patience
    }

    /// The end of the guest is a panic of Bochs' own, and there is no other status for it.
    fn is_power_off(&self, status: ExitStatus) -> bool {
        status.code() == Some(1)
    }

    fn command(&self, machine: &Machine, place: &Place) -> Result<Command> {
        let Shape::Q35(q35) = &machine.shape else { anyhow::bail!("only a PC can run in Bochs") };
        ensure!(machine.network == Network::None && q35.cables.is_empty(), "a machine in Bochs has no network");
        ensure!(q35.disk.is_none() && q35.debian.is_none(), "a machine in Bochs has no disk");
        ensure!(q35.counter.is_none() && q35.debugger_socket.is_none(), "Bochs has neither counter nor debugger");
        ensure!(machine.cpus == 1, "{} CPUs; Bochs, as Debian compiles it, has one", machine.cpus);
        let (Channel::Socket(shell), Channel::Socket(control)) = (&q35.shell, &q35.control) else {
            anyhow::bail!("a machine in Bochs is talked to through sockets");
        };
        self.disc(machine, place.folder())?;
        let port = relay::start(shell, control)?;
        let file = place.file("bochsrc");
        fs::write(&file, self.settings_file(machine, place.folder(), port)?)?;
        let mut bochs = self.root.program("usr/bin/bochs-bin");
        bochs.arg("-q").arg("-f").arg(file);
        bochs.env("LTDL_LIBRARY_PATH", self.root.file(LIBRARIES).join("bochs/plugins"));
        bochs.env("BXSHARE", self.root.file("usr/share/bochs"));
        Ok(bochs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ukl_vm::qemu::Q35;

    #[test]
    fn the_settings_of_the_repository_are_valid_and_each_suite_has_a_model() {
        let repo = Repo::find().unwrap();
        for suite in [SuiteName::Hello, SuiteName::Behaviour] {
            assert!(!models(&repo, suite).unwrap().is_empty(), "{suite:?}");
        }
    }

    #[test]
    fn the_kernel_is_told_the_speed_of_its_console_and_where_the_shell_is() {
        let machine = Machine {
            kernel: "/k".into(),
            initramfs: "/i".into(),
            accelerator: Accelerator::Tcg,
            processor: None,
            memory_mib: 512,
            cpus: 1,
            network: Network::None,
            console: Some("/l".into()),
            append: vec!["UKL_IDLE=1".to_owned()],
            shape: Shape::Q35(Box::new(Q35 {
                counter: None,
                cables: vec![],
                disk: None,
                debian: None,
                debugger_socket: None,
                shell: Channel::Socket("/s".into()),
                control: Channel::Socket("/c".into()),
            })),
        };
        insta::assert_snapshot!(
            command_line(&machine, &["tsc=unstable".to_owned()]),
            @"console=ttyS0,115200 printk.time=1 panic=-1 pti=on no_timer_check ukl.unmitigated UKL_IDLE=1 rdinit=/serial tsc=unstable"
        );
    }
}
