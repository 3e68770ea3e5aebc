//! What protects the machine's kernel, as the guest finds it when it starts.

use super::READY_DEADLINE;
use anyhow::{Context, Result};
use ukl_vm::vm::Vm;
use ukl_vm::vm::protocol::Mark;

/// What is on, and what is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    pub on: Vec<String>,
    pub off: Vec<String>,
}

/// Waits until the guest has said it: before it starts the application.
pub fn of(vm: &mut Vm) -> Result<Protection> {
    vm.wait_for("the machine to say what protects it", READY_DEADLINE, |mark| matches!(mark, Mark::Protection { .. }))?;
    let found = vm.marks().iter().find_map(|mark| match mark {
        Mark::Protection { on, off } => Some(Protection { on: on.clone(), off: off.clone() }),
        _ => None,
    });
    found.context("the mark that was waited for")
}

impl Protection {
    /// For the user: what is on, and a warning where something is not.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("protection: {}", self.on.join(" "))];
        if !self.off.is_empty() {
            lines.push(format!(
                "warning: not protected: {}; docs/security.md says what each is for",
                self.off.join(" ")
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protection_that_is_off_is_a_warning() {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let complete = Protection { on: names(&["smep", "smap"]), off: vec![] };
        assert_eq!(complete.lines(), ["protection: smep smap"]);
        let lacking = Protection { on: names(&["smep"]), off: names(&["smap", "kaslr"]) };
        assert_eq!(lacking.lines().len(), 2);
        assert!(lacking.lines()[1].starts_with("warning: not protected: smap kaslr;"), "{:?}", lacking.lines());
    }
}
