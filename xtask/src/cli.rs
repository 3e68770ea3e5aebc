//! The command line: the general options and one variant per subcommand.

use crate::{clean, test};
use anyhow::Result;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use ukl_app::{build, image, new, toolchain};
use ukl_audit::audit;
use ukl_bench::{bench, profile};
use ukl_guest::part;
use ukl_kernel::{compatibility, configure};
use ukl_machines::boot;
use ukl_nix::nix;
use ukl_repo::ctx::{Ctx, Install};
use ukl_report::report;
use ukl_run::{debug, run};
use ukl_sources::{doctor, fetch};
use ukl_stress::{fuzz, soak};
use ukl_supply::{pins, reproduce, sbom};

/// Unikernel Linux: link an application into the Linux kernel, boot it, test it, measure it.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 120)]
struct Cli {
    /// Never install anything: name what is missing and the command that installs it, then stop.
    #[arg(long, global = true)]
    no_install: bool,
    /// How many compilers, or machines that count, run at once [default: one per CPU].
    #[arg(long, short, global = true, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build what is missing, boot an application, wait until it is ready, and say where it listens.
    Run(run::Args),
    /// Build the image of an application at a level and say where it is.
    Build(build::Args),
    /// The compiler for programs of your own, ready for make, autoconf, CMake and meson: prints how to use it.
    Toolchain(toolchain::Args),
    /// Make a folder in apps/ with a small program that works at once: `new c NAME`, `new rust NAME`.
    New(new::Args),
    /// Run every test, or those whose names contain FILTER; ends with `N passed, N failed`.
    Test(test::Args),
    /// Debian with systemd, logins, cron and two servers under load for some minutes: is everything right at the end?
    Soak(soak::Args),
    /// Random system calls at every level, compared with what an ordinary process gets from Linux.
    Fuzz(fuzz::Args),
    /// What each level costs: instruction counts, and for servers throughput and latency.
    Bench(bench::Args),
    /// Boot an application in a machine that waits for gdb, and start gdb with the symbols of application and kernel.
    Debug(debug::Args),
    /// Sample a server under load and draw where its time goes, application and kernel in one flame graph.
    Profile(profile::Args),
    /// Render the page of a folder that `bench --out` has written once more.
    Report(report::Args),
    /// May this object be linked into the kernel? Each reason against it with symbol, place and remedy.
    Audit(audit::Args),
    /// What this machine has and lacks, and the command that mends it.
    Doctor(doctor::Args),
    /// Get the pinned source tarballs into the cache, and the crates of applications in Rust into that of cargo.
    Fetch(fetch::Args),
    /// What is pinned and what Debian has by now; `pins update` moves a pin.
    Pins(pins::Args),
    /// What an image consists of, with versions, hashes and licences: an SPDX document.
    Sbom(sbom::Args),
    /// Produce the complete, checked kernel configuration.
    Configure(configure::Args),
    /// Link an application into the kernel that is built already.
    Link(image::Args),
    /// Build one part of an image into a folder, for build systems that keep parts themselves.
    Part(part::Args),
    /// Build an image a second time elsewhere and compare every byte, or all images with docs/manifest.toml.
    Reproduce(reproduce::Args),
    /// Run a Nix that is made beside the system, on the flake without its inputs.
    Nix(nix::Args),
    /// Boot an image that is built already.
    Boot(boot::Args),
    /// Compare the table of system calls in docs/compatibility.md with the built kernel.
    Compatibility(compatibility::Args),
    /// Remove what was built, and what was downloaded if asked.
    Clean(clean::Args),
}

impl Command {
    /// Whether the command needs compilers and the virtual machine; `run` looks at its ports before it installs anything,
    /// and `test` at its filter.
    fn builds_or_boots(&self) -> bool {
        use Command::{Bench, Boot, Build, Compatibility, Configure, Fuzz, Link, Part, Reproduce, Soak};
        match self {
            Build(_) | Compatibility(_) | Configure(_) | Fuzz(_) | Link(_) | Part(_) | Reproduce(_) | Soak(_)
            | Boot(_) => true,
            Bench(args) => !args.only_this_host(),
            _ => false,
        }
    }
}

