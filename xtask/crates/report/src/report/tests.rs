//! The page from a synthetic record: no figure in it was ever measured.

use super::*;
use crate::record::{Metric, Sample, tests::record};
use ukl_repo::repo::Repo;

/// What a value would be at each level if every level took a fixed share of the first.
const SHARES: [(&str, f64); 6] =
    [("linux", 1.0), ("base", 0.9), ("ret", 0.88), ("byb", 0.5), ("ret-byb", 0.47), ("shortcut", 0.4)];
const ROUNDS: u32 = 7;

/// Samples of one subject at each level; `jitter` is the share by which rounds differ.
fn add(samples: &mut Vec<Sample>, linux: f64, jitter: f64, sample: &Sample) {
    for (level, share) in SHARES {
        let share = match sample.better {
            record::Better::Lower => share,
            record::Better::Higher => 1.0 / share,
        };
        let rounds = if sample.kind == Kind::Counted { 1 } else { ROUNDS };
        for round in 0..rounds {
            let value = linux * share * (1.0 + jitter * f64::from((round * 3) % 7) / 7.0);
            samples.push(Sample { level: level.to_owned(), round, value, ..sample.clone() });
        }
    }
}

/// Every metric that the report knows, over every range that it draws.
fn synthetic() -> Record {
    let mut samples = Vec::new();
    let counted = |app: &str, metric| Sample::new(app, "", metric, Kind::Counted, 0, 0.0);
    let timed = |app: &str, metric| Sample::new(app, "", metric, Kind::EmulatedTime, 0, 0.0);
    let call = |name: &str| counted("microbench", Metric::InstructionsPerCall).with("call", name);
    add(&mut samples, 200.0, 0.0, &call("getppid"));
    add(&mut samples, 900.0, 0.0, &call("page-fault"));
    for (index, name) in ["read", "write", "sendto", "recvfrom"].into_iter().enumerate() {
        for power in 0..=13 {
            let linux = 400.0 + 100.0 * index as f64 + 0.2 * f64::from(1 << power);
            add(&mut samples, linux, 0.0, &call(name).with("value_bytes", 1 << power));
        }
    }
    for (command, size) in [("GET", 6000.0), ("SET", 7000.0)] {
        let request = |sample: Sample| sample.with("command", command).with("connections", 300).with("value_bytes", 64);
        for (scope, share) in [("user", 0.2), ("kernel", 0.6), ("softirq", 0.2), ("total", 1.0)] {
            let sample = counted("redis", Metric::ServerInstructionsPerRequest).with("scope", scope);
            add(&mut samples, size * share, 0.0, &request(sample));
        }
        add(&mut samples, 2.5, 0.0, &request(counted("redis", Metric::KernelEntriesPerRequest)));
        add(&mut samples, 0.02, 0.0, &request(counted("redis", Metric::ContextSwitchesPerRequest)));
        add(&mut samples, 0.001, 0.0, &request(counted("redis", Metric::PageFaultsPerRequest)));
        add(&mut samples, 1200.0, 0.1, &request(timed("redis", Metric::KibPerS)));
        for (percentile, latency) in [("50", 2000.0), ("90", 2600.0), ("99", 4100.0), ("99.9", 9000.0)] {
            let sample = timed("redis", Metric::LatencyUs).with("percentile", percentile);
            add(&mut samples, latency, 0.2, &request(sample));
        }
        for cpus in [1_u64, 2, 4] {
            let sample = timed("redis", Metric::RequestsPerS).with("cpus", cpus);
            add(&mut samples, 15_000.0 + 4000.0 * cpus as f64, 0.1, &request(sample));
        }
    }
    let limit = timed("memcached", Metric::RequestsPerSUnderLimit).with("command", "get").with("p99_limit_us", 500);
    add(&mut samples, 21_000.0, 0.05, &limit);
    add(&mut samples, 0.6, 0.1, &timed("redis", Metric::BootToFirstPongS));
    add(&mut samples, 5_400_000.0, 0.0, &counted("redis", Metric::ImageBytes).with("part", "kernel"));
    add(&mut samples, 31_000_000.0, 0.0, &counted("redis", Metric::IdleMemoryBytes));
    samples.push(Sample { level: "process beside byb".to_owned(), value: 201.0, ..call("getppid") });
    let mut record = record();
    record.samples = samples;
    record
}

fn repo() -> Repo {
    Repo::find().unwrap()
}

fn legend() -> Legend {
    Legend::new(repo().levels().unwrap())
}

/// The page, and a copy where UKL_KEEP_SYNTHETIC_REPORT says, for looking at it in a browser.
fn rendered() -> String {
    let record = synthetic();
    let dir = tempfile::tempdir().unwrap();
    let page = render(&repo(), &record, dir.path()).unwrap();
    if let Some(keep) = std::env::var_os("UKL_KEEP_SYNTHETIC_REPORT") {
        fs_err::copy(&page, keep).unwrap();
    }
    fs_err::read_to_string(page).unwrap()
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let page = rendered();
    for reference in ["src=", "<link", "<script", "@import", "url("] {
        assert!(!page.contains(reference), "the page refers to something outside: {reference}");
    }
    assert!(page.contains("EMULATED"), "the page does not say that its times are emulated");
    assert!(page.contains("prefers-color-scheme"), "the page has one colour scheme only");
}

