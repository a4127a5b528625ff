//! What binds how tightly in 2.0.6 and otherwise in the evaluator's parser.
//!
//! `^(…)` binds as loosely as a comparison there: `x ~> $filter($f)^(n)` sorts what the filter lets
//! through, and `'a' & $x^(n)` what is put together. A predicate or a grouping after a call on the right
//! of `~>` belongs to the call and is passed over when it is applied. (JSONata 2.0.6, `parser.js`:
//! binding powers; `evaluateApplyExpression`.)

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};

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
    if !is_sorted_whole(op) {
        return AstNode::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs) };
    }
    let rhs = match rhs {
        AstNode::Binary { op, lhs, rhs } => binary(op, *lhs, *rhs),
        rhs => rhs,
    };
    match rhs {
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

fn begins_with_sort(node: &AstNode) -> bool {
    match node {
        AstNode::Sort { .. } => true,
        AstNode::ObjectTransform { input, .. } => begins_with_sort(input),
        AstNode::Path { steps } => steps.first().is_some_and(|step| begins_with_sort(&step.node)),
        _ => false,
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
