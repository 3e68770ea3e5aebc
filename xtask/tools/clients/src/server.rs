//! The server's process and its log, seen from beside it.

use crate::script::Log;
use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

/// How often the state of a process is looked at.
const POLL: Duration = Duration::from_millis(2);

/// The server's process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(Pid);

impl Process {
    /// The process whose number a file holds.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let pid = text.trim().parse().ok().and_then(Pid::from_raw);
        Ok(Process(pid.with_context(|| format!("{} holds {text:?}, which is no process", path.display()))?))
    }

    /// Stops it, and returns when none of its threads runs any more.
    pub(crate) fn stop(self, deadline: Duration) -> Result<()> {
        kill_process(self.0, Signal::STOP).context("sending SIGSTOP to the server")?;
        let start = Instant::now();
        while !self.has_stopped()? {
            ensure!(start.elapsed() < deadline, "the server has not stopped {} s after SIGSTOP", deadline.as_secs());
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    pub(crate) fn go_on(self) -> Result<()> {
        kill_process(self.0, Signal::CONT).context("sending SIGCONT to the server")
    }

    fn has_stopped(self) -> Result<bool> {
        let tasks = format!("/proc/{}/task", self.0.as_raw_pid());
        for task in std::fs::read_dir(&tasks).with_context(|| format!("reading {tasks}"))? {
            let path = task?.path().join("stat");
            let stat = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            // The name before it is in brackets and may hold anything; see proc(5).
            if !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The log, from where it was last read.
#[derive(Debug)]
pub(crate) struct LogReader<'a> {
    log: &'a Log,
    offset: u64,
}

impl<'a> LogReader<'a> {
    pub(crate) fn new(log: &'a Log) -> Self {
        LogReader { log, offset: 0 }
    }

    /// What is to be kept of the lines since the last call.
    pub(crate) fn lines(&mut self) -> Result<Vec<String>> {
        let reading = || format!("reading {}", self.log.file);
        let mut file = File::open(&self.log.file).with_context(reading)?;
        file.seek(SeekFrom::Start(self.offset)).with_context(reading)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(reading)?;
        self.offset += bytes.len() as u64;
        let text = String::from_utf8_lossy(&bytes);
        let kept =
            |line: &str| self.log.keep.iter().find_map(|keep| keep.find(line)).map(|found| found.as_str().to_owned());
        Ok(text.lines().filter_map(kept).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_stopped_when_its_state_says_so() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process(Pid::from_child(&child));
        process.stop(Duration::from_secs(10)).unwrap();
        assert!(process.has_stopped().unwrap());
        process.go_on().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn of_the_log_only_the_kept_part_of_new_lines_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log").to_str().unwrap().to_owned();
        let keep = ["Client closed", "Reading from client: .*"].map(|text| regex_lite::Regex::new(text).unwrap());
        let log = Log { file: file.clone(), keep: keep.to_vec() };
        let mut reader = LogReader::new(&log);
        std::fs::write(&file, "7:M 12:00 - Client closed id=3\n7:M 12:01 - Accepted 127.0.0.1:5\n").unwrap();
        assert_eq!(reader.lines().unwrap(), ["Client closed"]);
        let more = "7:M 12:02 - Reading from client: Connection reset by peer\n";
        std::fs::write(&file, format!("{}{more}", std::fs::read_to_string(&file).unwrap())).unwrap();
        assert_eq!(reader.lines().unwrap(), ["Reading from client: Connection reset by peer"]);
    }
}
