//! The ratios as a picture: how many times as fast seenby is, from the slowest round to the fastest, beside what it has to
//! reach.

use std::error::Error;

use plotters::{
    drawing::DrawingArea,
    prelude::{
        Circle, IntoDrawingArea, IntoFont, PathElement, RGBColor, Rectangle, SVGBackend, Text, TextStyle,
        WHITE,
    },
    style::Color,
};

use crate::report::{Comparison, Report};

/// Of the picture; it is as high as it has lines.
const WIDTH: u32 = 1_100;
const HEAD: i32 = 76;
const LINE: i32 = 30;
const FOOT: i32 = 40;
/// Where the ratios are drawn: from a tenth to a hundred times, by a logarithm.
const LEFT: i32 = 480;
const RIGHT: i32 = 1_000;
const RATIOS: (f64, f64) = (0.1, 100.0);
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(34, 34, 34);
const GRID: RGBColor = RGBColor(225, 225, 225);
/// Of Okabe and Ito's colours, which people who confuse colours can tell apart too.
const REACHED: RGBColor = RGBColor(0, 158, 115);
const MISSED: RGBColor = RGBColor(213, 94, 0);
const FREE: RGBColor = RGBColor(140, 140, 140);

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn = Result<(), Box<dyn Error>>;

/// The picture, as SVG.
pub(crate) fn drawn(report: &Report) -> Result<String, Box<dyn Error>> {
    let lines = report.each_comparison();
    let height = HEAD + LINE * i32::try_from(lines.len())? + FOOT;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, u32::try_from(height)?)).into_drawing_area();
        // A ground of its own: it must be read on dark pages too.
        area.fill(&WHITE)?;
        head(&area, report, height)?;
        for (at, line) in lines.iter().enumerate() {
            draw_line(&area, line, HEAD + LINE * i32::try_from(at)? + LINE / 2)?;
        }
        area.present()?;
    }
    Ok(svg)
}

fn head(area: &Area, report: &Report, height: i32) -> Drawn {
    let title = format!(
        "seenby, times as fast as the others: median of {} rounds, slowest to fastest",
        report.rounds()
    );
    area.draw(&Text::new(title, (24, 14), text(20)))?;
    let legend = "green: reaches the line that it has to; orange: does not; grey: nothing is asked for";
    area.draw(&Text::new(legend, (24, 42), text(14)))?;
    for ratio in [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0] {
        let x = place(ratio);
        let width = if x == place(1.0) { 2 } else { 1 };
        area.draw(&PathElement::new(vec![(x, HEAD), (x, height - FOOT)], GRID.stroke_width(width)))?;
        let label = format!("{ratio}x");
        let half = i32::try_from(label.len())? * 4;
        area.draw(&Text::new(label, (x - half, height - FOOT + 10), text(13)))?;
    }
    Ok(())
}

fn draw_line(area: &Area, line: &Comparison, y: i32) -> Drawn {
    let colour = line.holds().map_or(FREE, |holds| if holds { REACHED } else { MISSED });
    let label = format!("{}, against {}", line.work.name, line.other.subject.name());
    area.draw(&Text::new(label, (24, y - 8), text(15)))?;
    let (one, median) = (place(1.0), place(line.ratio.median));
    let bar = [(one.min(median), y - 7), (one.max(median), y + 7)];
    area.draw(&Rectangle::new(bar, colour.mix(0.35).filled()))?;
    area.draw(&PathElement::new(
        vec![(place(line.ratio.min), y), (place(line.ratio.max), y)],
        colour.stroke_width(3),
    ))?;
    area.draw(&Circle::new((median, y), 5, colour.filled()))?;
    if let Some(bar) = line.other.bar {
        let x = place(bar.ratio_min);
        area.draw(&PathElement::new(vec![(x, y - 11), (x, y + 11)], INK.stroke_width(2)))?;
    }
    Ok(area.draw(&Text::new(format!("{:.2}x", line.ratio.median), (RIGHT + 24, y - 8), text(15)))?)
}

fn text(pixels: u32) -> TextStyle<'static> {
    (FONT, pixels).into_font().color(&INK)
}

/// Where a ratio stands; one beyond the edges, at the edge.
#[expect(clippy::cast_possible_truncation, reason = "between LEFT and RIGHT")]
fn place(ratio: f64) -> i32 {
    let (least, most) = RATIOS;
    let share = (ratio.clamp(least, most) / least).ln() / (most / least).ln();
    LEFT + (f64::from(RIGHT - LEFT) * share).round() as i32
}
