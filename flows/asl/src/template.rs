//! Payload templates of JSONPath states: members whose names end in `.$` hold a path or an
//! intrinsic function.
//!
//! > `{"a": 1, "b.$": "$.x"}` on the input `{"x": 2}` gives `{"a": 1, "b": 2}`, at any depth.
//!
//! An object's members come as AWS writes them: first what is plain, as it stands, then what is
//! computed, in the order of a Java `HashMap` of the names without `.$`.
//!
//! Sources: States Language, "Payload Template"; for the order github.com/gabrielmoreira/
//! tiny-asl-machine, Map.State 006 and 008, Feature.Parameters 001 and 003, Task.State 002, and
//! LocalStack's `test_query_context_object_values`, recorded on AWS.

#[cfg(test)]
mod tests;

use crate::failure::Failure;
use crate::intrinsic::Intrinsic;
use crate::java;
use crate::path::Path;
use crate::scope::Scope;
use crate::value::{MOST_DEPTH, is_shallow};
use serde_json::{Map, Value};

/// A place in a template that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateProblem {
    /// Where in the template, such as `/a/b[0]/c.$`; empty for the template itself.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// A parsed payload template (`Parameters`, `ResultSelector`, `ItemSelector`, `Assign`).
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    root: Node,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    /// A value with no `.$` in it.
    Literal(Value),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
    /// A path, with the member's name as it is written, for AWS's words.
    Path(Path, String),
    Intrinsic(Intrinsic),
}

impl Template {
    /// Parses every path and call in `value`.
    ///
    /// # Errors
    ///
    /// Every place that is wrong, not the first only.
    pub fn parse(value: &Value) -> Result<Self, Vec<TemplateProblem>> {
        let mut problems = Vec::new();
        let root = if is_shallow(value) {
            node(value, "", &mut problems)
        } else {
            let message = format!("it is nested deeper than {MOST_DEPTH}");
            problems.push(TemplateProblem { path: String::new(), message });
            Node::Literal(Value::Null)
        };
        if problems.is_empty() { Ok(Self { root }) } else { Err(problems) }
    }

    /// The value the template gives.
    ///
    /// # Errors
    ///
    /// As [`Path::evaluate`] and [`Intrinsic::evaluate`].
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Failure> {
        let value = self.root.evaluate(scope)?;
        if is_shallow(&value) {
            return Ok(value);
        }
        Err(Failure::runtime(format!("The payload is nested deeper than {MOST_DEPTH}")))
    }

    /// Every path in it, those in calls included.
    pub fn paths(&self) -> Vec<&Path> {
        let of = |node| match node {
            Computed::Path(path) => vec![path],
            Computed::Call(call) => call.paths(),
        };
        self.computed().into_iter().flat_map(of).collect()
    }

    /// Every call in it, but for those in calls.
    pub fn calls(&self) -> Vec<&Intrinsic> {
        let of = |node| match node {
            Computed::Path(_) => None,
            Computed::Call(call) => Some(call),
        };
        self.computed().into_iter().filter_map(of).collect()
    }

    fn computed(&self) -> Vec<Computed<'_>> {
        let mut found = Vec::new();
        let mut todo = vec![&self.root];
        while let Some(node) = todo.pop() {
            match node {
                Node::Literal(_) => {}
                Node::Array(items) => todo.extend(items),
                Node::Object(members) => todo.extend(members.iter().map(|(_, node)| node)),
                Node::Path(path, _) => found.push(Computed::Path(path)),
                Node::Intrinsic(call) => found.push(Computed::Call(call)),
            }
        }
        found
    }
}

/// What a template computes.
enum Computed<'a> {
    Path(&'a Path),
    Call(&'a Intrinsic),
}

impl Node {
    fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Failure> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Array(items) => items.iter().map(|item| item.evaluate(scope)).collect(),
            Self::Object(members) => {
                let mut object = Map::new();
                for (name, node) in members {
                    object.insert(name.clone(), node.evaluate(scope)?);
                }
                Ok(Value::Object(object))
            }
            Self::Path(path, field) => path.evaluate(scope, field),
            Self::Intrinsic(call) => call.evaluate(scope),
        }
    }
}

fn node(value: &Value, place: &str, problems: &mut Vec<TemplateProblem>) -> Node {
    match value {
        Value::Array(items) => {
            let nodes: Vec<Node> = items
                .iter()
                .enumerate()
                .map(|(at, item)| node(item, &format!("{place}[{at}]"), problems))
                .collect();
            if nodes.iter().all(|node| matches!(node, Node::Literal(_))) {
                return Node::Literal(value.clone());
            }
            Node::Array(nodes)
        }
        Value::Object(members) => {
            let mut nodes = Vec::with_capacity(members.len());
            let mut computed = Vec::new();
            for (name, member) in members {
                let place = format!("{place}/{name}");
                match name.strip_suffix(".$") {
                    Some(bare) if members.contains_key(bare) => {
                        let message = format!("`{bare}` is there with `.$` and without");
                        problems.push(TemplateProblem { path: place, message });
                    }
                    Some(bare) => match dynamic(name, member) {
                        Ok(node) => computed.push((bare.to_owned(), node)),
                        Err(message) => problems.push(TemplateProblem { path: place, message }),
                    },
                    None => nodes.push((name.clone(), node(member, &place, problems))),
                }
            }
            let literal = |(_, node): &(String, Node)| matches!(node, Node::Literal(_));
            if nodes.len() == members.len() && nodes.iter().all(literal) {
                return Node::Literal(value.clone());
            }
            nodes.extend(java::in_hash_order(computed, |(name, _)| java::of_text(name)));
            Node::Object(nodes)
        }
        other => Node::Literal(other.clone()),
    }
}

/// What stands under a name that ends in `.$`.
fn dynamic(name: &str, value: &Value) -> Result<Node, String> {
    let Value::String(text) = value else {
        return Err(format!("`{name}` must be a string with a path or an intrinsic function"));
    };
    if Intrinsic::looks_like_one(text) {
        return Intrinsic::parse(text).map(Node::Intrinsic).map_err(|error| error.to_string());
    }
    Path::parse(text)
        .map(|path| Node::Path(path, name.to_owned()))
        .map_err(|error| error.to_string())
}
