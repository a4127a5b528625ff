//! Where everything is drawn.

use std::collections::HashMap;

use super::graph::{Flow, Node};
use super::order::{Item, Rows, rows};

/// A flow, laid out. Lengths are in pixels.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) boxes: Vec<Placed>,
    pub(super) lines: Vec<Routed>,
}

/// A state.
#[derive(Debug, Default)]
pub(super) struct Placed {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    /// Its name, in lines.
    pub(super) text: Vec<String>,
    /// Its branches, and how far they are to the right of it.
    pub(super) inner: Vec<(f64, Layout)>,
}

/// A line: vertical pieces, joined by curves.
#[derive(Debug)]
pub(super) struct Routed {
    pub(super) from: usize,
    pub(super) edge: usize,
    pub(super) pieces: Vec<Piece>,
}

/// A vertical piece; an end of a line is a piece without length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) x: f64,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// Pixels that a character takes, at the size of the font that names are in.
const CHARACTER: f64 = 7.0;
/// Characters of a line.
const LINE_CHARS: usize = 26;
const LINE_HEIGHT: f64 = 16.0;
const PADDING: f64 = 14.0;
/// Between two boxes of a row, and around branches.
const GAP: f64 = 26.0;
/// Between lines that pass boxes.
const BEND_GAP: f64 = 14.0;
/// Between two rows.
const ROW_GAP: f64 = 54.0;
/// Height of what a state with branches has above them.
pub(super) const HEADER: f64 = 34.0;
/// Rounds of moving to the middle.
const ROUNDS: usize = 30;

pub(super) fn layout(flow: &Flow) -> Layout {
    let rows = rows(flow);
    let mut boxes: Vec<Placed> = flow.nodes.iter().map(measure).collect();
    let centres = centres(&rows, &boxes);
    let mut layout = Layout::default();
    let left = leftmost(&centres, &boxes);
    let mut bands = Vec::new();
    let mut y = 0.0;
    for row in &rows.rows {
        let states = row.iter().filter_map(|item| match item {
            Item::State(state) => boxes.get(*state),
            Item::Bend(_) => None,
        });
        let height = states.map(|placed| placed.height).fold(0.0, f64::max);
        bands.push((y, y + height));
        y += height + ROW_GAP;
    }
    layout.height = (y - ROW_GAP).max(0.0);
    for (row, (top, bottom)) in rows.rows.iter().zip(&bands) {
        for item in row {
            let centre = centres.get(item).copied().unwrap_or(0.0) - left;
            if let Item::State(state) = item
                && let Some(placed) = boxes.get_mut(*state)
            {
                placed.x = centre - placed.width / 2.0;
                placed.y = top + (bottom - top - placed.height) / 2.0;
                layout.width = layout.width.max(placed.x + placed.width);
            } else {
                layout.width = layout.width.max(centre + BEND_GAP);
            }
        }
    }
    let band_of: HashMap<Item, (f64, f64)> = rows
        .rows
        .iter()
        .zip(&bands)
        .flat_map(|(row, band)| row.iter().map(move |item| (*item, *band)))
        .collect();
    layout.lines = route(&rows, &boxes, &centres, &band_of, left);
    layout.boxes = boxes;
    layout
}

fn measure(node: &Node) -> Placed {
    let text = wrap(&node.name);
    let longest = text.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let mut placed = Placed {
        width: longest as f64 * CHARACTER + 2.0 * PADDING,
        height: text.len() as f64 * LINE_HEIGHT + PADDING,
        text,
        ..Placed::default()
    };
    if node.inner.is_empty() {
        placed.width = placed.width.max(80.0);
        return placed;
    }
    let mut x = GAP;
    let mut tallest = 0.0_f64;
    for flow in &node.inner {
        let inner = layout(flow);
        tallest = tallest.max(inner.height);
        let width = inner.width;
        placed.inner.push((x, inner));
        x += width + GAP;
    }
    placed.width = placed.width.max(x);
    placed.height = HEADER + placed.text.len() as f64 * LINE_HEIGHT + tallest + GAP;
    placed
}

/// A name in lines, cut between words.
fn wrap(name: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in name.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= LINE_CHARS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    if lines.is_empty() { vec![name.to_owned()] } else { lines }
}

/// Half the room that something needs to either side.
fn half(item: Item, boxes: &[Placed]) -> f64 {
    match item {
        Item::State(state) => boxes.get(state).map_or(0.0, |placed| placed.width / 2.0 + GAP / 2.0),
        Item::Bend(_) => BEND_GAP / 2.0,
    }
}

fn leftmost(centres: &HashMap<Item, f64>, boxes: &[Placed]) -> f64 {
    let edges = centres.iter().map(|(item, x)| match item {
        Item::State(state) => x - boxes.get(*state).map_or(0.0, |placed| placed.width / 2.0),
        Item::Bend(_) => x - BEND_GAP,
    });
    let left = edges.fold(f64::INFINITY, f64::min);
    if left.is_finite() { left } else { 0.0 }
}

