//! The pictures: flame graphs by the crate inferno.

use anyhow::{Context, Result};
use inferno::flamegraph::color::{BasicPalette, MultiPalette, Palette};
use inferno::flamegraph::{self, Options};
use serde::Deserialize;
use std::io::Write;
use std::path::Path;

/// What is to be drawn.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Picture {
    title: String,
    subtitle: String,
    /// Folded stacks: the frames with semicolons between them, then one number of samples or, for a difference, two: before and
    /// now. Frames of the kernel end with `_[k]`.
    lines: Vec<String>,
    /// Whether the colour tells by how much the second number is above (red) or below (blue) the first; the width is the second.
    difference: bool,
}

/// Draws what a file asks for to standard output.
pub(crate) fn print(path: &Path) -> Result<()> {
    let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let picture: Picture = serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?;
    let svg = draw(&picture).with_context(|| format!("drawing {}", path.display()))?;
    std::io::stdout().write_all(&svg).context("writing the picture")
}

fn draw(picture: &Picture) -> Result<Vec<u8>> {
    let mut options = Options::default();
    options.title = picture.title.clone();
    options.subtitle = Some(picture.subtitle.clone());
    options.count_name = "samples".to_owned();
    options.image_width = Some(1600);
    options.min_width = 0.05;
    // The same samples make the same file.
    options.deterministic = true;
    options.hash = true;
    options.colors = match picture.difference {
        true => Palette::Basic(BasicPalette::Red),
        // Marked frames of the kernel get a colour of their own.
        false => Palette::Multi(MultiPalette::Perl),
    };
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, picture.lines.iter().map(String::as_str), &mut svg)?;
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(lines: &[&str], difference: bool) -> String {
        let lines = lines.iter().map(|&line| line.to_owned()).collect();
        let picture = Picture { title: "redis at base".to_owned(), subtitle: "loaded".to_owned(), lines, difference };
        String::from_utf8(draw(&picture).unwrap()).unwrap()
    }

    #[test]
    fn a_picture_has_its_frames_and_is_the_same_each_time() {
        let lines = ["redis;main;readQueryFromClient;tcp_recvmsg_[k] 3", "redis;main 1"];
        let svg = drawn(&lines, false);
        for text in ["redis at base", "loaded", "<title>main (4 samples, 100.00%)</title>", "tcp_recvmsg (3 samples"] {
            assert!(svg.contains(text), "{text:?} is not in {svg}");
        }
        assert_eq!(svg, drawn(&lines, false));
    }

    #[test]
    fn a_difference_tells_by_how_much() {
        let svg = drawn(&["redis;more 1 3", "redis;less 4 1"], true);
        assert!(svg.contains("more (3 samples, 75.00%; +"), "{svg}");
        assert!(svg.contains("less (1 samples, 25.00%; -"), "{svg}");
    }

    #[test]
    fn a_request_with_an_unknown_field_is_refused() {
        let error =
            serde_json::from_str::<Picture>(r#"{"title":"","subtitle":"","lines":[],"colour":1}"#).err().unwrap();
        assert!(error.to_string().contains("colour"), "{error}");
    }
}
