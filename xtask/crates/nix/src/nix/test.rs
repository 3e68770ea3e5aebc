//! The flake, evaluated and built: `cargo xtask test nix`.

use super::machine::Nix;
use super::{controls, lint, own};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use ukl_app::image;
use ukl_host::interrupt;
use ukl_repo::config::KernelFlavour;
use ukl_repo::ctx::Ctx;
use ukl_supply::reproduce::difference;
use ukl_vmtest::vmtest::suite::{Apps, Machines, Quick, Suite, When, words};
use ukl_vmtest::vmtest::{Part, Tally};

/// What is built in the sandbox, by the name of the test. In the order of their needs, so that what fails is what is broken.
const BUILDS: &[(&str, &str)] = &[
    ("kernel-source", "kernel-src"),
    ("kernel-configuration", "kernel.configuration"),
    ("musl", "app-runtime.musl-kernel"),
    ("redis", "ukl-redis-byb.built"),
    ("memcached", "ukl-memcached-byb.built"),
];
/// The same with a kernel below it.
const IMAGES: &[(&str, &str)] = &[("kernel", "kernel"), ("image", "ukl-redis-byb")];
/// The checks that are built: machines that boot inside a derivation.
const CHECKS: &[&str] = &["boot", "redis"];

/// What is looked at before anything is built, in its order.
const LOOKS: [&str; 8] = [
    "format",
    "dead-code",
    "lock-is-complete",
    "every-output-evaluates",
    "outputs-are-shown",
    WITH_A_TREE,
    "images-are-applications-by-levels",
    "unknown-names-are-named",
];
/// The one that needs a tree which the user names.
const WITH_A_TREE: &str = "every-output-evaluates-with-a-tree";
/// What comes after everything is built.
const ENDS: [&str; 3] = ["same-image", "run-smoke", "own-program"];

/// Many builds in a sandbox, so only when asked for; `--quick` leaves out those with a kernel of the sandbox's own.
pub const SUITE: Suite = Suite {
    name: "nix",
    summary: "the flake: evaluated, built in a sandbox, compared, and broken on purpose",
    prefix: "nix/",
    apps: Apps::None,
    machines: &[Machines { levels: None, cpus: 1, when: When::Asked }],
    quick: Quick::These(|test| !slow().iter().any(|slow| slow == test)),
    tests: |_, _| {
        let builds = BUILDS.iter().map(|(name, _)| format!("build-{name}"));
        let controls = controls::ALL.iter().map(|control| format!("control-{}", control.name));
        Ok(words(&LOOKS).into_iter().chain(builds).chain(controls).chain(slow()).collect())
    },
    run,
};

/// The tests that build a kernel in the sandbox.
fn slow() -> Vec<String> {
    let images = IMAGES.iter().map(|(name, _)| format!("build-{name}"));
    let checks = CHECKS.iter().map(|name| format!("check-{name}"));
    images.chain(checks).chain(words(&ENDS)).collect()
}

fn run(ctx: &Ctx, part: &Part, tally: &mut Tally) -> Result<()> {
    println!(
        "nix: the inputs of the flake are nixos-tests/standin, which stands in for nixpkgs, crane and rust-overlay"
    );
    let nix = Nix::prepare(ctx)?;
    if tree("nixpkgs").is_none() {
        tally.skip(&part.test(WITH_A_TREE), "UKL_NIXPKGS names no nixpkgs (docs/nix.md)");
    }
    let mut test = |name: &str, outcome: &dyn Fn() -> Result<String>| {
        let name = part.test(name);
        if tally.wants(&name) && !interrupt::requested() {
            tally.check(&name, outcome());
        }
    };
    test("format", &|| lint::format(ctx));
    test("dead-code", &|| lint::dead_code(ctx));
    test("lock-is-complete", &|| lock(&nix));
    test("every-output-evaluates", &|| evaluates(&nix));
    test("outputs-are-shown", &|| shown(&nix));
    if let Some(nixpkgs) = tree("nixpkgs") {
        test(WITH_A_TREE, &|| evaluates_with_a_tree(&nix, &nixpkgs));
    }
    test("images-are-applications-by-levels", &|| names(ctx, &nix));
    test("unknown-names-are-named", &|| unknown(&nix));
    for (name, output) in BUILDS {
        test(&format!("build-{name}"), &|| built(&nix, &format!("packages.x86_64-linux.{output}")));
    }
    for control in controls::ALL {
        test(&format!("control-{}", control.name), &|| control.fails(&nix));
    }
    for (name, output) in IMAGES {
        test(&format!("build-{name}"), &|| built(&nix, &format!("packages.x86_64-linux.{output}")));
    }
    for name in CHECKS {
        test(&format!("check-{name}"), &|| built(&nix, &format!("checks.x86_64-linux.{name}")));
    }
    test("same-image", &|| same_image(ctx, &nix));
    test("run-smoke", &|| smoke(&nix));
    test("own-program", &|| own::program(&nix));
    Ok(())
}

/// Every input is pinned, without asking the network; and without one of its pins the lock is not complete.
fn lock(nix: &Nix) -> Result<String> {
    let metadata = |checkout: &Path| {
        let flake = format!("path:{}", checkout.display());
        nix.plain(&["flake", "metadata", "--offline", "--no-update-lock-file", &flake])
    };
    metadata(nix.checkout()).context("the lock is not complete")?;
    let changed = nix.changed("flake.lock", |text| text.replacen("\"crane\": \"crane\",", "", 1))?;
    ensure!(metadata(&changed).is_err(), "a lock without one of the inputs was taken for complete");
    Ok("the inputs of flake.nix with flake.lock; without one of them it is refused".to_owned())
}

