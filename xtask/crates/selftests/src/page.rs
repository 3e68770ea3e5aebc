//! The table of differences in docs/compatibility.md is what the collections say.

use crate::collection::{self, Difference};
use ukl_repo::repo::Repo;

/// The environment variable with which this test writes what it compares.
const WRITE: &str = "UKL_WRITE_DOCS";
/// Around the table.
const BEGIN: &str = "<!-- written by `UKL_WRITE_DOCS=1 cargo test --package ukl-selftests page` -->\n\n";
const END: &str = "\n<!-- end of the selftests -->";

/// A row for each explanation.
fn table(repo: &Repo) -> String {
    let mut table = "| tests | where | why |\n|---|---|---|\n".to_owned();
    for name in collection::names(repo).unwrap() {
        for Difference { tests, at, reason } in collection::read(repo, &name).unwrap().settings.differences {
            let tests: Vec<_> = tests.iter().map(|test| format!("`{}`", test.replace('|', "\\|"))).collect();
            let places = at.map_or("in ring 0".to_owned(), |at| {
                at.iter().map(|place| format!("`{place}`")).collect::<Vec<_>>().join(", ")
            });
            table.push_str(&format!("| {} | {places} | {reason} |\n", tests.join(", ")));
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
