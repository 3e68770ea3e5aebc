//! From the counters of tasks to figures per request.

use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use ukl_counter::{Classes, FunctionCount, Report, TaskCount};

/// What the server did between the marks, and what else went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Requests that were answered.
    pub requests: u64,
    /// The server's instructions: those of every task that executes its own code and is not the load generator.
    pub server: Classes,
    pub server_string_iterations: u64,
    /// How often the server's tasks came to what is watched.
    pub watches: BTreeMap<String, u64>,
    /// The server's kernel instructions by function; empty without a profile.
    pub functions: Vec<FunctionCount>,
    pub client: Classes,
    /// Instructions of kernel threads, and of the idle task.
    pub kernel_threads: u64,
    pub idle: u64,
}

impl Figures {
    pub fn new(report: &Report, requests: u64) -> Result<Self> {
        let (clients, others): (Vec<&TaskCount>, Vec<_>) = report.tasks.iter().partition(|task| task.client);
        ensure!(clients.len() == 1, "{} tasks have executed the marks; one was expected", clients.len());
        let (servers, kernel): (Vec<_>, Vec<_>) = others.into_iter().partition(|task| task.instructions.user > 0);
        let sum = |tasks: &[&TaskCount], of: &dyn Fn(&TaskCount) -> u64| tasks.iter().map(|task| of(task)).sum::<u64>();
        let server = Classes {
            user: sum(&servers, &|task| task.instructions.user),
            kernel: sum(&servers, &|task| task.instructions.kernel),
            softirq: sum(&servers, &|task| task.instructions.softirq),
            interrupt: sum(&servers, &|task| task.instructions.interrupt),
        };
        ensure!(server.user > 0, "no task but the load generator executed code of its own; did the server answer?");
        let mut watches = BTreeMap::new();
        let mut functions: BTreeMap<&str, Classes> = BTreeMap::new();
        for task in &servers {
            for (name, count) in &task.watches {
                *watches.entry(name.clone()).or_insert(0) += count;
            }
            for function in &task.functions {
                let all = functions.entry(&function.name).or_default();
                all.kernel += function.instructions.kernel;
                all.softirq += function.instructions.softirq;
                all.interrupt += function.instructions.interrupt;
            }
        }
        Ok(Figures {
            requests,
            server,
            server_string_iterations: sum(&servers, &|task| task.string_iterations),
            watches,
            functions: functions
                .into_iter()
                .map(|(name, instructions)| FunctionCount { name: name.to_owned(), instructions })
                .collect(),
            client: clients[0].instructions,
            kernel_threads: sum(&kernel, &|task| if task.idle { 0 } else { task.instructions.total() }),
            idle: sum(&kernel, &|task| if task.idle { task.instructions.total() } else { 0 }),
        })
    }

    /// Per request.
    pub fn per_request(&self, count: u64) -> f64 {
        count as f64 / self.requests as f64
    }

    /// How often the server came to something, per request.
    pub fn watch(&self, name: &str) -> f64 {
        self.per_request(self.watches.get(name).copied().unwrap_or(0))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn task(address: u64, user: u64, kernel: u64) -> TaskCount {
        let instructions = Classes { user, kernel, softirq: 1, interrupt: 0 };
        let watches = BTreeMap::from([("page_faults".to_owned(), 2)]);
        TaskCount { address, instructions, watches, ..TaskCount::default() }
    }

    /// One client, two tasks of a server, a kernel thread, and idling.
    pub(crate) fn report() -> Report {
        let tasks = vec![
            TaskCount { client: true, ..task(1, 500, 500) },
            task(2, 100, 300),
            task(3, 10, 30),
            task(4, 0, 70),
            TaskCount { idle: true, ..task(5, 0, 5) },
        ];
        Report { instructions: tasks.iter().map(|task| task.instructions.total()).sum(), tasks }
    }

    #[test]
    fn the_server_is_what_runs_code_of_its_own_and_is_not_the_client() {
        let figures = Figures::new(&report(), 10).unwrap();
        assert_eq!(figures.server, Classes { user: 110, kernel: 330, softirq: 2, interrupt: 0 });
        assert_eq!((figures.kernel_threads, figures.idle, figures.client.user), (71, 6, 500));
        assert_eq!((figures.per_request(figures.server.user), figures.watch("page_faults")), (11.0, 0.4));
    }

    #[test]
    fn without_a_client_or_a_server_there_are_no_figures() {
        let error = |tasks: &[usize]| {
            let all = report().tasks;
            let report = Report { tasks: tasks.iter().map(|&index| all[index].clone()).collect(), ..report() };
            Figures::new(&report, 1).unwrap_err().to_string()
        };
        assert!(error(&[1, 3]).starts_with("0 tasks have executed the marks"));
        assert!(error(&[0, 3, 4]).contains("did the server answer?"));
    }
}
