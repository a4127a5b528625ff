//! Following the steps of a path through a document.

use super::Miss;
use super::budget::{Budget, Patience};
use super::step::{Step, is_definite};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The most values a path may be at at once.
const MOST_NODES: usize = 200_000;
/// The most that is copied out, in nodes and text bytes: well over AWS's payload of 256 KiB.
pub(super) const MOST_WEIGHT: usize = 4 * 1024 * 1024;

/// What `steps` find in `root`: a bare value if they are definite, else an array, which is empty
/// as well when the way to it is not there (recorded on AWS: `$.missing[1:].x` is `[]`).
pub(super) fn select(root: &Value, steps: &[Step]) -> Result<Value, Miss> {
    let patience = Patience::default();
    within(root, steps, &mut Budget::new(MOST_WEIGHT, &patience))
}

/// The same, taking the weight of what is found off `left`: the paths within a path share it.
pub(super) fn within(root: &Value, steps: &[Step], left: &mut Budget<'_>) -> Result<Value, Miss> {
    match find(root, steps, left) {
        Err(Miss::NotFound) if !is_definite(steps) => Ok(Value::Array(Vec::new())),
        found => found,
    }
}

/// What steps find, where it is.
pub(super) enum Found<'v> {
    /// What definite steps or a function give.
    One(Cow<'v, Value>),
    /// The items of the array that indefinite steps give.
    Many(Vec<&'v Value>),
}

/// What `steps` find, with nothing copied that lies in `root`. Nothing is a miss, but an indefinite path
/// whose way is there finds an empty list.
pub(super) fn look<'v>(
    root: &'v Value,
    steps: &[Step],
    patience: &Patience,
) -> Result<Found<'v>, Miss> {
    let mut left = Budget::new(MOST_WEIGHT, patience);
    if matches!(steps.last(), Some(Step::Names(_) | Step::Function(_))) {
        let found = find(root, steps, &mut left);
        // To a filter all that is not there is the same.
        let found =
            found.map_err(|miss| if miss == Miss::Senseless { Miss::NotFound } else { miss });
        return Ok(Found::One(Cow::Owned(found?)));
    }
    if is_definite(steps) {
        let node = follow(root, steps, patience)?.pop().ok_or(Miss::NotFound)?;
        return Ok(Found::One(Cow::Borrowed(node)));
    }
    let nodes = follow(root, steps, patience)?;
    if !nodes.iter().all(|node| left.holds(node)) {
        Err(Miss::TooMuch)
    } else if left.counts(MOST_WEIGHT) {
        Ok(Found::Many(nodes))
    } else {
        Err(Miss::TooLong)
    }
}

/// Whether steps that find nothing end in an index past the end of an array that is there.
pub(super) fn ends_past_an_array(root: &Value, steps: &[Step]) -> bool {
    match steps.split_last() {
        Some((Step::Index(_), before)) if is_definite(before) => {
            follow(root, before, &Patience::default())
                .is_ok_and(|nodes| nodes.iter().any(|node| node.is_array()))
        }
        _ => false,
    }
}

fn find(root: &Value, steps: &[Step], left: &mut Budget<'_>) -> Result<Value, Miss> {
    let (steps, function) = match steps.split_last() {
        Some((Step::Function(function), before)) => (before, Some(function)),
        _ => (steps, None),
    };
    let found = match steps.split_last() {
        Some((Step::Names(names), before)) => {
            let nodes = follow(root, before, left.patience)?;
            let mut merged = Vec::new();
            let descended = before.last() == Some(&Step::Descend);
            for node in nodes {
                // What `..` comes by must have all of them.
                if !descended || names.iter().all(|name| node.get(name).is_some()) {
                    merged.extend(members(node, names, left)?);
                }
            }
            gather(merged, is_definite(before))?
        }
        _ => {
            let nodes = follow(root, steps, left.patience)?;
            if !nodes.iter().all(|node| left.holds(node)) {
                return Err(Miss::TooMuch);
            }
            gather(nodes.into_iter().cloned().collect(), is_definite(steps))?
        }
    };
    // Of a definite path, what is not there is not there; else there was something, of which the
    // function makes nothing. Jayway throws then, and does not find an empty list.
    let senseless = |miss| match miss {
        Miss::NotFound if !is_definite(steps) => Miss::Senseless,
        miss => miss,
    };
    match (function, found) {
        (None, found) => Ok(found),
        // All that `..` finds at the path's beginning is taken together.
        (Some(function), Value::Array(each))
            if !is_definite(steps) && steps.first() != Some(&Step::Descend) =>
        {
            let each = each.into_iter().map(|one| function.apply(one, root, left));
            each.collect::<Result<_, _>>().map_err(senseless)
        }
        (Some(function), found) => function.apply(found, root, left).map_err(senseless),
    }
}

