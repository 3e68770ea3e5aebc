//! Programs of others: built as they always are, run at a level, tested by their own tests or a real client.

use super::server::{ANSWER_DEADLINE, privilege};
use super::suite::{Apps, Machines, Part, Quick, Suite, When, words};
use super::tally::Tally;
use anyhow::{Context, Result, ensure};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use ukl_app::packages;
use ukl_audit::program;
use ukl_guest::initramfs::{self, ExtraFile};
use ukl_host::interrupt;
use ukl_repo::config::{App, Check, KernelFlavour, Level, Levels, Package, PackageProgram};
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::Repo;
use ukl_run::run::{self, READY_DEADLINE};
use ukl_vm::net::{self, Forward};
use ukl_vm::vm::Vm;
use ukl_vm::vm::protocol::BootWord;
use ukl_vm::vm::shell::Shell;

/// For one check under emulation.
const CHECK_DEADLINE: Duration = Duration::from_secs(180);

/// Builds programs of others, so only when asked for: at the default level, or at one that the filter names
/// (`packages/xz/linux`).
pub(super) const SUITE: Suite = Suite {
    name: "packages",
    summary: "xz, CivetWeb and others from Debian's sources, tested by their own tests or a real client",
    prefix: "packages/{app}/{level}/",
    apps: Apps::Found(with_packages),
    machines: &[
        Machines { levels: Some(Levels::Default), cpus: 1, when: When::Asked },
        Machines { levels: Some(Levels::OthersThanDefault), cpus: 1, when: When::Named },
    ],
    quick: Quick::Smallest,
    tests,
    run,
};

/// None in the part of a checkout that the flake's checks have.
fn with_packages(repo: &Repo) -> Result<Vec<String>> {
    let packages = if repo.root.join("apps/packages").is_dir() { repo.packages()? } else { vec![] };
    Ok(packages.into_iter().map(|package| package.name).collect())
}

fn package(repo: &Repo, name: &str) -> Result<Package> {
    let found = repo.packages()?.into_iter().find(|package| package.name == name);
    found.with_context(|| format!("packages/{name}.toml does not exist"))
}

fn tests(repo: &Repo, part: &Part) -> Result<Vec<String>> {
    let mut names = words(&["build"]);
    for tested in package(repo, &part.app)?.programs {
        let name = program::name_of(&tested.path);
        names.push(if tested.ports.is_empty() { kind_test(&name) } else { "privilege".to_owned() });
        names.extend(tested.check.iter().map(|check| check.name.clone()));
        names.push(format!("{name}-kernel-is-quiet"));
    }
    Ok(names)
}

fn kind_test(program: &str) -> String {
    format!("{program}-is-as-its-level-says")
}

fn run(ctx: &Ctx, part: &Part, tally: &mut Tally) -> Result<()> {
    let package = package(&ctx.repo, &part.app)?;
    let tree = packages::build(ctx, &package).context("its own build")?;
    let what = format!("the status of its own build with 0 ({})", package.summary);
    tally.add(&part.test("build"), true, &what);
    for program in &package.programs {
        if let Err(error) = boot_and_run(ctx, (&package, program), &tree, part, tally) {
            tally.broke(&part.prefix, &error);
        }
    }
    Ok(())
}

fn boot_and_run(
    ctx: &Ctx,
    (package, tested): (&Package, &PackageProgram),
    tree: &Path,
    part: &Part,
    tally: &mut Tally,
) -> Result<()> {
    let (level, prefix) = (part.level()?, part.prefix.as_str());
    let options = program::Options { ports: tested.ports.clone(), ..program::Options::default() };
    let app = program::app(&tree.join(&tested.path), options)?;
    let mut plan = run::plan_with(ctx, &app, level, Some(&tested.args), &files(tested, tree)?)?;
    plan.name = format!("test-package-{}-{}", package.name, level.name);
    (plan.cpus, plan.memory_mib) = (tested.cpus, tested.memory_mib);
    let port = net::free_port()?;
    match tested.ports.first() {
        Some(&guest) => plan.forwards = vec![Forward { host: port, guest }],
        None => plan.tell(BootWord::Idle),
    }
    let mut vm = Vm::boot(ctx, &plan)?;
    vm.wait_ready(READY_DEADLINE)?;
    let mut shell = vm.shell()?;
    match tested.ports.is_empty() {
        false => tally.check(&format!("{prefix}privilege"), privilege(level, &vm)),
        true => tally.check(&part.test(&kind_test(&app.name)), kind(&app, level, &mut shell)),
    }
    let scratch = ctx.cache.scratch()?;
    for check in &tested.check {
        ensure!(!interrupt::requested(), "interrupted");
        tally.check(&format!("{prefix}{}", check.name), succeeds(check, tree, scratch.path(), port, &mut shell));
    }
    tally.kernel_is_quiet(&format!("{prefix}{}-", app.name), &mut vm);
    vm.stop().context("stopping the machine")
}

/// What lies under the name of a program that the checks start: a stub of one that is linked in, or a process's file.
fn kind(app: &App, level: &Level, shell: &mut Shell) -> Result<String> {
    let expected = match level.kernel {
        KernelFlavour::Ukl => initramfs::stub(&app.name),
        KernelFlavour::Vanilla => "\u{7f}ELF".to_owned(),
    };
    let (expected, place) = (expected.trim_end(), format!("/usr/bin/{}", app.program_name()?));
    let output = shell.run(&format!("head -c {} {place}", expected.len()), ANSWER_DEADLINE)?;
    ensure!(output.text == expected, "{place} begins with {:?}; {expected:?} was expected", output.text);
    Ok(format!("the beginning of {place} with {expected:?}"))
}

/// What the guest gets beside the program.
fn files(tested: &PackageProgram, tree: &Path) -> Result<Vec<ExtraFile>> {
    let mut files = Vec::new();
    for (target, path) in &tested.files {
        for (file, below) in packages::files_below(&tree.join(path))? {
            let content = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
            let executable = file.metadata()?.permissions().mode() & 0o100 != 0;
            let target = Path::new(target).join(below).to_string_lossy().trim_end_matches('/').to_owned();
            files.push(ExtraFile { target, permissions: if executable { 0o755 } else { 0o644 }, content });
        }
    }
    let texts = tested.texts.iter();
    files.extend(texts.map(|(target, text)| ExtraFile {
        target: target.clone(),
        permissions: 0o644,
        content: text.trim_start_matches('\n').as_bytes().to_vec(),
    }));
    Ok(files)
}

/// Runs the command of a check, on the host or in the guest.
fn succeeds(check: &Check, tree: &Path, scratch: &Path, port: u16, shell: &mut Shell) -> Result<String> {
    let (line, status, said) = match (&check.host, &check.guest) {
        (Some(line), _) => {
            let mut command = Command::new("timeout");
            command.arg(CHECK_DEADLINE.as_secs().to_string()).args(["sh", "-c", line]);
            command.env("PORT", port.to_string()).env("TREE", tree).current_dir(scratch);
            let output = ukl_host::process::die_with_parent(&mut command).output().context("starting a shell")?;
            let said = [output.stdout, output.stderr].concat();
            (line, output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).trim().to_owned())
        }
        (None, Some(line)) => {
            let output = shell.run(line, CHECK_DEADLINE.max(ANSWER_DEADLINE))?;
            (line, output.status, output.text)
        }
        (None, None) => anyhow::bail!("check `{}` has no command", check.name),
    };
    ensure!(status == 0, "`{}` ended with status {status}: {said}", line.trim());
    Ok(format!("the status of `{}` with 0", line.trim().replace('\n', "; ")))
}
