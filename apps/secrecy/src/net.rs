//! The connections of a party, and the exchange of messages that each round of a protocol is.

use crate::error::{Direction, Error, Result};
use crate::frame::{HEADER_BYTES, Kind, LinkKey};
use crate::link::{CHUNK_BYTES, Link, Wait, Waiting};
use crate::prg;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::Duration;

/// How often a party that is not there yet is tried again.
const RETRY: Duration = Duration::from_millis(2);
/// Version of what goes over a connection.
const VERSION: u64 = 1;

/// The party after this one, in whose direction shares are replicated.
pub fn after(party: usize) -> usize {
    (party + 1) % 3
}

/// The party before this one.
pub fn before(party: usize) -> usize {
    (party + 2) % 3
}

/// What a party has sent since the connections were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Times that all parties waited for each other.
    pub rounds: u64,
    pub messages: u64,
    /// Headers and content; what TCP adds is not counted.
    pub bytes_sent: u64,
}

pub struct Net {
    pub id: usize,
    /// By the number of the other party; none to itself.
    links: [Option<Link>; 3],
    waiting: Waiting,
    pub traffic: Traffic,
    /// Most words of a message, at least 1; the same at all parties.
    pub message_words: usize,
    /// Every word that was received, where a test wants to see them.
    pub transcript: Option<Vec<u64>>,
}

impl Net {
    /// Connects to the parties with smaller numbers and waits for those with larger ones.
    ///
    /// `addresses` are where each party is reached from here; `work` is a digest of what is going to be computed, which
    /// all three must have in common.
    pub fn connect(
        id: usize,
        listener: &TcpListener,
        addresses: [SocketAddr; 3],
        work: u64,
        waiting: Waiting,
    ) -> Result<Net> {
        let mut net = Net {
            id,
            links: [None, None, None],
            waiting,
            traffic: Traffic::default(),
            message_words: usize::MAX,
            transcript: None,
        };
        let connected = net.connect_all(listener, addresses, work);
        match connected {
            Ok(()) => Ok(net),
            Err(error) => {
                net.abort(&error);
                Err(error)
            }
        }
    }

    fn connect_all(&mut self, listener: &TcpListener, addresses: [SocketAddr; 3], work: u64) -> Result<()> {
        for (peer, address) in addresses.into_iter().enumerate().take(self.id) {
            let stream = self.reach(peer, address)?;
            self.links[peer] = Some(Link::new(self.id, peer, stream, self.waiting)?);
            self.greet(peer, work)?;
        }
        let refused = |source| Error::Setup { action: "waiting for the other parties".to_owned(), source };
        listener.set_nonblocking(true).map_err(refused)?;
        while let Some(missing) = (self.id + 1..3).find(|peer| self.links[*peer].is_none()) {
            let stream = self.accept(listener, missing)?;
            stream.set_nonblocking(false).map_err(refused)?;
            let mut link = Link::new(self.id, missing, stream, self.waiting)?;
            link.expect_any_sender();
            self.links[missing] = Some(link);
            self.greet(missing, work)?;
        }
        Ok(())
    }

    /// Exchanges who one is and what one is going to do over the connection in a slot, and puts it into the right one.
    fn greet(&mut self, slot: usize, work: u64) -> Result<()> {
        let drawn = prg::fresh_key()?;
        let found = self.transfer(Kind::Hello, Some((slot, &[VERSION, work, drawn[0]])), Some((slot, 3)))?;
        let mut link = self.links[slot].take().expect("there is a connection in the slot");
        let peer = link.peer;
        for (what, expected, found) in
            [("version", VERSION, found[0]), ("query, rows, seed or size of messages", work, found[1])]
        {
            if expected != found {
                let [expected, found] = [expected, found].map(|value| format!("{value:x}"));
                self.links[slot] = Some(link);
                return Err(Error::Mismatch { peer, what, expected, found });
            }
        }
        link.key = if self.id < peer { LinkKey(drawn[0], found[2]) } else { LinkKey(found[2], drawn[0]) };
        if self.links[peer].is_some() || peer == self.id {
            let found = "a second connection".to_owned();
            self.links[slot] = Some(link);
            return Err(Error::Foreign { peer, sequence: 0, found });
        }
        self.links[peer] = Some(link);
        Ok(())
    }

    fn reach(&self, peer: usize, address: SocketAddr) -> Result<TcpStream> {
        let mut wait = Wait::new(Waiting { spin: false, ..self.waiting });
        loop {
            match TcpStream::connect_timeout(&address, (self.waiting.deadline / 8).max(RETRY)) {
                Ok(stream) => return Ok(stream),
                Err(source) if wait.is_over() => {
                    let deadline_ms = self.waiting.deadline.as_millis();
                    return Err(Error::Connect { peer, address, deadline_ms, source });
                }
                Err(_) => sleep(RETRY),
            }
        }
    }

