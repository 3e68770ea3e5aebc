//! The file `bench.toml` of an application: what its counts are held to.

use super::{Count, Measured, RunsAs};
use anyhow::{Result, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use ukl_repo::repo::Repo;

/// All rules of an application. A figure is the median of the batches where nothing else is said.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The program's option that adds instructions to every counted operation, for the negative control.
    pub slow_option: Option<String>,
    /// Most instructions per level and count.
    #[serde(default)]
    limits: BTreeMap<String, BTreeMap<String, u64>>,
    /// Which level must need fewer than which.
    order: Vec<Order>,
    /// Counts without an order, each with the reason. Every count has the one or the other.
    #[serde(default)]
    unordered: BTreeMap<String, String>,
    /// What ordinary processes may pay for the patches.
    #[serde(default)]
    ledger: Vec<Ledger>,
}

/// Levels from the most to the least expensive.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    levels: Vec<String>,
    counts: Vec<String>,
    /// By how many instructions at least a level must be below the one before it; 1 by default.
    #[serde(default = "one")]
    margin: u64,
    /// Which figure is compared; the median by default.
    #[serde(default)]
    figure: Figure,
}

/// One of the two figures of a count.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Figure {
    #[default]
    Median,
    /// For operations that come with work of changing amount, such as the allocators': the batch with the least of it.
    Min,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ledger {
    /// Instructions an ordinary process may pay more on the patched kernel.
    max_extra: u64,
    counts: Vec<String>,
    /// Which figure is compared; the median by default.
    #[serde(default)]
    figure: Figure,
}

fn one() -> u64 {
    1
}

/// What kind of rule a verdict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Order,
    Limit,
    Ledger,
    /// That there is a rule for a count.
    Coverage,
}

/// One comparison with its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub kind: Kind,
    pub count: String,
    pub holds: bool,
    /// What was compared, with the figures.
    pub text: String,
}

/// The levels that whoever started the measurement left out on purpose. A rule is silent about these, and about no others:
/// a level that was to be measured and is missing breaks the rules that name it.
pub type LeftOut = BTreeSet<String>;

impl Rules {
    /// Checks what the types do not: that the levels are there, and that each order makes sense.
    pub fn validate(&self, repo: &Repo) -> Result<()> {
        for level in self.levels().iter().chain(self.limits.keys()) {
            repo.level(level)?;
        }
        self.validate_orders()
    }

    fn validate_orders(&self) -> Result<()> {
        let mut seen = BTreeSet::new();
        for order in &self.order {
            ensure!(order.levels.len() > 1, "[[order]] of {:?}: at least two levels are compared", order.levels);
            for count in &order.counts {
                ensure!(seen.insert((&order.levels, count)), "[[order]] of {:?} names `{count}` twice", order.levels);
            }
        }
        for (count, reason) in &self.unordered {
            ensure!(reason.len() > 10, "[unordered] `{count}` has no reason");
            ensure!(!self.ordered().contains(count), "`{count}` is in [[order]] and in [unordered]");
        }
        Ok(())
    }

    /// The levels that orders name, in the order of their naming.
    pub fn levels(&self) -> Vec<String> {
        let mut levels = Vec::new();
        for level in self.order.iter().flat_map(|order| &order.levels) {
            if !levels.contains(level) {
                levels.push(level.clone());
            }
        }
        levels
    }

    /// The counts that orders name.
    pub fn ordered(&self) -> BTreeSet<String> {
        self.order.iter().flat_map(|order| order.counts.iter().cloned()).collect()
    }

    /// The counts that a limit is about.
    pub fn limited(&self) -> BTreeSet<String> {
        self.limits.values().flat_map(|limits| limits.keys().cloned()).collect()
    }

    /// The counts that the ledger is about.
    pub fn in_ledger(&self) -> BTreeSet<String> {
        self.ledger.iter().flat_map(|entry| entry.counts.iter().cloned()).collect()
    }

    /// The last level of the first order: the one that a negative control makes slower.
    pub fn cheapest(&self) -> Option<&str> {
        self.order.first()?.levels.last().map(String::as_str)
    }

    /// For each order of `count` in which `level` stands behind another: how many instructions fewer it needs than that one.
    pub fn advantages(&self, level: &str, count: &str, runs: &[Measured]) -> Result<Vec<u64>> {
        let orders = self.order.iter().filter(|order| order.counts.iter().any(|name| name == count));
        let pairs = orders.flat_map(|order| order.levels.windows(2).map(move |pair| (order.figure, pair)));
        let behind = pairs.filter(|(_, pair)| pair[1] == level);
        let figure = |level: &str, which| figure(runs, level, count, which).map_err(anyhow::Error::msg);
        behind.map(|(which, pair)| Ok(figure(&pair[0], which)?.saturating_sub(figure(level, which)?))).collect()
    }

    /// The orders that name `count`. A level or a count that is missing breaks them.
    pub fn judge_order(&self, count: &str, runs: &[Measured], left_out: &LeftOut) -> Vec<Verdict> {
        let orders = self.order.iter().filter(|order| order.counts.iter().any(|name| name == count));
        orders.filter_map(|order| order.judge(count, runs, left_out)).collect()
    }

    /// Every rule that concerns the runs at hand, in a fixed order.
    pub fn judge(&self, runs: &[Measured], left_out: &LeftOut) -> Vec<Verdict> {
        let mut verdicts: Vec<Verdict> =
            self.ordered().iter().flat_map(|count| self.judge_order(count, runs, left_out)).collect();
        verdicts.extend(self.judge_limits(runs, left_out));
        verdicts.extend(self.judge_ledger(runs, left_out));
        verdicts.extend(self.judge_coverage(runs));
        verdicts
    }

