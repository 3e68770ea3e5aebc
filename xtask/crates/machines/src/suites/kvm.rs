//! Under KVM: this machine's, or that of an emulated host.

use super::hello;
use crate::nested;
use anyhow::Result;
use ukl_repo::config::Levels;
use ukl_repo::ctx::Ctx;
use ukl_vm::vm::Plan;
use ukl_vmtest::vmtest::suite::{Apps, Machines, Quick, When};
use ukl_vmtest::vmtest::{Suite, behaviour, redis};

/// The levels that differ in how a call reaches its function, alone and beside another CPU.
const MACHINES: &[Machines] = &[
    Machines { levels: Some(Levels::LinkedWays), cpus: 1, when: When::Asked },
    Machines { levels: Some(Levels::LinkedWays), cpus: 2, when: When::Asked },
];

/// What of `behaviour` meets KVM most: its clock, its NMIs, interrupts at any moment, and its timers. NMIs go to other CPUs.
const QUICK: [&str; 4] = ["clock", "nmi-storm", "signal-storm", "perf-sampling"];

pub(super) const HELLO: Suite = Suite {
    name: "kvm-hello",
    summary: "the smallest application under KVM: this machine's, or that of an emulated host",
    prefix: "kvm/{level}/smp{cpus}/hello/",
    apps: Apps::One(hello::APP),
    machines: MACHINES,
    quick: Quick::Smallest,
    tests: |_, _| Ok(hello::tests()),
    run: |ctx, part, tally| hello::boot_and_run(ctx, part, tally, |plan| on_kvm(ctx, plan)),
};

pub(super) const REDIS: Suite = Suite {
    name: "kvm-redis",
    summary: "the tests of Redis under KVM",
    prefix: "kvm/{level}/smp{cpus}/redis/",
    apps: Apps::One("redis"),
    machines: MACHINES,
    quick: Quick::Nothing,
    tests: |_, _| Ok(redis::tests()),
    run: |ctx, part, tally| redis::run_adapted(ctx, part, tally, |plan| on_kvm(ctx, plan)),
};

pub(super) const BEHAVIOUR: Suite = Suite {
    name: "kvm-behaviour",
    summary: "the tests of behaviour under KVM",
    prefix: "kvm/{level}/smp{cpus}/behaviour/",
    apps: Apps::One("behaviour"),
    machines: MACHINES,
    quick: Quick::TheseOnMostCpus(|test| QUICK.contains(&test)),
    tests: behaviour::tests,
    run: |ctx, part, tally| behaviour::boot_and_run(ctx, part, tally, |plan| on_kvm(ctx, plan)),
};

fn on_kvm(ctx: &Ctx, plan: &mut Plan) -> Result<()> {
    plan.emulator = nested::kvm(ctx, plan)?;
    Ok(())
}
