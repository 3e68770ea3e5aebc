//! `bench.json`: what one run of `cargo xtask bench` measured, on what, with every raw sample.
//!
//! docs/benchmarking.md explains each field. Reading is strict: an unknown key, a unit that is not the metric's own and a
//! sample without the parameter that makes it comparable are errors.

mod metric;
mod surroundings;

pub use metric::{Better, Metric};
pub use surroundings::{GuestFacts, Host, Revision, emulator_version};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::Path;
use ukl_host::failure::Failure;
use ukl_vm::qemu;

/// The file's name below the folder given with `--out`.
pub const FILE_NAME: &str = "bench.json";
/// Grows when a reader of the old form would misunderstand the new one.
const SCHEMA_VERSION: u32 = 1;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub schema_version: u32,
    pub revision: Revision,
    pub started_at: jiff::Timestamp,
    pub host: Host,
    pub emulator: Emulator,
    pub guest: GuestFacts,
    pub samples: Vec<Sample>,
}

/// What is as it is before the work begins: the tree, the host's load, the time.
#[derive(Clone, Debug)]
pub struct Start {
    pub revision: Revision,
    pub at: jiff::Timestamp,
    pub host: Host,
}

impl Start {
    /// Now, in the checkout at `root`.
    pub fn now(root: &Path) -> Result<Self> {
        Ok(Start { revision: Revision::of(root)?, at: jiff::Timestamp::now(), host: Host::here()? })
    }
}

/// What executed the guests' instructions. Counting and timing use different accelerators within one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emulator {
    pub version: String,
    pub accelerators: Vec<Accelerator>,
}

/// How the guest's instructions were executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accelerator {
    /// By the processor itself.
    Kvm,
    /// Translated; times say nothing about hardware.
    Tcg,
    /// Translated, with a clock that advances by one nanosecond per instruction.
    TcgCounting,
}

impl From<qemu::Accelerator> for Accelerator {
    fn from(accelerator: qemu::Accelerator) -> Self {
        match accelerator {
            qemu::Accelerator::Kvm => Accelerator::Kvm,
            qemu::Accelerator::Tcg | qemu::Accelerator::TcgParallel => Accelerator::Tcg,
            qemu::Accelerator::TcgCounting => Accelerator::TcgCounting,
        }
    }
}

/// One value as it was read, never an average.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    pub app: String,
    pub level: String,
    pub metric: Metric,
    pub parameters: Parameters,
    pub unit: String,
    pub better: Better,
    pub kind: Kind,
    pub round: u32,
    pub value: f64,
}

/// What two samples must share to be compared, `connections` or `call` for example.
pub type Parameters = BTreeMap<String, Parameter>;

/// A parameter's value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Parameter {
    Number(u64),
    Text(String),
}

/// Where a value comes from; never mixed in one figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Events that were counted, the same in every run.
    Counted,
    /// Wall-clock time while the guest was emulated: comparable within this run only.
    EmulatedTime,
    /// Wall-clock time on hardware.
    MeasuredTime,
    /// Computed by the cost model.
    Modelled,
}

impl From<u64> for Parameter {
    fn from(number: u64) -> Self {
        Parameter::Number(number)
    }
}

impl From<&str> for Parameter {
    fn from(text: &str) -> Self {
        Parameter::Text(text.to_owned())
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Parameter::Number(number) => number.fmt(f),
            Parameter::Text(text) => text.fmt(f),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Counted => "counted",
            Kind::EmulatedTime => "emulated time",
            Kind::MeasuredTime => "measured time",
            Kind::Modelled => "modelled",
        })
    }
}

impl Sample {
    /// A sample with the metric's own unit and direction.
    pub fn new(app: &str, level: &str, metric: Metric, kind: Kind, round: u32, value: f64) -> Self {
        Sample {
            app: app.to_owned(),
            level: level.to_owned(),
            metric,
            parameters: Parameters::new(),
            unit: metric.unit().to_owned(),
            better: metric.better(),
            kind,
            round,
            value,
        }
    }

    /// The same with one parameter more.
    pub fn with(mut self, name: &str, value: impl Into<Parameter>) -> Self {
        self.parameters.insert(name.to_owned(), value.into());
        self
    }

    fn validate(&self) -> Result<()> {
        let metric = self.metric;
        ensure!(self.unit == metric.unit(), "unit `{}`, but {metric} is in `{}`", self.unit, metric.unit());
        ensure!(self.better == metric.better(), "`better` is {:?}, but {metric} is {:?}", self.better, metric.better());
        ensure!(self.value.is_finite() && self.value >= 0.0, "value {} is not a quantity", self.value);
        for name in metric.required() {
            ensure!(self.parameters.contains_key(*name), "{metric} needs the parameter `{name}`");
        }
        Ok(())
    }
}

impl Record {
    /// A record in today's form.
    pub fn new(start: Start, emulator: Emulator, guest: GuestFacts, samples: Vec<Sample>) -> Self {
        let Start { revision, at: started_at, host } = start;
        Record { schema_version: SCHEMA_VERSION, revision, started_at, host, emulator, guest, samples }
    }

    /// Whether a time in this record was taken while the guest was emulated.
    pub fn emulated(&self) -> bool {
        self.emulator.accelerators.iter().any(|accelerator| *accelerator != Accelerator::Kvm)
    }

    /// Whether other work took part of the host away from what was timed.
    pub fn disturbed(&self) -> bool {
        let timed = |sample: &Sample| matches!(sample.kind, Kind::EmulatedTime | Kind::MeasuredTime);
        self.host.load_average_1_min > f64::from(self.host.cpus) && self.samples.iter().any(timed)
    }

    /// Reads and checks `bench.json` in a folder.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE_NAME);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::usage(
                format!("reading {}: {error}", path.display()),
                "name a folder that `cargo xtask bench --out DIR` has written",
            )
        })?;
        let record: Record = serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        record.validate().with_context(|| format!("in {}", path.display()))?;
        Ok(record)
    }

    /// Writes `bench.json` into a folder, which is made when it is not there; the file appears when it is complete.
    pub fn write(&self, dir: &Path) -> Result<()> {
        self.validate().context("refusing to write a record that could not be read again")?;
        let mut text = serde_json::to_vec_pretty(self).context("writing the record as JSON")?;
        text.push(b'\n');
        write_whole(&dir.join(FILE_NAME), &text)
    }

    fn validate(&self) -> Result<()> {
        ensure!(
            self.schema_version == SCHEMA_VERSION,
            "schema_version is {}, but this program reads {SCHEMA_VERSION}",
            self.schema_version
        );
        for (index, sample) in self.samples.iter().enumerate() {
            sample.validate().with_context(|| format!("sample {index} ({} at {})", sample.app, sample.level))?;
        }
        Ok(())
    }
}

/// Writes a file that is never seen half-written, making its folder first.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(dir)?;
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(dir)
        .with_context(|| format!("creating a file in {}", dir.display()))?;
    file.write_all(content).with_context(|| format!("writing {}", path.display()))?;
    file.persist(path).with_context(|| format!("renaming the new file to {}", path.display()))?;
    Ok(())
}

#[cfg(test)]
pub mod tests;
