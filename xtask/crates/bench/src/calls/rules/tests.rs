//! The rules with made-up figures.

use super::*;
use crate::calls::Count;

const RULES: &str = r#"
    [[order]]
    levels = ["linux", "base", "byb", "shortcut"]
    counts = ["getppid"]
    [[order]]
    levels = ["base", "ret"]
    counts = ["fault"]
    margin = 20
    [unordered]
    clock = "the clock is read without entering the kernel"
    [limits.byb]
    getppid = 67
    [[ledger]]
    max_extra = 2
    counts = ["getppid"]
"#;

fn rules() -> Rules {
    let rules: Rules = toml::from_str(RULES).unwrap();
    rules.validate_orders().unwrap();
    rules
}

fn run(label: &str, runs_as: RunsAs, getppid: u64, fault: u64) -> Measured {
    let count = |median| Count { min: median, median };
    let counts = [("getppid", getppid), ("fault", fault), ("clock", 313)];
    let counts = counts.into_iter().map(|(name, median)| (name.to_owned(), count(median))).collect();
    Measured { label: label.to_owned(), runs_as, counts }
}

fn runs() -> Vec<Measured> {
    vec![
        run("linux", RunsAs::Vanilla, 217, 1083),
        run("base", RunsAs::Linked, 198, 1070),
        run("byb", RunsAs::Linked, 66, 1070),
        run("ret", RunsAs::Linked, 180, 1050),
        run("shortcut", RunsAs::Linked, 60, 1050),
        run("process", RunsAs::Beside, 219, 1083),
    ]
}

