//! One thread's share of a load: its connections and the event loop over them.

mod closed;
mod open;
mod tally;

pub(crate) use tally::Tally;

use crate::connection::{Arrived, Connection, Sent};
use crate::failure::Failure;
use crate::mix::{Mix, Operation, Request};
use crate::protocol::{Protocol, Template};
use crate::schedule::Schedule;
use crate::settings::{Settings, Workload};
use crate::values::Values;
use anyhow::{Context, Result};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
use std::io::ErrorKind;
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// As much as one read takes: many answers, or a piece of a large one.
const CHUNK_BYTES: usize = 64 << 10;
/// How many events one wait brings at most.
const MAX_EVENTS: usize = 1024;
/// The timer's token; connections have their index.
const TIMER: Token = Token(usize::MAX);

/// Connections, and what is needed to ask and to judge.
#[derive(Debug)]
pub(crate) struct Worker {
    protocol: Protocol,
    get: Template,
    set: Template,
    command: Option<Template>,
    command_answers_number: bool,
    values: Values,
    mix: Mix,
    strict: bool,
    answer_deadline: Duration,
    connections: Vec<Connection>,
    poll: Poll,
    events: Events,
    timer: OwnedFd,
    chunk: Vec<u8>,
}

/// Something to do until it is done.
#[derive(Debug)]
pub(crate) struct Job {
    pub source: Source,
    pub limit: Limit,
    pub pace: Pace,
    /// Whether requests are timed.
    pub latency: bool,
}

/// Where requests come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Each of these keys is written once.
    Keys(Range<u64>),
    /// They are drawn.
    Drawn,
}

/// When the last request has been made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    Requests(u64),
    AfterNs(u64),
}

/// When a request is made; `depth` is the largest number outstanding on a connection.
#[derive(Debug)]
pub(crate) enum Pace {
    Closed { depth: usize },
    Open { schedule: Schedule, depth: usize, give_up_lag_ns: Option<u64> },
}

/// A job being done.
struct Drive<'a> {
    worker: &'a mut Worker,
    stop: &'a AtomicBool,
    source: Source,
    limit: Limit,
    /// None if nothing depends on the time.
    clock: Option<Instant>,
    latency: bool,
    now_ns: u64,
    made: u64,
    outstanding: usize,
    /// The connections of the last wait: index, and whether the server has sent its last byte.
    ready: Vec<(usize, bool)>,
    tally: Tally,
}

impl Worker {
    /// A worker that owns these connections, each with its number.
    pub(crate) fn new(settings: &Settings, thread: u32, streams: Vec<(usize, TcpStream)>) -> Result<Self> {
        let value_bytes = settings.value_bytes as usize;
        let (command, command_answers_number) = match &settings.workload {
            Workload::Mix(_) => (None, false),
            Workload::Command(text) => (Some(Template::redis(text, value_bytes)), tally::answers_number(text)),
        };
        let poll = Poll::new().context("making an event loop")?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)
            .context("making a timer")?;
        poll.registry()
            .register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)
            .context("adding the timer to the event loop")?;
        let mut connections = Vec::with_capacity(streams.len());
        for (index, (number, stream)) in streams.into_iter().enumerate() {
            stream.set_nonblocking(true).context("making a connection non-blocking")?;
            let mut stream = mio::net::TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)
                .context("adding a connection to the event loop")?;
            connections.push(Connection::new(number, stream));
        }
        Ok(Worker {
            protocol: settings.protocol,
            get: Template::get(settings.protocol),
            set: Template::set(settings.protocol, value_bytes),
            command,
            command_answers_number,
            values: Values::new(value_bytes),
            mix: Mix::new(settings, thread)?,
            strict: settings.strict,
            answer_deadline: Duration::from_secs(settings.answer_deadline_s),
            connections,
            poll,
            events: Events::with_capacity(MAX_EVENTS),
            timer,
            chunk: vec![0; CHUNK_BYTES],
        })
    }

    /// Does a job. Ends early, without an error of its own, once `stop` is set.
    pub(crate) fn run(&mut self, job: Job, stop: &AtomicBool) -> Result<Tally> {
        let timed = job.latency || matches!(job.limit, Limit::AfterNs(_)) || matches!(job.pace, Pace::Open { .. });
        let mut drive = Drive {
            worker: self,
            stop,
            source: job.source,
            limit: job.limit,
            clock: timed.then(Instant::now),
            latency: job.latency,
            now_ns: 0,
            made: 0,
            outstanding: 0,
            ready: Vec::with_capacity(MAX_EVENTS),
            tally: Tally::new()?,
        };
        match job.pace {
            Pace::Closed { depth } => drive.closed(depth)?,
            Pace::Open { schedule, depth, give_up_lag_ns } => drive.open(schedule, depth, give_up_lag_ns)?,
        }
        Ok(drive.tally)
    }
}

