//! What is played: a suite says how to talk to a server between scripts, a script is a sequence of steps.

use crate::text::escaped;
use anyhow::{Context, Result, ensure};
use regex_lite::Regex;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use std::path::Path;

/// `apps/NAME/clients.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Arguments for the server instead of those in app.toml.
    pub arguments: Option<Vec<String>>,
    /// Asked on a fresh connection before the first script and after each: the server still serves, has taken notice of
    /// everything before, and has forgotten what a script wrote.
    pub between: Exchange,
    /// Asked by `ask-until`: what the server says about its connections.
    pub state: Exchange,
    /// The server's log, where it has one that can be compared.
    pub log: Option<Log>,
}

/// A question and what its answer ends with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    #[serde(with = "escaped")]
    pub text: Vec<u8>,
    #[serde(with = "escaped")]
    pub until: Vec<u8>,
}

/// Which part of the server's log is recorded.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Where it lies in the guest.
    pub file: String,
    /// Of each line, what the first of these matches in it; other lines are not recorded. Times, process numbers and
    /// addresses differ from run to run.
    #[serde(deserialize_with = "patterns")]
    pub keep: Vec<Regex>,
}

/// `apps/NAME/clients/SCRIPT.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The file's name without `.toml`.
    #[serde(skip)]
    pub name: String,
    /// What the clients do, in a sentence.
    pub summary: String,
    pub steps: Vec<Step>,
}

/// One thing that a client does. Texts are written with the escapes `\r`, `\n`, `\t`, `\\` and `\xNN`; in a repeated step
/// `{n}` stands for the number of the round, from 1, in names of connections and in texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Opens a connection under a name. The receive buffer is fixed at a size where one is given: a small one fills soon.
    Connect {
        on: String,
        receive_buffer_bytes: Option<usize>,
    },
    /// Sends a text, numbered lines, or bytes without any order.
    Send(Send),
    /// Reads, and records what came.
    Read(Read),
    /// Waits until that many bytes have arrived that nobody has read.
    Await {
        on: String,
        bytes: u64,
    },
    /// Asks the suite's `state`, or something else, again and again until the answer contains a text. How often is up to
    /// timing, and not recorded.
    AskUntil {
        on: String,
        contains: String,
        ask: Option<Exchange>,
    },
    ShutDown {
        on: String,
        way: Way,
    },
    /// Closes as usual; what has arrived and was not read makes a reset of it.
    Close {
        on: String,
    },
    /// Closes with a reset.
    Reset {
        on: String,
    },
    Pause {
        ms: u64,
    },
    /// SIGSTOP and SIGCONT: what the clients do in between, the server meets at once.
    StopServer {},
    ContinueServer {},
    Repeat {
        times: u32,
        steps: Vec<Step>,
    },
}

/// Exactly one of `text`, `lines_bytes` and `garbage_bytes` says what is sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    pub on: String,
    pub text: Option<String>,
    /// So many bytes of numbered lines.
    pub lines_bytes: Option<usize>,
    /// So many bytes without any order, a function of `seed`.
    pub garbage_bytes: Option<usize>,
    #[serde(default)]
    pub seed: u64,
    /// The same so often in one piece, `{n}` being the number of each from 1.
    #[serde(default = "once")]
    pub times: u32,
    /// In pieces of this size, each a segment of its own.
    pub piece_bytes: Option<usize>,
    /// The last byte is urgent data.
    #[serde(default)]
    pub urgent: bool,
    /// The server may end the connection meanwhile: when that shows is up to timing.
    #[serde(default)]
    pub may_fail: bool,
}

/// Exactly one of `bytes`, `until` and `until_end` says how far.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    pub on: String,
    pub bytes: Option<usize>,
    /// Up to and with this text, and no byte more.
    pub until: Option<String>,
    /// Until the server ends the connection, or it is reset.
    #[serde(default)]
    pub until_end: bool,
    /// Whether it was ended or reset is up to timing, and not recorded.
    #[serde(default)]
    pub any_end: bool,
    /// How much came is up to the size of buffers, and not recorded.
    #[serde(default)]
    pub only_end: bool,
    /// What matches is recorded as `…`: a time, an address.
    #[serde(default, deserialize_with = "pattern")]
    pub mask: Option<Regex>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    Read,
    Write,
    Both,
}

