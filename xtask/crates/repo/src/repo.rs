//! The checkout: where it is, and what lies in it by name.

use crate::config::{self, App, KernelPin, Level, Library, Package, RawApp, Source};
use anyhow::{Context, Result};
use fs_err as fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use ukl_host::failure::Failure;

/// A checkout of this repository.
#[derive(Clone, Debug)]
pub struct Repo {
    /// Its top folder, absolute.
    pub root: PathBuf,
}

/// What a program in Rust is compiled for that runs in the guest, linked in or not. Its standard library is linked with
/// musl statically and calls the C library for everything it wants of the system.
pub const GUEST_TARGET: &str = "x86_64-unknown-linux-musl";

/// A pinned source and the file whose `[source]` block pins it.
pub struct Pin {
    /// Absolute.
    pub file: PathBuf,
    pub source: Source,
}

/// The part of any TOML file that says where its sources come from.
#[derive(serde::Deserialize)]
struct SourceOwner {
    source: Option<Source>,
}

impl SourceOwner {
    fn valid(self) -> Result<Option<Source>> {
        self.source.map(|source| source.validate().map(|()| source)).transpose()
    }
}

impl Repo {
    /// The checkout this program was started for: cargo's, else the one around the current directory.
    pub fn find() -> Result<Self> {
        // For whoever installs this program away from its checkout; taken as it is.
        if let Some(root) = std::env::var_os("UKL_REPO").filter(|root| !root.is_empty()) {
            return Ok(Repo { root: root.into() });
        }
        let cargo = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let here = std::env::current_dir().context("finding the current directory")?;
        cargo
            .iter()
            .chain([&here])
            .flat_map(|start| start.ancestors())
            .find(|dir| dir.join("kernel/levels").is_dir() && dir.join("apps").is_dir())
            .map(|root| Repo { root: root.to_owned() })
            .ok_or_else(|| {
                Failure::new(
                    format!(
                        "{} is not inside a checkout: no folder above it has kernel/levels and apps",
                        here.display()
                    ),
                    "run `cargo xtask` inside the repository",
                )
            })
    }

    /// The level `name`, or an error that proposes the nearest one.
    pub fn level(&self, name: &str) -> Result<Level> {
        let names = self.level_names()?;
        check_name("level", name, "kernel/levels", &names)?;
        let path = self.root.join(format!("kernel/levels/{name}.toml"));
        config::load(&path, |raw| Level::validate(name, raw))
    }

    /// Every level, from the most to the least expensive ([`Level::cost`]).
    pub fn levels(&self) -> Result<Vec<Level>> {
        let levels: Result<Vec<Level>> = self.level_names()?.iter().map(|name| self.level(name)).collect();
        levels.map(|mut levels| {
            levels.sort_by_key(Level::cost);
            levels
        })
    }

    /// The application `name`, or an error that proposes the nearest one. Of several names, separated by commas, the first
    /// with the others beside it.
    pub fn app(&self, name: &str) -> Result<App> {
        let mut names = name.split(',');
        let first = self.one_app(names.next().unwrap_or_default())?;
        let others = names.map(|name| self.one_app(name)).collect::<Result<Vec<_>>>()?;
        first.with_beside(others).map_err(|error| {
            Failure::usage(format!("`{name}` cannot be one image: {error}"), "name applications that do not meet")
        })
    }

    fn one_app(&self, name: &str) -> Result<App> {
        let names = self.app_names()?;
        check_name("application", name, "apps", &names)?;
        let dir = self.root.join("apps").join(name);
        config::load(&dir.join("app.toml"), |raw: RawApp| {
            let libraries = raw.libraries.iter().map(|library| self.library(library)).collect::<Result<_>>()?;
            App::validate(name, &dir, raw, libraries)
        })
    }

    /// Every application, by name.
    pub fn apps(&self) -> Result<Vec<App>> {
        self.app_names()?.iter().map(|name| self.app(name)).collect()
    }

    /// The library `name`, or an error that proposes the nearest one.
    pub fn library(&self, name: &str) -> Result<Library> {
        let names = self.library_names()?;
        check_name("library", name, "apps/libraries", &names)?;
        config::load(&self.root.join(format!("apps/libraries/{name}.toml")), |raw| Library::validate(name, raw))
    }

    /// Every library, by name.
    pub fn libraries(&self) -> Result<Vec<Library>> {
        self.library_names()?.iter().map(|name| self.library(name)).collect()
    }

    /// Every package that is a test, by name.
    pub fn packages(&self) -> Result<Vec<Package>> {
        let names = names_in(&self.root.join("apps/packages"), toml_stem)?;
        let package = |name: &String| {
            config::load(&self.root.join(format!("apps/packages/{name}.toml")), |raw| Package::validate(name, raw))
        };
        names.iter().map(package).collect()
    }

    /// The kernel pin.
    pub fn kernel(&self) -> Result<KernelPin> {
        let check = |pin: KernelPin| pin.source.validate().map(|()| pin);
        config::load(&self.root.join("kernel/kernel.toml"), check)
    }

