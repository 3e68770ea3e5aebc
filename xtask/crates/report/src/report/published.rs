//! The published figures of docs/published.toml beside ours.

use super::groups::Group;
use super::levels::Legend;
use crate::record::{Better, Kind, Metric, Parameters, Record};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use ukl_repo::config::{self, REFERENCE_LEVEL};

/// The file, relative to the top of the checkout.
pub(super) const FILE: &str = "docs/published.toml";

/// The file as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Published {
    sources: BTreeMap<String, String>,
    #[serde(rename = "figure")]
    figures: Vec<Figure>,
    #[serde(rename = "difference")]
    differences: Vec<Difference>,
}

/// One published experiment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Figure {
    name: String,
    unit: String,
    source: String,
    conditions: String,
    #[serde(default = "lower")]
    better: Better,
    values: BTreeMap<String, f64>,
    /// Absent where nothing of ours is comparable.
    ours: Option<Ours>,
}

/// Which of our samples a figure is compared with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ours {
    /// Any application when absent.
    app: Option<String>,
    metric: Metric,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    aspect: String,
    published: String,
    ours: Words,
}

/// Text, or something that the record says.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Words {
    Text(String),
    Recorded { record: Aspect },
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Aspect {
    Machine,
    Execution,
    Kernel,
    Mitigations,
    Size,
}

fn lower() -> Better {
    Better::Lower
}

/// A published figure at one level beside ours.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub figure: String,
    pub level: String,
    pub published: f64,
    pub published_unit: String,
    pub published_ratio: f64,
    pub better: Better,
    pub conditions: String,
    pub source: String,
    pub ours: Option<OurValue>,
}

/// What we have for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OurValue {
    /// The parameters beyond those of the figure, when several of our groups compare with it.
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
    pub kind: Kind,
    pub ratio: Option<f64>,
}

impl Published {
    /// Reads and checks the file below `root`.
    pub(super) fn read(root: &Path, legend: &Legend) -> Result<Self> {
        let path = root.join(FILE);
        let published: Published = config::read(&path)?;
        for figure in &published.figures {
            published
                .validate(figure, legend)
                .with_context(|| format!("figure `{}` in {}", figure.name, path.display()))?;
        }
        Ok(published)
    }

    fn validate(&self, figure: &Figure, legend: &Legend) -> Result<()> {
        ensure!(self.sources.contains_key(&figure.source), "source `{}` is not in [sources]", figure.source);
        ensure!(figure.values.contains_key(REFERENCE_LEVEL), "no value at {REFERENCE_LEVEL}");
        for (level, value) in &figure.values {
            ensure!(legend.level(level).is_some(), "`{level}` is no level");
            ensure!(*value > 0.0, "{value} at {level} is not a quantity");
        }
        if let Some(ours) = &figure.ours {
            ensure!(ours.metric.better() == figure.better, "{} improves the other way", ours.metric);
        }
        Ok(())
    }

    /// The value of a figure that compares with instructions of a call, by level: what the cost model predicts.
    pub(super) fn call_ns(&self, call: &str) -> Option<&BTreeMap<String, f64>> {
        let matches = |figure: &&Figure| {
            let ours = figure.ours.as_ref();
            figure.unit == "ns" && ours.is_some_and(|ours| ours.parameters.get("call") == Some(&call.into()))
        };
        self.figures.iter().find(matches).map(|figure| &figure.values)
    }

    /// Each figure and level, in the file's order and the levels', once per group of ours that compares with it.
    pub(super) fn rows(&self, groups: &[Group], legend: &Legend) -> Vec<Row> {
        let mut rows = Vec::new();
        for figure in &self.figures {
            let comparable: Vec<&Group> =
                groups.iter().filter(|group| figure.compares_with(group) && !group.is_minimum()).collect();
            let mut values: Vec<_> = figure.values.iter().collect();
            values.sort_by_key(|(level, _)| legend.rank(level));
            for (level, published) in values {
                let row = |ours| Row {
                    figure: figure.name.clone(),
                    level: level.clone(),
                    published: *published,
                    published_unit: figure.unit.clone(),
                    published_ratio: published / figure.values[REFERENCE_LEVEL],
                    better: figure.better,
                    conditions: figure.conditions.clone(),
                    source: self.sources[&figure.source].clone(),
                    ours,
                };
                let ours: Vec<_> = comparable.iter().filter_map(|group| figure.value_of(group, level)).collect();
                if ours.is_empty() {
                    rows.push(row(None));
                }
                rows.extend(ours.into_iter().map(|ours| row(Some(ours))));
            }
        }
        rows
    }

    /// Aspect, what was published, what this run is.
    pub(super) fn differences(&self, record: &Record) -> Vec<(String, String, String)> {
        let words = |difference: &Difference| match &difference.ours {
            Words::Text(text) => text.clone(),
            Words::Recorded { record: aspect } => aspect.says(record),
        };
        let row = |d: &Difference| (d.aspect.clone(), d.published.clone(), words(d));
        self.differences.iter().map(row).collect()
    }
}

impl Figure {
    fn compares_with(&self, group: &Group) -> bool {
        let subject = &group.subject;
        self.ours.as_ref().is_some_and(|ours| {
            ours.metric == subject.metric
                && ours.app.as_ref().is_none_or(|app| *app == subject.app)
                && ours.parameters.iter().all(|(name, value)| subject.parameters.get(name) == Some(value))
        })
    }

    fn value_of(&self, group: &Group, level: &str) -> Option<OurValue> {
        let known: Vec<&str> = self.ours.iter().flat_map(|ours| ours.parameters.keys().map(String::as_str)).collect();
        let subject = &group.subject;
        Some(OurValue {
            what: subject.describe_without(&[known.as_slice(), &["batches"]].concat()),
            value: group.median(level)?,
            unit: subject.metric.unit(),
            kind: subject.kind,
            ratio: group.ratio(level),
        })
    }
}

impl Aspect {
    fn says(self, record: &Record) -> String {
        match self {
            Aspect::Machine => format!("{}, {} CPUs", record.host.cpu_model, record.host.cpus),
            Aspect::Execution if record.emulated() => format!("EMULATED by {}", record.emulator.version),
            Aspect::Execution => format!("virtual machine with KVM, {}", record.emulator.version),
            Aspect::Kernel => format!("Linux {}", record.guest.kernel_release),
            Aspect::Mitigations => {
                let active = record.guest.mitigations.iter().filter(|(_, state)| state.starts_with("Mitigation"));
                let names: Vec<&str> = active.map(|(name, _)| name.as_str()).collect();
                let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
                format!(
                    "the guest names mitigations against: {names}; its command line is: {}",
                    record.guest.kernel_command_line
                )
            }
            Aspect::Size => format!("{} CPU(s), {} MiB", record.guest.cpus, record.guest.memory_mib),
        }
    }
}
