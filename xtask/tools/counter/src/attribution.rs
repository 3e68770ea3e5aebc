//! To which task and class each instruction belongs.
//!
//! A task is current from the load of its stack pointer on. Interrupts, exceptions and softirqs nest on it, and it takes
//! its nesting along when it is switched away from in the middle of one (a reschedule on the way back from an interrupt).
//! Whatever the nesting, an instruction of the application's own ends it.

use crate::points::{Instruction, Point, Points};
use crate::report::{Classes, FunctionCount, Report, TaskCount};
use std::collections::HashMap;

/// What the processor does for a task; the order is that of the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    User,
    Kernel,
    Softirq,
    Interrupt,
}

type Counters = [u64; 4];

#[derive(Clone, Debug, Default)]
struct Task {
    address: u64,
    client: bool,
    /// What it is nested in, innermost last.
    nesting: Vec<Class>,
    instructions: Counters,
    string_iterations: u64,
    watches: Vec<u64>,
    functions: Vec<Counters>,
}

/// How far the measurement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Only task switches matter.
    Before,
    Counting,
    Done,
}

/// The counters and all that decides which of them is next.
#[derive(Clone, Debug)]
pub(crate) struct Attribution {
    phase: Phase,
    offset_bytes: u64,
    idle_task: u64,
    watch_count: usize,
    function_count: usize,
    tasks: Vec<Task>,
    numbers: HashMap<u64, usize>,
    current: usize,
    class: Class,
    /// The instruction before: its address, its function, and whether it was a further iteration.
    previous: u64,
    previous_function: Option<usize>,
    previous_repeated: bool,
}

impl Attribution {
    pub(crate) fn new(points: &Points) -> Self {
        let spec = points.spec();
        let mut attribution = Attribution {
            phase: Phase::Before,
            offset_bytes: spec.switch.offset_bytes,
            idle_task: spec.idle_task,
            watch_count: spec.watches.len(),
            function_count: points.functions.len(),
            tasks: Vec::new(),
            numbers: HashMap::new(),
            current: 0,
            class: Class::Kernel,
            previous: 0,
            previous_function: None,
            previous_repeated: false,
        };
        // The kernel boots as the idle task and switches to another before any process runs.
        attribution.current = attribution.number(spec.idle_task);
        attribution
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// The next task's stack pointer is loaded from this address.
    pub(crate) fn switch(&mut self, address: u64) {
        self.current = self.number(address.wrapping_sub(self.offset_bytes));
        self.class = self.innermost();
    }

    /// The current task, the client, has reached the mark; counting begins with the next instruction.
    pub(crate) fn begin(&mut self) {
        let task = &mut self.tasks[self.current];
        task.client = true;
        task.nesting.clear();
        self.class = Class::User;
        self.phase = Phase::Counting;
    }

    /// Counts one instruction, which is about to be executed.
    pub(crate) fn execute(&mut self, instruction: &Instruction) {
        if !instruction.points.is_empty() || instruction.user != (self.class == Class::User) {
            return self.turn(instruction);
        }
        self.count(instruction);
    }

    /// An instruction that changes the class or is a point.
    fn turn(&mut self, instruction: &Instruction) {
        if instruction.points.contains(&Point::End) {
            self.phase = Phase::Done;
            return;
        }
        for point in &instruction.points {
            match *point {
                Point::InterruptEntry => self.tasks[self.current].nesting.push(Class::Interrupt),
                Point::SoftirqEntry => self.tasks[self.current].nesting.push(Class::Softirq),
                Point::ExceptionEntry { fault } => {
                    if fault {
                        self.take_back();
                    }
                    // What a softirq or an interrupt's handler causes stays theirs.
                    let innermost = self.innermost();
                    self.tasks[self.current].nesting.push(innermost);
                }
                Point::Watch(number) => self.tasks[self.current].watches[number] += 1,
                Point::Begin | Point::End | Point::InterruptReturn | Point::SoftirqExit => {}
            }
        }
        self.class = if instruction.user {
            self.tasks[self.current].nesting.clear();
            Class::User
        } else {
            self.innermost()
        };
        self.count(instruction);
        // These still belong to what they leave.
        for point in &instruction.points {
            let nesting = &mut self.tasks[self.current].nesting;
            match point {
                Point::InterruptReturn => drop(nesting.pop()),
                Point::SoftirqExit => {
                    let at = nesting.iter().rposition(|class| *class == Class::Softirq);
                    nesting.truncate(at.unwrap_or(nesting.len()));
                }
                _ => continue,
            }
            self.class = self.innermost();
        }
    }

    /// The emulator executes a repeated string instruction once per iteration, and one that it has to start over (because
    /// it wrote to code) twice in a row. A processor retires either once.
    fn count(&mut self, instruction: &Instruction) {
        let task = &mut self.tasks[self.current];
        self.previous_repeated = instruction.address == self.previous;
        if self.previous_repeated {
            task.string_iterations += 1;
            return;
        }
        self.previous = instruction.address;
        self.previous_function = instruction.function;
        task.instructions[self.class as usize] += 1;
        if let Some(function) = instruction.function {
            task.functions[function][self.class as usize] += 1;
        }
    }

    /// The instruction before has been counted but not completed.
    fn take_back(&mut self) {
        let task = &mut self.tasks[self.current];
        if self.previous_repeated {
            task.string_iterations = task.string_iterations.saturating_sub(1);
            return;
        }
        let less = |counter: &mut u64| *counter = counter.saturating_sub(1);
        less(&mut task.instructions[self.class as usize]);
        if let Some(function) = self.previous_function {
            less(&mut task.functions[function][self.class as usize]);
        }
    }

    /// The class of the current task in the kernel.
    fn innermost(&self) -> Class {
        self.tasks[self.current].nesting.last().copied().unwrap_or(Class::Kernel)
    }

    /// The number of the task at this address, which gets one when it is new.
    fn number(&mut self, address: u64) -> usize {
        *self.numbers.entry(address).or_insert_with(|| {
            self.tasks.push(Task {
                address,
                watches: vec![0; self.watch_count],
                functions: vec![Counters::default(); self.function_count],
                ..Task::default()
            });
            self.tasks.len() - 1
        })
    }

    /// All counters of the tasks that executed something.
    pub(crate) fn report(&self, points: &Points) -> Report {
        let classes = |[user, kernel, softirq, interrupt]: Counters| Classes { user, kernel, softirq, interrupt };
        let tasks = self.tasks.iter().filter(|task| task.instructions != Counters::default()).map(|task| {
            let names = points.spec().watches.iter().map(|watch| watch.name.clone());
            let mut functions: Vec<_> = task
                .functions
                .iter()
                .enumerate()
                .filter(|(_, counters)| **counters != Counters::default())
                .map(|(number, counters)| FunctionCount {
                    name: points.functions.name(number).to_owned(),
                    instructions: classes(*counters),
                })
                .collect();
            functions.sort_by_key(|function| std::cmp::Reverse(function.instructions.total()));
            TaskCount {
                address: task.address,
                client: task.client,
                idle: task.address == self.idle_task,
                instructions: classes(task.instructions),
                string_iterations: task.string_iterations,
                watches: names.zip(task.watches.iter().copied()).collect(),
                functions,
            }
        });
        let tasks: Vec<_> = tasks.collect();
        Report { instructions: tasks.iter().map(|task| task.instructions.total()).sum(), tasks }
    }
}

#[cfg(test)]
mod tests;
