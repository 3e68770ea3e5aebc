//! What the lines of the guest's console mean.

use crate::vm::protocol::Mark;
use regex::Regex;
use std::sync::LazyLock;

/// What a line tells the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// What the guest tells about itself.
    Mark(Mark),
    /// What the running application says about itself.
    Banner(Banner),
    /// Something that must never be seen: a warning, oops or panic of the kernel, or init's own failure.
    Trouble(String),
}

/// The line `ukl: level=NAME cpl=N pid=N`, printed by the runtime at start from the CS register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Banner {
    pub level: String,
    pub cpl: u8,
    pub pid: u32,
}

/// What a line tells, if it tells anything.
pub fn said(line: &str) -> Option<Said> {
    static BANNER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^ukl: level=(\S+) cpl=([0-3]) pid=(\d+)$").expect("valid"));
    // At the start of a message only: boot messages about mitigations have the words in their middle. Processes that
    // die of their own fault are announced by name ("hello[7]: segfault", "traps: hello[7]"), never like this.
    static TROUBLE: LazyLock<Regex> = LazyLock::new(|| {
        let words = "WARNING: |BUG: |Oops|Kernel panic|INFO: rcu|INFO: task|general protection fault|stack guard page|\
                     PANIC: |kernel BUG at|watchdog: BUG|UBSAN: |KASAN: |Bad page|Unable to mount root";
        Regex::new(&format!(r"^(<\d>)?(\[[ \d.]+\](\[.+\])? )?(rcu: |usercopy: )?({words})")).expect("valid")
    });
    let line = line.trim_end();
    match Mark::parse(line) {
        Some(Mark::Fail(_)) => return Some(Said::Trouble(line.to_owned())),
        Some(mark) => return Some(Said::Mark(mark)),
        None => {}
    }
    if let Some(found) = BANNER.captures(line) {
        let (cpl, pid) = (found[2].parse().ok()?, found[3].parse().ok()?);
        return Some(Said::Banner(Banner { level: found[1].to_owned(), cpl, pid }));
    }
    TROUBLE.is_match(line).then(|| Said::Trouble(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_banners() {
        assert_eq!(said("UKL-EXIT status=139\r"), Some(Said::Mark(Mark::Exit(139))));
        assert_eq!(said("UKL-EXIT status="), None);
        let banner = Banner { level: "byb".to_owned(), cpl: 0, pid: 43 };
        assert_eq!(said("ukl: level=byb cpl=0 pid=43"), Some(Said::Banner(banner)));
        assert_eq!(said("ukl: level=byb cpl=9 pid=43"), None);
    }

    #[test]
    fn kernel_trouble_is_seen_with_and_without_time_stamps() {
        for line in [
            "WARNING: CPU: 0 PID: 1 at kernel/fork.c:1 f+0x1/0x2",
            "[    1.234567] BUG: kernel NULL pointer dereference, address: 0",
            "[    1.234567][    T1] Oops: 0002 [#1] SMP",
            "Kernel panic - not syncing: no init",
            "rcu: INFO: rcu_sched self-detected stall on CPU",
            "UKL-FAIL the data disk cannot be mounted",
        ] {
            assert!(matches!(said(line), Some(Said::Trouble(_))), "{line}");
        }
    }

    #[test]
    fn ordinary_lines_are_no_trouble() {
        for line in [
            "Spectre V2 : WARNING: Unprivileged eBPF is enabled",
            "behaviour[77]: segfault at 0 ip 0000000000401000 sp 00007ffc error 4",
            "traps: behaviour[78] general protection fault ip:401000 sp:7ffc error:0",
            "43:M 23 Nov 2026 11:30:55.987 # WARNING Memory overcommit must be enabled!",
        ] {
            assert_eq!(said(line), None, "{line}");
        }
    }
}
