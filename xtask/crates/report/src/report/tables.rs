//! The tables of the page.

use super::chart::short;
use super::groups::Group;
use super::predictions::{Prediction, Row};
use super::published;
use super::{Contents, tag};
use crate::model::{Model, Transition};
use crate::record::{Better, Record};
use maud::{Markup, html};
use std::collections::BTreeSet;

/// The published figures, a row per figure and level, once more for each of our groups that compares.
pub(super) fn published(rows: &[published::Row]) -> Markup {
    let sources: BTreeSet<&str> = rows.iter().map(|row| row.source.as_str()).collect();
    html! {
        p {
            "The machines differ, and so do the units: compare the ratios. A ratio is the level's value against the one at "
            code { "linux" } "."
        }
        div.scroll {
            table {
                tr {
                    th { "figure" } th { "level" } th.number { "published" } th.number { "ratio" } th.number { "ours" }
                    th.number { "ratio" } th { "ours is" } th { "conditions of the published figure" }
                }
                @for figure in rows.chunk_by(|a, b| a.figure == b.figure) {
                    @for (index, row) in figure.iter().enumerate() {
                        tr {
                            @if index == 0 {
                                td rowspan=(figure.len()) {
                                    (row.figure) @if row.better == Better::Higher { small.quiet { " (higher is better)" } }
                                }
                            }
                            (published_row(row))
                            @if index == 0 { td.quiet.wide rowspan=(figure.len()) { (row.conditions) } }
                        }
                    }
                }
            }
        }
        p.quiet { "Published in: " (sources.into_iter().collect::<Vec<_>>().join("; ")) }
    }
}

fn published_row(row: &published::Row) -> Markup {
    html! {
        td { (row.level) }
        td.number { (row.published) " " (row.published_unit) }
        td.number { (ratio(row.published_ratio)) }
        @if let Some(ours) = &row.ours {
            td.number { (short(ours.value)) " " (ours.unit) }
            td.number { (ours.ratio.map_or("no linux".to_owned(), ratio)) }
            td.what { (tag(&ours.kind.to_string(), ours.kind.is_loud())) " " (ours.what) }
        } @else {
            td.number { "–" } td.number { "–" } td.quiet.word { "not measured" }
        }
    }
}

fn ratio(value: f64) -> String {
    format!("{value:.3}")
}

/// Aspect, published, ours.
pub(super) fn differences(rows: &[(String, String, String)]) -> Markup {
    html! {
        div.scroll {
            table {
                tr { th {} th { "published" } th { "this run" } }
                @for (aspect, published, ours) in rows { tr { th { (aspect) } td { (published) } td { (ours) } } }
            }
        }
    }
}

/// What guest and host do about each vulnerability.
pub(super) fn mitigations(record: &Record) -> Markup {
    let (guest, host) = (&record.guest.mitigations, &record.host.mitigations);
    let names: BTreeSet<&String> = guest.keys().chain(host.keys()).collect();
    let state = |map: &std::collections::BTreeMap<String, String>, name| {
        map.get(name).cloned().unwrap_or("not recorded".to_owned())
    };
    html! {
        div.scroll {
            table {
                tr { th { "vulnerability" } th { "guest" } th { "host" } }
                @for name in names { tr { td { (name) } td { (state(guest, name)) } td { (state(host, name)) } } }
            }
        }
    }
}

/// The model's section: what it is, each machine's predictions, and the cited costs.
pub(super) fn model(contents: &Contents) -> Markup {
    html! {
        p {
            strong { "Nothing in this section was measured at our levels. " }
            "Modelled ns = instructions × CPI / GHz + crossings × ns per crossing. What a machine's calls cost at "
            code { "linux" } " determines the factors; every other row is a prediction. The model knows neither caches nor "
            "branch predictors, and assumes that the machine's kernel needs as many instructions for a call as ours."
        }
        @for prediction in &contents.predictions { (machine(prediction)) }
        h3 { "Cited costs of transitions" }
        (transitions(&contents.costs.transitions))
    }
}

