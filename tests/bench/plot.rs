//! A picture of lines over a logarithmic axis, as SVG.

use std::fmt::Write as _;

/// A line, and its name beside its last point.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) colour: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
/// Room for the numbers on the left and below, and for names on the right and above.
const LEFT: f64 = 56.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 52.0;

/// Draws the lines from zero up; x is logarithmic and marked where there are points.
pub(crate) fn svg(title: &str, below: &str, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let (least, most) = points()
        .fold((f64::INFINITY, 1.0f64), |(least, most), (x, _)| (least.min(*x), most.max(*x)));
    let highest = points().map(|(_, y)| *y).fold(0.0, f64::max);
    let step = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
        .into_iter()
        .find(|step| highest / step <= 6.0)
        .unwrap_or(1000.0);
    let top = (highest / step).ceil().max(1.0) * step;
    let span = (most / least).ln().max(f64::MIN_POSITIVE);
    let x = |value: f64| LEFT + (value / least).ln() / span * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{title}</text>\n"
    );
    grid(&mut out, lines, (step, top), &x, &y);
    for line in lines {
        let path: Vec<String> =
            line.points.iter().map(|(a, b)| format!("{:.1},{:.1}", x(*a), y(*b))).collect();
        let colour = line.colour;
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        for (a, b) in &line.points {
            let (a, b) = (x(*a), y(*b));
            let _ =
                writeln!(out, "<circle cx=\"{a:.1}\" cy=\"{b:.1}\" r=\"3\" fill=\"{colour}\"/>");
        }
    }
    names(&mut out, lines, &x, &y);
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{below}</text>\n</svg>",
        LEFT + (WIDTH - LEFT - RIGHT) / 2.0,
        HEIGHT - 12.0
    );
    out
}

fn grid(
    out: &mut String,
    lines: &[Line],
    (step, top): (f64, f64),
    x: &impl Fn(f64) -> f64,
    y: &impl Fn(f64) -> f64,
) {
    let marks = (top / step).round() as u32;
    for mark in 0..=marks {
        let value = f64::from(mark) * step;
        let at = y(value);
        let _ = writeln!(
            out,
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{:.1}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.1}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0
        );
    }
    for (value, _) in lines.first().map(|line| &line.points[..]).unwrap_or_default() {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value}</text>",
            x(*value),
            HEIGHT - BOTTOM + 18.0
        );
    }
}

/// Names at the ends of the lines, not on top of each other.
fn names(out: &mut String, lines: &[Line], x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64) {
    let ends = lines.iter().filter_map(|line| Some((line, line.points.last()?)));
    let mut ends: Vec<_> = ends.map(|(line, (a, b))| (line, x(*a) + 8.0, y(*b) + 4.0)).collect();
    ends.sort_by(|a, b| a.2.total_cmp(&b.2));
    let mut lowest = f64::NEG_INFINITY;
    for (line, x, y) in ends {
        lowest = y.max(lowest + 15.0);
        let (colour, name) = (line.colour, line.name);
        let _ =
            writeln!(out, "<text x=\"{x:.1}\" y=\"{lowest:.1}\" fill=\"{colour}\">{name}</text>");
    }
}
