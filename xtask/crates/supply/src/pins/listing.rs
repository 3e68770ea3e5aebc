//! What `apt-cache showsrc` says: the source packages of a suite and the hashes of their tarballs, which apt has checked
//! against Debian's signature.

use anyhow::{Context, Result};
use ukl_repo::config::Source;

/// An upstream tarball that a suite has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub package: String,
    pub suite: String,
    /// The version of the package, as dpkg compares it.
    pub version: String,
    /// That of the tarball.
    pub upstream: String,
    pub file: String,
    pub sha256: String,
}

impl Offer {
    /// Whether it is for this pin.
    pub fn is_of(&self, source: &Source) -> bool {
        self.package == source.package && source.suites.contains(&self.suite)
    }
}

/// The stanzas of one suite. A package that has no upstream tarball (a native one) is left out.
pub fn parse(stanzas: &str, suite: &str) -> Result<Vec<Offer>> {
    let mut offers = Vec::new();
    for stanza in stanzas.split("\n\n").filter(|stanza| !stanza.trim().is_empty()) {
        let field = |name: &str| {
            let mut lines = stanza.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::trim)
        };
        let package = field("Package").with_context(|| format!("a source package without a name: {stanza}"))?;
        let version = field("Version").with_context(|| format!("{package} has no version"))?;
        // `SHA256 SIZE NAME`, indented, below the field's name.
        let hashes = stanza.lines().skip_while(|line| *line != "Checksums-Sha256:").skip(1);
        let hashes = hashes.take_while(|line| line.starts_with(' ')).map(|line| line.split_whitespace());
        let original = hashes.filter_map(|mut words| Some((words.next()?, words.nth(1)?))).find(|(_, file)| {
            file.starts_with(&format!("{package}_")) && file.contains(".orig.tar.") && !file.ends_with(".asc")
        });
        let Some((sha256, file)) = original else { continue };
        let upstream = file.split(".orig.tar.").next().unwrap_or(file);
        let upstream = upstream.split_once('_').map_or(upstream, |(_, version)| version);
        let [package, version, upstream, file, sha256, suite] =
            [package, version, upstream, file, sha256, suite].map(str::to_owned);
        offers.push(Offer { package, suite, version, upstream, file, sha256 });
    }
    Ok(offers)
}

/// What an update would do with a pin.
#[derive(Debug, PartialEq, Eq)]
pub enum Choice<'a> {
    /// To this one.
    Move(&'a Offer),
    /// Nothing newer is there. A mirror that lags behind, or a suite that went back, does not take a pin along.
    Newest,
    /// The pin's suites have the package no more.
    Gone,
}

/// The newest for a pin, as `newer` counts, if it is newer than the pin itself.
pub fn choose<'a>(
    offers: &'a [Offer],
    source: &Source,
    newer: impl Fn(&str, &str) -> Result<bool>,
) -> Result<Choice<'a>> {
    let mut best: Option<&Offer> = None;
    for offer in offers.iter().filter(|offer| offer.is_of(source)) {
        if best.map_or(Ok(true), |best| newer(&offer.version, &best.version))? {
            best = Some(offer);
        }
    }
    let Some(best) = best else { return Ok(Choice::Gone) };
    Ok(if newer(&best.upstream, source.version())? { Choice::Move(best) } else { Choice::Newest })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANZAS: &str = "\
Package: redis
Format: 3.0 (quilt)
Version: 5:7.0.15-1~deb12u5
Checksums-Sha256:
 1111 200 redis_7.0.15-1~deb12u5.dsc
 2222 300 redis_7.0.15.orig.tar.gz
 3333 400 redis_7.0.15-1~deb12u5.debian.tar.xz
Directory: pool/main/r/redis

Package: redis
Version: 5:7.0.20-1
Checksums-Sha256:
 4444 200 redis_7.0.20.orig.tar.xz
 5555 200 redis_7.0.20.orig.tar.xz.asc

Package: native
Version: 1
Checksums-Sha256:
 6666 200 native_1.tar.xz
";

    fn source(suite: &str) -> Source {
        Source {
            package: "redis".to_owned(),
            license: "BSD-3-Clause".to_owned(),
            file: "redis_7.0.15.orig.tar.gz".to_owned(),
            sha256: "0".repeat(64),
            suites: vec![suite.to_owned()],
        }
    }

    #[test]
    fn the_upstream_tarball_of_each_stanza_is_found() {
        let offers = parse(STANZAS, "trixie").unwrap();
        let seen: Vec<_> =
            offers.iter().map(|offer| (offer.upstream.as_str(), offer.file.as_str(), offer.sha256.as_str())).collect();
        assert_eq!(
            seen,
            [("7.0.15", "redis_7.0.15.orig.tar.gz", "2222"), ("7.0.20", "redis_7.0.20.orig.tar.xz", "4444")]
        );
    }

    fn by_text(one: &str, other: &str) -> Result<bool> {
        Ok(one > other)
    }

    #[test]
    fn the_newest_is_of_the_suites_of_the_pin() {
        let offers = parse(STANZAS, "trixie").unwrap();
        let Choice::Move(offer) = choose(&offers, &source("trixie"), by_text).unwrap() else { panic!("it stays") };
        assert_eq!(offer.upstream, "7.0.20");
        assert_eq!(choose(&offers, &source("forky"), by_text).unwrap(), Choice::Gone);
    }

    #[test]
    fn a_suite_that_has_only_older_ones_does_not_take_a_pin_back() {
        let offers = parse(STANZAS, "trixie").unwrap();
        let pinned = |version: &str| Source { file: format!("redis_{version}.orig.tar.gz"), ..source("trixie") };
        assert_eq!(choose(&offers, &pinned("7.0.20"), by_text).unwrap(), Choice::Newest);
        assert_eq!(choose(&offers, &pinned("7.0.30"), by_text).unwrap(), Choice::Newest);
    }

    #[test]
    fn a_stanza_without_a_name_is_an_error() {
        assert!(parse("Version: 1\n", "trixie").unwrap_err().to_string().contains("without a name"));
    }
}
