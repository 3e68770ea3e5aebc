//! An application that is several machines, one a party, with a cable between any two.

use super::follow;
use crate::config::{App, Level, Parties};
use crate::ctx::Ctx;
use crate::failure::Failure;
use crate::vm::console::Event;
use crate::vm::{Plan, Vm, interrupt};
use crate::{net, run};
use anyhow::{Result, ensure};
use std::time::Duration;

/// How often the consoles are looked at.
const PERIOD: Duration = Duration::from_millis(50);
/// How long a machine may take to stop after its party has ended.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// What the application says of its parties, which must be as many as were asked for.
pub fn of(app: &App, asked: u32) -> Result<&Parties> {
    match &app.parties {
        Some(parties) if parties.count == asked => Ok(parties),
        Some(parties) => Err(Failure::usage(
            format!("application `{}` is {} parties, not {asked}", app.name, parties.count),
            format!("`cargo xtask run {} --parties {}`", app.name, parties.count),
        )),
        None => Err(Failure::usage(
            format!("application `{}` is one program on one machine", app.title()),
            "leave `--parties` out, or add a section [parties] to its app.toml; `secrecy` has one",
        )),
    }
}

/// The arguments of every party; `{id}` is filled in by each machine. `request` is what follows those of the manifest.
pub fn arguments(parties: &Parties, request: &[String]) -> Vec<String> {
    let peers = (0..parties.count).map(|party| format!("{}:{}", address(party), parties.port)).collect::<Vec<_>>();
    let first = parties.args.iter().map(|word| word.replace("{peers}", &peers.join(",")));
    first.chain(request.iter().cloned()).collect()
}

/// Where a party is; `guest/init` says the same.
fn address(party: u32) -> String {
    format!("10.7.0.{}", party + 1)
}

/// One plan for each of the parties; everything that is missing is built.
pub fn plans(ctx: &Ctx, app: &App, level: &Level, parties: &Parties, request: &[String]) -> Result<Vec<Plan>> {
    let plan = run::plan(ctx, app, level, Some(&arguments(parties, request)))?;
    let ends = net::cables(parties.count)?;
    let of_party = |(party, cables)| {
        let mut plan = Plan { name: format!("{}-party-{party}", plan.name), cables, ..plan.clone() };
        plan.append.extend([format!("UKL_PARTY={party}"), format!("UKL_PARTIES={}", parties.count)]);
        plan
    };
    Ok(ends.into_iter().enumerate().map(of_party).collect())
}

/// Boots all, prints what each party printed when it has ended, and fails when one of them did.
pub fn run(ctx: &Ctx, app: &App, level: &Level, plans: Vec<Plan>) -> Result<()> {
    interrupt::catch();
    let mut machines = plans.iter().map(|plan| Vm::boot(ctx, plan)).collect::<Result<Vec<_>>>()?;
    // The machines have their ends now; without ours, a machine that ends is one whose cables are pulled.
    drop(plans);
    eprintln!("booting {} parties of {} at level {}", machines.len(), app.name, level.name);
    let mut statuses = vec![None; machines.len()];
    while statuses.contains(&None) {
        for (party, vm) in
            machines.iter_mut().enumerate().filter(|(party, _)| statuses[*party].is_none()).collect::<Vec<_>>()
        {
            let ended = vm.ended()?;
            vm.poll()?;
            if let Some(line) = vm.trouble() {
                return Err(vm.failure(format!("the kernel of party {party} is in trouble: {line}")));
            }
            if let Some(status) = run::exit_status(vm) {
                for line in follow::printed(&std::fs::read(&vm.log)?).lines() {
                    println!("party {party}: {line}");
                }
                statuses[party] = Some(status);
            } else if let Some(status) = ended {
                return Err(vm.failure(format!("the machine of party {party} ended early: {}", vm.ending(status))));
            }
        }
        if interrupt::requested() {
            return Err(Failure::ended(130, format!("{} was interrupted", app.name), "run the same command again"));
        }
        std::thread::sleep(PERIOD);
    }
    for vm in &mut machines {
        vm.wait_end(STOP_DEADLINE)?;
    }
    for (party, (vm, status)) in machines.iter().zip(statuses).enumerate() {
        if let Some(line) = vm.trouble() {
            return Err(vm.failure(format!("the kernel of party {party} is in trouble: {line}")));
        }
        let level_said = vm.events.iter().any(|event| matches!(event, Event::Banner(_)));
        ensure!(level_said || level.name == "linux", "party {party} did not say that it runs in the kernel");
        if let Some(status) = status.filter(|status| *status != 0) {
            return Err(Failure::ended(
                u8::try_from(status).unwrap_or(1),
                format!("party {party} of {} ended with status {status}", app.name),
                format!("the status is the application's own; the machine's console is in {}", vm.log.display()),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_is_told_where_all_are() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let parties =
            Parties { count: 3, port: 7100, args: words(&["--id", "{id}", "--peers", "{peers}"]), request: vec![] };
        insta::assert_snapshot!(
            arguments(&parties, &words(&["--rows", "9"])).join(" "),
            @"--id {id} --peers 10.7.0.1:7100,10.7.0.2:7100,10.7.0.3:7100 --rows 9"
        );
    }
}
