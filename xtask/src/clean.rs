//! Removes what was built, and what was downloaded if asked.

use anyhow::{Context, Result};
use fs_err as fs;
use std::io::ErrorKind;
use std::path::Path;
use ukl_host::failure::Failure;
use ukl_repo::ctx::Ctx;

/// Options of `clean`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also remove the downloaded tarballs.
    #[arg(long)]
    all: bool,
    /// Only remove what builds left that were interrupted.
    #[arg(long, conflicts_with = "all")]
    unfinished: bool,
}

/// Runs `clean`; says what it removes. Refuses while another `xtask` is building.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<()> {
    if let Some(work) = ctx.cache.busy()? {
        return Err(Failure::new(format!("{work} is being worked on"), "end that process or wait for it, then clean"));
    }
    let root = ctx.cache.root();
    if args.unfinished {
        return remove_unfinished(&root.join("steps"));
    }
    for folder in ["steps", "work"] {
        remove(&root.join(folder))?;
    }
    // Making a new one removes what killed processes left.
    drop(ctx.cache.scratch()?);
    if args.all {
        remove(&ctx.cache.sources())?;
    }
    Ok(())
}

fn remove_unfinished(steps: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(steps) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry.with_context(|| format!("listing {}", steps.display()))?;
        if entry.file_name().as_encoded_bytes().starts_with(b".unfinished-") {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a folder or file that may not exist.
fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Ok(()) => println!("removed {}", path.display()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("removing {}", path.display())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_interrupted_goes() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["kernel-1", ".unfinished-kernel-2"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        remove_unfinished(dir.path()).unwrap();
        assert!(dir.path().join("kernel-1").exists());
        assert!(!dir.path().join(".unfinished-kernel-2").exists());
    }
}
