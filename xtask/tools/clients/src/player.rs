//! Plays scripts, one after the other, and each step of one when the step before it is done.

use crate::connection::{Connection, Until};
use crate::payload;
use crate::record::{Event, Outcome, Played, Record};
use crate::script::{Exchange, Read, Script, Send, Step, Suite, Way};
use crate::server::{LogReader, Process};
use crate::text::{escape, unescape};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::net::{Shutdown, SocketAddrV4};
use std::ops::ControlFlow::{self, Break, Continue};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long after a script what must not come has time to come. Nothing that must come is waited for in this way.
const QUIET: Duration = Duration::from_millis(30);
/// How often the server is asked between scripts. What it learns of a connection that it has not accepted yet takes it
/// two turns of its event loop more.
const ROUNDS_BETWEEN: usize = 3;
/// The pause before something is looked at or asked again.
const PAUSE: Duration = Duration::from_millis(2);
/// How many characters of a text the name of an action shows.
const SHOWN_CHARS: usize = 40;

/// Whom the clients talk to.
#[derive(Clone, Debug)]
pub struct Server {
    pub address: SocketAddrV4,
    /// A file with the number of its process, for scripts that stop it.
    pub pid_file: PathBuf,
    /// How long a step may wait.
    pub deadline: Duration,
}

/// Plays the scripts in their order.
pub fn play(server: &Server, suite: &Suite, scripts: &[Script]) -> Result<Record> {
    let mut log = suite.log.as_ref().map(LogReader::new);
    let mut lines = || log.as_mut().map_or(Ok(Vec::new()), LogReader::lines);
    let mut played = Vec::new();
    let witness = between(server, &suite.between).context("before the first script")?;
    lines()?;
    drop(witness);
    for script in scripts {
        let mut player = Player::new(server, suite);
        let outcome = player.steps(&script.steps, "");
        player.finish()?;
        let _ = outcome.with_context(|| format!("script `{}`", script.name))?;
        let events = player.events;
        let witness = between(server, &suite.between).with_context(|| format!("after script `{}`", script.name))?;
        let mut log = lines()?;
        // Which of two connections the server looks at first is up to timing.
        log.sort();
        played.push(Played { name: script.name.clone(), events, log });
        // Only now: its end belongs to the log of the next script.
        drop(witness);
    }
    Ok(Record { scripts: played })
}

/// Has a fresh connection served.
fn between(server: &Server, exchange: &Exchange) -> Result<Connection> {
    let mut connection = Connection::open(server.address, None, server.deadline)?;
    for _ in 0..ROUNDS_BETWEEN {
        let mut received = Vec::new();
        connection.send(&exchange.text);
        let found = connection.read(Until::Text(&exchange.until), &mut received);
        ensure!(
            found == Outcome::Open,
            "`{}` on a fresh connection was answered `{}`, and the connection is {found}; `{}` was expected",
            escape(&exchange.text),
            escape(&received),
            escape(&exchange.until)
        );
    }
    Ok(connection)
}

struct Player<'a> {
    server: &'a Server,
    suite: &'a Suite,
    /// The round of the repeated step that is being played, from 1.
    round: Option<u32>,
    connections: BTreeMap<String, Connection>,
    events: Vec<Event>,
    stopped: Option<Process>,
}

impl<'a> Player<'a> {
    fn new(server: &'a Server, suite: &'a Suite) -> Self {
        Player { server, suite, round: None, connections: BTreeMap::new(), events: Vec::new(), stopped: None }
    }

    /// Breaks where the rest of the script makes no sense.
    fn steps(&mut self, steps: &[Step], prefix: &str) -> Result<ControlFlow<()>> {
        for (at, step) in steps.iter().enumerate() {
            let number = format!("{prefix}{}", at + 1);
            let flow = match step {
                Step::Repeat { times, steps } => self.repeat(*times, steps, &number)?,
                step => self.step(step, &number).with_context(|| format!("step {number}"))?,
            };
            if flow.is_break() {
                return Ok(Break(()));
            }
        }
        Ok(Continue(()))
    }

    fn repeat(&mut self, times: u32, steps: &[Step], number: &str) -> Result<ControlFlow<()>> {
        let before = self.round;
        for round in 1..=times {
            self.round = Some(round);
            if self.steps(steps, &format!("{number}/{round}/"))?.is_break() {
                return Ok(Break(()));
            }
        }
        self.round = before;
        Ok(Continue(()))
    }

    fn step(&mut self, step: &Step, number: &str) -> Result<ControlFlow<()>> {
        match step {
            Step::Connect { on, receive_buffer_bytes } => {
                let connection = Connection::open(self.server.address, *receive_buffer_bytes, self.server.deadline)?;
                let name = self.filled(on);
                ensure!(self.connections.insert(name, connection).is_none(), "`{on}` is connected already");
            }
            Step::Send(send) => return self.send(send, number),
            Step::Read(read) => return self.read(read, number),
            Step::Await { on, bytes } => {
                let (name, start) = (self.filled(on), Instant::now());
                while self.connection(&name)?.unread()? < *bytes {
                    if start.elapsed() > self.server.deadline {
                        return Ok(self.note(number, format!("{name} awaits {bytes} bytes"), vec![], Outcome::Overdue));
                    }
                    std::thread::sleep(PAUSE);
                }
            }
            Step::AskUntil { on, contains, ask } => {
                return self.ask(on, contains, ask.as_ref().unwrap_or(&self.suite.state), number);
            }
            Step::ShutDown { on, way } => {
                let way = match way {
                    Way::Read => Shutdown::Read,
                    Way::Write => Shutdown::Write,
                    Way::Both => Shutdown::Both,
                };
                let name = self.filled(on);
                self.connection(&name)?.shut_down(way)?;
            }
            Step::Close { on } => drop(self.taken(on)?),
            Step::Reset { on } => self.taken(on)?.reset()?,
            Step::Pause { ms } => std::thread::sleep(Duration::from_millis(*ms)),
            Step::StopServer {} => {
                let process = Process::read(&self.server.pid_file)?;
                self.stopped = Some(process);
                process.stop(self.server.deadline)?;
            }
            Step::ContinueServer {} => self.stopped.take().context("the server is not stopped")?.go_on()?,
            Step::Repeat { .. } => unreachable!("played by `repeat`"),
        }
        Ok(Continue(()))
    }

