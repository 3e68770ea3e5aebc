//! A source pin: which tarball, from where, with which hash. One `[source]` block in its owner's TOML file.

use anyhow::{Result, anyhow, ensure};
use serde::Deserialize;

/// A Debian `.orig` tarball, which never changes for a given upstream version.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Debian's name of the source package, which is its folder in the pool.
    pub package: String,
    /// What may be done with it: an SPDX licence expression, as the package's `debian/copyright` says for what is built.
    pub license: String,
    /// The tarball's file name in the pool and in the cache.
    pub file: String,
    /// SHA-256 of the tarball, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// The Debian suites that were seen to carry it, for the reader of an error message.
    pub suites: Vec<String>,
}

impl Source {
    /// Checks what the types do not: these values become paths, addresses and keys.
    pub fn validate(&self) -> Result<()> {
        let name = |text: &str| {
            !text.starts_with('.') && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-._~".contains(c))
        };
        ensure!(self.package.len() > 1 && name(&self.package), "source package `{}` is no package name", self.package);
        ensure!(
            name(&self.file) && self.file.contains(".tar."),
            "source file `{}` is no tarball name, such as redis_7.0.15.orig.tar.gz",
            self.file
        );
        let digits = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        ensure!(
            self.sha256.len() == 64 && self.sha256.chars().all(digits),
            "sha256 of {} is `{}`; 64 lower-case hexadecimal digits were expected",
            self.file,
            self.sha256
        );
        spdx::Expression::parse(&self.license).map_err(|error| {
            anyhow!("license of {} is `{}`, which is no SPDX expression: {}", self.file, self.license, error.reason)
        })?;
        ensure!(!self.suites.is_empty(), "source {} names no suite", self.file);
        Ok(())
    }

    /// The file name without what says that it is an original tarball: `redis_7.0.15`.
    pub fn stem(&self) -> &str {
        let stem = self.file.split(".tar.").next().unwrap_or(&self.file);
        stem.strip_suffix(".orig").unwrap_or(stem)
    }

    /// What comes between the package's name and `.orig`: `7.0.15`. Debian marks a repacked tarball (`+dfsg`).
    pub fn version(&self) -> &str {
        self.stem().split_once('_').map_or(self.stem(), |(_, version)| version)
    }

    /// The tarball's folder below the pool's component: `r/redis`, `libe/libevent`.
    pub fn pool_folder(&self) -> String {
        let prefix = if self.package.starts_with("lib") { 4 } else { 1 };
        format!("{}/{}", self.package.get(..prefix).unwrap_or(&self.package), self.package)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(package: &str, file: &str) -> Source {
        Source {
            package: package.to_owned(),
            license: "MIT".to_owned(),
            file: file.to_owned(),
            sha256: "0".repeat(64),
            suites: vec!["trixie".to_owned()],
        }
    }

    #[test]
    fn names_follow_from_the_file() {
        let redis = source("redis", "redis_7.0.15.orig.tar.gz");
        redis.validate().unwrap();
        assert_eq!(redis.stem(), "redis_7.0.15");
        assert_eq!(redis.version(), "7.0.15");
        assert_eq!(redis.pool_folder(), "r/redis");
        assert_eq!(source("libevent", "libevent_2.1.12-stable.orig.tar.gz").pool_folder(), "libe/libevent");
    }

    #[test]
    fn a_file_name_cannot_leave_its_folder() {
        assert!(source("redis", "../redis.tar.gz").validate().is_err());
        assert!(source("redis/..", "redis.tar.gz").validate().is_err());
    }

    #[test]
    fn a_licence_that_is_no_expression_is_refused() {
        let mut redis = source("redis", "redis_7.0.15.orig.tar.gz");
        redis.license = "BSD".to_owned();
        let error = redis.validate().unwrap_err().to_string();
        assert!(error.contains("license of redis_7.0.15.orig.tar.gz is `BSD`"), "{error}");
    }

    #[test]
    fn a_short_hash_is_refused() {
        let mut redis = source("redis", "redis_7.0.15.orig.tar.gz");
        redis.sha256.pop();
        let error = redis.validate().unwrap_err().to_string();
        assert!(error.contains("64 lower-case hexadecimal digits were expected"), "{error}");
    }
}
