//! The operands of arithmetic.
//!
//! A division by nought and a remainder of it may be `NaN`, which is a value and no operand: 2.0.6
//! refuses it with T2001 or T2002, and the evaluator goes on with it.

use super::Guard;
use super::calls::function;
use crate::jsonata::host::guards;
use jsonata_core::ast::{AstNode, BinaryOp, UnaryOp};

impl Guard {
    /// Both sides of an operator.
    pub(super) fn operands(
        &mut self,
        op: BinaryOp,
        lhs: AstNode,
        rhs: AstNode,
    ) -> (AstNode, AstNode) {
        let operator = match op {
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Modulo => "%",
            _ => return (self.node(lhs), self.node(rhs)),
        };
        let mut operand = |guard: &str, node: AstNode| {
            let is_unsure = self.may_be_nan(&node);
            let node = self.node(node);
            if is_unsure {
                function(guard, vec![AstNode::String(operator.to_owned()), node])
            } else {
                node
            }
        };
        (operand(guards::LEFT_NUMBER, lhs), operand(guards::RIGHT_NUMBER, rhs))
    }

    /// Whether an operand may be `NaN`, as far as can be seen: what a function gives is not looked at.
    pub(super) fn may_be_nan(&self, node: &AstNode) -> bool {
        let mut todo = vec![node];
        while let Some(node) = todo.pop() {
            match node {
                AstNode::Binary { op: BinaryOp::Divide | BinaryOp::Modulo, rhs, .. } if !matches!(**rhs, AstNode::Number(number) if number != 0.0) =>
                {
                    return true;
                }
                AstNode::Unary { op: UnaryOp::Negate, operand } => todo.push(operand),
                AstNode::Block(nodes) => todo.extend(nodes.last()),
                AstNode::Conditional { then_branch, else_branch, .. } => {
                    todo.push(then_branch);
                    todo.extend(else_branch.as_deref());
                }
                AstNode::Variable(name) if self.unsure.contains(name) => return true,
                _ => {}
            }
        }
        false
    }
}
