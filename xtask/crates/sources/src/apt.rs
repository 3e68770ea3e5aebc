//! What the machine's own apt configuration says about where Debian's files are.

mod private;

pub use private::{PrivateApt, unpack_with_dependencies};

use anyhow::Result;
use std::path::Path;
use ukl_host::failure::Failure;
use ukl_host::process;
use xshell::{Shell, cmd};

/// The folders of a pool that hold source packages: the ordinary archive's and the security archive's.
const POOL_FOLDERS: [&str; 2] = ["pool/main", "pool/updates/main"];

/// The addresses of the Debian archives this machine is configured to use, each with a slash at its end.
pub fn archives() -> Result<Vec<String>> {
    let format = "$(REPO_URI)\t$(LABEL)";
    let sh = Shell::new()?;
    let query = process::read(cmd!(sh, "apt-get indextargets --format {format} 'Created-By: Packages'"));
    let listing = query.map_err(|error| {
        Failure::new(
            format!("this machine has no usable apt configuration: {error:#}"),
            "get the tarballs by hand; `cargo xtask fetch --list` says which and where to put them",
        )
    })?;
    let mut archives = parse_archives(&listing);
    if archives.is_empty() {
        // No `apt-get update` has run yet; what it would ask for still names the archives.
        archives = parse_updates(&process::read(cmd!(sh, "apt-get --print-uris update"))?);
    }
    if archives.is_empty() {
        return Err(Failure::new(
            "the apt configuration of this machine names no Debian archive",
            "add one to /etc/apt/sources.list.d and run `apt-get update`",
        ));
    }
    Ok(archives)
}

/// Keeps the archives that are Debian's; one without a label may be, and a pool that lacks the file does no harm.
pub fn parse_archives(listing: &str) -> Vec<String> {
    let mut archives: Vec<String> = Vec::new();
    for line in listing.lines() {
        let (uri, label) = line.split_once('\t').unwrap_or((line, ""));
        let debian = matches!(label.trim(), "" | "Debian" | "Debian-Security");
        let uri = format!("{}/", uri.trim().trim_end_matches('/'));
        if debian && uri.contains(':') && !archives.contains(&uri) {
            archives.push(uri);
        }
    }
    archives
}

/// The archives in a list of what `apt-get update` would download: `'ARCHIVE/dists/SUITE/InRelease' NAME SIZE`.
pub fn parse_updates(listing: &str) -> Vec<String> {
    let mut archives: Vec<String> = Vec::new();
    for line in listing.lines().filter(|line| line.contains("/InRelease'")) {
        if let Some((archive, _)) = line.trim_start_matches('\'').split_once("/dists/") {
            let archive = format!("{archive}/");
            if !archives.contains(&archive) {
                archives.push(archive);
            }
        }
    }
    archives
}

/// Whether an archive is that of the security updates, whose suites have other names.
pub fn is_security(archive: &str) -> bool {
    archive.ends_with("-security/")
}

/// Every address at which a pool may have the file. `folder` is the package's folder in the pool.
pub fn pool_addresses(archives: &[String], folder: &str, file: &str) -> Vec<String> {
    let addresses = POOL_FOLDERS.iter().flat_map(|pool| {
        // The security archive alone has `pool/updates`, and it has nothing else.
        let fits = move |uri: &&String| is_security(uri) == pool.contains("updates");
        archives.iter().filter(fits).map(move |uri| format!("{uri}{pool}/{folder}/{file}"))
    });
    addresses.collect()
}

/// Downloads through apt's own methods, for address kinds other than plain HTTP (https, mirror lists, files).
pub fn download(address: &str, target: &Path) -> Result<()> {
    let sh = Shell::new()?;
    // The unprivileged download user could not write into the cache of whoever runs this.
    let as_us = ["-o", "APT::Sandbox::User="];
    process::run_on_stderr(cmd!(sh, "/usr/lib/apt/apt-helper {as_us...} download-file {address} {target}"))
}

/// Whether apt is told to use a proxy, which its own methods then have to do.
pub fn uses_proxy() -> bool {
    let dump = Shell::new().map_err(Into::into).and_then(|sh| process::read(cmd!(sh, "apt-config dump")));
    dump.is_ok_and(|dump| names_proxy(&dump))
}

fn names_proxy(dump: &str) -> bool {
    let value = |line: &str| line.split_once(' ').map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned()));
    let mut settings = dump.lines().filter_map(value);
    settings.any(|(key, value)| {
        key.starts_with("acquire::http::proxy") && !matches!(value.as_str(), "\"\";" | "\"DIRECT\";")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "http://a.example/debian/\tDebian\nhttp://a.example/debian/\tDebian\n\
        http://a.example/debian-security\tDebian-Security\nhttps://other.example/apt\tOther\nhttp://b.example/x\t\n";

    #[test]
    fn other_vendors_archives_are_left_out() {
        insta::assert_debug_snapshot!(parse_archives(LISTING), @r#"
        [
            "http://a.example/debian/",
            "http://a.example/debian-security/",
            "http://b.example/x/",
        ]
        "#);
    }

    #[test]
    fn a_proxy_of_apt_is_noticed() {
        assert!(names_proxy("APT \"\";\nAcquire::http::Proxy \"http://proxy.example:3128\";\n"));
        assert!(!names_proxy("Acquire::http::Proxy \"\";\nAcquire::Languages \"en\";\n"));
    }

    #[test]
    fn archives_are_known_before_the_first_update() {
        let listing = "'http://a.example/debian/dists/x/InRelease' a_InRelease 0 \n\
            'http://a.example/debian/dists/x-updates/InRelease' a-updates_InRelease 0 \n\
            'http://a.example/debian/dists/x/main/binary-amd64/Packages.xz' a_Packages 0 \n";
        assert_eq!(parse_updates(listing), ["http://a.example/debian/"]);
    }

    #[test]
    fn each_archive_has_its_own_pool() {
        insta::assert_debug_snapshot!(pool_addresses(&parse_archives(LISTING), "r/redis", "r.orig.tar.gz"), @r#"
        [
            "http://a.example/debian/pool/main/r/redis/r.orig.tar.gz",
            "http://b.example/x/pool/main/r/redis/r.orig.tar.gz",
            "http://a.example/debian-security/pool/updates/main/r/redis/r.orig.tar.gz",
        ]
        "#);
    }
}
