//! Runs the commands of a manifest with the compiler for applications.

use crate::toolchain::Toolchain;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;
use ukl_host::process;
use ukl_repo::config::Commands;
use ukl_repo::ctx::Ctx;
use xshell::cmd;

/// Settings of the caller that would leak into a build.
const CLEARED: &[&str] = &[
    "CC",
    "CPP",
    "AR",
    "LD",
    "NM",
    "RANLIB",
    "CFLAGS",
    "CPPFLAGS",
    "LDFLAGS",
    "LIBS",
    "MAKEFLAGS",
    "MFLAGS",
    "MAKELEVEL",
    "DESTDIR",
    "CONFIG_SITE",
    "C_INCLUDE_PATH",
    "CPATH",
    "LIBRARY_PATH",
    "GCC_EXEC_PREFIX",
    "COMPILER_PATH",
    "RUSTFLAGS",
    "GIT_DIR",
    "GIT_WORK_TREE",
];

/// A build: what is built, from which tree, and where its records go.
#[derive(Clone, Debug)]
pub struct Recipe<'a> {
    /// The application or library, for messages.
    pub name: &'a str,
    pub toolchain: &'a Toolchain,
    /// Where the commands run; also `{source}`.
    pub tree: &'a Path,
    /// Around the tree: commands leave their output in `STAGE-N.log` here.
    pub work: &'a Path,
    /// The placeholders that not every command may name.
    pub values: BTreeMap<String, String>,
}

impl Recipe<'_> {
    /// Runs commands one after the other; `stage` names their logs.
    pub fn run(&self, ctx: &Ctx, stage: &str, commands: &Commands) -> Result<()> {
        let epoch_s = ctx.repo.kernel()?.stamp.time_s;
        let sh = process::shell_in(self.tree)?;
        for (number, words) in commands.filled(&self.values(ctx)).iter().enumerate() {
            let (program, arguments) = words.split_first().context("a manifest has an empty command")?;
            let command = cmd!(sh, "{program} {arguments...}");
            let command = CLEARED.iter().fold(command, |command, name| command.env_remove(name));
            let command = command.env("LC_ALL", "C").env("SOURCE_DATE_EPOCH", epoch_s.to_string());
            // A build that asks git for its version must not find a repository around the cache.
            let mut command = command.env("GIT_CEILING_DIRECTORIES", self.work).into();
            process::without_cargo(&mut command).env("CARGO_TARGET_DIR", self.tree.join("target"));
            let log = self.work.join(format!("{stage}-{number}.log"));
            process::run_logged(&format!("building {}", self.name), &mut command, &log)?;
        }
        Ok(())
    }

    /// Every placeholder: `config::commands::FOR_ALL` and our own.
    fn values(&self, ctx: &Ctx) -> BTreeMap<String, String> {
        let for_all = [
            ("cc", self.toolchain.cc().to_string_lossy().into_owned()),
            ("ar", "ar".to_owned()),
            ("cargo", self.toolchain.cargo().to_string_lossy().into_owned()),
            ("jobs", ctx.jobs.to_string()),
            ("source", self.tree.to_string_lossy().into_owned()),
        ];
        for_all.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(self.values.clone()).collect()
    }
}
