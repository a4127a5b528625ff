//! An expression as it is evaluated.

use super::signature::Signature;
use crate::jsonata::regex::Pattern;
use std::sync::Arc;

/// A variable's name: its place in [`Tree::names`]. The labels of ancestors (`%`) are names as well.
pub(in crate::jsonata) type Symbol = u32;

/// What a `%` stands for: its place in [`Tree::ancestors`].
pub(in crate::jsonata) type Slot = usize;

/// A whole expression.
#[derive(Debug)]
pub(in crate::jsonata) struct Tree {
    pub(in crate::jsonata) root: Node,
    /// The variables in it, without the `$`; those that no expression can write are ancestors'.
    pub(in crate::jsonata) names: Vec<Arc<str>>,
    /// The name under which each ancestor is bound.
    pub(in crate::jsonata) ancestors: Vec<Symbol>,
}

/// A part of an expression.
#[derive(Debug)]
pub(in crate::jsonata) struct Node {
    pub(in crate::jsonata) kind: Kind,
    /// `[]` was written after it.
    pub(in crate::jsonata) keeps_array: bool,
    /// What most parts do not have.
    pub(in crate::jsonata) more: Option<Box<More>>,
}

/// What stands after a part, and how it takes part in a path.
#[derive(Debug, Default)]
pub(in crate::jsonata) struct More {
    /// Predicates of all it gives.
    pub(in crate::jsonata) predicates: Vec<Node>,
    /// Predicates of a step, for what the step gives of each item.
    pub(in crate::jsonata) stages: Vec<Stage>,
    /// `{key: value}`
    pub(in crate::jsonata) group: Option<Vec<(Node, Node)>>,
    /// `@$name`
    pub(in crate::jsonata) focus: Option<Symbol>,
    /// `#$name`
    pub(in crate::jsonata) index: Option<Symbol>,
    /// Its input is what a `%` means.
    pub(in crate::jsonata) ancestor: Option<Slot>,
    /// It binds variables for the steps after it.
    pub(in crate::jsonata) is_tuple: bool,
    /// An array constructor at an end of a path.
    pub(in crate::jsonata) is_constructed: bool,
    /// The ancestors that are still looked for in what stands before it.
    pub(in crate::jsonata) seeks: Vec<Slot>,
}

/// One thing that is done with what a step gives.
#[derive(Debug)]
pub(in crate::jsonata) enum Stage {
    Filter(Node),
    Index(Symbol),
}

#[derive(Debug)]
pub(in crate::jsonata) enum Kind {
    Null,
    Bool(bool),
    Number(f64),
    Text(Arc<str>),
    Regex(Arc<Pattern>),
    Name(Arc<str>),
    Variable(Symbol),
    /// `$`
    Context,
    /// `$$`: nothing, for there is no document around an expression.
    Root,
    Wildcard,
    Descendants,
    Parent(Slot),
    Path(Path),
    Binary(Operator, Box<(Node, Node)>),
    Negate(Box<Node>),
    Array(Vec<Node>),
    Object(Vec<(Node, Node)>),
    Condition(Box<Condition>),
    Block(Vec<Node>),
    Bind(Symbol, Box<Node>),
    Call(Box<Call>),
    /// A call with `?` among its arguments.
    Partial(Box<Call>),
    /// `?`
    Placeholder,
    Lambda(Arc<Lambda>),
    Apply(Box<(Node, Node)>),
    Transform(Arc<Transform>),
    Sort(Vec<Term>),
}

#[derive(Debug)]
pub(in crate::jsonata) struct Path {
    pub(in crate::jsonata) steps: Vec<Node>,
    /// A step in it has `[]`.
    pub(in crate::jsonata) keeps_singleton: bool,
}

#[derive(Debug)]
pub(in crate::jsonata) struct Condition {
    pub(in crate::jsonata) condition: Node,
    pub(in crate::jsonata) then: Node,
    pub(in crate::jsonata) otherwise: Option<Node>,
}

#[derive(Debug)]
pub(in crate::jsonata) struct Call {
    pub(in crate::jsonata) procedure: Node,
    pub(in crate::jsonata) arguments: Vec<Node>,
    /// The last thing a function does: its frame is left before.
    pub(in crate::jsonata) is_tail: bool,
}

