//! One connection: what was asked and is not answered yet, and the bytes on their way in both directions.

use crate::mix::Request;
use crate::protocol::{Answer, Nonsense, Protocol, Template};
use crate::values::Values;
use mio::net::TcpStream;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Result, Write};
use std::mem;

/// A request that is not answered yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub request: Request,
    /// What its latency counts from.
    pub since_ns: u64,
}

#[derive(Debug)]
pub(crate) struct Connection {
    /// Among all of a session, from 0.
    pub number: usize,
    pub stream: TcpStream,
    /// Whether it is of no use any more.
    pub lost: bool,
    pub outstanding: VecDeque<Sent>,
    /// The beginning of an answer.
    partial: Vec<u8>,
    unsent: Vec<u8>,
    /// How much of `unsent` the kernel has taken.
    taken: usize,
}

/// What reading brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    Bytes(usize),
    Nothing,
    /// The server will send nothing more.
    End,
}

impl Connection {
    pub(crate) fn new(number: usize, stream: TcpStream) -> Self {
        Connection {
            number,
            stream,
            lost: false,
            outstanding: VecDeque::new(),
            partial: Vec::new(),
            unsent: Vec::new(),
            taken: 0,
        }
    }

    /// Adds a request to those that `flush` sends.
    pub(crate) fn push(&mut self, sent: Sent, template: &Template, values: &Values) {
        template.write(sent.request.key, values, &mut self.unsent);
        self.outstanding.push_back(sent);
    }

    /// Sends what there is, as far as the kernel takes it, and says how much that was.
    pub(crate) fn flush(&mut self) -> Result<usize> {
        let before = self.taken;
        while self.taken < self.unsent.len() {
            match self.stream.write(&self.unsent[self.taken..]) {
                Ok(size) => self.taken += size,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(self.taken - before),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let size = self.taken - before;
        self.unsent.clear();
        self.taken = 0;
        Ok(size)
    }

    /// Reads once.
    pub(crate) fn read(&mut self, chunk: &mut [u8]) -> Result<Arrived> {
        loop {
            match self.stream.read(chunk) {
                Ok(0) => return Ok(Arrived::End),
                Ok(size) => return Ok(Arrived::Bytes(size)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Arrived::Nothing),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the answers out of bytes that were read, in their order, and keeps an incomplete one for the next time.
    pub(crate) fn absorb(
        &mut self,
        protocol: Protocol,
        chunk: &[u8],
        mut judge: impl FnMut(Sent, Answer<'_>),
    ) -> std::result::Result<(), Nonsense> {
        let mut gathered = mem::take(&mut self.partial);
        // Nearly always whole answers arrive, and nothing needs to be copied.
        let bytes = if gathered.is_empty() {
            chunk
        } else {
            gathered.extend_from_slice(chunk);
            &gathered
        };
        let mut at = 0;
        while let Some((answer, size)) = protocol.parse(&bytes[at..])? {
            let Some(sent) = self.outstanding.pop_front() else {
                return Err(Nonsense(format!("{} although nothing was asked", answer.describe())));
            };
            judge(sent, answer);
            at += size;
        }
        if gathered.is_empty() {
            gathered.extend_from_slice(&chunk[at..]);
        } else {
            gathered.drain(..at);
        }
        self.partial = gathered;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::Operation;
    use std::net::TcpListener;

    /// A connection with three requests outstanding.
    fn connection() -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut connection = Connection::new(0, TcpStream::from_std(stream));
        let template = Template::get(Protocol::Redis);
        for key in 0..3 {
            let sent = Sent { request: Request { operation: Operation::Get, key }, since_ns: 0 };
            connection.push(sent, &template, &Values::new(0));
        }
        connection
    }

    #[test]
    fn answers_belong_to_requests_in_order_wherever_they_are_split() {
        let bytes = b"$5\r\nabcde\r\n$-1\r\n$0\r\n\r\n";
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let mut connection = connection();
                let mut answers = Vec::new();
                for chunk in [&bytes[..first], &bytes[first..second], &bytes[second..]] {
                    let judge = |sent: Sent, answer: Answer<'_>| answers.push((sent.request.key, answer.describe()));
                    connection.absorb(Protocol::Redis, chunk, judge).unwrap();
                }
                let expected = [(0, "a value of 5 bytes, \"abcde\""), (1, "a miss"), (2, "a value of 0 bytes, \"\"")];
                assert_eq!(answers, expected.map(|(key, text)| (key, text.to_owned())), "{first} {second}");
                assert!(connection.outstanding.is_empty() && connection.partial.is_empty());
            }
        }
    }

    #[test]
    fn an_answer_to_nothing_is_nonsense() {
        let mut connection = connection();
        let nonsense =
            connection.absorb(Protocol::Redis, b"+A\r\n+B\r\n+C\r\n-ERR too many\r\n", |_, _| ()).unwrap_err();
        assert_eq!(nonsense.0, "the error \"ERR too many\" although nothing was asked");
    }
}
