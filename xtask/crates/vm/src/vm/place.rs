//! The files of a machine on the host: the console's log, QEMU's own words, and sockets.

use crate::vm::messages::{Line, Lines};
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use ukl_host::cache::Scratch;
use ukl_host::failure::Failure;
use ukl_repo::ctx::Ctx;

/// How many lines of the console a failure shows.
const TAIL_LINES: usize = 25;

/// The files, the machine's own while this value lives.
#[derive(Debug)]
pub(crate) struct HostFiles {
    /// Everything that the console prints.
    pub(crate) log: PathBuf,
    /// What QEMU itself says.
    pub(crate) errors: PathBuf,
    /// What the network's program says.
    pub(crate) network: PathBuf,
    sockets: Sockets,
    _claim: File,
}

impl HostFiles {
    /// A place for the machine of this name.
    pub(crate) fn claim(ctx: &Ctx, name: &str) -> Result<HostFiles> {
        let logs = ctx.cache.root().join("logs");
        std::fs::create_dir_all(&logs).with_context(|| format!("creating {}", logs.display()))?;
        let (name, claim) = claim_log(&logs, name)?;
        Ok(HostFiles {
            log: logs.join(format!("{name}.log")),
            errors: logs.join(format!("{name}-qemu.log")),
            network: logs.join(format!("{name}-passt.log")),
            sockets: Sockets::new(ctx)?,
            _claim: claim,
        })
    }

    /// The folder of the sockets.
    pub(crate) fn folder(&self) -> &Path {
        self.sockets.path()
    }

    /// The path of the socket of this name.
    pub(crate) fn socket(&self, name: &str) -> PathBuf {
        self.sockets.path().join(name)
    }

    /// How QEMU ended, with the last thing it said itself: that memory is short, say.
    pub(crate) fn ending(&self, status: ExitStatus) -> String {
        let said = std::fs::read(&self.errors).unwrap_or_default();
        match String::from_utf8_lossy(&said).lines().last() {
            Some(line) => format!("QEMU ended with {status}: {}", line.trim()),
            None => format!("QEMU ended with {status}"),
        }
    }

    /// The last lines of the console, indented.
    pub(crate) fn tail(&self) -> String {
        let text = String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).replace('\r', "");
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].iter().map(|line| format!("  | {line}\n")).collect()
    }
}

/// The empty, locked log of a machine, and its name without `.log`: NAME, or NAME-PID beside a machine that has that one.
fn claim_log(logs: &Path, name: &str) -> Result<(String, File)> {
    let own = format!("{name}-{}", std::process::id());
    for name in [name, own.as_str()] {
        let path = logs.join(format!("{name}.log"));
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("creating {}", path.display()))?;
        if file.try_lock().is_ok() {
            file.set_len(0).with_context(|| format!("emptying {}", path.display()))?;
            return Ok((name.to_owned(), file));
        }
    }
    Err(Failure::new(
        format!("{} and {own}.log are in use by other machines", logs.join(format!("{name}.log")).display()),
        "wait for them to end",
    ))
}

/// Reads a console's log while it grows.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    offset: u64,
    lines: Lines,
}

impl Reader {
    /// The lines that have come to their end since the last call; of a machine that has `ended`, also one without an end.
    pub(crate) fn read(&mut self, log: &Path, ended: bool) -> Result<Vec<Line>> {
        let mut file = File::open(log).with_context(|| format!("opening {}", log.display()))?;
        file.seek(SeekFrom::Start(self.offset)).with_context(|| format!("reading {}", log.display()))?;
        let mut bytes = Vec::new();
        self.offset += file.read_to_end(&mut bytes).with_context(|| format!("reading {}", log.display()))? as u64;
        let mut lines = self.lines.take(&bytes);
        if ended {
            lines.extend(self.lines.finish());
        }
        Ok(lines)
    }
}

/// The directory of a machine's sockets, removed with the machine.
#[derive(Debug)]
enum Sockets {
    InCache(Scratch),
    /// The path of a socket is short (`sun_path` of unix(7)), and this cache lies deep.
    Temporary(tempfile::TempDir),
}

impl Sockets {
    /// How long the path of the directory may be: 107 bytes less the longest name of a socket.
    const MAX_BYTES: usize = 107 - "/control".len();

    fn new(ctx: &Ctx) -> Result<Self> {
        let scratch = ctx.cache.scratch()?;
        if scratch.path().as_os_str().len() <= Self::MAX_BYTES {
            return Ok(Sockets::InCache(scratch));
        }
        let dir = tempfile::Builder::new().prefix("ukl-").tempdir().map_err(|error| {
            Failure::new(
                format!("{} is too deep for sockets, and no other place works: {error}", ctx.cache.root().display()),
                "set UKL_CACHE to a shorter path, or TMPDIR to a folder that can be written",
            )
        })?;
        Ok(Sockets::Temporary(dir))
    }

    fn path(&self) -> &Path {
        match self {
            Sockets::InCache(scratch) => scratch.path(),
            Sockets::Temporary(dir) => dir.path(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_second_machine_of_the_same_name_gets_a_log_of_its_own() {
        let logs = tempfile::tempdir().unwrap();
        let (first, _held) = claim_log(logs.path(), "redis-byb").unwrap();
        let (second, _also_held) = claim_log(logs.path(), "redis-byb").unwrap();
        assert_eq!(first, "redis-byb");
        assert_eq!(second, format!("redis-byb-{}", std::process::id()));
    }

    #[test]
    fn each_line_is_read_once_and_the_last_one_without_an_end_when_the_machine_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("console.log");
        let mut file = File::create(&log).unwrap();
        let mut reader = Reader::default();
        let mut read = |text: &str, ended| {
            file.write_all(text.as_bytes()).unwrap();
            let lines = reader.read(&log, ended).unwrap();
            lines.iter().map(Line::text).collect::<Vec<_>>()
        };
        assert_eq!(read("one\r\ntw", false), ["one"]);
        assert_eq!(read("o\r\nthree", false), ["two"]);
        assert!(read("", false).is_empty());
        assert_eq!(read(" and", true), ["three and"]);
        assert!(read("", true).is_empty());
    }
}
