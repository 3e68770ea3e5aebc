//! One connection of a client: it reads not a byte more than a step asks for, so that what a step records does not depend
//! on how the server's answers were cut into segments.

use crate::record::Outcome;
use anyhow::{Context, Result};
use rustix::net::{AddressFamily, SendFlags, SocketType, sockopt};
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddrV4, TcpStream};
use std::time::Duration;

/// How much is looked at in one go.
const CHUNK_BYTES: usize = 64 << 10;

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// Whether a read has met the end: there is nothing left to observe.
    pub over: bool,
}

/// How far to read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until<'a> {
    Bytes(usize),
    Text(&'a [u8]),
    End,
}

impl Connection {
    /// Connects; whatever waits later waits at most for `deadline`.
    pub(crate) fn open(target: SocketAddrV4, receive_buffer_bytes: Option<usize>, deadline: Duration) -> Result<Self> {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).context("making a socket")?;
        if let Some(size) = receive_buffer_bytes {
            // Before the connection: the window's scale depends on it.
            sockopt::set_socket_recv_buffer_size(&socket, size).context("setting the receive buffer")?;
        }
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(deadline))?;
        stream.set_write_timeout(Some(deadline))?;
        stream.set_nodelay(true)?;
        rustix::net::connect(&stream, &target).with_context(|| format!("connecting to {target}"))?;
        Ok(Connection { stream, over: false })
    }

    /// Sends everything.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Outcome {
        self.stream.write_all(bytes).map_or_else(|error| outcome(&error), |()| Outcome::Open)
    }

    /// Sends one byte as urgent data.
    pub(crate) fn send_urgent(&mut self, byte: u8) -> Outcome {
        match rustix::net::send(&self.stream, &[byte], SendFlags::OOB) {
            Ok(_) => Outcome::Open,
            Err(error) => outcome(&error.into()),
        }
    }

    /// Reads and appends to `received`.
    pub(crate) fn read(&mut self, until: Until, received: &mut Vec<u8>) -> Outcome {
        let start = received.len();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let here = received.len() - start;
            let wanted = match until {
                Until::Bytes(size) if here == size => return Outcome::Open,
                Until::Bytes(size) => CHUNK_BYTES.min(size - here),
                Until::Text(text) if received[start..].ends_with(text) => return Outcome::Open,
                // First a look: what comes after the text is left for the next step.
                Until::Text(text) => match self.stream.peek(&mut chunk) {
                    Ok(size) => up_to(&received[start..], &chunk[..size], text).max(1),
                    Err(error) => return outcome(&error),
                },
                Until::End => CHUNK_BYTES,
            };
            match self.stream.read(&mut chunk[..wanted]) {
                Ok(0) => return Outcome::Ended,
                Ok(size) => received.extend_from_slice(&chunk[..size]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return outcome(&error),
            }
        }
    }

    /// Reads what has arrived, without waiting for more.
    pub(crate) fn drain(&mut self, received: &mut Vec<u8>) -> Result<Outcome> {
        self.stream.set_nonblocking(true)?;
        let found = self.read(Until::End, received);
        // Without a deadline, that nothing is there looks like one that has passed.
        Ok(if found == Outcome::Overdue { Outcome::Open } else { found })
    }

    /// How many bytes have arrived that nobody has read.
    pub(crate) fn unread(&self) -> Result<u64> {
        Ok(rustix::io::ioctl_fionread(&self.stream)?)
    }

    pub(crate) fn shut_down(&self, way: Shutdown) -> Result<()> {
        self.stream.shutdown(way).context("shutting the connection down")
    }

    /// Closes with a reset; see SO_LINGER in socket(7).
    pub(crate) fn reset(self) -> Result<()> {
        sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO)).context("setting SO_LINGER")
    }
}

/// How much of `chunk`, which follows `before`, goes up to the end of the first `text`; all of it when there is none.
fn up_to(before: &[u8], chunk: &[u8], text: &[u8]) -> usize {
    let overlap = before.len().min(text.len() - 1);
    let seam = [&before[before.len() - overlap..], chunk].concat();
    let found = seam.windows(text.len()).position(|window| window == text);
    found.map_or(chunk.len(), |at| at + text.len() - overlap)
}

fn outcome(error: &Error) -> Outcome {
    match error.kind() {
        // What a time-out of a socket gives.
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Outcome::Overdue,
        ErrorKind::ConnectionReset => Outcome::Reset,
        ErrorKind::BrokenPipe => Outcome::Failed("broken pipe".to_owned()),
        _ => Outcome::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_across_the_seam_of_two_chunks() {
        assert_eq!(up_to(b"+PO", b"NG\r\n+OK", b"PONG\r\n"), 4);
        assert_eq!(up_to(b"", b"+PONG\r\n+OK", b"\r\n"), 7);
        assert_eq!(up_to(b"ab", b"cd", b"\r\n"), 2);
        assert_eq!(up_to(b"x\r", b"", b"\r\n"), 0);
    }
}
