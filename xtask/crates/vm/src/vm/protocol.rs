//! What host and guest say to each other, as `guest/PROTOCOL.md` lists it: marks on the console, words on the kernel's command
//! line, and requests. The guest's side is shell and C; a test compares it and that page with this file.

use std::fmt;

/// A line of the console by which the guest tells the host what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// What protects the machine's kernel, and what does not.
    Protection { on: Vec<String>, off: Vec<String> },
    /// The machine or its application is ready.
    Ready(Readiness),
    /// The application's output begins.
    Start,
    /// The application ended with this status; 128 + N after signal N.
    Exit(i32),
    /// The application of this name, beside the first, is ready.
    BesideReady(String),
    /// The application of this name, beside the first, ended with this status; as `Exit`.
    BesideExit(String, i32),
    /// The load that the initramfs brought along ended with this status.
    Load(i32),
    /// The shell on hvc0 has ended.
    ShellExit,
    /// The guest cannot go on, for this reason.
    Fail(String),
    /// So many KiB of memory are free while nothing happens.
    Idle(u64),
    /// A command that the host sent ended with this status.
    Done(i32),
}

/// What is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The application listens on this TCP port.
    Tcp(u16),
    /// No application was started; the shell is there.
    Shell,
    /// The machine is up, and stops again.
    Trial,
}

const PROTECTION: &str = "UKL-PROTECTION";
const READY: &str = "UKL-READY";
const START: &str = "UKL-START";
const EXIT: &str = "UKL-EXIT";
const BESIDE: &str = "UKL-BESIDE";
const LOAD: &str = "UKL-LOAD";
const SHELL_EXIT: &str = "UKL-SHELL-EXIT";
const FAIL: &str = "UKL-FAIL";
/// Begins `Mark::Idle`, for a script that has the number in a variable.
pub const IDLE: &str = "UKL-IDLE";
const DONE: &str = "UKL-DONE";

/// Before the status of what has ended.
const STATUS: &str = "status=";

impl Mark {
    /// The mark that a line of the console is, without the line's end.
    pub fn parse(line: &str) -> Option<Mark> {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        match name {
            PROTECTION => {
                let (on, off) = rest.strip_prefix("on:")?.split_once(" off:")?;
                let names = |list: &str| list.split_whitespace().map(str::to_owned).collect();
                Some(Mark::Protection { on: names(on), off: names(off) })
            }
            READY => Readiness::parse(rest).map(Mark::Ready),
            START => rest.is_empty().then_some(Mark::Start),
            EXIT => status(rest).map(Mark::Exit),
            BESIDE => match rest.split_once(' ')? {
                (name, "ready") => Some(Mark::BesideReady(name.to_owned())),
                (name, what) => Some(Mark::BesideExit(name.to_owned(), status(what)?)),
            },
            LOAD => status(rest).map(Mark::Load),
            SHELL_EXIT => rest.is_empty().then_some(Mark::ShellExit),
            FAIL => Some(Mark::Fail(rest.to_owned())),
            IDLE => rest.parse().ok().map(Mark::Idle),
            DONE => rest.parse().ok().map(Mark::Done),
            _ => None,
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mark::Protection { on, off } => {
                let names = |list: &[String]| list.iter().map(|name| format!(" {name}")).collect::<String>();
                write!(f, "{PROTECTION} on:{} off:{}", names(on), names(off))
            }
            Mark::Ready(what) => write!(f, "{READY} {what}"),
            Mark::Start => f.write_str(START),
            Mark::Exit(status) => write!(f, "{EXIT} {STATUS}{status}"),
            Mark::BesideReady(name) => write!(f, "{BESIDE} {name} ready"),
            Mark::BesideExit(name, status) => write!(f, "{BESIDE} {name} {STATUS}{status}"),
            Mark::Load(status) => write!(f, "{LOAD} {STATUS}{status}"),
            Mark::ShellExit => f.write_str(SHELL_EXIT),
            Mark::Fail(reason) => write!(f, "{FAIL} {reason}"),
            Mark::Idle(free_kib) => write!(f, "{IDLE} {free_kib}"),
            Mark::Done(status) => write!(f, "{DONE} {status}"),
        }
    }
}

fn status(text: &str) -> Option<i32> {
    text.strip_prefix(STATUS)?.parse().ok()
}

impl Readiness {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once(' ') {
            Some(("tcp", port)) => port.parse().ok().map(Readiness::Tcp),
            None if text == "shell" => Some(Readiness::Shell),
            None if text == "trial" => Some(Readiness::Trial),
            _ => None,
        }
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Readiness::Tcp(port) => write!(f, "tcp {port}"),
            Readiness::Shell => f.write_str("shell"),
            Readiness::Trial => f.write_str("trial"),
        }
    }
}

