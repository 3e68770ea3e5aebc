//! The command line of QEMU as a pure function of the machine.

use std::path::PathBuf;

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    Kvm,
    /// Emulation on one host thread: QEMU 7.2's multi-threaded one breaks when one CPU patches the text of another.
    Tcg,
    /// Emulation in which each instruction advances the clock by one nanosecond; one CPU only.
    TcgCounting,
}

/// How the guest's network card is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    None,
    /// A connected stream socket at this descriptor number, with passt at the other end.
    Stream(i32),
    /// QEMU's own user-mode network with these forwards (host port, guest port).
    User(Vec<(u16, u16)>),
}

/// One end of a cable between two machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cable {
    /// The number of a connected stream socket whose other end the other machine has.
    pub descriptor: i32,
    /// The address of the card at this end.
    pub mac: String,
}

/// The files of the instruction counter, QEMU's plug-in `counter/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    pub plugin: PathBuf,
    /// What it reads and what it writes.
    pub spec: PathBuf,
    pub report: PathBuf,
}

/// One virtual machine.
#[derive(Clone, Debug)]
pub struct Machine {
    pub kernel: PathBuf,
    pub initramfs: PathBuf,
    pub accelerator: Accelerator,
    /// Counts every instruction, in a machine that runs alike each time.
    pub counter: Option<Counter>,
    pub memory_mib: u32,
    pub cpus: u32,
    pub network: Network,
    /// Each a card of its own, after the network's.
    pub cables: Vec<Cable>,
    /// Raw image of the data disk, /dev/vda.
    pub disk: Option<PathBuf>,
    /// Raw image of the Debian root, found by its serial number `debian`; any number of machines share it.
    pub debian: Option<PathBuf>,
    /// Listening socket for a debugger, for which the machine waits before its first instruction.
    pub debugger_socket: Option<PathBuf>,
    /// Words for the kernel's command line after ours. Those with a `=` that the kernel does not know become
    /// environment variables of the guest's init.
    pub append: Vec<String>,
    /// Where the serial console's output goes.
    pub log: PathBuf,
    /// Listening sockets for the shell (hvc0) and for requests to init (hvc1).
    pub shell_socket: PathBuf,
    pub control_socket: PathBuf,
}

/// The name of the program.
pub const PROGRAM: &str = "qemu-system-x86_64";

/// All arguments for `machine`.
pub fn arguments(machine: &Machine) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut add = |line: &str| words.extend(line.split(' ').map(str::to_owned));
    add("-nodefaults -no-user-config -display none -no-reboot -machine q35");
    add(match machine.accelerator {
        Accelerator::Kvm => "-accel kvm -cpu host",
        Accelerator::Tcg => "-accel tcg,thread=single -cpu max",
        Accelerator::TcgCounting => "-accel tcg,thread=single -icount shift=0,sleep=off -cpu max",
    });
    add(&format!("-m {} -smp {}", machine.memory_mib, machine.cpus));
    if machine.counter.is_none() {
        add("-device virtio-rng-pci");
    }
    match &machine.network {
        Network::None => {}
        Network::Stream(descriptor) => {
            add(&format!("-netdev stream,id=net0,server=off,addr.type=fd,addr.str={descriptor}"));
        }
        Network::User(forwards) => {
            let forwards = forwards.iter().map(|(host, guest)| format!(",hostfwd=tcp:127.0.0.1:{host}-:{guest}"));
            add(&format!("-netdev user,id=net0{}", forwards.collect::<String>()));
        }
    }
    if machine.network != Network::None {
        add("-device virtio-net-pci,netdev=net0");
    }
    for (at, Cable { descriptor, mac }) in machine.cables.iter().enumerate() {
        add(&format!("-netdev stream,id=cable{at},server=off,addr.type=fd,addr.str={descriptor}"));
        add(&format!("-device virtio-net-pci,netdev=cable{at},mac={mac}"));
    }
    // A guest that counts is not talked to: QEMU serves virtio from another thread, at moments that differ.
    if machine.counter.is_none() {
        add("-device virtio-serial-pci");
        for (id, socket) in [("shell", &machine.shell_socket), ("control", &machine.control_socket)] {
            words.push("-chardev".to_owned());
            words.push(format!("socket,id={id},path={},server=on,wait=off", escape(socket)));
            words.extend(["-device".to_owned(), format!("virtconsole,chardev={id}")]);
        }
    }
    words.extend(["-chardev".to_owned(), format!("file,id=log,path={}", escape(&machine.log))]);
    words.extend(["-serial".to_owned(), "chardev:log".to_owned()]);
    if let Some(disk) = &machine.disk {
        words.push("-drive".to_owned());
        words.push(format!("file={},format=raw,if=virtio,cache=writeback", escape(disk)));
    }
    if let Some(debian) = &machine.debian {
        words.push("-drive".to_owned());
        // What is written goes to a file without a name in TMPDIR, which ends with the machine.
        words.push(format!("file={},format=raw,if=none,id=debian,snapshot=on,cache=unsafe", escape(debian)));
        words.extend(["-device", "virtio-blk-pci,drive=debian,serial=debian"].map(str::to_owned));
    }
    if let Some(socket) = &machine.debugger_socket {
        words.extend(["-S".to_owned(), "-gdb".to_owned(), format!("unix:{},server=on,wait=off", escape(socket))]);
    }
    if let Some(counter) = &machine.counter {
        // Nothing that differs from run to run: neither the host's time nor its randomness. The guest's own randomness
        // comes from RDRAND, which follows the seed.
        words.extend(["-seed", "1", "-rtc", "base=2026-01-01,clock=vm", "-plugin"].map(str::to_owned));
        let [plugin, spec, report] = [&counter.plugin, &counter.spec, &counter.report].map(|path| escape(path));
        words.push(format!("{plugin},spec={spec},out={report}"));
    }
    for (option, path) in [("-kernel", &machine.kernel), ("-initrd", &machine.initramfs)] {
        words.extend([option.to_owned(), path.display().to_string()]);
    }
    words.extend(["-append".to_owned(), command_line(machine)]);
    words
}

