//! Samples that may be compared: the same application, metric, parameters and kind, level by level.

use super::levels::Legend;
use crate::record::{Kind, Metric, Parameters, Record};
use crate::stats::{self, Summary};
use std::collections::BTreeMap;
use ukl_repo::config::REFERENCE_LEVEL;

/// What is measured, without the level.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub app: String,
    pub metric: Metric,
    pub parameters: Parameters,
    pub kind: Kind,
}

/// Everything that was measured of one subject.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    pub subject: Subject,
    pub levels: Vec<LevelValues>,
}

/// The values of one level in the order of the rounds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LevelValues {
    pub level: String,
    /// Its place and colour in every figure.
    pub rank: usize,
    pub values: Vec<f64>,
    pub summary: Summary,
}

/// Values with the rounds they are from.
type Rounds = Vec<(u32, f64)>;

/// The record's groups, ordered by application, metric and parameters, each with its levels in the report's order.
pub(super) fn groups(record: &Record, legend: &Legend) -> Vec<Group> {
    let mut found: BTreeMap<Subject, BTreeMap<(usize, String), Rounds>> = BTreeMap::new();
    for sample in &record.samples {
        let subject = Subject {
            app: sample.app.clone(),
            metric: sample.metric,
            parameters: sample.parameters.clone(),
            kind: sample.kind,
        };
        let level = (legend.rank(&sample.level), sample.level.clone());
        found.entry(subject).or_default().entry(level).or_default().push((sample.round, sample.value));
    }
    let values = |((rank, level), mut rounds): ((usize, String), Rounds)| {
        rounds.sort_by_key(|(round, _)| *round);
        let values: Vec<f64> = rounds.into_iter().map(|(_, value)| value).collect();
        Some(LevelValues { level, rank, summary: stats::summary(&values)?, values })
    };
    found
        .into_iter()
        .map(|(subject, levels)| Group { subject, levels: levels.into_iter().filter_map(values).collect() })
        .collect()
}

impl Group {
    /// The median at a level.
    pub(super) fn median(&self, level: &str) -> Option<f64> {
        self.levels.iter().find(|values| values.level == level).map(|values| values.summary.median)
    }

    /// The median at a level against the one at `linux`.
    pub(super) fn ratio(&self, level: &str) -> Option<f64> {
        let reference = self.median(REFERENCE_LEVEL).filter(|reference| *reference > 0.0)?;
        Some(self.median(level)? / reference)
    }

    /// Whether these are the smallest of a program's batches instead of the middle one: for the tables of samples only.
    pub(super) fn is_minimum(&self) -> bool {
        self.subject.parameters.get("batches") == Some(&"minimum".into())
    }

    /// A parameter as a number; text such as "99.9" counts.
    pub(super) fn number(&self, parameter: &str) -> Option<f64> {
        self.subject.parameters.get(parameter)?.to_string().parse().ok()
    }
}

impl Subject {
    /// The parameters for people: those in `hidden` left out, values of the well-known ones without their names.
    pub(super) fn describe_without(&self, hidden: &[&str]) -> String {
        let shown = self.parameters.iter().filter(|(name, _)| !hidden.contains(&name.as_str()));
        let words = shown.map(|(name, value)| match name.as_str() {
            "call" | "command" | "part" => value.to_string(),
            "percentile" => format!("p{value}"),
            "scope" => format!("scope {value}"),
            "value_bytes" if *value == 1.into() => "1 byte".to_owned(),
            "value_bytes" => format!("{value} bytes"),
            "connections" => format!("{value} connections"),
            "cpus" => format!("{value} CPU(s)"),
            "p99_limit_us" => format!("p99 at most {value} µs"),
            _ => format!("{} {value}", name.replace('_', " ")),
        });
        words.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn describe(&self) -> String {
        self.describe_without(&[])
    }

    /// The subject without one parameter: what the points of a curve share.
    pub(super) fn without(&self, parameter: &str) -> Subject {
        let mut rest = self.clone();
        rest.parameters.remove(parameter);
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Sample, tests::record};
    use ukl_repo::config::{KernelFlavour, Level, LevelOptions};

    fn level(name: &str, kernel: KernelFlavour) -> Level {
        Level { name: name.to_owned(), summary: String::new(), kernel, options: LevelOptions::default() }
    }

    #[test]
    fn samples_gather_by_what_they_measure() {
        let sample = |level: &str, round, value| {
            Sample::new("a", level, Metric::NsPerCall, Kind::EmulatedTime, round, value).with("call", "getppid")
        };
        let samples = vec![
            sample("byb", 1, 4.0),
            sample("byb", 0, 2.0),
            sample("linux", 0, 6.0),
            sample("byb", 0, 1.0).with("value_bytes", 8),
        ];
        let legend = Legend::new(vec![level("linux", KernelFlavour::Vanilla), level("byb", KernelFlavour::Ukl)]);
        let groups = groups(&Record { samples, ..record() }, &legend);
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].levels[0].level, "linux");
        assert_eq!(groups[0].levels[1].values, [2.0, 4.0]);
        assert_eq!(groups[0].ratio("byb"), Some(0.5));
        assert_eq!(groups[1].ratio("byb"), None, "without a reference there is no ratio");
        assert_eq!(groups[1].subject.describe(), "getppid, 8 bytes");
        assert_eq!(groups[1].subject.without("value_bytes"), groups[0].subject);
    }
}