#[test]
fn a_busy_host_is_said_where_times_were_taken() {
    let mut record = synthetic();
    assert!(!record.disturbed());
    record.host.load_average_1_min = 2.5;
    let dir = tempfile::tempdir().unwrap();
    let page = render(&repo(), &record, dir.path()).unwrap();
    assert!(fs_err::read_to_string(page).unwrap().contains("DISTURBED"));
    record.samples.retain(|sample| sample.kind == Kind::Counted);
    assert!(!record.disturbed(), "counts do not depend on the host's load");
}

#[test]
fn every_drawing_is_in_the_pages_colours() {
    let page = rendered();
    let drawings: Vec<&str> = page.split("<svg ").skip(1).filter_map(|rest| rest.split("</svg>").next()).collect();
    assert!(drawings.len() > 20, "only {} drawings", drawings.len());
    for drawing in drawings {
        let fixed = drawing.split("=\"#").skip(1).map(|rest| &rest[..6]).find(|color| *color != "000000");
        assert_eq!(fixed, None, "a colour that does not follow the page's");
    }
}

#[test]
fn published_figures_stand_beside_ours() {
    let rows =
        Published::read(&repo().root, &legend()).unwrap().rows(&groups::groups(&synthetic(), &legend()), &legend());
    let line = |row: &published::Row| {
        let ours = row.ours.as_ref().map_or("-".to_owned(), |ours| {
            let ratio = ours.ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.3}"));
            format!("{:.0} {} {ratio} {} {}", ours.value, ours.unit, ours.kind, ours.what)
        });
        format!(
            "{} | {} | {} {} {:.3} | {ours}",
            row.figure, row.level, row.published, row.published_unit, row.published_ratio
        )
    };
    insta::assert_snapshot!(rows.iter().map(line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_model_is_held_against_what_was_published() {
    let legend = legend();
    let costs = Costs::read(&repo().root.join(model::FILE)).unwrap();
    let (groups, published) = (groups::groups(&synthetic(), &legend), Published::read(&repo().root, &legend).unwrap());
    let predictions = predictions::predictions(&costs, &groups, &published, &legend);
    let (_, rows) = predictions[0].outcome.as_ref().unwrap();
    let line = |row: &predictions::Row| {
        let known = row.known_ns.map_or("-".to_owned(), |ns| ns.to_string());
        let input = if row.is_input { ", fitted to it" } else { "" };
        format!("{} | {} | {:.1} modelled | {known} known{input}", row.what, row.level, row.modelled_ns)
    };
    let shown = rows.iter().filter(|row| ["getppid", "read"].contains(&row.what.as_str()) || row.what.contains("GET"));
    insta::assert_snapshot!(shown.map(line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_levels_colour_and_place_are_the_same_in_every_figure() {
    let figures = figures::figures(&groups::groups(&synthetic(), &legend())).unwrap();
    for figure in figures.iter().filter(|figure| figure.svg.contains(">linux") || figure.svg.contains("\nlinux")) {
        let place = |level: &str| {
            figure.svg.find(&format!("\n{level}\n")).unwrap_or_else(|| panic!("{level}: {}", figure.title))
        };
        assert!(SHARES.is_sorted_by_key(|(level, _)| place(level)), "{}", figure.title);
        for rank in 0..SHARES.len() {
            assert!(figure.svg.contains(&format!("var(--level-{rank})")), "{}: level {rank}", figure.title);
        }
    }
}

#[test]
fn a_record_with_one_kind_of_sample_renders() {
    let mut record = synthetic();
    record.samples.retain(|sample| sample.metric == Metric::BootToFirstPongS && sample.level == "byb");
    let dir = tempfile::tempdir().unwrap();
    render(&repo(), &record, dir.path()).unwrap();
}

#[test]
fn a_level_of_another_checkout_is_drawn_last_and_not_modelled() {
    let mut record = synthetic();
    for sample in &mut record.samples {
        if sample.level == "ret-byb" {
            sample.level = "poll".to_owned();
        }
    }
    let (groups, legend) = (groups::groups(&record, &legend()), legend());
    for group in &groups {
        let at = group.levels.iter().position(|level| level.level == "poll").unwrap();
        assert_eq!(at + 1, group.levels.len(), "{}", group.subject.describe());
    }
    let costs = Costs::read(&repo().root.join(model::FILE)).unwrap();
    let published = Published::read(&repo().root, &legend).unwrap();
    for prediction in predictions::predictions(&costs, &groups, &published, &legend) {
        let (_, rows) = prediction.outcome.unwrap();
        assert!(rows.iter().any(|row| row.level == "shortcut") && rows.iter().all(|row| row.level != "poll"));
    }
    let dir = tempfile::tempdir().unwrap();
    let page = fs_err::read_to_string(render(&repo(), &record, dir.path()).unwrap()).unwrap();
    assert!(page.contains("drawn last and not modelled: poll"));
}
