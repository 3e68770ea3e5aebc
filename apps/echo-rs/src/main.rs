//! A TCP server that sends back what it gets: `echo-rs [PORT]`. Tokio with a thread per CPU; nothing in it knows of the kernel.
//! SIGTERM ends it with status 0.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::ExitCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

/// Where it listens unless it is told otherwise: that of RFC 862 is 7.
const PORT: u16 = 7007;
/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;
/// How much of a connection's data is under way at once.
const BUFFER_BYTES: usize = 16 << 10;

fn main() -> ExitCode {
    let argument = std::env::args().nth(1);
    let Ok(port) = argument.as_deref().map_or(Ok(PORT), str::parse) else {
        eprintln!("echo-rs: the port is {argument:?}; a number from 0 to 65535 was expected");
        return ExitCode::from(2);
    };
    match serve(port) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo-rs: port {port}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until SIGTERM.
#[tokio::main]
async fn serve(port: u16) -> std::io::Result<()> {
    let mut end = signal(SignalKind::terminate())?;
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
    // `TcpListener::bind` queues SOMAXCONN connections, which musl's headers say is 128.
    let listener = socket.listen(BACKLOG)?;
    println!("echo-rs listens on {}", listener.local_addr()?);
    loop {
        tokio::select! {
            _ = end.recv() => return Ok(()),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(tokio::spawn(echo(stream))),
                // Such as a client that was gone before it was accepted: the server goes on.
                Err(error) => eprintln!("echo-rs: accepting a connection: {error}"),
            },
        }
    }
}

/// One connection, up to its end. What a client that breaks off does is no error of the server.
async fn echo(mut stream: TcpStream) {
    // An answer that waits for a full segment would wait for the client's next request.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let Ok(length @ 1..) = stream.read(&mut buffer).await else { return };
        if stream.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
