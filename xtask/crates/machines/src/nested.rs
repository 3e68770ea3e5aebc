//! KVM inside of a machine that QEMU emulates: Debian's kernel on a processor with SVM, and our images as its guests.

mod archive;

use crate::debian::Root;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use ukl_guest::cpio::Archive;
use ukl_host::process;
use ukl_repo::config;
use ukl_repo::ctx::Ctx;
use ukl_vm::qemu::{self, Accelerator, Channel, Machine, Network, Q35, Shape};
use ukl_vm::vm::emulator::{Emulator, Place};
use ukl_vm::vm::{Plan, accelerator, clock};

/// Below the top folder.
const SETTINGS: &str = "machines/nested.toml";
/// Below the root of the packages, and of the host.
const PROGRAM: &str = "usr/bin/qemu-system-x86_64";
/// What the host's first process runs.
const MACHINE: &str = "run/machine";
/// In the host: the machine's files, its console, and its network.
const KERNEL: &str = "/guest/kernel";
const INITRAMFS: &str = "/guest/initramfs";
const CONSOLE: &str = "/dev/ttyS1";
const INTERFACE: &str = "tap0";

/// `machines/nested.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The Debian release with the packages.
    suite: String,
    packages: Vec<String>,
    processor: String,
    cpus: u32,
    memory_mib: u32,
    patience: u32,
    modules: Vec<String>,
    firmware: Vec<String>,
}

impl Settings {
    fn read(ctx: &Ctx) -> Result<Self> {
        config::read(&ctx.repo.root.join(SETTINGS))
    }
}

/// The emulated host, ready to be booted.
#[derive(Debug)]
pub struct Nested {
    settings: Settings,
    root: Root,
    /// Debian's.
    kernel: PathBuf,
    /// Everything that is the same for each machine.
    initramfs: PathBuf,
}

impl Nested {
    /// The host; what is missing of it is fetched and made.
    pub fn prepare(ctx: &Ctx) -> Result<Arc<Self>> {
        let settings = Settings::read(ctx)?;
        let root = Root::prepare(ctx, &settings.suite, &settings.packages)?;
        let kernel = root.only_entry("boot", "vmlinuz-")?;
        let initramfs = archive::host(ctx, &settings, &root, &kernel)?;
        Ok(Arc::new(Nested { settings, root, kernel, initramfs }))
    }

    /// The emulated host around `machine`.
    fn outer(&self, machine: &Machine, initramfs: PathBuf) -> Result<Machine> {
        let Shape::Q35(q35) = &machine.shape else { anyhow::bail!("only a PC can run under nested KVM") };
        ensure!(
            q35.counter.is_none() && q35.cables.is_empty() && q35.debian.is_none() && q35.debugger_socket.is_none(),
            "under nested KVM a machine has no counter, cable, Debian root or debugger"
        );
        Ok(Machine {
            kernel: self.kernel.clone(),
            initramfs,
            accelerator: Accelerator::TcgParallel,
            processor: Some(self.settings.processor.clone()),
            memory_mib: machine.memory_mib + self.settings.memory_mib,
            cpus: self.settings.cpus,
            // Its console is for whoever looks for the reason of a failure, and no file of its own.
            console: None,
            append: [&clock::known_rate(), "pti=off mitigations=off quiet ipv6.disable=1"].map(str::to_owned).to_vec(),
            ..machine.clone()
        })
    }
}

/// The machine as the QEMU in the host gets to see it.
fn inner(machine: &Machine) -> Result<Machine> {
    let Shape::Q35(q35) = &machine.shape else { anyhow::bail!("only a PC can run under nested KVM") };
    Ok(Machine {
        kernel: KERNEL.into(),
        initramfs: INITRAMFS.into(),
        network: match machine.network {
            Network::None => Network::None,
            _ => Network::Tap(INTERFACE.to_owned()),
        },
        console: Some(CONSOLE.into()),
        shape: Shape::Q35(Box::new(Q35 {
            disk: q35.disk.as_ref().map(|_| "/dev/vda".into()),
            shell: Channel::Terminal("/dev/hvc0".into()),
            control: Channel::Terminal("/dev/hvc1".into()),
            ..(**q35).clone()
        })),
        ..machine.clone()
    })
}

/// What the host's first process runs for the machine.
fn script(inner: &Machine) -> String {
    let words = qemu::arguments(inner);
    let words: String = words.iter().map(|word| format!(" {}", process::quoted(word))).collect();
    format!("/{PROGRAM} -L /{}{words}\n", archive::FIRMWARE)
}

