//! The shell on the guest's console hvc0, driven by a program.

use crate::vm::protocol;
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// A shell that runs one command at a time.
#[derive(Debug)]
pub struct Shell {
    stream: UnixStream,
    /// By how much each deadline is longer.
    patience: u32,
}

/// What a command printed, standard error included, and its exit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub text: String,
    pub status: i32,
}

impl Shell {
    /// Connects to the console's socket of a machine that is so many times slower than most, and switches echo and prompts off.
    pub fn connect(socket: &Path, patience: u32) -> Result<Self> {
        let stream = UnixStream::connect(socket).with_context(|| format!("connecting to {}", socket.display()))?;
        let mut shell = Shell { stream, patience };
        // The first command may be echoed; the second one's answer proves that echo is off.
        shell.run("stty -echo; PS1=; PS2=", Duration::from_secs(20))?;
        let output = shell.run("echo quiet", Duration::from_secs(10))?;
        anyhow::ensure!(output.text == "quiet", "the guest's shell answered {:?} to `echo quiet`", output.text);
        Ok(shell)
    }

    /// Runs a command line and waits for its end; a slow machine gets longer than the deadline.
    pub fn run(&mut self, command: &str, deadline: Duration) -> Result<Output> {
        self.run_watched(command, deadline, |_| {})
    }

    /// The same, and hands on each line of output when it is complete.
    pub fn run_watched(&mut self, command: &str, deadline: Duration, mut on_line: impl FnMut(&str)) -> Result<Output> {
        let line = format!("{{ {command}\n}} 2>&1; {}\n", protocol::done_command());
        self.stream.write_all(line.as_bytes()).context("writing to the guest's shell")?;
        let (start, deadline) = (Instant::now(), deadline * self.patience);
        let mut seen = Vec::new();
        let mut handed_on = 0;
        let mut buffer = [0; 4096];
        loop {
            if let Some(output) = parse(&String::from_utf8_lossy(&seen)) {
                return Ok(output);
            }
            let left = deadline.saturating_sub(start.elapsed());
            if left.is_zero() {
                let text = String::from_utf8_lossy(&seen).replace('\r', "");
                bail!(
                    "`{command}` did not end in the guest within {} s; it printed {:?}",
                    deadline.as_secs(),
                    text.trim()
                );
            }
            self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            match self.stream.read(&mut buffer) {
                Ok(0) => bail!("the machine ended while `{command}` was running in it"),
                Ok(count) => {
                    seen.extend(&buffer[..count]);
                    while let Some(end) = seen[handed_on..].iter().position(|byte| *byte == b'\n') {
                        on_line(String::from_utf8_lossy(&seen[handed_on..handed_on + end]).trim_end());
                        handed_on += end + 1;
                    }
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut | std::io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(error).context("reading from the guest's shell"),
            }
        }
    }
}

/// The output of a command, once the mark that ends it is there.
pub fn parse(seen: &str) -> Option<Output> {
    let (text, status) = protocol::until_done(seen)?;
    Some(Output { text: text.replace('\r', "").trim_end_matches('\n').to_owned(), status })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_ends_at_the_mark() {
        let output = |text: &str, status| Some(Output { text: text.to_owned(), status });
        assert_eq!(parse("a\r\nb\r\nUKL-DONE 0\r\n"), output("a\nb", 0));
        assert_eq!(parse("no line endUKL-DONE 137\r\n"), output("no line end", 137));
        assert_eq!(parse("a\r\nUKL-DONE 1"), None);
        assert_eq!(parse("echo \"\"UKL-\"DONE $?\"\r\n"), None);
    }

    #[test]
    fn lines_are_handed_on() {
        let (near, mut far) = UnixStream::pair().unwrap();
        far.write_all(b"one\r\ntwo\r\nUKL-DONE 0\r\n").unwrap();
        let mut lines = Vec::new();
        let run = Shell { stream: near, patience: 1 }
            .run_watched("x", Duration::from_secs(5), |line| lines.push(line.to_owned()));
        assert_eq!(run.unwrap().text, "one\ntwo");
        assert_eq!(lines[..2], ["one", "two"]);
    }

    #[test]
    fn a_command_that_does_not_end_is_reported_with_what_it_printed() {
        let (near, mut far) = UnixStream::pair().unwrap();
        far.write_all(b"half\r\n").unwrap();
        let error =
            Shell { stream: near, patience: 1 }.run("sleep 9", Duration::from_millis(50)).unwrap_err().to_string();
        assert!(error.contains("`sleep 9` did not end") && error.contains("half"), "{error}");
    }
}
