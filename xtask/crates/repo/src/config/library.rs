//! A library that applications are linked with. One file `apps/libraries/NAME.toml`.

use super::Source;
use super::commands::{self, Commands};
use anyhow::{Result, ensure};
use serde::Deserialize;
use std::path::{Component, PathBuf};

/// A validated library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// The file's name without `.toml`; applications name it so.
    pub name: String,
    /// One sentence for lists.
    pub summary: String,
    /// The pinned tarball.
    pub source: Source,
    pub build: LibraryBuild,
}

/// How the library is compiled and installed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LibraryBuild {
    /// Commands run one after the other in the source tree. Beside what every command may name, `{prefix}` is where the
    /// library will lie and `{destdir}` the folder below which it is put there (`make install DESTDIR={destdir}`).
    pub commands: Commands,
    /// The archives that come out, relative to `{prefix}`.
    pub archives: Vec<PathBuf>,
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawLibrary {
    summary: String,
    source: Source,
    build: LibraryBuild,
}

impl Library {
    /// Checks what the types do not.
    pub fn validate(name: &str, raw: RawLibrary) -> Result<Self> {
        raw.source.validate()?;
        let known = commands::FOR_ALL.iter().chain(&["prefix", "destdir"]).map(|name| (*name).to_owned());
        raw.build.commands.validate("build.commands", &known.collect::<Vec<_>>())?;
        ensure!(!raw.build.archives.is_empty(), "`build.archives` is empty; what the library is made of was expected");
        for archive in &raw.build.archives {
            let inside = archive.components().all(|part| matches!(part, Component::Normal(_)));
            ensure!(
                inside && archive.extension().is_some_and(|extension| extension == "a"),
                "`build.archives`: `{}` is no archive below the prefix, such as lib/libevent.a",
                archive.display()
            );
        }
        Ok(Library { name: name.to_owned(), summary: raw.summary, source: raw.source, build: raw.build })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn library(build: &str) -> Result<Library> {
        let source = format!(
            "package = 'libx'\nfile = 'libx_1.orig.tar.gz'\nsha256 = '{}'\nlicense = 'MIT'\nsuites = ['s']",
            "0".repeat(64)
        );
        Library::validate("libx", parse(&format!("summary = 's'\n[source]\n{source}\n[build]\n{build}"))?)
    }

    #[test]
    fn a_library_has_commands_and_archives() {
        let made = library(
            "commands = [['make', 'install', 'PREFIX={prefix}', 'DESTDIR={destdir}']]\narchives = ['lib/libx.a']",
        );
        assert_eq!(made.unwrap().build.archives, [PathBuf::from("lib/libx.a")]);
    }

    #[test]
    fn what_is_no_archive_below_the_prefix_is_refused() {
        insta::assert_snapshot!(
            library("commands = [['make']]\narchives = ['lib/libx.so']").unwrap_err(),
            @"`build.archives`: `lib/libx.so` is no archive below the prefix, such as lib/libevent.a"
        );
        assert!(library("commands = [['make']]\narchives = ['/usr/lib/libx.a']").is_err());
        assert!(library("commands = [['make']]\narchives = ['../libx.a']").is_err());
        assert!(library("commands = [['make']]\narchives = []").is_err());
    }

    #[test]
    fn the_libraries_of_an_application_are_none_of_a_library() {
        let error = library("commands = [['./configure', '--with-y={library.y}']]\narchives = ['libx.a']").unwrap_err();
        assert!(error.to_string().contains("names {library.y}; one of {cc}"), "{error}");
    }
}
