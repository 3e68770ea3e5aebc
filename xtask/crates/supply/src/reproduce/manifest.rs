//! docs/manifest.toml: the hashes of every pinned input, and of what comes out of them with the tools that it names.

use anyhow::{Context, Result, ensure};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use ukl_app::{app, image};
use ukl_host::failure::Failure;
use ukl_host::{atomic, process};
use ukl_repo::config::{App, Level};
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::Repo;
use xshell::cmd;

/// Where it lies in the checkout.
const FILE: &str = "docs/manifest.toml";
const HEADER: &str = "\
# Written by `cargo xtask reproduce --manifest --write`, compared by `cargo xtask reproduce --manifest`; see reproduce.md.
# SHA-256 in hexadecimal, but for the inputs of the flake, whose hashes are Nix's (SRI).
";

type Names = BTreeMap<String, String>;

/// Tools, inputs and outputs by name.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What decides about the bytes beside the inputs, as each names itself.
    tools: Names,
    inputs: Inputs,
    /// The applications as ordinary programs, as the guest has them.
    programs: Names,
    /// bzImage, by application and level.
    images: BTreeMap<String, Names>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inputs {
    /// The pinned tarballs.
    sources: Names,
    /// What flake.lock pins.
    flake: Names,
    /// Files of the checkout that pin others.
    files: Names,
}

/// SHA-256 in hexadecimal.
pub fn hash(data: &[u8]) -> String {
    format!("{:x}", Sha256::digest(data))
}

/// The tools of this machine.
pub fn tools(ctx: &Ctx) -> Result<Names> {
    let sh = process::shell_in(&ctx.repo.root)?;
    let first_line = |program: &str| -> Result<String> {
        let said = process::read(cmd!(sh, "{program} --version"))?;
        Ok(said.lines().next().unwrap_or_default().to_owned())
    };
    ["gcc", "ld", "rustc"].into_iter().map(|name| Ok((name.to_owned(), first_line(name)?))).collect()
}

/// Compares one program and image with the manifest; what was compared. The tools have to be the manifest's.
pub fn compare(ctx: &Ctx, app: &App, level: &Level) -> Result<String> {
    let recorded = Manifest::read(&ctx.repo)?;
    let wanted = recorded.images.get(&app.name).and_then(|levels| levels.get(&level.name));
    let found = image_hash(ctx, app, level)?;
    if wanted == Some(&found) {
        return Ok(format!("the bzImage of {} at {} is that of {FILE}: {found}", app.name, level.name));
    }
    Err(Failure::new(
        format!(
            "the bzImage of {} at {} is {found}; {FILE} has {}",
            app.name,
            level.name,
            wanted.map_or("none", String::as_str)
        ),
        "if sources, patches or tools were changed on purpose, record it: `cargo xtask reproduce --manifest --write`",
    ))
}

fn file_hash(path: &Path) -> Result<String> {
    Ok(hash(&fs::read(path)?))
}

fn image_hash(ctx: &Ctx, app: &App, level: &Level) -> Result<String> {
    file_hash(&image::image(ctx, app, level)?.bzimage)
}

/// `narHash` of every input, by name.
fn locked(repo: &Repo) -> Result<Names> {
    let path = repo.root.join("flake.lock");
    let text = fs::read_to_string(&path)?;
    let lock: serde_json::Value = serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    let nodes = lock["nodes"].as_object().context("flake.lock has no nodes")?;
    let hashes = nodes.iter().filter_map(|(name, node)| Some((name, node["locked"]["narHash"].as_str()?)));
    Ok(hashes.map(|(name, hash)| (name.clone(), hash.to_owned())).collect())
}

/// The applications whose outputs the manifest has. Not those in Rust: cargo's names for what lies outside of a workspace, as
/// the crate `ukl` does, come from where the checkout is.
fn listed(repo: &Repo) -> Result<Vec<App>> {
    let mut apps = repo.apps()?;
    apps.retain(|app| !app.dir.join("Cargo.toml").exists());
    Ok(apps)
}

impl Inputs {
    fn of(repo: &Repo) -> Result<Self> {
        let sources = repo.sources()?.into_iter().map(|source| (source.file, source.sha256)).collect();
        let files = ["Cargo.lock", "rust-toolchain.toml"].into_iter();
        let files = files.map(|name| Ok((name.to_owned(), file_hash(&repo.root.join(name))?)));
        Ok(Inputs { sources, flake: locked(repo)?, files: files.collect::<Result<_>>()? })
    }
}

impl Manifest {
    /// That of the checkout.
    pub fn read(repo: &Repo) -> Result<Self> {
        let path = repo.root.join(FILE);
        let text = fs::read_to_string(&path)?;
        toml::from_str(&text).map_err(|error| {
            Failure::new(
                format!("{}: {}", path.display(), error.to_string().trim()),
                "`cargo xtask reproduce --manifest --write` writes it anew",
            )
        })
    }

