//! Threads and what belongs to one of them.

use crate::{Outcome, same};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

const THREADS: usize = 8;
const ROUNDS: usize = 1000;

/// Many threads add to one counter, under a lock and without.
pub fn share_a_counter() -> Outcome {
    let start = Arc::new(Barrier::new(THREADS));
    let locked = Arc::new((Mutex::new(0_usize), Condvar::new()));
    let atomic = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (start, locked, atomic) = (start.clone(), locked.clone(), atomic.clone());
            thread::spawn(move || {
                start.wait();
                for _ in 0..ROUNDS {
                    *locked.0.lock().expect("no thread panics") += 1;
                    atomic.fetch_add(1, Ordering::Relaxed);
                }
                locked.1.notify_all();
            })
        })
        .collect();
    let (count, more) = &*locked;
    let mut seen = count.lock().map_err(|error| error.to_string())?;
    while *seen < THREADS * ROUNDS {
        seen = more.wait_timeout(seen, Duration::from_secs(20)).map_err(|error| error.to_string())?.0;
    }
    drop(seen);
    for thread in threads {
        thread.join().map_err(|_| "a thread panicked")?;
    }
    same("the atomic counter", atomic.load(Ordering::Relaxed), THREADS * ROUNDS)?;
    Ok(format!("what {THREADS} threads counted with {}", THREADS * ROUNDS))
}

/// Messages arrive in order, a wait ends when its time is over, and a sleep lasts as long as it was asked to.
pub fn pass_messages() -> Outcome {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || (0..ROUNDS).try_for_each(|number| sender.send(number)));
    let received: Vec<usize> = receiver.iter().collect();
    thread.join().map_err(|_| "the sender panicked")??;
    same("what was received", received, (0..ROUNDS).collect())?;
    let (idle, none) = mpsc::channel::<()>();
    same("a wait", none.recv_timeout(Duration::from_millis(20)).is_err(), true)?;
    drop(idle);
    let before = Instant::now();
    thread::sleep(Duration::from_millis(30));
    same("whether the sleep was long enough", before.elapsed() >= Duration::from_millis(30), true)?;
    Ok(format!("{ROUNDS} messages with what was sent, and a sleep with its duration"))
}

/// How many values of threads that ended were dropped.
static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct Counted(Cell<usize>);

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.fetch_add(self.0.get(), Ordering::Relaxed);
    }
}

thread_local! {
    static OWN: Counted = const { Counted(Cell::new(1)) };
    static LAZY: String = format!("thread {:?}", thread::current().id());
}

/// Each thread has its own value, which is dropped when the thread ends.
pub fn destroy_thread_locals() -> Outcome {
    let names: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (1..=THREADS)
            .map(|number| {
                scope.spawn(move || {
                    OWN.with(|own| own.0.set(own.0.get() * number));
                    LAZY.with(String::clone)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
    });
    let mut distinct = names.clone();
    distinct.sort();
    distinct.dedup();
    same("the number of different names", distinct.len(), THREADS)?;
    // A scope ends before the thread's destructors do; a joined thread has run them all.
    let sum: usize = (1..=THREADS).sum();
    let deadline = Instant::now() + Duration::from_secs(20);
    while DROPPED.load(Ordering::Relaxed) != sum && Instant::now() < deadline {
        thread::yield_now();
    }
    same("the sum of the dropped values", DROPPED.load(Ordering::Relaxed), sum)?;
    Ok(format!("the values that {THREADS} ending threads dropped with {sum}"))
}
