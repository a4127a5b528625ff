//! Layers: which row each state is in, and in which order a row is drawn (Sugiyama's method:
//! layers by longest path, order by barycentres).
//!
//! Lines that skip rows pass through *bends*. Those that lead to the same state share them: the
//! many catchers of a call flow come down as one line.

use std::collections::HashMap;

use super::graph::{EdgeKind, Flow};

/// What stands in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Item {
    State(usize),
    Bend(usize),
}

/// A line of the picture, from the upper end to the lower one.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) from: usize,
    /// Which of its edges.
    pub(super) edge: usize,
    /// It leads upwards.
    pub(super) back: bool,
    /// Everything that it passes, from the upper row to the lower one.
    pub(super) through: Vec<Item>,
}

#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) rows: Vec<Vec<Item>>,
    pub(super) lines: Vec<Line>,
    /// Joints between one row and the next.
    pub(super) joints: Vec<Vec<(Item, Item)>>,
}

/// Rounds of ordering.
const ROUNDS: usize = 24;

pub(super) fn rows(flow: &Flow) -> Rows {
    let (order, back) = walk(flow);
    let row_of = layers(flow, &order, &back);
    let mut rows = Rows::default();
    let deepest = row_of.iter().copied().max().unwrap_or(0);
    rows.rows.resize(deepest + 1, Vec::new());
    rows.joints.resize(deepest + 1, Vec::new());
    for &state in &order {
        if let Some(row) = row_of.get(state).and_then(|row| rows.rows.get_mut(*row)) {
            row.push(Item::State(state));
        }
    }
    let mut bends = HashMap::new();
    for &from in &order {
        let Some(node) = flow.nodes.get(from) else { continue };
        for (edge, line) in node.edges.iter().enumerate().filter(|(_, e)| e.to != from) {
            let back = back.contains(&(from, line.to));
            let (top, bottom) = if back { (line.to, from) } else { (from, line.to) };
            rows.lay(&mut bends, &row_of, (top, bottom), (from, edge, back, line.kind, line.to));
        }
    }
    for joints in &mut rows.joints {
        joints.sort_by_key(|joint| (key(joint.0), key(joint.1)));
        joints.dedup();
    }
    rows.sort();
    rows
}

fn key(item: Item) -> (u8, usize) {
    match item {
        Item::State(n) => (0, n),
        Item::Bend(n) => (1, n),
    }
}

/// Depth first from the start: the order in which states are met, and the edges that lead back to
/// a state on the way.
fn walk(flow: &Flow) -> (Vec<usize>, Vec<(usize, usize)>) {
    let mut seen = vec![0_u8; flow.nodes.len()];
    let (mut order, mut back) = (Vec::new(), Vec::new());
    // States that nothing leads to come last; a definition that loads has none.
    for first in std::iter::once(flow.start).chain(0..flow.nodes.len()) {
        if seen.get(first) != Some(&0) {
            continue;
        }
        let mut stack = vec![(first, 0)];
        seen[first] = 1;
        order.push(first);
        while let Some((state, next)) = stack.last_mut() {
            let state = *state;
            let edges = flow.nodes.get(state).map(|node| node.edges.as_slice()).unwrap_or_default();
            let Some(edge) = edges.get(*next) else {
                seen[state] = 2;
                stack.pop();
                continue;
            };
            *next += 1;
            match seen.get(edge.to) {
                Some(0) => {
                    seen[edge.to] = 1;
                    order.push(edge.to);
                    stack.push((edge.to, 0));
                }
                Some(1) if edge.to != state => back.push((state, edge.to)),
                _ => {}
            }
        }
    }
    (order, back)
}

/// The longest way from the start, in rows.
fn layers(flow: &Flow, order: &[usize], back: &[(usize, usize)]) -> Vec<usize> {
    let mut row = vec![0; flow.nodes.len()];
    // Without the edges that lead back there is no circle: as many rounds as states are enough.
    for _ in 0..flow.nodes.len() {
        let mut moved = false;
        for &from in order {
            let Some(node) = flow.nodes.get(from) else { continue };
            for edge in node.edges.iter().filter(|e| e.to != from && !back.contains(&(from, e.to)))
            {
                let least = row.get(from).copied().unwrap_or(0) + 1;
                if let Some(to) = row.get_mut(edge.to).filter(|to| **to < least) {
                    *to = least;
                    moved = true;
                }
            }
        }
        if !moved {
            break;
        }
    }
    row
}

