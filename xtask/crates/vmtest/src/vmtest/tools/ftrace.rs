//! The kernel's own tracers over the kernel's part of a request.

use super::{Observed, Test};
use anyhow::{Context, Result, ensure};
use ukl_repo::config::LevelOptions;

pub(super) const TESTS: &[Test] =
    &[("function", function), ("function-graph", graph), ("syscall-events", events), ("trace-cmd", trace_cmd)];

/// What every level calls to send.
const PUSH: &str = "__tcp_push_pending_frames";
const TRACING: &str = "/sys/kernel/tracing";

/// Traces the application with a tracer under a load of so many requests.
fn trace(guest: &mut Observed, tracer: &str, requests: u32) -> Result<String> {
    let (pid, load) = (guest.pid, guest.load(requests));
    guest
        .run(&format!("cd {TRACING} && echo {pid} >set_ftrace_pid && echo >trace && echo {tracer} >current_tracer"))?;
    let done = guest.run(&format!("chroot /debian {load} >/dev/null"));
    let text = guest.run(&format!("cd {TRACING} && echo 0 >tracing_on && grep -v '^#' trace | head -n 3000"));
    guest.run(&format!(
        "cd {TRACING} && echo nop >current_tracer && echo 1 >tracing_on && echo >set_ftrace_pid && cd /"
    ))?;
    done?;
    text
}

/// The function that calls into the body of `write`, by the way of a call; the tracer sees no function of the application.
fn function(guest: &mut Observed) -> Result<String> {
    let text = trace(guest, "function", 20)?;
    let call = match guest.level.options {
        LevelOptions { shortcut: true, .. } => "ukl_short_sys_write <-ukl_short_1",
        LevelOptions { bypass: true, .. } => "ksys_write <-ukl_sys_1",
        _ => "__x64_sys_write <-",
    };
    ensure!(text.contains(call), "the trace has no `{call}`: {}", head(&text));
    ensure!(text.contains("__tcp_push_pending_frames <-"), "the trace does not reach TCP: {}", head(&text));
    ensure!(!text.contains(" redis."), "the tracer is in application text: {}", head(&text));
    let traceable = guest.run(&format!("grep -c '^redis\\.' {TRACING}/available_filter_functions; true"))?;
    ensure!(traceable == "0", "{traceable} functions of the application can be traced");
    Ok(format!("the trace with `{call}` and TCP; no function of the application is in it"))
}

/// Nesting: the transmission is inside what pushes it.
fn graph(guest: &mut Observed) -> Result<String> {
    guest.run(&format!("echo {PUSH} >{TRACING}/set_graph_function"))?;
    let text = trace(guest, "function_graph", 5);
    guest.run(&format!("echo >{TRACING}/set_graph_function"))?;
    let text = text?;
    let depth = |name: &str| {
        let line = text.lines().find(|line| line.contains(&format!(" {name}() {{")))?;
        let body = line.rsplit_once('|')?.1;
        Some(body.len() - body.trim_start().len())
    };
    let outer = depth(PUSH).with_context(|| format!("no push in {}", head(&text)))?;
    let inner = depth("ip_local_out").with_context(|| format!("no IP in {}", head(&text)))?;
    ensure!(outer < inner, "ip_local_out is at column {inner}, what calls it at {outer}");
    Ok(format!("the columns of {PUSH} and ip_local_out: {outer} < {inner}"))
}

/// Entry and exit of each call, once each; without the event a direct call is direct again.
fn events(guest: &mut Observed) -> Result<String> {
    let (pid, requests) = (guest.pid, 50);
    let load = guest.load(requests);
    guest.run(&format!(
        "cd {TRACING} && echo >trace && echo 1 >events/syscalls/sys_enter_write/enable && \
                        echo 1 >events/syscalls/sys_exit_write/enable && cd /"
    ))?;
    let done = guest.run(&format!("chroot /debian {load} >/dev/null"));
    guest.run(&format!("cd {TRACING} && echo 0 >events/syscalls/enable && cd /"))?;
    done?;
    let mut count = |pattern: &str| -> Result<u32> {
        let text = guest.run(&format!("grep -c 'redis-server-{pid} .*{pattern}' {TRACING}/trace; true"))?;
        text.parse().with_context(|| format!("grep -c printed {text:?}"))
    };
    let (entries, exits, right) = (count("sys_write(fd: ")?, count("sys_write -> 0x")?, count("sys_write -> 0x5$")?);
    guest.run(&format!("echo >{TRACING}/trace"))?;
    ensure!((requests..requests + 5).contains(&entries), "{requests} requests were {entries} entries of write");
    ensure!(entries == exits, "{entries} entries and {exits} exits of write");
    ensure!(right >= requests, "{right} calls returned 5, the length of +OK; {requests} were expected");
    Ok(format!("{entries} entries and {exits} exits of write with {requests} requests, and their results with 5"))
}

fn trace_cmd(guest: &mut Observed) -> Result<String> {
    let (pid, load) = (guest.pid, guest.load(50));
    guest.tool(&format!("trace-cmd record -q -e syscalls:sys_enter_write -P {pid} -o /tmp/trace.dat {load}"))?;
    let text = guest.tool("trace-cmd report -i /tmp/trace.dat")?;
    let lines = text.lines().filter(|line| line.contains("redis-server") && line.contains("sys_enter_write")).count();
    ensure!((50..55).contains(&lines), "trace-cmd reports {lines} calls of write for 50 requests");
    Ok(format!("{lines} calls in trace-cmd's report with 50 requests"))
}

fn head(text: &str) -> String {
    text.lines().take(12).collect::<Vec<_>>().join(" / ")
}