    fn accept(&self, listener: &TcpListener, missing: usize) -> Result<TcpStream> {
        let mut wait = Wait::new(Waiting { spin: false, ..self.waiting });
        loop {
            match listener.accept() {
                Ok((stream, _)) => return Ok(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock && !wait.is_over() => sleep(RETRY),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let deadline_ms = self.waiting.deadline.as_millis();
                    return Err(Error::Absent { missing, deadline_ms });
                }
                Err(source) => return Err(Error::Setup { action: "accepting a party".to_owned(), source }),
            }
        }
    }

    fn link(&mut self, peer: usize) -> &mut Link {
        self.links[peer].as_mut().expect("connected to both other parties")
    }

    /// Sends words to one party while receiving from one, which may be the same.
    ///
    /// The three parties may all send before any receives. With blocking sockets none sends more than one chunk beyond
    /// what it has received, so at most three chunks lie between two of them, and those fit into any socket's buffers.
    fn transfer(&mut self, kind: Kind, to: Option<(usize, &[u64])>, from: Option<(usize, usize)>) -> Result<Vec<u64>> {
        if let Some((peer, words)) = to {
            self.link(peer).begin_send(kind, words)?;
        }
        if let Some((peer, words)) = from {
            self.link(peer).begin_receive(words);
        }
        let (to, from) = (to.map(|(peer, _)| peer), from.map(|(peer, _)| peer));
        let mut wait = Wait::new(self.waiting);
        loop {
            let sending = to.filter(|peer| !self.link(*peer).is_sent());
            let receiving = from.filter(|peer| !self.link(*peer).is_received());
            let room = from.map_or(usize::MAX, |peer| self.link(peer).received_bytes + CHUNK_BYTES);
            let may_send = |net: &mut Net, peer| net.waiting.spin || net.link(peer).sent_bytes < room;
            let mut sent = false;
            if let Some(peer) = sending.filter(|peer| receiving.is_none() || may_send(self, *peer)) {
                sent = self.link(peer).send_some()?;
            }
            if let Some(peer) = receiving.filter(|_| self.waiting.spin || !sent) {
                self.link(peer).receive_some(kind)?;
            }
            match (sending, receiving) {
                (None, None) => break,
                // However little arrives at a time, the whole message has one deadline.
                (_, Some(peer)) if wait.is_over() => return Err(self.link(peer).late(Direction::Received)),
                (Some(peer), None) if wait.is_over() => return Err(self.link(peer).late(Direction::Sent)),
                _ => (),
            }
        }
        Ok(from.map_or_else(Vec::new, |peer| self.link(peer).words()))
    }

    /// One round: sends words to a party and receives as many as are named from a party. If they are more than fit into a
    /// message, it is as many rounds as it takes messages.
    pub fn exchange(&mut self, to: Option<(usize, &[u64])>, from: Option<(usize, usize)>) -> Result<Vec<u64>> {
        let words = to.map_or(0, |(_, words)| words.len()).max(from.map_or(0, |(_, words)| words));
        let mut all = Vec::new();
        let mut at = 0;
        while at < words {
            let end = words.min(at.saturating_add(self.message_words));
            let part =
                self.round(to.map(|(peer, words)| (peer, &words[at..end])), from.map(|(peer, _)| (peer, end - at)))?;
            // What fits into one message, the usual case, is not copied again.
            if all.is_empty() {
                all = part;
            } else {
                all.extend_from_slice(&part);
            }
            at = end;
        }
        Ok(all)
    }

    /// The round of a party that neither sends nor receives while the others exchange that many words.
    pub fn sit_out(&mut self, words: usize) {
        self.traffic.rounds += words.div_ceil(self.message_words) as u64;
    }

    fn round(&mut self, to: Option<(usize, &[u64])>, from: Option<(usize, usize)>) -> Result<Vec<u64>> {
        self.traffic.rounds += 1;
        let received = self.transfer(Kind::Data, to, from)?;
        if let Some((_, words)) = to {
            self.traffic.messages += 1;
            self.traffic.bytes_sent += (HEADER_BYTES + 8 * words.len()) as u64;
        }
        if let Some(transcript) = &mut self.transcript {
            transcript.extend_from_slice(&received);
        }
        Ok(received)
    }

    /// Ends the run: all parties have the same result, and each knows that the others know.
    ///
    /// Each closes its side only once both others have confirmed, so a fault up to the last confirmation fails all three.
    pub fn finish(&mut self, digest: u64) -> Result<()> {
        for (to, from) in [(before(self.id), after(self.id)), (after(self.id), before(self.id))] {
            let found = self.transfer(Kind::Data, Some((to, &[digest])), Some((from, 1)))?[0];
            if found != digest {
                return Err(Error::Disagreement { peer: from, expected: digest, found });
            }
        }
        for link in self.links.iter_mut().flatten() {
            link.end_sending()?;
        }
        self.links.iter_mut().flatten().try_for_each(|link| link.await_end(1))
    }

    /// Tells the others why this party gives up, and closes the connections.
    pub fn abort(&mut self, error: &Error) {
        // What another party said is passed on as it was said, so that all report the first cause.
        let reason = match error {
            Error::Aborted { reason, .. } => reason.clone(),
            error => error.to_string(),
        };
        for link in &mut self.links {
            if let Some(mut link) = link.take() {
                link.abort(&reason);
            }
        }
    }
}
