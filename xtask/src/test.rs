//! Every test of the repository: the host's unit and snapshot tests, then the suites that need a machine.

pub(crate) mod units;

use anyhow::Result;
use ukl_host::interrupt;
use ukl_machines::suites;
use ukl_nix::nix;
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::Repo;
use ukl_sources::doctor;
use ukl_supply::reproduce;
use ukl_vmtest::vmtest::{Filter, Part, SUITES, Suite, Tally};

/// Options of `test`.
#[derive(clap::Args)]
#[command(after_help = groups())]
pub(crate) struct Args {
    /// Only tests whose names contain this, such as `fork`; or begin with it, such as `byb/smp2`; or all of a suite or an
    /// application, such as `redis`.
    #[arg(default_value = "")]
    filter: String,
    /// Unit tests, and machines at level byb with one CPU only; of the flake, what needs no kernel built in the sandbox.
    #[arg(long)]
    quick: bool,
    /// Print the name of each test that FILTER asks for instead of running it, without building or booting; without FILTER of
    /// every test there is, those that run only when asked for included.
    #[arg(long)]
    list: bool,
}

/// Every suite, in the order in which they run.
fn all_suites() -> impl Iterator<Item = &'static Suite> {
    SUITES.iter().copied().chain(suites::SUITES.iter().copied()).chain([
        &ukl_selftests::SUITE,
        &nix::test::SUITE,
        &reproduce::SUITE,
    ])
}

/// What `--help` says of the suites.
fn groups() -> String {
    let line = |name: &str, summary: &str| format!("  {name:<26}{summary}\n");
    let lines = |unasked: bool| {
        let suites = all_suites().filter(|suite| suite.runs_unasked() == unasked);
        suites.map(|suite| line(&suite.pattern(), suite.summary)).collect::<String>()
    };
    let unit = line("unit/", "functions of the programs of this workspace");
    format!("Names begin with:\n{unit}{}Only when FILTER begins like this:\n{}", lines(true), lines(false).trim_end())
}

/// Every test of a checkout: the unit tests first.
pub(crate) fn parts(repo: &Repo) -> Result<Vec<(Option<&'static Suite>, Part)>> {
    let mut parts = vec![(None, units::part(repo)?)];
    for suite in all_suites() {
        parts.extend(suite.parts(repo)?.into_iter().map(|part| (Some(suite), part)));
    }
    Ok(parts)
}

/// Runs `test`: a line per test and the sum at the end.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<()> {
    let parts = parts(&ctx.repo)?;
    let filter = Filter::new(&args.filter, parts.iter().map(|(_, part)| part));
    filter.check(&args.filter, parts.iter().map(|(_, part)| part), args.quick)?;
    if args.list {
        list(&filter, &args, parts.iter().map(|(_, part)| part));
        return Ok(());
    }
    doctor::prepare(ctx)?;
    let mut tally = Tally::default();
    for (suite, part) in &parts {
        let wanted = filter.select(part, args.quick);
        if wanted.is_empty() || interrupt::requested() {
            continue;
        }
        tally.begin(part, &wanted);
        let outcome = match suite {
            // Before Ctrl-C is caught: cargo ends with it by itself.
            None => units::run(ctx, &mut tally),
            Some(suite) => {
                interrupt::catch();
                (suite.run)(ctx, part, &mut tally)
            }
        };
        if let Err(error) = outcome {
            tally.broke(&part.prefix, &error);
        }
        tally.end();
    }
    anyhow::ensure!(!interrupt::requested(), "interrupted after {} tests", tally.passed + tally.failed);
    println!("{} passed, {} failed", tally.passed, tally.failed);
    anyhow::ensure!(tally.failed == 0, "{} tests failed", tally.failed);
    Ok(())
}

/// Prints the names of what would run; without a filter of all there is.
fn list<'a>(filter: &Filter, args: &Args, parts: impl Iterator<Item = &'a Part>) {
    for part in parts {
        let everything = *filter == Filter::Everything && !args.quick;
        let names = if everything { part.names.clone() } else { filter.select(part, args.quick) };
        names.iter().for_each(|name| println!("{name}"));
    }
}