    fn send(&mut self, send: &Send, number: &str) -> Result<ControlFlow<()>> {
        let name = self.filled(&send.on);
        let mut bytes = Vec::new();
        for time in 1..=send.times {
            match (&send.text, send.lines_bytes, send.garbage_bytes) {
                (Some(text), ..) if send.times > 1 => bytes.extend(unescape(&text.replace("{n}", &time.to_string()))?),
                (Some(text), ..) => bytes.extend(unescape(&self.filled(text))?),
                (_, Some(size), _) => bytes.extend(payload::lines(size)),
                (.., Some(size)) => bytes.extend(payload::garbage(size, send.seed)),
                (None, None, None) => unreachable!("refused by `validate`"),
            }
        }
        let connection = self.connection(&name)?;
        let urgent = if send.urgent { bytes.pop() } else { None };
        let pieces = bytes.chunks(send.piece_bytes.unwrap_or(usize::MAX));
        let mut outcomes = pieces.map(|piece| connection.send(piece));
        let mut found = outcomes.find(|found| *found != Outcome::Open);
        if let (None, Some(byte)) = (&found, urgent) {
            found = Some(connection.send_urgent(byte)).filter(|found| *found != Outcome::Open);
        }
        match found {
            Some(found) if !send.may_fail || found == Outcome::Overdue => {
                Ok(self.note(number, format!("{name} sends"), vec![], found))
            }
            _ => Ok(Continue(())),
        }
    }

    fn read(&mut self, read: &Read, number: &str) -> Result<ControlFlow<()>> {
        let name = self.filled(&read.on);
        let text = unescape(&self.filled(read.until.as_deref().unwrap_or_default()))?;
        let (until, action) = match read.bytes {
            Some(size) => (Until::Bytes(size), format!("{name} reads {size} bytes")),
            None if read.until_end => (Until::End, format!("{name} reads to the end")),
            None => (Until::Text(&text), format!("{name} reads until `{}`", shortened(&escape(&text)))),
        };
        let mut received = Vec::new();
        let connection = self.connection(&name)?;
        let mut found = connection.read(until, &mut received);
        connection.over = matches!(found, Outcome::Ended | Outcome::Reset);
        if read.any_end && matches!(found, Outcome::Ended | Outcome::Reset) {
            found = Outcome::Closed;
        }
        if read.only_end {
            received.clear();
        }
        if let Some(mask) = &read.mask {
            received = mask.replace_all(&String::from_utf8_lossy(&received), "…").into_owned().into_bytes();
        }
        Ok(self.note(number, action, received, found))
    }

    fn ask(&mut self, on: &str, contains: &str, ask: &Exchange, number: &str) -> Result<ControlFlow<()>> {
        let name = self.filled(on);
        let (contains, start) = (unescape(&self.filled(contains))?, Instant::now());
        loop {
            let mut answer = Vec::new();
            let connection = self.connection(&name)?;
            connection.send(&ask.text);
            let found = connection.read(Until::Text(&ask.until), &mut answer);
            if found == Outcome::Open && answer.windows(contains.len()).any(|window| window == contains) {
                return Ok(Continue(()));
            }
            if found != Outcome::Open || start.elapsed() > self.server.deadline {
                let action = format!("{name} asks until the answer contains `{}`", shortened(&escape(&contains)));
                return Ok(self.note(number, action, answer, Outcome::Overdue));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Records what a step observed, and breaks when the next one would wait for nothing.
    fn note(&mut self, step: &str, action: String, received: Vec<u8>, outcome: Outcome) -> ControlFlow<()> {
        let overdue = outcome == Outcome::Overdue;
        self.events.push(Event { step: step.to_owned(), action, received, outcome });
        if overdue { Break(()) } else { Continue(()) }
    }

    /// Lets the server go on and records what has come to connections that are left.
    fn finish(&mut self) -> Result<()> {
        if let Some(process) = self.stopped.take() {
            process.go_on()?;
        }
        self.connections.retain(|_, connection| !connection.over);
        if !self.connections.is_empty() {
            std::thread::sleep(QUIET);
        }
        for (name, mut connection) in std::mem::take(&mut self.connections) {
            let mut received = Vec::new();
            let found = connection.drain(&mut received)?;
            let _ = self.note("end", format!("{name} is left"), received, found);
        }
        Ok(())
    }

    /// With the number of the round.
    fn filled(&self, text: &str) -> String {
        self.round.map_or_else(|| text.to_owned(), |round| text.replace("{n}", &round.to_string()))
    }

    fn connection(&mut self, name: &str) -> Result<&mut Connection> {
        self.connections.get_mut(name).with_context(|| format!("`{name}` is not connected"))
    }

    fn taken(&mut self, name: &str) -> Result<Connection> {
        let name = self.filled(name);
        self.connections.remove(&name).with_context(|| format!("`{name}` is not connected"))
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
