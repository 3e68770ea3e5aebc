//! Three parties as threads over the loopback, with what lies between them under control.

mod circuits;
mod faults;
mod operators;
mod proxy;
mod uniformity;

use crate::error::Result;
use crate::link::Waiting;
use crate::net::Net;
use crate::party::{Party, Randomness};
use crate::prg::Prg;
use crate::run::listen;
use crate::share::{Bits, Ints, Pair};
use crate::table::{Plain, Table};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

/// Long enough for a machine that does something else besides.
pub const PATIENT: Waiting = Waiting { deadline: Duration::from_secs(30), spin: false };

pub fn listeners() -> [TcpListener; 3] {
    [0, 1, 2].map(|_| listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap())
}

/// What three parties make of the same steps, each with its listener and the addresses it is to use.
pub fn at_once<T: Send>(
    listeners: [TcpListener; 3],
    steps: impl Fn(usize, TcpListener) -> Result<T> + Sync,
) -> [Result<T>; 3] {
    let steps = &steps;
    let mut id = 0;
    thread::scope(|scope| {
        let parties = listeners.map(|listener| {
            id += 1;
            let id = id - 1;
            scope.spawn(move || steps(id, listener))
        });
        parties.map(|party| party.join().unwrap())
    })
}

/// What three parties compute, with common randomness from a seed.
pub fn three_waiting<T: Send>(waiting: Waiting, steps: impl Fn(&mut Party) -> Result<T> + Sync) -> [T; 3] {
    let listeners = listeners();
    let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    let outcomes = at_once(listeners, |id, listener| {
        let net = Net::connect(id, &listener, addresses, 0, waiting)?;
        let mut party = Party::new(net, Randomness::Seed(11))?;
        let answer = steps(&mut party)?;
        party.finish(0)?;
        Ok(answer)
    });
    outcomes.map(Result::unwrap)
}

pub fn three<T: Send>(steps: impl Fn(&mut Party) -> Result<T> + Sync) -> [T; 3] {
    three_waiting(PATIENT, steps)
}

/// The one answer of all three.
pub fn agreed<T: Send + PartialEq + std::fmt::Debug>(steps: impl Fn(&mut Party) -> Result<T> + Sync) -> T {
    let [first, second, third] = three(steps);
    assert_eq!(first, second);
    assert_eq!(first, third);
    first
}

/// The shares of words that add up by `rest(word, x, y)` as third component.
fn deal(words: &[u64], party: usize, rest: impl Fn(u64, u64, u64) -> u64) -> Pair {
    let mut prg = Prg::from_seed(23, "dealt", words.len() as u64);
    let (first, second) = (prg.words(words.len()), prg.words(words.len()));
    let third = words.iter().zip(first.iter().zip(&second)).map(|(word, (x, y))| rest(*word, *x, *y)).collect();
    let components = [first, second, third];
    Pair { own: components[party].clone(), next: components[(party + 1) % 3].clone() }
}

pub fn bits(words: &[u64], party: usize) -> Bits {
    Bits(deal(words, party, |word, x, y| word ^ x ^ y))
}

pub fn ints(words: &[u64], party: usize) -> Ints {
    Ints(deal(words, party, |word, x, y| word.wrapping_sub(x).wrapping_sub(y)))
}

pub fn table(plain: &Plain, party: usize) -> Table {
    Table::deal(plain, 29, party).unwrap()
}
