//! The picture of a machine, with the path of an execution lit.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use offhook_asl::history::EventType;

use super::Path;
use super::graph::{EdgeKind, Flow, Node};
use super::layout::{HEADER, Layout, Piece, Placed, layout};

const MARGIN: f64 = 24.0;
/// Corner of a box.
const ROUND: f64 = 7.0;

const STYLE: &str = "\
text{font:13px 'DejaVu Sans',Verdana,sans-serif;fill:#333;text-anchor:middle}\
.kind{font-size:9px;fill:#777;text-anchor:start}.visits{font-size:10px;font-weight:bold;fill:#fff}\
.box{fill:#fff;stroke:#9aa3ad;stroke-width:1.2}.choice{fill:#f6f3fb}.outer{fill:#fafbfc}\
.line{fill:none;stroke:#b8c0c8;stroke-width:1.2}.catch{stroke-dasharray:4 3}\
.lit .box{fill:#e3f5e6;stroke:#23863c;stroke-width:2.2}\
.failed .box{fill:#fdeaea;stroke:#c62f2f;stroke-width:2.2}\
.open .box{fill:#fff6db;stroke:#b98300;stroke-width:2.2}\
.line.lit{stroke:#23863c;stroke-width:2.6}\
.dark text{fill:#8b929a}.dark .box{stroke:#cfd5da}\
.badge{fill:#23863c}.failed .badge{fill:#c62f2f}.open .badge{fill:#b98300}";

/// What is lit.
#[derive(Default)]
struct Light<'a> {
    /// How often each state was entered.
    visits: HashMap<&'a str, usize>,
    taken: HashSet<(&'a str, &'a str)>,
    started: HashSet<&'a str>,
    /// States that were not left, and whether the execution has ended.
    open: HashSet<&'a str>,
    ended: bool,
}

impl<'a> Light<'a> {
    fn of(path: &'a Path) -> Self {
        let mut light = Self::default();
        for step in &path.steps {
            let state = step.state.as_str();
            *light.visits.entry(state).or_default() += 1;
            match &step.from {
                Some(from) => drop(light.taken.insert((from, state))),
                None => drop(light.started.insert(state)),
            }
            // A Fail state has no exit, and a Succeed state that ends the execution has.
            if step.left.is_none() {
                light.open.insert(state);
            } else {
                light.open.remove(state);
            }
        }
        light.ended = path.end.as_ref().is_some_and(|e| e.how != EventType::ExecutionSucceeded);
        light
    }

    fn class(&self, name: &str) -> &'static str {
        if !self.visits.contains_key(name) {
            return if self.visits.is_empty() { "" } else { "dark" };
        }
        match (self.open.contains(name), self.ended) {
            (true, true) => "failed",
            (true, false) => "open",
            (false, _) => "lit",
        }
    }
}

/// Draws a definition as an SVG document; with a path, what was visited and taken is lit, with the
/// number of visits, and where an execution failed or waits is marked. Text that is no definition
/// gives an empty picture.
pub fn picture(definition: &str, path: Option<&Path>) -> String {
    let flow = Flow::read(definition).unwrap_or_default();
    let laid = layout(&flow);
    let light = path.map(Light::of).unwrap_or_default();
    let (width, height) = (laid.width + 2.0 * MARGIN, laid.height + 2.0 * MARGIN);
    let mut svg = String::new();
    // Writing to a String does not fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\"><style>{STYLE}</style><defs>{}{}</defs>\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>",
        arrow("arrow", "#b8c0c8"),
        arrow("arrow-lit", "#23863c"),
    );
    draw(&mut svg, &flow, &laid, &light, (MARGIN, MARGIN));
    svg.push_str("</svg>\n");
    svg
}

fn arrow(id: &str, colour: &str) -> String {
    format!(
        "<marker id=\"{id}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">\
         <path d=\"M0,0 L8,4 L0,8 z\" fill=\"{colour}\"/></marker>"
    )
}

fn draw(svg: &mut String, flow: &Flow, laid: &Layout, light: &Light<'_>, at: (f64, f64)) {
    // What is lit is drawn over what is not.
    for lit in [false, true] {
        for line in &laid.lines {
            let Some(node) = flow.nodes.get(line.from) else { continue };
            let Some(edge) = node.edges.get(line.edge) else { continue };
            let Some(to) = flow.nodes.get(edge.to) else { continue };
            if light.taken.contains(&(node.name.as_str(), to.name.as_str())) == lit {
                draw_line(svg, &line.pieces, (edge.kind, lit), &edge.label, at);
            }
        }
    }
    for (node, placed) in flow.nodes.iter().zip(&laid.boxes) {
        draw_box(svg, node, placed, light, at);
        let own = node
            .edges
            .iter()
            .any(|edge| flow.nodes.get(edge.to).is_some_and(|to| to.name == node.name));
        if own {
            let lit = light.taken.contains(&(node.name.as_str(), node.name.as_str()));
            draw_loop(svg, placed, lit, at);
        }
    }
}