fn machine(prediction: &Prediction) -> Markup {
    let machine = prediction.machine;
    html! {
        h3 { (machine.name) ": " (machine.cpu) }
        p.quiet { "Mitigations: " (machine.mitigations) ". Times from: " (machine.source) "." }
        @match &prediction.outcome {
            Ok((model, rows)) => { (factors(prediction, model)) (modelled(rows)) }
            Err(error) => p { "No prediction: " (error) "." }
        }
        @if !machine.other_ns.is_empty() {
            p.quiet {
                "Measured there and not in the model: "
                (machine.other_ns.iter().map(|(name, ns)| format!("{name} {} ns", short(*ns))).collect::<Vec<_>>().join(", "))
                "."
            }
        }
    }
}

fn factors(prediction: &Prediction, model: &Model) -> Markup {
    let crossing = prediction.machine.crossing.as_ref().map_or("fitted", |crossing| crossing.source.as_str());
    html! {
        p {
            "CPI " (format!("{:.2}", model.cpi())) " (fitted), " (short(model.ns_per_crossing)) " ns per crossing ("
            (crossing) ")."
        }
    }
}

fn modelled(rows: &[Row]) -> Markup {
    html! {
        div.scroll {
            table {
                tr {
                    th { "what" } th { "level" } th.number { "instructions" } th.number { "crossings" }
                    th.number { "modelled ns" } th.number { "known ns" } th.number { "modelled / known" } th {}
                }
                @for row in rows {
                    tr {
                        td { (row.what) } td { (row.level) } td.number { (short(row.instructions)) }
                        td.number { (short(row.crossings)) } td.number { (format!("{:.1}", row.modelled_ns)) }
                        td.number { (row.known_ns.map_or("–".to_owned(), |ns| format!("{ns:.1}"))) }
                        td.number { (row.known_ns.map_or("–".to_owned(), |ns| ratio(row.modelled_ns / ns))) }
                        td.quiet { @if row.is_input { "fitted to this one" } }
                    }
                }
            }
        }
    }
}

fn transitions(transitions: &[Transition]) -> Markup {
    let number = |value: Option<f64>| value.map_or("–".to_owned(), short);
    html! {
        div.scroll {
            table {
                tr {
                    th { "transition" } th { "processor" } th { "mitigations" } th.number { "ns" } th.number { "cycles" }
                    th { "source" }
                }
                @for transition in transitions {
                    tr {
                        td { (transition.what) } td { (transition.cpu) } td { (transition.mitigations) }
                        td.number { (number(transition.ns)) } td.number { (number(transition.cycles)) }
                        td.quiet { (transition.source) }
                    }
                }
            }
        }
    }
}

/// Every sample, folded away by application and metric.
pub(super) fn samples(groups: &[Group]) -> Markup {
    let heading = |group: &Group| (group.subject.app.clone(), group.subject.metric, group.subject.kind);
    html! {
        @for chunk in groups.chunk_by(|a, b| heading(a) == heading(b)) {
            details {
                @let (app, metric, kind) = heading(&chunk[0]);
                summary { (app) ": " (metric) " " (tag(&format!("{kind}, {}", metric.unit()), kind.is_loud())) }
                div.scroll {
                    table {
                        tr {
                            th { "parameters" } th { "level" } th.number { "median" } th.number { "min" } th.number { "max" }
                            th { "every round, in " (metric.unit()) }
                        }
                        @for group in chunk {
                            @for level in &group.levels {
                                tr {
                                    td { (group.subject.describe()) } td { (level.level) }
                                    td.number { (short(level.summary.median)) } td.number { (short(level.summary.min)) }
                                    td.number { (short(level.summary.max)) }
                                    td.raw { (level.values.iter().map(f64::to_string).collect::<Vec<_>>().join(" ")) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
