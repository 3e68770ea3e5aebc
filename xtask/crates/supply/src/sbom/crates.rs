//! The crates that a program in Rust is made of, as cargo resolves them from its lock file.

use super::spdx::{NO_ASSERTION, Package};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use ukl_host::process;
use ukl_repo::repo::GUEST_TARGET;
use xshell::{Shell, cmd};

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Crate>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Crate {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// Absent for a crate of this repository.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    root: Option<String>,
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// Absent for what is linked in; `build` and `dev` are not.
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

/// The crates that are linked into the program of this manifest, itself left out, by name.
pub fn linked(manifest: &Path) -> Result<Vec<Package>> {
    let sh = Shell::new()?;
    let cargo = cmd!(sh, "cargo metadata --format-version 1 --locked --offline");
    // A target of its own file has this one's platform.
    let cargo = cargo.args(["--filter-platform", GUEST_TARGET, "--manifest-path"]).arg(manifest);
    let metadata = process::read(process::without_cargo(&mut cargo.into()))?;
    let lock = manifest.with_file_name("Cargo.lock");
    let lock_text = std::fs::read_to_string(&lock).with_context(|| format!("reading {}", lock.display()))?;
    packages(&metadata, &lock_text).with_context(|| format!("the crates of {}", manifest.display()))
}

fn packages(metadata: &str, lock: &str) -> Result<Vec<Package>> {
    let Metadata { packages, resolve } = serde_json::from_str(metadata).context("reading cargo's metadata")?;
    let lock: Lock = toml::from_str(lock).context("reading Cargo.lock")?;
    let checksums: BTreeMap<_, _> =
        lock.package.iter().map(|l| ((l.name.as_str(), l.version.as_str()), l.checksum.as_deref())).collect();
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let root = resolve.root.as_deref().context("the manifest has no package of its own")?;
    let (mut linked, mut ahead) = (BTreeSet::new(), vec![root]);
    while let Some(id) = ahead.pop() {
        let node = nodes.get(id).with_context(|| format!("{id} is not resolved"))?;
        let normal = node.deps.iter().filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind.is_none()));
        ahead.extend(normal.map(|dep| dep.pkg.as_str()).filter(|id| linked.insert(*id)));
    }
    let mut crates: Vec<&Crate> = packages.iter().filter(|package| linked.contains(package.id.as_str())).collect();
    crates.sort_by_key(|package| (&package.name, &package.version));
    let package = |found: &Crate| {
        // Older crates separate alternatives by a slash.
        let license = found.license.as_deref().map_or(NO_ASSERTION.to_owned(), |text| text.replace('/', " OR "));
        let package = Package::new("crate", &found.name, &found.version, &license);
        let package = match checksums.get(&(found.name.as_str(), found.version.as_str())) {
            Some(Some(sha256)) => package.hashed(sha256),
            _ => package,
        };
        match found.source {
            Some(_) => package.known_as(format!("pkg:cargo/{}@{}", found.name, found.version)),
            None => package,
        }
    };
    Ok(crates.into_iter().map(package).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_builds_or_tests_is_not_linked() {
        let metadata = r#"{
            "packages": [
                {"id": "app", "name": "app", "version": "0.1.0", "license": "GPL-2.0-only", "source": null},
                {"id": "a", "name": "a", "version": "1.0.0", "license": "MIT/Apache-2.0", "source": "registry"},
                {"id": "b", "name": "b", "version": "2.0.0", "license": "MIT", "source": "registry"},
                {"id": "c", "name": "c", "version": "3.0.0", "license": null, "source": null}
            ],
            "resolve": {"root": "app", "nodes": [
                {"id": "app", "deps": [{"pkg": "a", "dep_kinds": [{"kind": null}]}, {"pkg": "b", "dep_kinds": [{"kind": "build"}]}]},
                {"id": "a", "deps": [{"pkg": "c", "dep_kinds": [{"kind": "dev"}, {"kind": null}]}]},
                {"id": "b", "deps": []},
                {"id": "c", "deps": []}
            ]}
        }"#;
        let lock = "[[package]]\nname = 'a'\nversion = '1.0.0'\nchecksum = 'abcd'\n";
        let packages = packages(metadata, lock).unwrap();
        let names: Vec<_> = packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["a", "c"]);
        assert_eq!(packages[0].license_declared, "MIT OR Apache-2.0");
        assert_eq!(packages[0].checksums[0].checksum_value, "abcd");
        assert_eq!(packages[0].external_refs[0].reference_locator, "pkg:cargo/a@1.0.0");
        assert_eq!(packages[1].license_declared, NO_ASSERTION);
        assert!(packages[1].external_refs.is_empty());
    }
}
