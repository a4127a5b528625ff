//! From the tree as it is written to paths with their steps, predicates and bindings.

use super::SyntaxError;
use super::raw::{Raw, Written};
use super::tree::{
    Call, Condition, Kind, Lambda, Node, Path, Slot, Stage, Symbol, Transform, Tree,
};
use crate::jsonata::regex::{Compiling, Pattern};
use std::collections::HashMap;
use std::sync::Arc;

type Result<T = Node> = std::result::Result<T, SyntaxError>;

/// One ancestor that a `%` stands for.
pub(super) struct Ancestor {
    /// How many steps are still to be gone up.
    pub(super) level: usize,
    pub(super) name: Symbol,
}

#[derive(Default)]
pub(super) struct Paths {
    names: Vec<Arc<str>>,
    symbols: HashMap<Arc<str>, Symbol>,
    pub(super) ancestors: Vec<Ancestor>,
    bad_regex: Option<String>,
    /// Of all regular expressions of the definition until now.
    compiled: Compiling,
}

/// The tree that is evaluated, and what is wrong with a regular expression in it.
pub(super) fn tree(written: Written, compiling: &mut Compiling) -> Result<(Tree, Option<String>)> {
    let mut paths = Paths { compiled: std::mem::take(compiling), ..Paths::default() };
    let root = paths.node(written);
    *compiling = std::mem::take(&mut paths.compiled);
    let root = root?;
    if matches!(root.kind, Kind::Parent(_)) || !seeks(&root).is_empty() {
        return Err(no_ancestor());
    }
    let ancestors = paths.ancestors.iter().map(|ancestor| ancestor.name).collect();
    Ok((Tree { root, names: paths.names, ancestors }, paths.bad_regex))
}

pub(super) fn no_ancestor() -> SyntaxError {
    let words = "The object representing the 'parent' cannot be derived from this expression";
    SyntaxError::new("S0217", words)
}

/// The ancestors that a part looks for before itself.
pub(super) fn seeks(node: &Node) -> &[Slot] {
    node.more.as_ref().map_or(&[], |more| &more.seeks)
}

/// A path: the node itself, or one of it as its only step.
pub(super) fn as_path(node: Node) -> Node {
    match node.kind {
        Kind::Path(_) => node,
        _ => Node::new(Kind::Path(Path { steps: vec![node], keeps_singleton: false })),
    }
}

/// A condition or a transform.
type Three = (Written, Written, Option<Written>);

impl Paths {
    pub(super) fn symbol(&mut self, name: &Arc<str>) -> Symbol {
        if let Some(symbol) = self.symbols.get(name) {
            return *symbol;
        }
        let symbol = Symbol::try_from(self.names.len()).unwrap_or(Symbol::MAX);
        self.names.push(Arc::clone(name));
        self.symbols.insert(Arc::clone(name), symbol);
        symbol
    }

    fn all(&mut self, written: Vec<Written>) -> Result<Vec<Node>> {
        written.into_iter().map(|one| self.node(one)).collect()
    }

    fn pairs(&mut self, pairs: Vec<(Written, Written)>) -> Result<Vec<(Node, Node)>> {
        let pair = |(key, value)| Ok((self.node(key)?, self.node(value)?));
        pairs.into_iter().map(pair).collect()
    }

    pub(super) fn node(&mut self, written: Written) -> Result {
        let keeps_array = written.keeps_array;
        let mut node = self.made(written.raw, keeps_array)?;
        node.keeps_array |= keeps_array;
        Ok(node)
    }

