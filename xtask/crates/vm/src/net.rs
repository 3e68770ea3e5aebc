//! The guest's network. passt forwards ports and holds hundreds of connections that open at once; QEMU's own user
//! network stalls at about fifty, so it is only the fallback.

use crate::qemu::{self, Network};
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use ukl_host::failure::Failure;
use ukl_host::process;

/// How long passt may take to listen.
const START_DEADLINE: Duration = Duration::from_secs(5);

/// Seven of these fit where one of passt's own size does, for users who get no large buffer.
const MTU_BYTES: &str = "9000";
/// Room for a burst of the largest packets; see `enlarge_buffer`.
static SOCKET_BUFFER_BYTES: libc::c_int = 16 << 20;

/// A port of this machine's loopback address that leads to a port of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    pub host: u16,
    pub guest: u16,
}

/// One end of a cable between two machines. The end is closed with the last copy of it; a machine that runs has its own.
#[derive(Clone, Debug)]
pub struct Cable {
    pub socket: Arc<OwnedFd>,
    /// The address of the card at this end.
    mac: String,
}

impl Cable {
    /// As QEMU is told.
    pub fn end(&self) -> qemu::Cable {
        qemu::Cable { descriptor: self.socket.as_raw_fd(), mac: self.mac.clone() }
    }
}

/// A cable between any two of so many machines: for each machine its ends, in the order of the others. No frame is lost,
/// and none passes a third machine.
pub fn cables(machines: u32) -> Result<Vec<Vec<Cable>>> {
    let mut ends: Vec<Vec<Cable>> = vec![Vec::new(); machines as usize];
    for first in 0..machines {
        for second in first + 1..machines {
            let (one, other) = UnixStream::pair().context("making a socket pair")?;
            for (socket, from, to) in [(one, first, second), (other, second, first)] {
                enlarge_buffer(socket.as_raw_fd());
                // Locally administered, and the same in every run.
                let mac = format!("52:54:00:07:{from:02x}:{to:02x}");
                ends[from as usize].push(Cable { socket: Arc::new(socket.into()), mac });
            }
        }
    }
    Ok(ends)
}

/// What must live as long as the machine does.
#[derive(Debug)]
pub struct Connection {
    pub network: Network,
    /// Our end of the pair whose other end passt holds; passt ends when QEMU and we have closed it.
    pub socket: Option<OwnedFd>,
    passt: Option<Child>,
}

impl Connection {
    /// QEMU's own user-mode network.
    pub fn user(forwards: &[Forward]) -> Self {
        let pairs = forwards.iter().map(|forward| (forward.host, forward.guest)).collect();
        Connection { network: Network::User(pairs), socket: None, passt: None }
    }

    /// Whether the guest's network is gone, which QEMU does not notice.
    pub fn has_ended(&mut self) -> Result<bool> {
        let Some(passt) = &mut self.passt else { return Ok(false) };
        Ok(passt.try_wait().context("asking for passt's state")?.is_some())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(passt) = &mut self.passt {
            let _ = passt.kill();
            let _ = passt.wait();
        }
    }
}

/// Fails if a port cannot be listened on, naming what to do about it.
pub fn check_free(forward: Forward) -> Result<()> {
    match TcpListener::bind(("127.0.0.1", forward.host)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(Failure::new(
            format!("port {} of 127.0.0.1 is not for this user: {error}", forward.host),
            "choose one above 1023 with `--port PORT`",
        )),
        Err(error) => Err(Failure::new(
            format!("port {} of 127.0.0.1 is taken: {error}", forward.host),
            "choose another with `--port PORT`, or end what listens there (`ss -ltnp` names it)",
        )),
    }
}

/// A port that nothing listens on now.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}

/// Connects a machine with these forwards; what passt prints goes to `log`.
pub fn connect(forwards: &[Forward], log: &Path) -> Result<Connection> {
    if forwards.is_empty() {
        return Ok(Connection { network: Network::None, socket: None, passt: None });
    }
    for forward in forwards {
        check_free(*forward)?;
    }
    match passt(forwards, log) {
        Ok(connection) => Ok(connection),
        Err(error) => {
            eprintln!("warning: passt does not work here: {error:#}");
            eprintln!("warning: using QEMU's user network, which stalls when about 50 connections open at once");
            Ok(Connection::user(forwards))
        }
    }
}

