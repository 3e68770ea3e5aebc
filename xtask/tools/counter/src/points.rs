//! What an instruction means, by its address alone: worked out once, when it is translated.

use crate::functions::Functions;
use crate::spec::Spec;
use crate::{BEGIN_MARK, END_MARK};
use std::collections::HashMap;

/// Something that happens with an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// The measured part begins after it.
    Begin,
    /// The measured part ended before it.
    End,
    /// It is the first one of an interrupt's handler.
    InterruptEntry,
    /// It is the first one of an exception's handler; after a fault the instruction before it has not been completed.
    ExceptionEntry {
        fault: bool,
    },
    /// It returns from either.
    InterruptReturn,
    SoftirqEntry,
    /// It leaves the function that runs softirqs.
    SoftirqExit,
    /// It is counted under the watch of this number.
    Watch(usize),
}

/// An instruction of the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub address: u64,
    /// The application's own, be it in the lower half or linked into the kernel.
    pub user: bool,
    pub points: Box<[Point]>,
    /// The kernel function it belongs to, for the profile.
    pub function: Option<usize>,
}

/// Every address at which something happens.
#[derive(Clone, Debug)]
pub(crate) struct Points {
    spec: Spec,
    points: HashMap<u64, Vec<Point>>,
    pub functions: Functions,
}

impl Points {
    pub(crate) fn new(mut spec: Spec) -> Self {
        let mut points: HashMap<u64, Vec<Point>> = HashMap::new();
        let mut add = |address: u64, point: Point| points.entry(address).or_default().push(point);
        // What changes the class stands before the watches, which then count under the new one.
        add(BEGIN_MARK, Point::Begin);
        add(END_MARK, Point::End);
        spec.interrupt_entries.iter().for_each(|&address| add(address, Point::InterruptEntry));
        for &address in &spec.exception_entries {
            add(address, Point::ExceptionEntry { fault: spec.fault_entries.contains(&address) });
        }
        spec.interrupt_returns.iter().for_each(|&address| add(address, Point::InterruptReturn));
        add(spec.softirq_entry, Point::SoftirqEntry);
        spec.softirq_exits.iter().for_each(|&address| add(address, Point::SoftirqExit));
        for (number, watch) in spec.watches.iter().enumerate() {
            watch.addresses.iter().for_each(|&address| add(address, Point::Watch(number)));
        }
        let functions = Functions::new(std::mem::take(&mut spec.functions));
        Points { spec, points, functions }
    }

    pub(crate) fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The instruction at this address.
    pub(crate) fn instruction(&self, address: u64) -> Instruction {
        let user = address >> 63 == 0 || self.spec.user_text.iter().any(|range| range.contains(address));
        Instruction {
            address,
            user,
            points: self.points.get(&address).cloned().unwrap_or_default().into_boxed_slice(),
            function: if user { None } else { self.functions.at(address) },
        }
    }
}

/// A spec with round addresses, for tests.
#[cfg(test)]
pub(crate) fn example() -> Spec {
    use crate::spec::{Function, Range, Switch, Watch};
    const KERNEL: u64 = 0xffff_ffff_8100_0000;
    Spec {
        user_text: vec![Range { start: KERNEL + 0x5000, end: KERNEL + 0x6000 }],
        switch: Switch { load: KERNEL + 0x100, offset_bytes: 0x10 },
        idle_task: KERNEL + 0x9000,
        interrupt_entries: vec![KERNEL + 0x200],
        exception_entries: vec![KERNEL + 0x300, KERNEL + 0x310],
        fault_entries: vec![KERNEL + 0x300],
        interrupt_returns: vec![KERNEL + 0x400],
        softirq_entry: KERNEL + 0x500,
        softirq_exits: vec![KERNEL + 0x510],
        watches: vec![Watch { name: "page_faults".to_owned(), addresses: vec![KERNEL + 0x300] }],
        functions: vec![
            Function { address: KERNEL, name: "_text".to_owned() },
            Function { address: KERNEL + 0x500, name: "handle_softirqs".to_owned() },
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_application_is_the_lower_half_and_what_is_linked_in() {
        let points = Points::new(example());
        assert!(points.instruction(0x40_1000).user);
        assert!(points.instruction(0xffff_ffff_8100_5000).user);
        assert!(!points.instruction(0xffff_ffff_8100_6000).user);
    }

    #[test]
    fn an_address_can_mean_several_things() {
        let fault = Points::new(example()).instruction(0xffff_ffff_8100_0300);
        assert_eq!(*fault.points, [Point::ExceptionEntry { fault: true }, Point::Watch(0)]);
        assert_eq!(fault.function, Some(0));
    }
}
