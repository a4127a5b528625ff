//! What AWS's messages say and the evaluator's do not: the function and the values concerned.
//!
//! An expression that failed with such a message is evaluated once more, with the same chance and
//! clock, in a tree that takes notes. Expressions that do not fail pay nothing.

use super::convert;
use super::host::marks;
use super::own;
use jsonata_core::ast::{AstNode, BinaryOp, Stage, UnaryOp};
use jsonata_core::value::{JValue, with_stack};
use std::collections::BTreeMap;

/// The notes of one evaluation.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The built-in that was called last.
    pub(super) function: String,
    /// Whether that was without arguments.
    pub(super) is_bare: bool,
    /// The left operands, as JSON, by the place of their operator.
    lefts: BTreeMap<u64, String>,
    /// The left operand that was evaluated last.
    pub(super) left: String,
    /// The right one of the comparison that was evaluated last, with its left one and operator.
    pub(super) compared: Option<(String, String, String)>,
}

impl Notes {
    pub(super) fn enter(&mut self, function: &JValue, is_bare: bool) {
        self.is_bare = is_bare;
        function.as_str().unwrap_or_default().clone_into(&mut self.function);
    }

    pub(super) fn left(&mut self, place: &JValue, value: &JValue) {
        self.left = json(value);
        self.lefts.insert(place_of(place), self.left.clone());
    }

    pub(super) fn right(&mut self, place: &JValue, operator: &JValue, value: &JValue) {
        let left = self.lefts.get(&place_of(place)).cloned().unwrap_or_default();
        let operator = operator.as_str().unwrap_or_default().to_owned();
        self.compared = Some((left, operator, json(value)));
    }
}

fn place_of(place: &JValue) -> u64 {
    place.as_i64().map_or(0, i64::cast_unsigned)
}

fn json(value: &JValue) -> String {
    match convert::from_jsonata(value) {
        Some(Some(value)) => value.to_string(),
        Some(None) | None => "undefined".to_owned(),
    }
}

/// Whether the words of this code need notes.
pub(super) fn helps(code: &str) -> bool {
    matches!(code, "T0410" | "T0411" | "T0412" | "T2009" | "T2010" | "T2011" | "T2012" | "D1002")
}

/// `tree`, taking notes.
pub(super) fn traced(tree: AstNode) -> AstNode {
    let mut places = 0;
    node(tree, &mut places)
}

fn node(tree: AstNode, places: &mut u64) -> AstNode {
    with_stack(|| marked(tree, places))
}

fn boxed(tree: AstNode, places: &mut u64) -> Box<AstNode> {
    Box::new(node(tree, places))
}

fn all(trees: Vec<AstNode>, places: &mut u64) -> Vec<AstNode> {
    trees.into_iter().map(|tree| node(tree, places)).collect()
}

fn pairs(pairs: Vec<(AstNode, AstNode)>, places: &mut u64) -> Vec<(AstNode, AstNode)> {
    pairs.into_iter().map(|(key, value)| (node(key, places), node(value, places))).collect()
}

fn mark(name: &str, args: Vec<AstNode>) -> AstNode {
    AstNode::Function { name: name.to_owned(), args, is_builtin: true }
}

fn marked(tree: AstNode, places: &mut u64) -> AstNode {
    match tree {
        AstNode::Function { name, args, is_builtin } => called(name, all(args, places), is_builtin),
        AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs } => piped(*lhs, *rhs, places),
        AstNode::Binary { op, lhs, rhs } => binary(op, *lhs, *rhs, places),
        AstNode::Unary { op: UnaryOp::Negate, operand: negated } => {
            AstNode::Unary { op: UnaryOp::Negate, operand: operand(*negated, places) }
        }
        AstNode::Call { procedure, args } => {
            AstNode::Call { procedure: boxed(*procedure, places), args: all(args, places) }
        }
        // A built-in that is handed on: what calls it is named.
        AstNode::Lambda { ref params, .. }
            if params.first().is_some_and(|name| name.starts_with(own::PREFIX)) =>
        {
            tree
        }
        AstNode::Lambda { params, body, signature, thunk } => {
            AstNode::Lambda { params, body: boxed(*body, places), signature, thunk }
        }
        AstNode::Path { mut steps } => {
            for step in &mut steps {
                let inner = std::mem::replace(&mut step.node, AstNode::Null);
                step.node = node(inner, places);
                for stage in &mut step.stages {
                    if let Stage::Filter(condition) = stage {
                        let inner = std::mem::replace(&mut **condition, AstNode::Null);
                        **condition = node(inner, places);
                    }
                }
            }
            AstNode::Path { steps }
        }
        AstNode::Array(items) => AstNode::Array(all(items, places)),
        AstNode::ArrayGroup(items) => AstNode::ArrayGroup(all(items, places)),
        AstNode::Object(members) => AstNode::Object(pairs(members, places)),
        AstNode::ObjectTransform { input, pattern } => AstNode::ObjectTransform {
            input: boxed(*input, places),
            pattern: pairs(pattern, places),
        },
        AstNode::Block(nodes) => AstNode::Block(all(nodes, places)),
        AstNode::Conditional { condition, then_branch, else_branch } => AstNode::Conditional {
            condition: boxed(*condition, places),
            then_branch: boxed(*then_branch, places),
            else_branch: else_branch.map(|branch| boxed(*branch, places)),
        },
        AstNode::FunctionApplication(inner) => AstNode::FunctionApplication(boxed(*inner, places)),
        AstNode::Transform { location, update, delete } => AstNode::Transform {
            location: boxed(*location, places),
            update: operand(*update, places),
            delete: delete.map(|fields| operand(*fields, places)),
        },
        other => other,
    }
}

