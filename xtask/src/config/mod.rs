//! The TOML files of the repository, read strictly: an unknown key is an error, and what is returned is valid.

mod app;
mod commands;
mod kernel;
mod level;
mod library;
mod source;

pub use app::{App, RawApp, Ready, library_placeholder};
pub use commands::Commands;
pub use kernel::KernelPin;
pub use level::{KernelFlavour, Level, LevelOptions};
pub use library::Library;
#[cfg(test)]
pub use library::LibraryBuild;
pub use source::Source;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use std::path::Path;

/// Reads one TOML file.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    parse(&text).with_context(|| format!("reading {}", path.display()))
}

/// Parses TOML; the error is on one line and keeps the place.
fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text[..start].matches('\n').count() + 1;
        anyhow::anyhow!("line {line}: {}", error.message().replace('\n', "; "))
    })
}
