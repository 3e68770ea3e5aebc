//! The processor time that a process has used.

use anyhow::{Context, Result};
use std::time::Duration;

/// The time of a process, in steps of 10 ms. On a busy host it says more than a clock on the wall.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let ticks = cpu_ticks(&text).with_context(|| format!("{path} does not say how much time was used: {text:?}"))?;
    // SAFETY: sysconf has no preconditions.
    let per_s = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Ok(Duration::from_secs_f64(ticks as f64 / per_s as f64))
}

/// Time in user and in kernel mode, fields 14 and 15 of /proc/PID/stat (proc(5)). The second is a name, which may have any
/// characters and ends with the last parenthesis.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::cpu_ticks;

    #[test]
    fn the_time_is_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 41 12 0 0 20 0 1 0 5 6 7";
        assert_eq!(cpu_ticks(stat), Some(53));
        assert_eq!(cpu_ticks("7 (a) S 1"), None);
    }
}
