//! Running external programs: echoed, never outliving us, and with their output kept when it is long. `xshell::cmd!` writes a
//! command as one would type it; its own `run` and `read` know none of this, so commands are run by the functions here.

use crate::failure::{Failure, MAKE_SPACE};
use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::process::{Signal, getppid};
use std::borrow::BorrowMut;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use xshell::{Cmd, Shell};

/// How many lines of a failed command's output are shown.
const TAIL_LINES: usize = 25;
/// How much of an output line stands in a line about progress.
const EXCERPT_CHARACTERS: usize = 80;
/// How often a long command says how far it is.
const PROGRESS_PERIOD: Duration = Duration::from_secs(5);

/// What programs say when the disk is full (strerror of ENOSPC).
const NO_SPACE: &str = "No space left on device";

/// A command that the functions here run: one of `cmd!`, or one of the standard library.
pub trait External {
    /// What it is held as while it runs.
    type Held: BorrowMut<Command>;

    /// The command with its working directory and environment.
    fn held(self) -> Self::Held;
}

impl External for Cmd<'_> {
    type Held = Command;

    fn held(self) -> Command {
        self.into()
    }
}

impl External for Command {
    type Held = Command;

    fn held(self) -> Command {
        self
    }
}

impl<'a> External for &'a mut Command {
    type Held = &'a mut Command;

    fn held(self) -> &'a mut Command {
        self
    }
}

/// A shell whose commands run in a folder.
pub fn shell_in(folder: &Path) -> Result<Shell> {
    let sh = Shell::new()?;
    sh.change_dir(folder);
    Ok(sh)
}

/// A word in quotes, as a shell reads it back whatever it holds.
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The command as one could type it.
pub fn display(command: &Command) -> String {
    let shown = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+:,./@%".contains(c);
        if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
    };
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| shown(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

/// Makes the child die with this process, so that an interrupted build leaves no compiler behind.
pub fn die_with_parent(command: &mut Command) -> &mut Command {
    let own = rustix::process::getpid();
    let ask = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
        // The parent may have died before the request above was made.
        if getppid() == Some(own) { Ok(()) } else { Err(Errno::SRCH.into()) }
    };
    // SAFETY: the closure runs between fork and exec and only makes async-signal-safe system calls.
    unsafe { command.pre_exec(ask) }
}

/// Settings of cargo that are about this machine and not about a package.
const OF_THE_MACHINE: &[&str] =
    &["CARGO_HOME", "CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTR", "CARGO_SOURCE_", "CARGO_TERM_"];

/// Takes from a command what cargo left in the environment: it started this program, and left there what is true of the
/// package xtask.
pub fn without_cargo(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO") && !OF_THE_MACHINE.iter().any(|kept| text.starts_with(kept)) {
            command.env_remove(&name);
        }
    }
    command
}

/// Echoes and runs a short command with our own standard output and error.
pub fn run(command: impl External) -> Result<()> {
    let mut held = command.held();
    let command = held.borrow_mut();
    let shown = display(command);
    eprintln!("$ {shown}");
    let status = die_with_parent(command).status().with_context(|| format!("starting `{shown}`"))?;
    anyhow::ensure!(status.success(), "`{shown}` failed: {status}");
    Ok(())
}

/// Echoes and runs a short command that prints to our standard error: our standard output is for results.
pub fn run_on_stderr(command: impl External) -> Result<()> {
    run(command.held().borrow_mut().stdout(std::io::stderr()))
}

/// Runs a quiet query and returns the text that it prints; not echoed, because it changes nothing.
pub fn read(command: impl External) -> Result<String> {
    let mut held = command.held();
    let command = held.borrow_mut();
    let output = output(&mut *command)?;
    String::from_utf8(output).with_context(|| format!("`{}` printed something that is not text", display(command)))
}

/// Runs a quiet query and returns the bytes that it prints.
pub fn output(command: impl External) -> Result<Vec<u8>> {
    let mut held = command.held();
    let command = held.borrow_mut();
    let shown = display(command);
    let output =
        die_with_parent(command).stdin(Stdio::null()).output().with_context(|| format!("starting `{shown}`"))?;
    let stderr = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    anyhow::ensure!(output.status.success(), "`{shown}` failed: {}: {stderr}", output.status);
    Ok(output.stdout)
}

