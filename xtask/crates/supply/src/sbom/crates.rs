//! The crates that a program in Rust is made of, as cargo resolves them from its lock file.

use super::spdx::{NO_ASSERTION, Package};
use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use ukl_host::process;
use ukl_repo::repo::GUEST_TARGET;
use xshell::{Shell, cmd};

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
pub(super) fn linked(manifest: &Path) -> Result<Vec<Package>> {
    let sh = Shell::new()?;
    let cargo = cmd!(sh, "cargo metadata --format-version 1 --locked --offline");
    // A target of its own file has this one's platform.
    let cargo = cargo.args(["--filter-platform", GUEST_TARGET, "--manifest-path"]).arg(manifest);
    let metadata = process::read(process::without_cargo(&mut cargo.into()))?;
    let lock = manifest.with_file_name("Cargo.lock");
    let lock_text = fs_err::read_to_string(&lock)?;
    packages(&metadata, &lock_text).with_context(|| format!("the crates of {}", manifest.display()))
}

fn packages(metadata: &str, lock: &str) -> Result<Vec<Package>> {
    let Metadata { packages, resolve, .. } = serde_json::from_str(metadata).context("reading cargo's metadata")?;
    let resolve = resolve.context("cargo resolved no dependencies")?;
    let lock: Lock = toml::from_str(lock).context("reading Cargo.lock")?;
    let checksums: BTreeMap<_, _> =
        lock.package.iter().map(|l| ((l.name.as_str(), l.version.as_str()), l.checksum.as_deref())).collect();
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let root = resolve.root.as_ref().context("the manifest has no package of its own")?;
    let (mut linked, mut ahead) = (BTreeSet::new(), vec![root]);
    while let Some(id) = ahead.pop() {
        let node = nodes.get(id).with_context(|| format!("{id} is not resolved"))?;
        // What only builds or tests is not linked in.
        let normal =
            node.deps.iter().filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
        ahead.extend(normal.map(|dep| &dep.pkg).filter(|id| linked.insert(*id)));
    }
    let mut crates: Vec<_> = packages.iter().filter(|package| linked.contains(&package.id)).collect();
    // Versions as text, so that the order of a list stays what it was.
    crates.sort_by_key(|package| (package.name.as_str(), package.version.to_string()));
    let package = |found: &cargo_metadata::Package| {
        let (name, version) = (found.name.as_str(), found.version.to_string());
        // Older crates separate alternatives by a slash.
        let license = found.license.as_deref().map_or(NO_ASSERTION.to_owned(), |text| text.replace('/', " OR "));
        let package = Package::new("crate", name, &version, &license);
        let package = match checksums.get(&(name, version.as_str())) {
            Some(Some(sha256)) => package.hashed(sha256),
            _ => package,
        };
        // A crate of this repository has no source.
        match found.source {
            Some(_) => package.known_as(format!("pkg:cargo/{name}@{version}")),
            None => package,
        }
    };
    Ok(crates.into_iter().map(package).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_only_builds_or_tests_is_not_linked() {
        let package = |name: &str, version: &str, license: Value, source: Value| {
            json!({
                "id": name, "name": name, "version": version, "license": license, "source": source, "dependencies": [],
                "targets": [], "features": {}, "manifest_path": "/Cargo.toml",
            })
        };
        let node = |name: &str, deps: &[(&str, Value)]| {
            let names: Vec<_> = deps.iter().map(|(name, _)| name).collect();
            let dep = |(name, kinds): &(&str, Value)| json!({"name": name, "pkg": name, "dep_kinds": kinds});
            json!({"id": name, "dependencies": names, "deps": deps.iter().map(dep).collect::<Vec<_>>()})
        };
        let metadata = json!({
            "packages": [
                package("app", "0.1.0", json!("GPL-2.0-only"), Value::Null),
                package("a", "1.0.0", json!("MIT/Apache-2.0"), json!("registry")),
                package("b", "2.0.0", json!("MIT"), json!("registry")),
                package("c", "3.0.0", Value::Null, Value::Null),
            ],
            "workspace_members": ["app"],
            "resolve": {"root": "app", "nodes": [
                node("app", &[("a", json!([{"kind": null}])), ("b", json!([{"kind": "build"}]))]),
                node("a", &[("c", json!([{"kind": "dev"}, {"kind": null}]))]),
                node("b", &[]),
                node("c", &[]),
            ]},
            "workspace_root": "/", "target_directory": "/target", "version": 1,
        });
        let metadata = metadata.to_string();
        let lock = "[[package]]\nname = 'a'\nversion = '1.0.0'\nchecksum = 'abcd'\n";
        let packages = packages(&metadata, lock).unwrap();
        let names: Vec<_> = packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["a", "c"]);
        assert_eq!(packages[0].license_declared, "MIT OR Apache-2.0");
        assert_eq!(packages[0].checksums[0].checksum_value, "abcd");
        assert_eq!(packages[0].external_refs[0].reference_locator, "pkg:cargo/a@1.0.0");
        assert_eq!(packages[1].license_declared, NO_ASSERTION);
        assert!(packages[1].external_refs.is_empty());
    }
}
