//! What can be measured: each metric with its unit, its direction and what it is called in the report.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A metric. To add one, add a variant and its row in [`Metric::describe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    InstructionsPerCall,
    NsPerCall,
    ServerInstructionsPerRequest,
    KernelEntriesPerRequest,
    ContextSwitchesPerRequest,
    PageFaultsPerRequest,
    RequestsPerS,
    RequestsPerSUnderLimit,
    KibPerS,
    LatencyUs,
    QueryMs,
    InstructionsPerRound,
    BootToFirstPongS,
    ImageBytes,
    IdleMemoryBytes,
}

/// Which direction is an improvement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    Lower,
    Higher,
}

/// One row of the table of metrics.
struct Description {
    unit: &'static str,
    better: Better,
    title: &'static str,
    /// What an axis says: the quantity and its unit.
    axis: &'static str,
    /// Parameters without which a value cannot be placed in the report.
    required: &'static [&'static str],
}

impl Metric {
    fn describe(self) -> Description {
        let row = |title, axis, unit, better, required| Description { unit, better, title, axis, required };
        use Better::{Higher, Lower};
        match self {
            Metric::InstructionsPerCall => {
                row("Instructions per call", "instructions per call", "instructions", Lower, &["call"])
            }
            Metric::NsPerCall => row("Time per call", "time per call, ns", "ns", Lower, &["call"]),
            Metric::ServerInstructionsPerRequest => row(
                "Server instructions per request",
                "instructions per request",
                "instructions",
                Lower,
                &["command", "scope"],
            ),
            Metric::KernelEntriesPerRequest => {
                row("Kernel entries per request", "entries per request", "entries", Lower, &["command"])
            }
            Metric::ContextSwitchesPerRequest => {
                row("Context switches per request", "context switches per request", "switches", Lower, &["command"])
            }
            Metric::PageFaultsPerRequest => {
                row("Page faults per request", "page faults per request", "faults", Lower, &["command"])
            }
            Metric::RequestsPerS => row("Throughput", "throughput, requests/s", "requests/s", Higher, &["command"]),
            Metric::RequestsPerSUnderLimit => row(
                "Highest rate under the p99 limit",
                "rate, requests/s",
                "requests/s",
                Higher,
                &["command", "p99_limit_us"],
            ),
            Metric::KibPerS => row("Data throughput", "throughput, KiB/s", "KiB/s", Higher, &["command"]),
            Metric::LatencyUs => row("Latency", "latency, µs", "µs", Lower, &["command", "percentile"]),
            Metric::QueryMs => row("Time of a query", "time, ms", "ms", Lower, &["command"]),
            Metric::InstructionsPerRound => {
                row("Instructions per round of messages", "instructions per round", "instructions", Lower, &["command"])
            }
            Metric::BootToFirstPongS => row("Boot to first PONG", "time, s", "s", Lower, &[]),
            Metric::ImageBytes => row("Image size", "size, bytes", "bytes", Lower, &["part"]),
            Metric::IdleMemoryBytes => row("Memory in use when idle", "memory, bytes", "bytes", Lower, &[]),
        }
    }

    /// The unit of every value of this metric.
    pub fn unit(self) -> &'static str {
        self.describe().unit
    }

    pub fn better(self) -> Better {
        self.describe().better
    }

    /// What a figure of this metric is called.
    pub fn title(self) -> &'static str {
        self.describe().title
    }

    /// The quantity and its unit, for an axis.
    pub fn axis(self) -> &'static str {
        self.describe().axis
    }

    /// Names of the parameters that every sample has.
    pub fn required(self) -> &'static [&'static str] {
        self.describe().required
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}
