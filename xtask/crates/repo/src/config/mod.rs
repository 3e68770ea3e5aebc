//! The TOML files of the repository, read strictly: an unknown key is an error, and what is returned is valid.

mod app;
mod commands;
mod kernel;
mod level;
mod levels;
mod library;
mod package;
mod profile;
mod source;

pub use app::{App, AppBuild, CXX, FOLDER, GuestSettings, MEMORY_MIB, Parties, RawApp, Ready, library_placeholder};
pub use commands::Commands;
pub use kernel::KernelPin;
pub use level::{DEFAULT_LEVEL, KernelFlavour, Level, LevelOptions, REFERENCE_LEVEL, RawLevel};
pub use levels::Levels;
pub use library::{Library, LibraryBuild, RawLibrary};
pub use package::{Check, Package, PackageProgram, RawPackage};
pub use profile::KernelProfile;
pub use source::Source;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use std::path::Path;
use ukl_host::failure::Failure;

/// Reads one TOML file.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    load(path, Ok)
}

/// Reads one TOML file and checks what its types do not.
pub fn load<R: DeserializeOwned, T>(path: &Path, validate: impl FnOnce(R) -> Result<T>) -> Result<T> {
    let text = std::fs::read_to_string(path).context("reading it");
    text.and_then(|text| parse(&text)).and_then(validate).map_err(|error| {
        Failure::new(
            format!("{}: {error:#}", path.display()),
            "correct that file; CONTRIBUTING.md and the README.md of its folder say what it holds",
        )
    })
}

/// Parses TOML; the error is on one line and keeps the place.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text[..start].matches('\n').count() + 1;
        anyhow::anyhow!("line {line}: {}", error.message().replace('\n', "; "))
    })
}
