//! The figures of the lean kernel profile on the terminal.

use std::collections::BTreeMap;
use ukl_report::record::{Metric, Parameters, Sample};
use ukl_report::stats;

/// The values of each level, in the order of the levels.
type Levels<'a> = Vec<(&'a str, Vec<f64>)>;

/// A line for each metric, set of parameters and level: the smallest value, the median, and the interval around it.
pub(super) fn table(samples: &[Sample]) -> String {
    let mut groups: BTreeMap<(Metric, &Parameters), Levels> = BTreeMap::new();
    for sample in samples {
        // Levels stay in the order in which they were asked for.
        let levels = groups.entry((sample.metric, &sample.parameters)).or_default();
        match levels.iter_mut().find(|(level, _)| *level == sample.level) {
            Some((_, values)) => values.push(sample.value),
            None => levels.push((&sample.level, vec![sample.value])),
        }
    }
    let (mut text, mut last) = (String::new(), None);
    for ((metric, parameters), levels) in groups {
        if last.replace(metric) != Some(metric) {
            text += &format!("{metric}, {}\n", metric.unit());
        }
        for (level, values) in levels {
            let Some(summary) = stats::summary(&values) else { continue };
            let (low, high) = summary.spread.bounds();
            let number = |value: f64| match value {
                value if value < 100.0 => format!("{value:.3}"),
                value => format!("{value:.0}"),
            };
            let spread = match summary.count {
                1 => String::new(),
                count => format!("  {}..{}, min {}, n {count}", number(low), number(high), number(summary.min)),
            };
            text += &format!("  {level:8} {:30} {:>10}{spread}\n", describe(parameters), number(summary.median));
        }
    }
    text
}

/// Every parameter but the kernel profile, which is the same in all of them.
fn describe(parameters: &Parameters) -> String {
    let shown = parameters.iter().filter(|(name, _)| *name != "kernel_profile");
    shown.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ukl_report::record::Kind;

    #[test]
    fn levels_stand_beside_each_other() {
        let boot = |level, round, value| {
            let sample = Sample::new("redis", level, Metric::BootToFirstPongS, Kind::EmulatedTime, round, value);
            sample.with("kernel_profile", "lean").with("memory_mib", 512)
        };
        let size = |part: &str, value| {
            Sample::new("redis", "byb", Metric::ImageBytes, Kind::Counted, 0, value).with("part", part)
        };
        let samples = [
            boot("linux", 0, 0.5),
            boot("byb", 0, 0.4),
            boot("linux", 1, 0.7),
            boot("byb", 1, 0.6),
            size("bzimage", 3e6),
            size("compressed", 4e6),
        ];
        insta::assert_snapshot!(table(&samples));
    }
}
