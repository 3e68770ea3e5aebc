//! A client of servers that answer a line with a line.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A connection.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects to a port of this host; the deadline is that of each answer.
    pub fn connect(port: u16, deadline: Duration) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).with_context(|| format!("connecting to port {port}"))?;
        stream
            .set_read_timeout(Some(deadline))
            .and_then(|()| stream.set_nodelay(true))
            .context("preparing a socket")?;
        Ok(Client { stream: BufReader::new(stream) })
    }

    /// Sends a line.
    pub fn send(&mut self, line: &str) -> Result<()> {
        self.stream.get_mut().write_all(format!("{line}\n").as_bytes()).context("sending a line")
    }

    /// The next line, without its end.
    pub fn receive(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).context("waiting for a line")?;
        match line.strip_suffix('\n') {
            Some(line) => Ok(line.to_owned()),
            None => bail!("the server ended the connection after {line:?}; a whole line was expected"),
        }
    }

    /// Sends a line and waits for the one that answers it.
    pub fn call(&mut self, line: &str) -> Result<String> {
        self.send(line)?;
        self.receive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_line_is_answered_and_half_a_line_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = String::new();
            BufReader::new(&stream).read_line(&mut asked).unwrap();
            stream.write_all(b"one\ntw").unwrap();
            asked
        });
        let mut client = Client::connect(port, Duration::from_secs(10)).unwrap();
        assert_eq!(client.call("hello").unwrap(), "one");
        assert_eq!(server.join().unwrap(), "hello\n");
        let error = client.receive().unwrap_err().to_string();
        assert_eq!(error, "the server ended the connection after \"tw\"; a whole line was expected");
    }
}
