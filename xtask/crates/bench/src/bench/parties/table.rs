//! The table: what polling gives beside what the level gives.

use super::Measured;
use super::settings::{Case, Variant};
use ukl_host::columns;
use ukl_repo::config::REFERENCE_LEVEL;
use ukl_report::record::Kind;
use ukl_report::stats;

/// A row per case and variant.
pub(super) fn text(app: &str, cases: &[Case], variants: &[Variant], measured: &[Measured]) -> String {
    let heads =
        ["work", "level", "rounds", "ms", "", "of linux", "of the same polling", "instructions/round", "of linux"];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    let mut emulated = false;
    for case in cases {
        let of = |variant: &str, counted: bool| -> Vec<f64> {
            let wanted = |one: &&Measured| one.case == case.name && one.variant == variant;
            let all = measured.iter().filter(wanted).filter(|one| (one.kind == Kind::Counted) == counted);
            all.map(|one| if counted { one.us * 1e3 / one.messages as f64 } else { one.us / 1e3 }).collect()
        };
        let ratio = |variant: &str, reference: &str, counted| {
            let medians = (stats::median(&of(variant, counted)), stats::median(&of(reference, counted)));
            match medians {
                (Some(value), Some(reference)) if reference > 0.0 => format!("{:.3}", value / reference),
                _ => "-".to_owned(),
            }
        };
        for variant in variants {
            let name = variant.name.as_str();
            // What the level gives: both poll, or both wait.
            let alike =
                if variant.args.is_empty() { REFERENCE_LEVEL.to_owned() } else { format!("{REFERENCE_LEVEL}-spin") };
            let rounds = measured.iter().find(|one| one.case == case.name).map_or(0, |one| one.messages);
            let (time, range) = match stats::summary(&of(name, false)) {
                Some(s) => (format!("{:.1}", s.median), format!("({:.1}..{:.1})", s.min, s.max)),
                None => ("-".to_owned(), String::new()),
            };
            let count = stats::median(&of(name, true)).map_or("-".to_owned(), |count| format!("{count:.0}"));
            lines.push(vec![
                case.name.clone(),
                name.to_owned(),
                rounds.to_string(),
                time,
                range,
                ratio(name, REFERENCE_LEVEL, false),
                ratio(name, &alike, false),
                count,
                ratio(name, REFERENCE_LEVEL, true),
            ]);
        }
        emulated |= measured.iter().any(|one| one.kind == Kind::EmulatedTime);
    }
    let how = if emulated { "EMULATED, so compare within this table only" } else { "with KVM" };
    format!(
        "{app}: time of the slowest party, each in a machine of its own ({how}), medians (least..most); instructions of a round \
         of all parties on one CPU, under qemu -icount shift=0; every answer checked\n\n{}",
        columns::aligned(&lines, 2)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_is_told_from_the_level() {
        let case = Case { name: "few rows".to_owned(), args: vec![], rounds: 2, counted: true };
        let variant = |name: &str, level: &str, args: &[&str]| Variant {
            name: name.to_owned(),
            level: level.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        };
        let variants = [
            variant("linux", "linux", &[]),
            variant("linux-spin", "linux", &["--spin"]),
            variant("shortcut", "shortcut", &[]),
            variant("shortcut-spin", "shortcut", &["--spin"]),
        ];
        let one = |variant: &str, round, us, kind| Measured {
            case: case.name.clone(),
            variant: variant.to_owned(),
            round,
            messages: 10,
            us,
            kind,
        };
        let mut measured = Vec::new();
        for (name, us) in
            [("linux", 100_000.0), ("linux-spin", 40_000.0), ("shortcut", 80_000.0), ("shortcut-spin", 30_000.0)]
        {
            measured.push(one(name, 0, us, Kind::EmulatedTime));
            measured.push(one(name, 1, us * 1.1, Kind::EmulatedTime));
            measured.push(one(name, 0, us / 100.0, Kind::Counted));
        }
        insta::assert_snapshot!(text("app", std::slice::from_ref(&case), &variants, &measured));
    }
}
