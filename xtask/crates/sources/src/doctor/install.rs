//! Installs Debian packages, as root or through sudo.

use anyhow::Result;
use std::io::IsTerminal;
use ukl_host::cache::Cache;
use ukl_host::failure::Failure;
use ukl_host::process;
use xshell::{Cmd, Shell, cmd};

/// Whether this machine has apt and this user may become root.
pub(super) fn possible() -> bool {
    let works = |program: &str| Shell::new().is_ok_and(|sh| process::read(cmd!(sh, "{program} --version")).is_ok());
    works("apt-get") && (is_root() || works("sudo"))
}

/// The command that installs `packages`, as one could type it.
pub(super) fn shown(packages: &[&str]) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get install --no-install-recommends {}", packages.join(" "))
}

/// Installs packages, saying which; when that fails it may be for want of a package list, so that is renewed once.
pub(super) fn install(packages: &[&str], cache: &Cache) -> Result<()> {
    eprintln!("installing Debian packages: {}", packages.join(" "));
    let log = cache.root().join("apt.log");
    let sh = Shell::new()?;
    let install = || apt_get(&sh).args(["install", "--yes", "--no-install-recommends"]).args(packages);
    let first = process::run_logged("installing", install(), &log);
    let second = first.or_else(|_| {
        eprintln!("renewing the package lists and trying again");
        process::run_logged("renewing the package lists", apt_get(&sh).arg("update"), &log)?;
        process::run_logged("installing", install(), &log)
    });
    second.map_err(|error| {
        Failure::new(
            format!("{} cannot be installed: {error:#}", packages.join(", ")),
            format!("mend what {} says, or install them by hand: {}", log.display(), shown(packages)),
        )
    })
}

fn apt_get(sh: &Shell) -> Cmd<'_> {
    let env = match is_root() {
        true => cmd!(sh, "env"),
        // Without a terminal nobody can type a password: fail instead of waiting for one.
        false if !std::io::stdin().is_terminal() => cmd!(sh, "sudo --non-interactive env"),
        false => cmd!(sh, "sudo env"),
    };
    env.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--option=DPkg::Lock::Timeout=120"])
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
