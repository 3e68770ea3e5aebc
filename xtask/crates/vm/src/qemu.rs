//! The command line of QEMU as a pure function of the machine.

mod command_line;

pub use command_line::command_line;

use std::path::PathBuf;

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    Kvm,
    /// Emulation on one host thread: QEMU 7.2's multi-threaded one breaks when one CPU patches the text of another.
    Tcg,
    /// Emulation on a host thread for each CPU, for a newer QEMU.
    TcgParallel,
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
    /// A network interface of whoever runs QEMU, by its name.
    Tap(String),
}

/// One end of a cable between two machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cable {
    /// The number of a connected stream socket whose other end the other machine has.
    pub descriptor: i32,
    /// The address of the card at this end.
    pub mac: String,
}

/// The files of the instruction counter, QEMU's plug-in `xtask/tools/counter`.
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
    /// A model of QEMU's `-cpu`, with features after commas; `None` is the one that has most.
    pub processor: Option<String>,
    pub memory_mib: u32,
    pub cpus: u32,
    pub network: Network,
    /// Where the serial console's output goes; without it there is no serial port.
    pub console: Option<PathBuf>,
    /// Words for the kernel's command line after ours. Those with a `=` that the kernel does not know become
    /// environment variables of the guest's init.
    pub append: Vec<String>,
    pub shape: Shape,
}

/// Which of QEMU's machines it is, with what only that one has.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A PC with everything a guest may want to have.
    Q35(Box<Q35>),
    /// A machine without firmware to speak of: its kernel is entered by PVH, and it has one network card and no bus. It is
    /// emulated even where KVM works: the figures are those of one emulator.
    Microvm {
        /// The rate of the time-stamp counter, which is the host's.
        tsc_khz: u64,
    },
}

/// What hangs on the PC's bus, and how the host reaches into it.
#[derive(Clone, Debug)]
pub struct Q35 {
    /// Counts every instruction, in a machine that runs alike each time.
    pub counter: Option<Counter>,
    /// Each a card of its own, after the network's.
    pub cables: Vec<Cable>,
    /// Raw image of the data disk, /dev/vda.
    pub disk: Option<PathBuf>,
    /// Raw image of the Debian root, found by its serial number `debian`; any number of machines share it.
    pub debian: Option<PathBuf>,
    /// Listening socket for a debugger, for which the machine waits before its first instruction.
    pub debugger_socket: Option<PathBuf>,
    /// For the shell (hvc0) and for requests to init (hvc1).
    pub shell: Channel,
    pub control: Channel,
}

/// What a console of the guest leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A Unix socket on which QEMU listens.
    Socket(PathBuf),
    /// A terminal or serial port of whoever runs QEMU.
    Terminal(PathBuf),
}

impl Channel {
    /// As QEMU's `-chardev` has it, under the name `id`.
    fn character_device(&self, id: &str) -> String {
        match self {
            Channel::Socket(path) => format!("socket,id={id},path={},server=on,wait=off", escape(path)),
            Channel::Terminal(path) => format!("serial,id={id},path={}", escape(path)),
        }
    }
}

/// The name of the program.
pub const PROGRAM: &str = "qemu-system-x86_64";

/// All arguments for `machine`.
pub fn arguments(machine: &Machine) -> Vec<String> {
    let mut words = Words::default();
    words.add("-nodefaults -no-user-config -display none -no-reboot");
    match &machine.shape {
        Shape::Q35(q35) => {
            words.add("-machine q35");
            words.add(match machine.accelerator {
                Accelerator::Kvm => "-accel kvm -cpu",
                Accelerator::Tcg => "-accel tcg,thread=single -cpu",
                Accelerator::TcgParallel => "-accel tcg,thread=multi -cpu",
                Accelerator::TcgCounting => "-accel tcg,thread=single -icount shift=0,sleep=off -cpu",
            });
            // Of a host, all that it has: an invariant TSC is hidden from machines that may move.
            let most = if machine.accelerator == Accelerator::Kvm { "host,migratable=off" } else { "max" };
            words.add(machine.processor.as_deref().unwrap_or(most));
            words.size(machine);
            if q35.counter.is_none() {
                words.add("-device virtio-rng-pci");
            }
            words.network(&machine.network, "virtio-net-pci");
            q35_channels(&mut words, q35);
            words.console(machine);
            q35_drives(&mut words, q35);
        }
        Shape::Microvm { .. } => {
            // Without ACPI the firmware is the short one. The clock stays: a kernel waits a second for one that is not there.
            let serial = if machine.console.is_some() { "on" } else { "off" };
            words.add(&format!("-machine microvm,acpi=off,pit=on,pic=on,rtc=on,isa-serial={serial}"));
            words.add("-accel tcg,thread=single -cpu max");
            if machine.accelerator == Accelerator::TcgCounting {
                words.add("-icount shift=0,sleep=off");
            }
            words.size(machine);
            words.network(&machine.network, "virtio-net-device");
            words.console(machine);
        }
    }
    for (option, path) in [("-kernel", &machine.kernel), ("-initrd", &machine.initramfs)] {
        words.pair(option, path.display().to_string());
    }
    words.pair("-append", command_line(machine));
    words.0
}

