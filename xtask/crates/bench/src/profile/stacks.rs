//! All samples, equal stacks together.

use super::Recording;
use super::guest::PERIOD_NS;
use super::samples::Sample;
use super::unwind::{Frame, Names};
use anyhow::Result;
use std::collections::BTreeMap;
use std::fmt::Write;
use ukl_host::columns;

/// How the root of a stack is called whose outer frames are not known.
const CUT: &str = "[outer frames unknown]";
/// Marks a frame of the kernel, for colours.
const KERNEL: &str = "_[k]";

/// Numbers of samples.
#[derive(Debug, Default)]
pub struct Stacks {
    /// Of the application, by stack, the outermost frame first.
    stacks: BTreeMap<Vec<Frame>, usize>,
    /// Of each process by its name.
    processes: BTreeMap<String, usize>,
    cut: usize,
}

impl Stacks {
    /// Puts the application's samples together; of the others the number counts.
    pub fn new(samples: &[Sample], place: &Names, recording: &Recording) -> Result<Self> {
        let mut all = Stacks::default();
        for sample in samples {
            *all.processes.entry(sample.comm.clone()).or_default() += 1;
            if sample.pid == recording.pid {
                let part = place.application_part(sample);
                let mut frames = place.kernel_part(sample);
                frames.extend(part.frames);
                if !part.complete {
                    frames.push(Frame { name: CUT.to_owned(), kernel: false });
                    all.cut += 1;
                }
                frames.push(Frame { name: sample.comm.clone(), kernel: false });
                frames.reverse();
                *all.stacks.entry(frames).or_default() += 1;
            }
        }
        Ok(all)
    }

    /// The samples of the application.
    pub fn of_application(&self) -> usize {
        self.stacks.values().sum()
    }

    /// Samples in whose stack these functions stand one above the other, the caller first, with any others between them.
    pub fn through(&self, names: &[&str]) -> usize {
        let passes = |stack: &Vec<Frame>| {
            let mut rest = stack.iter();
            names.iter().all(|name| rest.any(|frame| frame.name == *name))
        };
        self.stacks.iter().filter(|(stack, _)| passes(stack)).map(|(_, count)| count).sum()
    }

    /// The share of stacks that do not reach the program's start.
    pub fn cut(&self) -> f64 {
        self.cut as f64 / self.of_application().max(1) as f64
    }

    /// A line for each stack: its frames with semicolons between them, and the number of samples.
    pub fn folded(&self) -> String {
        self.lines().into_iter().map(|(stack, count)| format!("{stack} {count}\n")).collect()
    }

    /// The same as pairs.
    pub fn lines(&self) -> BTreeMap<String, usize> {
        let name = |frame: &Frame| format!("{}{}", frame.name, if frame.kernel { KERNEL } else { "" });
        let line = |stack: &Vec<Frame>| stack.iter().map(name).collect::<Vec<_>>().join(";");
        self.stacks.iter().map(|(stack, count)| (line(stack), *count)).collect()
    }

    /// A table of processes, and what of the application's samples is in the kernel.
    pub fn shares(&self, app: &str, level: &str) -> String {
        let total = self.processes.values().sum::<usize>().max(1) as f64;
        let mut rows: Vec<_> = self.processes.iter().collect();
        rows.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
        let line = |(name, count): &(&String, &usize)| {
            vec![(*name).clone(), count.to_string(), format!("{:.1} %", 100.0 * **count as f64 / total)]
        };
        let mut text = format!("samples of {app} at level {level}, one in {PERIOD_NS} instructions:\n");
        let table = [
            vec![vec!["process".to_owned(), "samples".to_owned(), "share".to_owned()]],
            rows.iter().map(line).collect(),
        ];
        text.push_str(&columns::aligned(&table.concat(), 1));
        let kernel = |(stack, count): (&Vec<Frame>, &usize)| stack.last().filter(|frame| frame.kernel).map(|_| *count);
        let kernel: usize = self.stacks.iter().filter_map(kernel).sum();
        let all = self.of_application().max(1) as f64;
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{:.1} % of the application's in the kernel; {:.1} % of its stacks do not reach its start",
            100.0 * kernel as f64 / all,
            100.0 * self.cut()
        );
        text
    }
}
