//! Builds a library that applications are linked with, once for all of them and for all levels.

use crate::recipe::Recipe;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result, ensure};
use fs_err as fs;
use std::path::{Path, PathBuf};
use ukl_host::cache::{self, Key};
use ukl_host::failure::Failure;
use ukl_host::{prebuilt, process};
use ukl_repo::config::Library;
use ukl_repo::ctx::Ctx;
use ukl_sources::unpack;
use xshell::{Shell, cmd};

/// The folder with the library's `include` and `lib`. Archives made by the applications' compiler serve both links of a
/// program, that of the process and that for the kernel.
pub fn library(ctx: &Ctx, toolchain: &Toolchain, library: &Library) -> Result<PathBuf> {
    if let Some(dir) = prebuilt::find(&format!("library/{}", library.name)) {
        return Ok(dir);
    }
    let key = Key::new("library-v1")
        .str(&toolchain.dir.to_string_lossy())
        .str(&library.source.sha256)
        .str(&library.build.commands.text())
        .str(&ctx.repo.kernel()?.stamp.time_s.to_string());
    let kind = format!("library-{}", library.name);
    let prefix = ctx.cache.step_path(&kind, &key);
    ctx.cache.step(&kind, &key, |out| {
        // Outside the step: when the build fails, its tree stays for whoever looks for the reason.
        let work = ctx.cache.work(&format!("build-{kind}"), &key)?;
        build(ctx, toolchain, library, (&work.path, out, &prefix))
    })
}

/// Builds the library in the first of these folders into the second one, which will be found at the third.
pub fn build(
    ctx: &Ctx,
    toolchain: &Toolchain,
    library: &Library,
    (work, out, prefix): (&Path, &Path, &Path),
) -> Result<()> {
    let (tree, destdir) = (work.join("tree"), work.join("installed"));
    cache::remove_tree(&tree)?;
    cache::remove_tree(&destdir)?;
    let pristine = unpack::unpacked(ctx, &library.source)?;
    let sh = Shell::new()?;
    process::run(cmd!(sh, "cp -a --reflink=auto {pristine} {tree}"))?;
    let values = [("prefix", prefix), ("destdir", &destdir)];
    let values = values.map(|(name, path)| (name.to_owned(), path.to_string_lossy().into_owned())).into();
    let recipe = Recipe { name: &library.name, toolchain, tree: &tree, work, values };
    recipe.run(ctx, "command", &library.build.commands)?;
    let installed = destdir.join(prefix.strip_prefix("/").context("the cache's path is not absolute")?);
    check(library, &installed)?;
    let installed = installed.join(".");
    process::run(cmd!(sh, "cp -a --reflink=auto {installed} {out}"))?;
    cache::remove_tree(&tree)?;
    cache::remove_tree(&destdir)
}

/// The archives that the file promises are there.
fn check(library: &Library, installed: &Path) -> Result<()> {
    for archive in &library.build.archives {
        let path = installed.join(archive);
        if !path.is_file() {
            return Err(Failure::new(
                format!("the build of {} succeeded, but there is no {}", library.name, path.display()),
                format!(
                    "check build.archives in apps/libraries/{}.toml; its commands install below {{destdir}}{{prefix}}",
                    library.name
                ),
            ));
        }
        let content = fs::read(&path)?;
        ensure!(content.starts_with(b"!<arch>\n"), "{} is no archive of objects", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ukl_repo::config::{Commands, Source};

    #[test]
    fn a_promised_archive_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let source = Source {
            package: "x".to_owned(),
            file: String::new(),
            sha256: String::new(),
            license: "MIT".to_owned(),
            suites: vec![],
        };
        let build =
            ukl_repo::config::LibraryBuild { commands: Commands::default(), archives: vec!["lib/libx.a".into()] };
        let library = Library { name: "x".to_owned(), summary: String::new(), source, build };
        let error = check(&library, dir.path()).unwrap_err().to_string();
        assert!(error.contains("there is no") && error.ends_with("lib/libx.a"), "{error}");
        fs::create_dir(dir.path().join("lib")).unwrap();
        fs::write(dir.path().join("lib/libx.a"), "/* a linker script */").unwrap();
        assert!(check(&library, dir.path()).unwrap_err().to_string().ends_with("is no archive of objects"));
        fs::write(dir.path().join("lib/libx.a"), "!<arch>\n").unwrap();
        check(&library, dir.path()).unwrap();
    }
}
