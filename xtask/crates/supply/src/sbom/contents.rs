//! What is in an image, and what lies beside it.

use super::crates;
use super::spdx::{CreationInfo, Document, Package, Relationship};
use crate::reproduce::manifest::hash;
use anyhow::{Context, Result};
use fs_err as fs;
use ukl_host::process;
use ukl_kernel::patches::Series;
use ukl_repo::config::{App, CXX, KernelFlavour, Level, Source};
use ukl_repo::ctx::Ctx;
use xshell::cmd;

/// What this repository's own parts may be used under.
const OURS: &str = "GPL-2.0-only";

/// A document that grows.
struct Draft {
    packages: Vec<Package>,
    relationships: Vec<Relationship>,
}

impl Draft {
    fn relate(&mut self, from: &str, kind: &'static str, to: &str) {
        let relationship = Relationship {
            spdx_element_id: from.to_owned(),
            relationship_type: kind,
            related_spdx_element: to.to_owned(),
        };
        if !self.relationships.contains(&relationship) {
            self.relationships.push(relationship);
        }
    }

    /// Adds a package unless it is there, and returns its identifier.
    fn add(&mut self, package: Package) -> String {
        let id = package.id.clone();
        if self.packages.iter().all(|known| known.id != id) {
            self.packages.push(package);
        }
        id
    }
}

/// A pinned tarball of Debian's.
fn pinned(source: &Source) -> Package {
    let mut package = Package::new("source", &source.package, source.version(), &source.license)
        .hashed(&source.sha256)
        .known_as(format!("pkg:deb/debian/{}@{}?arch=source", source.package, source.version()));
    package.download_location = format!("https://snapshot.debian.org/package/{}/", source.package);
    package
}

/// The document for the bzImage with this SHA-256. The same image has the same document.
pub(super) fn document(ctx: &Ctx, app: &App, level: &Level, sha256: &str) -> Result<Document> {
    let kernel = ctx.repo.kernel()?;
    let version = kernel.source.version();
    let name = format!("ukl-{}-{}", app.name, level.name);
    let mut draft = Draft { packages: Vec::new(), relationships: Vec::new() };
    let image = draft.add(Package::new("image", &name, version, OURS).hashed(sha256));
    draft.relate("SPDXRef-DOCUMENT", "DESCRIBES", &image);
    let linux = draft.add(pinned(&kernel.source));
    draft.relate(&image, "GENERATED_FROM", &linux);
    if level.kernel == KernelFlavour::Ukl {
        patches(ctx, &mut draft, &linux)?;
    }
    for app in app.all() {
        let program = program(ctx, &mut draft, app)?;
        match level.kernel {
            KernelFlavour::Ukl => draft.relate(&image, "CONTAINS", &program),
            KernelFlavour::Vanilla => draft.relate(&program, "RUNTIME_DEPENDENCY_OF", &image),
        }
    }
    let busybox = draft.add(pinned(&ctx.repo.source("guest/busybox.toml")?));
    draft.relate(&busybox, "RUNTIME_DEPENDENCY_OF", &image);
    let created = jiff::Timestamp::from_second(i64::try_from(kernel.stamp.time_s)?).context("the kernel's stamp")?;
    Ok(Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: "SPDXRef-DOCUMENT",
        document_namespace: format!("https://spdx.org/spdxdocs/{name}-{sha256}"),
        name,
        creation_info: CreationInfo {
            // As the kernel's own stamp: a clock would make every document another one.
            created: created.to_string(),
            creators: vec![format!("Tool: ukl-xtask-{}", env!("CARGO_PKG_VERSION"))],
        },
        packages: draft.packages,
        relationships: draft.relationships,
    })
}

/// The patches of the series, in their order.
fn patches(ctx: &Ctx, draft: &mut Draft, linux: &str) -> Result<()> {
    for path in Series::read(&ctx.repo)?.files() {
        let text = fs::read(path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let patch = draft.add(Package::new("patch", &name, env!("CARGO_PKG_VERSION"), OURS).hashed(&hash(&text)));
        draft.relate(&patch, "PATCH_FOR", linux);
    }
    Ok(())
}

/// An application with what is linked into it.
fn program(ctx: &Ctx, draft: &mut Draft, app: &App) -> Result<String> {
    let program = match &app.source {
        Some(source) => pinned(source),
        None => Package::new("app", &app.name, env!("CARGO_PKG_VERSION"), OURS),
    };
    let program = draft.add(program);
    let runtime = Package::new("runtime", "ukl-app-runtime", env!("CARGO_PKG_VERSION"), OURS);
    let mut parts = vec![runtime, pinned(&ctx.repo.source("app-runtime/musl.toml")?)];
    parts.extend(app.libraries.iter().map(|library| pinned(&library.source)));
    if app.build.commands.name(CXX) || app.build.configure.name(CXX) {
        parts.push(pinned(&ctx.repo.source("app-runtime/cxx/gcc.toml")?));
    }
    let manifest = app.dir.join("Cargo.toml");
    if manifest.exists() {
        let sh = process::shell_in(&ctx.repo.root)?;
        let rustc = process::read(cmd!(sh, "rustc --version"))?;
        let version = rustc.split_whitespace().nth(1).context("rustc did not say its version")?;
        parts.push(Package::new("std", "rust-std", version, "MIT OR Apache-2.0"));
        parts.extend(crates::linked(&manifest)?);
    }
    for part in parts {
        let part = draft.add(part);
        draft.relate(&program, "STATIC_LINK", &part);
    }
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use ukl_repo::ctx::Install;

    fn of(app: &str, level: &str) -> Document {
        let ctx = Ctx::new(Install::Never, None).unwrap();
        document(&ctx, &ctx.repo.app(app).unwrap(), &ctx.repo.level(level).unwrap(), &"0".repeat(64)).unwrap()
    }

    fn names(document: &Document, kind: &str) -> Vec<String> {
        let related = document.relationships.iter().filter(|relationship| relationship.relationship_type == kind);
        let name = |id: &str| document.packages.iter().find(|package| package.id == id).map(|p| p.name.clone());
        related.filter_map(|relationship| name(&relationship.related_spdx_element)).collect()
    }

    #[test]
    fn everything_linked_in_is_named_once_and_related() {
        let document = of("redis,memcached", "byb");
        assert_eq!(names(&document, "CONTAINS"), ["redis", "memcached"]);
        assert!(names(&document, "STATIC_LINK").contains(&"libevent".to_owned()));
        assert_eq!(names(&document, "DESCRIBES"), ["ukl-redis-byb"]);
        let ids: BTreeSet<_> = document.packages.iter().map(|package| package.id.as_str()).collect();
        assert_eq!(ids.len(), document.packages.len(), "an identifier stands for two packages");
        for relationship in &document.relationships {
            assert!(ids.contains(relationship.related_spdx_element.as_str()), "{relationship:?}");
        }
        for package in &document.packages {
            let about = document.relationships.iter();
            let mut about = about.filter(|r| r.spdx_element_id == package.id || r.related_spdx_element == package.id);
            assert!(about.next().is_some(), "nothing is said about {}", package.name);
            spdx::Expression::parse(&package.license_declared).unwrap();
        }
    }

    #[test]
    fn an_unpatched_kernel_has_no_patches_and_no_application_in_it() {
        let document = of("redis", "linux");
        assert!(names(&document, "PATCH_FOR").is_empty());
        assert!(names(&document, "CONTAINS").is_empty());
        assert!(!names(&of("redis", "base"), "PATCH_FOR").is_empty());
    }
}
