//! The kernel, begun before the program that asks for it is compiled.

use anyhow::{Context, Result};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use ukl_host::process;
use ukl_kernel::{configure, kernel, source};
use ukl_repo::config::{DEFAULT_LEVEL, KernelProfile};
use ukl_repo::ctx::{Ctx, Install};
use ukl_sources::doctor;
use xshell::{Shell, cmd};

/// Commands that boot an application or build its image, whose level has a default.
const COMMANDS: [&str; 2] = ["run", "build"];
/// The first argument of the process that builds.
const CHILD: &str = "--early-kernel";
const NO_INSTALL: &str = "--no-install";
/// What that process prints when make can begin.
const PREPARED: &str = "prepared";
/// How long cargo waits for that. To unpack the sources beside a compiler takes two to three times as long as alone, and
/// nothing else can begin before; where a download takes longer than this, waiting would be the loss.
const PREPARATION: Duration = Duration::from_secs(30);

/// What is known of the command before its own program can read it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    level: String,
    install: bool,
}

impl Request {
    /// The request of a command line, if that is one for which a kernel will be built. No more than a guess: the whole program
    /// reads the command line later, and says what is wrong with it.
    pub(crate) fn of_command(arguments: &[OsString]) -> Option<Self> {
        let words: Vec<&str> =
            arguments.iter().map_while(|word| word.to_str()).take_while(|word| *word != "--").collect();
        let command = words.iter().find(|word| !word.starts_with('-'))?;
        let asks = ["--help", "-h"].iter().any(|option| words.contains(option));
        if asks || !COMMANDS.contains(command) {
            return None;
        }
        let value = |word: &usize| words.get(*word + 1).copied();
        let spaced = words.iter().position(|word| *word == "--level").as_ref().and_then(value);
        let level =
            words.iter().find_map(|word| word.strip_prefix("--level=")).or(spaced).unwrap_or(DEFAULT_LEVEL).to_owned();
        Some(Request { level, install: !words.contains(&NO_INSTALL) })
    }

    /// What the process that builds was told.
    pub(crate) fn of_child(arguments: &[OsString]) -> Option<Result<Self>> {
        let [first, level, rest @ ..] = arguments else { return None };
        (first == CHILD).then(|| {
            let level = level.to_string_lossy().into_owned();
            Ok(Request { level, install: !rest.iter().any(|word| word == NO_INSTALL) })
        })
    }

    /// Starts a process that builds, which ends with this one, and returns when make runs there or cannot be waited for.
    pub(crate) fn start(&self, own: &Path) -> Result<()> {
        let (sh, level) = (Shell::new()?, &self.level);
        let install = if self.install { None } else { Some(NO_INSTALL) };
        let mut command = Command::from(cmd!(sh, "{own} {CHILD} {level} {install...}"));
        eprintln!("beginning the kernel; cargo compiles the rest of xtask beside it");
        let mut child = process::die_with_parent(&mut command).stdout(Stdio::piped()).spawn().context("starting it")?;
        let said = child.stdout.take().context("the process has no output")?;
        let (tell, told) = mpsc::channel();
        // It ends with a line, or with the process that would have written one.
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = tell.send(BufReader::new(said).read_line(&mut line));
        });
        // Whether it was said or time ran out, what comes next is the same.
        let _ = told.recv_timeout(PREPARATION);
        Ok(())
    }
}

/// Installs what is missing, and fetches and builds the kernel of a level. Where this fails the whole program will, too, and
/// say more.
pub(crate) fn build(request: &Request) -> Result<()> {
    let install = if request.install { Install::Auto } else { Install::Never };
    let ctx = Ctx::new(install, None)?;
    let flavour = ctx.repo.level(&request.level)?.kernel;
    std::thread::scope(|scope| {
        // Most machines have what unpacks and patches; where one has not, this fails, and the build below does it again.
        scope.spawn(|| source::kernel_source(&ctx, flavour));
        doctor::prepare(&ctx)
    })?;
    configure::config(&ctx, flavour, KernelProfile::Full)?;
    println!("{PREPARED}");
    kernel::kernel(&ctx, flavour, KernelProfile::Full).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> Option<(String, bool)> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Request::of_command(&words).map(|request| (request.level, request.install))
    }

    #[test]
    fn commands_that_need_a_kernel_are_seen() {
        assert_eq!(request("run redis --level byb --smoke"), Some(("byb".to_owned(), true)));
        assert_eq!(request("--no-install run redis --level=linux"), Some(("linux".to_owned(), false)));
        assert_eq!(request("build redis"), Some((DEFAULT_LEVEL.to_owned(), true)));
        assert_eq!(request("run hello -- --level linux"), Some((DEFAULT_LEVEL.to_owned(), true)));
        assert_eq!(request("run --help"), None);
        assert_eq!(request("doctor"), None);
        assert_eq!(request(""), None);
    }

    #[test]
    fn the_process_that_builds_is_told_what_was_asked() {
        let words = [CHILD, "linux", NO_INSTALL].map(OsString::from);
        let told = Request::of_child(&words).unwrap().unwrap();
        assert_eq!(told, Request { level: "linux".to_owned(), install: false });
        assert!(Request::of_child(&["run".into(), "redis".into()]).is_none());
    }
}
