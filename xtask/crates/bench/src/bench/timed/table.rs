//! The tables of a server against the clock.

use super::{Found, Run};
use ukl_host::columns;
use ukl_repo::config::REFERENCE_LEVEL;
use ukl_report::stats;

/// A row per kind of request and level, in the order in which they were first measured.
pub(super) fn closed_loop(runs: &[Run]) -> String {
    let heads = ["request", "level", "requests/s", "", "of linux", "KiB/s", "p50 µs", "p90 µs", "p99 µs", "p99.9 µs"];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    for command in distinct(runs.iter().map(|run| run.command.as_str())) {
        let of_command = || runs.iter().filter(|run| run.command == command);
        let rate = |level: &str| {
            of_command().filter(|run| run.level == level).map(|run| run.results.requests_per_s).collect::<Vec<_>>()
        };
        for level in distinct(of_command().map(|run| run.level.as_str())) {
            let of_level = || of_command().filter(|run| run.level == level);
            let kib_per_s: Vec<f64> = of_level().map(|run| run.results.kib_per_s).collect();
            let mut line = vec![command.to_owned(), level.to_owned()];
            line.extend(rate_cells(&rate(level), &rate(REFERENCE_LEVEL)));
            line.push(median(&kib_per_s));
            let percentile = |which: fn(&ukl_loadgen::Latency) -> f64| {
                median(&of_level().filter_map(|run| run.results.latency.as_ref().map(which)).collect::<Vec<_>>())
            };
            line.push(percentile(|latency| latency.p50_us));
            line.push(percentile(|latency| latency.p90_us));
            line.push(percentile(|latency| latency.p99_us));
            line.push(percentile(|latency| latency.p99_9_us));
            lines.push(line);
        }
    }
    columns::aligned(&lines, 2)
}

/// A row per level.
pub(super) fn under_limit(found: &[Found]) -> String {
    let rate = |level: &str| {
        found.iter().filter(|found| found.level == level).map(|found| found.requests_per_s).collect::<Vec<_>>()
    };
    let mut lines = vec![["level", "requests/s", "", "of linux"].map(str::to_owned).to_vec()];
    for level in distinct(found.iter().map(|found| found.level.as_str())) {
        let mut line = vec![level.to_owned()];
        line.extend(rate_cells(&rate(level), &rate(REFERENCE_LEVEL)));
        lines.push(line);
    }
    columns::aligned(&lines, 1)
}

/// Median, range, and the median against the one at `linux`.
fn rate_cells(values: &[f64], reference: &[f64]) -> [String; 3] {
    let Some(summary) = stats::summary(values) else { return ["-", "", "-"].map(str::to_owned) };
    let ratio = stats::median(reference).map_or("-".to_owned(), |linux| format!("{:.3}", summary.median / linux));
    [format!("{:.0}", summary.median), format!("({:.0}..{:.0})", summary.min, summary.max), ratio]
}

fn median(values: &[f64]) -> String {
    stats::median(values).map_or("-".to_owned(), |median| format!("{median:.0}"))
}

/// Each once, in the order of their first appearance.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use ukl_loadgen::{Latency, Results};

    fn run(round: u32, level: &str, command: &str, requests_per_s: f64) -> Run {
        let us = 3e8 / requests_per_s;
        let latency = Latency {
            samples: 1,
            min_us: us,
            mean_us: us,
            p50_us: us,
            p90_us: us * 1.2,
            p99_us: us * 2.0,
            p99_9_us: us * 4.0,
            max_us: us * 9.0,
        };
        let results = Results { requests_per_s, kib_per_s: requests_per_s / 8.0, latency: Some(latency), ..empty() };
        Run { round, level: level.to_owned(), command: command.to_owned(), results }
    }

    /// A report of nothing, as the load generator would write it.
    fn empty() -> Results {
        serde_json::from_str(
            r#"{"duration_s": 1.0, "requests": 0, "gets": 0, "sets": 0, "commands": 0, "completed": 0, "hits": 0,
                "misses": 0, "requests_per_s": 0.0, "sent_bytes": 0, "received_bytes": 0, "kib_per_s": 0.0,
                "gave_up": false, "latency": null, "send_lag": null, "errors": {"error_answers": 0,
                "wrong_answers": 0, "lost_requests": 0, "lost_connections": 0, "first": null}}"#,
        )
        .unwrap()
    }

    #[test]
    fn levels_stand_below_each_other_with_their_medians() {
        let runs = [
            run(0, "linux", "GET", 10_000.0),
            run(0, "byb", "GET", 11_000.0),
            run(1, "byb", "GET", 12_000.0),
            run(1, "linux", "GET", 10_400.0),
            run(0, "byb", "SET", 9000.0),
        ];
        insta::assert_snapshot!(closed_loop(&runs));
    }

    #[test]
    fn rates_under_the_limit_are_compared_with_linux() {
        let found = |level: &str, requests_per_s| Found { round: 0, level: level.to_owned(), requests_per_s };
        insta::assert_snapshot!(under_limit(&[found("linux", 8000.0), found("byb", 8400.0), found("byb", 8800.0)]));
    }
}
