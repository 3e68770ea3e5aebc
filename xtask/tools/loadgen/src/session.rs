//! A measurement from connecting to results. Its parts follow one another strictly: every answer of a part has arrived
//! before the next begins.

use crate::failure::Failure;
use crate::mark::Mark;
use crate::report::{Report, Results};
use crate::schedule::Schedule;
use crate::settings::{Amount, OpenLoop, Settings, TARGET_REMEDY};
use crate::worker::{Job, Limit, Pace, Source, Tally, Worker};
use anyhow::{Context, Result, bail};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long one connect may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(30);
/// How many keys are written at once on a connection before the measurement, and how many bytes.
const POPULATE_DEPTH: usize = 16;
const POPULATE_BYTES: usize = 256 << 10;

/// Open connections to a server, for any number of measurements.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    workers: Vec<Worker>,
    mark: Option<Mark>,
    /// Makes each part's schedule another one, so that repeated measurements do not share their chance.
    parts: u64,
}

/// Connects, writes the keys, warms up and measures.
pub fn run(settings: &Settings) -> Result<Report> {
    let mut session = Session::open(settings)?;
    session.prepare()?;
    let results = session.measure()?;
    Ok(Report { version: env!("CARGO_PKG_VERSION").to_owned(), settings: settings.clone(), results })
}

impl Session {
    /// Checks the settings and opens all connections, one after the other.
    pub fn open(settings: &Settings) -> Result<Self> {
        settings.check()?;
        let mark = settings.mark.then(Mark::map).transpose()?;
        let address = resolve(&settings.target)?;
        let mut streams: Vec<Vec<(usize, TcpStream)>> = (0..settings.threads).map(|_| Vec::new()).collect();
        for number in 0..settings.connections as usize {
            if number > 0 && settings.connect_pace_ms > 0 {
                std::thread::sleep(Duration::from_millis(settings.connect_pace_ms));
            }
            let thread = number % settings.threads as usize;
            streams[thread].push((number, connect(address, number, settings.connections)?));
        }
        let workers = (0..).zip(streams).map(|(thread, streams)| Worker::new(settings, thread, streams));
        Ok(Session { settings: settings.clone(), workers: workers.collect::<Result<_>>()?, mark, parts: 0 })
    }

    /// Writes every key if the load reads any, and warms up.
    pub fn prepare(&mut self) -> Result<()> {
        if self.settings.populate && self.settings.reads() && self.settings.protocol.stores() {
            self.populate().context("writing the keys before the measurement")?;
        }
        if self.settings.warmup_requests > 0 {
            let amount = Amount::Requests(self.settings.warmup_requests);
            let jobs = self.jobs(amount, self.settings.open_loop, None);
            self.part(jobs).context("warming up")?;
        }
        Ok(())
    }

    /// Measures what the settings say.
    pub fn measure(&mut self) -> Result<Results> {
        let jobs = self.jobs(self.settings.amount, self.settings.open_loop, None);
        self.timed(jobs)
    }

    /// Measures at another rate; ends early when a request is sent that much too late.
    pub fn measure_at(&mut self, open_loop: OpenLoop, give_up_lag: Duration) -> Result<Results> {
        let jobs = self.jobs(self.settings.amount, Some(open_loop), Some(give_up_lag.as_nanos() as u64));
        self.timed(jobs)
    }

    fn timed(&mut self, jobs: Vec<Job>) -> Result<Results> {
        let start = Instant::now();
        // Nothing stands between the marks but the measured part.
        if let Some(mark) = &self.mark {
            mark.begin();
        }
        let tally = self.part(jobs);
        if let Some(mark) = &self.mark {
            mark.end();
        }
        let duration_s = start.elapsed().as_secs_f64();
        Ok(Results::new(tally?, duration_s))
    }

    /// Each thread's share of a part.
    fn jobs(&mut self, amount: Amount, open_loop: Option<OpenLoop>, give_up_lag_ns: Option<u64>) -> Vec<Job> {
        self.parts += 1;
        let (settings, threads) = (&self.settings, self.settings.threads);
        let depth = settings.pipeline as usize;
        let job = |thread: u32| Job {
            source: Source::Drawn,
            limit: match amount {
                Amount::Requests(requests) => {
                    let share = share(requests, thread, threads);
                    Limit::Requests(share.end - share.start)
                }
                Amount::DurationS(seconds) => Limit::AfterNs((seconds * 1e9) as u64),
            },
            pace: match open_loop {
                None => Pace::Closed { depth },
                Some(open_loop) => {
                    let schedule = Schedule::new(open_loop, settings.seed.wrapping_add(self.parts), thread, threads);
                    Pace::Open { schedule, depth, give_up_lag_ns }
                }
            },
            latency: settings.latency,
        };
        (0..threads).map(job).collect()
    }

