//! A machine with the server running in it, and the load generator beside it as an ordinary process.

use crate::bench::requests::Choice;
use crate::requests::Requests;
use crate::requests::settings::Limit;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use std::time::Duration;
use ukl_guest::initramfs::ExtraFile;
use ukl_loadgen::search::Found;
use ukl_loadgen::{Report, Results};
use ukl_repo::config::Level;
use ukl_repo::ctx::Ctx;
use ukl_report::record::GuestFacts;
use ukl_run::run;
use ukl_vm::qemu::Accelerator;
use ukl_vm::vm::shell::Shell;
use ukl_vm::vm::{Plan, Vm};

/// Where the load generator lies in the guest.
const PROGRAM: &str = "/opt/bench/ukl-loadgen";
/// Preparation and measurement, on a busy host.
const LOAD_DEADLINE: Duration = Duration::from_secs(180);
const QUERY_DEADLINE: Duration = Duration::from_secs(10);

/// The server at one level, ready for load.
pub(super) struct Server {
    vm: Vm,
    shell: Shell,
    cpus: u32,
    memory_mib: u32,
}

/// What `ukl-loadgen search` writes, as far as it is looked at.
#[derive(Deserialize)]
struct Searched {
    found: Found,
}

impl Server {
    /// What to boot; everything that is missing is built. Nothing but the guest's own loopback leads to the server.
    pub(super) fn plan(ctx: &Ctx, choice: &Choice, level: &Level, program: &Path) -> Result<Plan> {
        let content = std::fs::read(program).with_context(|| format!("reading {}", program.display()))?;
        let extra = [ExtraFile { target: PROGRAM.to_owned(), permissions: 0o755, content }];
        let mut plan = run::plan_with(ctx, choice.app, level, choice.settings.arguments.as_deref(), &extra)?;
        plan.name = format!("timed-{}-{}", choice.app.name, level.name);
        Ok(plan)
    }

    pub(super) fn boot(ctx: &Ctx, plan: &Plan) -> Result<Self> {
        let mut vm = Vm::boot(ctx, plan)?;
        vm.wait_ready(run::READY_DEADLINE)?;
        let shell = vm.shell()?;
        Ok(Server { vm, shell, cpus: plan.cpus, memory_mib: plan.memory_mib })
    }

    pub(super) fn accelerator(&self) -> Accelerator {
        self.vm.accelerator
    }

    pub(super) fn guest(&mut self) -> Result<GuestFacts> {
        let answer = self.shell.run(GuestFacts::QUERY, QUERY_DEADLINE)?;
        GuestFacts::parse(&answer.text, self.cpus, self.memory_mib)
    }

    /// Every connection sends its next request when the last one is answered.
    pub(super) fn closed_loop(&mut self, settings: &Requests, ratio: &str) -> Result<Results> {
        let (options, timed) = (settings.options(ratio), &settings.timed);
        let (duration_s, warmup) = (timed.duration_s, timed.warmup_requests);
        let report: Report =
            self.load(&format!("run {options} --duration-s {duration_s} --warmup-requests {warmup} --strict"))?;
        ensure!(report.results.latency.is_some(), "no request was answered within {duration_s} s");
        Ok(report.results)
    }

    /// The highest rate of an open loop under the limit, in requests a second.
    pub(super) fn highest_rate(&mut self, settings: &Requests, limit: &Limit) -> Result<f64> {
        let p99_us = limit.p99_us(self.accelerator() != Accelerator::Kvm);
        let Limit { ratio, start_rate, trial_s, precision_percent, .. } = limit;
        let (options, warmup) = (settings.options(ratio), settings.timed.warmup_requests);
        let searched: Searched = self.load(&format!(
            "search {options} --p99-limit-us {p99_us} --start-rate {start_rate} --duration-s {trial_s} \
             --precision-percent {precision_percent} --warmup-requests {warmup}"
        ))?;
        ensure!(!searched.found.ceiling_reached, "the search ended at its own highest rate: {:?}", searched.found);
        Ok(searched.found.requests_per_s)
    }

    /// Runs the load generator and reads its results.
    fn load<T: DeserializeOwned>(&mut self, arguments: &str) -> Result<T> {
        let command = format!("{PROGRAM} {arguments} --json /tmp/load.json");
        let output =
            self.shell.run(&format!("{command} >/tmp/said 2>&1 || {{ cat /tmp/said; false; }}"), LOAD_DEADLINE)?;
        if output.status != 0 {
            return Err(self.vm.failure(format!("`{command}` failed in the guest: {}", output.text.trim())));
        }
        let text = self.shell.run("cat /tmp/load.json", QUERY_DEADLINE)?.text;
        serde_json::from_str(&text).with_context(|| format!("`{command}` wrote {text:?}"))
    }

    /// Stops the machine, whose kernel must not have complained.
    pub(super) fn stop(mut self) -> Result<()> {
        self.vm.check_kernel()?;
        self.vm.stop()
    }
}