    /// That of what this machine builds: every application at every level.
    pub fn of(ctx: &Ctx, tools: Names) -> Result<Self> {
        let mut manifest = Manifest { tools, inputs: Inputs::of(&ctx.repo)?, ..Manifest::default() };
        let levels = ctx.repo.levels()?;
        for app in listed(&ctx.repo)? {
            let program = file_hash(&super::guest_program(ctx, &app::build_app(ctx, &app)?.executable)?)?;
            manifest.programs.insert(app.name.clone(), program);
            let images = levels.iter().filter(|level| !app.skip_levels.contains_key(&level.name));
            let images = images.map(|level| Ok((level.name.clone(), image_hash(ctx, &app, level)?)));
            manifest.images.insert(app.name.clone(), images.collect::<Result<_>>()?);
        }
        Ok(manifest)
    }

    /// Replaces that of the checkout.
    pub fn write(&self, repo: &Repo) -> Result<()> {
        let path = repo.root.join(FILE);
        let text = format!("{HEADER}\n{}", toml::to_string(self).context("writing the manifest as TOML")?);
        ensure!(toml::from_str::<Manifest>(&text)? == *self, "the manifest does not survive being written");
        atomic::write(&path, text)?;
        println!("{}: {} programs and images", path.display(), self.outputs());
        Ok(())
    }

    /// How many outputs it has.
    pub fn outputs(&self) -> usize {
        self.programs.len() + self.images.values().map(BTreeMap::len).sum::<usize>()
    }

    /// The first tool that is not the manifest's: outputs cannot be expected to be the same then.
    pub fn other_tool(&self, tools: &Names) -> Option<String> {
        let other = tools.iter().find(|(name, version)| self.tools.get(*name) != Some(version))?;
        let recorded = self.tools.get(other.0).map_or("none", String::as_str);
        Some(format!("{} here is {:?}, its is {recorded:?}", other.0, other.1))
    }

    /// A line for each name whose hashes differ, or that only one has.
    pub fn differences(&self, other: &Manifest) -> Vec<String> {
        let (ours, theirs) = (self.lines(), other.lines());
        let names = ours.keys().chain(theirs.keys().filter(|name| !ours.contains_key(*name)));
        let value = |lines: &Names, name: &String| lines.get(name).map_or("none", String::as_str).to_owned();
        names
            .map(|name| (name, value(&ours, name), value(&theirs, name)))
            .filter(|(_, ours, theirs)| ours != theirs)
            .map(|(name, ours, theirs)| format!("{name}: {ours} in {FILE}, {theirs} here"))
            .collect()
    }

    fn lines(&self) -> Names {
        let mut lines = Names::new();
        let mut add = |table: &str, names: &Names| {
            lines.extend(names.iter().map(|(name, value)| (format!("{table}.{name}"), value.clone())));
        };
        add("inputs.sources", &self.inputs.sources);
        add("inputs.flake", &self.inputs.flake);
        add("inputs.files", &self.inputs.files);
        add("programs", &self.programs);
        self.images.iter().for_each(|(app, levels)| add(&format!("images.{app}"), levels));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pairs: &[(&str, &str)]) -> Names {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_manifest_has_the_inputs_of_the_checkout() {
        let repo = Repo::find().unwrap();
        assert_eq!(Manifest::read(&repo).unwrap().inputs, Inputs::of(&repo).unwrap());
    }

    #[test]
    fn the_manifest_has_every_application_at_every_level() {
        let repo = Repo::find().unwrap();
        let manifest = Manifest::read(&repo).unwrap();
        for app in listed(&repo).unwrap() {
            assert!(manifest.programs.contains_key(&app.name), "{FILE} lacks the program {}", app.name);
            for level in repo.levels().unwrap() {
                let there = manifest.images[&app.name].contains_key(&level.name);
                assert_eq!(there, !app.skip_levels.contains_key(&level.name), "{} at {}", app.name, level.name);
            }
        }
    }

    #[test]
    fn what_differs_is_told_with_both_values() {
        let manifest = |value| Manifest { programs: names(&[("redis", value)]), ..Manifest::default() };
        assert_eq!(manifest("a").differences(&manifest("a")), Vec::<String>::new());
        assert_eq!(manifest("a").differences(&manifest("b")), ["programs.redis: a in docs/manifest.toml, b here"]);
        assert_eq!(
            manifest("a").differences(&Manifest::default()),
            ["programs.redis: a in docs/manifest.toml, none here"]
        );
    }

    #[test]
    fn another_compiler_is_named() {
        let manifest = Manifest { tools: names(&[("gcc", "12")]), ..Manifest::default() };
        assert_eq!(manifest.other_tool(&names(&[("gcc", "12")])), None);
        assert_eq!(manifest.other_tool(&names(&[("gcc", "14")])).unwrap(), "gcc here is \"14\", its is \"12\"");
    }
}
