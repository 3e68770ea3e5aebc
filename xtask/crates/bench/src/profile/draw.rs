//! The pictures: what `ukl-profile` is asked to draw.

use super::{Load, Profile, program};
use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use ukl_repo::ctx::Ctx;

/// As `ukl-profile draw` reads it.
#[derive(Serialize)]
struct Picture {
    title: String,
    subtitle: String,
    lines: Vec<String>,
    difference: bool,
}

/// A level's picture: the application's functions, and in another colour those of the kernel that they call.
pub(super) fn picture(ctx: &Ctx, app: &str, load: &Load, profile: &Profile) -> Result<Vec<u8>> {
    let lines = profile.stacks.lines().into_iter().map(|(stack, count)| format!("{stack} {count}")).collect();
    let title = format!("{app} at level {}", profile.level);
    draw(ctx, &Picture { title, subtitle: load.summary(), lines, difference: false })
}

/// What the first level does less or more than the second: the width is the first one's, red what it has more of.
pub(super) fn difference(ctx: &Ctx, app: &str, load: &Load, first: &Profile, second: &Profile) -> Result<Vec<u8>> {
    let (now, before) = (first.stacks.lines(), second.stacks.lines());
    let all: BTreeSet<_> = now.keys().chain(before.keys()).collect();
    let count = |lines: &BTreeMap<String, usize>, stack| lines.get(stack).copied().unwrap_or(0);
    let lines =
        all.into_iter().map(|stack| format!("{stack} {} {}", count(&before, stack), count(&now, stack))).collect();
    let title = format!("{app} at level {}, coloured by the difference to {}", first.level, second.level);
    draw(ctx, &Picture { title, subtitle: load.summary(), lines, difference: true })
}

fn draw(ctx: &Ctx, picture: &Picture) -> Result<Vec<u8>> {
    let scratch = ctx.cache.scratch()?;
    let request = scratch.path().join("picture.json");
    std::fs::write(&request, serde_json::to_vec(picture)?).with_context(|| format!("writing {}", request.display()))?;
    program::output(ctx, "draw", &request)
}