/// Parses the command line and runs what it asks for; a usage error ends the process with status 2.
pub(crate) fn main() -> Result<()> {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let install = if cli.no_install { Install::Never } else { Install::Auto };
    let ctx = Ctx::new(install, cli.jobs.map(usize::from))?;
    if let Some((command, arguments)) = matches.subcommand() {
        check_names(&ctx, command, arguments)?;
    }
    if cli.command.builds_or_boots() {
        doctor::prepare(&ctx)?;
    }
    match cli.command {
        Command::Run(args) => run::run(&ctx, args),
        Command::Build(args) => build::run(&ctx, args),
        Command::Toolchain(args) => toolchain::run(&ctx, args),
        Command::New(args) => new::run(&ctx, args),
        Command::Soak(args) => soak::run(&ctx, args),
        Command::Fuzz(args) => fuzz::run(&ctx, args),
        Command::Test(args) => test::run(&ctx, args),
        Command::Bench(args) => bench::run(&ctx, args),
        Command::Debug(args) => debug::run(&ctx, args),
        Command::Profile(args) => profile::run(&ctx, args),
        Command::Report(args) => report::run(&ctx, args),
        Command::Audit(args) => audit::run(&ctx, args),
        Command::Doctor(args) => doctor::run(&ctx, args),
        Command::Fetch(args) => fetch::run(&ctx, args),
        Command::Pins(args) => pins::run(&ctx, args),
        Command::Sbom(args) => sbom::run(&ctx, args),
        Command::Configure(args) => configure::run(&ctx, args),
        Command::Link(args) => image::run(&ctx, args),
        Command::Part(args) => part::run(&ctx, args),
        Command::Reproduce(args) => reproduce::run(&ctx, args),
        Command::Nix(args) => nix::run(&ctx, args),
        Command::Boot(args) => boot::run(&ctx, args),
        Command::Compatibility(args) => compatibility::run(&ctx, args),
        Command::Clean(args) => clean::run(&ctx, args),
    }
}

/// Looks up what the command names before anything is installed or built for it.
fn check_names(ctx: &Ctx, command: &str, arguments: &ArgMatches) -> Result<()> {
    let named = |id| arguments.try_get_many::<String>(id).ok().flatten().into_iter().flatten();
    let is_path = |name: &str| command == "run" && run::is_path(ctx, name);
    named("app").filter(|name| !is_path(name)).try_for_each(|name| ctx.repo.app(name).map(drop))?;
    ["level", "levels"].into_iter().flat_map(named).try_for_each(|name| ctx.repo.level(name).map(drop))
}

/// The names of the subcommands, for the check that the documents name no others.
#[cfg(test)]
pub(crate) fn subcommands() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The environment variable with which the test of the page writes it instead.
    const WRITE: &str = "UKL_WRITE_DOCS";

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_page_of_commands_is_that_of_the_program() {
        let path = ukl_repo::repo::Repo::find().unwrap().root.join("docs/commands.md");
        let options = clap_markdown::MarkdownOptions::new()
            .title("Commands".to_owned())
            .show_footer(false)
            .show_table_of_contents(false);
        let page = clap_markdown::help_markdown_command_custom(&Cli::command(), &options);
        let page = page.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n";
        if std::env::var_os(WRITE).is_some() {
            fs_err::write(&path, &page).unwrap();
        }
        let written = fs_err::read_to_string(&path).unwrap_or_default();
        assert!(
            written == page,
            "docs/commands.md is not what the program says of itself; write it with \
             `{WRITE}=1 cargo test --package xtask the_page_of_commands`"
        );
    }
}
