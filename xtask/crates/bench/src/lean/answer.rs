//! Waiting for a server's first answer, with a fresh connection every 20 ms.
//!
//! QEMU's user network accepts at once and forgets what it sent before the guest's card was up, so the answer comes over a
//! connection made after that. One at a time that waits for its answer would measure its own patience.

use crate::requests::Requests;
use anyhow::{Result, bail};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Time between two connections.
const PERIOD: Duration = Duration::from_millis(20);
/// How often all of them are looked at: the error of the figure.
const LOOK: Duration = Duration::from_millis(1);
/// A connection that has waited for this long is given up.
const PATIENCE: Duration = Duration::from_millis(500);

/// A question and how its answer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    ask: &'static [u8],
    answer: &'static [u8],
}

impl Question {
    /// The shortest one in the protocol of `[requests]`.
    pub(super) fn of(requests: &Requests) -> Result<Self> {
        match requests.protocol.as_str() {
            "redis" => Ok(Question { ask: b"PING\r\n", answer: b"+PONG\r\n" }),
            "memcached" => Ok(Question { ask: b"version\r\n", answer: b"VERSION " }),
            other => bail!("`requests.protocol` is `{other}`; `redis` or `memcached` was expected"),
        }
    }
}

/// A connection on which the question has been asked.
struct Asked {
    since: Instant,
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Asked {
    fn new(port: u16, question: Question) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), PERIOD)?;
        stream.set_nonblocking(true)?;
        stream.write_all(question.ask)?;
        Ok(Asked { since: Instant::now(), stream, heard: Vec::new() })
    }

    /// Reads what is there; false when nothing more can come.
    fn listen(&mut self) -> bool {
        let mut bytes = [0; 64];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(count) => {
                self.heard.extend(&bytes[..count]);
                true
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock && self.since.elapsed() < PATIENCE,
        }
    }
}

/// The time from `start` to the first answer; `none` when there is none by the deadline. `check` is asked now and then and
/// may end the wait.
pub(super) fn first(
    start: Instant,
    port: u16,
    question: Question,
    deadline: Duration,
    mut check: impl FnMut() -> Result<()>,
) -> Result<Option<Duration>> {
    let (mut asked, mut last): (Vec<Asked>, Option<Instant>) = (Vec::new(), None);
    while start.elapsed() < deadline {
        if last.is_none_or(|last| last.elapsed() >= PERIOD) {
            check()?;
            last = Some(Instant::now());
            // Refused until QEMU listens, which is no news.
            asked.extend(Asked::new(port, question));
        }
        asked.retain_mut(Asked::listen);
        if asked.iter().any(|asked| asked.heard.starts_with(question.answer)) {
            return Ok(Some(start.elapsed()));
        }
        std::thread::sleep(LOOK);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const QUESTION: Question = Question { ask: b"PING\r\n", answer: b"+PONG\r\n" };

    #[test]
    fn a_connection_that_is_never_answered_does_not_hold_up_the_next() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let _silent = listener.accept().unwrap();
            let (mut second, _) = listener.accept().unwrap();
            second.write_all(b"+PONG\r\n").unwrap();
            // Closed only once the answer has been read.
            second.read_to_end(&mut Vec::new()).unwrap_or(0)
        });
        assert!(first(Instant::now(), port, QUESTION, Duration::from_secs(20), || Ok(())).unwrap().is_some());
        server.join().unwrap();
    }

    #[test]
    fn nobody_there_is_no_answer() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert_eq!(first(Instant::now(), port, QUESTION, Duration::from_millis(60), || Ok(())).unwrap(), None);
    }

    #[test]
    fn what_is_watched_ends_the_wait() {
        let error = first(Instant::now(), 1, QUESTION, Duration::from_secs(20), || bail!("it ended")).unwrap_err();
        assert_eq!(error.to_string(), "it ended");
    }
}
