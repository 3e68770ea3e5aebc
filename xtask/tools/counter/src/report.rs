//! What the plug-in found out, and how it is put down.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The file given as `out=FILE`, complete when it appears.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Instructions between the marks.
    pub instructions: u64,
    /// The tasks that ran, in the order in which they first did.
    pub tasks: Vec<TaskCount>,
}

/// What was executed while one task was the current one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TaskCount {
    /// Address of its `task_struct`.
    pub address: u64,
    /// Whether it executed the marks, as the load generator does.
    pub client: bool,
    /// Whether it is the idle task.
    pub idle: bool,
    pub instructions: Classes,
    /// Further iterations of repeated string instructions; each such instruction is counted once above.
    pub string_iterations: u64,
    /// By the name of the watch; those that were never executed too.
    pub watches: BTreeMap<String, u64>,
    /// Kernel instructions by function, most first; empty without a profile.
    #[serde(default)]
    pub functions: Vec<FunctionCount>,
}

/// Instructions by what the processor was doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Classes {
    /// The task's own code.
    pub user: u64,
    /// The kernel on its behalf: system calls and exceptions.
    pub kernel: u64,
    /// Softirqs that ran meanwhile, such as the receiving side of what was sent to the own machine.
    pub softirq: u64,
    /// Interrupts of devices and the timer, up to the return from them.
    pub interrupt: u64,
}

impl Classes {
    pub fn total(&self) -> u64 {
        self.user + self.kernel + self.softirq + self.interrupt
    }
}

/// A line of the profile.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionCount {
    pub name: String,
    pub instructions: Classes,
}

impl Report {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
    }

    /// Writes the file beside its place and renames it, so that nobody reads half of it.
    pub fn write(&self, path: &Path) -> Result<()> {
        let unfinished = path.with_extension("unfinished");
        let text = serde_json::to_string_pretty(self).context("encoding the report")?;
        std::fs::write(&unfinished, text).with_context(|| format!("writing {}", unfinished.display()))?;
        std::fs::rename(&unfinished, path).with_context(|| format!("renaming {}", unfinished.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_add_up() {
        assert_eq!(Classes { user: 1, kernel: 20, softirq: 300, interrupt: 4000 }.total(), 4321);
    }

    #[test]
    fn a_report_that_cannot_be_written_names_the_file() {
        let error = Report::default().write(Path::new("/nowhere/report.json")).unwrap_err().to_string();
        assert_eq!(error, "writing /nowhere/report.unfinished");
    }
}