impl Drive<'_> {
    fn tick(&mut self) {
        if let Some(clock) = self.clock {
            self.now_ns = clock.elapsed().as_nanos() as u64;
        }
    }

    /// Whether a request that belongs to the time `at_ns` is still to be made.
    fn wants_more(&self, at_ns: u64) -> bool {
        match self.limit {
            Limit::Requests(requests) => self.made < requests,
            Limit::AfterNs(end_ns) => at_ns < end_ns,
        }
    }

    /// Draws a request and puts it on a connection, unsent.
    fn make(&mut self, index: usize, since_ns: u64) {
        let worker = &mut *self.worker;
        let request = match &mut self.source {
            Source::Drawn => worker.mix.draw(),
            Source::Keys(keys) => {
                let key = keys.start;
                keys.start += 1;
                Request { operation: Operation::Set, key }
            }
        };
        let template = match request.operation {
            Operation::Get => &worker.get,
            Operation::Set => &worker.set,
            Operation::Command => worker.command.as_ref().expect("only a workload with a command draws one"),
        };
        worker.connections[index].push(Sent { request, since_ns }, template, &worker.values);
        self.made += 1;
        self.outstanding += 1;
        self.tally.made(request.operation);
    }

    /// Sends what is unsent on a connection.
    fn flush(&mut self, index: usize) -> Result<()> {
        match self.worker.connections[index].flush() {
            Ok(size) => self.tally.sent_bytes += size as u64,
            Err(error) => self.lose(index, &format!("writing failed: {error}"))?,
        }
        Ok(())
    }

    /// Waits for something to happen; false if nothing did until the deadline. `ready` is in the order of the
    /// connections, so that what follows does not depend on the order in which the kernel lists them.
    fn wait(&mut self) -> Result<bool> {
        self.ready.clear();
        let worker = &mut *self.worker;
        match worker.poll.poll(&mut worker.events, Some(worker.answer_deadline)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            result => result.context("waiting for the server")?,
        }
        let connections = worker.events.iter().filter(|event| event.token() != TIMER);
        self.ready.extend(connections.map(|event| (event.token().0, event.is_read_closed() || event.is_error())));
        self.ready.sort_unstable();
        Ok(!worker.events.is_empty())
    }

    /// Reads and judges what has arrived on a connection.
    fn receive(&mut self, index: usize, closed: bool) -> Result<()> {
        while !self.worker.connections[index].lost {
            let Worker { connections, chunk, .. } = &mut *self.worker;
            match connections[index].read(chunk) {
                Ok(Arrived::Nothing) => return Ok(()),
                Ok(Arrived::End) => self.lose(index, "the server closed the connection")?,
                Err(error) => self.lose(index, &format!("reading failed: {error}"))?,
                Ok(Arrived::Bytes(size)) => {
                    self.absorb(index, size)?;
                    // epoll(7): a read that is not full has emptied the socket, and new bytes are a new event; an end
                    // that was there already is not.
                    if size < CHUNK_BYTES && !closed {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Judges what lies in the chunk.
    fn absorb(&mut self, index: usize, size: usize) -> Result<()> {
        self.tick();
        self.tally.received_bytes += size as u64;
        let Worker { connections, chunk, values, command_answers_number, protocol, .. } = &mut *self.worker;
        let connection = &mut connections[index];
        let number = connection.number;
        let now_ns = self.latency.then_some(self.now_ns);
        let before = connection.outstanding.len();
        let result = connection.absorb(*protocol, &chunk[..size], |sent, answer| {
            self.tally.judge(number, sent, &answer, values.of(sent.request.key), *command_answers_number, now_ns);
        });
        self.outstanding -= before - connection.outstanding.len();
        match result {
            Ok(()) => self.check_strict(),
            Err(nonsense) => self.lose(index, &nonsense.0),
        }
    }

    /// Gives a connection up: what was asked on it counts as errors.
    fn lose(&mut self, index: usize, why: &str) -> Result<()> {
        let Worker { connections, poll, .. } = &mut *self.worker;
        let connection = &mut connections[index];
        if connection.lost {
            return Ok(());
        }
        connection.lost = true;
        poll.registry().deregister(&mut connection.stream).context("taking a connection out of the event loop")?;
        // It may be closed already, which is as good.
        let _ = connection.stream.shutdown(Shutdown::Both);
        self.outstanding -= connection.outstanding.len();
        self.tally.lost(connection.number, connection.outstanding.len(), why);
        connection.outstanding.clear();
        self.check_strict()
    }

    fn check_strict(&self) -> Result<()> {
        match &self.tally.errors.first {
            Some(first) if self.worker.strict => Err(Failure::new(
                first.clone(),
                "look into the server's log; if something else writes these keys, or wrote them with another \
                 --value-bytes, empty the server; without --strict, errors are counted and the run goes on",
            )),
            _ => Ok(()),
        }
    }

    /// Whether another thread has failed.
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn stalled(&self) -> anyhow::Error {
        Failure::new(
            format!(
                "the server answered none of {} requests for {} s",
                self.outstanding,
                self.worker.answer_deadline.as_secs()
            ),
            "see whether it still runs; --answer-deadline-s allows more time",
        )
    }

    /// An error if no connection is left.
    fn check_alive(&self) -> Result<()> {
        let connections = &self.worker.connections;
        if connections.iter().any(|connection| !connection.lost) {
            return Ok(());
        }
        let why = self.tally.errors.first.as_deref().unwrap_or("they were lost before this part of the run");
        Err(Failure::new(
            format!("all {} connections of a thread are lost: {why}", connections.len()),
            "look into the server's log; it may allow fewer connections",
        ))
    }
}