fn passt(forwards: &[Forward], log: &Path) -> Result<Connection> {
    let (ours, theirs) = UnixStream::pair().context("making a socket pair")?;
    let theirs = OwnedFd::from(theirs);
    for end in [ours.as_raw_fd(), theirs.as_raw_fd()] {
        enlarge_buffer(end);
    }
    let output = File::create(log).with_context(|| format!("creating {}", log.display()))?;
    let ports: Vec<_> = forwards.iter().map(|forward| format!("{}:{}", forward.host, forward.guest)).collect();
    let mut command = Command::new("passt");
    command.args(["--foreground", "--quiet", "--ipv4-only", "--mtu", MTU_BYTES, "--udp-ports", "none", "--tcp-ports"]);
    command.arg(format!("127.0.0.1/{}", ports.join(",")));
    command.arg("--fd").arg(theirs.as_raw_fd().to_string());
    // SAFETY: geteuid has no preconditions.
    if unsafe { libc::geteuid() } == 0 {
        // As root it would become `nobody`, who may not reach the socket it was given.
        command.args(["--runas", "0"]);
    }
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    // Not in our process group: Ctrl-C is for us, and we end the machine before its network.
    inherit(process::die_with_parent(&mut command), &theirs).process_group(0);
    let mut child = command.spawn().context("starting passt")?;
    let start = Instant::now();
    while !forwards.iter().all(|forward| is_listening(forward.host)) {
        if let Some(status) = child.try_wait()? {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            let said = said.lines().rfind(|line| !line.contains("syslog")).unwrap_or_default().to_owned();
            anyhow::bail!("it ended with {status}: {said}");
        }
        if start.elapsed() > START_DEADLINE {
            let _ = child.kill();
            let _ = child.wait();
            anyhow::bail!("it did not listen within {} s", START_DEADLINE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let ours = OwnedFd::from(ours);
    Ok(Connection { network: Network::Stream(ours.as_raw_fd()), socket: Some(ours), passt: Some(child) })
}

/// Connects to a port of this machine; each read and write has the deadline.
pub fn dial(port: u16, deadline: Duration) -> Result<BufReader<TcpStream>> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let stream = TcpStream::connect_timeout(&address, deadline).with_context(|| format!("connecting to {address}"))?;
    stream.set_read_timeout(Some(deadline))?;
    stream.set_write_timeout(Some(deadline))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// Gives a socket room for what is under way to the guest: passt drops a packet that does not fit, and whoever sent it waits
/// for a time-out. The limit of ordinary users is net.core.wmem_max, so less than what is asked for is no error.
fn enlarge_buffer(socket: RawFd) {
    for option in [libc::SO_SNDBUF, libc::SO_SNDBUFFORCE] {
        // SAFETY: the value lives through the call and its size is given.
        unsafe {
            libc::setsockopt(
                socket,
                libc::SOL_SOCKET,
                option,
                (&raw const SOCKET_BUFFER_BYTES).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            );
        }
    }
}

/// Lets a child keep a descriptor under its number across exec.
pub fn inherit<'a>(command: &'a mut Command, descriptor: &impl AsRawFd) -> &'a mut Command {
    let number = descriptor.as_raw_fd();
    // SAFETY: the closure runs between fork and exec and makes one async-signal-safe call on a descriptor that the
    // caller keeps open until the child has started.
    unsafe {
        command.pre_exec(move || match libc::fcntl(number, libc::F_SETFD, 0) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        })
    }
}

/// Connecting would show the same, but each trial connection would reach a guest that is not up yet.
fn is_listening(port: u16) -> bool {
    listens(&std::fs::read_to_string("/proc/net/tcp").unwrap_or_default(), port)
}

/// Whether the table /proc/net/tcp has a listener (state 0A) on this port.
fn listens(table: &str, port: u16) -> bool {
    table.lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        let local = words.next().and_then(|address| address.split_once(':')).map(|(_, port)| port);
        local == Some(&format!("{port:04X}")) && words.nth(1) == Some("0A")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_has_a_cable_to_each_other() {
        let macs = |ends: &Vec<Cable>| ends.iter().map(|cable| cable.end().mac).collect::<Vec<_>>();
        let ends: Vec<_> = cables(3).unwrap().iter().map(macs).collect();
        assert_eq!(ends[0], ["52:54:00:07:00:01", "52:54:00:07:00:02"]);
        assert_eq!(ends[1], ["52:54:00:07:01:00", "52:54:00:07:01:02"]);
        assert_eq!(ends[2], ["52:54:00:07:02:00", "52:54:00:07:02:01"]);
    }

    #[test]
    fn listeners_are_told_from_connections() {
        let table = "  sl  local_address rem_address   st\n   0: 0100007F:18EB 00000000:0000 0A 0\n   \
                     1: 0100007F:18EC 0100007F:1F90 01 0\n";
        assert!(listens(table, 6379));
        assert!(!listens(table, 6380));
        assert!(!listens(table, 8080));
    }

    #[test]
    fn a_taken_port_is_refused_with_the_next_step() {
        let holder = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let host = holder.local_addr().unwrap().port();
        let error = check_free(Forward { host, guest: 1 }).unwrap_err();
        let (text, status) = ukl_host::failure::describe(&error);
        assert!(text.contains("is taken") && text.contains("--port") && status == 1, "{text}");
    }
}