/// The middle of everything: each as near to its neighbours in other rows as its row allows.
fn centres(rows: &Rows, boxes: &[Placed]) -> HashMap<Item, f64> {
    let mut centres = HashMap::new();
    for row in &rows.rows {
        let mut x = 0.0;
        for item in row {
            let half = half(*item, boxes);
            centres.insert(*item, x + half);
            x += 2.0 * half;
        }
    }
    let mut beside: HashMap<Item, Vec<(Item, bool)>> = HashMap::new();
    for (upper, lower) in rows.joints.iter().flatten() {
        beside.entry(*upper).or_default().push((*lower, false));
        beside.entry(*lower).or_default().push((*upper, true));
    }
    for round in 0..ROUNDS {
        // The last rounds look both ways.
        let ways = match (round + 4 >= ROUNDS, round % 2 == 0) {
            (true, _) => [true, true],
            (false, down) => [down, !down],
        };
        let count = rows.rows.len();
        for step in 0..count {
            let at = if round % 2 == 0 { step } else { count - 1 - step };
            if let Some(row) = rows.rows.get(at) {
                settle(row, boxes, &beside, ways, &mut centres);
            }
        }
    }
    centres
}

/// Moves a row to where it wants to be, in its order and without overlaps: isotonic regression by
/// pooling neighbours (Ayer et al. 1955). `ways`: look at the row above, at the row below.
fn settle(
    row: &[Item],
    boxes: &[Placed],
    beside: &HashMap<Item, Vec<(Item, bool)>>,
    ways: [bool; 2],
    centres: &mut HashMap<Item, f64>,
) {
    let mut offset = 0.0;
    let mut last_half = 0.0;
    // (sum of weight * wish, weight, first, count)
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    let mut offsets = Vec::with_capacity(row.len());
    for (n, item) in row.iter().enumerate() {
        let half = half(*item, boxes);
        if n > 0 {
            offset += last_half + half;
        }
        last_half = half;
        offsets.push(offset);
        let own = centres.get(item).copied().unwrap_or(0.0);
        let near = beside.get(item).map(Vec::as_slice).unwrap_or_default();
        let wanted = near.iter().filter(|(_, above)| if *above { ways[0] } else { ways[1] });
        let wanted: Vec<f64> = wanted.filter_map(|(near, _)| centres.get(near).copied()).collect();
        let wish = match wanted.is_empty() {
            true => own,
            false => wanted.iter().sum::<f64>() / wanted.len() as f64,
        };
        let weight = match (item, wanted.is_empty()) {
            (_, true) => 0.1,
            // Long lines are to be straight.
            (Item::Bend(_), false) => 6.0,
            (Item::State(_), false) => 1.0,
        };
        let mut pool = ((wish - offset) * weight, weight, 1);
        while let Some(before) = pools.last().copied() {
            if before.0 / before.1 <= pool.0 / pool.1 {
                break;
            }
            pool = (pool.0 + before.0, pool.1 + before.1, pool.2 + before.2);
            pools.pop();
        }
        pools.push(pool);
    }
    let places =
        pools.iter().flat_map(|(sum, weight, count)| std::iter::repeat_n(sum / weight, *count));
    for ((item, offset), place) in row.iter().zip(offsets).zip(places) {
        centres.insert(*item, place + offset);
    }
}

fn route(
    rows: &Rows,
    boxes: &[Placed],
    centres: &HashMap<Item, f64>,
    band_of: &HashMap<Item, (f64, f64)>,
    left: f64,
) -> Vec<Routed> {
    let mut lines = Vec::new();
    for line in &rows.lines {
        let last = line.through.len().saturating_sub(1);
        let mut pieces: Vec<Piece> = Vec::new();
        for (n, item) in line.through.iter().enumerate() {
            let x = centres.get(item).copied().unwrap_or(0.0) - left;
            match item {
                Item::Bend(_) => {
                    let (from, to) = band_of.get(item).copied().unwrap_or_default();
                    pieces.push(Piece { x, from, to });
                }
                Item::State(state) => {
                    let Some(placed) = boxes.get(*state) else { continue };
                    let y = if n == last { placed.y } else { placed.y + placed.height };
                    // A line that leads back stands beside those that lead on.
                    let x = if line.back { x + placed.width / 4.0 } else { x };
                    pieces.push(Piece { x, from: y, to: y });
                }
            }
        }
        if line.back {
            pieces.reverse();
            for piece in &mut pieces {
                std::mem::swap(&mut piece.from, &mut piece.to);
            }
        }
        lines.push(Routed { from: line.from, edge: line.edge, pieces });
    }
    lines
}