/// Who shares a bend: lines to the same state, of one kind and direction, in one row.
type Shared = (usize, EdgeKind, bool, usize);

impl Rows {
    fn lay(
        &mut self,
        bends: &mut HashMap<Shared, usize>,
        row_of: &[usize],
        (top, bottom): (usize, usize),
        (from, edge, back, kind, to): (usize, usize, bool, EdgeKind, usize),
    ) {
        let row = |state: usize| row_of.get(state).copied().unwrap_or(0);
        let mut through = vec![Item::State(top)];
        for between in row(top) + 1..row(bottom) {
            let count = bends.len();
            let bend = *bends.entry((to, kind, back, between)).or_insert(count);
            if bend == count
                && let Some(row) = self.rows.get_mut(between)
            {
                row.push(Item::Bend(bend));
            }
            through.push(Item::Bend(bend));
        }
        through.push(Item::State(bottom));
        for (offset, pair) in through.windows(2).enumerate() {
            if let (Some(joints), [a, b]) = (self.joints.get_mut(row(top) + offset), pair) {
                joints.push((*a, *b));
            }
        }
        self.lines.push(Line { from, edge, back, through });
    }

    fn sort(&mut self) {
        let mut best = (self.crossings(), self.rows.clone());
        for round in 0..ROUNDS {
            let down = round % 2 == 0;
            let count = self.rows.len();
            for step in 1..count {
                let at = if down { step } else { count - 1 - step };
                self.sort_row(at, down);
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.rows.clone());
            }
        }
        self.rows = best.1;
    }

    /// Orders a row by where its neighbours in the row before (or behind) it stand.
    fn sort_row(&mut self, at: usize, down: bool) {
        let neighbours = if down { at.checked_sub(1) } else { Some(at + 1) };
        let Some(other) = neighbours.and_then(|n| self.rows.get(n)) else { return };
        let place: HashMap<Item, usize> = other.iter().enumerate().map(|(n, i)| (*i, n)).collect();
        let joints = if down { at.checked_sub(1) } else { Some(at) };
        let Some(joints) = joints.and_then(|n| self.joints.get(n)) else { return };
        let mut sums: HashMap<Item, (usize, usize)> = HashMap::new();
        for (upper, lower) in joints {
            let (mine, theirs) = if down { (lower, upper) } else { (upper, lower) };
            if let Some(place) = place.get(theirs) {
                let sum = sums.entry(*mine).or_default();
                *sum = (sum.0 + place, sum.1 + 1);
            }
        }
        let Some(row) = self.rows.get_mut(at) else { return };
        let mut keyed: Vec<(f64, Item)> = row
            .iter()
            .enumerate()
            .map(|(n, item)| match sums.get(item) {
                Some((sum, count)) => (*sum as f64 / *count as f64, *item),
                // Nobody to stand by: it stays about where it is.
                None => (n as f64, *item),
            })
            .collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        *row = keyed.into_iter().map(|(_, item)| item).collect();
    }

    fn crossings(&self) -> usize {
        let places = |row: usize| -> HashMap<Item, usize> {
            let row = self.rows.get(row).map(Vec::as_slice).unwrap_or_default();
            row.iter().enumerate().map(|(n, item)| (*item, n)).collect()
        };
        let mut crossings = 0;
        for (row, joints) in self.joints.iter().enumerate() {
            let (upper, lower) = (places(row), places(row + 1));
            let ends: Vec<(usize, usize)> =
                joints.iter().filter_map(|(a, b)| Some((*upper.get(a)?, *lower.get(b)?))).collect();
            for (n, a) in ends.iter().enumerate() {
                let crosses =
                    |b: &&(usize, usize)| (a.0 < b.0 && a.1 > b.1) || (a.0 > b.0 && a.1 < b.1);
                crossings += ends.iter().skip(n + 1).filter(crosses).count();
            }
        }
        crossings
    }
}
