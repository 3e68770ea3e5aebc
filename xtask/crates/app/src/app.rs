//! Builds an application with its own build system, once for all levels.

mod sync;

use crate::library;
use crate::recipe::Recipe;
use crate::toolchain::{self, Contents, rust};
use anyhow::{Context, Result};
use fs_err as fs;
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use ukl_audit::program;
use ukl_host::cache::Key;
use ukl_host::failure::Failure;
use ukl_host::{prebuilt, process};
use ukl_ld::OBJECT_SUFFIX;
use ukl_repo::config::{App, CXX, FOLDER, library_placeholder};
use ukl_repo::ctx::Ctx;
use ukl_sources::unpack;
use xshell::{Shell, cmd};

/// What comes out of an application's build.
#[derive(Clone, Debug)]
pub struct BuiltApp {
    /// An ordinary static program: level `linux`.
    pub executable: PathBuf,
    /// The same inputs, partially linked for the kernel.
    pub object: PathBuf,
}

/// The tree that a user may edit: next to the cache's own things for a pinned source, the folder in the repository for
/// an application of our own.
pub fn editable_source(ctx: &Ctx, app: &App) -> Result<PathBuf> {
    let Some(source) = &app.source else { return Ok(app.program.as_ref().unwrap_or(&app.dir).clone()) };
    let trees = ctx.cache.root().join("src");
    let tree = trees.join(source.stem().replace('_', "-"));
    let _lock = ctx.cache.lock(&format!("src-{}", source.stem()))?;
    if !tree.is_dir() {
        let pristine = unpack::unpacked(ctx, source)?;
        fs::create_dir_all(&trees)?;
        let unfinished = trees.join(format!(".unfinished-{}", source.stem()));
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        let sh = Shell::new()?;
        process::run(cmd!(sh, "cp -a --reflink=auto {pristine} {unfinished}"))?;
        fs::rename(&unfinished, &tree)?;
    }
    Ok(tree)
}

/// Builds an application.
pub fn build_app(ctx: &Ctx, app: &App) -> Result<BuiltApp> {
    if let Some(dir) = prebuilt::find(&format!("app/{}", app.name)) {
        return built_in(app, &dir);
    }
    if let Some(program) = &app.program {
        return built_already(ctx, app, program);
    }
    build(ctx, app, |recipe| collect(ctx, app, recipe.tree))
}

/// Builds one of the programs that come with an application: an ordinary static one.
pub fn build_tool(ctx: &Ctx, app: &App, name: &str) -> Result<PathBuf> {
    let Some(tool) = app.build.tools.get(name) else {
        return Err(Failure::usage(
            format!("application `{}` has no `[build.tools.{name}]`", app.name),
            format!("add it to {}", app.dir.join("app.toml").display()),
        ));
    };
    build(ctx, app, |recipe| {
        recipe.run(ctx, name, &tool.commands)?;
        let executable = recipe.tree.join(&tool.executable);
        let key = Key::new("built-tool-v1").file(&executable)?;
        let copy = |out: &Path| fs::copy(&executable, out.join(name)).map(drop).context("copying the program");
        Ok(ctx.cache.step(&format!("built-{name}"), &key, copy)?.join(name))
    })
}

/// Builds an application and does what is to be done in its tree. The build is incremental: what changed in the editable
/// tree is brought into the work directory, and the application's own make decides what that means.
fn build<T>(ctx: &Ctx, app: &App, then: impl FnOnce(&Recipe) -> Result<T>) -> Result<T> {
    let toolchain = toolchain::toolchain(ctx)?;
    if app.build.commands.name("cargo") {
        rust::require(&toolchain.cargo())?;
    }
    let source = editable_source(ctx, app)?;
    let mut key = Key::new("app-v1")
        .str(&toolchain.dir.to_string_lossy())
        .str(&app.build.commands.text())
        .str(&ctx.repo.kernel()?.stamp.time_s.to_string());
    if !app.build.configure.is_empty() {
        key = key.str(&app.build.configure.text());
    }
    let mut values = BTreeMap::new();
    for library in &app.libraries {
        let prefix = library::library(ctx, &toolchain, library)?.to_string_lossy().into_owned();
        key = key.str(&prefix);
        values.insert(library_placeholder(&library.name), prefix);
    }
    values.insert(FOLDER.to_owned(), app.dir.to_string_lossy().into_owned());
    if app.build.configure.name(CXX) || app.build.commands.name(CXX) {
        let place = toolchain::folder(ctx, &toolchain, Contents { cxx: true, libraries: &[] })?;
        let driver = place.join("bin/ukl-c++").to_string_lossy().into_owned();
        key = key.str(&driver);
        values.insert(CXX.to_owned(), driver);
    }
    let work = ctx.cache.work(&format!("app-{}", app.name), &key)?;
    let tree = work.path.join("tree");
    let was_built = start_over_if_unfinished(&work.path)?;
    let changed = sync::sync(&source, &tree, &work.path.join("synced"))?;
    if changed > 0 {
        eprintln!("  {}: {changed} files taken from {}", app.name, source.display());
    }
    let recipe = Recipe { name: &app.name, toolchain: &toolchain, tree: &tree, work: &work.path, values };
    let outcome = run_commands(ctx, app, &recipe);
    // A build that was complete once and now ends with an error is the user's to mend: the next one goes on from here.
    if outcome.is_ok() || was_built {
        fs::write(work.path.join(COMPLETE), "").context("recording that the build is complete")?;
    }
    outcome?;
    then(&recipe)
}