fn gather(mut found: Vec<Value>, definite: bool) -> Result<Value, Miss> {
    if definite { found.pop().ok_or(Miss::NotFound) } else { Ok(Value::Array(found)) }
}

/// An object of those of its members that are there.
fn members(node: &Value, names: &[String], left: &mut Budget<'_>) -> Result<Option<Value>, Miss> {
    let Some(object) = node.as_object() else { return Ok(None) };
    let mut merged = Map::new();
    for name in names {
        if let Some(value) = object.get(name) {
            if !left.holds(value) {
                return Err(Miss::TooMuch);
            }
            merged.insert(name.clone(), value.clone());
        }
    }
    Ok(Some(Value::Object(merged)))
}

/// Takes the weight of `value` off `left`; false when it is more than that.
pub(crate) fn weigh(value: &Value, left: &mut usize) -> bool {
    let mut todo = vec![value];
    while let Some(value) = todo.pop() {
        let own = match value {
            Value::String(text) => 1 + text.len(),
            Value::Object(members) => {
                todo.extend(members.values());
                1 + members.keys().map(String::len).sum::<usize>()
            }
            Value::Array(items) => {
                todo.extend(items);
                1
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        };
        match left.checked_sub(own) {
            Some(rest) => *left = rest,
            None => return false,
        }
    }
    true
}

/// The values at the end of `steps`, in document order.
pub(super) fn follow<'v>(
    root: &'v Value,
    steps: &[Step],
    patience: &Patience,
) -> Result<Vec<&'v Value>, Miss> {
    let mut nodes = vec![root];
    let mut definite = true;
    let mut descended = false;
    for (at, step) in steps.iter().enumerate() {
        let place = Place { descended, definite, last: at + 1 == steps.len() };
        let mut next = Vec::new();
        let filter = match step {
            Step::Filter(filter) => Some(filter.ready(root, patience)),
            _ => None,
        };
        let accepts = |item: &Value| filter.as_ref().is_some_and(|filter| filter.accepts(item));
        for node in nodes {
            let before = next.len();
            let fits = advance(node, step, place, &accepts, &mut next);
            patience.takes(1 + next.len() - before);
            if !fits && definite {
                return Err(Miss::NotFound);
            }
            if patience.is_over() {
                return Err(Miss::TooLong);
            }
            if next.len() > MOST_NODES {
                return Err(Miss::TooMuch);
            }
        }
        nodes = next;
        descended = matches!(step, Step::Descend);
        definite &= matches!(step, Step::Name(_) | Step::Index(_));
    }
    Ok(nodes)
}

/// What an index past the end of an array finds as an indefinite path's last step; `[0,9]` and what of
/// `[-9:2]` lies before the beginning is such a path by itself. It is Jayway's
/// with Jackson's nodes, which AWS seems to use: there a definite path's last index finds null too
/// (LocalStack's `test_json_path_array_access`, recorded on AWS).
static PAST: Value = Value::Null;

/// Where a step stands in its path.
#[derive(Clone, Copy)]
struct Place {
    /// After `..`.
    descended: bool,
    /// What is before it leads to one value at most.
    definite: bool,
    last: bool,
}

