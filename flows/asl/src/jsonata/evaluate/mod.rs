//! Evaluates expressions as JSONata 2.0.6 does.
//!
//! > An evaluation looks at its bounds where it builds and where it loops ([`bounds`]), and counts its
//! > levels, so that neither the stack nor the memory nor the second can be used up by what an
//! > operator writes. Nothing here panics, and nothing is evaluated twice.

pub(super) mod bounds;
mod calls;
mod filter;
mod group;
mod keeping;
mod operators;
mod path;
mod sort;
mod transform;
mod tuples;

use super::error::{Error, Result, too_deep};
use super::functions;
use super::limits::MOST_LEVELS;
use super::needs::Needs;
use super::syntax::tree::{Condition, Kind, Node, Slot, Symbol, Tree};
use super::value::{Closure, Env, Frame, Function, Object, Value};
use crate::scope::{Entropy, Scope};
pub(super) use operators::{compared, number};
use std::rc::Rc;
use std::sync::Arc;

/// One evaluation of one expression.
pub(super) struct Evaluation<'a> {
    scope: &'a Scope<'a>,
    /// Goes on where the scope's stands, which goes on only if the expression does not fail.
    pub(super) entropy: Entropy,
    tree: &'a Tree,
    needs: &'a Needs,
    /// What the variables are that the expression does not bind itself, as far as they were read.
    given: Vec<Option<Value>>,
    level: usize,
    spent: bounds::Spent,
    /// Frames that functions see or have seen, and all around these.
    kept: Vec<Env>,
    /// How many they are when those that nothing sees any more are let go of.
    full: usize,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(tree: &'a Tree, needs: &'a Needs, scope: &'a Scope<'a>) -> Self {
        let given = vec![None; tree.names.len()];
        let (spent, entropy) = (bounds::Spent::begin(), scope.entropy.clone());
        Self {
            scope,
            entropy,
            tree,
            needs,
            given,
            level: 0,
            spent,
            kept: Vec::new(),
            full: keeping::MANY,
        }
    }

    /// What the whole expression gives.
    pub(super) fn run(&mut self) -> Result {
        let tree = self.tree;
        self.evaluate(&tree.root, &Value::Undefined, &Env::default())
    }

    /// The time, in milliseconds since 1970.
    pub(super) fn now(&self) -> f64 {
        self.scope.now.as_millisecond() as f64
    }

    /// What a part gives for `input`.
    pub(super) fn evaluate(&mut self, node: &Node, input: &Value, env: &Env) -> Result {
        self.level += 1;
        if self.level > MOST_LEVELS {
            return Err(too_deep());
        }
        self.step()?;
        let mut value = self.bare(node, input, env)?;
        if let Some(more) = &node.more {
            for predicate in &more.predicates {
                value = self.filter(predicate, value, env)?;
            }
            if let (Some(group), false) = (&more.group, matches!(node.kind, Kind::Path(_))) {
                value = self.group(group, value, env)?;
            }
        }
        self.level -= 1;
        Ok(single(value, node.keeps_array))
    }

    fn bare(&mut self, node: &Node, input: &Value, env: &Env) -> Result {
        match &node.kind {
            Kind::Number(number) => Ok(Value::Number(*number)),
            Kind::Text(text) => Ok(Value::Text(Arc::clone(text))),
            Kind::Bool(truth) => Ok(Value::Bool(*truth)),
            Kind::Null => Ok(Value::Null),
            Kind::Context => Ok(input.clone()),
            Kind::Root | Kind::Placeholder | Kind::Sort(_) => Ok(Value::Undefined),
            Kind::Variable(symbol) => Ok(self.variable(*symbol, env)),
            Kind::Name(name) => self.lookup(input, name),
            Kind::Path(path) => self.path(path, node, input, env),
            Kind::Binary(operator, sides) => self.binary(*operator, sides, input, env),
            Kind::Negate(inner) => self.negate(inner, input, env),
            Kind::Array(items) => self.constructed(items, node.is_constructed(), input, env),
            Kind::Object(pairs) => self.group(pairs, input.clone(), env),
            Kind::Condition(condition) => match self.chosen(condition, input, env)? {
                Some(branch) => self.evaluate(branch, input, env),
                None => Ok(Value::Undefined),
            },
            Kind::Block(expressions) => self.block(expressions, input, env),
            Kind::Bind(symbol, value) => {
                let value = self.evaluate(value, input, env)?;
                self.bind(env, *symbol, value.clone())?;
                Ok(value)
            }
            Kind::Call(call) => self.call(call, input, env, None),
            Kind::Partial(call) => self.partial(call, input, env),
            Kind::Apply(sides) => self.apply(sides, input, env),
            Kind::Lambda(lambda) => {
                self.keep(env)?;
                let (lambda, input) = (Arc::clone(lambda), input.clone());
                self.function(Function::Lambda(Closure { lambda, input, env: Rc::clone(env) }))
            }
            Kind::Transform(transform) => {
                self.keep(env)?;
                let transform = Arc::clone(transform);
                self.function(Function::Transform { transform, env: Rc::clone(env) })
            }
            Kind::Regex(pattern) => Ok(Value::from(Function::Regex(Arc::clone(pattern)))),
            Kind::Wildcard => self.wildcard(input),
            Kind::Descendants => self.descendants(input),
            Kind::Parent(slot) => Ok(self.ancestor(*slot, env)),
        }
    }

    /// A function, if there are not too many levels of values behind it.
    pub(super) fn function(&mut self, function: Function) -> Result {
        if function.depth() > crate::value::MOST_DEPTH {
            return Err(too_deep());
        }
        self.build(96)?;
        Ok(Value::from(function))
    }

    fn block(&mut self, expressions: &[Node], input: &Value, env: &Env) -> Result {
        let frame = Frame::within(env);
        let mut value = Value::Undefined;
        for expression in expressions {
            value = self.evaluate(expression, input, &frame)?;
        }
        Ok(value)
    }

    fn chosen<'n>(
        &mut self,
        condition: &'n Condition,
        input: &Value,
        env: &Env,
    ) -> Result<Option<&'n Node>> {
        let value = self.evaluate(&condition.condition, input, env)?;
        let is_true = self.holds(&value)?;
        Ok(if is_true { Some(&condition.then) } else { condition.otherwise.as_ref() })
    }

    fn variable(&mut self, symbol: Symbol, env: &Env) -> Value {
        env.get(symbol).unwrap_or_else(|| self.given(symbol))
    }

    fn ancestor(&mut self, slot: Slot, env: &Env) -> Value {
        let symbol = self.tree.ancestors.get(slot).copied();
        symbol.and_then(|symbol| env.get(symbol)).unwrap_or_default()
    }

    /// A variable of the state, or a function of the language.
    fn given(&mut self, symbol: Symbol) -> Value {
        let at = symbol as usize;
        if let Some(Some(value)) = self.given.get(at) {
            return value.clone();
        }
        let name = self.tree.name(symbol);
        let value = match (name, self.scope.states) {
            ("states", Some(states)) => Some(self.needs.of_states(states)),
            _ => self.scope.variables.get(name).map(|value| self.needs.of_variable(name, value)),
        };
        let value = value.unwrap_or_else(|| {
            functions::built_in(name)
                .map(|known| Function::BuiltIn(known).into())
                .unwrap_or_default()
        });
        if let Some(place) = self.given.get_mut(at) {
            *place = Some(value.clone());
        }
        value
    }

    /// Whether there is a variable or a function of this name.
    fn is_known(&self, name: &str, env: &Env) -> bool {
        let symbol = self.tree.names.iter().position(|known| **known == *name);
        let bound = symbol.and_then(|symbol| env.get(Symbol::try_from(symbol).ok()?));
        bound.is_some_and(|value| !value.is_undefined())
            || self.scope.variables.get(name).is_some()
            || name == "states" && self.scope.states.is_some()
            || functions::built_in(name).is_some()
    }

    /// A member; of an array those of all its items.
    pub(super) fn lookup(&mut self, input: &Value, name: &str) -> Result {
        match input {
            Value::Object(object) => Ok(object.get(name).cloned().unwrap_or_default()),
            Value::Array(array) => {
                let mut found = Vec::new();
                for item in array.items() {
                    self.grows(found.len())?;
                    match self.lookup(item, name)? {
                        Value::Undefined => {}
                        Value::Array(items) => found.extend_from_slice(items.items()),
                        one => found.push(one),
                    }
                }
                self.sequence(found)
            }
            _ => Ok(Value::Undefined),
        }
    }

    fn wildcard(&mut self, input: &Value) -> Result {
        let mut found = Vec::new();
        let mut is_sequence = true;
        let mut each = |this: &mut Self, value: &Value| -> Result<()> {
            match value {
                Value::Array(array) => {
                    is_sequence = false;
                    this.flat(array.items(), &mut found)
                }
                one => {
                    this.grows(found.len())?;
                    found.push(one.clone());
                    Ok(())
                }
            }
        };
        match input {
            Value::Object(object) => {
                for (_, value) in object.members() {
                    each(self, value)?;
                }
            }
            Value::Array(array) => {
                for value in array.items() {
                    each(self, value)?;
                }
            }
            _ => {}
        }
        if is_sequence { self.sequence(found) } else { self.list(found) }
    }

    /// The items of arrays in arrays.
    pub(super) fn flat(&mut self, items: &[Value], flat: &mut Vec<Value>) -> Result<()> {
        for item in items {
            match item {
                Value::Array(array) => self.flat(array.items(), flat)?,
                one => {
                    self.grows(flat.len())?;
                    flat.push(one.clone());
                }
            }
        }
        Ok(())
    }

    fn descendants(&mut self, input: &Value) -> Result {
        let mut found = Vec::new();
        if !input.is_undefined() {
            self.descend(input, &mut found)?;
        }
        if found.len() == 1 {
            return Ok(found.pop().unwrap_or_default());
        }
        self.sequence(found)
    }

    fn descend(&mut self, value: &Value, found: &mut Vec<Value>) -> Result<()> {
        self.grows(found.len())?;
        if !matches!(value, Value::Array(_)) {
            found.push(value.clone());
        }
        match value {
            Value::Array(array) => {
                for item in array.items() {
                    self.descend(item, found)?;
                }
            }
            Value::Object(object) => {
                for (_, member) in object.members() {
                    self.descend(member, found)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Two lists as one; what is no list is one of one item.
    pub(super) fn append(&mut self, left: Value, right: Value) -> Result {
        if left.is_undefined() {
            return Ok(right);
        }
        if right.is_undefined() {
            return Ok(left);
        }
        let mut items = match left {
            Value::Array(array) => array.into_items(),
            one => vec![one],
        };
        match right {
            Value::Array(array) => {
                self.steps(array.len())?;
                items.extend_from_slice(array.items());
            }
            one => items.push(one),
        }
        self.list(items)
    }

    /// The members that are bound under names that only the evaluator knows.
    fn tuple_object(&mut self, tuple: &super::value::Tuple) -> Result {
        let mut object = Object::default();
        object.insert("@".into(), tuple.at.clone());
        for (symbol, value) in &tuple.bound {
            object.insert(self.tree.name(*symbol).into(), value.clone());
        }
        self.object(object)
    }
}

/// A sequence of no items is nothing, and one of one item is the item, unless it keeps.
fn single(value: Value, keeps: bool) -> Value {
    let Value::Array(mut array) = value else { return value };
    if array.is_sequence {
        array.keeps |= keeps;
        match array.items() {
            [] => return Value::Undefined,
            [one] if !array.keeps => return one.clone(),
            _ => {}
        }
    }
    Value::Array(array)
}

/// An error with a code of JSONata.
fn coded(code: &'static str, words: impl Into<String>) -> Error {
    Error::coded(code, words)
}
