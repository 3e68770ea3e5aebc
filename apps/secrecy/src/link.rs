//! One connection to another party.

use crate::error::{Direction, Error, Result};
use crate::frame::{self, HEADER_BYTES, Header, Kind, LinkKey, MAX_REASON_BYTES};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// How a party waits.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// How long a message may take. A wait ends at most an eighth of it later.
    pub deadline: Duration,
    /// Whether sockets are polled in a loop instead of blocking in the kernel.
    pub spin: bool,
}

/// Most bytes of a call: small enough that three parties that all send before they receive never fill the buffers
/// between them (`Net::exchange`).
pub const CHUNK_BYTES: usize = 16 << 10;
/// Polls between two looks at the clock, after which other threads of this processor get a turn: parties that share
/// one would else wait for each other until the scheduler takes it from them.
const POLLS_A_TURN: u32 = 64;
/// How long a party that failed tries to tell the others, and looks for what the others told.
const LAST_WORDS: Duration = Duration::from_millis(300);

pub struct Link {
    pub peer: usize,
    /// Who it is, the first message says.
    any_sender: bool,
    me: usize,
    stream: TcpStream,
    pub key: LinkKey,
    waiting: Waiting,
    sent: u64,
    received: u64,
    /// The frame that is being sent, and how much of it has been.
    outgoing: Vec<u8>,
    pub sent_bytes: usize,
    /// The frame that is being received, at its expected length, and how much of it has been.
    incoming: Vec<u8>,
    pub received_bytes: usize,
}

/// The clock of one wait.
pub struct Wait {
    began: Instant,
    waiting: Waiting,
    polls: u32,
}

impl Wait {
    pub fn new(waiting: Waiting) -> Wait {
        Wait { began: Instant::now(), waiting, polls: 0 }
    }

    /// Notes that not everything has come. Whether the deadline is past.
    pub fn is_over(&mut self) -> bool {
        self.polls = self.polls.wrapping_add(1);
        if self.waiting.spin {
            std::hint::spin_loop();
            if !self.polls.is_multiple_of(POLLS_A_TURN) {
                return false;
            }
            std::thread::yield_now();
        }
        self.began.elapsed() >= self.waiting.deadline
    }
}