/// The kernel's command line. Page-table isolation is forced because a processor that claims to be immune would switch
/// it off, and the guest is to be the hard case.
fn command_line(machine: &Machine) -> String {
    // A busy host keeps an emulated timer from ticking in time, which the kernel would take for broken hardware.
    // The time at their beginning tells the kernel's messages from what the application prints.
    let mut words = vec!["console=ttyS0", "printk.time=1", "panic=-1", "pti=on", "no_timer_check"];
    if machine.counter.is_some() {
        // Functions lie where the image says, and every process at the same addresses each time.
        words.extend(["nokaslr", "norandmaps"]);
    }
    if machine.network != Network::None {
        words.push("ip=dhcp");
    }
    words.extend(machine.append.iter().map(String::as_str));
    words.join(" ")
}

/// QEMU's option lists separate by commas; a comma inside a value is doubled.
fn escape(path: &std::path::Path) -> String {
    path.display().to_string().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            kernel: "/k/bzImage".into(),
            initramfs: "/i/initramfs".into(),
            accelerator: Accelerator::Tcg,
            counter: None,
            memory_mib: 512,
            cpus: 2,
            network: Network::Stream(5),
            cables: vec![],
            disk: Some("/d/a,b.img".into()),
            debian: None,
            debugger_socket: None,
            append: vec!["UKL_KEEP=1".to_owned()],
            log: "/l/console.log".into(),
            shell_socket: "/s/shell".into(),
            control_socket: "/s/control".into(),
        }
    }

    #[test]
    fn a_machine_with_everything() {
        insta::assert_snapshot!(arguments(&machine()).join("\n"));
    }

    #[test]
    fn a_machine_for_counting_without_network() {
        let plain = Machine {
            accelerator: Accelerator::TcgCounting,
            cpus: 1,
            network: Network::None,
            disk: None,
            append: vec![],
            ..machine()
        };
        insta::assert_snapshot!(arguments(&plain).join("\n"));
    }

    #[test]
    fn a_machine_that_runs_alike_each_time() {
        let counter = Counter { plugin: "/p/c.so".into(), spec: "/s,1".into(), report: "/r".into() };
        let plain = Machine { network: Network::None, disk: None, ..machine() };
        let alike = arguments(&Machine { counter: Some(counter), ..plain });
        let after = |option: &str| &alike[alike.iter().position(|word| word == option).unwrap() + 1];
        assert_eq!(after("-plugin"), "/p/c.so,spec=/s,,1,out=/r");
        assert_eq!((after("-seed").as_str(), after("-rtc").as_str()), ("1", "base=2026-01-01,clock=vm"));
        assert_eq!(
            after("-append"),
            "console=ttyS0 printk.time=1 panic=-1 pti=on no_timer_check nokaslr norandmaps UKL_KEEP=1"
        );
        assert!(!alike.iter().any(|word| word.contains("virtio")), "{alike:?}");
    }

    #[test]
    fn a_cable_is_a_card_of_its_own() {
        let cables = [(7, "52:54:00:00:00:01"), (9, "52:54:00:00:00:02")];
        let cables = cables.map(|(descriptor, mac)| Cable { descriptor, mac: mac.to_owned() }).to_vec();
        let words = arguments(&Machine { network: Network::None, cables, ..machine() });
        let cards: Vec<_> = words.iter().filter(|word| word.contains("cable")).map(String::as_str).collect();
        insta::assert_snapshot!(cards.join("\n"), @r"
        stream,id=cable0,server=off,addr.type=fd,addr.str=7
        virtio-net-pci,netdev=cable0,mac=52:54:00:00:00:01
        stream,id=cable1,server=off,addr.type=fd,addr.str=9
        virtio-net-pci,netdev=cable1,mac=52:54:00:00:00:02
        ");
    }

    #[test]
    fn the_debian_root_is_written_to_beside_its_image() {
        let words = arguments(&Machine { debian: Some("/d/root,1.img".into()), ..machine() });
        let drive = "file=/d/root,,1.img,format=raw,if=none,id=debian,snapshot=on,cache=unsafe";
        assert!(words.contains(&drive.to_owned()), "{words:?}");
    }

    #[test]
    fn forwards_of_the_user_network() {
        let user = Machine { network: Network::User(vec![(7000, 6379), (7001, 80)]), ..machine() };
        let words = arguments(&user);
        assert!(
            words.contains(&"user,id=net0,hostfwd=tcp:127.0.0.1:7000-:6379,hostfwd=tcp:127.0.0.1:7001-:80".to_owned())
        );
    }
}