    fn populate(&mut self) -> Result<()> {
        let (keys, threads) = (self.settings.keys, self.settings.threads);
        let depth = (POPULATE_BYTES / (self.settings.value_bytes as usize).max(1)).clamp(1, POPULATE_DEPTH);
        let job = |thread| {
            let keys = share(keys, thread, threads);
            let limit = Limit::Requests(keys.end - keys.start);
            Job { source: Source::Keys(keys), limit, pace: Pace::Closed { depth }, latency: false }
        };
        let tally = self.part((0..threads).map(job).collect())?;
        match &tally.errors.first {
            None => Ok(()),
            Some(first) => Err(Failure::new(
                format!("{} of {keys} keys could not be written: {first}", tally.errors.total()),
                "look into the server's log; without its keys a load that reads means nothing",
            )),
        }
    }

    /// Runs a part to its end: one job per thread, on the calling thread if it is the only one.
    fn part(&mut self, jobs: Vec<Job>) -> Result<Tally> {
        let stop = AtomicBool::new(false);
        let mut pairs: Vec<(&mut Worker, Job)> = self.workers.iter_mut().zip(jobs).collect();
        if pairs.len() == 1
            && let Some((worker, job)) = pairs.pop()
        {
            return worker.run(job, &stop);
        }
        let barrier = Barrier::new(pairs.len());
        let results: Vec<Result<Tally>> = std::thread::scope(|scope| {
            let (stop, barrier) = (&stop, &barrier);
            let start = |(worker, job)| scope.spawn(move || run_thread(worker, job, stop, barrier));
            let threads: Vec<_> = pairs.into_iter().map(start).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        let mut sum = Tally::new()?;
        for tally in results {
            sum.add(&tally?)?;
        }
        Ok(sum)
    }
}

/// One thread of a part; its failure stops the others.
fn run_thread(worker: &mut Worker, job: Job, stop: &AtomicBool, barrier: &Barrier) -> Result<Tally> {
    barrier.wait();
    let result = worker.run(job, stop);
    if result.is_err() {
        stop.store(true, Ordering::Relaxed);
    }
    result
}

/// A thread's share of so many things: none is left over and none is counted twice.
fn share(total: u64, thread: u32, threads: u32) -> Range<u64> {
    let (thread, threads) = (u64::from(thread), u64::from(threads));
    let (each, rest) = (total / threads, total % threads);
    let start = thread * each + thread.min(rest);
    start..start + each + u64::from(thread < rest)
}

fn resolve(target: &str) -> Result<SocketAddr> {
    let refuse = |why: String| Failure::usage(format!("the target `{target}` is no address: {why}"), TARGET_REMEDY);
    let mut addresses = target.to_socket_addrs().map_err(|error| refuse(error.to_string()))?;
    addresses.next().ok_or_else(|| refuse("the name has none".to_owned()))
}

fn connect(address: SocketAddr, number: usize, connections: u32) -> Result<TcpStream> {
    let stream = match TcpStream::connect_timeout(&address, CONNECT_DEADLINE) {
        Ok(stream) => stream,
        Err(error) => {
            let next = match error.kind() {
                ErrorKind::ConnectionRefused => "start the server, or give another --target",
                ErrorKind::TimedOut => "give --connect-pace-ms: the server may get connects faster than it takes them",
                // EMFILE has no kind.
                _ if error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
                    "allow more open files (ulimit -n), or give fewer --connections"
                }
                _ => "see whether the server can be reached from here",
            };
            let reason = format!("connection {} of {connections} to {address} failed: {error}", number + 1);
            return Err(Failure::new(reason, next));
        }
    };
    if let Err(error) = stream.set_nodelay(true) {
        bail!("connection {} of {connections} to {address}: TCP_NODELAY: {error}", number + 1);
    }
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_everything_once() {
        for (total, threads) in [(10, 3), (2, 4), (12, 4), (1, 1)] {
            let mut at = 0;
            for thread in 0..threads {
                let share = share(total, thread, threads);
                assert_eq!(share.start, at);
                assert!((share.end - share.start).abs_diff(total / u64::from(threads)) <= 1);
                at = share.end;
            }
            assert_eq!(at, total);
        }
    }

    #[test]
    fn a_target_without_an_address_is_named() {
        let error = resolve("no such host:1").unwrap_err();
        assert!(error.to_string().starts_with("the target `no such host:1` is no address: "), "{error:#}");
        assert_eq!(Failure::within(&error).unwrap().next(), TARGET_REMEDY);
        assert_eq!(resolve("127.0.0.1:80").unwrap(), ([127, 0, 0, 1], 80).into());
    }
}