fn is_wait(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

impl Link {
    pub fn new(me: usize, peer: usize, stream: TcpStream, waiting: Waiting) -> Result<Link> {
        let tick = (waiting.deadline / 8).max(Duration::from_millis(1));
        let set = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(tick)))
            .and_then(|()| stream.set_write_timeout(Some(tick)))
            .and_then(|()| stream.set_nonblocking(waiting.spin));
        set.map_err(|source| Error::Setup { action: format!("preparing the connection to party {peer}"), source })?;
        Ok(Link {
            peer,
            any_sender: false,
            me,
            stream,
            key: LinkKey::default(),
            waiting,
            sent: 0,
            received: 0,
            outgoing: Vec::new(),
            sent_bytes: 0,
            incoming: Vec::new(),
            received_bytes: 0,
        })
    }

    /// Takes the sender of the first message for the peer.
    pub fn expect_any_sender(&mut self) {
        self.any_sender = true;
    }

    /// Makes `words` the frame to send.
    pub fn begin_send(&mut self, kind: Kind, words: &[u64]) -> Result<()> {
        let content_bytes = 8 * words.len();
        if u32::try_from(content_bytes).is_err() {
            return Err(Error::TooLarge {
                what: "a message, in bytes,",
                found: content_bytes,
                limit: u32::MAX as usize,
            });
        }
        self.outgoing.resize(HEADER_BYTES + content_bytes, 0);
        for (bytes, word) in self.outgoing[HEADER_BYTES..].chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        frame::seal(&mut self.outgoing, self.key, kind, self.me as u8, self.sent);
        self.sent_bytes = 0;
        Ok(())
    }

    pub fn begin_receive(&mut self, words: usize) {
        self.incoming.resize(HEADER_BYTES + 8 * words, 0);
        self.received_bytes = 0;
    }

    pub fn is_sent(&self) -> bool {
        self.sent_bytes == self.outgoing.len()
    }

    pub fn is_received(&self) -> bool {
        self.received_bytes == self.incoming.len()
    }

    /// Sends what one call takes. False if that is nothing.
    pub fn send_some(&mut self) -> Result<bool> {
        let end = self.outgoing.len().min(self.sent_bytes + CHUNK_BYTES);
        match self.stream.write(&self.outgoing[self.sent_bytes..end]) {
            Ok(0) => Err(self.lost(Direction::Sent, None)),
            Ok(count) => {
                self.sent_bytes += count;
                self.sent += u64::from(self.is_sent());
                Ok(true)
            }
            Err(error) if is_wait(error.kind()) => Ok(false),
            Err(error) => Err(self.lost(Direction::Sent, Some(error))),
        }
    }

    /// Receives what one call brings. False if that is nothing.
    pub fn receive_some(&mut self, kind: Kind) -> Result<bool> {
        let end = self.incoming.len().min(self.received_bytes + CHUNK_BYTES);
        match self.stream.read(&mut self.incoming[self.received_bytes..end]) {
            Ok(0) => Err(self.lost(Direction::Received, None)),
            Ok(count) => {
                let had_header = self.received_bytes >= HEADER_BYTES;
                self.received_bytes += count;
                if !had_header && self.received_bytes >= HEADER_BYTES {
                    self.check_header(kind)?;
                }
                if self.is_received() {
                    self.check_content()?;
                    self.received += 1;
                }
                Ok(true)
            }
            Err(error) if is_wait(error.kind()) => Ok(false),
            Err(error) => Err(self.lost(Direction::Received, Some(error))),
        }
    }

    fn check_header(&mut self, kind: Kind) -> Result<()> {
        let (peer, sequence) = (self.peer, self.received);
        let foreign = |found: &str| Error::Foreign { peer, sequence, found: found.to_owned() };
        let header = Header::parse(&self.incoming).ok_or_else(|| foreign("no header of this protocol"))?;
        if std::mem::take(&mut self.any_sender) && header.sender < 3 {
            self.peer = header.sender.into();
        }
        if usize::from(header.sender) != self.peer {
            return Err(foreign(&format!("a message of party {}", header.sender)));
        }
        if header.kind == Kind::Abort {
            return Err(self.aborted(header));
        }
        if header.kind != kind {
            return Err(foreign(&format!("a message of the kind {:?}", header.kind)));
        }
        if header.sequence != sequence {
            return Err(Error::Sequence { peer, expected: sequence, found: header.sequence });
        }
        let expected = self.incoming.len() - HEADER_BYTES;
        let found = header.content_bytes as usize;
        if found != expected { Err(Error::Length { peer, sequence, expected, found }) } else { Ok(()) }
    }

    fn check_content(&self) -> Result<()> {
        let found = Header::parse(&self.incoming).map_or(0, |header| header.checksum);
        let expected = frame::checksum(&self.incoming, self.key);
        if found == expected {
            return Ok(());
        }
        Err(Error::Corrupt { peer: self.peer, sequence: self.received, expected, found })
    }

    /// The content of the frame that was received.
    pub fn words(&self) -> Vec<u64> {
        let content = self.incoming[HEADER_BYTES..].chunks_exact(8);
        content.map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes"))).collect()
    }

    pub fn late(&self, doing: Direction) -> Error {
        let sequence = self.sequence(doing);
        Error::Timeout { peer: self.peer, sequence, doing, deadline_ms: self.waiting.deadline.as_millis() }
    }

    fn sequence(&self, doing: Direction) -> u64 {
        if doing == Direction::Sent { self.sent } else { self.received }
    }

    /// The reason why a connection is gone: what the other party said last, if it did.
    fn lost(&mut self, doing: Direction, source: Option<std::io::Error>) -> Error {
        let (peer, sequence) = (self.peer, self.sequence(doing));
        let at_start_of_frame = self.received_bytes == 0 || self.is_received();
        if doing == Direction::Sent && at_start_of_frame {
            self.begin_receive(0);
            self.read_last_words(HEADER_BYTES);
            let header = Header::parse(&self.incoming[..self.received_bytes]);
            if let Some(header) = header.filter(|header| header.kind == Kind::Abort) {
                return self.aborted(header);
            }
        }
        match source {
            Some(source) => Error::Io { peer, sequence, doing, source },
            None => Error::Closed { peer, sequence, doing },
        }
    }

    /// Completes the frame of an abort, of which the header has arrived.
    fn aborted(&mut self, header: Header) -> Error {
        let size = HEADER_BYTES + (header.content_bytes as usize).min(MAX_REASON_BYTES);
        self.incoming.resize(size.max(self.received_bytes), 0);
        self.read_last_words(size);
        self.incoming.truncate(size);
        let found = header.checksum;
        let expected = frame::checksum(&self.incoming, self.key);
        if found != expected {
            return Error::Corrupt { peer: self.peer, sequence: header.sequence, expected, found };
        }
        let reason = String::from_utf8_lossy(&self.incoming[HEADER_BYTES..]).trim_end_matches('\0').to_owned();
        Error::Aborted { peer: self.peer, reason }
    }

    /// Reads until `size` bytes of a frame are there, for a short while and as far as it goes.
    fn read_last_words(&mut self, size: usize) {
        self.incoming.resize(size.max(self.incoming.len()), 0);
        let _ = self.stream.set_nonblocking(false);
        let _ = self.stream.set_read_timeout(Some(LAST_WORDS));
        while self.received_bytes < size {
            match self.stream.read(&mut self.incoming[self.received_bytes..size]) {
                Ok(0) | Err(_) => break,
                Ok(count) => self.received_bytes += count,
            }
        }
    }

    /// Tells the other party why this one gives up, if it still listens, and closes the connection.
    pub fn abort(&mut self, reason: &str) {
        let mut end = reason.len().min(MAX_REASON_BYTES);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let mut frame = vec![0; HEADER_BYTES];
        frame.extend_from_slice(&reason.as_bytes()[..end]);
        frame::seal(&mut frame, self.key, Kind::Abort, self.me as u8, self.sent);
        // The run has failed already; a peer that cannot be told finds the connection closed.
        let _ = self.stream.set_nonblocking(false);
        let _ = self.stream.set_write_timeout(Some(LAST_WORDS));
        let _ = self.stream.write_all(&frame);
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Says that nothing more will be sent.
    pub fn end_sending(&mut self) -> Result<()> {
        let ended = self.stream.shutdown(Shutdown::Write);
        ended.map_err(|source| self.lost(Direction::Sent, Some(source)))
    }

    /// Waits until the other party has said the same, twice as long as for a message: a party that did not get the last
    /// one says so within that time. A message that was received already and comes again changes nothing; anything else
    /// is an error.
    pub fn await_end(&mut self, words: usize) -> Result<()> {
        let mut wait = Wait::new(Waiting { deadline: 2 * self.waiting.deadline, ..self.waiting });
        self.begin_receive(words);
        let mut is_repeated = false;
        loop {
            match self.receive_some(Kind::Data) {
                Err(Error::Closed { .. }) if self.received_bytes == 0 => return Ok(()),
                Err(Error::Sequence { expected, found, .. }) if found < expected => is_repeated = true,
                Err(error) => return Err(error),
                Ok(false) if wait.is_over() => return Err(self.late(Direction::Received)),
                Ok(_) => (),
            }
            if self.is_received() {
                self.check_content()?;
                if !std::mem::take(&mut is_repeated) {
                    let (peer, sequence) = (self.peer, self.received);
                    return Err(Error::Foreign { peer, sequence, found: "a message after the last".to_owned() });
                }
                self.begin_receive(words);
            }
        }
    }
}
