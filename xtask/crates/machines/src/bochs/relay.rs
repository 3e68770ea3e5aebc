//! The way to the guest's shell: Bochs connects its serial port to a TCP port of this host, and whoever drives the machine
//! expects Unix sockets.

use anyhow::{Context, Result};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;
use ukl_vm::vm::protocol::STOP_REQUEST;

/// How long one look at a connection lasts. Both ends are on this host and say little.
const LOOK: Duration = Duration::from_millis(2);
/// What the request to stop becomes: there is no second console for init, so the shell does it.
const STOP_COMMAND: &str = "\nsync; poweroff -f\n";

/// Listens on the sockets and on a TCP port, which it returns. It ends when Bochs has closed its connection, or when the
/// sockets are removed before there was one.
pub(super) fn start(shell: &Path, control: &Path) -> Result<u16> {
    let listen = |path: &Path| {
        let listener = UnixListener::bind(path).with_context(|| format!("listening on {}", path.display()))?;
        listener.set_nonblocking(true).context("preparing a socket")?;
        Ok::<_, anyhow::Error>(listener)
    };
    let (shell_listener, control_listener) = (listen(shell)?, listen(control)?);
    let bochs = TcpListener::bind(("127.0.0.1", 0)).context("listening for Bochs")?;
    bochs.set_nonblocking(true).context("preparing a socket")?;
    let port = bochs.local_addr()?.port();
    let path = shell.to_owned();
    std::thread::spawn(move || {
        let serial = loop {
            match bochs.accept() {
                Ok((stream, _)) => break stream,
                Err(_) if !path.exists() => return,
                Err(_) => std::thread::sleep(LOOK),
            }
        };
        // An error is a machine that has ended, which its owner sees by itself.
        let _ = relay(serial, &shell_listener, &control_listener);
    });
    Ok(port)
}

/// Carries bytes between the serial port and the latest client of the shell.
fn relay(mut serial: TcpStream, shell: &UnixListener, control: &UnixListener) -> std::io::Result<()> {
    serial.set_nonblocking(false)?;
    serial.set_read_timeout(Some(LOOK))?;
    serial.set_nodelay(true)?;
    let mut client: Option<UnixStream> = None;
    let mut asking: Option<UnixStream> = None;
    let mut request = Vec::new();
    loop {
        accept(shell, &mut client)?;
        accept(control, &mut asking)?;
        match take(&mut serial)? {
            Taken::End => return Ok(()),
            Taken::Bytes(bytes) => {
                // As of a console that nobody looks at, what is not read is lost.
                if client.as_mut().is_some_and(|client| client.write_all(&bytes).is_err()) {
                    client = None;
                }
            }
        }
        if let Some(from) = &mut client {
            match take(from)? {
                Taken::End => client = None,
                Taken::Bytes(bytes) => serial.write_all(&bytes)?,
            }
        }
        if let Some(from) = &mut asking {
            match take(from)? {
                Taken::End => asking = None,
                Taken::Bytes(bytes) => request.extend(bytes),
            }
            if request.ends_with(STOP_REQUEST.as_bytes()) {
                request.clear();
                serial.write_all(STOP_COMMAND.as_bytes())?;
            }
        }
    }
}

/// Takes a new client in the place of the one before.
fn accept(listener: &UnixListener, client: &mut Option<UnixStream>) -> std::io::Result<()> {
    if let Ok((stream, _)) = listener.accept() {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(LOOK))?;
        *client = Some(stream);
    }
    Ok(())
}

/// What a look at a connection found.
enum Taken {
    Bytes(Vec<u8>),
    End,
}

fn take(stream: &mut impl Read) -> std::io::Result<Taken> {
    let mut buffer = [0; 4096];
    match stream.read(&mut buffer) {
        Ok(0) => Ok(Taken::End),
        Ok(count) => Ok(Taken::Bytes(buffer[..count].to_vec())),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
            Ok(Taken::Bytes(Vec::new()))
        }
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(Taken::End),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_hears_and_is_heard_and_the_request_becomes_a_command() {
        let dir = tempfile::tempdir().unwrap();
        let (shell, control) = (dir.path().join("shell"), dir.path().join("control"));
        let port = start(&shell, &control).unwrap();
        let mut serial = TcpStream::connect(("127.0.0.1", port)).unwrap();
        serial.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut client = UnixStream::connect(&shell).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut seen = [0; 5];
        client.write_all(b"echo\n").unwrap();
        serial.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"echo\n");
        serial.write_all(b"done\n").unwrap();
        client.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"done\n");
        let mut stop = vec![0; STOP_COMMAND.len()];
        UnixStream::connect(&control).unwrap().write_all(STOP_REQUEST.as_bytes()).unwrap();
        serial.read_exact(&mut stop).unwrap();
        assert_eq!(stop, STOP_COMMAND.as_bytes());
        drop(serial);
        assert_eq!(client.read(&mut seen).unwrap(), 0, "the shell ends with the machine");
    }
}
