//! The table of differences in docs/compatibility.md is what the collections say.

use crate::collection::{self, Difference};
use ukl_repo::repo::Repo;

/// The environment variable with which this test writes what it compares.
const WRITE: &str = "UKL_WRITE_DOCS";
/// Around the table.
const BEGIN: &str = "<!-- written by `UKL_WRITE_DOCS=1 cargo test --package ukl-selftests page` -->\n\n";
const END: &str = "\n<!-- end of the selftests -->";

/// A row for each explanation: first the differences, then what there is nothing to compare with.
fn table(repo: &Repo) -> String {
    let names = collection::names(repo).unwrap();
    let all: Vec<_> = names.iter().map(|name| collection::read(repo, name).unwrap().settings).collect();
    let mut table = "| tests | where | why |\n|---|---|---|\n".to_owned();
    let mut row = |tests: &[String], place: &str, reason: &str| {
        let tests: Vec<_> = tests.iter().map(|test| format!("`{}`", test.replace('|', "\\|"))).collect();
        table.push_str(&format!("| {} | {place} | {reason} |\n", tests.join(", ")));
    };
    for Difference { tests, at, reason, .. } in all.iter().flat_map(|settings| &settings.differences) {
        let places = at.iter().flatten().map(|place| format!("`{place}`")).collect::<Vec<_>>().join(", ");
        row(tests, if places.is_empty() { "in ring 0" } else { &places }, reason);
    }
    for settings in &all {
        let kinds = [
            (&settings.fails_at_linux, "fails at `linux`"),
            (&settings.left_out, "not run"),
            (&settings.unbuilt, "not built"),
        ];
        for (exceptions, place) in kinds {
            exceptions.iter().for_each(|exception| row(&exception.tests, place, &exception.reason));
        }
    }
    table
}

#[test]
fn the_page_has_every_difference() {
    let repo = Repo::find().unwrap();
    let path = repo.root.join("docs/compatibility.md");
    let page = fs_err::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("docs/compatibility.md has the table of the selftests");
    let (shown, after) = rest.split_once(END).expect("docs/compatibility.md has the end of that table");
    let table = table(&repo);
    if std::env::var_os(WRITE).is_some() {
        fs_err::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(shown, table, "write it with `{WRITE}=1 cargo test --package ukl-selftests page`");
}
