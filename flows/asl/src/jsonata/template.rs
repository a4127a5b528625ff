//! Any JSON in which strings `{% … %}` are expressions: `Output`, `Assign`, `Arguments`.

use super::{Compiling, Expression};
use crate::failure::Failure;
use crate::machine::escape;
use crate::scope::Scope;
use crate::template::TemplateProblem;
use crate::value::{MOST_DEPTH, is_shallow};
use serde_json::{Map, Value};
use std::fmt;

/// A parsed template.
///
/// A string that begins with `{%` and ends with `%}`, with no blanks outside, is an expression;
/// one with only one of the two is a mistake; any other stands for itself.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonataTemplate {
    root: Node,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Literal(Value),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
    Expression(Expression),
}

impl Expression {
    /// The expression in a string of a definition: `None` if the string is none.
    ///
    /// # Errors
    ///
    /// If there is `{%` without `%}` or the other way about, or no JSONata between them.
    fn delimited(text: &str, compiling: &mut Compiling) -> Result<Option<Self>, String> {
        match (text.strip_prefix("{%"), text.ends_with("%}")) {
            (None, false) => Ok(None),
            (None, true) => {
                Err("an expression begins with `{%`, with nothing before it".to_owned())
            }
            (Some(rest), _) => match rest.strip_suffix("%}") {
                Some(source) => {
                    Self::parse_in(source, compiling).map(Some).map_err(|error| error.to_string())
                }
                None => Err("an expression ends with `%}`, with nothing after it".to_owned()),
            },
        }
    }
}

impl JsonataTemplate {
    /// Parses every expression in `value`.
    ///
    /// # Errors
    ///
    /// Every place that is wrong, not the first only.
    pub fn parse(value: &Value) -> Result<Self, Vec<TemplateProblem>> {
        Self::parse_in(value, &mut Compiling::default())
    }

    /// The same, of a definition: `compiling` is what its regular expressions came to until now.
    pub(crate) fn parse_in(
        value: &Value,
        compiling: &mut Compiling,
    ) -> Result<Self, Vec<TemplateProblem>> {
        let mut problems = Vec::new();
        let root = if is_shallow(value) {
            node(value, "", compiling, &mut problems)
        } else {
            let message = format!("it is nested deeper than {MOST_DEPTH}");
            problems.push(TemplateProblem { path: String::new(), message });
            Node::Literal(Value::Null)
        };
        if problems.is_empty() { Ok(Self { root }) } else { Err(problems) }
    }

    /// Evaluates every expression. `location` is the field that holds the template, such as
    /// `Output`; places inside it follow as `Output/a[0]`.
    ///
    /// # Errors
    ///
    /// Of the first expression that fails: see [`Expression::evaluate`].
    pub fn evaluate(&self, scope: &Scope<'_>, location: &str) -> Result<Value, Failure> {
        let value = self.root.evaluate(scope, Place::Field(location))?;
        if is_shallow(&value) {
            return Ok(value);
        }
        Err(Failure::query(format!("The field '{location}' is nested too deep"), location))
    }

    /// Every expression in it, with where it stands: a JSON pointer (RFC 6901) into the template.
    pub fn expressions(&self) -> Vec<(String, &Expression)> {
        let mut expressions = Vec::new();
        let mut todo = vec![(String::new(), &self.root)];
        while let Some((at, node)) = todo.pop() {
            match node {
                Node::Literal(_) => {}
                Node::Array(items) => {
                    let place = |(index, item)| (format!("{at}/{index}"), item);
                    todo.extend(items.iter().enumerate().map(place));
                }
                Node::Object(members) => {
                    for (name, node) in members {
                        todo.push((format!("{at}/{}", escape(name)), node));
                    }
                }
                Node::Expression(expression) => expressions.push((at, expression)),
            }
        }
        expressions
    }
}

/// A place in a template: made into words only for an expression that fails.
#[derive(Clone, Copy)]
enum Place<'a> {
    Field(&'a str),
    Member(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => f.write_str(name),
            Self::Member(outer, name) => write!(f, "{outer}/{name}"),
            Self::Item(outer, at) => write!(f, "{outer}[{at}]"),
        }
    }
}

impl Node {
    fn evaluate(&self, scope: &Scope<'_>, place: Place<'_>) -> Result<Value, Failure> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Expression(expression) => expression.evaluate_at(scope, &place),
            Self::Array(items) => items
                .iter()
                .enumerate()
                .map(|(at, item)| item.evaluate(scope, Place::Item(&place, at)))
                .collect(),
            Self::Object(members) => {
                let mut object = Map::with_capacity(members.len());
                for (name, node) in members {
                    let value = node.evaluate(scope, Place::Member(&place, name))?;
                    object.insert(name.clone(), value);
                }
                Ok(Value::Object(object))
            }
        }
    }
}

fn node(
    value: &Value,
    place: &str,
    compiling: &mut Compiling,
    problems: &mut Vec<TemplateProblem>,
) -> Node {
    match value {
        Value::String(text) => match Expression::delimited(text, compiling) {
            Ok(Some(expression)) => Node::Expression(expression),
            Ok(None) => Node::Literal(value.clone()),
            Err(message) => {
                problems.push(TemplateProblem { path: place.to_owned(), message });
                Node::Literal(Value::Null)
            }
        },
        Value::Array(items) => {
            let nodes = items.iter().enumerate();
            let inner = |(at, item)| node(item, &format!("{place}[{at}]"), compiling, problems);
            Node::Array(nodes.map(inner).collect())
        }
        Value::Object(members) => Node::Object(
            members
                .iter()
                .map(|(name, member)| {
                    let inner = node(member, &format!("{place}/{name}"), compiling, problems);
                    (name.clone(), inner)
                })
                .collect(),
        ),
        other => Node::Literal(other.clone()),
    }
}
