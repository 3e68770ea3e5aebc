//! Runs of redis-benchmark.

use super::Args;
use anyhow::{Context, Result, bail};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use ukl_loadgen::{Failure, host_and_port};

/// How long one run of redis-benchmark may take.
const RUN_DEADLINE: Duration = Duration::from_secs(300);
const POLL_PERIOD: Duration = Duration::from_millis(20);

/// The throughput that redis-benchmark sees, in requests/s.
pub(super) fn rate(args: &Args, get: bool, pipeline: u32, requests: u64) -> Result<f64> {
    let test = if get { "GET" } else { "SET" };
    let (host, port) = host_and_port(&args.target)?;
    let mut command = Command::new(&args.redis_benchmark);
    command.args(["-h", host, "-p", port, "-t", &test.to_lowercase(), "--csv"]);
    let numbers = [
        ("-c", u64::from(args.connections)),
        ("-P", u64::from(pipeline)),
        ("-n", requests),
        ("-d", u64::from(args.value_bytes)),
        ("-r", args.keys),
    ];
    for (name, number) in numbers {
        command.arg(name).arg(number.to_string());
    }
    eprintln!("$ {command:?}");
    let child = die_with_parent(&mut command).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let child = child.map_err(|error| {
        Failure::new(
            format!("{} cannot be started: {error}", args.redis_benchmark.display()),
            "install redis-tools, or give --redis-benchmark PROGRAM",
        )
    })?;
    let output = output(child).with_context(|| format!("{}", args.redis_benchmark.display()))?;
    figure(&output, test).with_context(|| format!("{} printed {output:?}", args.redis_benchmark.display()))
}

/// Makes the child die with this process.
fn die_with_parent(command: &mut Command) -> &mut Command {
    // SAFETY: the closure runs between fork and exec and makes one system call, which is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM)).map_err(Into::into)
        })
    }
}

/// Waits for the end; its few lines of output fit into the pipe.
fn output(mut child: Child) -> Result<String> {
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > RUN_DEADLINE {
            child.kill()?;
            child.wait()?;
            bail!("was not done after {} s", RUN_DEADLINE.as_secs());
        }
        std::thread::sleep(POLL_PERIOD);
    }
    let output = child.wait_with_output()?;
    anyhow::ensure!(output.status.success(), "failed: {}", output.status);
    String::from_utf8(output.stdout).context("its output is not text")
}

/// The figure in the line of a test, `"GET","81234.50",…`.
fn figure(csv: &str, test: &str) -> Result<f64> {
    let line = csv.lines().find_map(|line| line.strip_prefix(&format!("\"{test}\",")));
    let text = line.with_context(|| format!("there is no line for {test}"))?.split(',').next().unwrap_or_default();
    text.trim_matches('"').parse().with_context(|| format!("`{text}` is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_is_found_in_the_output_of_redis_benchmark() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\"\n\"SET\",\"74738.41\",\"0.344\"\n";
        assert_eq!(figure(csv, "SET").unwrap(), 74738.41);
        assert!(figure(csv, "GET").unwrap_err().to_string().contains("no line for GET"));
    }
}