    /// Each limit. A level or a count that is missing breaks it.
    pub fn judge_limits(&self, runs: &[Measured], left_out: &LeftOut) -> Vec<Verdict> {
        let levels = self.limits.iter().filter(|(level, _)| !left_out.contains(*level));
        let limits = levels.flat_map(|(level, limits)| limits.iter().map(move |(count, most)| (level, count, *most)));
        let judge = |(level, count, most): (&String, &String, u64)| {
            let (holds, text) = match figure(runs, level, count, Figure::Median) {
                Ok(got) => (got <= most, format!("{level} {got}, at most {most}")),
                Err(missing) => (false, missing),
            };
            Verdict { kind: Kind::Limit, count: count.clone(), holds, text }
        };
        limits.map(judge).collect()
    }

    /// What an ordinary process may pay on the patched kernel, count by count. A run that is missing breaks it.
    pub fn judge_ledger(&self, runs: &[Measured], left_out: &LeftOut) -> Vec<Verdict> {
        let first = |runs_as| runs.iter().find(|run| run.runs_as == runs_as);
        let (vanilla, beside) = match (first(RunsAs::Vanilla), first(RunsAs::Beside)) {
            (Some(vanilla), Some(beside)) => (vanilla, beside),
            _ if !left_out.is_empty() => return vec![],
            _ => return self.ledger.iter().map(Ledger::without_runs).collect(),
        };
        let entries = self.ledger.iter().flat_map(|entry| entry.counts.iter().map(move |count| (count, entry)));
        let judge = |(count, entry): (&String, &Ledger)| {
            let max_extra = entry.max_extra;
            let of = |run: &Measured| run.counts.get(count).map(|both| entry.figure.of(both));
            let (holds, text) = match (of(vanilla), of(beside)) {
                (Some(vanilla), Some(got)) => {
                    (got <= vanilla + max_extra, format!("{got}, {max_extra} more than {vanilla} at most"))
                }
                _ => (false, format!("{} or {} printed no such count", vanilla.label, beside.label)),
            };
            let text = format!("{} against {}: {text}{}", beside.label, vanilla.label, entry.figure.note());
            Verdict { kind: Kind::Ledger, count: count.clone(), holds, text }
        };
        entries.map(judge).collect()
    }

    /// No count escapes for want of a rule.
    fn judge_coverage(&self, runs: &[Measured]) -> Vec<Verdict> {
        let printed: BTreeSet<&String> = runs.iter().flat_map(|run| run.counts.keys()).collect();
        let ordered = self.ordered();
        let verdict = |count: &String, text: &str| Verdict {
            kind: Kind::Coverage,
            count: count.clone(),
            holds: false,
            text: text.to_owned(),
        };
        let without =
            printed.iter().filter(|count| !ordered.contains(**count) && !self.unordered.contains_key(**count));
        let stale = self.unordered.keys().filter(|count| !printed.contains(count));
        without
            .map(|count| verdict(count, "neither [[order]] nor [unordered] names it"))
            .chain(stale.map(|count| verdict(count, "[unordered] names it, and no run printed it")))
            .collect()
    }
}

/// A count at a level, or what is missing.
fn figure(runs: &[Measured], level: &str, count: &str, which: Figure) -> Result<u64, String> {
    let run = runs.iter().find(|run| run.runs_as != RunsAs::Beside && run.label == level);
    let run = run.ok_or(format!("level {level} was not measured"))?;
    let both = run.counts.get(count).ok_or(format!("level {level} printed no count `{count}`"))?;
    Ok(which.of(both))
}

impl Figure {
    fn of(self, count: &Count) -> u64 {
        match self {
            Figure::Median => count.median,
            Figure::Min => count.min,
        }
    }

    /// What a verdict says of a figure that is not the usual one.
    fn note(self) -> &'static str {
        match self {
            Figure::Median => "",
            Figure::Min => " (the minimum of the batches)",
        }
    }
}

impl Ledger {
    fn without_runs(&self) -> Verdict {
        let text = "no run on the kernel without patches, or none beside the application".to_owned();
        Verdict { kind: Kind::Ledger, count: self.counts.join(", "), holds: false, text }
    }
}

impl Order {
    /// `None` when fewer than two of its levels were to be measured.
    fn judge(&self, count: &str, runs: &[Measured], left_out: &LeftOut) -> Option<Verdict> {
        let levels: Vec<&String> = self.levels.iter().filter(|level| !left_out.contains(*level)).collect();
        if levels.len() < 2 {
            return None;
        }
        let mut holds = true;
        let mut text = String::new();
        let mut before: Option<u64> = None;
        for level in levels {
            let figure = figure(runs, level, count, self.figure);
            let falls = figure.as_ref().is_ok_and(|got| before.is_none_or(|before| got + self.margin <= before));
            holds &= falls;
            if !text.is_empty() {
                text.push_str(match (before, &figure) {
                    (Some(_), Ok(_)) if falls => " > ",
                    (Some(_), Ok(_)) => ", NOT > ",
                    _ => ", ",
                });
            }
            match &figure {
                Ok(got) => text.push_str(&format!("{level} {got}")),
                Err(missing) => text.push_str(missing),
            }
            before = figure.ok();
        }
        if self.margin != 1 {
            text.push_str(&format!(" (each by {} or more)", self.margin));
        }
        text.push_str(self.figure.note());
        Some(Verdict { kind: Kind::Order, count: count.to_owned(), holds, text })
    }
}

#[cfg(test)]
mod tests;
