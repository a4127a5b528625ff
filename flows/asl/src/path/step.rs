//! The steps of a path after its root.

use super::filter::Filter;
use super::function::Function;

/// One step: what it goes to from each value found so far.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// `.name`, `['name']`
    Name(String),
    /// `['a','b']`: as the last step one object of those members, else each of them.
    Names(Vec<String>),
    /// `[0]`, `[-1]` from the end
    Index(i64),
    /// `[0,2]`
    Indices(Vec<i64>),
    /// `[from:to]`. A step counts in `[::by]` alone, which Jayway does not have: it reads one behind
    /// a bound, and takes every item.
    Slice { from: Option<i64>, to: Option<i64>, by: usize },
    /// `.*`, `[*]`
    Wildcard,
    /// `..`: the value and everything inside it, for the step that follows
    Descend,
    /// `[?(…)]`
    Filter(Filter),
    /// `.length()`: always last
    Function(Function),
}

/// Whether the steps, a function at the end aside, lead to one value at most.
pub(super) fn is_definite(steps: &[Step]) -> bool {
    let last = steps.len().saturating_sub(1);
    steps.iter().enumerate().all(|(at, step)| match step {
        Step::Name(_) | Step::Index(_) => true,
        Step::Names(_) => at == last,
        Step::Function(_) => true,
        Step::Indices(_)
        | Step::Slice { .. }
        | Step::Wildcard
        | Step::Descend
        | Step::Filter(_) => false,
    })
}
