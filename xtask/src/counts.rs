//! Instruction counts: what the benchmark program prints, what it is held to, and the table.

use crate::record::{Kind, Metric, Sample};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// One line `count name=getppid min=67 median=67 unit=instructions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    pub min: u64,
    pub median: u64,
}

/// What one run of the program printed, by the call's name.
pub type Counts = BTreeMap<String, Count>;

/// A run and where it took place.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The level, or what else tells the row apart.
    pub label: String,
    pub place: Place,
    pub counts: Counts,
}

/// Where a run took place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An ordinary process on the kernel without patches.
    Vanilla,
    /// Linked in, at the level of this name.
    Linked(String),
    /// An ordinary process on the kernel with patches.
    Patched,
}

impl Measured {
    /// The counts as samples of a record. The program has reduced its batches to two values each.
    pub fn samples(&self, app: &str) -> Vec<Sample> {
        let sample = |name: &str, batches: &str, count: u64| {
            let sample = Sample::new(app, &self.label, Metric::InstructionsPerCall, Kind::Counted, 0, count as f64)
                .with("call", name)
                .with("batches", batches);
            // What moves data moves one byte.
            if name.ends_with("read") || name.ends_with("write") { sample.with("value_bytes", 1) } else { sample }
        };
        let both = |(name, count): (&String, &Count)| {
            [sample(name, "median", count.median), sample(name, "minimum", count.min)]
        };
        self.counts.iter().flat_map(both).collect()
    }
}

/// The file `bench.toml` of an application.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Most instructions per level and call.
    #[serde(default)]
    limits: BTreeMap<String, BTreeMap<String, u64>>,
    below_vanilla: BelowVanilla,
    ledger: Ledger,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BelowVanilla {
    levels: Vec<String>,
    counts: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ledger {
    /// Instructions an ordinary process may pay more per call.
    max_extra: u64,
    counts: Vec<String>,
}

impl Rules {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("in {}", path.display()))
    }
}

/// The counts in a program's output. The unit must be instructions: in anything else the figures mean nothing.
pub fn parse(text: &str) -> Result<Counts> {
    let mut counts = Counts::new();
    for line in text.lines().filter_map(|line| line.trim().strip_prefix("count ")) {
        let fields: BTreeMap<_, _> = line.split_whitespace().filter_map(|word| word.split_once('=')).collect();
        let field = |name: &str| fields.get(name).copied().with_context(|| format!("`{line}` has no `{name}=`"));
        let number = |name: &str| -> Result<u64> {
            let text = field(name)?;
            text.parse().with_context(|| format!("`{name}={text}` in `{line}` is not a number"))
        };
        let unit = field("unit")?;
        ensure!(
            unit == "instructions",
            "`{line}`: unit `{unit}`; a tick was not one instruction, so the machine did not count instructions"
        );
        counts.insert(field("name")?.to_owned(), Count { min: number("min")?, median: number("median")? });
    }
    ensure!(!counts.is_empty(), "the program printed no line `count name=...`; it printed {text:?}");
    Ok(counts)
}

/// A table with a row per run and a column per call, each cell `minimum / median`.
pub fn table(runs: &[Measured]) -> String {
    let mut names: Vec<&String> = runs.iter().flat_map(|run| run.counts.keys()).collect();
    names.sort_by_key(|name| (name.contains('-'), *name));
    names.dedup();
    let label_width = runs.iter().map(|run| run.label.len()).max().unwrap_or(0);
    let mut text = format!("{:label_width$}", "");
    // Writing to a String cannot fail.
    for name in &names {
        let _ = write!(text, "  {name:>13}");
    }
    for run in runs {
        let _ = write!(text, "\n{:label_width$}", run.label);
        for name in &names {
            let cell = run.counts.get(*name).map_or("-".to_owned(), |c| format!("{} / {}", c.min, c.median));
            let _ = write!(text, "  {cell:>13}");
        }
    }
    text + "\n"
}

/// One comparison with its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub holds: bool,
    pub text: String,
}

