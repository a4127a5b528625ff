//! What binds how tightly in 2.0.6 and otherwise in the evaluator's parser.
//!
//! `^(…)` binds as loosely as a comparison there: `x ~> $filter($f)^(n)` sorts what the filter lets
//! through, and `'a' & $x^(n)` what is put together. A predicate or a grouping after a call on the right
//! of `~>` belongs to the call and is passed over when it is applied. (JSONata 2.0.6, `parser.js`:
//! binding powers; `evaluateApplyExpression`.)

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};
use jsonata_core::value::with_stack;

/// Whether a sort is of all that an operator gives, rather than of its right side.
fn is_sorted_whole(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Add
            | BinaryOp::Subtract
            | BinaryOp::Multiply
            | BinaryOp::Divide
            | BinaryOp::Modulo
            | BinaryOp::Concatenate
            | BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::LessThan
            | BinaryOp::LessThanOrEqual
            | BinaryOp::GreaterThan
            | BinaryOp::GreaterThanOrEqual
            | BinaryOp::In
            | BinaryOp::ChainPipe
    )
}

/// `lhs op rhs`, where sorts at the beginning of `rhs` are around it.
pub(super) fn binary(op: BinaryOp, lhs: AstNode, rhs: AstNode) -> AstNode {
    if is_sorted_whole(op) {
        with_stack(|| around(op, lhs, settled(rhs)))
    } else {
        AstNode::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs) }
    }
}

/// A right side whose own operators are where they belong, that on its left first.
fn settled(node: AstNode) -> AstNode {
    match node {
        AstNode::Binary { op, lhs, rhs } => with_stack(|| binary(op, settled(*lhs), *rhs)),
        node => node,
    }
}

fn around(op: BinaryOp, lhs: AstNode, rhs: AstNode) -> AstNode {
    match rhs {
        // What binds tighter than `op`, but comes after the sort.
        AstNode::Binary { op: next, lhs: sorted, rhs } if begins_with_sort(&sorted) => {
            AstNode::Binary { op: next, lhs: Box::new(binary(op, lhs, *sorted)), rhs }
        }
        AstNode::Sort { input, terms } => {
            AstNode::Sort { input: Box::new(binary(op, lhs, *input)), terms }
        }
        AstNode::ObjectTransform { input, pattern } if begins_with_sort(&input) => {
            AstNode::ObjectTransform { input: Box::new(binary(op, lhs, *input)), pattern }
        }
        AstNode::Path { mut steps } if steps.first().is_some_and(|s| begins_with_sort(&s.node)) => {
            if let Some(first) = steps.first_mut() {
                let inner = std::mem::replace(&mut first.node, AstNode::Null);
                first.node = binary(op, lhs, inner);
            }
            AstNode::Path { steps }
        }
        rhs => AstNode::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs) },
    }
}

fn begins_with_sort(mut node: &AstNode) -> bool {
    loop {
        node = match node {
            AstNode::Sort { .. } => return true,
            AstNode::ObjectTransform { input, .. } => input,
            AstNode::Binary { lhs, .. } => lhs,
            AstNode::Path { steps } => match steps.first() {
                Some(step) => &step.node,
                None => return false,
            },
            _ => return false,
        };
    }
}

/// The call on the right of `~>`.
pub(super) fn applied(rhs: AstNode) -> AstNode {
    match rhs {
        AstNode::ObjectTransform { input, .. } if matches!(*input, AstNode::Function { .. }) => {
            *input
        }
        AstNode::Path { mut steps } if is_call_alone(&steps) => {
            steps.pop().map_or(AstNode::Undefined, |step| step.node)
        }
        rhs => rhs,
    }
}

fn is_call_alone(steps: &[PathStep]) -> bool {
    match steps {
        [step] => {
            matches!(step.node, AstNode::Function { .. })
                && step.stages.iter().all(|stage| matches!(stage, Stage::Filter(_)))
                && step.focus.is_none()
                && step.index_var.is_none()
        }
        _ => false,
    }
}
