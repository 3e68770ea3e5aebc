//! A line per level over a quantity that grows: percentiles, sizes, numbers of processors.

use super::{FONT, FONT_SIZE, GRID, INK, LABELS, ceiling, level_color, short, svg};
use anyhow::Result;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::prelude::*;
use std::ops::Range;

const HEIGHT: u32 = 260;

/// The horizontal axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// Percentiles, equally far apart for each factor of ten in the requests that are slower.
    Percentile,
    /// Bytes, equally far apart for each doubling.
    Bytes,
    /// A small number as it is.
    Count,
}

/// The points of one level, by the horizontal value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub level: String,
    /// Its place in the order, for the colour.
    pub rank: usize,
    pub points: Vec<(f64, f64)>,
}

impl Axis {
    /// Where a value stands.
    fn place(self, value: f64) -> f64 {
        match self {
            Axis::Percentile => -(1.0 - value / 100.0).max(1e-9).log10(),
            Axis::Bytes => value.max(1.0).log2(),
            Axis::Count => value,
        }
    }

    fn label(self, value: f64) -> String {
        match self {
            Axis::Percentile => format!("p{value}"),
            Axis::Bytes if value >= 1024.0 => format!("{} Ki", short(value / 1024.0)),
            Axis::Bytes | Axis::Count => short(value),
        }
    }
}

/// The horizontal coordinate: labels stand at chosen values and nowhere else.
struct Horizontal {
    axis: Axis,
    places: Range<f64>,
    labelled: Vec<f64>,
}

impl Ranged for Horizontal {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, pixels: (i32, i32)) -> i32 {
        let share = (self.axis.place(*value) - self.places.start) / (self.places.end - self.places.start);
        pixels.0 + (f64::from(pixels.1 - pixels.0) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // Light lines have no labels, and this axis has none of them.
        if hint.weight().allow_light_points() { Vec::new() } else { self.labelled.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.labelled[0]..self.labelled[self.labelled.len() - 1]
    }
}

impl ValueFormatter<f64> for Horizontal {
    fn format_ext(&self, value: &f64) -> String {
        self.axis.label(*value)
    }
}

/// One drawing: the titles are what the axes measure, units included.
pub(crate) fn curve(lines: &[Line], axis: Axis, x_title: &str, y_title: &str) -> Result<String> {
    let mut values: Vec<f64> = lines.iter().flat_map(|line| line.points.iter().map(|(x, _)| *x)).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let (first, last) = (axis.place(values[0]), axis.place(values[values.len() - 1]));
    let margin = ((last - first) * 0.04).max(0.05);
    let label = format!("{y_title} over {x_title}, a line per level");
    svg(HEIGHT, &label, |root| {
        let most = ceiling(lines.iter().flat_map(|line| line.points.iter().map(|(_, y)| *y)), 1.08);
        let horizontal = Horizontal { axis, places: first - margin..last + margin, labelled: labelled(&values) };
        let mut chart = ChartBuilder::on(root)
            .margin_right(16)
            .margin_top(8)
            .x_label_area_size(46)
            .y_label_area_size(74)
            .build_cartesian_2d(horizontal, 0.0..most)?;
        chart
            .configure_mesh()
            .max_light_lines(0)
            .bold_line_style(GRID)
            .axis_style(INK)
            .y_labels(LABELS)
            .y_label_formatter(&|value| short(*value))
            .x_desc(x_title)
            .y_desc(y_title)
            .label_style((FONT, FONT_SIZE).into_font().color(&INK))
            .draw()?;
        for line in lines {
            let color = level_color(line.rank);
            chart.draw_series(LineSeries::new(line.points.iter().copied(), color.stroke_width(2)))?;
            chart.draw_series(line.points.iter().map(|point| Circle::new(*point, 3, color.filled())))?;
        }
        Ok(())
    })
}

/// At most five of the values, the first and the last among them, so that labels never touch.
fn labelled(values: &[f64]) -> Vec<f64> {
    if values.len() <= LABELS {
        return values.to_vec();
    }
    let pick = |index: usize| values[index * (values.len() - 1) / (LABELS - 1)];
    (0..LABELS).map(pick).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_never_crowd() {
        let sizes: Vec<f64> = (0..=13).map(|power| f64::from(1 << power)).collect();
        assert_eq!(labelled(&sizes), [1.0, 8.0, 64.0, 512.0, 8192.0]);
        assert_eq!(labelled(&sizes[..2]), [1.0, 2.0]);
    }

    #[test]
    fn each_ninth_of_a_percentile_takes_the_same_room() {
        let places = [90.0, 99.0, 99.9].map(|percentile| Axis::Percentile.place(percentile));
        assert!((places[1] - places[0] - 1.0).abs() < 1e-9 && (places[2] - places[1] - 1.0).abs() < 1e-9);
        assert_eq!([50.0, 99.9].map(|value| Axis::Percentile.label(value)), ["p50", "p99.9"]);
        assert_eq!([1.0, 512.0, 8192.0].map(|value| Axis::Bytes.label(value)), ["1", "512", "8 Ki"]);
    }
}
