//! `cargo xtask pins`: what is pinned, what Debian has by now, and moving a pin to it.

mod file;
pub mod listing;

use anyhow::{Context, Result, ensure};
use listing::{Choice, Offer};
use std::collections::BTreeSet;
use std::process::Command;
use ukl_host::columns;
use ukl_host::failure::Failure;
use ukl_host::process;
use ukl_repo::config::Source;
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::Pin;
use ukl_sources::apt::PrivateApt;
use ukl_sources::fetch;
use xshell::{Shell, cmd};

/// Options of `pins`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Move a pin to the newest version in its suites: its tarball is fetched and checked first, then its file is rewritten.
    Update(Update),
}

#[derive(clap::Args)]
struct Update {
    /// Debian's name of the source package; every pin if none is named.
    package: Option<String>,
    /// That upstream version instead of the newest; an older one, too.
    #[arg(long, requires = "package")]
    to: Option<String>,
    /// Only say what would be done.
    #[arg(long)]
    dry_run: bool,
}

/// Runs `pins`: a table of all, or moves some.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    let pins = ctx.repo.pins()?;
    let Some(Action::Update(update)) = args.action else {
        let offers = offers(ctx, &pins.iter().collect::<Vec<_>>())?;
        print!("{}", table(ctx, &pins, &offers)?);
        return Ok(());
    };
    let chosen: Vec<&Pin> = pins
        .iter()
        .filter(|pin| update.package.as_ref().is_none_or(|package| *package == pin.source.package))
        .collect();
    if chosen.is_empty() {
        let names: BTreeSet<_> = pins.iter().map(|pin| pin.source.package.as_str()).collect();
        return Err(Failure::usage(
            format!("no file pins a source package `{}`", update.package.unwrap_or_default()),
            format!("use one of: {}", names.into_iter().collect::<Vec<_>>().join(", ")),
        ));
    }
    let offers = offers(ctx, &chosen)?;
    let mut moved = 0;
    for pin in chosen {
        let name = pin.file.strip_prefix(&ctx.repo.root).unwrap_or(&pin.file).display();
        let offer = match &update.to {
            Some(version) => Choice::Move(wanted(&offers, &pin.source, version)?),
            None => listing::choose(&offers, &pin.source, newer)?,
        };
        let (file, suites) = (&pin.source.file, pin.source.suites.join(", "));
        let offer = match offer {
            Choice::Move(offer) if offer.file != *file => offer,
            Choice::Move(_) => {
                println!("{name}: {file} is that version");
                continue;
            }
            Choice::Newest => {
                println!("{name}: {file} stays, nothing newer is in {suites}");
                continue;
            }
            Choice::Gone => {
                println!(
                    "{name}: {file} stays, {suites} has no {} any more; name another suite in `suites`",
                    pin.source.package
                );
                continue;
            }
        };
        println!("{name}: {} -> {}", pin.source.file, offer.file);
        if update.dry_run {
            continue;
        }
        let source = Source { file: offer.file.clone(), sha256: offer.sha256.clone(), ..pin.source.clone() };
        source.validate()?;
        // The old pin stays until the new tarball is there.
        fetch::fetch(ctx, &source)?;
        file::rewrite(&pin.file, &source)?;
        moved += 1;
    }
    if moved > 0 {
        println!(
            "read what upstream and `debian/copyright` say about {}, then `cargo xtask configure` (do the patches apply?), \
             `cargo xtask test`, and `cargo xtask reproduce --manifest --write`",
            if moved == 1 { "it" } else { "them" }
        );
    }
    Ok(())
}

/// What Debian has of the packages of these pins, in all suites that one of them names.
fn offers(ctx: &Ctx, pins: &[&Pin]) -> Result<Vec<Offer>> {
    let suites: BTreeSet<_> = pins.iter().flat_map(|pin| &pin.source.suites).cloned().collect();
    let scratch = ctx.cache.scratch()?;
    let sh = Shell::new()?;
    let mut offers = Vec::new();
    // One suite at a time: a stanza of `showsrc` does not say whose it is.
    for suite in suites {
        let dir = scratch.path().join(&suite);
        fs_err::create_dir(&dir)?;
        let apt = PrivateApt::new(&dir, "deb-src", std::slice::from_ref(&suite))?;
        let packages: BTreeSet<_> =
            pins.iter().filter(|pin| pin.source.suites.contains(&suite)).map(|pin| &pin.source.package).collect();
        let stanzas = process::read(apt.told(cmd!(sh, "apt-cache showsrc --only-source {packages...}")))?;
        offers.extend(listing::parse(&stanzas, &suite)?);
    }
    Ok(offers)
}

/// The offer of an upstream version that was asked for by name.
fn wanted<'a>(offers: &'a [Offer], source: &Source, version: &str) -> Result<&'a Offer> {
    let of_package = offers.iter().filter(|offer| offer.is_of(source));
    if let Some(offer) = of_package.clone().find(|offer| offer.upstream == version) {
        return Ok(offer);
    }
    let there: BTreeSet<_> = of_package.map(|offer| format!("{} ({})", offer.upstream, offer.suite)).collect();
    let there: Vec<_> = there.into_iter().collect();
    Err(Failure::usage(
        format!("{} has no {} {version}", source.suites.join(", "), source.package),
        format!("there is: {}; other suites go into `suites` of the pin", there.join(", ")),
    ))
}

/// Whether Debian counts the first version as newer.
fn newer(one: &str, other: &str) -> Result<bool> {
    let sh = Shell::new()?;
    let mut dpkg = Command::from(cmd!(sh, "dpkg --compare-versions {one} gt {other}"));
    let status = process::die_with_parent(&mut dpkg).status().context("starting dpkg")?;
    ensure!(matches!(status.code(), Some(0 | 1)), "dpkg cannot compare the versions {one} and {other}");
    Ok(status.success())
}

fn table(ctx: &Ctx, pins: &[Pin], offers: &[Offer]) -> Result<String> {
    let mut lines = vec![["file", "package", "pinned", "newest", "suites", "licence"].map(str::to_owned).to_vec()];
    for Pin { file, source } in pins {
        let newest = match listing::choose(offers, source, newer)? {
            Choice::Move(offer) => offer.upstream.clone(),
            Choice::Newest => "the same".to_owned(),
            Choice::Gone => "none".to_owned(),
        };
        let file = file.strip_prefix(&ctx.repo.root).unwrap_or(file).display().to_string();
        let (package, version) = (source.package.clone(), source.version().to_owned());
        lines.push(vec![file, package, version, newest, source.suites.join(", "), source.license.clone()]);
    }
    Ok(columns::aligned(&lines, 6))
}