/// A call whose last argument, or itself if it has none, says which function it is of.
fn called(name: String, mut args: Vec<AstNode>, is_builtin: bool) -> AstNode {
    let is_whole = !args.iter().any(|arg| matches!(arg, AstNode::Placeholder));
    let written = name.strip_prefix(own::PREFIX).unwrap_or(&name);
    let is_own = written != name;
    if !is_builtin || !is_whole || is_own && own::parameters(written).is_none() {
        return AstNode::Function { name, args, is_builtin };
    }
    let entered = AstNode::String(written.to_owned());
    let Some(last) = args.pop() else {
        let enter = mark(marks::ENTER, vec![entered, AstNode::Null, AstNode::Boolean(true)]);
        return AstNode::Block(vec![enter, AstNode::Function { name, args, is_builtin }]);
    };
    args.push(mark(marks::ENTER, vec![entered, last]));
    AstNode::Function { name, args, is_builtin }
}

/// What is told when it is of the wrong type.
fn operand(tree: AstNode, places: &mut u64) -> Box<AstNode> {
    *places += 1;
    let place = AstNode::Number(*places as f64);
    Box::new(mark(marks::LEFT, vec![place, node(tree, places)]))
}

/// The name of a function that is a value: of a built-in with guards as well.
fn handed_on(tree: &AstNode) -> Option<String> {
    match tree {
        AstNode::Variable(name) => Some(name.clone()),
        AstNode::Conditional { then_branch, else_branch: Some(other), .. } => match **other {
            AstNode::Lambda { .. } => handed_on(then_branch),
            _ => None,
        },
        _ => None,
    }
}

/// `x ~> $f(y)` as `$f(x, y)`; of `x ~> $f` and others what is there is noted.
fn piped(lhs: AstNode, rhs: AstNode, places: &mut u64) -> AstNode {
    match rhs {
        AstNode::Function { name, mut args, is_builtin }
            if !args.iter().any(|arg| matches!(arg, AstNode::Placeholder)) =>
        {
            args.insert(0, lhs);
            node(AstNode::Function { name, args, is_builtin }, places)
        }
        rhs => {
            let mut lhs = node(lhs, places);
            if let Some(name) = handed_on(&rhs) {
                lhs = mark(marks::ENTER, vec![AstNode::String(name), lhs]);
            }
            let (lhs, rhs) = (Box::new(lhs), boxed(rhs, places));
            AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs }
        }
    }
}

fn binary(op: BinaryOp, lhs: AstNode, rhs: AstNode, places: &mut u64) -> AstNode {
    let operator = match op {
        BinaryOp::LessThan => "<",
        BinaryOp::LessThanOrEqual => "<=",
        BinaryOp::GreaterThan => ">",
        BinaryOp::GreaterThanOrEqual => ">=",
        BinaryOp::ColonEqual => {
            return AstNode::Binary { op, lhs: Box::new(lhs), rhs: boxed(rhs, places) };
        }
        _ => return AstNode::Binary { op, lhs: boxed(lhs, places), rhs: boxed(rhs, places) },
    };
    *places += 1;
    let place = AstNode::Number(*places as f64);
    let lhs = mark(marks::LEFT, vec![place.clone(), node(lhs, places)]);
    let operator = AstNode::String(operator.to_owned());
    let rhs = mark(marks::RIGHT, vec![place, operator, node(rhs, places)]);
    AstNode::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs) }
}