/// QEMU's arguments, while they are collected.
#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    /// Words between single spaces.
    fn add(&mut self, line: &str) {
        self.0.extend(line.split(' ').map(str::to_owned));
    }

    /// An option whose value may have spaces.
    fn pair(&mut self, option: &str, value: String) {
        self.0.extend([option.to_owned(), value]);
    }

    fn size(&mut self, machine: &Machine) {
        self.add(&format!("-m {} -smp {}", machine.memory_mib, machine.cpus));
    }

    fn network(&mut self, network: &Network, card: &str) {
        match network {
            Network::None => return,
            Network::Stream(descriptor) => {
                self.add(&format!("-netdev stream,id=net0,server=off,addr.type=fd,addr.str={descriptor}"));
            }
            Network::User(forwards) => {
                let forwards = forwards.iter().map(|(host, guest)| format!(",hostfwd=tcp:127.0.0.1:{host}-:{guest}"));
                self.add(&format!("-netdev user,id=net0{}", forwards.collect::<String>()));
            }
            Network::Tap(name) => {
                self.add(&format!("-netdev tap,id=net0,ifname={name},script=no,downscript=no"));
            }
        }
        self.add(&format!("-device {card},netdev=net0"));
    }

    fn console(&mut self, machine: &Machine) {
        if let Some(log) = &machine.console {
            self.pair("-chardev", format!("file,id=log,path={}", escape(log)));
            self.add("-serial chardev:log");
        }
    }
}

/// Cables to other machines, and ways in for the host.
fn q35_channels(words: &mut Words, q35: &Q35) {
    for (at, Cable { descriptor, mac }) in q35.cables.iter().enumerate() {
        words.add(&format!("-netdev stream,id=cable{at},server=off,addr.type=fd,addr.str={descriptor}"));
        words.add(&format!("-device virtio-net-pci,netdev=cable{at},mac={mac}"));
    }
    // A guest that counts is not talked to: QEMU serves virtio from another thread, at moments that differ.
    if q35.counter.is_none() {
        words.add("-device virtio-serial-pci");
        for (id, channel) in [("shell", &q35.shell), ("control", &q35.control)] {
            words.pair("-chardev", channel.character_device(id));
            words.add(&format!("-device virtconsole,chardev={id}"));
        }
    }
}

/// Disks, and what looks into the machine.
fn q35_drives(words: &mut Words, q35: &Q35) {
    if let Some(disk) = &q35.disk {
        words.pair("-drive", format!("file={},format=raw,if=virtio,cache=writeback", escape(disk)));
    }
    if let Some(debian) = &q35.debian {
        // What is written goes to a file without a name in TMPDIR, which ends with the machine.
        let drive = format!("file={},format=raw,if=none,id=debian,snapshot=on,cache=unsafe", escape(debian));
        words.pair("-drive", drive);
        words.add("-device virtio-blk-pci,drive=debian,serial=debian");
    }
    if let Some(socket) = &q35.debugger_socket {
        words.add("-S");
        words.pair("-gdb", format!("unix:{},server=on,wait=off", escape(socket)));
    }
    if let Some(counter) = &q35.counter {
        // Nothing that differs from run to run: neither the host's time nor its randomness. The guest's own randomness
        // comes from RDRAND, which follows the seed.
        words.add("-seed 1 -rtc base=2026-01-01,clock=vm");
        let [plugin, spec, report] = [&counter.plugin, &counter.spec, &counter.report].map(|path| escape(path));
        words.pair("-plugin", format!("{plugin},spec={spec},out={report}"));
    }
}