/// Adds what `step` finds from `node`; false if a definite path ends here in vain.
fn advance<'v>(
    node: &'v Value,
    step: &Step,
    place: Place,
    accepts: &dyn Fn(&Value) -> bool,
    out: &mut Vec<&'v Value>,
) -> bool {
    match step {
        Step::Name(name) => put(node.as_object().and_then(|object| object.get(name)), out),
        Step::Names(names) => match node {
            Value::Object(object) => {
                out.extend(names.iter().filter_map(|name| object.get(name)));
                true
            }
            _ => false,
        },
        Step::Index(index) => {
            let found = item(node, *index);
            let past = place.last && !place.definite && node.is_array();
            put(found.or(past.then_some(&PAST)), out)
        }
        Step::Indices(indices) => {
            let past = (place.last && node.is_array()).then_some(&PAST);
            out.extend(indices.iter().filter_map(|&index| item(node, index).or(past)));
            node.is_array()
        }
        Step::Slice { from, to, by } => match node {
            Value::Array(items) => {
                match (*from, *to) {
                    (Some(from), Some(to)) => between(items, (from, to), place.last, out),
                    bounds => out.extend(slice(items, bounds).iter().step_by((*by).max(1))),
                }
                true
            }
            _ => false,
        },
        Step::Wildcard => {
            match node {
                Value::Array(items) => out.extend(items),
                Value::Object(object) => out.extend(object.values()),
                _ => {}
            }
            true
        }
        Step::Descend => {
            descend(node, out);
            true
        }
        Step::Filter(_) => filtered(node, place.descended, accepts, out),
        // The parser lets it stand at the end alone, where `select` takes it off.
        Step::Function(_) => false,
    }
}

fn put<'v>(found: Option<&'v Value>, out: &mut Vec<&'v Value>) -> bool {
    out.extend(found);
    found.is_some()
}

fn item(node: &Value, index: i64) -> Option<&Value> {
    let items = node.as_array()?;
    let index =
        if index < 0 { index.checked_add(i64::try_from(items.len()).ok()?)? } else { index };
    items.get(usize::try_from(index).ok()?)
}

/// What of a value passes a filter; false for what is neither an array nor an object.
fn filtered<'v>(
    node: &'v Value,
    descended: bool,
    accepts: &dyn Fn(&Value) -> bool,
    out: &mut Vec<&'v Value>,
) -> bool {
    match node {
        // After `..` every item comes up by itself.
        Value::Array(_) if descended => {}
        Value::Array(items) => out.extend(items.iter().filter(|item| accepts(item))),
        Value::Object(_) if accepts(node) => out.push(node),
        Value::Object(_) => {}
        _ => return false,
    }
    true
}

/// A slice with one bound at most.
fn slice(items: &[Value], (from, to): (Option<i64>, Option<i64>)) -> &[Value] {
    let from = bound(from, items.len(), 0);
    let to = bound(to, items.len(), items.len());
    items.get(from..to.max(from)).unwrap_or_default()
}

/// A slice with both bounds: Jayway (`ArraySlicePathToken`) counts from the one up to the other and takes
/// each number as an index, so that `[-1:2]` goes round from the last item to the first ones, and
/// `[1:-1]` has nothing.
fn between<'v>(items: &'v [Value], (from, to): (i64, i64), last: bool, out: &mut Vec<&'v Value>) {
    let len = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let to = to.min(len);
    if items.is_empty() || from >= to {
        return;
    }
    if last {
        let before = to.min(-len).saturating_sub(from).max(0);
        // One more than there may be is too much already.
        let before = usize::try_from(before).unwrap_or(usize::MAX).min(MOST_NODES + 1);
        out.extend(std::iter::repeat_n(&PAST, before));
    }
    let indices = from.max(-len)..to;
    let index = |index: i64| usize::try_from(if index < 0 { index + len } else { index }).ok();
    out.extend(indices.filter_map(|at| items.get(index(at)?)));
}

/// A slice's bound as an index into `len` items; negative ones count from the end.
fn bound(bound: Option<i64>, len: usize, default: usize) -> usize {
    let Some(bound) = bound else { return default };
    let magnitude = usize::try_from(bound.unsigned_abs()).unwrap_or(usize::MAX);
    if bound < 0 { len.saturating_sub(magnitude) } else { magnitude.min(len) }
}

/// `node` and every object and array inside it, parents first.
fn descend<'v>(node: &'v Value, out: &mut Vec<&'v Value>) {
    let mut todo = vec![node];
    while let Some(node) = todo.pop() {
        match node {
            Value::Array(items) => todo.extend(items.iter().rev()),
            Value::Object(object) => todo.extend(object.values().rev()),
            _ => continue,
        }
        out.push(node);
        if out.len() > MOST_NODES {
            return;
        }
    }
}