/// Echoes and runs a long command. Its output goes to `log`; the terminal gets a line every few seconds with the time
/// and the last line printed, and the end of the log if the command fails.
pub fn run_logged(what: &str, command: impl External, log: &Path) -> Result<()> {
    let mut held = command.held();
    let command = held.borrow_mut();
    let shown = display(command);
    eprintln!("$ {shown}");
    let mut file = fs_err::File::create(log)?;
    let (reader, writer) = std::io::pipe().context("making a pipe")?;
    let start = Instant::now();
    let mut child = die_with_parent(command)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()
        .with_context(|| format!("starting `{shown}`"))?;
    // The command keeps its copies of the pipe's write end, which would keep the loop below waiting for ever.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let (mut lines, mut said) = (0_usize, Instant::now());
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.with_context(|| format!("reading the output of `{shown}`"))?;
        file.write_all(&line).and_then(|()| file.write_all(b"\n"))?;
        lines += 1;
        if said.elapsed() >= PROGRESS_PERIOD {
            said = Instant::now();
            let seconds = start.elapsed().as_secs();
            eprintln!("  {what}: {seconds} s, {lines} lines: {}", excerpt(&String::from_utf8_lossy(&line)));
        }
    }
    let status = child.wait().with_context(|| format!("waiting for `{shown}`"))?;
    if !status.success() {
        let output = String::from_utf8_lossy(&fs_err::read(log).unwrap_or_default()).into_owned();
        let output = tail(&output);
        eprint!("{output}");
        let next = match output.contains(NO_SPACE) {
            true => MAKE_SPACE.to_owned(),
            false => format!("the whole output is in {}", log.display()),
        };
        return Err(Failure::new(format!("{what}: `{shown}` failed: {status}"), next));
    }
    eprintln!("  {what}: done in {} s", start.elapsed().as_secs());
    Ok(())
}

/// The beginning of an output line, without the colours that some build systems add.
fn excerpt(line: &str) -> String {
    let mut plain = String::new();
    let mut characters = line.trim().chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // A colour is ESC [ ... m.
            let _ = characters.find(|c| *c == 'm');
        } else {
            plain.push(character);
        }
    }
    match plain.char_indices().nth(EXCERPT_CHARACTERS) {
        Some((end, _)) => format!("{}…", &plain[..end]),
        None => plain,
    }
}

/// The last lines of a log, indented.
fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].iter().map(|line| format!("  | {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xshell::cmd;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("make");
        command.args(["-j2", "CC=gcc -m64", "it's", ""]);
        assert_eq!(display(&command), r"make -j2 'CC=gcc -m64' 'it'\''s' ''");
    }

    #[test]
    fn a_failed_command_keeps_its_log_and_says_where() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut command = Command::new("sh");
        let error = run_logged("trying", command.args(["-c", "echo out; echo err >&2; exit 3"]), &log).unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
        assert_eq!(fs_err::read_to_string(&log).unwrap(), "out\nerr\n");
    }

    #[test]
    fn a_command_of_a_shell_keeps_its_words_folder_and_environment() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().canonicalize().unwrap();
        let sh = shell_in(&folder).unwrap();
        let words = ["one word", "$HOME"];
        let script = "pwd; echo \"$0\" \"$1\" \"$2\" \"${EXTRA-}\" \"${CARGO_MANIFEST_DIR-}\"";
        let jobs = "2";
        let mut command = cmd!(sh, "sh -c {script} {words...} -j{jobs}").env("EXTRA", "e").into();
        assert_eq!(
            read(without_cargo(&mut command)).unwrap(),
            format!("{}\none word $HOME -j2 e \n", folder.display())
        );
    }

    #[test]
    fn an_excerpt_is_short_and_plain() {
        assert_eq!(excerpt(" \u{1b}[34mCC\u{1b}[0m object.o"), "CC object.o");
        assert_eq!(excerpt(&"x".repeat(200)).chars().count(), EXCERPT_CHARACTERS + 1);
    }

    #[test]
    fn the_tail_is_short() {
        let log: String = (0..100).map(|line| format!("{line}\n")).collect();
        assert_eq!(tail(&log).lines().count(), TAIL_LINES);
        assert!(tail(&log).ends_with("  | 99\n"));
    }
}
