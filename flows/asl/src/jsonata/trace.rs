//! What AWS's messages say and the evaluator's do not: the function and the values concerned.
//!
//! An expression that failed with such a message is evaluated once more, with the same chance and
//! clock, in a tree that takes notes. Expressions that do not fail pay nothing.

use super::convert;
use super::host::marks;
use jsonata_core::ast::{AstNode, BinaryOp, Stage, UnaryOp};
use jsonata_core::value::{JValue, with_stack};
use std::collections::BTreeMap;

/// The notes of one evaluation.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The built-in that was called last.
    pub(super) function: String,
    /// The left operands, as JSON, by the place of their operator.
    lefts: BTreeMap<u64, String>,
    /// The left operand that was evaluated last.
    pub(super) left: String,
    /// The right one of the comparison that was evaluated last, with its left one and operator.
    pub(super) compared: Option<(String, String, String)>,
}

impl Notes {
    pub(super) fn enter(&mut self, function: &JValue) {
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
    matches!(code, "T0410" | "T0411" | "T0412" | "T2009" | "T2010" | "D1002")
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
        AstNode::Function { name, args, is_builtin } => {
            let mut args = all(args, places);
            let is_whole = !args.iter().any(|arg| matches!(arg, AstNode::Placeholder));
            if is_builtin && is_whole && !name.starts_with("guard:") {
                let last = args.pop();
                let entered = AstNode::String(name.clone());
                args.extend(last.map(|last| mark(marks::ENTER, vec![entered, last])));
            }
            AstNode::Function { name, args, is_builtin }
        }
        AstNode::Binary { op, lhs, rhs } => binary(op, lhs, rhs, places),
        AstNode::Unary { op: UnaryOp::Negate, operand } => {
            *places += 1;
            let place = AstNode::Number(*places as f64);
            let operand = mark(marks::LEFT, vec![place, node(*operand, places)]);
            AstNode::Unary { op: UnaryOp::Negate, operand: Box::new(operand) }
        }
        AstNode::Call { procedure, args } => {
            AstNode::Call { procedure: boxed(*procedure, places), args: all(args, places) }
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
        other => other,
    }
}

fn binary(op: BinaryOp, lhs: Box<AstNode>, rhs: Box<AstNode>, places: &mut u64) -> AstNode {
    let operator = match op {
        BinaryOp::LessThan => "<",
        BinaryOp::LessThanOrEqual => "<=",
        BinaryOp::GreaterThan => ">",
        BinaryOp::GreaterThanOrEqual => ">=",
        BinaryOp::ColonEqual => return AstNode::Binary { op, lhs, rhs: boxed(*rhs, places) },
        // The right side is a call that gets another argument: its marks would be off.
        BinaryOp::ChainPipe => return AstNode::Binary { op, lhs: boxed(*lhs, places), rhs },
        _ => return AstNode::Binary { op, lhs: boxed(*lhs, places), rhs: boxed(*rhs, places) },
    };
    *places += 1;
    let place = AstNode::Number(*places as f64);
    let lhs = mark(marks::LEFT, vec![place.clone(), node(*lhs, places)]);
    let operator = AstNode::String(operator.to_owned());
    let rhs = mark(marks::RIGHT, vec![place, operator, node(*rhs, places)]);
    AstNode::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs) }
}
