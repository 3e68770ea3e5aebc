//! Where the server's kernel instructions go, function by function.

use super::Row;
use std::fmt::Write;

/// How many functions are shown.
const SHOWN: usize = 60;

/// The functions with the most instructions per request.
pub(super) fn text(row: &Row) -> String {
    let figures = &row.figures;
    let mut functions: Vec<_> = figures.functions.iter().collect();
    functions.sort_by_key(|function| std::cmp::Reverse(function.instructions.total()));
    let mut text = format!("{} at {}: kernel instructions per request by function\n", row.request, row.level);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{:>9}  {:>9}  {:>9}  {:>6}  function", "kernel", "softirq", "interrupt", "sum %");
    let all: u64 = functions.iter().map(|function| function.instructions.total()).sum();
    let mut sum = 0;
    for function in functions.into_iter().take(SHOWN) {
        let classes = function.instructions;
        sum += classes.total();
        let [kernel, softirq, interrupt] =
            [classes.kernel, classes.softirq, classes.interrupt].map(|count| figures.per_request(count));
        let percent = 100.0 * sum as f64 / all as f64;
        let _ = writeln!(text, "{kernel:>9.1}  {softirq:>9.1}  {interrupt:>9.1}  {percent:>6.1}  {}", function.name);
    }
    text
}