/// Every rule that concerns the runs at hand, in a fixed order.
pub fn judge(runs: &[Measured], rules: &Rules) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let mut compare = |what: String, got: u64, most: u64| {
        verdicts.push(Verdict { holds: got <= most, text: format!("{what}: {got}, at most {most}") });
    };
    let median = |run: &Measured, name: &str| run.counts.get(name).map(|count| count.median);
    let vanilla = runs.iter().find(|run| run.place == Place::Vanilla);
    for run in runs {
        match &run.place {
            Place::Vanilla => {}
            Place::Linked(level) => {
                for (name, most) in rules.limits.get(level).into_iter().flatten() {
                    // A count that is missing breaks the rule instead of escaping it.
                    compare(format!("{} {name}", run.label), median(run, name).unwrap_or(u64::MAX), *most);
                }
                let names = rules.below_vanilla.counts.iter().filter(|_| rules.below_vanilla.levels.contains(level));
                for (name, vanilla) in names.filter_map(|name| Some((name, median(vanilla?, name)?))) {
                    let got = median(run, name).unwrap_or(u64::MAX);
                    compare(
                        format!("{} {name} against vanilla's {vanilla}", run.label),
                        got,
                        vanilla.saturating_sub(1),
                    );
                }
            }
            Place::Patched => {
                let names = rules.ledger.counts.iter();
                for (name, vanilla) in names.filter_map(|name| Some((name, median(vanilla?, name)?))) {
                    let got = median(run, name).unwrap_or(u64::MAX);
                    let most = vanilla + rules.ledger.max_extra;
                    compare(format!("{} {name} against vanilla's {vanilla}", run.label), got, most);
                }
            }
        }
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "level byb\ncalibration instructions=10000 ticks=10003\n\
                          count name=getppid min=66 median=67 unit=instructions\r\n\
                          count name=libc-read min=255 median=256 unit=instructions\n";

    fn run(label: &str, place: Place, getppid: u64) -> Measured {
        let counts = Counts::from([("getppid".to_owned(), Count { min: getppid, median: getppid })]);
        Measured { label: label.to_owned(), place, counts }
    }

    fn runs() -> Vec<Measured> {
        vec![
            run("linux", Place::Vanilla, 217),
            run("base", Place::Linked("base".to_owned()), 217),
            run("byb", Place::Linked("byb".to_owned()), 67),
            run("process on the patched kernel", Place::Patched, 220),
        ]
    }

    #[test]
    fn output_is_read() {
        let counts = parse(OUTPUT).unwrap();
        assert_eq!(counts["getppid"], Count { min: 66, median: 67 });
        assert_eq!(counts.len(), 2);
    }

    #[test]
    fn output_without_instruction_counts_is_refused() {
        assert!(parse("level byb\n").is_err());
        assert!(parse("count name=a min=1 median=2 unit=ticks\n").unwrap_err().to_string().contains("`ticks`"));
        assert!(parse("count name=a min=x median=2 unit=instructions\n").is_err());
        assert!(parse("count min=1 median=2 unit=instructions\n").is_err());
    }

    #[test]
    fn the_table_has_a_row_per_run() {
        insta::assert_snapshot!(table(&runs()[..2]), @r"
                     getppid
        linux      217 / 217
        base       217 / 217
        ");
    }

    #[test]
    fn rules_hold_or_not() {
        let text = "[limits.byb]\ngetppid = 67\n[below_vanilla]\nlevels = [\"base\", \"byb\"]\ncounts = [\"getppid\"]\n\
                    [ledger]\nmax_extra = 2\ncounts = [\"getppid\"]\n";
        let rules: Rules = toml::from_str(text).unwrap();
        let shown: Vec<_> =
            judge(&runs(), &rules).into_iter().map(|verdict| format!("{} {}", verdict.holds, verdict.text)).collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        false base getppid against vanilla's 217: 217, at most 216
        true byb getppid: 67, at most 67
        true byb getppid against vanilla's 217: 67, at most 216
        false process on the patched kernel getppid against vanilla's 217: 220, at most 219
        ");
    }
}
