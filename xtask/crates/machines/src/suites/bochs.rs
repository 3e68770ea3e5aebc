//! In Bochs, on the models that `machines/bochs.toml` names for each suite.

use super::hello;
use crate::bochs::{self, Bochs, SuiteName};
use anyhow::Result;
use ukl_repo::config::Levels;
use ukl_repo::ctx::Ctx;
use ukl_vm::vm::Plan;
use ukl_vmtest::vmtest::entry::mov_ss;
use ukl_vmtest::vmtest::suite::{Apps, Machines, Quick, When};
use ukl_vmtest::vmtest::{Part, Suite, behaviour};

pub(super) const HELLO: Suite = Suite {
    name: "bochs-hello",
    summary: "the smallest application in Bochs, on several processors",
    prefix: "bochs/{app}/{level}/hello/",
    apps: Apps::Found(|repo| bochs::models(repo, SuiteName::Hello)),
    machines: &[Machines { levels: Some(Levels::Default), cpus: 1, when: When::Asked }],
    quick: Quick::Smallest,
    tests: |_, _| Ok(hello::tests()),
    run: |ctx, part, tally| hello::boot_and_run(ctx, part, tally, |plan| in_bochs(ctx, part, plan)),
};

/// Bochs holds a breakpoint behind MOV SS back as processors do, so the trap hits the kernel.
pub(super) const ENTRY: Suite = Suite {
    name: "bochs-entry",
    summary: "a breakpoint that MOV SS holds back until the kernel's answer to a 32-bit SYSCALL, on AMD's processor",
    prefix: "bochs/{app}/entry/",
    apps: Apps::Found(|repo| bochs::models(repo, SuiteName::Entry)),
    machines: &[Machines { levels: None, cpus: 1, when: When::Asked }],
    quick: Quick::Nothing,
    tests: |_, _| Ok(vec![mov_ss::TEST.to_owned()]),
    run: |ctx, part, tally| {
        let machine = format!("test-bochs-{}-{}", part.app, mov_ss::TEST);
        let outcome = mov_ss::syscall32(ctx, &machine, |plan| in_bochs(ctx, part, plan));
        tally.check(&part.test(mov_ss::TEST), outcome);
        Ok(())
    },
};

pub(super) const BEHAVIOUR: Suite = Suite {
    name: "bochs-behaviour",
    summary: "the tests of behaviour in Bochs, on a processor with PCID",
    prefix: "bochs/{app}/{level}/behaviour/",
    apps: Apps::Found(|repo| bochs::models(repo, SuiteName::Behaviour)),
    machines: &[Machines { levels: Some(Levels::LinkedWays), cpus: 1, when: When::Asked }],
    quick: Quick::Nothing,
    tests: |repo, part| behaviour::tests(repo, &with_application(part)),
    run: |ctx, part, tally| {
        behaviour::boot_and_run(ctx, &with_application(part), tally, |plan| in_bochs(ctx, part, plan))
    },
};

/// The part's application is the processor's model in the names of the tests.
fn with_application(part: &Part) -> Part {
    Part { app: "behaviour".to_owned(), ..part.clone() }
}

fn in_bochs(ctx: &Ctx, part: &Part, plan: &mut Plan) -> Result<()> {
    plan.emulator = Some(Bochs::prepare(ctx, &part.app)?);
    Ok(())
}