/// A word on the kernel's command line by which the host tells the guest's init what to do. The kernel makes it a variable of
/// init's environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootWord {
    /// The machine stays up after the application has ended.
    Keep,
    /// No application is started: the host drives the shell.
    Idle,
    /// The machine stops as soon as it is up.
    Trial,
    /// The number of this machine among several, from 0.
    Party(u32),
    /// How many machines there are, each with a cable to each other.
    Parties(u32),
}

const KEEP: &str = "UKL_KEEP";
const IDLE_WORD: &str = "UKL_IDLE";
const TRIAL: &str = "UKL_TRIAL";
const PARTY: &str = "UKL_PARTY";
const PARTIES: &str = "UKL_PARTIES";

impl BootWord {
    /// The variable in which init has the number of its machine.
    pub const PARTY_VARIABLE: &str = PARTY;
}

impl fmt::Display for BootWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BootWord::Keep => write!(f, "{KEEP}=1"),
            BootWord::Idle => write!(f, "{IDLE_WORD}=1"),
            BootWord::Trial => write!(f, "{TRIAL}=1"),
            BootWord::Party(number) => write!(f, "{PARTY}={number}"),
            BootWord::Parties(count) => write!(f, "{PARTIES}={count}"),
        }
    }
}

/// The request on hvc1 that ends the applications, the data disk's included, and stops the machine.
pub const STOP_REQUEST: &str = "stop\n";

/// How the host has the guest's shell say that a command ended. The quotes keep an echo of the line from looking like the mark.
pub fn done_command() -> String {
    let (first, second) = DONE.split_at(4);
    format!("echo \"\"{first}\"{second} $?\"")
}

/// What a command printed and its status, once its `Mark::Done` is there and its line has an end. The mark may follow output
/// that has no line end.
pub fn until_done(seen: &str) -> Option<(&str, i32)> {
    let (text, rest) = seen.rsplit_once(DONE)?;
    let (status, _) = rest.split_once('\n')?;
    Some((text, status.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples() -> Vec<(Mark, &'static str)> {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        vec![
            (
                Mark::Protection { on: names(&["smep", "kaslr"]), off: names(&["smap"]) },
                "UKL-PROTECTION on: smep kaslr off: smap",
            ),
            (Mark::Protection { on: names(&["smep"]), off: vec![] }, "UKL-PROTECTION on: smep off:"),
            (Mark::Ready(Readiness::Tcp(6379)), "UKL-READY tcp 6379"),
            (Mark::Ready(Readiness::Shell), "UKL-READY shell"),
            (Mark::Ready(Readiness::Trial), "UKL-READY trial"),
            (Mark::Start, "UKL-START"),
            (Mark::Exit(139), "UKL-EXIT status=139"),
            (Mark::BesideReady("memcached".to_owned()), "UKL-BESIDE memcached ready"),
            (Mark::BesideExit("memcached".to_owned(), 139), "UKL-BESIDE memcached status=139"),
            (Mark::Load(0), "UKL-LOAD status=0"),
            (Mark::ShellExit, "UKL-SHELL-EXIT"),
            (Mark::Fail("the data disk cannot be mounted".to_owned()), "UKL-FAIL the data disk cannot be mounted"),
            (Mark::Idle(430_000), "UKL-IDLE 430000"),
            (Mark::Done(7), "UKL-DONE 7"),
        ]
    }

    #[test]
    fn a_mark_is_read_as_it_is_written() {
        for (mark, line) in examples() {
            assert_eq!(mark.to_string(), line);
            assert_eq!(Mark::parse(line), Some(mark), "{line}");
        }
    }

    #[test]
    fn what_is_only_like_a_mark_is_none() {
        for line in [
            "UKL-EXIT status=",
            "UKL-EXIT 0",
            "UKL-START now",
            "UKL-STARTED",
            "UKL-BESIDE memcached steady",
            "UKL-BESIDE memcached",
            "UKL-READY tcp 65536",
            "UKL-READY set",
            "UKL-PROTECTION off: smap",
            " UKL-START",
        ] {
            assert_eq!(Mark::parse(line), None, "{line}");
        }
    }

    #[test]
    fn boot_words_are_variables_of_init() {
        let words = [BootWord::Keep, BootWord::Idle, BootWord::Trial, BootWord::Party(2), BootWord::Parties(3)];
        let words = words.map(|word| word.to_string());
        assert_eq!(words, ["UKL_KEEP=1", "UKL_IDLE=1", "UKL_TRIAL=1", "UKL_PARTY=2", "UKL_PARTIES=3"]);
    }

    #[test]
    fn an_echo_of_the_command_is_not_the_mark() {
        assert_eq!(done_command(), "echo \"\"UKL-\"DONE $?\"");
        assert_eq!(until_done(&format!("{}\r\n", done_command())), None);
        assert_eq!(until_done("no line endUKL-DONE 137\r\n"), Some(("no line end", 137)));
        assert_eq!(until_done("a\r\nUKL-DONE 1"), None);
    }
}
