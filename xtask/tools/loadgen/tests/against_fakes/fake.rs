//! A server in this process for every protocol: a map behind a lock, and a fault where one is asked for.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, BufWriter, Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use ukl_loadgen::{Amount, Protocol, Settings};

/// What the server does instead of answering, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It answers nobody for so long, and then goes on.
    Stall(Duration),
    /// It says that it cannot.
    Error,
    /// It answers with another value.
    WrongValue,
    /// It says something that is no answer.
    Nonsense,
    /// It sends the beginning of an answer and closes the connection.
    ShortAnswer,
    /// It takes requests and never answers again on that connection.
    Silence,
}

#[derive(Debug)]
pub(crate) struct Fake {
    pub address: SocketAddr,
    pub state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub map: BTreeMap<Vec<u8>, Vec<u8>>,
    pub gets: u64,
    pub sets: u64,
    pub others: u64,
    /// What to do at which request.
    fault: Option<(u64, Fault)>,
    /// Every byte is sent by itself.
    dribble: bool,
}

impl Fake {
    pub(crate) fn start(protocol: Protocol) -> Self {
        Fake::with(protocol, State::default())
    }

    /// One with a fault at a request, counted from 1.
    pub(crate) fn faulty(protocol: Protocol, at: u64, fault: Fault) -> Self {
        Fake::with(protocol, State { fault: Some((at, fault)), ..State::default() })
    }

    pub(crate) fn dribbling(protocol: Protocol) -> Self {
        Fake::with(protocol, State { dribble: true, ..State::default() })
    }

    fn with(protocol: Protocol, state: State) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let fake = Fake { address: listener.local_addr().unwrap(), state: Arc::new(Mutex::new(state)) };
        let state = Arc::clone(&fake.state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&state);
                // An error is the client's end of the connection.
                thread::spawn(move || stream.and_then(|stream| serve(protocol, &stream, &state)));
            }
        });
        fake
    }

    /// Settings for a small load on it.
    pub(crate) fn settings(&self, protocol: Protocol, requests: u64) -> Settings {
        Settings {
            connections: 7,
            keys: 100,
            strict: true,
            answer_deadline_s: 10,
            ..Settings::new(protocol, self.address.to_string(), Amount::Requests(requests))
        }
    }
}

fn serve(protocol: Protocol, stream: &TcpStream, state: &Mutex<State>) -> Result<()> {
    stream.set_nodelay(true)?;
    let (mut from, mut to) = (BufReader::new(stream), BufWriter::new(stream));
    while let Some(words) = match protocol {
        Protocol::Redis => redis_request(&mut from)?,
        Protocol::Memcached => memcached_request(&mut from)?,
        Protocol::Echo => line(&mut from)?.map(|line| vec![b"ECHO".to_vec(), line.into_bytes()]),
    } {
        let mut state = state.lock().unwrap();
        let mut answer = answer(protocol, &words, &mut state);
        let count = state.gets + state.sets + state.others;
        if let Some((_, fault)) = state.fault.filter(|(at, _)| *at == count) {
            match fault {
                // The lock is held, so that every connection stalls.
                Fault::Stall(time) => thread::sleep(time),
                Fault::Error if protocol == Protocol::Redis => answer = b"-ERR made up\r\n".to_vec(),
                Fault::Error => answer = b"SERVER_ERROR made up\r\n".to_vec(),
                Fault::WrongValue if protocol == Protocol::Redis => answer = b"$3\r\nabc\r\n".to_vec(),
                Fault::WrongValue if protocol == Protocol::Echo => answer = b"abc\r\n".to_vec(),
                Fault::WrongValue => answer = b"VALUE k 0 3\r\nabc\r\nEND\r\n".to_vec(),
                Fault::Nonsense => answer = b"HTTP/1.1 400 Bad Request\r\n".to_vec(),
                Fault::ShortAnswer => {
                    to.write_all(&answer[..answer.len() - 1])?;
                    return to.flush();
                }
                Fault::Silence => {
                    drop(state);
                    return from.read_to_end(&mut Vec::new()).map(|_| ());
                }
            }
        }
        if state.dribble {
            drop(state);
            answer.iter().try_for_each(|byte| to.write_all(&[*byte]).and_then(|()| to.flush()))?;
        } else {
            to.write_all(&answer)?;
        }
        if from.buffer().is_empty() {
            to.flush()?;
        }
    }
    Ok(())
}

fn line(from: &mut impl BufRead) -> Result<Option<String>> {
    let mut line = String::new();
    Ok((from.read_line(&mut line)? > 0).then(|| line.trim_end().to_owned()))
}

fn bytes(from: &mut impl BufRead, size: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; size + 2];
    from.read_exact(&mut bytes)?;
    assert!(bytes.ends_with(b"\r\n"), "the client's data does not end in CR LF");
    bytes.truncate(size);
    Ok(bytes)
}

fn redis_request(from: &mut impl BufRead) -> Result<Option<Vec<Vec<u8>>>> {
    let Some(header) = line(from)? else { return Ok(None) };
    let count: usize = header.strip_prefix('*').unwrap().parse().unwrap();
    let mut words = Vec::new();
    for _ in 0..count {
        let Some(header) = line(from)? else { return Ok(None) };
        words.push(bytes(from, header.strip_prefix('$').unwrap().parse().unwrap())?);
    }
    Ok(Some(words))
}

fn memcached_request(from: &mut impl BufRead) -> Result<Option<Vec<Vec<u8>>>> {
    let Some(header) = line(from)? else { return Ok(None) };
    let words: Vec<_> = header.split(' ').collect();
    let mut request = vec![words[0].to_ascii_uppercase().into_bytes(), words[1].as_bytes().to_vec()];
    if words[0] == "set" {
        request.push(bytes(from, words[4].parse().unwrap())?);
    }
    Ok(Some(request))
}

fn answer(protocol: Protocol, words: &[Vec<u8>], state: &mut State) -> Vec<u8> {
    let key = words.get(1).cloned().unwrap_or_default();
    match words[0].as_slice() {
        b"GET" => {
            state.gets += 1;
            let name = String::from_utf8_lossy(&key);
            match (protocol, state.map.get(&key)) {
                (Protocol::Redis, None) => b"$-1\r\n".to_vec(),
                (Protocol::Redis, Some(value)) => [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat(),
                (Protocol::Memcached | Protocol::Echo, None) => b"END\r\n".to_vec(),
                (Protocol::Memcached | Protocol::Echo, Some(value)) => {
                    [format!("VALUE {name} 0 {}\r\n", value.len()).as_bytes(), value, b"\r\nEND\r\n"].concat()
                }
            }
        }
        b"SET" => {
            state.sets += 1;
            state.map.insert(key, words[2].clone());
            match protocol {
                Protocol::Redis => b"+OK\r\n".to_vec(),
                Protocol::Memcached | Protocol::Echo => b"STORED\r\n".to_vec(),
            }
        }
        b"ECHO" => {
            state.gets += 1;
            [&key, b"\r\n".as_slice()].concat()
        }
        b"INCR" | b"LPUSH" => {
            state.others += 1;
            format!(":{}\r\n", state.others).into_bytes()
        }
        other => panic!("the fake server does not know {:?}", String::from_utf8_lossy(other)),
    }
}
