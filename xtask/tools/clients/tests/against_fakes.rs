//! The whole against servers that answer each line with itself and have at most one fault: what a client observes of a
//! fault makes its record another one.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;
use ukl_clients::{Outcome, Played, Record, Script, Server, Suite, compare, play};

const SUITE: &str = "between = { text = 'between\\n', until = 'between\\n' }\n\
                     state = { text = 'between\\n', until = 'between\\n' }\n";
const SCRIPT: &str = r"
summary = 'Asks, is answered, and ends its half'
steps = [
    { do = 'connect', on = 'a' },
    { do = 'send', on = 'a', text = 'one\ntwo\nthr', piece_bytes = 2 },
    { do = 'read', on = 'a', until = 'one\n' },
    { do = 'connect', on = 'left' },
    { do = 'repeat', times = 3, steps = [
        { do = 'connect', on = 'b{n}' },
        { do = 'send', on = 'b{n}', text = '{n}\n', times = 4 },
        { do = 'read', on = 'b{n}', bytes = 8 },
        { do = 'reset', on = 'b{n}' },
    ] },
    { do = 'ask-until', on = 'left', contains = 'between' },
    { do = 'shut-down', on = 'a', way = 'write' },
    { do = 'read', on = 'a', until_end = true },
]";

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// `two` is answered with another word.
    Byte,
    /// The connection is reset where it would be closed.
    Reset,
    /// An incomplete line at the end is answered.
    More,
    /// The connection stays open where it would be closed.
    Silence,
}

fn serve(stream: TcpStream, fault: Fault) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = Vec::new();
    while let Ok(size) = reader.read_until(b'\n', &mut line) {
        if size == 0 || !line.ends_with(b"\n") {
            break;
        }
        if fault == Fault::Byte && line == b"two\n" {
            line[1] = b'o';
        }
        // A client that resets its connection wants no answer any more.
        let _ = (&stream).write_all(&line);
        line.clear();
    }
    match fault {
        Fault::Reset if !line.is_empty() => {
            // What was sent before it stays readable: tcp_reset() of the client's kernel empties no queue of received bytes.
            rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        }
        Fault::More => (&stream).write_all(&line).unwrap_or_default(),
        Fault::Silence if !line.is_empty() => thread::sleep(Duration::from_secs(60)),
        _ => {}
    }
}

/// What the clients observe of a server with that fault.
fn observed(fault: Fault) -> Record {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let SocketAddr::V4(address) = listener.local_addr().unwrap() else { unreachable!("bound to IPv4") };
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || serve(stream, fault));
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("suite.toml");
    std::fs::write(&path, SUITE).unwrap();
    let deadline = Duration::from_secs(if fault == Fault::Silence { 1 } else { 20 });
    let server =
        Server { address: SocketAddrV4::new(*address.ip(), address.port()), pid_file: PathBuf::new(), deadline };
    play(&server, &Suite::read(&path).unwrap(), &[Script::parse("asks", SCRIPT).unwrap()]).unwrap()
}

fn difference(fault: Fault) -> String {
    let (good, other) = (observed(Fault::None), observed(fault));
    let played = |record: &Record| -> Played { record.scripts[0].clone() };
    compare(("good", &played(&good)), ("faulty", &played(&other))).unwrap_err().to_string()
}

#[test]
fn two_good_servers_have_the_same_record() {
    let (first, second) = (observed(Fault::None), observed(Fault::None));
    assert_eq!(first, second);
    let steps: Vec<_> = first.scripts[0].events.iter().map(|event| event.step.as_str()).collect();
    assert_eq!(steps, ["3", "5/1/3", "5/2/3", "5/3/3", "8", "end"]);
    assert_eq!(first.scripts[0].events[4].received, b"two\n");
    assert!(first.scripts[0].unplayed().is_none());
    compare(("first", &first.scripts[0]), ("second", &second.scripts[0])).unwrap();
}

#[test]
fn each_fault_is_told_with_its_step() {
    insta::assert_snapshot!(difference(Fault::Byte), @r"step 8 (a reads to the end): 4 bytes at good, 4 at faulty; the first difference is at byte 1: `t»wo\n` at good, `t»oo\n` at faulty; then at both: ended by the server");
    insta::assert_snapshot!(difference(Fault::Reset), @"step 8 (a reads to the end): the same 4 bytes, then ended by the server at good, reset at faulty");
    insta::assert_snapshot!(difference(Fault::More), @r"step 8 (a reads to the end): 4 bytes at good, 7 at faulty; the first difference is at byte 4: `two\n»` at good, `two\n»thr` at faulty; then at both: ended by the server");
}

#[test]
fn a_server_that_never_ends_a_connection_ends_the_script() {
    let record = observed(Fault::Silence);
    let unplayed = record.scripts[0].unplayed().unwrap();
    assert_eq!((unplayed.step.as_str(), &unplayed.outcome), ("8", &Outcome::Overdue));
}