fn shown(runs: &[Measured], left_out: &[&str]) -> String {
    let left_out = left_out.iter().map(|level| (*level).to_owned()).collect();
    let verdicts = rules().judge(runs, &left_out);
    let line = |verdict: Verdict| {
        let word = if verdict.holds { "ok" } else { "BROKEN" };
        format!("{word} {:?} {}: {}", verdict.kind, verdict.count, verdict.text)
    };
    verdicts.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn rules_that_hold() {
    insta::assert_snapshot!(shown(&runs(), &[]), @r"
    ok Order fault: base 1070 > ret 1050 (each by 20 or more)
    ok Order getppid: linux 217 > base 198 > byb 66 > shortcut 60
    ok Limit getppid: byb 66, at most 67
    ok Ledger getppid: process against linux: 219, 2 more than 217 at most
    ");
}

#[test]
fn the_level_for_the_negative_control_and_its_advantage() {
    let advantages = |level: &str, count: &str| rules().advantages(level, count, &runs()).unwrap();
    assert_eq!(rules().cheapest(), Some("shortcut"));
    assert_eq!(advantages("shortcut", "getppid"), [6]);
    assert_eq!(advantages("ret", "fault"), [20]);
    assert!(advantages("linux", "getppid").is_empty() && advantages("byb", "fault").is_empty());
    assert!(rules().advantages("shortcut", "getppid", &runs()[..3]).is_err());
}

#[test]
fn an_order_may_compare_minimums() {
    let rules: Rules = toml::from_str(&RULES.replace("margin = 20", "figure = \"min\"")).unwrap();
    let mut runs = runs();
    runs[3].counts.insert("fault".to_owned(), Count { min: 1050, median: 2000 });
    let verdict = &rules.judge_order("fault", &runs, &LeftOut::new())[0];
    assert!(verdict.holds);
    insta::assert_snapshot!(verdict.text, @"base 1070 > ret 1050 (the minimum of the batches)");
}

#[test]
fn a_ledger_may_compare_minimums() {
    let rules: Rules = toml::from_str(&RULES.replace("max_extra = 2", "max_extra = 2\nfigure = \"min\"")).unwrap();
    let judged = |process| {
        let mut runs = runs();
        runs[5].counts.insert("getppid".to_owned(), process);
        let verdicts = rules.judge(&runs, &LeftOut::new());
        verdicts.into_iter().find(|verdict| verdict.kind == Kind::Ledger).unwrap()
    };
    let verdict = judged(Count { min: 219, median: 300 });
    assert!(verdict.holds);
    insta::assert_snapshot!(
        verdict.text,
        @"process against linux: 219, 2 more than 217 at most (the minimum of the batches)"
    );
    assert!(!judged(Count { min: 220, median: 217 }).holds);
}

#[test]
fn a_level_that_is_not_cheaper_breaks_the_order() {
    let mut runs = runs();
    runs[2] = run("byb", RunsAs::Linked, 198, 1070);
    runs[3] = run("ret", RunsAs::Linked, 180, 1051);
    runs[5] = run("process", RunsAs::Beside, 220, 1083);
    insta::assert_snapshot!(shown(&runs, &[]), @r"
    BROKEN Order fault: base 1070, NOT > ret 1051 (each by 20 or more)
    BROKEN Order getppid: linux 217 > base 198, NOT > byb 198 > shortcut 60
    BROKEN Limit getppid: byb 198, at most 67
    BROKEN Ledger getppid: process against linux: 220, 2 more than 217 at most
    ");
}

#[test]
fn what_is_missing_breaks_the_rules_that_name_it() {
    let mut runs = runs();
    runs[0].counts.remove("getppid");
    runs[3].counts.remove("fault");
    runs.remove(2);
    insta::assert_snapshot!(shown(&runs, &[]), @r"
    BROKEN Order fault: base 1070, level ret printed no count `fault` (each by 20 or more)
    BROKEN Order getppid: level linux printed no count `getppid`, base 198, level byb was not measured, shortcut 60
    BROKEN Limit getppid: level byb was not measured
    BROKEN Ledger getppid: process against linux: linux or process printed no such count
    ");
}

#[test]
fn what_was_left_out_on_purpose_is_not_compared() {
    let kept: Vec<_> = runs().into_iter().filter(|run| ["linux", "byb"].contains(&run.label.as_str())).collect();
    insta::assert_snapshot!(shown(&kept, &["base", "ret", "shortcut"]), @r"
    ok Order getppid: linux 217 > byb 66
    ok Limit getppid: byb 66, at most 67
    ");
}

#[test]
fn a_count_without_a_rule_is_named() {
    let mut runs = runs();
    runs.iter_mut().for_each(|run| {
        let clock = run.counts.remove("clock").unwrap();
        run.counts.insert("clok".to_owned(), clock);
    });
    let shown = shown(&runs, &[]);
    let coverage: Vec<_> = shown.lines().filter(|line| line.contains("Coverage")).collect();
    insta::assert_snapshot!(coverage.join("\n"), @r"
    BROKEN Coverage clok: neither [[order]] nor [unordered] names it
    BROKEN Coverage clock: [unordered] names it, and no run printed it
    ");
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let refused = |from: &str, to: &str| {
        let rules: Rules = toml::from_str(&RULES.replace(from, to)).unwrap();
        rules.validate_orders().unwrap_err().to_string()
    };
    insta::assert_snapshot!(refused(r#"["base", "ret"]"#, r#"["base"]"#), @r#"[[order]] of ["base"]: at least two levels are compared"#);
    insta::assert_snapshot!(refused(r#"["fault"]"#, r#"["fault", "fault"]"#), @r#"[[order]] of ["base", "ret"] names `fault` twice"#);
    insta::assert_snapshot!(refused("clock =", "fault ="), @"`fault` is in [[order]] and in [unordered]");
    insta::assert_snapshot!(refused("the clock is read without entering the kernel", "why not"), @"[unordered] `clock` has no reason");
    let unknown = toml::from_str::<Rules>(&RULES.replace("margin", "margn")).unwrap_err();
    assert!(unknown.message().contains("unknown field `margn`"), "{unknown}");
}
