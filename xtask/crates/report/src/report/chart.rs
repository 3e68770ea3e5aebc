//! Drawings as inline SVG that follow the page's colours, by `plotters`.
//!
//! The drawing library only knows fixed colours. Each role gets a colour that nothing else uses, and those are replaced by
//! CSS: text and axes by the page's colour, a level by its variable in style.css.

mod bars;
mod curve;

pub(super) use bars::bars;
pub(super) use curve::{Axis, Line, curve};

use super::levels::COLOURS;
use anyhow::Result;
use plotters::coord::Shift;
use plotters::prelude::*;

/// Every drawing is as wide as a narrow telephone, so that it is never scaled down; the page puts several in a row.
const WIDTH: u32 = 372;
const FONT: &str = "sans-serif";
/// The library draws letters at this size divided by 1.24.
const FONT_SIZE: u32 = 15;
/// How many labels an axis has at most.
const LABELS: usize = 5;

const INK: RGBColor = RGBColor(1, 0, 0);
const GRID: RGBColor = RGBColor(1, 0, 1);

/// The colour of a place in the order of levels; more places than there are colours share the last one.
fn level_color(rank: usize) -> RGBColor {
    RGBColor(2, 0, rank.min(COLOURS - 1) as u8)
}

/// Runs `draw` on an empty drawing and gives the result its CSS colours.
fn svg(height: u32, label: &str, draw: impl FnOnce(&DrawingArea<SVGBackend, Shift>) -> Result<()>) -> Result<String> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        draw(&root)?;
        root.present()?;
    }
    let css = |color: RGBColor| format!("\"#{:02X}{:02X}{:02X}\"", color.0, color.1, color.2);
    text = text.replace(&css(INK), "\"currentColor\"").replace(&css(GRID), "\"var(--grid)\"");
    for rank in 0..COLOURS {
        text = text.replace(&css(RGBColor(2, 0, rank as u8)), &format!("\"var(--level-{rank})\""));
    }
    let label = maud::html! { (label) }.into_string();
    Ok(text.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{label}\" "), 1))
}

/// The largest value an axis must show: a little more than the data, and never nothing.
fn ceiling(values: impl Iterator<Item = f64>, room: f64) -> f64 {
    let most = values.fold(0.0, f64::max);
    if most > 0.0 { most * room } else { 1.0 }
}

/// A number for people: three or four significant digits, thousands as k, M and G.
pub(super) fn short(value: f64) -> String {
    let (scaled, suffix) = match value.abs() {
        size if size >= 1e9 => (value / 1e9, " G"),
        size if size >= 1e6 => (value / 1e6, " M"),
        size if size >= 1e4 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let digits = match scaled.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        // Three digits that say something: page faults per request are this few.
        size if (1e-9..0.001).contains(&size) => (2.0 - size.log10().floor()) as usize,
        _ => 3,
    };
    let text = format!("{scaled:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 0.3127, 3.0, 66.26, 217.0, 9999.4, 12_345.0, 4_194_304.0, 2.5e9].map(short);
        assert_eq!(shown, ["0", "0.313", "3", "66.3", "217", "9999", "12.3 k", "4.19 M", "2.5 G"]);
        assert_eq!([0.0001, 0.000_123_45, 1e-12].map(short), ["0.0001", "0.000123", "0"]);
    }

    #[test]
    fn colours_become_css_and_labels_are_escaped() {
        let text = svg(40, "a < \"b\"", |root| {
            root.draw(&Circle::new((5, 5), 3, level_color(3).filled()))?;
            root.draw(&Circle::new((9, 5), 3, INK.filled()))?;
            Ok(())
        });
        insta::assert_snapshot!(text.unwrap(), @r#"
        <svg role="img" aria-label="a &lt; &quot;b&quot;" width="372" height="40" viewBox="0 0 372 40" xmlns="http://www.w3.org/2000/svg">
        <circle cx="5" cy="5" r="3" opacity="1" fill="var(--level-3)" stroke="none" stroke-width="1"/>
        <circle cx="9" cy="5" r="3" opacity="1" fill="currentColor" stroke="none" stroke-width="1"/>
        </svg>
        "#);
    }
}
