//! Which drawings a record gives: bars for single quantities, curves for what was measured over a range.

use super::chart::{self, Axis, Line};
use super::groups::{Group, Subject};
use crate::record::{Better, Kind, Metric};
use anyhow::Result;
use std::collections::BTreeMap;

/// Scopes in the order of what they say; the whole first.
const SCOPES: [&str; 4] = ["total", "kernel", "user", "softirq"];
/// The percentile that stands in bars; the others stand in the curves.
const BAR_PERCENTILE: f64 = 99.0;

/// A drawing with its caption.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub app: String,
    pub title: String,
    pub detail: String,
    pub kind: Kind,
    pub svg: String,
}

/// A parameter over which a curve is drawn.
struct Range {
    parameter: &'static str,
    axis: Axis,
    title: &'static str,
}

const RANGES: [Range; 3] = [
    Range { parameter: "percentile", axis: Axis::Percentile, title: "requests at most this slow, percentile" },
    Range { parameter: "value_bytes", axis: Axis::Bytes, title: "size, bytes" },
    Range { parameter: "cpus", axis: Axis::Count, title: "CPUs of the guest" },
];

/// Everything there is to draw: each application's bars first.
pub(super) fn figures(groups: &[Group]) -> Result<Vec<Figure>> {
    // The smallest of a program's batches is in the tables; what is drawn is the middle one.
    let mut drawn: Vec<&Group> = groups.iter().filter(|group| !group.is_minimum()).collect();
    drawn.sort_by_key(|group| (group.subject.metric, group.subject.without("scope"), scope_rank(group)));
    let curves = curves(&drawn);
    let mut figures = Vec::new();
    for group in &drawn {
        if stands_in_bars(group, &curves) {
            figures.push(Figure {
                svg: chart::bars(&group.levels, group.subject.metric.axis())?,
                ..caption(&group.subject, &[])
            });
        }
    }
    for curve in &curves {
        let Range { parameter, axis, title } = RANGES[curve.range];
        let svg = chart::curve(&curve.lines(), axis, title, curve.subject.metric.axis())?;
        figures.push(Figure { svg, ..caption(&curve.subject, &[parameter]) });
    }
    figures.sort_by(|a, b| a.app.cmp(&b.app));
    Ok(figures)
}

fn scope_rank(group: &Group) -> usize {
    let scope = group.subject.parameters.get("scope").map(ToString::to_string);
    scope.and_then(|scope| SCOPES.iter().position(|known| *known == scope)).unwrap_or(SCOPES.len())
}

fn caption(subject: &Subject, hidden: &[&str]) -> Figure {
    let better = match subject.metric.better() {
        Better::Lower => "lower is better",
        Better::Higher => "higher is better",
    };
    let what = subject.describe_without(&[hidden, &["batches"]].concat());
    Figure {
        app: subject.app.clone(),
        title: if what.is_empty() { subject.metric.title().to_owned() } else { format!("{}: {what}", subject.metric) },
        detail: better.to_owned(),
        kind: subject.kind,
        svg: String::new(),
    }
}

/// Groups that differ in one parameter only.
struct Curve<'a> {
    subject: Subject,
    range: usize,
    /// By the place in the order of the parameter's values.
    groups: Vec<(f64, &'a Group)>,
}

impl Curve<'_> {
    fn lines(&self) -> Vec<Line> {
        let mut lines: BTreeMap<(usize, &str), Vec<(f64, f64)>> = BTreeMap::new();
        for (value, group) in &self.groups {
            for level in &group.levels {
                let key = (level.rank, level.level.as_str());
                lines.entry(key).or_default().push((*value, level.summary.median));
            }
        }
        let line = |((rank, level), points): ((usize, &str), _)| Line { level: level.to_owned(), rank, points };
        // Drawn last is on top: the first level of the order.
        lines.into_iter().rev().map(line).collect()
    }

    fn smallest(&self) -> f64 {
        self.groups.first().map_or(0.0, |(value, _)| *value)
    }
}

/// Every curve with at least two points.
fn curves<'a>(groups: &[&'a Group]) -> Vec<Curve<'a>> {
    let mut found: BTreeMap<(usize, Subject), Vec<(f64, &'a Group)>> = BTreeMap::new();
    for group in groups {
        for (index, range) in RANGES.iter().enumerate() {
            if let Some(value) = group.number(range.parameter) {
                found.entry((index, group.subject.without(range.parameter))).or_default().push((value, group));
            }
        }
    }
    let mut curves = Vec::new();
    for ((range, subject), mut groups) in found {
        groups.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        if groups.len() >= 2 {
            curves.push(Curve { subject, range, groups });
        }
    }
    curves
}

/// Of a curve only its first point is a bar, of latencies the 99th percentile.
fn stands_in_bars(group: &Group, curves: &[Curve]) -> bool {
    if group.subject.metric == Metric::LatencyUs {
        return group.number("percentile") == Some(BAR_PERCENTILE);
    }
    curves.iter().all(|curve| {
        let parameter = RANGES[curve.range].parameter;
        group.subject.without(parameter) != curve.subject || group.number(parameter) == Some(curve.smallest())
    })
}
