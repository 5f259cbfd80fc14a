//! The figures as a picture: what each strategy costs the sender's phone, and how fresh it is, over the group's size.

use std::{error::Error, ops::Range, path::Path};

use plotters::{
    chart::{ChartBuilder, ChartContext},
    coord::{
        Shift,
        combinators::{BindKeyPoints, IntoLogRange, LogCoord, WithKeyPoints},
    },
    prelude::{
        Cartesian2d, Circle, DrawingArea, IntoDrawingArea, IntoFont, PathElement, RGBColor, Rectangle,
        SVGBackend, Text, TriangleMarker, WHITE,
    },
    series::LineSeries,
    style::Color,
};

use super::{Block, figures::Figures, strategy::Strategy};
use crate::cli::measure::{MeasureError, float};

/// Of the picture.
const WIDTH: u32 = 1_200;
const HEIGHT: u32 = 1_080;
/// Above the charts: the title and the legend.
const HEAD: i32 = 88;
const FONT: &str = "sans-serif";
const TITLE_PIXELS: u32 = 22;
const TEXT_PIXELS: u32 = 15;
const INK: RGBColor = RGBColor(34, 34, 34);
const GRID: RGBColor = RGBColor(225, 225, 225);
/// Okabe and Ito's colours, which people who confuse colours can tell apart too.
const COLOURS: [RGBColor; 6] = [
    RGBColor(213, 94, 0),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 114, 178),
    RGBColor(204, 121, 167),
    RGBColor(0, 0, 0),
];
/// The product's own way, wherever it stands among the strategies.
const OWN: RGBColor = RGBColor(0, 158, 115);
/// Ages below this are drawn here: a logarithm has no zero.
const AGE_LEAST: f64 = 0.1;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Axis = WithKeyPoints<LogCoord<f64>>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;
type Drawn = Result<(), Box<dyn Error>>;

/// A strategy's name, colour, and figures group by group.
struct Line<'a> {
    name: &'a str,
    colour: RGBColor,
    /// Which mark its points have.
    mark: usize,
    points: Vec<(f64, &'a Figures)>,
}

/// One of the charts.
struct Panel {
    title: &'static str,
    axis: &'static str,
    value: fn(&Figures) -> f64,
    label: fn(f64) -> String,
}

const PANELS: [Panel; 4] = [
    Panel {
        title: "Traffic of the sender's phone",
        axis: "bytes up and down, per message",
        value: |figures| float(figures.sums.bytes_up + figures.sums.bytes_down) / per_message(figures),
        label: bytes_short,
    },
    Panel {
        title: "Battery of the sender's phone",
        axis: "seconds that the radio is on, per message",
        value: |figures| figures.sums.awake_s / per_message(figures),
        label: |seconds| if seconds < 1.0 { format!("{seconds} s") } else { format!("{seconds:.0} s") },
    },
    Panel {
        title: "Age of the count that is shown: first 20 s of a look",
        axis: "seconds behind, 99th percentile",
        value: |figures| figures.age_beginning_p99_s.max(AGE_LEAST),
        label: age_short,
    },
    Panel {
        title: "Age of the count that is shown: all of a look",
        axis: "seconds behind, 99th percentile",
        value: |figures| figures.age_p99_s.max(AGE_LEAST),
        label: age_short,
    },
];

/// Writes the picture to a file.
pub(super) fn write(path: &Path, blocks: &[Block]) -> Result<(), MeasureError> {
    let drawn =
        drawn(blocks).map_err(|error| MeasureError::Wrong(format!("cannot draw the figures: {error}")))?;
    std::fs::write(path, drawn).map_err(MeasureError::io(format!("write {}", path.display())))
}

/// The picture, as SVG.
fn drawn(blocks: &[Block]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    let lines = lines(blocks);
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        // A ground of its own: it must be read on dark pages too.
        root.fill(&WHITE)?;
        let (head, charts) = root.split_vertically(HEAD);
        legend(&head, &lines)?;
        for (area, panel) in charts.split_evenly((PANELS.len() / 2, 2)).iter().zip(&PANELS) {
            chart(area, panel, &lines)?;
        }
        root.present()?;
    }
    Ok(svg)
}

fn per_message(figures: &Figures) -> f64 {
    float(figures.messages.len().max(1) as u64)
}

/// `5 s`.
fn age_short(seconds: f64) -> String {
    match seconds {
        least if least <= AGE_LEAST => format!("{AGE_LEAST} s or less"),
        below if below < 1.0 => format!("{below:.1} s"),
        seconds => format!("{seconds:.0} s"),
    }
}

/// `20 kB`.
fn bytes_short(bytes: f64) -> String {
    const UNITS: [(f64, &str); 3] = [(1e6, "MB"), (1e3, "kB"), (1.0, "B")];
    let (times, unit) = UNITS.iter().find(|(times, _)| bytes >= *times * 0.999).unwrap_or(&UNITS[2]);
    format!("{:.0} {unit}", bytes / times)
}

/// The strategies that somebody asks in, each with a line through all groups.
fn lines(blocks: &[Block]) -> Vec<Line<'_>> {
    let Some(first) = blocks.first() else { return Vec::new() };
    let asked = first.strategies.iter().filter(|figures| figures.strategy != Strategy::Nobody.key());
    asked
        .zip(COLOURS.iter().cycle())
        .enumerate()
        .map(|(mark, (named, colour))| Line {
            name: &named.name,
            colour: if named.strategy == Strategy::Proactive.key() { OWN } else { *colour },
            mark,
            points: points(blocks, &named.strategy),
        })
        .collect()
}

