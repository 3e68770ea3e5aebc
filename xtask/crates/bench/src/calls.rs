//! Instruction counts: what a benchmark program prints; `rules` is what they are held to, `table` how they are shown.

pub mod rules;
mod table;

pub use rules::{Rules, Verdict};
pub use table::table;

use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use ukl_report::record::{Kind, Metric, Sample};

/// One line `count name=getppid min=67 median=67 unit=instructions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    pub min: u64,
    pub median: u64,
}

/// What one run of the program printed, by the name of what was counted.
pub type Counts = BTreeMap<String, Count>;

/// A run and how the program ran.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The level's name; for a run beside the application, what tells it apart.
    pub label: String,
    pub runs_as: RunsAs,
    pub counts: Counts,
}

impl Measured {
    /// The counts as samples of a record. The program has reduced its batches to two values each.
    pub fn samples(&self, app: &str) -> Vec<Sample> {
        let sample = |name: &str, batches: &str, count: u64| {
            let (call, value_bytes) = call_and_size(name);
            let sample = Sample::new(app, &self.label, Metric::InstructionsPerCall, Kind::Counted, 0, count as f64)
                .with("call", call)
                .with("batches", batches);
            match value_bytes {
                Some(bytes) => sample.with("value_bytes", bytes),
                None => sample,
            }
        };
        let both = |(name, count): (&String, &Count)| {
            [sample(name, "median", count.median), sample(name, "minimum", count.min)]
        };
        self.counts.iter().flat_map(both).collect()
    }
}

/// Splits `sendto-64` into the call and the bytes it moves. A plain `read` or `write` moves one.
fn call_and_size(name: &str) -> (&str, Option<u64>) {
    match name.rsplit_once('-') {
        Some((call, size)) if size.parse::<u64>().is_ok() => (call, size.parse().ok()),
        _ if name.ends_with("read") || name.ends_with("write") => (name, Some(1)),
        _ => (name, None),
    }
}

/// How a program ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunsAs {
    /// An ordinary process on the kernel without patches.
    Vanilla,
    /// Linked in.
    Linked,
    /// An ordinary process on the kernel with patches, beside the linked-in application.
    Beside,
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

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "level byb\ncalibration instructions=10000 ticks=10003\n\
                          count name=getppid min=66 median=67 unit=instructions\r\n\
                          count name=libc-read min=255 median=256 unit=instructions\n";

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
}
