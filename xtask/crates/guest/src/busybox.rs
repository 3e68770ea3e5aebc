//! Builds the guest's busybox: one static program, from `guest/busybox.toml` and `guest/busybox.config`.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use ukl_host::cache::Key;
use ukl_host::failure::Failure;
use ukl_host::{prebuilt, process};
use ukl_repo::ctx::Ctx;
use ukl_sources::unpack;
use xshell::{Cmd, Shell, cmd};

/// The program, built the first time it is asked for.
pub fn busybox(ctx: &Ctx) -> Result<PathBuf> {
    if let Some(program) = prebuilt::find("busybox/busybox") {
        return Ok(program);
    }
    let source = ctx.repo.source("guest/busybox.toml")?;
    let config = ctx.repo.root.join("guest/busybox.config");
    let key = Key::new("busybox-v1").str(&source.sha256).file(&config)?;
    let dir = ctx.cache.step("busybox", &key, |out| {
        let tree = unpack::unpacked(ctx, &source)?;
        let requested = fs_err::read_to_string(&config)?;
        // The objects stay out of the cache: only the program is worth keeping.
        let build = ctx.cache.scratch()?;
        configure(&tree, build.path(), &requested)?;
        let (sh, jobs) = (Shell::new()?, format!("-j{}", ctx.jobs));
        let make = make(&sh, &tree, build.path()).args([&jobs, "busybox"]);
        process::run_logged("busybox", make, &ctx.cache.root().join("busybox.log"))?;
        let (from, to) = (build.path().join("busybox"), out.join("busybox"));
        fs_err::copy(&from, &to)?;
        Ok(())
    })?;
    Ok(dir.join("busybox"))
}

fn make<'s>(sh: &'s Shell, tree: &Path, build: &Path) -> Cmd<'s> {
    // A fixed date, because busybox compiles the time of its build into itself.
    cmd!(sh, "make --silent -C {tree} O={build}").env("SOURCE_DATE_EPOCH", "0")
}

/// Everything off, then what is requested on, then defaults for what the requested options bring with them.
fn configure(tree: &Path, build: &Path, requested: &str) -> Result<()> {
    let wanted = assignments(requested);
    let sh = Shell::new()?;
    process::read(make(&sh, tree, build).arg("allnoconfig"))?;
    let path = build.join(".config");
    let read = || fs_err::read_to_string(&path);
    fs_err::write(&path, overlay(&read()?, &wanted))?;
    // `oldconfig` asks about each option that became visible; an empty line accepts its default.
    let mut oldconfig = Command::from(make(&sh, tree, build).arg("oldconfig"));
    let mut child = process::die_with_parent(&mut oldconfig)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("starting `make oldconfig` of busybox")?;
    let answers = "\n".repeat(4000);
    // It closes its end as soon as it has asked enough.
    let _ = std::io::Write::write_all(&mut child.stdin.take().expect("piped"), answers.as_bytes());
    anyhow::ensure!(child.wait()?.success(), "`make oldconfig` of busybox failed");
    let missing = vanished(&wanted, &assignments(&read()?));
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        format!("busybox does not keep {}", missing.join(", ")),
        "correct guest/busybox.config: an option may be misspelt or lack one that it depends on",
    ))
}

/// Option -> value of a kconfig file; an option that `is not set` has the value `n`.
fn assignments(text: &str) -> BTreeMap<&str, &str> {
    text.lines()
        .filter_map(|line| match line.strip_prefix("# ") {
            Some(comment) => Some((comment.strip_suffix(" is not set")?, "n")),
            None => line.split_once('='),
        })
        .collect()
}

/// `base` with the wanted values in place of its own.
fn overlay(base: &str, wanted: &BTreeMap<&str, &str>) -> String {
    let kept = assignments(base).into_iter().filter(|(option, _)| !wanted.contains_key(option));
    kept.chain(wanted.iter().map(|(option, value)| (*option, *value)))
        .map(|(option, value)| match value {
            "n" => format!("# {option} is not set\n"),
            _ => format!("{option}={value}\n"),
        })
        .collect()
}

/// The requests that the configuration does not hold; an absent option is off.
fn vanished(wanted: &BTreeMap<&str, &str>, have: &BTreeMap<&str, &str>) -> Vec<String> {
    wanted
        .iter()
        .filter(|(option, value)| have.get(*option).unwrap_or(&"n") != *value)
        .map(|(option, value)| format!("{option}={value}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_replace_what_was_there() {
        let wanted = assignments("# why\nCONFIG_A=y\nCONFIG_C=n\n");
        let text = overlay("# CONFIG_A is not set\nCONFIG_B=7\nCONFIG_C=y\n", &wanted);
        assert_eq!(text, "CONFIG_B=7\nCONFIG_A=y\n# CONFIG_C is not set\n");
    }

    #[test]
    fn a_vanished_option_is_named() {
        let wanted = assignments("CONFIG_A=y\nCONFIG_GONE=y\nCONFIG_OFF=n\n");
        assert_eq!(vanished(&wanted, &assignments("CONFIG_A=y\n")), ["CONFIG_GONE=y"]);
    }
}
