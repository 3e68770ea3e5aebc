//! The echo server on tokio, over TCP from the host.

use super::Tally;
use super::server::{self, ANSWER_DEADLINE, HostTest, PID, Server, stop_and_continue, succeed};
use crate::ctx::Ctx;
use crate::lines::Client;
use crate::vm::Vm;
use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

/// How many connections are open at once.
const CONNECTIONS: usize = 1000;
/// More than the buffers of both sockets and of the network between them hold.
const LARGE_BYTES: u32 = 16 << 20;

const TESTS: &[HostTest] =
    &[("line", line), ("1000-connections", many_connections), ("16-mb", large), ("half-close", half_close)];

/// All tests at a level on that many CPUs: one boot.
pub fn run(ctx: &Ctx, level: &str, cpus: u32, tally: &mut Tally) {
    server::run(ctx, ("echo-rs", level, cpus), tally, boot_and_run);
}

fn boot_and_run(ctx: &Ctx, server: &mut Server, tally: &mut Tally) -> Result<()> {
    let cpus = server.plan.cpus;
    let mut vm = server.boot(ctx)?;
    server.check_privilege(&vm, tally);
    server.check_from_host(TESTS, tally);
    tally.check(&format!("{}a-worker-per-cpu", server.prefix), workers(&vm, cpus));
    tally.check(&format!("{}stop-continue", server.prefix), stopped(server, &vm));
    tally.check(&format!("{}sigterm", server.prefix), terminate(server, &mut vm));
    tally.kernel_is_quiet(&server.prefix, &mut vm);
    Ok(())
}

fn connect(port: u16) -> Result<Client> {
    Client::connect(port, ANSWER_DEADLINE)
}

fn line(port: u16) -> Result<String> {
    let answer = connect(port)?.call("hello")?;
    ensure!(answer == "hello", "`hello` came back as {answer:?}");
    Ok("a line with the one that came back".to_owned())
}

fn many_connections(port: u16) -> Result<String> {
    let mut clients = (0..CONNECTIONS).map(|_| connect(port)).collect::<Result<Vec<_>>>()?;
    // Two rounds, each with all questions before the first answer: every connection is open, and stays so.
    for round in ["first", "second"] {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(&format!("{round} of {number}"))?;
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let answer = client.receive().with_context(|| format!("connection {number}, {round} round"))?;
            ensure!(
                answer == format!("{round} of {number}"),
                "connection {number} received {answer:?} in the {round} round"
            );
        }
    }
    Ok(format!("what came back on each of {CONNECTIONS} open connections, twice, with what was sent there"))
}

/// The other half of the connection is read by a thread, or both sides would wait for each other.
fn exchange(port: u16, sent: &[u8]) -> Result<Vec<u8>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).context("connecting")?;
    stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (&stream).write_all(sent).and_then(|()| stream.shutdown(Shutdown::Write)));
        let mut received = Vec::new();
        (&stream).read_to_end(&mut received).context("reading what comes back")?;
        writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))?.context("sending")?;
        Ok(received)
    })
}

fn large(port: u16) -> Result<String> {
    // Not periodic in any power of two, so that a page put in the wrong place is seen.
    let sent: Vec<u8> = (0..LARGE_BYTES).map(|at| (at.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
    let received = exchange(port, &sent)?;
    ensure!(received == sent, "{LARGE_BYTES} bytes came back different, {} of them", received.len());
    Ok(format!("{LARGE_BYTES} bytes with those that came back, and the end after them"))
}

fn half_close(port: u16) -> Result<String> {
    let received = exchange(port, b"last words")?;
    ensure!(received == b"last words", "a client that ends its half received {:?}", String::from_utf8_lossy(&received));
    Ok("what a client receives after it ended its half with what it sent".to_owned())
}

/// Tokio starts a worker for each CPU besides the main thread.
fn workers(vm: &Vm, cpus: u32) -> Result<String> {
    let mut shell = vm.shell()?;
    let threads = succeed(&mut shell, &format!("ls /proc/{PID}/task | wc -l"))?;
    let expected = (cpus + 1).to_string();
    ensure!(threads.trim() == expected, "the server has {threads} threads; {expected} were expected");
    Ok(format!("the number of threads with {expected} on {cpus} CPU(s)"))
}

fn stopped(server: &Server, vm: &Vm) -> Result<String> {
    let ask = |port, deadline| Client::connect(port, deadline)?.call("again");
    let answer = stop_and_continue(&mut vm.shell()?, server.port, ask)?;
    ensure!(answer == "again", "after SIGCONT, `again` came back as {answer:?}");
    Ok("no answer after SIGSTOP, and the line after SIGCONT".to_owned())
}

/// Tokio takes the signal in a handler that writes to a pipe, and ends all its threads.
fn terminate(server: &Server, vm: &mut Vm) -> Result<String> {
    succeed(&mut vm.shell()?, &format!("kill -TERM {PID}"))?;
    server.ended_well(vm, "SIGTERM")
}
