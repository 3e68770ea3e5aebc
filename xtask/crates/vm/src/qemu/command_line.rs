//! The command line of the kernel in a machine.

use super::{Accelerator, Machine, Network, Shape, Words};

/// Lets applications start on processors that need retpolines or return thunks, which application text lacks: there is nothing
/// in these machines that anybody could steal. Other kernels take the word for an option of a module that they have not.
const UNMITIGATED: &str = "ukl.unmitigated";

/// The words for `machine`. Page-table isolation is forced because a processor that claims to be immune would switch
/// it off, and the guest is to be the hard case.
pub fn command_line(machine: &Machine) -> String {
    let mut words = Words::default();
    match &machine.shape {
        Shape::Q35(q35) => {
            // A busy host keeps an emulated timer from ticking in time, which the kernel would take for broken hardware.
            // The time at their beginning tells the kernel's messages from what the application prints.
            words.add("console=ttyS0 printk.time=1 panic=-1 pti=on no_timer_check");
            words.add(UNMITIGATED);
            if q35.counter.is_some() {
                // Functions lie where the image says, and every process at the same addresses each time.
                words.add("nokaslr norandmaps");
            }
            if machine.network != Network::None {
                words.add("ip=dhcp");
            }
        }
        Shape::Microvm { tsc_khz } => {
            let counting = machine.accelerator == Accelerator::TcgCounting;
            words.add("panic=-1 reboot=t pti=on no_timer_check tsc=reliable");
            words.add(UNMITIGATED);
            // Under -icount the counter advances by one a nanosecond.
            words.add(&format!("tsc_early_khz={}", if counting { 1_000_000 } else { *tsc_khz }));
            if machine.cpus == 1 {
                // Its timer is calibrated against another one for 0.1 s; that other one does, where one processor needs a timer.
                words.add("nolapic_timer");
            }
            words.add(match (&machine.console, counting) {
                (Some(_), true) => "console=ttyS0 ignore_loglevel printk.time=1 initcall_debug",
                (Some(_), false) => "console=ttyS0 printk.time=1",
                (None, _) => "quiet 8250.nr_uarts=0",
            });
        }
    }
    words.0.extend(machine.append.iter().cloned());
    words.0.join(" ")
}