    fn made(&mut self, raw: Raw, keeps_array: bool) -> Result {
        let kind = match raw {
            Raw::Null => Kind::Null,
            Raw::Bool(truth) => Kind::Bool(truth),
            Raw::Number(number) => Kind::Number(number),
            Raw::Text(text) => Kind::Text(text),
            Raw::Wildcard => Kind::Wildcard,
            Raw::Descendants => Kind::Descendants,
            Raw::Placeholder => Kind::Placeholder,
            Raw::Variable(name) => match &*name {
                "" => Kind::Context,
                "$" => Kind::Root,
                _ => Kind::Variable(self.symbol(&name)),
            },
            Raw::Regex { pattern, flags } => {
                let (pattern, wrong) = Pattern::read(pattern, flags, &mut self.compiled);
                self.bad_regex = self.bad_regex.take().or(wrong);
                Kind::Regex(Arc::new(pattern))
            }
            Raw::Name(name) => {
                let mut step = Node::new(Kind::Name(name));
                step.keeps_array = keeps_array;
                Kind::Path(Path { steps: vec![step], keeps_singleton: keeps_array })
            }
            Raw::Parent => {
                let slot = self.ancestors.len();
                let name = self.symbol(&format!("!{slot}").into());
                self.ancestors.push(Ancestor { level: 1, name });
                Kind::Parent(slot)
            }
            Raw::End => return Err(SyntaxError::new("S0207", "Unexpected end of expression")),
            Raw::Step(both) => return self.step(both.0, both.1),
            Raw::Predicate(both) => return self.predicate(both.0, both.1),
            Raw::Group(left, pairs) => {
                let mut node = self.node(*left)?;
                let pairs = self.pairs(pairs)?;
                if node.more_mut().group.is_some() {
                    let words = "Each step can only have one grouping expression";
                    return Err(SyntaxError::new("S0210", words));
                }
                node.more_mut().group = Some(pairs);
                return Ok(node);
            }
            Raw::Order(left, terms) => return self.order(*left, terms),
            Raw::Focus(left, name) => return self.focus(*left, &name, keeps_array),
            Raw::Index(left, name) => return self.index(*left, &name),
            other => return self.composed(other),
        };
        Ok(Node::new(kind))
    }

    /// What is made of parts that may look for ancestors outside of it.
    fn composed(&mut self, raw: Raw) -> Result {
        let kind = match raw {
            Raw::Negate(inner) => match self.node(*inner)? {
                Node { kind: Kind::Number(number), keeps_array, more } => {
                    return Ok(Node { kind: Kind::Number(-number), keeps_array, more });
                }
                inner => Kind::Negate(Box::new(inner)),
            },
            Raw::Array(items) => Kind::Array(self.all(items)?),
            Raw::Object(pairs) => Kind::Object(self.pairs(pairs)?),
            Raw::Block(expressions) => Kind::Block(self.all(expressions)?),
            Raw::Binary(operator, both) => {
                Kind::Binary(operator, Box::new((self.node(both.0)?, self.node(both.1)?)))
            }
            Raw::Apply(both) => {
                let (left, right) = (self.node(both.0)?, self.node(both.1)?);
                let keeps_array = left.keeps_array || right.keeps_array;
                let mut node = Node::new(Kind::Apply(Box::new((left, right))));
                node.keeps_array = keeps_array;
                return Ok(node);
            }
            Raw::Bind(name, value) => {
                let symbol = self.symbol(&name);
                Kind::Bind(symbol, Box::new(self.node(*value)?))
            }
            Raw::Condition(three) => self.condition(*three)?,
            Raw::Call(call) => Kind::Call(self.call(*call)?),
            Raw::Partial(call) => Kind::Partial(self.call(*call)?),
            Raw::Lambda { parameters, signature, body } => {
                let parameters = parameters.iter().map(|name| self.symbol(name)).collect();
                let mut body = self.node(*body)?;
                mark_tail(&mut body);
                Kind::Lambda(Arc::new(Lambda { parameters, signature, body }))
            }
            Raw::Transform(three) => self.transform(*three)?,
            _ => Kind::Null,
        };
        Ok(with_seeks(Node::new(kind)))
    }

    fn condition(&mut self, three: Three) -> Result<Kind> {
        let (condition, then, otherwise) = three;
        Ok(Kind::Condition(Box::new(Condition {
            condition: self.node(condition)?,
            then: self.node(then)?,
            otherwise: otherwise.map(|otherwise| self.node(otherwise)).transpose()?,
        })))
    }

    fn transform(&mut self, three: Three) -> Result<Kind> {
        let (pattern, update, delete) = three;
        Ok(Kind::Transform(Arc::new(Transform {
            pattern: self.node(pattern)?,
            update: self.node(update)?,
            delete: delete.map(|delete| self.node(delete)).transpose()?,
        })))
    }

