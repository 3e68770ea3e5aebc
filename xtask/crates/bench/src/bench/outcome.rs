//! What the benchmarks of one run bring together.

use anyhow::Error;
use ukl_report::record::{Accelerator, GuestFacts, Sample};
use ukl_vm::qemu;

/// Everything that is written, and what the run ends with.
#[derive(Debug, Default)]
pub struct Outcome {
    pub samples: Vec<Sample>,
    /// Each that was used, once.
    pub accelerators: Vec<Accelerator>,
    /// Of the first machine that could be asked.
    pub guest: Option<GuestFacts>,
    /// Rules that are broken, by application: known at its end, reported when everything is written.
    pub broken: Vec<Error>,
}

impl Outcome {
    pub fn used(&mut self, accelerator: qemu::Accelerator) {
        let accelerator = accelerator.into();
        if !self.accelerators.contains(&accelerator) {
            self.accelerators.push(accelerator);
        }
    }
}
