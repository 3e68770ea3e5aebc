//! Builds an application with its own build system, once for all levels.

mod sync;

use crate::cache::Key;
use crate::config::App;
use crate::ctx::Ctx;
use crate::failure::Failure;
use crate::ldwrap::OBJECT_SUFFIX;
use crate::toolchain::{self, Toolchain};
use crate::{process, unpack};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What comes out of an application's build.
#[derive(Clone, Debug)]
pub struct BuiltApp {
    /// An ordinary static program: level `linux`.
    pub executable: PathBuf,
    /// The same inputs, partially linked for the kernel.
    pub object: PathBuf,
}

/// Settings of the caller that would leak into an application's build.
const CLEARED: &[&str] = &[
    "CC",
    "CFLAGS",
    "CPPFLAGS",
    "LDFLAGS",
    "LIBS",
    "MAKEFLAGS",
    "MFLAGS",
    "MAKELEVEL",
    "C_INCLUDE_PATH",
    "CPATH",
    "LIBRARY_PATH",
    "GCC_EXEC_PREFIX",
    "COMPILER_PATH",
    "GIT_DIR",
    "GIT_WORK_TREE",
];

/// The tree that a user may edit: next to the cache's own things for a pinned source, the folder in the repository for
/// an application of our own.
pub fn editable_source(ctx: &Ctx, app: &App) -> Result<PathBuf> {
    let Some(source) = &app.source else { return Ok(app.dir.clone()) };
    let trees = ctx.cache.root().join("src");
    let tree = trees.join(source.stem().replace('_', "-"));
    let _lock = ctx.cache.lock(&format!("src-{}", source.stem()))?;
    if !tree.is_dir() {
        let pristine = unpack::unpacked(ctx, source)?;
        fs::create_dir_all(&trees).with_context(|| format!("creating {}", trees.display()))?;
        let unfinished = trees.join(format!(".unfinished-{}", source.stem()));
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).with_context(|| format!("removing {}", unfinished.display()))?;
        }
        process::run(Command::new("cp").args(["-a", "--reflink=auto"]).arg(&pristine).arg(&unfinished))?;
        fs::rename(&unfinished, &tree).with_context(|| format!("creating {}", tree.display()))?;
    }
    Ok(tree)
}

/// Builds an application. The build is incremental: what changed in the editable tree is brought into the work directory,
/// and the application's own make decides what that means.
pub fn build_app(ctx: &Ctx, app: &App) -> Result<BuiltApp> {
    let toolchain = toolchain::toolchain(ctx)?;
    let source = editable_source(ctx, app)?;
    let epoch_s = ctx.repo.kernel()?.stamp.time_s;
    let commands: Vec<String> = app.build.commands.iter().map(|words| words.join("\0")).collect();
    let key =
        Key::new("app-v1").str(&toolchain.dir.to_string_lossy()).str(&commands.join("\n")).str(&epoch_s.to_string());
    let work = ctx.cache.work(&format!("app-{}", app.name), &key)?;
    let tree = work.path.join("tree");
    let was_built = start_over_if_unfinished(&work.path)?;
    let changed = sync::sync(&source, &tree, &work.path.join("synced"))?;
    if changed > 0 {
        eprintln!("  {}: {changed} files taken from {}", app.name, source.display());
    }
    let outcome = run_commands(ctx, app, &toolchain, &work.path, epoch_s);
    // A build that was complete once and now ends with an error is the user's to mend: the next one goes on from here.
    if outcome.is_ok() || was_built {
        fs::write(work.path.join(COMPLETE), "").context("recording that the build is complete")?;
    }
    outcome?;
    collect(ctx, app, &tree)
}

/// In the work directory: the last build came to its end, so make can be trusted to continue.
const COMPLETE: &str = "complete";

/// Empties a work directory whose build was interrupted, or never succeeded: build systems that note a step as done before
/// it is (Redis does so with its dependencies) would not repeat it. Returns whether there was a complete build.
fn start_over_if_unfinished(work: &Path) -> Result<bool> {
    let complete = work.join(COMPLETE);
    if complete.is_file() {
        fs::remove_file(&complete).with_context(|| format!("removing {}", complete.display()))?;
        return Ok(true);
    }
    // First the record: without it, a tree that is only half removed is filled again.
    for (path, is_dir) in [(work.join("synced"), false), (work.join("tree"), true)] {
        if path.exists() {
            let removed = if is_dir { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(false)
}

/// Runs the manifest's commands one after the other.
fn run_commands(ctx: &Ctx, app: &App, toolchain: &Toolchain, work: &Path, epoch_s: u64) -> Result<()> {
    let tree = work.join("tree");
    for (number, words) in app.build.commands.iter().enumerate() {
        let mut words = words.iter().map(|word| expand(word, ctx, toolchain, &tree));
        let mut command = Command::new(words.next().context("`build.commands` has an empty command")?);
        command.args(words).current_dir(&tree);
        for name in CLEARED {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").env("SOURCE_DATE_EPOCH", epoch_s.to_string());
        // A build that asks git for its version must not find a repository around the cache.
        command.env("GIT_CEILING_DIRECTORIES", work);
        let log = work.join(format!("command-{number}.log"));
        process::run_logged(&format!("building {}", app.name), &mut command, &log)?;
    }
    Ok(())
}

/// Copies the results out under the hash of their content, so that a level link runs only when they differ.
fn collect(ctx: &Ctx, app: &App, tree: &Path) -> Result<BuiltApp> {
    let executable = tree.join(&app.build.executable);
    let object = PathBuf::from(format!("{}{OBJECT_SUFFIX}", executable.display()));
    for path in [&executable, &object] {
        if !path.is_file() {
            return Err(Failure::new(
                format!("the build of {} succeeded, but there is no {}", app.name, path.display()),
                format!(
                    "check build.executable in {}; a program must be linked by {{cc}}",
                    app.dir.join("app.toml").display()
                ),
            ));
        }
    }
    let key = Key::new("built-app-v1").file(&executable)?.file(&object)?;
    let name = app.build.executable.file_name().context("`build.executable` names no file")?;
    let dir = ctx.cache.step(&format!("built-{}", app.name), &key, |out| {
        fs::copy(&executable, out.join(name)).context("copying the program")?;
        fs::copy(&object, out.join("app.o")).context("copying the partial link")?;
        Ok(())
    })?;
    Ok(BuiltApp { executable: dir.join(name), object: dir.join("app.o") })
}

/// Fills in what stands in braces in a command of the manifest.
fn expand(word: &str, ctx: &Ctx, toolchain: &Toolchain, tree: &Path) -> String {
    word.replace("{cc}", &toolchain.cc().to_string_lossy())
        .replace("{ar}", "ar")
        .replace("{jobs}", &ctx.jobs.to_string())
        .replace("{source}", &tree.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_build_starts_over_and_a_complete_one_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let object = dir.path().join("tree/half.o");
        fs::create_dir_all(object.parent().unwrap()).unwrap();
        fs::write(&object, "").unwrap();
        fs::write(dir.path().join("synced"), "").unwrap();
        fs::write(dir.path().join(COMPLETE), "").unwrap();
        assert!(start_over_if_unfinished(dir.path()).unwrap());
        assert!(object.exists());
        // Nobody wrote the mark again: that build was interrupted.
        assert!(!start_over_if_unfinished(dir.path()).unwrap());
        assert!(!object.exists() && !dir.path().join("synced").exists());
    }
}