fn classes(kind: EdgeKind, lit: bool) -> String {
    let catch = if kind == EdgeKind::Catch { " catch" } else { "" };
    let lit = if lit { " lit" } else { "" };
    format!("line{catch}{lit}")
}

fn marker(lit: bool) -> &'static str {
    if lit { "arrow-lit" } else { "arrow" }
}

fn draw_line(
    svg: &mut String,
    pieces: &[Piece],
    (kind, lit): (EdgeKind, bool),
    label: &str,
    (dx, dy): (f64, f64),
) {
    let Some((first, rest)) = pieces.split_first() else { return };
    let mut way = format!("M{:.1},{:.1}", first.x + dx, first.to + dy);
    let mut before = *first;
    for piece in rest {
        let middle = f64::midpoint(before.to, piece.from) + dy;
        let _ = write!(
            way,
            " C{:.1},{middle:.1} {:.1},{middle:.1} {:.1},{:.1}",
            before.x + dx,
            piece.x + dx,
            piece.x + dx,
            piece.from + dy
        );
        if (piece.from - piece.to).abs() > f64::EPSILON {
            let _ = write!(way, " V{:.1}", piece.to + dy);
        }
        before = *piece;
    }
    let _ = write!(
        svg,
        "<path class=\"{}\" d=\"{way}\" marker-end=\"url(#{})\"><title>{}</title></path>",
        classes(kind, lit),
        marker(lit),
        escape(label)
    );
}

fn draw_loop(svg: &mut String, placed: &Placed, lit: bool, (dx, dy): (f64, f64)) {
    let x = placed.x + placed.width + dx;
    let y = placed.y + placed.height / 2.0 + dy;
    let (top, bottom, out) = (y - 9.0, y + 9.0, x + 20.0);
    let _ = write!(
        svg,
        "<path class=\"{}\" d=\"M{x:.1},{top:.1} C{out:.1},{top:.1} {out:.1},{bottom:.1} \
         {x:.1},{bottom:.1}\" marker-end=\"url(#{})\"/>",
        classes(EdgeKind::Next, lit),
        marker(lit)
    );
}

fn draw_box(
    svg: &mut String,
    node: &Node,
    placed: &Placed,
    light: &Light<'_>,
    (dx, dy): (f64, f64),
) {
    let (x, y) = (placed.x + dx, placed.y + dy);
    let shape = match (node.kind.as_str(), node.inner.is_empty()) {
        (_, false) => " outer",
        ("Choice", _) => " choice",
        _ => "",
    };
    let radius = match node.kind.as_str() {
        "Succeed" | "Fail" | "Choice" => placed.height.min(40.0) / 2.0,
        _ => ROUND,
    };
    let _ = write!(
        svg,
        "<g class=\"{}\"><title>{} ({})</title><rect class=\"box{shape}\" x=\"{x:.1}\" \
         y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{radius:.1}\"/>",
        light.class(&node.name),
        escape(&node.name),
        escape(&node.kind),
        placed.width,
        placed.height
    );
    let centre = x + placed.width / 2.0;
    let lines = placed.text.len() as f64 * 16.0;
    let top = if node.inner.is_empty() { y + (placed.height - lines) / 2.0 } else { y + 16.0 };
    for (n, line) in placed.text.iter().enumerate() {
        let baseline = top + n as f64 * 16.0 + 12.5;
        let text = escape(line);
        let _ = write!(svg, "<text x=\"{centre:.1}\" y=\"{baseline:.1}\">{text}</text>");
    }
    let kind = escape(&node.kind);
    let _ =
        write!(svg, "<text class=\"kind\" x=\"{:.1}\" y=\"{:.1}\">{kind}</text>", x + 8.0, y - 4.0);
    if let Some(visits) = light.visits.get(node.name.as_str()).filter(|visits| **visits > 1) {
        let (x, y) = (x + placed.width, y);
        let _ = write!(
            svg,
            "<circle class=\"badge\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"9\"/>\
             <text class=\"visits\" x=\"{x:.1}\" y=\"{:.1}\">{visits}</text>",
            y + 3.5
        );
    }
    svg.push_str("</g>");
    for (flow, (offset, inner)) in node.inner.iter().zip(&placed.inner) {
        draw(svg, flow, inner, light, (x + offset, y + HEADER + lines));
    }
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            // XML 1.0 has no way to write most of these.
            c if c.is_control() && !matches!(c, '\n' | '\t') => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
