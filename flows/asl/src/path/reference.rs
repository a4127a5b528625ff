//! Reference paths: names and single indices only, so that there is one place to read and write.

use super::step::Step;
use super::{Path, PathError, Root};
use crate::failure::{Failure, names};
use crate::scope::Scope;
use crate::value::{MOST_DEPTH, is_within};
use serde_json::{Map, Value};

/// A path that names one place: what `ResultPath` is (States Language, "Reference Paths").
#[derive(Debug, Clone, PartialEq)]
pub struct ReferencePath {
    path: Path,
}

impl ReferencePath {
    /// Parses `source`.
    ///
    /// # Errors
    ///
    /// If it is no path, or one that can find several values.
    pub fn parse(source: &str) -> Result<Self, PathError> {
        let path = Path::parse(source)?;
        let single = |step: &Step| matches!(step, Step::Name(_) | Step::Index(_));
        if path.steps.iter().all(single) {
            return Ok(Self { path });
        }
        let message = format!(
            "`{source}` can find several values; a reference path has names and single indices only"
        );
        Err(PathError { message, position: 0, suggestion: None })
    }

    /// The text it was parsed from.
    pub fn source(&self) -> &str {
        self.path.source()
    }

    /// Whether it starts in the input, as `ResultPath` must.
    pub fn is_in_input(&self) -> bool {
        self.path.root == Root::Input
    }

    /// What is there. See [`Path::evaluate`].
    ///
    /// # Errors
    ///
    /// `States.Runtime` when there is nothing.
    pub fn read(&self, scope: &Scope<'_>, field: &str) -> Result<Value, Failure> {
        self.path.evaluate(scope, field)
    }

    /// Puts `value` where the path says, in place of what is there. Objects that are missing on
    /// the way are made; an item of an array must exist.
    ///
    /// # Errors
    ///
    /// `States.ReferencePathConflict` when `root` has no such place or would be nested deeper than
    /// [`MOST_DEPTH`]; `root` is then unchanged.
    pub fn write(&self, root: &mut Value, value: Value) -> Result<(), Failure> {
        let deepest = MOST_DEPTH.saturating_sub(self.path.steps.len());
        if !fits(root, &self.path.steps) || !is_within(&value, deepest) {
            // Both are quoted from AWS: of a text qiita.com/tsubasaogawa/items/4fe341bdb6ae7d2fd8ee,
            // of an array the troubleshooting notes of "agenticops".
            let what = match (&*root, self.path.steps.first()) {
                (Value::Array(_), Some(Step::Name(name))) => format!("step \"{name}\""),
                _ => format!("ReferencePath {}", self.source()),
            };
            let cause = format!("Unable to apply {what} to input {root}");
            return Err(Failure::new(names::REFERENCE_PATH_CONFLICT, cause));
        }
        let mut place = root;
        for step in &self.path.steps {
            let next = match (step, place) {
                (Step::Name(name), Value::Object(members)) => {
                    Some(members.entry(name.as_str()).or_insert_with(|| Map::new().into()))
                }
                (Step::Index(index), Value::Array(items)) => {
                    position(*index, items.len()).and_then(|at| items.get_mut(at))
                }
                _ => None,
            };
            // `fits` has been along the same way.
            let Some(next) = next else { return Ok(()) };
            place = next;
        }
        *place = value;
        Ok(())
    }
}

/// Whether every step has an object to go into or make, or an item that is there.
fn fits(root: &Value, steps: &[Step]) -> bool {
    let mut place = Some(root);
    for step in steps {
        place = match (step, place) {
            (Step::Name(_), None) => None,
            (Step::Name(name), Some(Value::Object(members))) => members.get(name),
            (Step::Index(index), Some(Value::Array(items))) => {
                match position(*index, items.len()).and_then(|at| items.get(at)) {
                    Some(item) => Some(item),
                    None => return false,
                }
            }
            _ => return false,
        };
    }
    true
}

fn position(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(i64::try_from(len).ok()?)? } else { index };
    usize::try_from(index).ok().filter(|&at| at < len)
}
