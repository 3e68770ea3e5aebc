//! Gets the pinned tarballs into the cache, each checked against its SHA-256.

mod crates;
mod download;
mod progress;

use crate::apt;
use anyhow::{Context, Result};
use download::Outcome;
use fs_err::{self as fs, File};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use ukl_host::failure::Failure;
use ukl_host::prebuilt;
use ukl_repo::config::Source;
use ukl_repo::ctx::Ctx;

/// Options of `fetch`.
#[derive(clap::Args)]
pub struct Args {
    /// Only name the tarballs, their hashes and where they belong.
    #[arg(long)]
    list: bool,
}

/// Runs `fetch`: every tarball that some part of the repository pins, and the crates of applications in Rust.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    for source in ctx.repo.sources()? {
        if args.list {
            println!("{}  {}", source.sha256, ctx.cache.sources().join(&source.file).display());
        } else {
            println!("{}", fetch(ctx, &source)?.display());
        }
    }
    if args.list {
        return Ok(());
    }
    crates::manifests(ctx)?.iter().try_for_each(|manifest| crates::fetch(manifest))
}

/// Returns the verified tarball of a source, downloading it when the cache does not have it.
///
/// A tarball that was put into the cache by hand is taken when its hash fits. One whose hash does not fit is moved
/// aside and reported, so that the next call downloads.
pub fn fetch(ctx: &Ctx, source: &Source) -> Result<PathBuf> {
    if let Some(path) = prebuilt::find(&format!("sources/{}", source.file)) {
        let found = sha256(&path)?;
        anyhow::ensure!(
            found == source.sha256,
            "{} has SHA-256 {found}, but {} was expected",
            path.display(),
            source.sha256
        );
        return Ok(path);
    }
    let dir = ctx.cache.sources();
    fs::create_dir_all(&dir)?;
    let path = dir.join(&source.file);
    let _lock = ctx.cache.lock(&format!("fetch-{}", source.file))?;
    if path.is_file() {
        verify(&path, &source.sha256)?;
        return Ok(path);
    }
    let partial = dir.join(format!("{}.partial", source.file));
    let addresses = apt::pool_addresses(&apt::archives()?, &source.pool_folder(), &source.file);
    let mut broken = None;
    for address in addresses {
        match download::download(&address, &partial) {
            Ok(Outcome::Complete) => {
                verify(&partial, &source.sha256)?;
                fs::rename(&partial, &path)
                    .with_context(|| format!("renaming {} to {}", partial.display(), path.display()))?;
                return Ok(path);
            }
            Ok(Outcome::Absent) => eprintln!("  it is not there"),
            Err(error) if error.is::<Failure>() => return Err(error),
            Err(error) => {
                eprintln!("  {error:#}");
                broken = Some(format!("{address}: {error:#}"));
            }
        }
    }
    Err(broken.map_or_else(|| unavailable(source, &path), |last| unreachable_archive(source, &path, &last)))
}

/// What to say when an archive may have the file but does not give it.
fn unreachable_archive(source: &Source, path: &Path, last: &str) -> anyhow::Error {
    Failure::new(
        format!("{} cannot be downloaded: {last}", source.file),
        format!(
            "check the network and run the same command again, it goes on where it ended; or put the file at {} by hand",
            path.display()
        ),
    )
}

/// What to say when no archive has the file: a pool drops a version when a newer one replaces it.
fn unavailable(source: &Source, path: &Path) -> anyhow::Error {
    Failure::new(
        format!(
            "no Debian archive of this machine's apt configuration gives {} (last seen in {}); \
             a pool drops a version when a newer one replaces it",
            source.file,
            source.suites.join(", ")
        ),
        format!(
            "get it by hand, for example from https://snapshot.debian.org/package/{}/, and put it at {} (SHA-256 {})",
            source.package,
            path.display(),
            source.sha256
        ),
    )
}

/// Checks a file's hash; a file that fails is moved aside, so that nothing takes it for the real one.
fn verify(path: &Path, expected: &str) -> Result<()> {
    let found = sha256(path)?;
    if found == expected {
        return Ok(());
    }
    let rejected = path.with_added_extension("rejected");
    fs::rename(path, &rejected).with_context(|| format!("moving {} aside", path.display()))?;
    Err(Failure::new(
        format!("{} has SHA-256 {found}, but {expected} was expected", path.display()),
        format!("it was moved to {}; run the same command again to download it", rejected.display()),
    ))
}

/// SHA-256 of a file as lower-case hexadecimal digits.
fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hash.write_all(&buffer[..count])?;
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of the empty file, as everyone knows it.
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_wrong_hash_is_reported_with_both_values_and_the_file_moved_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.tar.gz");
        fs::write(&path, "").unwrap();
        verify(&path, EMPTY).unwrap();
        let wrong = "0".repeat(64);
        let error = verify(&path, &wrong).unwrap_err().to_string();
        assert!(error.contains(EMPTY) && error.contains(&wrong), "{error}");
        assert!(!path.exists());
        assert!(dir.path().join("x.tar.gz.rejected").exists());
    }

    #[test]
    fn a_file_no_archive_has_can_be_put_there_by_hand() {
        let source = Source {
            package: "redis".to_owned(),
            file: "redis_7.0.15.orig.tar.gz".to_owned(),
            sha256: EMPTY.to_owned(),
            license: "MIT".to_owned(),
            suites: vec!["bookworm".to_owned()],
        };
        let error = unavailable(&source, Path::new("/cache/sources/redis_7.0.15.orig.tar.gz"));
        insta::assert_snapshot!(ukl_host::failure::describe(&error).0, @r"
        error: no Debian archive of this machine's apt configuration gives redis_7.0.15.orig.tar.gz (last seen in bookworm); a pool drops a version when a newer one replaces it
         next: get it by hand, for example from https://snapshot.debian.org/package/redis/, and put it at /cache/sources/redis_7.0.15.orig.tar.gz (SHA-256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855)
        ");
    }
}
