//! The page: its order and its words. Nothing here computes.

use super::chart::short;
use super::figures::Figure;
use super::groups::Group;
use super::levels::COLOURS;
use super::tables;
use super::{Contents, tag};
use crate::record::{Accelerator, Record};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");

/// The whole document.
pub(super) fn page(contents: &Contents) -> String {
    let record = contents.record;
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "ukl: what each level costs" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (head(record))
                (legend(contents))
                @for app in apps(&contents.figures) {
                    h2 { (app) }
                    div.figures { @for figure in contents.figures.iter().filter(|figure| figure.app == app) { (draw(figure)) } }
                }
                p.quiet {
                    "A bar is the median of the rounds. The line over it is the interval that holds the median with a confidence "
                    "of 95 % (bootstrap) from five rounds on, and the smallest and largest value below that; a count that came "
                    "out the same each time has none."
                }
                h2 { "Published figures beside ours" }
                (tables::published(&contents.published))
                h2 { "What differs from the published set-up" }
                (tables::differences(&contents.differences))
                h2 { "Cost model " (tag("modelled", true)) }
                (tables::model(contents))
                h2 { "All samples" }
                (tables::samples(&contents.groups))
            }
        }
    };
    document.into_string()
}

fn apps(figures: &[Figure]) -> Vec<&str> {
    let mut apps: Vec<&str> = figures.iter().map(|figure| figure.app.as_str()).collect();
    apps.dedup();
    apps
}

fn head(record: &Record) -> Markup {
    let (host, guest, revision) = (&record.host, &record.guest, &record.revision);
    html! {
        h1 { "What each level costs" }
        @if record.emulated() {
            p.loud {
                strong { "EMULATED. " }
                "QEMU translated the guest's instructions (" (accelerators(record)) "). Counts are exact and the same in every "
                "run. Times compare levels within this page and say nothing about hardware."
            }
        } @else {
            p { "Measured on hardware virtualisation (" (accelerators(record)) ")." }
        }
        @if record.disturbed() {
            p.loud {
                strong { "DISTURBED. " }
                (short(host.load_average_1_min)) " tasks were running on " (host.cpus) " CPU(s) when the run began: its times say "
                "little. Counts are not affected."
            }
        }
        dl {
            dt { "Revision" }
            dd { code { (revision.git_commit.get(..12).unwrap_or(&revision.git_commit)) } @if revision.git_dirty { " with local changes" } }
            dt { "Started" } dd { (record.started_at) }
            dt { "Guest" }
            dd { "Linux " (guest.kernel_release) ", " (guest.cpu_model) ", " (guest.cpus) " CPU(s), " (guest.memory_mib) " MiB" }
            dt { "Emulator" } dd { (record.emulator.version) }
            dt { "Host" }
            dd {
                (host.cpu_model) ", " (host.cpus) " CPU(s), Linux " (host.kernel_release) ", load " (short(host.load_average_1_min))
            }
        }
        details {
            summary { "Mitigations in the guest and on the host" }
            (tables::mitigations(record))
        }
    }
}

fn accelerators(record: &Record) -> String {
    let name = |accelerator: &Accelerator| match accelerator {
        Accelerator::Kvm => "KVM",
        Accelerator::Tcg => "TCG",
        Accelerator::TcgCounting => "TCG with one tick per instruction",
    };
    record.emulator.accelerators.iter().map(name).collect::<Vec<_>>().join("; ")
}

fn legend(contents: &Contents) -> Markup {
    let levels = contents.groups.iter().flat_map(|group: &Group| &group.levels);
    let mut seen: Vec<(usize, &str)> = levels.map(|level| (level.rank, level.level.as_str())).collect();
    seen.sort_unstable();
    seen.dedup();
    let unknown = seen.iter().map(|(_, label)| *label).filter(|label| contents.legend.is_unknown(label));
    let unknown: Vec<_> = unknown.collect();
    html! {
        ul.legend {
            @for (rank, level) in &seen {
                li { span style=(format!("background: var(--level-{})", rank.min(&(COLOURS - 1)))) {} (level) }
            }
        }
        @if !unknown.is_empty() {
            p.quiet { "No level of this checkout, so drawn last and not modelled: " (unknown.join(", ")) "." }
        }
    }
}

fn draw(figure: &Figure) -> Markup {
    html! {
        figure {
            figcaption { (figure.title) small { (figure.detail) " " (tag(&figure.kind.to_string(), figure.kind.is_loud())) } }
            (PreEscaped(&figure.svg))
        }
    }
}