/// Nix's own check of the outputs' shapes; what would be imported from a derivation is refused.
fn evaluates(nix: &Nix) -> Result<String> {
    nix.flake(nix.checkout(), &["flake", "check", "--no-build"], "")?;
    let counted =
        nix.eval("checks.x86_64-linux", "set: builtins.length (map (n: set.${n}.drvPath) (builtins.attrNames set))")?;
    Ok(format!(
        "every output of the flake with Nix's rules, {} checks to their derivations, nothing imported from one",
        counted.trim()
    ))
}

/// The folder that the user names for an input: UKL_NIXPKGS, UKL_CRANE, UKL_RUST_OVERLAY.
fn tree(input: &str) -> Option<PathBuf> {
    let variable = format!("UKL_{}", input.to_uppercase().replace('-', "_"));
    std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The same with real trees in place of the stand-in.
fn evaluates_with_a_tree(nix: &Nix, nixpkgs: &Path) -> Result<String> {
    let options = nix.overrides_by(nix.checkout(), tree);
    let flake = format!("path:{}", nix.checkout().display());
    let mut words = vec!["flake", "check", "--no-build", &flake];
    words.extend(options.iter().map(String::as_str));
    nix.plain(&words)?;
    Ok(format!("every output of the flake with Nix's rules, nixpkgs being {}", nixpkgs.display()))
}

/// `nix flake show`, as a user types it first.
fn shown(nix: &Nix) -> Result<String> {
    let said = nix.flake(nix.checkout(), &["flake", "show", "--json"], "")?;
    let shown: serde_json::Value = serde_json::from_str(&said).context("`nix flake show --json` printed no JSON")?;
    let image = &shown["packages"]["x86_64-linux"]["ukl-redis-byb"]["name"];
    ensure!(image == "ukl-redis-byb", "packages.x86_64-linux.ukl-redis-byb is shown as {image}");
    let kinds: Vec<_> = shown.as_object().into_iter().flatten().map(|(kind, _)| kind.as_str()).collect();
    Ok(format!("`nix flake show`: {}", kinds.join(", ")))
}

/// The packages against the folders, as this program reads them.
fn names(ctx: &Ctx, nix: &Nix) -> Result<String> {
    let mut expected = BTreeSet::new();
    let levels = ctx.repo.levels()?;
    // apps/default.nix says why it leaves out those in Rust.
    for app in ctx.repo.apps()?.iter().filter(|app| !app.dir.join("Cargo.toml").exists()) {
        for level in levels.iter().filter(|level| !app.skip_levels.contains_key(&level.name)) {
            expected.insert(match level.kernel {
                KernelFlavour::Vanilla => format!("{}-{}", level.name, app.name),
                KernelFlavour::Ukl => format!("ukl-{}-{}", app.name, level.name),
            });
        }
    }
    let found: BTreeSet<String> = serde_json::from_str(&nix.eval("packages.x86_64-linux", "builtins.attrNames")?)?;
    let found: BTreeSet<_> =
        found.into_iter().filter(|name| name.starts_with("ukl-") || name.starts_with("linux-")).collect();
    ensure!(found == expected, "packages {found:?}; applications by levels are {expected:?}");
    let undescribed = nix.eval(
        "packages.x86_64-linux",
        "set: builtins.filter (n: !(set.${n}.meta ? description)) (builtins.attrNames set)",
    )?;
    ensure!(undescribed.trim() == "[]", "packages without meta.description: {undescribed}");
    Ok(format!("{} images with apps/ by kernel/levels/; every package has a description", found.len()))
}

fn unknown(nix: &Nix) -> Result<String> {
    for (call, expected) in [
        ("image: (image \"redis\" \"bybb\").name", "level `bybb` is not in kernel/levels; use one of: base, byb"),
        ("image: (image \"reddis\" \"byb\").name", "application `reddis` is not in apps; use one of: behaviour"),
    ] {
        let Err(error) = nix.eval("lib.image", call) else { anyhow::bail!("{call} evaluates") };
        let error = format!("{error:#}");
        ensure!(error.contains(expected), "{call}: {error}; `{expected}` was expected");
    }
    Ok("what an unknown level and an unknown application are answered with their names and the known ones".to_owned())
}

/// Builds an output in the sandbox.
fn built(nix: &Nix, output: &str) -> Result<String> {
    let place = nix.build(nix.checkout(), output)?;
    Ok(format!("{output} built in the sandbox with what it declares: {}", place.display()))
}

/// The image of the derivation and this program's own, from the same pins and compiler.
fn same_image(ctx: &Ctx, nix: &Nix) -> Result<String> {
    let theirs = nix.build(nix.checkout(), "packages.x86_64-linux.ukl-redis-byb")?;
    let ours = image::image(ctx, &ctx.repo.app("redis")?, &ctx.repo.level("byb")?)?;
    let read = |path: &Path| fs_err::read(path);
    let image = read(&ours.bzimage)?;
    if image != read(&theirs.join("bzImage"))? {
        // The image is compressed; what differs is seen in what was.
        let found = difference::between(&read(&ours.vmlinux)?, &read(&theirs.join("vmlinux"))?);
        anyhow::bail!("xtask's vmlinux, first, and Nix's, second: {}", found.join("; "));
    }
    Ok(format!("all {} bytes of Nix's bzImage of redis at byb with xtask's", image.len()))
}

/// `nix run`, outside the sandbox, as a user types it.
fn smoke(nix: &Nix) -> Result<String> {
    let said = nix.flake(nix.checkout(), &["run"], "ukl-redis-byb -- --smoke")?;
    ensure!(said.contains("smoke test of redis at level byb: passed"), "it printed {said:?}");
    Ok("`nix run .#ukl-redis-byb -- --smoke` with the answers of smoke.toml".to_owned())
}
