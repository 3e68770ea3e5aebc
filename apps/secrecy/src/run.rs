//! A whole run of a party, and of all three in one process.

use crate::error::{Error, Result};
use crate::link::Waiting;
use crate::net::{Net, Traffic};
use crate::party::{Party, Randomness};
use crate::query::{Query, Work, digest};
use crate::table::Plain;
use serde::Serialize;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::thread;
use std::time::Instant;

/// What is printed of a run, as one line of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub query: Query,
    /// Of each input table.
    pub rows: usize,
    /// Most words of a message; null if a round is one message, however large.
    pub message_words: Option<NonZeroUsize>,
    pub result_rows: usize,
    /// How often all parties waited for each other, up to the opened result.
    pub rounds: u64,
    /// Sent by the party, or by all three for a local run, as are the bytes.
    pub messages: u64,
    /// Headers and content; what TCP adds is not counted.
    pub bytes_sent: u64,
    /// From the first message of the query to the opened result, without connecting and dealing; the longest of a local run.
    pub elapsed_us: u128,
    pub spin: bool,
    /// Whether the answer was compared with that of the plaintext query. A wrong one is an error.
    pub checked: bool,
}

/// The work of a party over its connections: a result that all three have, or an error in all three.
pub fn take_part(net: Net, work: Work, check: bool, spin: bool, randomness: Randomness) -> Result<(Plain, Report)> {
    let shares = work.shares(net.id)?;
    let mut party = Party::new(net, randomness)?;
    party.net.message_words = work.message_words.map_or(usize::MAX, NonZeroUsize::get);
    let mut run = || {
        let began = Instant::now();
        let answer = work.answer(&mut party, &shares)?;
        let elapsed_us = began.elapsed().as_micros();
        let Traffic { rounds, messages, bytes_sent } = party.net.traffic;
        if check {
            work.check(&answer)?;
        }
        party.finish(digest(&answer))?;
        let Work { query, rows, message_words, .. } = work;
        let result_rows = answer.rows();
        let report = Report {
            query,
            rows,
            message_words,
            result_rows,
            rounds,
            messages,
            bytes_sent,
            elapsed_us,
            spin,
            checked: check,
        };
        Ok((answer, report))
    };
    let done = run();
    if let Err(error) = &done {
        party.net.abort(error);
    }
    done
}

/// A socket that waits for the other parties.
pub fn listen(address: SocketAddr) -> Result<TcpListener> {
    let bound = TcpListener::bind(address);
    bound.map_err(|source| Error::Setup { action: format!("listening at {address}"), source })
}

/// Three parties as threads over the loopback.
pub fn local(work: Work, check: bool, waiting: Waiting) -> Result<Report> {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listeners = [listen(anywhere)?, listen(anywhere)?, listen(anywhere)?];
    let mut addresses = [anywhere; 3];
    for (address, listener) in addresses.iter_mut().zip(&listeners) {
        let bound = listener.local_addr();
        *address = bound.map_err(|source| Error::Setup { action: "finding a free port".to_owned(), source })?;
    }
    let outcomes = thread::scope(|scope| {
        let parties = [0, 1, 2].map(|id| {
            let listener = &listeners[id];
            scope.spawn(move || {
                let net = Net::connect(id, listener, addresses, work.digest(), waiting)?;
                take_part(net, work, check, waiting.spin, Randomness::System)
            })
        });
        parties.map(|party| party.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    // Of several errors the one that is no echo of another's.
    let mut reports = Vec::new();
    let mut failures = Vec::new();
    for outcome in outcomes {
        match outcome {
            Ok((_, report)) => reports.push(report),
            Err(error) => failures.push(error),
        }
    }
    let is_echo = |error: &Error| matches!(error, Error::Aborted { .. } | Error::Closed { .. } | Error::Io { .. });
    failures.sort_by_key(is_echo);
    if let Some(first) = failures.into_iter().next() {
        return Err(first);
    }
    let total = |of: fn(&Report) -> u64| reports.iter().map(of).sum();
    Ok(Report {
        rounds: reports.iter().map(|report| report.rounds).max().unwrap_or(0),
        messages: total(|report| report.messages),
        bytes_sent: total(|report| report.bytes_sent),
        elapsed_us: reports.iter().map(|report| report.elapsed_us).max().unwrap_or(0),
        ..reports[0]
    })
}
