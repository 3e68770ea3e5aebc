//! The cost model: nanoseconds from instruction counts. It is a model, and whatever comes out of it is labelled so.
//!
//! ns = instructions x CPI / GHz + crossings x cost of one. What a machine's calls cost at `linux` determines what is not
//! known of the two factors; every other level is then a prediction that published or measured figures can contradict.

use crate::stats;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use ukl_repo::config;

/// The file, relative to the top of the checkout.
pub const FILE: &str = "docs/costs.toml";

/// The file as written; `cargo xtask bench --calibrate` writes one with a single machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    #[serde(rename = "machine", default)]
    pub machines: Vec<CostedMachine>,
    #[serde(rename = "transition", default, skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<Transition>,
}

/// A processor with its mitigations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostedMachine {
    pub name: String,
    pub cpu: String,
    pub ghz: f64,
    pub mitigations: String,
    pub source: String,
    /// Whether it is the one that the published figures come from, so that predictions can be held against them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_published: bool,
    /// User mode to the kernel and back; fitted when absent.
    pub crossing: Option<Crossing>,
    /// What calls cost there as an ordinary process, by the name the benchmark gives them.
    pub call_ns: BTreeMap<String, f64>,
    /// The same for what the model leaves out: faults and signals cross by other instructions.
    #[serde(default)]
    pub other_ns: BTreeMap<String, f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crossing {
    pub ns: f64,
    pub source: String,
}

/// A cost that somebody else measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    pub what: String,
    pub cpu: String,
    pub mitigations: String,
    pub ns: Option<f64>,
    pub cycles: Option<f64>,
    pub source: String,
}

/// The model with its factors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    pub ns_per_instruction: f64,
    pub ns_per_crossing: f64,
    ghz: f64,
}

impl Costs {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Self> {
        let costs: Costs = config::read(path)?;
        costs.validate().with_context(|| format!("in {}", path.display()))?;
        Ok(costs)
    }

    fn validate(&self) -> Result<()> {
        for machine in &self.machines {
            let name = &machine.name;
            ensure!(machine.ghz > 0.0, "machine `{name}`: ghz is {}", machine.ghz);
            ensure!(!machine.source.is_empty(), "machine `{name}` has no source");
            for (call, ns) in &machine.call_ns {
                ensure!(*ns > 0.0, "machine `{name}`: {call} takes {ns} ns");
            }
        }
        for transition in &self.transitions {
            let what = &transition.what;
            ensure!(transition.ns.or(transition.cycles).is_some(), "transition `{what}` has neither ns nor cycles");
            ensure!(!transition.source.is_empty(), "transition `{what}` has no source");
        }
        Ok(())
    }
}

impl CostedMachine {
    /// Fits the model to this machine, given the instructions of the calls at `linux`. The error says why that cannot be.
    pub fn fit(&self, linux_instructions: &BTreeMap<String, f64>) -> Result<Model> {
        let common = self.call_ns.iter().filter_map(|(call, ns)| Some((*linux_instructions.get(call)?, *ns)));
        let points: Vec<(f64, f64)> = common.collect();
        let (ns_per_instruction, ns_per_crossing) = match &self.crossing {
            Some(crossing) => {
                ensure!(!points.is_empty(), "none of its calls was counted at linux");
                // The ratio that minimises the squared error of a line through the known crossing.
                let product = points.iter().map(|(x, y)| x * (y - crossing.ns)).sum::<f64>();
                (product / points.iter().map(|(x, _)| x * x).sum::<f64>(), crossing.ns)
            }
            None => stats::line(&points).context("it needs two calls of different length counted at linux")?,
        };
        ensure!(
            ns_per_instruction > 0.0 && ns_per_crossing >= 0.0,
            "its calls do not fit the model: {ns_per_instruction:.3} ns an instruction, {ns_per_crossing:.1} ns a crossing"
        );
        Ok(Model { ns_per_instruction, ns_per_crossing, ghz: self.ghz })
    }
}

impl Model {
    /// Cycles per instruction.
    pub fn cpi(&self) -> f64 {
        self.ns_per_instruction * self.ghz
    }

    /// What `instructions` and `crossings` would take.
    pub fn ns(&self, instructions: f64, crossings: f64) -> f64 {
        instructions * self.ns_per_instruction + crossings * self.ns_per_crossing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(crossing: Option<f64>, calls: &[(&str, f64)]) -> CostedMachine {
        CostedMachine {
            name: "test".to_owned(),
            cpu: "test".to_owned(),
            ghz: 2.0,
            mitigations: "none".to_owned(),
            source: "made up".to_owned(),
            is_published: false,
            crossing: crossing.map(|ns| Crossing { ns, source: "made up".to_owned() }),
            call_ns: calls.iter().map(|(call, ns)| ((*call).to_owned(), *ns)).collect(),
            other_ns: BTreeMap::new(),
        }
    }

    fn counts() -> BTreeMap<String, f64> {
        [("getppid", 200.0), ("read", 400.0)].map(|(call, count)| (call.to_owned(), count)).into()
    }

    #[test]
    fn a_known_crossing_leaves_one_factor() {
        let model = machine(Some(20.0), &[("getppid", 120.0)]).fit(&counts()).unwrap();
        assert_eq!((model.ns_per_instruction, model.ns_per_crossing, model.cpi()), (0.5, 20.0, 1.0));
        assert_eq!(model.ns(60.0, 0.0), 30.0);
        assert_eq!(model.ns(60.0, 1.0), 50.0);
    }

    #[test]
    fn two_calls_determine_both_factors() {
        let model =
            machine(None, &[("getppid", 150.0), ("read", 250.0), ("never counted", 1.0)]).fit(&counts()).unwrap();
        assert_eq!((model.ns_per_instruction, model.ns_per_crossing), (0.5, 50.0));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        let error = |machine: CostedMachine| machine.fit(&counts()).unwrap_err().to_string();
        insta::assert_snapshot!(
            [
                error(machine(None, &[("getppid", 150.0)])),
                error(machine(Some(1.0), &[("other", 150.0)])),
                error(machine(None, &[("getppid", 100.0), ("read", 900.0)])),
            ]
            .join("\n"),
            @"
        it needs two calls of different length counted at linux
        none of its calls was counted at linux
        its calls do not fit the model: 4.000 ns an instruction, -700.0 ns a crossing
        "
        );
    }

    #[test]
    fn the_data_file_is_valid_and_says_where_each_figure_is_from() {
        let root = ukl_repo::repo::Repo::find().unwrap().root;
        let costs = Costs::read(&root.join(FILE)).unwrap();
        assert!(!costs.machines.is_empty() && !costs.transitions.is_empty());
    }
}
