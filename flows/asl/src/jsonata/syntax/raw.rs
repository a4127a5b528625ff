//! An expression as it is written: operators and operands, not yet paths.

use super::signature::Signature;
use super::tree::Operator;
use std::sync::Arc;

/// A part, and whether `[]` stands after it.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) raw: Raw,
    pub(super) keeps_array: bool,
    /// How many levels of parts it has.
    pub(super) depth: usize,
}

type Both = Box<(Written, Written)>;

#[derive(Debug)]
pub(super) enum Raw {
    Null,
    Bool(bool),
    Number(f64),
    Text(Arc<str>),
    Regex {
        pattern: String,
        flags: String,
    },
    Name(Arc<str>),
    Variable(Arc<str>),
    Wildcard,
    Descendants,
    Parent,
    Placeholder,
    /// Nothing where something should be: the text is over.
    End,
    Negate(Box<Written>),
    Array(Vec<Written>),
    Object(Vec<(Written, Written)>),
    Block(Vec<Written>),
    Binary(Operator, Both),
    /// `a.b`
    Step(Both),
    /// `a ~> b`
    Apply(Both),
    /// `a[b]`
    Predicate(Both),
    /// `a{b: c}`
    Group(Box<Written>, Vec<(Written, Written)>),
    /// `a^(b)`, and whether each term is descending.
    Order(Box<Written>, Vec<(Written, bool)>),
    /// `a@$b`
    Focus(Box<Written>, Arc<str>),
    /// `a#$b`
    Index(Box<Written>, Arc<str>),
    Bind(Arc<str>, Box<Written>),
    Condition(Box<(Written, Written, Option<Written>)>),
    Call(Box<(Written, Vec<Written>)>),
    Partial(Box<(Written, Vec<Written>)>),
    Lambda {
        parameters: Vec<Arc<str>>,
        signature: Option<Signature>,
        body: Box<Written>,
    },
    Transform(Box<(Written, Written, Option<Written>)>),
}

impl Written {
    pub(super) fn new(raw: Raw) -> Self {
        let depth = 1 + raw.inner_depth();
        Self { raw, keeps_array: false, depth }
    }
}

impl Raw {
    fn inner_depth(&self) -> usize {
        let of_all = |all: &[Written]| all.iter().map(|one| one.depth).max().unwrap_or(0);
        let of_pairs = |pairs: &[(Written, Written)]| {
            pairs.iter().map(|(key, value)| key.depth.max(value.depth)).max().unwrap_or(0)
        };
        let of_three = |three: &(Written, Written, Option<Written>)| {
            let last = three.2.as_ref().map_or(0, |last| last.depth);
            three.0.depth.max(three.1.depth).max(last)
        };
        match self {
            Self::Negate(one) | Self::Focus(one, _) | Self::Index(one, _) | Self::Bind(_, one) => {
                one.depth
            }
            Self::Lambda { body, .. } => body.depth,
            Self::Array(all) | Self::Block(all) => of_all(all),
            Self::Object(pairs) => of_pairs(pairs),
            Self::Binary(_, both)
            | Self::Step(both)
            | Self::Apply(both)
            | Self::Predicate(both) => both.0.depth.max(both.1.depth),
            Self::Group(one, pairs) => one.depth.max(of_pairs(pairs)),
            Self::Order(one, terms) => {
                let terms = terms.iter().map(|(term, _)| term.depth).max();
                one.depth.max(terms.unwrap_or(0))
            }
            Self::Condition(three) | Self::Transform(three) => of_three(three),
            Self::Call(call) | Self::Partial(call) => call.0.depth.max(of_all(&call.1)),
            _ => 0,
        }
    }
}
