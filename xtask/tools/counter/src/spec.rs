//! What the plug-in is told: the addresses in the guest's kernel at which something happens.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The file given as `spec=FILE`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Kernel addresses whose instructions count as the application's own. The lower half always does.
    pub user_text: Vec<Range>,
    pub switch: Switch,
    /// The idle task's `task_struct`.
    pub idle_task: u64,
    /// First instructions of the handlers of device and timer interrupts.
    pub interrupt_entries: Vec<u64>,
    /// First instructions of the handlers of exceptions.
    pub exception_entries: Vec<u64>,
    /// Those of them that are entered before the instruction that caused it has done its work; it is executed again.
    pub fault_entries: Vec<u64>,
    /// The instructions that return from an interrupt or exception.
    pub interrupt_returns: Vec<u64>,
    /// The first instruction of the function that runs softirqs.
    pub softirq_entry: u64,
    /// The instructions by which it is left.
    pub softirq_exits: Vec<u64>,
    /// What else is counted.
    pub watches: Vec<Watch>,
    /// The kernel's functions, for a profile; none without one.
    #[serde(default)]
    pub functions: Vec<Function>,
}

/// Addresses from `start` up to but not including `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    pub start: u64,
    pub end: u64,
}

impl Range {
    pub fn contains(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }
}

/// How a task switch shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// The instruction that loads the next task's stack pointer from its `task_struct`.
    pub load: u64,
    /// Where in the `task_struct` that pointer lies.
    pub offset_bytes: u64,
}

/// Counts how often any of these instructions is executed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    pub name: String,
    pub addresses: Vec<u64>,
}

/// A function of the kernel; it ends where the next one begins.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    pub address: u64,
    pub name: String,
}

impl Spec {
    /// Reads and checks the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("reading {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let spec: Spec = serde_json::from_str(text)?;
        for range in &spec.user_text {
            ensure!(range.start < range.end, "`user_text`: {:#x} to {:#x} is empty", range.start, range.end);
        }
        for (name, address) in
            [("switch.load", spec.switch.load), ("idle_task", spec.idle_task), ("softirq_entry", spec.softirq_entry)]
        {
            ensure!(address != 0, "`{name}` is 0; an address in the kernel was expected");
        }
        for (name, list) in [
            ("interrupt_entries", &spec.interrupt_entries),
            ("interrupt_returns", &spec.interrupt_returns),
            ("softirq_exits", &spec.softirq_exits),
        ] {
            ensure!(!list.is_empty(), "`{name}` is empty; without it what it would mark is counted as something else");
        }
        for fault in &spec.fault_entries {
            ensure!(
                spec.exception_entries.contains(fault),
                "`fault_entries`: {fault:#x} is not among `exception_entries`"
            );
        }
        ensure!(spec.functions.is_sorted_by_key(|function| function.address), "`functions` is not sorted by address");
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Spec {
        Spec {
            user_text: vec![Range { start: 0xffff_ffff_8155_1000, end: 0xffff_ffff_816e_e000 }],
            switch: Switch { load: 0x10, offset_bytes: 3000 },
            idle_task: 0x20,
            interrupt_entries: vec![0x30],
            exception_entries: vec![0x40],
            fault_entries: vec![0x40],
            interrupt_returns: vec![0x50],
            softirq_entry: 0x60,
            softirq_exits: vec![0x70],
            watches: vec![Watch { name: "page_faults".to_owned(), addresses: vec![0x40] }],
            functions: vec![Function { address: 0x10, name: "__switch_to_asm".to_owned() }],
        }
    }

    fn error(change: impl FnOnce(&mut Spec)) -> String {
        let mut spec = spec();
        change(&mut spec);
        Spec::parse(&serde_json::to_string(&spec).unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Spec::parse(&serde_json::to_string(&spec()).unwrap()).unwrap(), spec());
    }

    #[test]
    fn a_misspelt_key_is_named() {
        let text = serde_json::to_string(&spec()).unwrap().replace("softirq_entry", "softirq_entri");
        let error = Spec::parse(&text).unwrap_err().to_string();
        assert!(error.contains("unknown field `softirq_entri`"), "{error}");
    }

    #[test]
    fn what_would_count_wrongly_is_refused() {
        assert!(error(|spec| spec.user_text[0].end = 0).contains("`user_text`: 0xffffffff81551000 to 0x0 is empty"));
        assert!(error(|spec| spec.switch.load = 0).starts_with("`switch.load` is 0"));
        assert!(error(|spec| spec.softirq_exits.clear()).starts_with("`softirq_exits` is empty"));
        assert!(error(|spec| spec.fault_entries.push(0x41)).contains("0x41 is not among"));
        let function = Function { address: 1, name: "early".to_owned() };
        assert!(error(|spec| spec.functions.push(function)).contains("not sorted"));
    }
}
