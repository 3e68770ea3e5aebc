//! What systemd takes away from a unit is gone for a linked-in application, too.

use super::{Distribution, UNIT};
use anyhow::{Result, ensure};

/// Redis keeps this many descriptors for itself.
const RESERVED: u32 = 32;
const DESCRIPTORS: u32 = 2048;

/// Redis lowers the number of its clients to what it may open. Without the capability, root cannot raise the limit.
pub(super) fn limit_nofile(guest: &mut Distribution) -> Result<String> {
    let limit = format!("LimitNOFILE={DESCRIPTORS}");
    with(guest, &[&limit, "CapabilityBoundingSet=~CAP_SYS_RESOURCE"], |guest| {
        let expected = format!("maxclients {}", DESCRIPTORS - RESERVED);
        guest.ask(guest.port, "CONFIG GET maxclients", &expected)?;
        Ok(format!("the clients that Redis admits under {limit} with {}", DESCRIPTORS - RESERVED))
    })
}

/// Name spaces, read-only file systems and no new privileges: the server works, and writes only where it may.
pub(super) fn sandbox(guest: &mut Distribution) -> Result<String> {
    let settings = [
        // Redis writes into a folder that it is told to use, if that is not forbidden by itself.
        "ExecStart=",
        "ExecStart=/opt/ukl/redis-server /etc/redis.conf --enable-protected-configs yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ReadWritePaths=/data",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "ProtectKernelTunables=yes",
        "ProtectControlGroups=yes",
        "ProtectHostname=yes",
        "RestrictNamespaces=yes",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    ];
    with(guest, &settings, |guest| {
        guest.ask(guest.port, "SET sandboxed yes", "OK")?;
        guest.ask(guest.port, "GET sandboxed", "yes")?;
        guest.ask(guest.port, "SAVE", "OK")?;
        let mut client = guest.client()?;
        client.text("CONFIG SET appendonly no")?;
        let moved = client.text("CONFIG SET dir /var")?.to_string();
        let refused = client.text("SAVE")?.to_string();
        client.text("CONFIG SET dir /data")?;
        ensure!(
            moved == "OK" && refused.contains("error"),
            "SAVE into /var under ProtectSystem=strict was answered {refused:?}"
        );
        Ok("SAVE into /data with OK, and into /var with an error".to_owned())
    })
}

/// A filter of system calls applies to direct calls: the last step of a snapshot is refused.
pub(super) fn seccomp(guest: &mut Distribution) -> Result<String> {
    let settings =
        ["NoNewPrivileges=yes", "SystemCallFilter=~rename renameat renameat2", "SystemCallErrorNumber=EPERM"];
    with(guest, &settings, |guest| {
        guest.ask(guest.port, "SET filtered yes", "OK")?;
        let pid = guest.number("MainPID")?;
        let mode = guest.succeed(&format!("sed -n 's/^Seccomp:[^0-9]*//p' /proc/{pid}/status"))?;
        let mut client = guest.client()?;
        let refused = client.text("SAVE")?.to_string();
        // It does not end while it cannot save, as it should; told not to, it closes the connection instead of answering.
        let _ = client.text("SHUTDOWN NOSAVE FORCE");
        ensure!(
            mode == "2" && refused.contains("error"),
            "the process has seccomp mode {mode}, and a SAVE without rename was answered {refused:?}"
        );
        Ok("the process's seccomp mode with 2, SAVE without rename with an error".to_owned())
    })
}

/// Runs a test with these settings of the unit, and starts it again without them.
fn with(
    guest: &mut Distribution,
    settings: &[&str],
    test: impl FnOnce(&mut Distribution) -> Result<String>,
) -> Result<String> {
    guest.settings(settings)?;
    let outcome = guest.succeed(&format!("systemctl restart {UNIT}")).and_then(|_| test(guest));
    guest.settings(&[])?;
    guest.succeed(&format!("systemctl restart {UNIT}"))?;
    outcome
}