/// In the work directory: the last build came to its end, so make can be trusted to continue.
const COMPLETE: &str = "complete";
/// In the work directory: the commands for a new build directory have succeeded there.
const CONFIGURED: &str = "configured";

/// Empties a work directory whose build was interrupted, or never succeeded: build systems that note a step as done before
/// it is (Redis does so with its dependencies) would not repeat it. Returns whether there was a complete build.
fn start_over_if_unfinished(work: &Path) -> Result<bool> {
    let complete = work.join(COMPLETE);
    if complete.is_file() {
        fs::remove_file(&complete)?;
        return Ok(true);
    }
    // First the record: without it, a tree that is only half removed is filled again.
    for (path, is_dir) in [(work.join("synced"), false), (work.join(CONFIGURED), false), (work.join("tree"), true)] {
        if path.exists() {
            if is_dir { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
        }
    }
    Ok(false)
}

/// Runs the manifest's commands: those for a new build directory until they have succeeded once, the others always.
fn run_commands(ctx: &Ctx, app: &App, recipe: &Recipe) -> Result<()> {
    let configured = recipe.work.join(CONFIGURED);
    if !configured.is_file() {
        recipe.run(ctx, "configure", &app.build.configure)?;
        fs::write(&configured, "").context("recording that the build is configured")?;
    }
    recipe.run(ctx, "command", &app.build.commands)
}

/// Copies the results out under the hash of their content, so that a level link runs only when they differ.
fn collect(ctx: &Ctx, app: &App, tree: &Path) -> Result<BuiltApp> {
    let executable = tree.join(&app.build.executable);
    let object = object_of(&executable)?;
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
    let dir = ctx.cache.step(&format!("built-{}", app.name), &key, |out| {
        let place = built_in(app, out)?;
        fs::copy(&executable, place.executable).context("copying the program")?;
        fs::copy(&object, place.object).context("copying the partial link")?;
        Ok(())
    })?;
    built_in(app, &dir)
}

/// The partial link of a program: the file beside it or, for cargo's, beside the file in `deps` that it is a link to.
fn object_of(executable: &Path) -> Result<PathBuf> {
    let beside = |program: &Path| PathBuf::from(format!("{}{OBJECT_SUFFIX}", program.display()));
    let object = beside(executable);
    let deps = executable.with_file_name("deps");
    if object.is_file() || !executable.is_file() || !deps.is_dir() {
        return Ok(object);
    }
    let looking = || format!("looking for {} in {}", executable.display(), deps.display());
    let wanted = fs::metadata(executable).with_context(looking)?;
    for entry in fs::read_dir(&deps).with_context(looking)? {
        let path = entry.with_context(looking)?.path();
        let found = path.metadata().with_context(looking)?;
        if (found.dev(), found.ino()) == (wanted.dev(), wanted.ino()) && beside(&path).is_file() {
            return Ok(beside(&path));
        }
    }
    Ok(object)
}

/// The same for a program that somebody else built with ukl-cc.
fn built_already(ctx: &Ctx, app: &App, program: &Path) -> Result<BuiltApp> {
    let data = fs::read(program)?;
    let key = Key::new("built-program-v1").bytes(&data);
    let dir = ctx.cache.step(&format!("built-{}", app.name), &key, |out| {
        let place = built_in(app, out)?;
        fs::write(&place.object, program::object(program, &data)?).context("writing the partial link")?;
        fs::write(&place.executable, &data).context("writing the program")?;
        fs::set_permissions(&place.executable, Permissions::from_mode(0o755)).context("making it executable")
    })?;
    built_in(app, &dir)
}

/// The results' places in a folder that holds nothing else.
fn built_in(app: &App, dir: &Path) -> Result<BuiltApp> {
    let name = app.build.executable.file_name().context("`build.executable` names no file")?;
    Ok(BuiltApp { executable: dir.join(name), object: dir.join("app.o") })
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
        fs::write(dir.path().join(CONFIGURED), "").unwrap();
        fs::write(dir.path().join(COMPLETE), "").unwrap();
        assert!(start_over_if_unfinished(dir.path()).unwrap());
        assert!(object.exists() && dir.path().join(CONFIGURED).exists());
        // Nobody wrote the mark again: that build was interrupted.
        assert!(!start_over_if_unfinished(dir.path()).unwrap());
        assert!(!object.exists() && !dir.path().join("synced").exists() && !dir.path().join(CONFIGURED).exists());
    }

    #[test]
    fn the_object_of_a_program_that_cargo_linked_again_elsewhere_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let (deps, program) = (dir.path().join("deps"), dir.path().join("my-app"));
        fs::create_dir(&deps).unwrap();
        for name in ["my_app-0123", "my_app-0123.ukl.o", "my_app-4567", "my_app-4567.ukl.o"] {
            fs::write(deps.join(name), "").unwrap();
        }
        fs::hard_link(deps.join("my_app-4567"), &program).unwrap();
        assert_eq!(object_of(&program).unwrap(), deps.join("my_app-4567.ukl.o"));
        fs::write(dir.path().join("my-app.ukl.o"), "").unwrap();
        assert_eq!(object_of(&program).unwrap(), dir.path().join("my-app.ukl.o"));
    }
}
