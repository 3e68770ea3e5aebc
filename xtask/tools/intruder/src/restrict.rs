//! What a process may be restricted by before it becomes a program.

use anyhow::{Context, Result};
use clap::ValueEnum;
use landlock::{ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, path_beneath_rules};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Restriction {
    /// By nothing: for comparison.
    Nothing,
    /// Landlock: files are read everywhere and written below one folder.
    Landlock,
    /// Seccomp: opening a file fails with EACCES.
    Seccomp,
    /// Root without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
    Capabilities,
    /// Seccomp: a call that nobody makes has a made-up result.
    Lies,
}

/// Takes a restriction on; `folder` is the one that may be written to.
pub(crate) fn take_on(restriction: Restriction, folder: &Path) -> Result<()> {
    match restriction {
        Restriction::Nothing => Ok(()),
        Restriction::Landlock => {
            let abi = ABI::V3;
            let status = Ruleset::default()
                .handle_access(AccessFs::from_all(abi))?
                .create()?
                .add_rules(path_beneath_rules(["/"], AccessFs::from_read(abi)))?
                .add_rules(path_beneath_rules([folder], AccessFs::from_all(abi)))?
                .restrict_self()?;
            anyhow::ensure!(
                status.ruleset == RulesetStatus::FullyEnforced,
                "the kernel enforces it {:?}",
                status.ruleset
            );
            Ok(())
        }
        Restriction::Seccomp => filter(&[libc::SYS_open, libc::SYS_openat, libc::SYS_creat], libc::EACCES),
        Restriction::Lies => filter(&[libc::SYS_acct], libc::EXDEV),
        Restriction::Capabilities => {
            for capability in [caps::Capability::CAP_DAC_OVERRIDE, caps::Capability::CAP_DAC_READ_SEARCH] {
                for set in [caps::CapSet::Bounding, caps::CapSet::Effective, caps::CapSet::Permitted] {
                    caps::drop(None, set, capability).with_context(|| format!("dropping {capability}"))?;
                }
            }
            Ok(())
        }
    }
}

/// These calls fail with `error`, all others are made.
fn filter(calls: &[libc::c_long], error: i32) -> Result<()> {
    let rules: BTreeMap<_, _> = calls.iter().map(|call| (*call, vec![])).collect();
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(error.try_into()?), TargetArch::x86_64)?;
    let program: BpfProgram = filter.try_into()?;
    seccompiler::apply_filter(&program).context("seccomp")
}
