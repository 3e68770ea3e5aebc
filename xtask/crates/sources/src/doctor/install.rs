//! Installs Debian packages, as root or through sudo.

use anyhow::Result;
use std::io::IsTerminal;
use std::process::Command;
use ukl_host::cache::Cache;
use ukl_host::failure::Failure;
use ukl_host::process;

/// Whether this machine has apt and this user may become root.
pub fn possible() -> bool {
    let works = |program: &str| process::read(Command::new(program).arg("--version")).is_ok();
    works("apt-get") && (is_root() || works("sudo"))
}

/// The command that installs `packages`, as one could type it.
pub fn shown(packages: &[&str]) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get install --no-install-recommends {}", packages.join(" "))
}

/// Installs packages, saying which; when that fails it may be for want of a package list, so that is renewed once.
pub fn install(packages: &[&str], cache: &Cache) -> Result<()> {
    eprintln!("installing Debian packages: {}", packages.join(" "));
    let log = cache.root().join("apt.log");
    let arguments = ["install", "--yes", "--no-install-recommends"].iter().chain(packages);
    let arguments: Vec<&str> = arguments.copied().collect();
    let first = process::run_logged("installing", &mut apt_get(&arguments), &log);
    let second = first.or_else(|_| {
        eprintln!("renewing the package lists and trying again");
        process::run_logged("renewing the package lists", &mut apt_get(&["update"]), &log)?;
        process::run_logged("installing", &mut apt_get(&arguments), &log)
    });
    second.map_err(|error| {
        Failure::new(
            format!("{} cannot be installed: {error:#}", packages.join(", ")),
            format!("mend what {} says, or install them by hand: {}", log.display(), shown(packages)),
        )
    })
}

fn apt_get(arguments: &[&str]) -> Command {
    let mut command = if is_root() {
        Command::new("env")
    } else {
        let mut sudo = Command::new("sudo");
        // Without a terminal nobody can type a password: fail instead of waiting for one.
        if !std::io::stdin().is_terminal() {
            sudo.arg("--non-interactive");
        }
        sudo.arg("env");
        sudo
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--option=DPkg::Lock::Timeout=120"]);
    command.args(arguments);
    command
}

fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions and cannot fail.
    unsafe { libc::geteuid() == 0 }
}