/// A strategy's figures by the size of the group.
fn points<'a>(blocks: &'a [Block], strategy: &str) -> Vec<(f64, &'a Figures)> {
    let figures = |strategies: &'a [Figures]| strategies.iter().find(|figures| figures.strategy == strategy);
    let sized = |Block { scene, strategies }: &'a Block| {
        Some((float(scene.members.len() as u64), figures(strategies)?))
    };
    let mut points: Vec<_> = blocks.iter().filter_map(sized).collect();
    points.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    points
}

fn legend(area: &Area, lines: &[Line]) -> Drawn {
    let text = |pixels: u32| (FONT, pixels).into_font().color(&INK);
    let title =
        "Receipts brought to a message's sender: what each way costs, and how fresh it is (lower is better)";
    area.draw(&Text::new(title, (24, 14), text(TITLE_PIXELS)))?;
    let mut left = 24;
    for line in lines {
        let middle = 64;
        let width = if line.colour == OWN { 4 } else { 2 };
        area.draw(&PathElement::new(
            vec![(left, middle), (left + 36, middle)],
            line.colour.stroke_width(width),
        ))?;
        mark(area, line, (left + 18, middle))?;
        area.draw(&Text::new(line.name.to_owned(), (left + 44, middle - 8), text(TEXT_PIXELS)))?;
        left += 44 + 8 * i32::try_from(line.name.chars().count()).unwrap_or(0) + 34;
    }
    Ok(())
}

/// One of a line's points: colours alone do not tell lines apart for everybody.
fn mark(area: &Area, line: &Line, (x, y): (i32, i32)) -> Drawn {
    let style = line.colour.filled();
    match line.mark % 3 {
        0 => area.draw(&Circle::new((x, y), 5, style))?,
        1 => area.draw(&TriangleMarker::new((x, y), 7, style))?,
        _ => area.draw(&Rectangle::new([(x - 4, y - 4), (x + 4, y + 4)], style))?,
    }
    Ok(())
}

fn chart(area: &Area, panel: &Panel, lines: &[Line]) -> Drawn {
    let points = |line: &Line| -> Vec<_> {
        line.points.iter().map(|(members, figures)| (*members, (panel.value)(figures))).collect()
    };
    let all: Vec<_> = lines.iter().flat_map(&points).collect();
    let mut labelled: Vec<_> = all.iter().map(|(members, _)| *members).collect();
    labelled.sort_by(f64::total_cmp);
    labelled.dedup();
    let sizes = around(labelled.iter().copied());
    let values = around(all.iter().map(|(_, value)| *value));
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, (FONT, 18).into_font().color(&INK))
        .margin(12)
        .margin_right(24)
        .x_label_area_size(48)
        .y_label_area_size(104)
        .build_cartesian_2d(
            sizes.log_scale().with_key_points(labelled),
            values.clone().log_scale().with_key_points(ticks(&values)),
        )?;
    let text = (FONT, TEXT_PIXELS).into_font().color(&INK);
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(WHITE)
        .label_style(text.clone())
        .axis_desc_style(text)
        .x_desc("members of the group")
        .x_labels(6)
        .x_label_formatter(&|members| format!("{members:.0}"))
        .y_desc(panel.axis)
        .y_labels(8)
        .y_label_formatter(&|value| (panel.label)(*value))
        .draw()?;
    // What is drawn last lies on top: the product's own way.
    let mut order: Vec<_> = lines.iter().collect();
    order.sort_by_key(|line| line.colour == OWN);
    for line in order {
        draw_line(&mut chart, line, points(line))?;
    }
    Ok(())
}

fn draw_line(chart: &mut Chart, line: &Line, points: Vec<(f64, f64)>) -> Drawn {
    let width = if line.colour == OWN { 4 } else { 2 };
    chart.draw_series(LineSeries::new(points.iter().copied(), line.colour.stroke_width(width)))?;
    let area = chart.plotting_area().strip_coord_spec();
    let (left, top) = area.get_base_pixel();
    for at in points {
        let (x, y) = chart.backend_coord(&at);
        mark(&area, line, (x - left, y - top))?;
    }
    Ok(())
}

/// Where an axis has its labels: each power of ten, and if these are few, twice and five times it too.
fn ticks(values: &Range<f64>) -> Vec<f64> {
    let steps: &[f64] = if values.end / values.start > 1_000.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let powers = (-3..12).map(|power| 10_f64.powi(power));
    let all = powers.flat_map(|power| steps.iter().map(move |step| power * step));
    all.filter(|tick| values.contains(tick)).collect()
}

/// From below the least to above the most of some values, with room for their marks.
fn around(values: impl Iterator<Item = f64>) -> Range<f64> {
    const ROOM: f64 = 1.5;
    let (least, most) = values
        .filter(|value| *value > 0.0)
        .fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
    if most > 0.0 { least / ROOM..most * ROOM } else { 1.0..10.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short() {
        let bytes = PANELS[0].label;
        assert_eq!([1.0, 999.9, 20_000.0, 3e6].map(bytes), ["1 B", "1 kB", "20 kB", "3 MB"]);
        let seconds = PANELS[3].label;
        assert_eq!([0.1, 0.2, 5.0, 3_600.0].map(seconds), ["0.1 s or less", "0.2 s", "5 s", "3600 s"]);
    }

    #[test]
    fn a_picture_without_groups_is_one_too() {
        let svg = drawn(&[]).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
    }

    #[test]
    fn axes_leave_room_and_have_no_zero() {
        assert_eq!(around([3.0, 0.0, 6.0].into_iter()), 2.0..9.0);
        assert_eq!(around([].into_iter()), 1.0..10.0);
        assert_eq!(ticks(&(1.5..25.0)), [2.0, 5.0, 10.0, 20.0]);
        assert_eq!(ticks(&(0.5..5_000.0)), [1.0, 10.0, 100.0, 1_000.0]);
    }
}
