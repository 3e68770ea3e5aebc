//! The table of counts on the terminal.

use super::Measured;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Names sort by what they begin with and then by the number at their end: `read-64` before `read-512`.
fn natural(name: &str) -> (&str, u64) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem.trim_end_matches('-'), name[stem.len()..].parse().unwrap_or(0))
}

/// A table with a row per count and a column per run. A cell is the median of the batches, and the minimum before it where
/// that is another number.
pub fn table(runs: &[Measured]) -> String {
    let names: BTreeSet<(&str, u64, &str)> = runs
        .iter()
        .flat_map(|run| run.counts.keys())
        .map(|name| {
            let (stem, number) = natural(name);
            (stem, number, name.as_str())
        })
        .collect();
    let cell = |run: &Measured, name: &str| match run.counts.get(name) {
        None => "-".to_owned(),
        Some(count) if count.min == count.median => count.median.to_string(),
        Some(count) => format!("{} / {}", count.min, count.median),
    };
    let name_width = names.iter().map(|(_, _, name)| name.len()).max().unwrap_or(0);
    let widths: Vec<usize> = runs
        .iter()
        .map(|run| {
            names.iter().map(|(_, _, name)| cell(run, name).len()).chain([run.label.len()]).max().unwrap_or_default()
        })
        .collect();
    let mut text = format!("{:name_width$}", "");
    // Writing to a String cannot fail.
    for (run, width) in runs.iter().zip(&widths) {
        let _ = write!(text, "  {:>width$}", run.label);
    }
    for (_, _, name) in &names {
        let _ = write!(text, "\n{name:name_width$}");
        for (run, width) in runs.iter().zip(&widths) {
            let _ = write!(text, "  {:>width$}", cell(run, name));
        }
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::{Count, RunsAs};

    fn run(label: &str, counts: &[(&str, u64, u64)]) -> Measured {
        let counts = counts.iter().map(|&(name, min, median)| (name.to_owned(), Count { min, median })).collect();
        Measured { label: label.to_owned(), runs_as: RunsAs::Linked, counts }
    }

    #[test]
    fn a_row_per_count_and_a_column_per_run() {
        let runs = [
            run(
                "linux",
                &[("read-512", 466, 466), ("read-64", 382, 382), ("read", 372, 372), ("fork", 337831, 339466)],
            ),
            run("an ordinary process", &[("read-512", 447, 448), ("read-64", 363, 363)]),
        ];
        insta::assert_snapshot!(table(&runs), @r"
                            linux  an ordinary process
        fork      337831 / 339466                    -
        read                  372                    -
        read-64               382                  363
        read-512              466            447 / 448
        ");
    }
}
