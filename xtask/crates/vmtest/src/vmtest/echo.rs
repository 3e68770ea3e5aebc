//! The echo server on tokio, over TCP from the host and from a load generator beside it.

use super::server::{self, ANSWER_DEADLINE, HostTest, PID, Server, stop_and_continue, succeed};
use super::suite::{Apps, Machines, Quick, Suite, When, names, words};
use super::tally::Tally;
use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;
use ukl_app::tools;
use ukl_guest::initramfs::{self, ExtraFile};
use ukl_repo::config::Levels;
use ukl_repo::ctx::Ctx;
use ukl_run::lines::Client;
use ukl_vm::vm::Vm;

/// How many connections are open at once.
const CONNECTIONS: usize = 1000;
/// How many questions from the host are under way at once. Of a thousand handshakes or questions at once one was reset or never
/// answered now and then, at level `linux` as at others; without passt between, from inside the guest, none ever was.
const QUESTIONS: usize = 100;
/// The load generator in the guest, and how many lines it has to get back over all connections together.
const LOAD_GENERATOR: &str = "/opt/bench/ukl-loadgen";
const LINES: u32 = 20_000;
/// For all those lines, under emulation on a busy host.
const LOAD_DEADLINE: Duration = Duration::from_secs(300);
/// More than the buffers of both sockets and of the network between them hold.
const LARGE_BYTES: u32 = 16 << 20;

const TESTS: &[HostTest] = &[
    ("line", line),
    ("1000-connections-from-the-host", many_connections),
    ("16-mb", large),
    ("half-close", half_close),
];

/// One boot for each level: the crate below it is about a level's paths.
pub(super) const SUITE: Suite = Suite {
    name: "echo-rs",
    summary: "a server on tokio: many connections, large answers, signals",
    prefix: "{level}/smp{cpus}/echo-rs/",
    apps: Apps::One("echo-rs"),
    machines: &[Machines { levels: Some(Levels::Every), cpus: 2, when: When::Default }],
    quick: Quick::Smallest,
    tests: |_, _| {
        let others =
            ["privilege", "1000-connections", "a-worker-per-cpu", "stop-continue", "sigterm", "kernel-is-quiet"];
        Ok([names(TESTS), words(&others)].concat())
    },
    run: |ctx, part, tally| server::run(ctx, part, tally, boot_and_run),
};

fn boot_and_run(ctx: &Ctx, server: &mut Server, tally: &mut Tally) -> Result<()> {
    let cpus = server.plan.cpus;
    let program = tools::load_generator(ctx)?;
    let content = std::fs::read(&program).with_context(|| format!("reading {}", program.display()))?;
    let extra = [ExtraFile { target: LOAD_GENERATOR.to_owned(), permissions: 0o755, content }];
    server.plan.initramfs = initramfs::initramfs(ctx, &server.app, &server.level, None, &extra)?;
    let mut vm = server.boot(ctx)?;
    server.check_privilege(&vm, tally);
    server.check_from_host(TESTS, tally);
    tally.check(&format!("{}1000-connections", server.prefix), all_at_once(server, &vm));
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

/// The answer to `ROUND of NUMBER` is the next one.
fn expect(client: &mut Client, round: &str, number: usize) -> Result<()> {
    let answer = client.receive().with_context(|| format!("connection {number}, {round} round"))?;
    let expected = format!("{round} of {number}");
    ensure!(answer == expected, "connection {number} received {answer:?}; {expected:?} was expected");
    Ok(())
}

fn many_connections(port: u16) -> Result<String> {
    let mut clients = Vec::new();
    for number in 0..CONNECTIONS {
        let mut client = connect(port)?;
        client.send(&format!("first of {number}"))?;
        expect(&mut client, "first", number)?;
        clients.push(client);
    }
    // Each of them is still open.
    for (chunk, some) in clients.chunks_mut(QUESTIONS).enumerate() {
        let numbers = chunk * QUESTIONS..;
        for (client, number) in some.iter_mut().zip(numbers.clone()) {
            client.send(&format!("second of {number}"))?;
        }
        for (client, number) in some.iter_mut().zip(numbers) {
            expect(client, "second", number)?;
        }
    }
    Ok(format!("what came back on each of {CONNECTIONS} open connections, twice, with what was sent there"))
}

/// Every connection has a question under way all the time, and each answer has to be the right one.
fn all_at_once(server: &Server, vm: &Vm) -> Result<String> {
    let port = server.app.guest.ports.first().context("echo-rs has no port")?;
    let command = format!(
        "{LOAD_GENERATOR} run --protocol echo --target 127.0.0.1:{port} --connections {CONNECTIONS} --ratio 1:0 \
         --requests {LINES} --strict"
    );
    let output = vm.shell()?.run(&command, LOAD_DEADLINE)?;
    ensure!(output.status == 0, "`{command}` ended with status {}: {}", output.status, output.text);
    Ok(format!("{LINES} lines with what came back over {CONNECTIONS} connections that were busy at once"))
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
