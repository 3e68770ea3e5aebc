//! The table on the terminal.

use super::Row;
use ukl_host::columns;

/// A row per kind of request and level; each figure is per request.
pub(super) fn table(rows: &[Row]) -> String {
    let heads = [
        "request",
        "level",
        "user",
        "kernel",
        "softirq",
        "interrupt",
        "total",
        "entries",
        "direct",
        "faults",
        "switches",
    ];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    let mut rows: Vec<&Row> = rows.iter().collect();
    // Stable: levels stay in the order in which they were asked for.
    rows.sort_by_key(|row| &row.request);
    for row in rows {
        let figures = &row.figures;
        let whole = |count: u64| format!("{:.1}", figures.per_request(count));
        let often = |name: &str| format!("{:.4}", figures.watch(name));
        let server = figures.server;
        lines.push(vec![
            row.request.clone(),
            row.level.clone(),
            whole(server.user),
            whole(server.kernel),
            whole(server.softirq),
            whole(server.interrupt),
            whole(server.total()),
            often("system_calls"),
            often("direct_calls"),
            often("page_faults"),
            often("context_switches"),
        ]);
    }
    columns::aligned(&lines, 2)
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::report;
    use super::super::{Figures, Row};

    #[test]
    fn levels_stand_below_each_other() {
        let row = |request: &str, level: &str| Row {
            level: level.to_owned(),
            request: request.to_owned(),
            figures: Figures::new(&report(), 100).unwrap(),
        };
        insta::assert_snapshot!(super::table(&[row("GET", "linux"), row("SET", "linux"), row("GET", "byb")]));
    }
}
