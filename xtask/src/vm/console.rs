//! What the lines of the guest's console mean.

use regex::Regex;
use std::sync::LazyLock;

/// A line that the host acts upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The machine or its application is ready: `shell`, `trial` or `tcp PORT`.
    Ready(String),
    /// The application's output begins.
    Start,
    /// The application ended with this status; 128 + N after signal N.
    Exit(i32),
    /// An application beside the first is ready.
    BesideReady(String),
    /// An application beside the first ended with this status; as `Exit`.
    BesideExit(String, i32),
    /// The load that the initramfs brought along ended with this status.
    Load(i32),
    /// The shell on hvc0 has ended.
    ShellExit,
    /// What protects the machine's kernel, and what does not.
    Protection { on: Vec<String>, off: Vec<String> },
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

/// The event of a line, if it is one.
pub fn event(line: &str) -> Option<Event> {
    static BANNER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^ukl: level=(\S+) cpl=([0-3]) pid=(\d+)$").expect("valid"));
    // At the start of a message only: boot messages about mitigations have the words in their middle. Processes that
    // die of their own fault are announced by name ("hello[7]: segfault", "traps: hello[7]"), never like this.
    static TROUBLE: LazyLock<Regex> = LazyLock::new(|| {
        let words = "WARNING: |BUG: |Oops|Kernel panic|INFO: rcu|INFO: task|general protection fault|stack guard page|\
                     PANIC: |kernel BUG at|watchdog: BUG|UBSAN: |KASAN: |Bad page|Unable to mount root|UKL-FAIL ";
        Regex::new(&format!(r"^(<\d>)?(\[[ \d.]+\](\[.+\])? )?(rcu: |usercopy: )?({words})")).expect("valid")
    });
    let line = line.trim_end_matches('\r');
    if let Some(what) = line.strip_prefix("UKL-READY ") {
        return Some(Event::Ready(what.to_owned()));
    }
    if let Some(status) = line.strip_prefix("UKL-EXIT status=") {
        return status.parse().ok().map(Event::Exit);
    }
    if let Some(status) = line.strip_prefix("UKL-LOAD status=") {
        return status.parse().ok().map(Event::Load);
    }
    if let Some((name, what)) = line.strip_prefix("UKL-BESIDE ").and_then(|rest| rest.split_once(' ')) {
        return match what.strip_prefix("status=") {
            Some(status) => status.parse().ok().map(|status| Event::BesideExit(name.to_owned(), status)),
            None => (what == "ready").then(|| Event::BesideReady(name.to_owned())),
        };
    }
    if let Some((on, off)) = line.strip_prefix("UKL-PROTECTION on:").and_then(|rest| rest.split_once(" off:")) {
        let names = |list: &str| list.split_whitespace().map(str::to_owned).collect();
        return Some(Event::Protection { on: names(on), off: names(off) });
    }
    match line {
        "UKL-START" => return Some(Event::Start),
        "UKL-SHELL-EXIT" => return Some(Event::ShellExit),
        _ => {}
    }
    if let Some(found) = BANNER.captures(line) {
        let (cpl, pid) = (found[2].parse().ok()?, found[3].parse().ok()?);
        return Some(Event::Banner(Banner { level: found[1].to_owned(), cpl, pid }));
    }
    TROUBLE.is_match(line).then(|| Event::Trouble(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers() {
        assert_eq!(event("UKL-READY tcp 6379\r"), Some(Event::Ready("tcp 6379".to_owned())));
        assert_eq!(event("UKL-EXIT status=139"), Some(Event::Exit(139)));
        assert_eq!(event("UKL-EXIT status="), None);
        assert_eq!(event("UKL-LOAD status=0"), Some(Event::Load(0)));
        assert_eq!(event("UKL-BESIDE memcached ready"), Some(Event::BesideReady("memcached".to_owned())));
        assert_eq!(event("UKL-BESIDE memcached status=139"), Some(Event::BesideExit("memcached".to_owned(), 139)));
        assert_eq!(event("UKL-BESIDE memcached steady"), None);
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            event("UKL-PROTECTION on: smep kaslr off: smap\r"),
            Some(Event::Protection { on: names(&["smep", "kaslr"]), off: names(&["smap"]) })
        );
        assert_eq!(
            event("UKL-PROTECTION on: smep off:"),
            Some(Event::Protection { on: names(&["smep"]), off: vec![] })
        );
        let banner = Banner { level: "byb".to_owned(), cpl: 0, pid: 43 };
        assert_eq!(event("ukl: level=byb cpl=0 pid=43"), Some(Event::Banner(banner)));
        assert_eq!(event("ukl: level=byb cpl=9 pid=43"), None);
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
            assert!(matches!(event(line), Some(Event::Trouble(_))), "{line}");
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
            assert_eq!(event(line), None, "{line}");
        }
    }
}