impl Emulator for Nested {
    fn accelerator(&self) -> Accelerator {
        Accelerator::Kvm
    }

    fn patience(&self) -> u32 {
        self.settings.patience
    }

    fn command(&self, machine: &Machine, place: &Place) -> Result<Command> {
        let console = machine.console.as_ref().context("a machine under nested KVM has a console")?;
        let initramfs = place.file("initramfs");
        let outer = self.outer(machine, initramfs.clone())?;
        let mut archive = fs_err::read(&self.initramfs)?;
        // The kernel unpacks one archive after the other.
        archive.extend(run_archive(machine, &script(&inner(machine)?))?);
        fs_err::write(&initramfs, archive)?;
        let mut command = self.root.program(PROGRAM);
        for folder in archive::FIRMWARE_FOLDERS {
            command.arg("-L").arg(self.root.file(folder));
        }
        command.args(qemu::arguments(&outer));
        // ttyS0 is the host's own console, ttyS1 the machine's.
        command.args(["-chardev", "stdio,id=host,signal=off", "-serial", "chardev:host", "-chardev"]);
        command.arg(format!("file,id=guest,path={}", qemu::escape(console))).args(["-serial", "chardev:guest"]);
        Ok(command)
    }
}

/// The files of one machine, for the host.
fn run_archive(machine: &Machine, script: &str) -> Result<Vec<u8>> {
    let read = |path: &Path| fs_err::read(path);
    let mut archive = Archive::default();
    archive.directory("guest", 0o755);
    archive.file(KERNEL.trim_start_matches('/'), 0o644, &read(&machine.kernel)?);
    archive.file(INITRAMFS.trim_start_matches('/'), 0o644, &read(&machine.initramfs)?);
    archive.file(MACHINE, 0o644, script.as_bytes());
    Ok(archive.finish())
}

/// What runs a machine like `plan` under KVM: nothing where this machine's KVM does, else an emulated host.
pub fn kvm(ctx: &Ctx, plan: &Plan) -> Result<Option<Arc<dyn Emulator>>> {
    match accelerator(ctx, plan)? {
        Accelerator::Kvm => Ok(None),
        Accelerator::Tcg | Accelerator::TcgParallel | Accelerator::TcgCounting => Ok(Some(Nested::prepare(ctx)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            kernel: "/k/bzImage".into(),
            initramfs: "/i/initramfs".into(),
            accelerator: Accelerator::Kvm,
            processor: None,
            memory_mib: 512,
            cpus: 2,
            network: Network::Stream(5),
            console: Some("/l/console.log".into()),
            append: vec!["UKL_IDLE=1".to_owned()],
            shape: Shape::Q35(Box::new(Q35 {
                counter: None,
                cables: vec![],
                disk: Some("/d/data.img".into()),
                debian: None,
                debugger_socket: None,
                shell: Channel::Socket("/s/shell".into()),
                control: Channel::Socket("/s/control".into()),
            })),
        }
    }

    #[test]
    fn the_machine_in_the_host_leads_to_the_hosts_own_devices() {
        insta::assert_snapshot!(script(&inner(&machine()).unwrap()));
    }

    #[test]
    fn the_settings_of_the_repository_are_valid() {
        let ctx = Ctx::new(ukl_repo::ctx::Install::Never, None).unwrap();
        let settings = Settings::read(&ctx).unwrap();
        assert!(settings.modules.iter().any(|module| module.ends_with("/kvm-amd")));
    }

    #[test]
    fn the_host_has_the_machines_disk_network_and_consoles() {
        let ctx = Ctx::new(ukl_repo::ctx::Install::Never, None).unwrap();
        let settings = Settings::read(&ctx).unwrap();
        let root = Root::at("/r");
        let nested = Nested { settings, root, kernel: "/h/vmlinuz".into(), initramfs: "/h/initramfs".into() };
        let words = qemu::arguments(&nested.outer(&machine(), "/s/initramfs".into()).unwrap()).join(" ");
        for expected in [
            "-cpu max,+svm,+npt -m 1536 -smp 2",
            "stream,id=net0",
            "path=/s/shell",
            "file=/d/data.img",
            "-kernel /h/vmlinuz",
        ] {
            assert!(words.contains(expected), "{expected} is not in {words}");
        }
        let mut counted = machine();
        counted.shape = Shape::Microvm { tsc_khz: 1 };
        assert!(nested.outer(&counted, "/s/initramfs".into()).is_err());
    }
}
