//! One file more in kernel/levels, and nothing else: the level is built, tested, counted and drawn.

use super::suite::{Apps, Machines, Part, Quick, Suite, When, names};
use super::tally::Tally;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use ukl_host::process;
use ukl_repo::config::DEFAULT_LEVEL;
use ukl_repo::ctx::Ctx;
use ukl_repo::repo;
use ukl_report::record::Record;
use xshell::cmd;

/// The level that this repository has not.
const NAME: &str = "trial";
/// What its file says beyond that of the default level.
const OPTION: &str = "ret = true";
/// What counts its calls.
const BENCHMARK: &str = "microbench";

type Test = (&'static str, fn(&Checkout) -> Result<String>);

const TESTS: &[Test] = &[("is-built", builds), ("is-tested", tested), ("is-counted-and-drawn", counted)];

/// Boots five machines in another checkout, so only when asked for.
pub(super) const SUITE: Suite = Suite {
    name: "new-level",
    summary: "one file more in kernel/levels is built, tested, counted and drawn, and nothing else names it",
    prefix: "new-level/",
    apps: Apps::None,
    machines: &[Machines { levels: None, cpus: 1, when: When::Asked }],
    quick: Quick::Nothing,
    tests: |_, _| Ok(names(TESTS)),
    run,
};

/// A copy of the checkout with the level, and this program working there with the cache of everyone.
struct Checkout<'a> {
    ctx: &'a Ctx,
    root: PathBuf,
}

fn run(ctx: &Ctx, part: &Part, tally: &mut Tally) -> Result<()> {
    let scratch = ctx.cache.scratch()?;
    let checkout = Checkout { ctx, root: scratch.path().join("ukl") };
    repo::copy_tree(&ctx.repo.root, &checkout.root)?;
    record_revision(&checkout.root)?;
    add_level(&checkout.root)?;
    for (name, test) in TESTS {
        let name = part.test(name);
        if tally.wants(&name) {
            tally.check(&name, test(&checkout));
        }
    }
    Ok(())
}

/// Makes the copy a repository of its own: `bench` records the revision of what it measures.
fn record_revision(root: &Path) -> Result<()> {
    let sh = process::shell_in(root)?;
    process::read(cmd!(sh, "git init --quiet"))?;
    process::read(cmd!(sh, "git add --all"))?;
    let author = ["-c", "user.name=ukl", "-c", "user.email=ukl@localhost"];
    process::read(cmd!(sh, "git {author...} commit --quiet --message copy"))?;
    Ok(())
}

/// Writes the level's file into a checkout: the default level's, with an option more.
fn add_level(root: &Path) -> Result<()> {
    let levels = root.join("kernel/levels");
    let default = levels.join(format!("{DEFAULT_LEVEL}.toml"));
    let text = std::fs::read_to_string(&default).with_context(|| format!("reading {}", default.display()))?;
    ensure!(text.contains("[options]"), "{} has no [options] to add to", default.display());
    let new = levels.join(format!("{NAME}.toml"));
    std::fs::write(&new, format!("{}\n{OPTION}\n", text.trim_end()))
        .with_context(|| format!("writing {}", new.display()))
}

impl Checkout<'_> {
    /// Runs this program there, and returns its standard output; it has to succeed.
    fn xtask(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new(std::env::current_exe().context("finding this program")?);
        process::without_cargo(&mut command).args(words).current_dir(&self.root).stdin(Stdio::null());
        command.env("UKL_REPO", &self.root).env("UKL_CACHE", self.ctx.cache.root());
        eprintln!("$ {}", process::display(&command));
        let output = process::die_with_parent(&mut command).stderr(Stdio::inherit()).output();
        let output = output.context("starting this program")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "`{}` ended with {}: {said}", words.join(" "), output.status);
        Ok(said)
    }
}

fn builds(checkout: &Checkout) -> Result<String> {
    checkout.xtask(&["build", "behaviour", "--level", NAME])?;
    Ok(format!("the status of a build of behaviour at {NAME} with 0"))
}

/// Every test that runs unasked at the level, which are those of the suites for every level and for the linked-in ones.
fn tested(checkout: &Checkout) -> Result<String> {
    let filter = format!("{NAME}/");
    let listed = checkout.xtask(&["test", "--list", &filter])?;
    let listed = listed.lines().filter(|line| line.starts_with(&filter)).count();
    let said = checkout.xtask(&["test", &filter])?;
    let passed = said.lines().filter(|line| line.starts_with(&format!("ok   {filter}"))).count();
    ensure!(passed > 100, "{passed} tests passed at {NAME}; more than 100 were expected");
    ensure!(passed == listed, "{passed} tests passed at {NAME}; {listed} are listed");
    Ok(format!("{passed} tests that passed at {NAME} with those that are listed"))
}

