//! The rate of the time-stamp counter, which an emulated guest reads from the host.

use std::arch::x86_64::_rdtsc;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// How long it is measured: the two readings at each end are some 100 ns apart, so this is good for five digits.
const PERIOD: Duration = Duration::from_millis(20);

/// A word for the guest's command line. A guest on a busy host is off the processor while it measures the counter itself; by
/// a rate that is wrong by a factor its clock then runs for good, and it reports stalls that never were.
pub fn known_rate() -> String {
    format!("tsc_early_khz={}", rate_khz())
}

/// The rate, measured once.
pub fn rate_khz() -> u64 {
    static RATE_KHZ: LazyLock<u64> = LazyLock::new(measure_khz);
    *RATE_KHZ
}

fn measure_khz() -> u64 {
    let start = read();
    std::thread::sleep(PERIOD);
    let end = read();
    let elapsed_ns = end.0.duration_since(start.0).as_nanos() as u64;
    (end.1 - start.1) * 1_000_000 / elapsed_ns
}

/// Both clocks at once: of some tries, the one with the shortest time between them.
fn read() -> (Instant, u64) {
    let pair = || {
        // SAFETY: every x86-64 processor has the counter, and Linux lets programs read it.
        let before = unsafe { _rdtsc() };
        let now = Instant::now();
        // SAFETY: as above.
        let after = unsafe { _rdtsc() };
        (after - before, (now, before))
    };
    let mut best = pair();
    for _ in 0..8 {
        let next = pair();
        if next.0 < best.0 {
            best = next;
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_measurements_agree() {
        let (first, second) = (measure_khz(), measure_khz());
        assert!(first > 100_000 && first.abs_diff(second) < first / 100, "{first} kHz and {second} kHz");
    }
}
