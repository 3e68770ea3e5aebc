//! What a figure depends on besides the code: the revision, the machine below and the machine inside.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use ukl_host::process;
use ukl_vm::qemu::PROGRAM;
use xshell::{Shell, cmd};

/// Where the kernel says what it does against each vulnerability of the processor.
const VULNERABILITIES: &str = "/sys/devices/system/cpu/vulnerabilities";

/// The state of the checkout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    pub git_commit: String,
    /// Whether a tracked file differs from the commit or an untracked one lies in the tree.
    pub git_dirty: bool,
}

/// The machine that ran the emulator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    pub cpu_model: String,
    pub cpus: u32,
    pub kernel_release: String,
    /// Runnable tasks over the last minute when the run began; above `cpus` the times are disturbed.
    pub load_average_1_min: f64,
    pub mitigations: BTreeMap<String, String>,
}

/// The virtual machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestFacts {
    pub kernel_release: String,
    /// Says what `mitigations` does not: page-table isolation that was forced on a processor that claims to be immune.
    pub kernel_command_line: String,
    pub cpu_model: String,
    pub cpus: u32,
    pub memory_mib: u32,
    pub mitigations: BTreeMap<String, String>,
}

impl Revision {
    /// Of the checkout at `root`.
    pub fn of(root: &Path) -> Result<Self> {
        let sh = process::shell_in(root)?;
        let git_commit = process::read(cmd!(sh, "git rev-parse HEAD"))?.trim().to_owned();
        Ok(Revision { git_commit, git_dirty: !process::read(cmd!(sh, "git status --porcelain"))?.is_empty() })
    }
}

impl Host {
    /// This machine, now.
    pub fn here() -> Result<Self> {
        let read = |path: &str| fs_err::read_to_string(path);
        let load = read("/proc/loadavg")?;
        let load = load.split(' ').next().unwrap_or_default();
        Ok(Host {
            cpu_model: cpu_model(&read("/proc/cpuinfo")?)?,
            cpus: std::thread::available_parallelism().context("counting this machine's CPUs")?.get() as u32,
            kernel_release: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            load_average_1_min: load.parse().with_context(|| format!("`{load}` in /proc/loadavg is not a number"))?,
            mitigations: mitigations_here()?,
        })
    }
}

impl GuestFacts {
    /// A shell command whose output [`GuestFacts::parse`] reads.
    pub const QUERY: &str = "echo kernel: $(uname -r); echo booted: $(cat /proc/cmdline); grep -m1 'model name' /proc/cpuinfo; \
                             grep . /sys/devices/system/cpu/vulnerabilities/*";

    /// From what [`GuestFacts::QUERY`] printed inside.
    pub fn parse(text: &str, cpus: u32, memory_mib: u32) -> Result<Self> {
        let said = |what: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(what)?.strip_prefix(": "));
            line.map(str::to_owned).with_context(|| format!("the guest did not say `{what}: ...`: {text:?}"))
        };
        let mitigations = text.lines().filter_map(|line| {
            let (name, state) = line.trim().strip_prefix(VULNERABILITIES)?.strip_prefix('/')?.split_once(':')?;
            Some((name.to_owned(), state.to_owned()))
        });
        Ok(GuestFacts {
            kernel_release: said("kernel")?,
            kernel_command_line: said("booted")?,
            cpu_model: cpu_model(text)?,
            cpus,
            memory_mib,
            mitigations: mitigations.collect(),
        })
    }
}

/// The first line of the emulator's own answer, without the copyright.
pub fn emulator_version() -> Result<String> {
    let sh = Shell::new()?;
    let text = process::read(cmd!(sh, "{PROGRAM} --version"))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The first processor's name in the form of /proc/cpuinfo.
fn cpu_model(cpuinfo: &str) -> Result<String> {
    let line = cpuinfo.lines().find(|line| line.trim().starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim().to_owned());
    name.context("no line `model name : ...` in what /proc/cpuinfo says")
}

fn mitigations_here() -> Result<BTreeMap<String, String>> {
    let mut mitigations = BTreeMap::new();
    let Ok(files) = fs_err::read_dir(VULNERABILITIES) else {
        // A kernel built without the files has nothing to say, which the empty map says.
        return Ok(mitigations);
    };
    for file in files {
        let path = file.with_context(|| format!("listing {VULNERABILITIES}"))?.path();
        let state = fs_err::read_to_string(&path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        mitigations.insert(name, state.trim().to_owned());
    }
    Ok(mitigations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_read_from_what_it_prints() {
        let text = "kernel: 6.12.48\r\nbooted: console=ttyS0 pti=on\r\nmodel name\t: QEMU TCG CPU version 2.5+\r\n\
                    /sys/devices/system/cpu/vulnerabilities/meltdown:Mitigation: PTI\r\n\
                    /sys/devices/system/cpu/vulnerabilities/mds:Not affected\r\n";
        let guest = GuestFacts::parse(text, 1, 512).unwrap();
        assert_eq!(guest.kernel_release, "6.12.48");
        assert_eq!(guest.kernel_command_line, "console=ttyS0 pti=on");
        assert_eq!(guest.cpu_model, "QEMU TCG CPU version 2.5+");
        assert_eq!(guest.mitigations["meltdown"], "Mitigation: PTI");
        assert_eq!(guest.mitigations.len(), 2);
        assert!(GuestFacts::parse("sh: uname: not found", 1, 512).is_err());
    }

    #[test]
    fn this_machine_has_a_processor() {
        let host = Host::here().unwrap();
        assert!(host.cpus >= 1 && !host.cpu_model.is_empty() && !host.kernel_release.is_empty());
    }
}
