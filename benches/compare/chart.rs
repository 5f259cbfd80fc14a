//! The curves as a picture: how fast seenby is against the floor, over the size of what there is. Flat is good.

use std::error::Error;

use plotters::{
    chart::ChartBuilder,
    coord::{Shift, combinators::IntoLogRange},
    drawing::DrawingArea,
    prelude::{Circle, IntoDrawingArea, IntoFont, RGBColor, SVGBackend, WHITE},
    series::LineSeries,
    style::Color,
};

use crate::curves::{self, Curve, FLAT};

/// Of the picture, two charts beside each other.
const WIDTH: u32 = 1_100;
const ROW: usize = 300;
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(34, 34, 34);
const GRID: RGBColor = RGBColor(225, 225, 225);
const LINE: RGBColor = RGBColor(0, 114, 178);

/// The picture, as SVG.
pub(crate) fn drawn(curves: &[Curve]) -> Result<String, Box<dyn Error>> {
    let rows = curves.len().div_ceil(2);
    let mut svg = String::new();
    {
        let size = (WIDTH, u32::try_from(ROW * rows)?);
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        // A ground of its own: it must be read on dark pages too.
        area.fill(&WHITE)?;
        for (area, curve) in area.split_evenly((rows, 2)).iter().zip(curves) {
            draw(area, curve)?;
        }
        area.present()?;
    }
    Ok(svg)
}

fn draw(area: &DrawingArea<SVGBackend, Shift>, curve: &Curve) -> Result<(), Box<dyn Error>> {
    let points = curves::places(curve);
    let sizes = || points.iter().map(|(size, _)| *size);
    let (least, most) = (sizes().fold(f64::INFINITY, f64::min), sizes().fold(0.0, f64::max));
    let top = points.iter().map(|(_, ratio)| *ratio).fold(0.0, f64::max) * 1.25;
    let wanted = if curve.must_be_flat { format!(", {FLAT} at most") } else { String::new() };
    let title = format!("{}: within {:.2}x{wanted}", curve.what, curve.spread());
    let text = (FONT, 14).into_font().color(&INK);
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 16).into_font().color(&INK))
        .margin(10)
        .margin_right(36)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d((least..most.max(least * 1.1)).log_scale(), 0.0..top)?;
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(WHITE)
        .label_style(text.clone())
        .axis_desc_style(text)
        .x_desc(curve.over)
        .x_label_formatter(&|size| format!("{size:.0}"))
        .y_desc("of bare hyper")
        .y_labels(6)
        .draw()?;
    chart.draw_series(LineSeries::new(points.iter().copied(), LINE.stroke_width(3)))?;
    chart.draw_series(points.iter().map(|&point| Circle::new(point, 5, LINE.filled())))?;
    Ok(())
}
