//! Document paths: `info.ratings[0]`.

use std::fmt;

use super::value::{Item, Value, get};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A member of a map.
    Name(String),
    /// An element of a list.
    Index(usize),
}

/// The way to an attribute: a top-level name, then steps into it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path {
    /// The top-level attribute.
    pub(super) root: String,
    /// Steps into it.
    pub(super) steps: Vec<Step>,
}

impl Path {
    /// A top-level attribute.
    pub(super) fn top(name: impl Into<String>) -> Self {
        Self { root: name.into(), steps: Vec::new() }
    }

    /// What stands there.
    pub(super) fn find<'a>(&self, item: &'a Item) -> Option<&'a Value> {
        let top = get(item, &self.root)?;
        self.steps.iter().try_fold(top, |value, step| match (value, step) {
            (Value::M(map), Step::Name(name)) => get(map, name),
            (Value::L(list), Step::Index(index)) => list.get(*index),
            _ => None,
        })
    }

    /// Whether one of the two leads to the other, or both to the same.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.root == other.root && self.steps.iter().zip(&other.steps).all(|(a, b)| a == b)
    }

    /// Whether one takes for a list what the other takes for a map.
    pub(super) fn conflicts(&self, other: &Self) -> bool {
        let fork = self.steps.iter().zip(&other.steps).find(|(a, b)| a != b);
        self.root == other.root
            && matches!(
                fork,
                Some((Step::Name(_), Step::Index(_)) | (Step::Index(_), Step::Name(_)))
            )
    }
}

/// As AWS lists it in errors: `[info, ratings, [0]]`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}", self.root)?;
        self.steps.iter().try_for_each(|step| match step {
            Step::Name(name) => write!(f, ", {name}"),
            Step::Index(index) => write!(f, ", [{index}]"),
        })?;
        f.write_str("]")
    }
}
