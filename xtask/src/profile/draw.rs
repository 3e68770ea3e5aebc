//! The pictures: flame graphs by the crate inferno.

use super::{Load, Profile};
use anyhow::{Context, Result};
use inferno::flamegraph::color::{BasicPalette, MultiPalette, Palette};
use inferno::flamegraph::{self, Options};
use std::collections::BTreeSet;

/// A level's picture: the application's functions, and in another colour those of the kernel that they call.
pub fn picture(app: &str, load: &Load, profile: &Profile) -> Result<Vec<u8>> {
    let lines: Vec<_> = profile.stacks.lines().into_iter().map(|(stack, count)| format!("{stack} {count}")).collect();
    let mut options = options(&format!("{app} at level {}", profile.level), load);
    // Marked frames of the kernel get a colour of their own.
    options.colors = Palette::Multi(MultiPalette::Perl);
    draw(&mut options, &lines)
}

/// What the first level does less or more than the second: the width is the first one's, red what it has more of.
pub fn difference(app: &str, load: &Load, first: &Profile, second: &Profile) -> Result<Vec<u8>> {
    let (now, before) = (first.stacks.lines(), second.stacks.lines());
    let all: BTreeSet<_> = now.keys().chain(before.keys()).collect();
    let count = |lines: &std::collections::BTreeMap<String, usize>, stack| lines.get(stack).copied().unwrap_or(0);
    let lines: Vec<_> =
        all.into_iter().map(|stack| format!("{stack} {} {}", count(&before, stack), count(&now, stack))).collect();
    let title = format!("{app} at level {}, coloured by the difference to {}", first.level, second.level);
    let mut options = options(&title, load);
    options.colors = Palette::Basic(BasicPalette::Red);
    draw(&mut options, &lines)
}

fn options(title: &str, load: &Load) -> Options<'static> {
    let mut options = Options::default();
    options.title = title.to_owned();
    options.subtitle = Some(load.summary());
    options.count_name = "samples".to_owned();
    options.image_width = Some(1600);
    options.min_width = 0.05;
    // The same samples make the same file.
    options.deterministic = true;
    options.hash = true;
    options
}

fn draw(options: &mut Options, lines: &[String]) -> Result<Vec<u8>> {
    let mut svg = Vec::new();
    flamegraph::from_lines(options, lines.iter().map(String::as_str), &mut svg).context("drawing the flame graph")?;
    Ok(svg)
}