    fn call(&mut self, (procedure, arguments): (Written, Vec<Written>)) -> Result<Box<Call>> {
        let arguments = self.all(arguments)?;
        let procedure = self.node(procedure)?;
        Ok(Box::new(Call { procedure, arguments, is_tail: false }))
    }

    fn step(&mut self, left: Written, right: Written) -> Result {
        let left = self.node(left)?;
        let mut seeks = Vec::new();
        if let Kind::Parent(slot) = left.kind {
            seeks.push(slot);
        }
        let is_new = !matches!(left.kind, Kind::Path(_));
        let mut node = as_path(left);
        if is_new && !seeks.is_empty() {
            node.more_mut().seeks = seeks;
        }
        let rest = self.node(right)?;
        let Kind::Path(path) = &mut node.kind else { return Ok(node) };
        match rest.kind {
            Kind::Path(rest) => path.steps.extend(rest.steps),
            _ => {
                let mut rest = rest;
                if let Some(more) = &mut rest.more {
                    let predicates = std::mem::take(&mut more.predicates);
                    if !predicates.is_empty() {
                        more.stages = predicates.into_iter().map(Stage::Filter).collect();
                    }
                }
                path.steps.push(rest);
            }
        }
        for step in &mut path.steps {
            match &step.kind {
                Kind::Number(_) | Kind::Bool(_) | Kind::Null => return Err(no_step(&step.kind)),
                Kind::Text(name) => step.kind = Kind::Name(Arc::clone(name)),
                _ => {}
            }
        }
        path.keeps_singleton |= path.steps.iter().any(|step| step.keeps_array);
        if let Some(first) = path.steps.first_mut().filter(|step| is_array(step)) {
            first.more_mut().is_constructed = true;
        }
        if let Some(last) = path.steps.last_mut().filter(|step| is_array(step)) {
            last.more_mut().is_constructed = true;
        }
        self.resolve(&mut node)?;
        Ok(node)
    }
}

/// With what it looks for outside of itself, and whether it is a block that makes an array.
fn with_seeks(mut node: Node) -> Node {
    let seeks: Vec<Slot> = match &node.kind {
        // These hide what is looked for in them.
        Kind::Lambda(_) | Kind::Transform(_) => Vec::new(),
        Kind::Call(call) | Kind::Partial(call) => call.arguments.iter().flat_map(sought).collect(),
        _ => node.parts().into_iter().flat_map(sought).collect(),
    };
    if !seeks.is_empty() {
        node.more_mut().seeks = seeks;
    }
    if let Kind::Block(expressions) = &node.kind {
        let is_constructed = expressions.iter().any(|part| {
            part.is_constructed()
                || matches!(&part.kind, Kind::Path(path)
                        if path.steps.first().is_some_and(Node::is_constructed))
        });
        if is_constructed {
            node.more_mut().is_constructed = true;
        }
    }
    node
}

fn is_array(step: &Node) -> bool {
    matches!(step.kind, Kind::Array(_))
}

fn no_step(kind: &Kind) -> SyntaxError {
    let value = match kind {
        Kind::Number(number) => crate::jsonata::convert::number(*number),
        Kind::Bool(truth) => serde_json::Value::Bool(*truth),
        _ => serde_json::Value::Null,
    };
    let words =
        format!("The literal value {value} cannot be used as a step within a path expression");
    SyntaxError::new("S0213", words)
}

/// What a part looks for outside of itself, itself included if it is a `%`.
pub(super) fn sought(node: &Node) -> Vec<Slot> {
    let mut slots = seeks(node).to_vec();
    if let Kind::Parent(slot) = node.kind {
        slots.push(slot);
    }
    slots
}

/// Marks the calls that are the last thing a function does.
fn mark_tail(body: &mut Node) {
    let has_predicates = body.more.as_ref().is_some_and(|more| !more.predicates.is_empty());
    match &mut body.kind {
        Kind::Call(call) if !has_predicates => call.is_tail = true,
        Kind::Condition(condition) => {
            mark_tail(&mut condition.then);
            if let Some(otherwise) = &mut condition.otherwise {
                mark_tail(otherwise);
            }
        }
        Kind::Block(expressions) => {
            if let Some(last) = expressions.last_mut() {
                mark_tail(last);
            }
        }
        _ => {}
    }
}
