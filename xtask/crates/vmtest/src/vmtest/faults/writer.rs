//! A client that logs what was acknowledged.

use anyhow::{Result, bail, ensure};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use ukl_run::resp::{Client, Reply};

/// How many keys it writes to.
const KEYS: u64 = 300;
const DEADLINE: Duration = Duration::from_secs(30);

/// What must be there.
#[derive(Debug)]
pub(super) struct Writer {
    random: fastrand::Rng,
    /// By key: the last value whose SET was answered.
    model: BTreeMap<String, String>,
    /// A SET that was sent and not answered: its value may be there or not.
    open: Option<(String, String)>,
    pub acknowledged: u64,
}

impl Writer {
    pub(super) fn new(seed: u64) -> Self {
        Writer { random: fastrand::Rng::with_seed(seed), model: BTreeMap::new(), open: None, acknowledged: 0 }
    }

    /// One SET. Only an answer makes it part of the model.
    fn write(&mut self, client: &mut Client) -> Result<()> {
        let key = format!("fault:{}", self.random.u64(..KEYS));
        let value = format!("{}:{}", self.acknowledged, "x".repeat(self.random.usize(..600)));
        self.open = Some((key.clone(), value.clone()));
        match client.call(&[b"SET", key.as_bytes(), value.as_bytes()])? {
            Reply::Simple(answer) if answer == "OK" => {}
            // It was refused, so it must not be there.
            Reply::Error(text) => {
                self.open = None;
                bail!("SET was answered {text:?}");
            }
            answer => bail!("SET was answered {answer:?}"),
        }
        self.open = None;
        self.model.insert(key, value);
        self.acknowledged += 1;
        Ok(())
    }

    /// So many SETs, all of which have to be answered.
    pub(super) fn writes(&mut self, port: u16, count: u64) -> Result<()> {
        let mut client = Client::connect(port, DEADLINE)?;
        (0..count).try_for_each(|_| self.write(&mut client))
    }

    /// Writes for as long as `act` takes, which must not disturb it.
    pub(super) fn during(mut self, port: u16, act: impl FnOnce() -> Result<()>) -> Result<Self> {
        let end = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| {
                let mut client = Client::connect(port, DEADLINE)?;
                while !end.load(std::sync::atomic::Ordering::Relaxed) {
                    self.write(&mut client)?;
                }
                Ok(self)
            });
            let acted = act();
            end.store(true, std::sync::atomic::Ordering::Relaxed);
            let written = writing.join().expect("the writer does not panic");
            acted.and(written)
        })
    }

    /// Writes, does `act` after `delay`, and goes on until the connection breaks.
    pub(super) fn until_it_breaks(mut self, port: u16, delay: Duration, act: impl FnOnce() + Send) -> Result<Self> {
        let mut client = Client::connect(port, DEADLINE)?;
        self.write(&mut client)?;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(delay);
                act();
            });
            let start = Instant::now();
            while self.write(&mut client).is_ok() {
                ensure!(start.elapsed() < DEADLINE, "writes still succeed {} s after the fault", DEADLINE.as_secs());
            }
            Ok(self)
        })
    }

    /// Every acknowledged value is there; of one that was open, either value. From here on it is the one that is there.
    pub(super) fn verify(&mut self, port: u16) -> Result<()> {
        let mut client = Client::connect(port, DEADLINE)?;
        let mut read = |key: &str| -> Result<Option<String>> {
            match client.call(&[b"GET", key.as_bytes()])? {
                Reply::Bulk(bytes) => Ok(Some(String::from_utf8(bytes)?)),
                Reply::Nil => Ok(None),
                answer => bail!("GET {key} was answered {answer:?}"),
            }
        };
        if let Some((key, value)) = self.open.take() {
            let found = read(&key)?;
            if found.as_ref() == Some(&value) {
                self.model.insert(key, value);
            }
        }
        for (key, value) in &self.model {
            let found = read(key)?;
            ensure!(found.as_ref() == Some(value), "{key} is {found:?}; {value:?} was acknowledged");
        }
        Ok(())
    }
}
