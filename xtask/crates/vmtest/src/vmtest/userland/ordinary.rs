//! What a unit is expected to do on a good day.

use super::{Distribution, UNIT};
use anyhow::{Result, ensure};
use ukl_repo::config::KernelFlavour;

/// Megabytes that the load stores.
const STORED_MIB: u64 = 32;

/// systemd's view of the application, and the application's own.
pub(super) fn active(guest: &mut Distribution) -> Result<String> {
    let state = format!("{} {}", guest.property("ActiveState")?, guest.property("SubState")?);
    ensure!(state == "active running", "the unit is {state}");
    let system = guest.wait("systemctl is-system-running", |text| text.trim() != "starting")?;
    let failed = guest.succeed("systemctl --failed --no-legend --plain")?;
    ensure!(system == "running" && failed.is_empty(), "the system is {system}; failed units: {failed:?}");
    Ok("the unit with active and running, the system with running, failed units with none".to_owned())
}

/// What the application prints is in the journal, under its unit.
pub(super) fn journal(guest: &mut Distribution) -> Result<String> {
    let text = guest.succeed(&format!("journalctl --no-pager --output=cat --unit={UNIT}"))?;
    let cpl = if guest.level.kernel == KernelFlavour::Ukl { 0 } else { 3 };
    let banner = format!("ukl: level={} cpl={cpl} ", guest.level.name);
    for wanted in [banner.as_str(), "Ready to accept connections", "Started"] {
        ensure!(text.contains(wanted), "the journal has no {wanted:?}: {text}");
    }
    Ok(format!("the journal of {UNIT} with the banner of CPL {cpl}, Redis's own lines and systemd's"))
}

/// A command through sshd, with a session of logind.
pub(super) fn ssh(guest: &mut Distribution) -> Result<String> {
    let said = guest
        .ways
        .run("id --user --name; loginctl --no-legend list-sessions | wc --lines; systemctl is-active ukl-redis")?;
    let lines: Vec<_> = said.lines().map(str::trim).collect();
    ensure!(lines == ["root", "1", "active"], "the command printed {lines:?}");
    Ok("user, sessions and state through ssh with root, 1 and active".to_owned())
}

/// Debian's own Redis, under its own user and sandbox, is another process with other data.
pub(super) fn neighbour(guest: &mut Distribution) -> Result<String> {
    guest.wait("systemctl is-active redis-server", |text| text.trim() == "active")?;
    guest.ask(guest.port, "SET who linked-in", "OK")?;
    guest.ask(guest.ways.neighbour, "SET who ordinary", "OK")?;
    guest.ask(guest.port, "GET who", "linked-in")?;
    guest.ask(guest.ways.neighbour, "GET who", "ordinary")?;
    let user = guest.succeed("ps -o user= -p $(systemctl show --property=MainPID --value redis-server)")?;
    ensure!(user == "redis", "the ordinary Redis runs as {user:?}");
    Ok("the same key in both with the value set in each".to_owned())
}

/// The unit's control group is charged for what the application uses.
pub(super) fn accounting(guest: &mut Distribution) -> Result<String> {
    let before = (guest.number("CPUUsageNSec")?, guest.number("MemoryCurrent")?);
    let mut client = guest.client()?;
    for mib in 0..STORED_MIB {
        client.text(&format!("SETRANGE accounted:{mib} 1048575 x"))?;
    }
    let after = (guest.number("CPUUsageNSec")?, guest.number("MemoryCurrent")?);
    client.text("FLUSHALL")?;
    let grown = after.1.saturating_sub(before.1) >> 20;
    ensure!(after.0 > before.0, "CPUUsageNSec went from {} to {}", before.0, after.0);
    ensure!(
        (STORED_MIB * 9 / 10..STORED_MIB * 2).contains(&grown),
        "MemoryCurrent grew by {grown} MiB when {STORED_MIB} MiB were stored"
    );
    Ok(format!(
        "{grown} MiB of MemoryCurrent with {STORED_MIB} MiB stored; {} ms of CPUUsageNSec with more than 0",
        (after.0 - before.0) / 1_000_000
    ))
}

/// A stop is a SIGTERM, upon which Redis saves and ends with status 0; the next start loads it.
pub(super) fn stop(guest: &mut Distribution) -> Result<String> {
    guest.ask(guest.port, "SET kept before-the-stop", "OK")?;
    guest.succeed(&format!("systemctl stop {UNIT}"))?;
    let end = [guest.property("ActiveState")?, guest.property("Result")?, guest.property("ExecMainStatus")?].join(" ");
    ensure!(end == "inactive success 0", "after the stop the unit is {end}");
    let text = guest.succeed(&format!("journalctl --no-pager --output=cat --unit={UNIT}"))?;
    ensure!(text.contains("Redis is now ready to exit, bye bye"), "Redis did not say that it ends in order");
    guest.succeed(&format!("systemctl start {UNIT}"))?;
    guest.ask(guest.port, "GET kept", "before-the-stop")?;
    Ok("the state after `systemctl stop` with inactive, success and 0; the value after the next start with what was set".to_owned())
}
