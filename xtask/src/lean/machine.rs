//! The command line of QEMU for the lean footing, as a pure function of the machine.

use std::path::{Path, PathBuf};

/// A machine without firmware to speak of: QEMU's microvm, its kernel entered by PVH, one network card and no bus.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Uncompressed, an ELF file with a PVH entry.
    pub kernel: PathBuf,
    pub initramfs: PathBuf,
    pub memory_mib: u32,
    pub cpus: u32,
    /// The host's port and the guest's.
    pub forward: (u16, u16),
    /// The rate of the time-stamp counter, which is the host's.
    pub tsc_khz: u64,
    /// What the kernel and the application print goes there; without it there is no serial port.
    pub console: Option<PathBuf>,
    /// One instruction is one nanosecond, and the kernel times its initialisation.
    pub counting: bool,
}

/// All arguments for `machine`. It is emulated even where KVM works: the figures are those of one emulator.
pub fn arguments(machine: &Machine) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut add = |line: &str| words.extend(line.split(' ').map(str::to_owned));
    add("-nodefaults -no-user-config -display none -no-reboot");
    // Without ACPI the firmware is the short one. The clock stays: a kernel waits a second for one that is not there.
    let serial = if machine.console.is_some() { "on" } else { "off" };
    add(&format!("-machine microvm,acpi=off,pit=on,pic=on,rtc=on,isa-serial={serial}"));
    add("-accel tcg,thread=single -cpu max");
    if machine.counting {
        add("-icount shift=0,sleep=off");
    }
    add(&format!("-m {} -smp {}", machine.memory_mib, machine.cpus));
    let (host, guest) = machine.forward;
    add(&format!("-netdev user,id=net0,hostfwd=tcp:127.0.0.1:{host}-:{guest}"));
    add("-device virtio-net-device,netdev=net0");
    if let Some(console) = &machine.console {
        words.extend(["-chardev".to_owned(), format!("file,id=log,path={}", escape(console))]);
        words.extend(["-serial".to_owned(), "chardev:log".to_owned()]);
    }
    for (option, path) in [("-kernel", &machine.kernel), ("-initrd", &machine.initramfs)] {
        words.extend([option.to_owned(), path.display().to_string()]);
    }
    words.extend(["-append".to_owned(), command_line(machine)]);
    words
}

/// The kernel's command line. Page-table isolation is forced as on the full footing.
fn command_line(machine: &Machine) -> String {
    let mut words = vec!["panic=-1 reboot=t pti=on no_timer_check tsc=reliable".to_owned()];
    // Under -icount the counter advances by one a nanosecond.
    let tsc_khz = if machine.counting { 1_000_000 } else { machine.tsc_khz };
    words.push(format!("tsc_early_khz={tsc_khz}"));
    if machine.cpus == 1 {
        // Its timer is calibrated against another one for 0.1 s; that other one does, where one processor needs a timer.
        words.push("nolapic_timer".to_owned());
    }
    words.push(match (&machine.console, machine.counting) {
        (Some(_), true) => "console=ttyS0 ignore_loglevel printk.time=1 initcall_debug".to_owned(),
        (Some(_), false) => "console=ttyS0 printk.time=1".to_owned(),
        (None, _) => "quiet 8250.nr_uarts=0".to_owned(),
    });
    words.join(" ")
}

/// QEMU's option lists separate by commas; a comma inside a value is doubled.
fn escape(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            kernel: "/k/vmlinux".into(),
            initramfs: "/i/initramfs".into(),
            memory_mib: 512,
            cpus: 1,
            forward: (7000, 6379),
            tsc_khz: 2_600_000,
            console: None,
            counting: false,
        }
    }

    #[test]
    fn a_machine_that_is_timed() {
        insta::assert_snapshot!(arguments(&machine()).join("\n"));
    }

    #[test]
    fn a_machine_whose_boot_is_counted() {
        let counted = Machine { console: Some("/l/a,b.log".into()), counting: true, ..machine() };
        insta::assert_snapshot!(arguments(&counted).join("\n"));
    }

    #[test]
    fn several_processors_need_the_timer_of_each() {
        let words = arguments(&Machine { cpus: 4, ..machine() }).join(" ");
        assert!(words.contains("-smp 4") && !words.contains("nolapic_timer"), "{words}");
    }
}
