//! A bar per level with its value and its spread.

use super::{FONT, FONT_SIZE, GRID, INK, LABELS, ceiling, level_color, short, svg};
use crate::report::groups::LevelValues;
use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const BAR_HEIGHT: u32 = 26;
/// The axis with its labels and its title.
const AXIS_HEIGHT: u32 = 52;
const LABEL_WIDTH: u32 = 108;
/// Room right of the longest bar for its value.
const ROOM: f64 = 1.3;

/// One drawing: `title` is what the axis measures, unit included.
pub(crate) fn bars(values: &[LevelValues], title: &str) -> Result<String> {
    let count = values.len();
    let names: Vec<&str> = values.iter().map(|value| short_name(&value.level)).collect();
    let label = format!("{title}: {}", values.iter().map(describe).collect::<Vec<_>>().join(", "));
    svg(AXIS_HEIGHT + BAR_HEIGHT * count as u32, &label, |root| {
        let most = ceiling(values.iter().map(|value| value.summary.max), ROOM);
        let mut chart = ChartBuilder::on(root)
            .margin_right(12)
            .margin_top(4)
            .x_label_area_size(AXIS_HEIGHT - 6)
            .y_label_area_size(LABEL_WIDTH)
            .build_cartesian_2d(0.0..most, 0.0..count as f64)?;
        let text = (FONT, FONT_SIZE).into_font().color(&INK);
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .max_light_lines(0)
            .bold_line_style(GRID)
            .axis_style(INK)
            .x_labels(LABELS)
            .x_label_formatter(&|value| short(*value))
            .x_desc(title)
            .label_style(text.clone())
            .draw()?;
        for (index, (value, name)) in values.iter().zip(&names).enumerate() {
            // The first level is on top.
            let middle = (count - index) as f64 - 0.5;
            let median = value.summary.median;
            let (low, high) = value.summary.spread.bounds();
            let bar = [(0.0, middle - 0.36), (median, middle + 0.36)];
            chart.draw_series([Rectangle::new(bar, level_color(value.rank).filled())])?;
            if high > low {
                let whisker = [(low, middle), (high, middle)];
                let ends = [low, high].map(|end| PathElement::new(vec![(end, middle - 0.2), (end, middle + 0.2)], INK));
                chart.draw_series(ends)?;
                chart.draw_series([PathElement::new(whisker.to_vec(), INK)])?;
            }
            let beside = text.clone().pos(Pos::new(HPos::Left, VPos::Center));
            let at = EmptyElement::at((high.max(median), middle));
            chart.draw_series([at + Text::new(short(median), (6, 0), beside)])?;
            let before = text.clone().pos(Pos::new(HPos::Right, VPos::Center));
            chart.draw_series([EmptyElement::at((0.0, middle)) + Text::new((*name).to_owned(), (-6, 0), before)])?;
        }
        let below = (4, (BAR_HEIGHT * count as u32 + 10) as i32);
        root.draw(&Text::new("level", below, text))?;
        Ok(())
    })
}

/// What fits before a bar; the page's legend has the whole name.
fn short_name(level: &str) -> &str {
    level.strip_prefix("process ").unwrap_or(level)
}

fn describe(value: &LevelValues) -> String {
    format!("{} {}", value.level, short(value.summary.median))
}