fn once() -> u32 {
    1
}

fn pattern<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Regex>, D::Error> {
    Regex::new(&String::deserialize(deserializer)?).map(Some).map_err(D::Error::custom)
}

fn patterns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Regex>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| Regex::new(text).map_err(D::Error::custom)).collect()
}

impl Suite {
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("reading {}", path.display()))
    }
}

impl Script {
    /// Every script of a folder, in the order of their names.
    pub fn read_all(folder: &Path) -> Result<Vec<Self>> {
        let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        ensure!(!paths.is_empty(), "there is no script in {}", folder.display());
        paths.iter().map(|path| Script::read(path)).collect()
    }

    pub fn read(path: &Path) -> Result<Self> {
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Script::parse(name, &text).with_context(|| format!("reading {}", path.display()))
    }

    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let script = Script { name: name.to_owned(), ..toml::from_str(text)? };
        script.steps.iter().try_for_each(Step::validate)?;
        Ok(script)
    }
}

impl Step {
    fn validate(&self) -> Result<()> {
        match self {
            Step::Send(send) => {
                let given = [send.text.is_some(), send.lines_bytes.is_some(), send.garbage_bytes.is_some()];
                let given = given.into_iter().filter(|given| *given).count();
                ensure!(given == 1, "a `send` on `{}` has {given} of text, lines_bytes and garbage_bytes", send.on);
                ensure!(send.piece_bytes != Some(0), "a `send` on `{}` has pieces of 0 bytes", send.on);
            }
            Step::Read(read) => {
                let given = [read.bytes.is_some(), read.until.is_some(), read.until_end];
                let given = given.into_iter().filter(|given| *given).count();
                ensure!(given == 1, "a `read` on `{}` has {given} of bytes, until and until_end", read.on);
                ensure!(read.until.as_deref() != Some(""), "a `read` on `{}` waits for an empty text", read.on);
                let ends = read.any_end || read.only_end;
                ensure!(read.until_end || !ends, "a `read` on `{}` has an end, but not until_end", read.on);
            }
            Step::Repeat { times, steps } => {
                ensure!(*times > 0 && !steps.is_empty(), "a `repeat` repeats nothing");
                steps.iter().try_for_each(Step::validate)?;
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(steps: &str) -> String {
        format!("{:#}", Script::parse("x", &format!("summary = ''\nsteps = [{steps}]")).unwrap_err())
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(error("{ do = 'sned', on = 'a' }").contains("sned"));
        assert!(error("{ do = 'send', on = 'a', tekst = '' }").contains("tekst"));
        assert!(error("{ do = 'send', on = 'a' }").contains("has 0 of text, lines_bytes and garbage_bytes"));
        assert!(error("{ do = 'read', on = 'a', bytes = 1, until = 'x' }").contains("has 2 of bytes, until"));
        assert!(error("{ do = 'read', on = 'a', bytes = 1, any_end = true }").contains("not until_end"));
        assert!(error("{ do = 'read', on = 'a', until = 'x', mask = '(' }").contains("open group without closing"));
        assert!(error("{ do = 'repeat', times = 2, steps = [{ do = 'read', on = 'a' }] }").contains("has 0 of bytes"));
    }

    /// Every script of the repository, so that a wrong one is found without a machine.
    #[test]
    fn every_script_of_the_repository_is_valid() {
        let apps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../apps");
        let mut scripts = 0;
        for entry in std::fs::read_dir(apps).unwrap() {
            let suite = entry.unwrap().path().join("clients.toml");
            if suite.is_file() {
                Suite::read(&suite).unwrap();
                scripts += Script::read_all(&suite.with_extension("")).unwrap().len();
            }
        }
        assert!(scripts > 20, "{scripts} scripts");
    }
}
