//! What the cost model makes of the counts, beside what was published or measured.

use super::groups::Group;
use super::levels::Legend;
use super::published::Published;
use crate::model::{CostedMachine, Costs, Model};
use crate::record::{Metric, Parameter};
use anyhow::Result;
use std::collections::BTreeMap;
use ukl_repo::config::REFERENCE_LEVEL;

/// The predictions for one machine, or why there are none.
#[derive(Debug)]
pub(super) struct Prediction<'a> {
    pub machine: &'a CostedMachine,
    pub outcome: Result<(Model, Vec<Row>)>,
}

/// One modelled time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub what: String,
    pub level: String,
    pub instructions: f64,
    pub crossings: f64,
    pub modelled_ns: f64,
    /// Published or measured on that machine.
    pub known_ns: Option<f64>,
    /// Whether the model was fitted to the known value, so that agreeing with it means nothing.
    pub is_input: bool,
}

/// Every machine's predictions, in the file's order.
pub(super) fn predictions<'a>(
    costs: &'a Costs,
    groups: &[Group],
    published: &Published,
    legend: &Legend,
) -> Vec<Prediction<'a>> {
    let linux = linux_instructions(groups);
    let predict = |machine: &'a CostedMachine| {
        let outcome = machine.fit(&linux).map(|model| (model, rows(machine, model, groups, published, legend)));
        Prediction { machine, outcome }
    };
    costs.machines.iter().map(predict).collect()
}

fn linux_instructions(groups: &[Group]) -> BTreeMap<String, f64> {
    let counts = groups.iter().filter_map(|group| Some((call(group)?, group.median(REFERENCE_LEVEL)?)));
    counts.collect()
}

/// The name of the call of a count per call; only the smallest size, which is what was timed.
fn call(group: &Group) -> Option<String> {
    let parameters = &group.subject.parameters;
    let small = group.number("value_bytes").is_none_or(|bytes| bytes <= 1.0);
    (group.subject.metric == Metric::InstructionsPerCall && small && !group.is_minimum())
        .then(|| parameters.get("call").map(ToString::to_string))
        .flatten()
}

fn rows(machine: &CostedMachine, model: Model, groups: &[Group], published: &Published, legend: &Legend) -> Vec<Row> {
    let mut rows = Vec::new();
    for group in groups {
        let calls = call(group).filter(|call| !call.contains("fault"));
        for level in &group.levels {
            // A label that is no level of this checkout is not modelled: nobody knows whether it crosses rings.
            let Some(crosses) = legend.crosses_rings(&level.level) else { continue };
            let (what, crossings) = if let Some(call) = &calls {
                (call.clone(), f64::from(u8::from(crosses)))
            } else if let Some(entries) = entries_per_request(group, groups, &level.level) {
                let crossings = if crosses { entries } else { 0.0 };
                (format!("{} {}", group.subject.app, group.subject.describe_without(&["scope"])), crossings)
            } else {
                continue;
            };
            let instructions = level.summary.median;
            let at_linux = level.level == REFERENCE_LEVEL;
            let timed = calls.as_ref().and_then(|call| machine.call_ns.get(call)).filter(|_| at_linux);
            let published = || {
                let values = calls.as_ref().and_then(|call| published.call_ns(call)).filter(|_| machine.is_published);
                values?.get(&level.level)
            };
            rows.push(Row {
                what,
                level: level.level.clone(),
                instructions,
                crossings,
                modelled_ns: model.ns(instructions, crossings),
                known_ns: timed.or_else(published).copied(),
                is_input: timed.is_some(),
            });
        }
    }
    rows
}

/// How often a request enters the kernel, for a group that counts all of a server's instructions per request.
fn entries_per_request(group: &Group, groups: &[Group], level: &str) -> Option<f64> {
    let subject = &group.subject;
    let all = subject.parameters.get("scope") == Some(&Parameter::from("total"));
    if subject.metric != Metric::ServerInstructionsPerRequest || !all {
        return None;
    }
    let mut wanted = subject.without("scope");
    wanted.metric = Metric::KernelEntriesPerRequest;
    groups.iter().find(|other| other.subject == wanted)?.median(level)
}
