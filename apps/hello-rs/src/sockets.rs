//! std::net over the loopback device.

use crate::{Outcome, same};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

/// Larger than the buffers of a socket, so that both sides wait for each other.
const BYTES: usize = 4 << 20;
const DEADLINE: Duration = Duration::from_secs(20);

/// A server thread sends back, turned round, what a client sends.
pub fn talk_over_loopback() -> Outcome {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || -> std::io::Result<usize> {
        let (mut stream, _) = listener.accept()?;
        let mut all = Vec::new();
        stream.read_to_end(&mut all)?;
        all.reverse();
        stream.write_all(&all)?;
        Ok(all.len())
    });
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    // Not periodic in any power of two.
    let sent: Vec<u8> = (0..BYTES as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
    stream.write_all(&sent)?;
    stream.shutdown(Shutdown::Write)?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received)?;
    received.reverse();
    same("whether the bytes came back", received == sent, true)?;
    same("how many the server saw", server.join().map_err(|_| "the server panicked")??, BYTES)?;
    let refused = TcpStream::connect_timeout(&address, DEADLINE).map(drop).map_err(|error| error.kind());
    same("a connect to the closed port", refused, Err(ErrorKind::ConnectionRefused))?;
    Ok(format!("{BYTES} bytes sent with those that came back, and a closed port with an error"))
}

/// Datagrams, and a read that times out.
pub fn exchange_datagrams() -> Outcome {
    let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    one.send_to(b"datagram", other.local_addr()?)?;
    let mut buffer = [0; 16];
    other.set_read_timeout(Some(DEADLINE))?;
    let (length, from) = other.recv_from(&mut buffer)?;
    same("the datagram", buffer.get(..length), Some(b"datagram".as_slice()))?;
    same("its sender", from, one.local_addr()?)?;
    one.set_read_timeout(Some(Duration::from_millis(20)))?;
    let nothing = one.recv(&mut buffer).map_err(|error| error.kind());
    same("a read of nothing", nothing, Err(ErrorKind::WouldBlock))?;
    Ok("a datagram and its sender with those that were sent".to_owned())
}
