//! A proxy between two parties that passes every message on and does one thing wrong.

use crate::frame::{HEADER_BYTES, Header};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

/// What happens to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Drop,
    Delay(Duration),
    Duplicate,
    /// The next message overtakes it.
    Swap,
    /// A bit is turned over: the one at this place, modulo the bits of the frame.
    Corrupt(usize),
    /// It passes byte by byte, with a pause before each.
    Trickle(Duration),
    /// Half of it passes, then the connection ends.
    Cut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub from: usize,
    pub to: usize,
    /// Which message in that direction, the hello being 0.
    pub index: u64,
    pub deed: Deed,
}

/// The proxies of all three connections.
pub struct Proxies {
    /// Where each party is to reach each other.
    addresses: [SocketAddr; 3],
    proxied: Vec<(usize, usize, SocketAddr)>,
    pub done: Arc<AtomicBool>,
    /// Messages that were passed on, by sender and receiver.
    counts: Arc<[[AtomicU64; 3]; 3]>,
}

impl Proxies {
    pub fn new(listeners: &[TcpListener; 3], fault: Option<Fault>) -> Proxies {
        let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let mut proxies = Proxies { addresses, proxied: Vec::new(), done: Arc::default(), counts: Arc::default() };
        // A party connects to those with smaller numbers.
        for (client, server) in [(1, 0), (2, 0), (2, 1)] {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            proxies.proxied.push((client, server, listener.local_addr().unwrap()));
            let (done, counts) = (proxies.done.clone(), proxies.counts.clone());
            let target = addresses[server];
            // Ends with the connection; one that nobody makes leaves a thread until the test program ends.
            thread::spawn(move || {
                let (inner, _) = listener.accept().unwrap();
                let Ok(outer) = TcpStream::connect(target) else { return };
                let reversed = (outer.try_clone().unwrap(), inner.try_clone().unwrap());
                for (from, to, (source, target)) in [(client, server, (inner, outer)), (server, client, reversed)] {
                    let fault = fault.filter(|fault| (fault.from, fault.to) == (from, to));
                    let (done, counts) = (done.clone(), counts.clone());
                    thread::spawn(move || {
                        let pass = Pass { source, target, fault, done };
                        pass.run(&counts[from][to]);
                    });
                }
            });
        }
        proxies
    }

    /// The addresses that a party is to use.
    pub fn seen_by(&self, party: usize) -> [SocketAddr; 3] {
        let mut addresses = self.addresses;
        for (client, server, address) in &self.proxied {
            if *client == party {
                addresses[*server] = *address;
            }
        }
        addresses
    }

    /// How many messages went from one party to another.
    pub fn count(&self, from: usize, to: usize) -> u64 {
        self.counts[from][to].load(Ordering::SeqCst)
    }
}

/// One direction of a connection.
struct Pass {
    source: TcpStream,
    target: TcpStream,
    fault: Option<Fault>,
    done: Arc<AtomicBool>,
}

impl Pass {
    fn run(mut self, count: &AtomicU64) {
        let mut held: Option<Vec<u8>> = None;
        while let Some(mut frame) = read_frame(&mut self.source) {
            let index = count.fetch_add(1, Ordering::SeqCst);
            let deed = self.fault.filter(|fault| fault.index == index).map(|fault| fault.deed);
            if deed.is_some() {
                self.done.store(true, Ordering::SeqCst);
            }
            match deed {
                Some(Deed::Drop) => continue,
                Some(Deed::Swap) => {
                    held = Some(frame);
                    continue;
                }
                Some(Deed::Delay(time)) => sleep(time),
                Some(Deed::Corrupt(bit)) => {
                    let bit = bit % (8 * frame.len());
                    frame[bit / 8] ^= 1 << (bit % 8);
                }
                Some(Deed::Trickle(pause)) => {
                    for byte in frame.drain(..) {
                        sleep(pause);
                        let _ = self.target.write_all(&[byte]);
                    }
                }
                Some(Deed::Duplicate) => frame = frame.repeat(2),
                Some(Deed::Cut) => {
                    let _ = self.target.write_all(&frame[..frame.len() / 2]);
                    let _ = self.target.shutdown(Shutdown::Both);
                    let _ = self.source.shutdown(Shutdown::Both);
                    return;
                }
                None => (),
            }
            if self.target.write_all(&frame).is_err() {
                break;
            }
            if let Some(held) = held.take() {
                let _ = self.target.write_all(&held);
            }
        }
        let _ = self.target.shutdown(Shutdown::Write);
    }
}

/// The next whole message.
fn read_frame(source: &mut TcpStream) -> Option<Vec<u8>> {
    let mut frame = vec![0; HEADER_BYTES];
    source.read_exact(&mut frame).ok()?;
    let header = Header::parse(&frame)?;
    frame.resize(HEADER_BYTES + header.content_bytes as usize, 0);
    source.read_exact(&mut frame[HEADER_BYTES..]).ok()?;
    Some(frame)
}
