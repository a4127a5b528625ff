//! What an expression is to be given: the functions and the parts of its variables that it names.
//!
//! An evaluation that is given all there is spends most of its time on getting it.

use super::convert;
use crate::scope::Document;
use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};
use jsonata_core::value::JValue;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The name of the variable that stands for a state's documents.
const STATES: &str = "states";

/// What one expression names.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Functions that are called, and variables: a function may be handed on as one.
    names: BTreeSet<String>,
    /// What is read of each variable, `$states` among them.
    parts: BTreeMap<String, Part>,
    /// What is read is not written out.
    all: bool,
    /// The expression has a `$states` of its own.
    own_states: bool,
}

/// What is read of a value.
#[derive(Debug, Default)]
struct Part {
    /// It stands there by itself.
    all: bool,
    members: BTreeMap<String, Part>,
}

impl Needs {
    /// Of an expression with its guards; `None`: it has more than `most` nodes.
    pub(super) fn of(tree: &AstNode, most: usize) -> Option<Self> {
        let mut needs = Self::default();
        let mut todo = vec![tree];
        let mut left = most;
        while let Some(node) = todo.pop() {
            left = left.checked_sub(1)?;
            needs.look(node, &mut todo);
        }
        Some(needs)
    }

    fn look<'a>(&mut self, node: &'a AstNode, todo: &mut Vec<&'a AstNode>) {
        match node {
            AstNode::Variable(name) => {
                self.names.insert(name.clone());
                self.part(name).all = true;
            }
            AstNode::Function { name, args, .. } => {
                self.names.insert(name.clone());
                todo.extend(args);
            }
            AstNode::Path { steps } => self.path(steps, todo),
            AstNode::Binary { op, lhs, rhs } => {
                let is_states = matches!(&**lhs, AstNode::Variable(name) if name == STATES);
                self.own_states |= *op == BinaryOp::ColonEqual && is_states;
                todo.extend([&**lhs, &**rhs]);
            }
            AstNode::Unary { operand, .. } => todo.push(operand),
            AstNode::Call { procedure, args } => {
                todo.push(procedure);
                todo.extend(args);
            }
            AstNode::Lambda { params, body, .. } => {
                self.own_states |= params.iter().any(|name| name == STATES);
                todo.push(body);
            }
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
            // What is above may be a variable itself.
            AstNode::Parent(_) => self.all = true,
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
            let mut names = step.focus.iter().chain(&step.index_var);
            self.own_states |= names.any(|name| name == STATES);
            todo.extend(step.stages.iter().filter_map(|stage| match stage {
                Stage::Filter(condition) => Some(&**condition),
                Stage::Index(_) | Stage::KeepArray => None,
            }));
        }
        let rest = match steps {
            [first, rest @ ..] if is_bare(first) => match &first.node {
                AstNode::Variable(name) => {
                    self.names.insert(name.clone());
                    self.part(name).follow(rest);
                    rest
                }
                _ => steps,
            },
            _ => steps,
        };
        todo.extend(rest.iter().map(|step| &step.node));
    }

    fn part(&mut self, variable: &str) -> &mut Part {
        self.parts.entry(variable.to_owned()).or_default()
    }

    /// The members of `$states` that are written out; none where another may be meant.
    pub(super) fn members_of_states(&self) -> impl Iterator<Item = &str> {
        let part = self.parts.get(STATES).filter(|_| !self.own_states);
        part.into_iter().flat_map(|part| part.members.keys().map(String::as_str))
    }

    /// Whether a function of this name can be reached.
    pub(super) fn names(&self, function: &str) -> bool {
        self.names.contains(function)
    }

    /// A variable, with what is read of it.
    pub(super) fn of_variable(&self, name: &str, value: &Value) -> JValue {
        match self.parts.get(name) {
            Some(part) if !self.all => part.of_value(value),
            _ => convert::to_jsonata(value),
        }
    }

    /// `$states`, with what is read of it.
    pub(super) fn of_states(&self, states: &dyn Document) -> JValue {
        match self.parts.get(STATES) {
            Some(part) if !self.all => part.of_document(states),
            _ => convert::to_jsonata(states.whole()),
        }
    }
}

impl Part {
    /// Takes what `steps` read: names, up to the first that does more than lead to a member.
    fn follow(&mut self, steps: &[PathStep]) {
        let mut part = self;
        for step in steps {
            let AstNode::Name(name) = &step.node else { break };
            if step.focus.is_some() || step.index_var.is_some() || step.ancestor_label.is_some() {
                break;
            }
            part = part.members.entry(name.clone()).or_default();
            if !is_bare(step) {
                break;
            }
        }
        part.all = true;
    }

    fn of_document(&self, document: &dyn Document) -> JValue {
        if self.all {
            return convert::to_jsonata(document.whole());
        }
        let member = |(name, part): (&String, &Self)| {
            let value = match document.inner(name) {
                Some(inner) => part.of_document(inner),
                None => part.of_value(document.member(name)?),
            };
            Some((name.clone(), value))
        };
        JValue::object(self.members.iter().filter_map(member).collect())
    }

    /// A path goes through the items of an array: they are given as they are.
    fn of_value(&self, value: &Value) -> JValue {
        match value {
            Value::Object(members) if !self.all => {
                let found = self.members.iter().filter_map(|(name, part)| {
                    Some((name.clone(), part.of_value(members.get(name)?)))
                });
                JValue::object(found.collect())
            }
            _ => convert::to_jsonata(value),
        }
    }
}

/// A step that does nothing with what it leads to before the next one.
fn is_bare(step: &PathStep) -> bool {
    step.stages.is_empty()
        && step.focus.is_none()
        && step.index_var.is_none()
        && step.ancestor_label.is_none()
        && !step.is_tuple
        && !step.inner_tuple
}
