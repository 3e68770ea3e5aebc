//! Redis on many processor models, under QEMU's own emulation: `machines/cpus.toml` lists them.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use ukl_host::process;
use ukl_repo::config;
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::Repo;
use ukl_run::resp::Client;
use ukl_run::run::{self, READY_DEADLINE};
use ukl_run::smoke;
use ukl_vm::net::{self, Forward};
use ukl_vm::qemu::{self, Accelerator};
use ukl_vm::vm::Vm;
use ukl_vmtest::vmtest::server::{self, ANSWER_DEADLINE};
use ukl_vmtest::vmtest::suite::{Apps, Machines, Quick, When, words};
use ukl_vmtest::vmtest::{Part, Suite, Tally};
use xshell::{Shell, cmd};

/// Below the top folder.
const SETTINGS: &str = "machines/cpus.toml";
/// How often each command is sent.
const ROUNDS: i64 = 200;

/// `machines/cpus.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    machine: Vec<Entry>,
}

/// A processor, and what runs on it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    /// The value of QEMU's `-cpu`.
    processor: String,
    level: String,
    #[serde(default = "one")]
    cpus: u32,
    /// Words for the kernel's command line.
    #[serde(default)]
    append: Vec<String>,
}

fn one() -> u32 {
    1
}

impl Settings {
    fn read(repo: &Repo) -> Result<Vec<Entry>> {
        config::load(&repo.root.join(SETTINGS), |settings: Settings| {
            let mut names = BTreeSet::new();
            for entry in &settings.machine {
                ensure!(names.insert(&entry.name), "two machines are called `{}`", entry.name);
                repo.level(&entry.level)?;
            }
            Ok(settings.machine)
        })
    }
}

pub(super) const SUITE: Suite = Suite {
    name: "cpus",
    summary: "Redis on many processor models, with and without features and mitigations",
    prefix: "cpus/{app}/",
    apps: Apps::Found(|repo| Ok(Settings::read(repo)?.into_iter().map(|entry| entry.name).collect())),
    machines: &[Machines { levels: None, cpus: 1, when: When::Asked }],
    quick: Quick::Nothing,
    tests: |_, _| Ok(words(&["privilege", "requests", "bgsave", "kernel-is-quiet"])),
    run,
};

fn run(ctx: &Ctx, part: &Part, tally: &mut Tally) -> Result<()> {
    let entries = Settings::read(&ctx.repo)?;
    let entry = entries.into_iter().find(|entry| entry.name == part.app).context("a machine of that name")?;
    if !is_known(&entry.processor)? {
        let reason = format!("this machine's QEMU does not know the model {}", entry.processor);
        part.names.iter().for_each(|name| tally.skip(name, &reason));
        return Ok(());
    }
    let (app, level) = (ctx.repo.app("redis")?, ctx.repo.level(&entry.level)?);
    let mut plan = run::plan(ctx, &app, &level, None)?;
    (plan.name, plan.cpus) = (part.machine_name(), entry.cpus);
    (plan.accelerator, plan.processor) = (Some(Accelerator::Tcg), Some(entry.processor));
    plan.append.extend(entry.append);
    let port = net::free_port()?;
    plan.forwards = vec![Forward { host: port, guest: *app.guest.ports.first().context("Redis has a port")? }];
    let mut vm = Vm::boot(ctx, &plan)?;
    vm.wait_ready(READY_DEADLINE)?;
    tally.check(&part.test("privilege"), server::privilege(&level, &vm));
    tally.check(&part.test("requests"), requests(port));
    tally.check(&part.test("bgsave"), background_save(port));
    tally.kernel_is_quiet(&part.prefix, &mut vm);
    vm.stop().context("stopping the machine")
}

/// Whether this machine's QEMU has the model.
fn is_known(processor: &str) -> Result<bool> {
    let (sh, program) = (Shell::new()?, qemu::PROGRAM);
    Ok(has_model(&process::read(cmd!(sh, "{program} -cpu help"))?, processor))
}

/// Whether a list of models, `x86 NAME  description` a line each, has that of a `-cpu`.
fn has_model(listing: &str, processor: &str) -> bool {
    let model = processor.split(',').next().unwrap_or_default();
    let mut names = listing.lines().filter_map(|line| line.trim().strip_prefix("x86 ")?.split_whitespace().next());
    names.any(|name| name == model)
}

/// Each answer with what it has to be.
fn requests(port: u16) -> Result<String> {
    smoke::wait_loaded(port)?;
    let mut client = Client::connect(port, ANSWER_DEADLINE)?;
    let mut expect = |line: &str, expected: &str| {
        let answer = client.text(line)?.to_string();
        ensure!(answer == expected, "`{line}` was answered {answer:?}; {expected:?} was expected");
        Ok::<_, anyhow::Error>(())
    };
    for round in 1..=ROUNDS {
        expect("INCR counter", &round.to_string())?;
        expect(&format!("SET key:{round} value:{round}"), "OK")?;
        expect(&format!("GET key:{round}"), &format!("value:{round}"))?;
    }
    Ok(format!("the answers to {ROUNDS} INCR, SET and GET each with what they have to be"))
}

/// A fork that writes the data set.
fn background_save(port: u16) -> Result<String> {
    let mut client = Client::connect(port, ANSWER_DEADLINE)?;
    let start = Instant::now();
    let mut idle = |mark: &str| loop {
        let said = client.text("INFO persistence")?.to_string();
        if said.contains("rdb_bgsave_in_progress:0") && said.contains("aof_rewrite_in_progress:0") {
            break Ok::<_, anyhow::Error>(said);
        }
        ensure!(start.elapsed() < ANSWER_DEADLINE, "{mark} the save something is still written: {said}");
        std::thread::sleep(Duration::from_millis(50));
    };
    idle("before")?;
    let answer = Client::connect(port, ANSWER_DEADLINE)?.text("BGSAVE")?.to_string();
    ensure!(answer == "Background saving started", "BGSAVE was answered {answer:?}");
    let said = idle("after")?;
    ensure!(said.contains("rdb_last_bgsave_status:ok"), "the save failed: {said}");
    ensure!(said.contains("rdb_saves:") && !said.contains("rdb_saves:0\r"), "no save was counted: {said}");
    Ok("the forked child's status with ok, and the count of saves with at least 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_known_by_its_whole_name() {
        let listing =
            "Available CPUs:\nx86 EPYC-Rome             (alias configured by machine type)\nx86 max   Enables all\n";
        assert!(has_model(listing, "EPYC-Rome") && has_model(listing, "max,-smap"));
        assert!(!has_model(listing, "EPYC") && !has_model(listing, "Available"));
    }

    #[test]
    fn the_matrix_of_the_repository_is_valid() {
        let repo = Repo::find().unwrap();
        let entries = Settings::read(&repo).unwrap();
        assert!(entries.iter().any(|entry| entry.cpus > 1) && entries.iter().any(|entry| !entry.append.is_empty()));
    }
}
