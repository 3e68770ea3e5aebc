//! Open loop: a schedule says when a request is sent, whatever the server does. A request whose time has come while all
//! connections are full waits here, and its wait belongs to its latency.

use super::Drive;
use crate::schedule::Schedule;
use anyhow::{Context, Result};
use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};

const NS_PER_S: u64 = 1_000_000_000;

/// Why no more requests are sent for now.
enum Pause {
    /// The next one's time has not come.
    Until(u64),
    /// All connections are full.
    Full,
    /// That was the last.
    End,
}

impl Drive<'_> {
    /// Sends what the schedule asks for until the limit is reached and everything is answered. Gives up when a request
    /// is later than `give_up_lag_ns`.
    pub(super) fn open(&mut self, mut schedule: Schedule, depth: usize, give_up_lag_ns: Option<u64>) -> Result<()> {
        let mut turn = 0;
        let mut dirty = Vec::new();
        let mut answered_ns = 0;
        while !self.is_stopped() {
            self.tick();
            let late_ns = self.now_ns.saturating_sub(schedule.next_ns());
            self.tally.gave_up |= give_up_lag_ns.is_some_and(|lag_ns| late_ns > lag_ns);
            let pause = if self.tally.gave_up {
                Pause::End
            } else {
                self.send_due(&mut schedule, depth, &mut turn, &mut dirty)
            };
            for index in dirty.drain(..) {
                self.flush(index)?;
            }
            match pause {
                Pause::End if self.outstanding == 0 => break,
                Pause::End => {}
                Pause::Full => self.check_alive()?,
                Pause::Until(next_ns) => self.set_timer(next_ns)?,
            }
            self.wait()?;
            let before = self.outstanding;
            for at in 0..self.ready.len() {
                let (index, closed) = self.ready[at];
                self.receive(index, closed)?;
                self.flush(index)?;
            }
            self.tick();
            if self.outstanding != before || self.outstanding == 0 {
                answered_ns = self.now_ns;
            } else if self.now_ns - answered_ns >= self.worker.answer_deadline.as_nanos() as u64 {
                return Err(self.stalled());
            }
        }
        Ok(())
    }

    /// Makes every request whose time has come; `dirty` gets the connections that have something to send.
    fn send_due(&mut self, schedule: &mut Schedule, depth: usize, turn: &mut usize, dirty: &mut Vec<usize>) -> Pause {
        loop {
            let due_ns = schedule.next_ns();
            if !self.wants_more(due_ns) {
                return Pause::End;
            }
            if due_ns > self.now_ns {
                return Pause::Until(due_ns);
            }
            let Some(index) = self.free_connection(*turn, depth) else {
                return Pause::Full;
            };
            *turn = index + 1;
            self.tally.lags.record_ns(self.now_ns - due_ns);
            self.make(index, due_ns);
            if !dirty.contains(&index) {
                dirty.push(index);
            }
            schedule.advance();
        }
    }

    /// The first connection that may take a request, beginning with the one whose turn it is.
    fn free_connection(&self, turn: usize, depth: usize) -> Option<usize> {
        let connections = &self.worker.connections;
        let free = |index: &usize| !connections[*index].lost && connections[*index].outstanding.len() < depth;
        let start = turn % connections.len();
        (start..connections.len()).chain(0..start).find(free)
    }

    /// A timer of its own, because epoll's waits end on whole milliseconds.
    fn set_timer(&mut self, next_ns: u64) -> Result<()> {
        // Zero would switch it off.
        let wait_ns = next_ns.saturating_sub(self.now_ns).max(1);
        let it_value = Timespec { tv_sec: (wait_ns / NS_PER_S) as i64, tv_nsec: (wait_ns % NS_PER_S) as _ };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        timerfd_settime(&self.worker.timer, TimerfdTimerFlags::empty(), &once).context("setting the timer")?;
        Ok(())
    }
}
