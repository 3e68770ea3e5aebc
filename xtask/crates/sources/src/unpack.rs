//! Unpacks a pinned tarball.

use crate::fetch;
use anyhow::Result;
use fs_err as fs;
use std::path::{Path, PathBuf};
use ukl_host::cache::Key;
use ukl_host::process;
use ukl_repo::config::Source;
use ukl_repo::ctx::Ctx;
use xshell::{Shell, cmd};

/// The unpacked tree of a source, fetched first if need be. The tarball's single top folder is left out.
pub fn unpacked(ctx: &Ctx, source: &Source) -> Result<PathBuf> {
    let key = Key::new("unpack-v1").str(&source.sha256);
    ctx.cache.step(&format!("source-{}", source.stem()), &key, |out| {
        let tarball = fetch::fetch(ctx, source)?;
        unpack_into(&tarball, out)
    })
}

/// Unpacks a verified tarball into an empty directory.
pub fn unpack_into(tarball: &Path, out: &Path) -> Result<()> {
    let sh = Shell::new()?;
    // Owned by whoever builds, also as root: the numbers in the tarball mean nothing here.
    let options = ["--extract", "--verbose", "--no-same-owner", "--strip-components=1"];
    let tar = cmd!(sh, "tar {options...} --file {tarball} --directory {out}");
    let name = tarball.file_name().unwrap_or_default().to_string_lossy();
    let log = out.with_added_extension("log");
    process::run_logged(&format!("unpacking {name}"), tar, &log)?;
    Ok(fs::remove_file(&log)?)
}
