//! Whole stories: what is executed in which order, and where it must be counted.

use super::*;
use crate::points::example;
use crate::{BEGIN_MARK, END_MARK};

const KERNEL: u64 = 0xffff_ffff_8100_0000;
const INTERRUPT: u64 = KERNEL + 0x200;
const PAGE_FAULT: u64 = KERNEL + 0x300;
const TRAP: u64 = KERNEL + 0x310;
const RETURN: u64 = KERNEL + 0x400;
const SOFTIRQ: u64 = KERNEL + 0x500;
const SOFTIRQ_EXIT: u64 = KERNEL + 0x510;
const LINKED_IN: u64 = KERNEL + 0x5000;
const CLIENT: u64 = 0xffff_8880_0000_1000;
const SERVER: u64 = 0xffff_8880_0000_2000;

struct Story {
    points: Points,
    attribution: Attribution,
}

impl Story {
    /// The client has just executed the mark.
    fn begin() -> Self {
        let points = Points::new(example());
        let mut attribution = Attribution::new(&points);
        attribution.switch(CLIENT + 0x10);
        assert_eq!(*points.instruction(BEGIN_MARK).points, [Point::Begin]);
        attribution.begin();
        Story { points, attribution }
    }

    fn run(&mut self, addresses: &[u64]) -> &mut Self {
        addresses.iter().for_each(|&address| self.attribution.execute(&self.points.instruction(address)));
        self
    }

    fn switch(&mut self, task: u64) -> &mut Self {
        self.attribution.switch(task + 0x10);
        self
    }

    fn task(&self, address: u64) -> TaskCount {
        let report = self.attribution.report(&self.points);
        report.tasks.into_iter().find(|task| task.address == address).unwrap_or_default()
    }

    fn classes(&self, task: u64) -> [u64; 4] {
        let Classes { user, kernel, softirq, interrupt } = self.task(task).instructions;
        [user, kernel, softirq, interrupt]
    }
}

#[test]
fn a_system_call_is_user_then_kernel_then_user() {
    let mut story = Story::begin();
    story.run(&[0x1000, 0x1001, KERNEL, KERNEL + 1, KERNEL + 2, 0x1002]);
    assert_eq!(story.classes(CLIENT), [3, 3, 0, 0]);
    assert!(story.task(CLIENT).client);
}

#[test]
fn what_is_linked_in_is_the_application() {
    let mut story = Story::begin();
    story.run(&[LINKED_IN, LINKED_IN + 4, KERNEL, LINKED_IN + 8]);
    assert_eq!(story.classes(CLIENT), [3, 1, 0, 0]);
}

#[test]
fn a_task_is_current_from_its_stack_pointer_on() {
    let mut story = Story::begin();
    story.run(&[0x1000, KERNEL]).switch(SERVER).run(&[KERNEL + 4, KERNEL + 8, 0x2000]).switch(CLIENT).run(&[KERNEL]);
    assert_eq!((story.classes(CLIENT), story.classes(SERVER)), ([1, 2, 0, 0], [1, 2, 0, 0]));
    assert!(!story.task(SERVER).client);
    assert_eq!(story.attribution.report(&story.points).instructions, 6);
}

#[test]
fn a_softirq_inside_an_interrupt_inside_a_system_call() {
    let mut story = Story::begin();
    story.run(&[0x1000, KERNEL]);
    story.run(&[INTERRUPT, INTERRUPT + 1]);
    story.run(&[SOFTIRQ, SOFTIRQ + 1, SOFTIRQ + 2, SOFTIRQ_EXIT]);
    story.run(&[INTERRUPT + 2, RETURN]);
    story.run(&[KERNEL + 1, 0x1001]);
    assert_eq!(story.classes(CLIENT), [2, 2, 4, 4]);
}

#[test]
fn an_exception_belongs_to_what_it_interrupts() {
    let mut story = Story::begin();
    story.run(&[SOFTIRQ, TRAP, TRAP + 1, RETURN, SOFTIRQ + 1, SOFTIRQ_EXIT, KERNEL, 0x1000, TRAP, RETURN, 0x1001]);
    assert_eq!(story.classes(CLIENT), [2, 3, 6, 0]);
}

#[test]
fn a_task_keeps_its_nesting_while_it_does_not_run() {
    let mut story = Story::begin();
    story.run(&[0x1000, INTERRUPT]).switch(SERVER).run(&[KERNEL, 0x2000, KERNEL + 4]).switch(CLIENT);
    story.run(&[KERNEL, RETURN, 0x1001]);
    assert_eq!((story.classes(CLIENT), story.classes(SERVER)), ([2, 0, 0, 3], [1, 2, 0, 0]));
}

#[test]
fn an_instruction_that_faults_is_counted_when_it_has_been_done() {
    let mut story = Story::begin();
    story.run(&[0x1000, 0x1004, PAGE_FAULT, PAGE_FAULT + 1, RETURN, 0x1004, 0x1008]);
    assert_eq!(story.classes(CLIENT), [3, 3, 0, 0]);
    assert_eq!(story.task(CLIENT).watches["page_faults"], 1);
}

#[test]
fn a_repeated_string_instruction_is_one_instruction() {
    let mut story = Story::begin();
    story.run(&[0x1000, 0x1004, 0x1004, 0x1004, 0x1008]);
    assert_eq!(story.classes(CLIENT), [3, 0, 0, 0]);
    assert_eq!(story.task(CLIENT).string_iterations, 2);
}

#[test]
fn nothing_is_counted_before_and_after_the_marks() {
    let mut story = Story::begin();
    assert_eq!(story.attribution.report(&story.points), Report::default());
    story.run(&[0x1000, END_MARK]);
    assert_eq!(story.attribution.phase(), Phase::Done);
    assert_eq!(story.classes(CLIENT), [1, 0, 0, 0]);
}

#[test]
fn the_profile_tells_functions_and_classes_apart() {
    let mut story = Story::begin();
    story.run(&[KERNEL, SOFTIRQ, SOFTIRQ + 1, SOFTIRQ_EXIT, SOFTIRQ + 2, 0x1000]);
    let functions = story.task(CLIENT).functions;
    let rows: Vec<_> =
        functions.iter().map(|f| (f.name.as_str(), f.instructions.kernel, f.instructions.softirq)).collect();
    assert_eq!(rows, [("handle_softirqs", 1, 3), ("_text", 1, 0)]);
}

#[test]
fn the_idle_task_is_told_apart() {
    let mut story = Story::begin();
    story.switch(KERNEL + 0x9000).run(&[KERNEL]);
    assert!(story.task(KERNEL + 0x9000).idle && !story.task(CLIENT).idle);
}
