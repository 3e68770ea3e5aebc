//! Closed loop: an answer is followed by the next request on the same connection.

use super::Drive;
use anyhow::Result;

impl Drive<'_> {
    /// Keeps `depth` requests outstanding on each connection until the limit is reached and everything is answered.
    pub(super) fn closed(&mut self, depth: usize) -> Result<()> {
        self.tick();
        let count = self.worker.connections.len();
        // A request for each connection before any gets its second one.
        for _ in 0..depth {
            (0..count).for_each(|index| self.refill_once(index));
        }
        (0..count).try_for_each(|index| self.flush(index))?;
        while self.outstanding > 0 && !self.is_stopped() {
            if !self.wait()? {
                return Err(self.stalled());
            }
            for at in 0..self.ready.len() {
                let (index, closed) = self.ready[at];
                self.receive(index, closed)?;
                for _ in self.worker.connections[index].outstanding.len()..depth {
                    self.refill_once(index);
                }
                self.flush(index)?;
            }
        }
        if self.wants_more(self.now_ns) { self.check_alive() } else { Ok(()) }
    }

    fn refill_once(&mut self, index: usize) {
        if !self.worker.connections[index].lost && self.wants_more(self.now_ns) {
            self.make(index, self.now_ns);
        }
    }
}
