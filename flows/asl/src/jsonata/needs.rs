//! What an expression is to be given: the parts of its variables that it reads.
//!
//! An evaluation that is given all there is spends most of its time on getting it.

use super::convert;
use super::syntax::tree::{Kind, Node, Stage, Tree};
use super::value::Value;
use crate::scope::Document;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The name of the variable that stands for a state's documents.
const STATES: &str = "states";

/// What one expression names.
#[derive(Debug, Default)]
pub(super) struct Needs {
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
    pub(super) fn of(tree: &Tree) -> Self {
        let mut needs = Self::default();
        let mut todo = vec![&tree.root];
        while let Some(node) = todo.pop() {
            needs.look(tree, node, &mut todo);
        }
        needs
    }

    fn look<'a>(&mut self, tree: &Tree, node: &'a Node, todo: &mut Vec<&'a Node>) {
        if let Some(more) = &node.more {
            let stages = more.stages.iter().filter_map(|stage| match stage {
                Stage::Index(symbol) => Some(*symbol),
                Stage::Filter(_) => None,
            });
            let mut names = stages.chain(more.focus).chain(more.index);
            self.own_states |= names.any(|symbol| tree.name(symbol) == STATES);
        }
        match &node.kind {
            Kind::Variable(symbol) => self.part(tree.name(*symbol)).all = true,
            // What is above may be a variable itself.
            Kind::Parent(_) => self.all = true,
            Kind::Bind(symbol, _) => self.own_states |= tree.name(*symbol) == STATES,
            Kind::Lambda(lambda) => {
                let mut names = lambda.parameters.iter();
                self.own_states |= names.any(|symbol| tree.name(*symbol) == STATES);
            }
            Kind::Path(path) => {
                let rest = match path.steps.split_first() {
                    Some((first, rest)) if first.is_bare() => match first.kind {
                        Kind::Variable(symbol) => {
                            self.part(tree.name(symbol)).follow(rest);
                            rest
                        }
                        _ => &path.steps,
                    },
                    _ => &path.steps,
                };
                todo.extend(rest);
                todo.extend(node.after());
                return;
            }
            _ => {}
        }
        todo.extend(node.parts());
    }

    fn part(&mut self, variable: &str) -> &mut Part {
        self.parts.entry(variable.to_owned()).or_default()
    }

    /// The members of `$states` that are written out; none where another may be meant.
    pub(super) fn members_of_states(&self) -> impl Iterator<Item = &str> {
        let part = self.parts.get(STATES).filter(|_| !self.own_states);
        part.into_iter().flat_map(|part| part.members.keys().map(String::as_str))
    }

    /// A variable, with what is read of it.
    pub(super) fn of_variable(&self, name: &str, value: &Json) -> Value {
        match self.parts.get(name) {
            Some(part) if !self.all => part.of_value(value),
            _ => convert::to_value(value),
        }
    }

    /// `$states`, with what is read of it.
    pub(super) fn of_states(&self, states: &dyn Document) -> Value {
        match self.parts.get(STATES) {
            Some(part) if !self.all => part.of_document(states),
            _ => convert::to_value(states.whole()),
        }
    }
}

impl Part {
    /// Takes what `steps` read: names, up to the first that does more than lead to a member.
    fn follow(&mut self, steps: &[Node]) {
        let mut part = self;
        for step in steps {
            let Kind::Name(name) = &step.kind else { break };
            // Whether it keeps an array changes nothing of what it leads to.
            let is_bare = step.more.as_ref().is_none_or(|more| {
                more.stages.is_empty() && more.predicates.is_empty() && more.group.is_none()
            });
            if step.is_tuple() {
                break;
            }
            part = part.members.entry(name.to_string()).or_default();
            if !is_bare {
                break;
            }
        }
        part.all = true;
    }

    fn of_document(&self, document: &dyn Document) -> Value {
        if self.all {
            return convert::to_value(document.whole());
        }
        let members = self.members.iter().filter_map(|(name, part)| {
            let value = match document.inner(name) {
                Some(inner) => part.of_document(inner),
                None => part.of_value(document.member(name)?),
            };
            Some((name.as_str(), value))
        });
        convert::object(members)
    }

    /// A path goes through the items of an array: they are given as they are.
    fn of_value(&self, value: &Json) -> Value {
        match value {
            Json::Object(members) if !self.all => {
                let found = self.members.iter().filter_map(|(name, part)| {
                    Some((name.as_str(), part.of_value(members.get(name)?)))
                });
                convert::object(found)
            }
            _ => convert::to_value(value),
        }
    }
}