fn counted(checkout: &Checkout) -> Result<String> {
    let out = checkout.root.join("out");
    let folder = out.to_string_lossy();
    // With base, at which the ledger of ordinary processes is kept: beside an application with `ret` a page fault costs more.
    checkout.xtask(&["bench", "--app", BENCHMARK, "--levels", &format!("linux,base,{NAME}"), "--out", &folder])?;
    let record = Record::read(&out)?;
    let samples = record.samples.iter().filter(|sample| sample.level == NAME).count();
    ensure!(samples > 0, "no sample of {BENCHMARK} is of level {NAME}");
    let page = out.join("index.html");
    let page = std::fs::read_to_string(&page).with_context(|| format!("reading {}", page.display()))?;
    ensure!(page.contains(NAME), "the page does not show level {NAME}");
    ensure!(!page.contains("not modelled"), "the page takes {NAME} for no level of the checkout");
    Ok(format!("{samples} counts at {NAME} with none, and the page's levels with those of the checkout"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vmtest::suite::When;
    use crate::vmtest::{Filter, SUITES};
    use std::os::unix::fs::symlink;
    use ukl_bench::bench::measure;
    use ukl_repo::config::Level;
    use ukl_repo::repo::Repo;
    use ukl_report::report::Legend;

    /// A checkout with this one's files, as far as the flake's checks have them, and the level beside the others.
    fn checkout(dir: &Path) -> Repo {
        let here = Repo::find().unwrap().root;
        symlink(here.join("apps"), dir.join("apps")).unwrap();
        std::fs::create_dir_all(dir.join("kernel/levels")).unwrap();
        for entry in std::fs::read_dir(here.join("kernel/levels")).unwrap() {
            let from = entry.unwrap().path();
            std::fs::copy(&from, dir.join("kernel/levels").join(from.file_name().unwrap())).unwrap();
        }
        add_level(dir).unwrap();
        Repo { root: dir.to_owned() }
    }

    #[test]
    fn a_new_file_is_all_that_a_new_level_takes() {
        let dir = tempfile::tempdir().unwrap();
        let repo = checkout(dir.path());
        let trial = repo.level(NAME).unwrap();
        assert_eq!(trial.option_names(), "bypass ret");

        // Tested by the suites that run unasked for every linked-in level, and selected by its name.
        let parts: Vec<_> = SUITES.iter().flat_map(|suite| suite.parts(&repo).unwrap()).collect();
        let unasked = parts.iter().filter(|part| part.when == When::Default && part.level.as_ref() == Some(&trial));
        let unasked: Vec<_> = unasked.map(|part| part.prefix.as_str()).collect();
        assert_eq!(unasked, ["trial/smp2/behaviour/", "trial/smp2/hello-rs/", "trial/smp2/echo-rs/"]);
        let filter = Filter::new("trial", parts.iter());
        assert_eq!(filter, Filter::Below("trial/".to_owned()));
        let selected: usize = parts.iter().map(|part| filter.select(part, false).len()).sum();
        assert!(selected > 100, "{selected} tests at the level");

        // Counted when no level is named, behind the level that has the same options.
        let counted = measure::levels(&repo, &repo.app(BENCHMARK).unwrap()).unwrap();
        let counted: Vec<_> = counted.iter().map(|level| level.name.as_str()).collect();
        assert_eq!(counted, ["linux", "base", "ret", "byb", "ret-byb", "trial", "shortcut"]);

        // Drawn in that place, and modelled as what it is: no process.
        let legend = Legend::new(repo.levels().unwrap());
        assert_eq!(legend.rank(NAME), 5);
        assert_eq!(legend.crosses_rings(NAME), Some(false));
    }

    #[test]
    fn every_level_is_tested_unasked() {
        let repo = Repo::find().unwrap();
        let parts: Vec<_> = SUITES.iter().flat_map(|suite| suite.parts(&repo).unwrap()).collect();
        let tested = |level: &Level| {
            parts
                .iter()
                .any(|part| part.when == When::Default && part.level.as_ref() == Some(level) && !part.names.is_empty())
        };
        for level in repo.levels().unwrap() {
            assert!(tested(&level), "no suite that runs unasked has level {}", level.name);
        }
    }
}
