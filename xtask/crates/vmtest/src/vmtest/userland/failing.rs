//! What happens to a unit on a bad day, and to nothing else.

use super::{Distribution, UNIT};
use anyhow::{Result, ensure};
use ukl_run::resp::Client;

/// More than fits the limit of the test, in mebibytes.
const STORED_MIB: u32 = 160;
const LIMIT_MIB: u32 = 64;

/// A crash: systemd starts the application again; its data and the neighbour's are there.
pub(super) fn restart(guest: &mut Distribution) -> Result<String> {
    guest.ask(guest.ways.neighbour, "SET beside intact", "OK")?;
    guest.ask(guest.port, "SET own survived", "OK")?;
    let (restarts, pid) = (guest.number("NRestarts")?, guest.number("MainPID")?);
    guest.succeed(&format!("kill -SEGV {pid}"))?;
    let wanted = (restarts + 1).to_string();
    guest.wait(&format!("systemctl show --property=NRestarts --value {UNIT}"), |text| text.trim() == wanted)?;
    guest.wait_state("active")?;
    let next = guest.number("MainPID")?;
    ensure!(next != pid && next != 0, "the main process is {next} before and after");
    guest.ask(guest.port, "GET own", "survived")?;
    guest.ask(guest.ways.neighbour, "GET beside", "intact")?;
    Ok(format!(
        "NRestarts after SIGSEGV with {wanted}; both values with those set before; process {next} with {pid} before"
    ))
}

/// The crash before is on record, with a core file.
pub(super) fn coredump(guest: &mut Distribution) -> Result<String> {
    let list = "coredumpctl --no-pager --no-legend list /opt/ukl/redis-server";
    let line = guest.wait(list, |text| text.contains("SIGSEGV"))?;
    ensure!(line.contains("present"), "the core file is missing: {line}");
    let info = guest.succeed("coredumpctl --no-pager info /opt/ukl/redis-server")?;
    ensure!(info.contains(&format!("Unit: {UNIT}.service")), "the crash belongs to no unit: {info}");
    Ok("the last crash in coredumpctl with SIGSEGV, its unit and a core file".to_owned())
}

/// The limit of the unit's control group ends the application and nothing else.
pub(super) fn memory_max(guest: &mut Distribution) -> Result<String> {
    guest.ask(guest.ways.neighbour, "SET beside untouched", "OK")?;
    let restarts = guest.number("NRestarts")?;
    guest.succeed(&format!("systemctl set-property --runtime {UNIT} MemoryMax={LIMIT_MIB}M"))?;
    let ended = fill(guest)?;
    // At once, or the start after it would load as much.
    guest.succeed(&format!("systemctl set-property --runtime {UNIT} MemoryMax=infinity"))?;
    ensure!(ended, "{STORED_MIB} MiB were stored in a unit with {LIMIT_MIB} MiB");
    let said = format!("journalctl --no-pager --output=cat --unit={UNIT}");
    guest.wait(&said, |text| text.contains("Failed with result 'oom-kill'"))?;
    let wanted = format!("systemctl show --property=NRestarts --value {UNIT}");
    guest.wait(&wanted, |text| text.trim().parse().is_ok_and(|count: u64| count > restarts))?;
    guest.wait_state("active")?;
    guest.ask(guest.port, "FLUSHALL", "OK")?;
    guest.ask(guest.ways.neighbour, "GET beside", "untouched")?;
    Ok(format!("the unit's result beyond {LIMIT_MIB} MiB with oom-kill; the neighbour's value with the one set before"))
}

/// Whether the application ended while it was filled.
fn fill(guest: &Distribution) -> Result<bool> {
    let mut client: Client = guest.client()?;
    Ok((0..STORED_MIB).any(|mib| client.text(&format!("SETRANGE filled:{mib} 1048575 x")).is_err()))
}