    /// The `[source]` block of a TOML file, given relative to the top folder: `app-runtime/musl.toml`.
    pub fn source(&self, file: &str) -> Result<Source> {
        let path = self.root.join(file);
        config::load(&path, SourceOwner::valid)?.with_context(|| format!("{} has no [source] block", path.display()))
    }

    /// Every pinned source.
    pub fn sources(&self) -> Result<Vec<Source>> {
        Ok(self.pins()?.into_iter().map(|pin| pin.source).collect())
    }

    /// Every pinned source with its file: the `[source]` blocks of the TOML files one and two folders below the top.
    pub fn pins(&self) -> Result<Vec<Pin>> {
        let mut pins = Vec::new();
        let hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".") || name == "target";
        let files = walkdir::WalkDir::new(&self.root).max_depth(3).sort_by_file_name();
        for entry in files.into_iter().filter_entry(|entry| entry.depth() == 0 || !hidden(entry.file_name())) {
            let entry = entry.context("listing the repository")?;
            if entry.path().extension().is_none_or(|extension| extension != "toml") || entry.file_name() == "Cargo.toml"
            {
                continue;
            }
            let source = config::load(entry.path(), SourceOwner::valid)?;
            pins.extend(source.map(|source| Pin { file: entry.path().to_owned(), source }));
        }
        Ok(pins)
    }

    fn level_names(&self) -> Result<Vec<String>> {
        names_in(&self.root.join("kernel/levels"), toml_stem)
    }

    fn library_names(&self) -> Result<Vec<String>> {
        names_in(&self.root.join("apps/libraries"), toml_stem)
    }

    fn app_names(&self) -> Result<Vec<String>> {
        names_in(&self.root.join("apps"), |path| path.join("app.toml").is_file().then(|| path.file_name()).flatten())
    }
}

/// The name of what a TOML file describes.
fn toml_stem(path: &Path) -> Option<&std::ffi::OsStr> {
    (path.extension()? == "toml").then(|| path.file_stem()).flatten()
}

/// The names `name_of` finds among a folder's entries, sorted.
fn names_in(dir: &Path, name_of: impl Fn(&Path) -> Option<&std::ffi::OsStr>) -> Result<Vec<String>> {
    let entries = fs_err::read_dir(dir)?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("listing {}", dir.display()))?.path();
        names.extend(name_of(&path).map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// Succeeds when `name` is one of `names`; else says which one was probably meant.
fn check_name(kind: &str, name: &str, folder: &str, names: &[String]) -> Result<()> {
    if names.iter().any(|known| known == name) {
        return Ok(());
    }
    let meant = nearest(name, names).map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
    Err(Failure::usage(
        format!("{kind} `{name}` is not in {folder}{meant}"),
        format!("use one of: {}", names.join(", ")),
    ))
}

/// Which of `names` was probably meant by `name`: the nearest, when no more than half of it would have to be changed.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a String>) -> Option<&'a str> {
    let near = names.into_iter().map(|known| (strsim::damerau_levenshtein(known, name), known));
    let near = near.filter(|(distance, known)| *distance <= known.len().max(3) / 2);
    near.min().map(|(_, known)| known.as_str())
}

/// Replaces a folder by a copy of another one, without what git and cargo keep in it.
pub fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    let kept = |entry: &walkdir::DirEntry| entry.file_name() != ".git" && entry.file_name() != "target";
    for entry in walkdir::WalkDir::new(from).into_iter().filter_entry(kept) {
        let entry = entry.with_context(|| format!("listing {}", from.display()))?;
        let target = to.join(entry.path().strip_prefix(from)?);
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target)?;
            fs::set_permissions(&target, Permissions::from_mode(0o755))?;
        } else {
            let executable = entry.metadata()?.permissions().mode() & 0o100 != 0;
            fs::copy(entry.path(), &target)?;
            fs::set_permissions(&target, Permissions::from_mode(if executable { 0o755 } else { 0o644 }))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str) -> String {
        let names = ["base", "byb", "linux"].map(str::to_owned);
        check_name("level", name, "kernel/levels", &names).unwrap_err().to_string()
    }

    #[test]
    fn a_misspelt_name_gets_a_proposal() {
        insta::assert_snapshot!(message("bybb"), @"level `bybb` is not in kernel/levels; did you mean `byb`?");
        insta::assert_snapshot!(message("linxu"), @"level `linxu` is not in kernel/levels; did you mean `linux`?");
    }

    #[test]
    fn a_strange_name_gets_none() {
        insta::assert_snapshot!(message("production"), @"level `production` is not in kernel/levels");
    }

    #[test]
    fn a_copy_of_a_checkout_is_readable_and_has_no_history() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(from.path().join(".git")).unwrap();
        fs::write(from.path().join("secret.nix"), "{ }").unwrap();
        fs::set_permissions(from.path().join("secret.nix"), Permissions::from_mode(0o600)).unwrap();
        let copy = to.path().join("copy");
        copy_tree(from.path(), &copy).unwrap();
        assert!(!copy.join(".git").exists());
        assert_eq!(fs::metadata(copy.join("secret.nix")).unwrap().permissions().mode() & 0o777, 0o644);
    }
}
