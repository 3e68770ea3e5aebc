//! A sample as one stack of names.

use super::samples::Sample;
use ukl_app::symbols::{End, Functions, Program, RIP, RSP, Registers};

/// Deeper than any server calls.
const MAX_FRAMES: usize = 200;
/// Where a process and a thread of a C library begin; the first is that of linked-in programs.
const STARTS: [&str; 3] = ["_ukl_start", "_start", "__clone"];
/// Registers that a function keeps for its caller, by their numbers in DWARF: RBX, RBP, R12 to R15.
const KEPT: [usize; 6] = [3, 6, 12, 13, 14, 15];

/// Where names come from.
#[derive(Debug)]
pub struct Names<'a> {
    pub program: &'a Program,
    pub kernel: &'a Functions,
    /// How far KASLR has moved the kernel's text, an application's in it.
    pub slide: u64,
}

/// A frame's name, and whether it is the kernel's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frame {
    pub name: String,
    pub kernel: bool,
}

/// An application's part of a stack.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// The innermost first.
    pub frames: Vec<Frame>,
    /// Whether it goes down to where the program starts.
    pub complete: bool,
}

impl Names<'_> {
    /// The kernel's part, the innermost first. It ends where the application called it: that frame is the application's.
    pub fn kernel_part(&self, sample: &Sample) -> Vec<Frame> {
        let entry = sample.registers.and_then(|registers| registers[RIP]);
        let mut part = Vec::new();
        for (at, address) in sample.kernel.iter().enumerate() {
            let inside = self.linked(*address);
            if self.program.text.contains(&inside) || (Some(*address) == entry && at > 0) {
                break;
            }
            // A return address lies behind its call.
            part.push(self.kernel_frame(inside - u64::from(at > 0)));
        }
        part
    }

    /// The application's part.
    pub fn application_part(&self, sample: &Sample) -> Part {
        let mut part = Part { frames: Vec::new(), complete: false };
        let Some(mut registers) = sample.registers else { return part };
        let Some(base) = registers[RSP] else { return part };
        let load = |address: u64| {
            let start = usize::try_from(address.checked_sub(base)?).ok()?;
            Some(u64::from_le_bytes(sample.stack.get(start..start.checked_add(8)?)?.try_into().ok()?))
        };
        if let Some(entry) = registers[RIP].filter(|address| !self.program.text.contains(&self.code(*address))) {
            // Called directly: the kernel's stub has touched nothing of the stack and keeps what a function keeps, but does
            // not store it.
            if sample.kernel.is_empty() {
                part.frames.push(self.kernel_frame(self.linked(entry)));
            } else {
                KEPT.iter().for_each(|register| registers[*register] = None);
            }
            registers[RIP] = load(base);
            registers[RSP] = Some(base.wrapping_add(8));
        }
        let mut called = !part.frames.is_empty() || registers[RIP] != sample.registers.and_then(|r| r[RIP]);
        while let Some(address) = registers[RIP].filter(|_| part.frames.len() < MAX_FRAMES) {
            let at = self.code(address).wrapping_sub(u64::from(called));
            let Some(function) = self.program.functions.at(at) else {
                let last = part.frames.last().is_some_and(|frame| STARTS.contains(&frame.name.as_str()));
                part.complete = address == 0 || last;
                return part;
            };
            if begins_again(&part.frames, &function.name) {
                part.complete = true;
                return part;
            }
            // The short form has no hash.
            let name = format!("{:#}", rustc_demangle::demangle(&function.name));
            part.frames.push(Frame { name, kernel: false });
            match self.step(at, &registers, &load) {
                Ok(caller) => registers = caller,
                Err(end) => {
                    part.complete = end == End::Outermost || STARTS.contains(&function.name.as_str());
                    return part;
                }
            }
            called = true;
        }
        part
    }

    fn step(&self, at: u64, registers: &Registers, load: &impl Fn(u64) -> Option<u64>) -> Result<Registers, End> {
        self.program.frames.caller(at, registers, load)
    }

    /// An address of the kernel as the image has it.
    fn linked(&self, address: u64) -> u64 {
        address.wrapping_sub(self.slide)
    }

    /// An address of the application as its program has it: an ordinary one is where it was linked.
    fn code(&self, address: u64) -> u64 {
        if self.program.text.start >> 63 == 1 { self.linked(address) } else { address }
    }

    fn kernel_frame(&self, address: u64) -> Frame {
        let name = self.kernel.at(address).map_or_else(|| "[unknown]".to_owned(), |function| function.name.clone());
        Frame { name, kernel: true }
    }
}

/// Whether a stack has ended although there seems to be a caller: a new thread has its creator's registers until it calls its function,
/// and they lead to the same place again.
fn begins_again(frames: &[Frame], caller: &str) -> bool {
    STARTS.contains(&caller) && frames.last().is_some_and(|frame| STARTS.contains(&frame.name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_has_no_start_for_its_caller() {
        let frames = |name: &str| vec![Frame { name: name.to_owned(), kernel: false }];
        assert!(begins_again(&frames("__clone"), "__clone"));
        // Who makes a thread is in `__clone` as well, and has callers.
        assert!(!begins_again(&frames("__clone"), "pthread_create"));
        assert!(!begins_again(&frames("main"), "_start"));
        assert!(!begins_again(&[], "__clone"));
    }
}