#[derive(Debug)]
pub(in crate::jsonata) struct Lambda {
    pub(in crate::jsonata) parameters: Vec<Symbol>,
    pub(in crate::jsonata) signature: Option<Signature>,
    pub(in crate::jsonata) body: Node,
}

/// `|pattern|update, delete|`
#[derive(Debug)]
pub(in crate::jsonata) struct Transform {
    pub(in crate::jsonata) pattern: Node,
    pub(in crate::jsonata) update: Node,
    pub(in crate::jsonata) delete: Option<Node>,
}

/// One of `^(…)`.
#[derive(Debug)]
pub(in crate::jsonata) struct Term {
    pub(in crate::jsonata) expression: Node,
    pub(in crate::jsonata) is_descending: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::jsonata) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Concatenate,
    And,
    Or,
    In,
    Range,
    /// `??` of JSONata 2.1.
    Coalesce,
    /// `?:` of JSONata 2.1.
    Default,
}

impl Operator {
    pub(in crate::jsonata) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Equal => "=",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Concatenate => "&",
            Self::And => "and",
            Self::Or => "or",
            Self::In => "in",
            Self::Range => "..",
            Self::Coalesce => "??",
            Self::Default => "?:",
        }
    }
}

impl Node {
    pub(in crate::jsonata) fn new(kind: Kind) -> Self {
        Self { kind, keeps_array: false, more: None }
    }

    pub(in crate::jsonata) fn more_mut(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    pub(in crate::jsonata) fn stages(&self) -> &[Stage] {
        self.more.as_ref().map_or(&[], |more| &more.stages)
    }

    pub(in crate::jsonata) fn is_tuple(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.is_tuple)
    }

    pub(in crate::jsonata) fn is_constructed(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.is_constructed)
    }

    /// A part with nothing after it.
    pub(in crate::jsonata) fn is_bare(&self) -> bool {
        !self.keeps_array
            && self.more.as_ref().is_none_or(|more| {
                more.predicates.is_empty()
                    && more.stages.is_empty()
                    && more.group.is_none()
                    && more.focus.is_none()
                    && more.index.is_none()
                    && more.ancestor.is_none()
                    && !more.is_tuple
            })
    }

    /// The parts that it is made of, those after it included.
    pub(in crate::jsonata) fn parts(&self) -> Vec<&Self> {
        let mut parts: Vec<&Self> = Vec::new();
        match &self.kind {
            Kind::Path(path) => parts.extend(&path.steps),
            Kind::Binary(_, sides) | Kind::Apply(sides) => parts.extend([&sides.0, &sides.1]),
            Kind::Negate(inner) | Kind::Bind(_, inner) => parts.push(inner),
            Kind::Array(nodes) | Kind::Block(nodes) => parts.extend(nodes),
            Kind::Object(members) => parts.extend(members.iter().flat_map(|(k, v)| [k, v])),
            Kind::Condition(condition) => {
                parts.extend([&condition.condition, &condition.then]);
                parts.extend(&condition.otherwise);
            }
            Kind::Call(call) | Kind::Partial(call) => {
                parts.push(&call.procedure);
                parts.extend(&call.arguments);
            }
            Kind::Lambda(lambda) => parts.push(&lambda.body),
            Kind::Transform(transform) => {
                parts.extend([&transform.pattern, &transform.update]);
                parts.extend(&transform.delete);
            }
            Kind::Sort(terms) => parts.extend(terms.iter().map(|term| &term.expression)),
            _ => {}
        }
        parts.extend(self.after());
        parts
    }

    /// The parts that stand after it: predicates and groups.
    pub(in crate::jsonata) fn after(&self) -> Vec<&Self> {
        let Some(more) = &self.more else { return Vec::new() };
        let mut parts: Vec<&Self> = more.predicates.iter().collect();
        parts.extend(more.stages.iter().filter_map(|stage| match stage {
            Stage::Filter(condition) => Some(condition),
            Stage::Index(_) => None,
        }));
        parts.extend(more.group.iter().flatten().flat_map(|(k, v)| [k, v]));
        parts
    }
}
