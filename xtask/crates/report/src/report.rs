//! `cargo xtask report`: a folder's bench.json as one self-contained page, index.html beside it.

mod chart;
mod figures;
mod groups;
mod levels;
mod page;
mod predictions;
mod published;
mod tables;
#[cfg(test)]
mod tests;

use crate::calibrate;
use crate::model::{self, Costs};
use crate::record::{self, Kind, Record};
use anyhow::Result;
use figures::Figure;
use groups::Group;
pub use levels::Legend;
use maud::{Markup, html};
use predictions::Prediction;
use published::Published;
use std::path::{Path, PathBuf};
use ukl_repo::ctx::Ctx;
use ukl_repo::repo::Repo;

/// The page's name beside `bench.json`.
const FILE_NAME: &str = "index.html";

/// Options of `report`.
#[derive(clap::Args)]
pub struct Args {
    /// A folder that `cargo xtask bench --out DIR` has written.
    dir: PathBuf,
}

/// Runs `report`: reads the record again and renders it.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    let record = Record::read(&args.dir)?;
    let path = render(&ctx.repo, &record, &args.dir)?;
    println!("{}", path.display());
    Ok(())
}

/// Renders a record into a folder and returns the page's path. `repo` has the published figures, and says what the levels
/// of the samples are.
pub fn render(repo: &Repo, record: &Record, dir: &Path) -> Result<PathBuf> {
    let mut costs = Costs::read(&repo.root.join(model::FILE))?;
    let calibration = dir.join(calibrate::FILE_NAME);
    if calibration.is_file() {
        costs.machines.extend(Costs::read(&calibration)?.machines);
    }
    let legend = Legend::new(repo.levels()?);
    let text = html(record, &costs, &Published::read(&repo.root, &legend)?, &legend)?;
    let path = dir.join(FILE_NAME);
    record::write_whole(&path, text.as_bytes())?;
    Ok(path)
}

/// Everything that the page shows, computed.
struct Contents<'a> {
    record: &'a Record,
    legend: &'a Legend,
    costs: &'a Costs,
    groups: Vec<Group>,
    figures: Vec<Figure>,
    published: Vec<published::Row>,
    differences: Vec<(String, String, String)>,
    predictions: Vec<Prediction<'a>>,
}

fn html(record: &Record, costs: &Costs, published: &Published, legend: &Legend) -> Result<String> {
    let groups = groups::groups(record, legend);
    let contents = Contents {
        record,
        legend,
        costs,
        figures: figures::figures(&groups)?,
        published: published.rows(&groups, legend),
        differences: published.differences(record),
        predictions: predictions::predictions(costs, &groups, published, legend),
        groups,
    };
    Ok(page::page(&contents))
}

/// A word that says what kind of figure stands beside it.
fn tag(text: &str, loud: bool) -> Markup {
    html! { span class=(if loud { "tag loudly" } else { "tag" }) { (text) } }
}

impl Kind {
    /// Whether a reader could take the figure for a time on hardware, which it is not.
    fn is_loud(self) -> bool {
        matches!(self, Kind::EmulatedTime | Kind::Modelled)
    }
}
