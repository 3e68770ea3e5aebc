//! An application that is several machines, one a party, with a cable between any two.

use crate::run;
use crate::run::follow::STOP_DEADLINE;
use crate::run::output::Output;
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};
use ukl_host::failure::Failure;
use ukl_host::interrupt;
use ukl_repo::config::{App, Level, Parties};
use ukl_repo::ctx::Ctx;
use ukl_vm::net;
use ukl_vm::vm::console::Said;
use ukl_vm::vm::protocol::{BootWord, Mark};
use ukl_vm::vm::{Event, Plan, Vm};

/// How often the consoles are looked at.
const PERIOD: Duration = Duration::from_millis(50);

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
        plan.tell(BootWord::Party(party));
        plan.tell(BootWord::Parties(parties.count));
        plan
    };
    Ok((0..).zip(ends).map(of_party).collect())
}

/// Boots all, prints what each party printed when it has ended, and fails when one of them did.
pub fn run(ctx: &Ctx, app: &App, level: &Level, plans: Vec<Plan>) -> Result<()> {
    interrupt::catch();
    let mut machines = plans.iter().map(|plan| Vm::boot(ctx, plan)).collect::<Result<Vec<_>>>()?;
    // The machines have their ends now; without ours, a machine that ends is one whose cables are pulled.
    drop(plans);
    eprintln!("booting {} parties of {} at level {}", machines.len(), app.name, level.name);
    let mut parties: Vec<Party> = machines.iter().map(|_| Party::default()).collect();
    while parties.iter().any(|party| party.status.is_none()) {
        for (number, (vm, party)) in machines.iter_mut().zip(&mut parties).enumerate() {
            follow_party(app, number, vm, party)?;
        }
        std::thread::sleep(PERIOD);
    }
    for (number, vm) in machines.iter_mut().enumerate() {
        vm.wait_end(STOP_DEADLINE)?;
        vm.check_kernel().with_context(|| format!("party {number}"))?;
    }
    for (number, (vm, party)) in machines.iter().zip(&parties).enumerate() {
        let level_said = !vm.banners().is_empty();
        ensure!(level_said || level.name == "linux", "party {number} did not say that it runs in the kernel");
        if let Some(status) = party.status.filter(|status| *status != 0) {
            return Err(Failure::ended(
                u8::try_from(status).unwrap_or(1),
                format!("party {number} of {} ended with status {status}", app.name),
                format!("the status is the application's own; the machine's console is in {}", vm.log.display()),
            ));
        }
    }
    Ok(())
}

/// What is known of a party.
#[derive(Default)]
struct Party {
    output: Output,
    printed: Vec<u8>,
    status: Option<i32>,
}

/// Takes what a party has printed by now, and shows it all when the party has ended.
fn follow_party(app: &App, number: usize, vm: &mut Vm, party: &mut Party) -> Result<()> {
    while party.status.is_none() {
        match vm.next(Some(Instant::now()))? {
            Event::Line(line, said) => {
                let part = party.output.line(&line, said.as_ref());
                party.printed.extend(part.application);
                eprint!("{}", String::from_utf8_lossy(&part.others));
                if let Some(Said::Mark(Mark::Exit(status))) = said {
                    String::from_utf8_lossy(&party.printed).lines().for_each(|line| println!("party {number}: {line}"));
                    party.status = Some(status);
                }
            }
            Event::Trouble(_) => return Err(vm.failed_kernel()).with_context(|| format!("party {number}")),
            Event::End(status) => {
                return Err(vm.failure(format!("the machine of party {number} ended early: {}", vm.ending(status))));
            }
            Event::Interrupt => {
                return Err(Failure::ended(130, format!("{} was interrupted", app.name), "run the same command again"));
            }
            Event::Deadline => break,
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
