//! What an expression is to be given: the functions and the parts of `$states` that it names.
//!
//! An evaluation that is given all there is spends most of its time on getting it.

use super::convert;
use crate::scope::Document;
use jsonata_core::ast::{AstNode, PathStep, Stage};
use jsonata_core::value::JValue;
use std::collections::BTreeSet;

/// The name of the variable that stands for a state's documents.
const STATES: &str = "states";

/// What one expression names.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Functions that are called, and variables: a function may be handed on as one.
    names: BTreeSet<String>,
    /// Members of `$states`.
    members: BTreeSet<String>,
    /// `$states` stands there by itself, or what is read of it is not written out.
    all_of_states: bool,
}

impl Needs {
    /// Of an expression with its guards.
    pub(super) fn of(tree: &AstNode) -> Self {
        let mut needs = Self::default();
        let mut todo = vec![tree];
        while let Some(node) = todo.pop() {
            needs.look(node, &mut todo);
        }
        needs
    }

    fn look<'a>(&mut self, node: &'a AstNode, todo: &mut Vec<&'a AstNode>) {
        match node {
            AstNode::Variable(name) => {
                self.all_of_states |= name == STATES;
                self.names.insert(name.clone());
            }
            AstNode::Function { name, args, .. } => {
                self.names.insert(name.clone());
                todo.extend(args);
            }
            AstNode::Path { steps } => self.path(steps, todo),
            AstNode::Binary { lhs, rhs, .. } => todo.extend([&**lhs, &**rhs]),
            AstNode::Unary { operand, .. } => todo.push(operand),
            AstNode::Call { procedure, args } => {
                todo.push(procedure);
                todo.extend(args);
            }
            AstNode::Lambda { body, .. } => todo.push(body),
            AstNode::Array(nodes) | AstNode::ArrayGroup(nodes) | AstNode::Block(nodes) => {
                todo.extend(nodes);
            }
            AstNode::Object(pairs) => todo.extend(pairs.iter().flat_map(|(k, v)| [k, v])),
            AstNode::ObjectTransform { input, pattern } => {
                todo.push(input);
                todo.extend(pattern.iter().flat_map(|(k, v)| [k, v]));
            }
            AstNode::Conditional { condition, then_branch, else_branch } => {
                todo.extend([&**condition, &**then_branch]);
                todo.extend(else_branch.as_deref());
            }
            // What is above may be `$states` itself.
            AstNode::Parent(_) => self.all_of_states = true,
            AstNode::FunctionApplication(inner) => todo.push(inner),
            AstNode::Sort { input, terms } => {
                todo.push(input);
                todo.extend(terms.iter().map(|(term, _)| term));
            }
            AstNode::Transform { location, update, delete } => {
                todo.extend([&**location, &**update]);
                todo.extend(delete.as_deref());
            }
            AstNode::String(_)
            | AstNode::Name(_)
            | AstNode::Number(_)
            | AstNode::Boolean(_)
            | AstNode::Null
            | AstNode::Undefined
            | AstNode::Placeholder
            | AstNode::Regex { .. }
            | AstNode::ParentVariable(_)
            | AstNode::Wildcard
            | AstNode::Descendant => {}
        }
    }

    fn path<'a>(&mut self, steps: &'a [PathStep], todo: &mut Vec<&'a AstNode>) {
        for step in steps {
            todo.extend(step.stages.iter().filter_map(|stage| match stage {
                Stage::Filter(condition) => Some(&**condition),
                Stage::Index(_) | Stage::KeepArray => None,
            }));
        }
        let rest = match steps {
            [first, second, ..] if is_states(first) => match &second.node {
                AstNode::Name(member) => {
                    self.members.insert(member.clone());
                    steps.get(1..).unwrap_or_default()
                }
                _ => steps,
            },
            _ => steps,
        };
        todo.extend(rest.iter().map(|step| &step.node));
    }

    /// Whether a function of this name can be reached.
    pub(super) fn names(&self, function: &str) -> bool {
        self.names.contains(function)
    }

    /// `$states`, with what is read of it.
    pub(super) fn of_states(&self, states: &dyn Document) -> JValue {
        if self.all_of_states {
            return convert::to_jsonata(states.whole());
        }
        let members = self.members.iter();
        convert::object(members.filter_map(|name| Some((name.as_str(), states.member(name)?))))
    }
}

/// `$states`, and nothing done with it before the next step.
fn is_states(step: &PathStep) -> bool {
    matches!(&step.node, AstNode::Variable(name) if name == STATES)
        && step.stages.is_empty()
        && step.focus.is_none()
        && step.index_var.is_none()
        && step.ancestor_label.is_none()
        && !step.is_tuple
        && !step.inner_tuple
}