/// QEMU's option lists separate by commas; a comma inside a value is doubled.
pub fn escape(path: &std::path::Path) -> String {
    path.display().to_string().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn q35() -> Q35 {
        Q35 {
            counter: None,
            cables: vec![],
            disk: Some("/d/a,b.img".into()),
            debian: None,
            debugger_socket: None,
            shell: Channel::Socket("/s/shell".into()),
            control: Channel::Socket("/s/control".into()),
        }
    }

    fn machine(q35: Q35) -> Machine {
        Machine {
            kernel: "/k/bzImage".into(),
            initramfs: "/i/initramfs".into(),
            accelerator: Accelerator::Tcg,
            processor: None,
            memory_mib: 512,
            cpus: 2,
            network: Network::Stream(5),
            console: Some("/l/console.log".into()),
            append: vec!["UKL_KEEP=1".to_owned()],
            shape: Shape::Q35(Box::new(q35)),
        }
    }

    fn microvm() -> Machine {
        Machine {
            kernel: "/k/vmlinux".into(),
            cpus: 1,
            network: Network::User(vec![(7000, 6379)]),
            console: None,
            append: vec![],
            shape: Shape::Microvm { tsc_khz: 2_600_000 },
            ..machine(q35())
        }
    }

    #[test]
    fn a_machine_with_everything() {
        insta::assert_snapshot!(arguments(&machine(q35())).join("\n"));
    }

    #[test]
    fn a_machine_for_counting_without_network() {
        let plain = Machine {
            accelerator: Accelerator::TcgCounting,
            cpus: 1,
            network: Network::None,
            append: vec![],
            ..machine(Q35 { disk: None, ..q35() })
        };
        insta::assert_snapshot!(arguments(&plain).join("\n"));
    }

    #[test]
    fn a_machine_that_runs_alike_each_time() {
        let counter = Counter { plugin: "/p/c.so".into(), spec: "/s,1".into(), report: "/r".into() };
        let plain = machine(Q35 { counter: Some(counter), disk: None, ..q35() });
        let alike = arguments(&Machine { network: Network::None, ..plain });
        let after = |option: &str| &alike[alike.iter().position(|word| word == option).unwrap() + 1];
        assert_eq!(after("-plugin"), "/p/c.so,spec=/s,,1,out=/r");
        assert_eq!((after("-seed").as_str(), after("-rtc").as_str()), ("1", "base=2026-01-01,clock=vm"));
        let always = "console=ttyS0 printk.time=1 panic=-1 pti=on no_timer_check ukl.unmitigated";
        assert_eq!(after("-append"), &format!("{always} nokaslr norandmaps UKL_KEEP=1"));
        assert!(!alike.iter().any(|word| word.contains("virtio")), "{alike:?}");
    }

    #[test]
    fn a_cable_is_a_card_of_its_own() {
        let cables = [(7, "52:54:00:00:00:01"), (9, "52:54:00:00:00:02")];
        let cables = cables.map(|(descriptor, mac)| Cable { descriptor, mac: mac.to_owned() }).to_vec();
        let words = arguments(&Machine { network: Network::None, ..machine(Q35 { cables, ..q35() }) });
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
        let words = arguments(&machine(Q35 { debian: Some("/d/root,1.img".into()), ..q35() }));
        let drive = "file=/d/root,,1.img,format=raw,if=none,id=debian,snapshot=on,cache=unsafe";
        assert!(words.contains(&drive.to_owned()), "{words:?}");
    }

    #[test]
    fn forwards_of_the_user_network() {
        let user = Machine { network: Network::User(vec![(7000, 6379), (7001, 80)]), ..machine(q35()) };
        let words = arguments(&user);
        assert!(
            words.contains(&"user,id=net0,hostfwd=tcp:127.0.0.1:7000-:6379,hostfwd=tcp:127.0.0.1:7001-:80".to_owned())
        );
    }

    #[test]
    fn inside_of_another_machine_consoles_are_its_terminals_and_the_network_its_interface() {
        let [shell, control] = ["/dev/hvc0", "/dev/hvc1"].map(|path| Channel::Terminal(path.into()));
        let inner = machine(Q35 { disk: None, shell, control, ..q35() });
        let (network, accelerator) = (Network::Tap("tap0".to_owned()), Accelerator::Kvm);
        let words = arguments(&Machine { network, accelerator, ..inner }).join(" ");
        for expected in [
            "-accel kvm -cpu host",
            "-netdev tap,id=net0,ifname=tap0,script=no,downscript=no -device virtio-net-pci,netdev=net0",
            "-chardev serial,id=shell,path=/dev/hvc0 -device virtconsole,chardev=shell",
            "-chardev serial,id=control,path=/dev/hvc1 -device virtconsole,chardev=control",
        ] {
            assert!(words.contains(expected), "{expected} is not in {words}");
        }
    }

    #[test]
    fn a_processor_is_the_named_model() {
        let words = arguments(&Machine { processor: Some("EPYC-Milan,-smap".to_owned()), ..machine(q35()) }).join(" ");
        assert!(words.contains("-accel tcg,thread=single -cpu EPYC-Milan,-smap -m 512"), "{words}");
    }

    #[test]
    fn a_machine_that_is_timed() {
        insta::assert_snapshot!(arguments(&microvm()).join("\n"));
    }

    #[test]
    fn a_machine_whose_boot_is_counted() {
        let console = Some("/l/a,b.log".into());
        let counted = Machine { accelerator: Accelerator::TcgCounting, console, ..microvm() };
        insta::assert_snapshot!(arguments(&counted).join("\n"));
    }

    #[test]
    fn several_processors_need_the_timer_of_each() {
        let words = arguments(&Machine { cpus: 4, ..microvm() }).join(" ");
        assert!(words.contains("-smp 4") && !words.contains("nolapic_timer"), "{words}");
    }
}
