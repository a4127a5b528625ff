//! Paths: each step is evaluated for each item that the step before it gave.

use super::Evaluation;
use crate::jsonata::error::{Result, error};
use crate::jsonata::syntax::tree::{Kind, Node, Path, Stage, Term};
use crate::jsonata::value::{Array, Env, Tuple, Tuples, Value};
use std::rc::Rc;

/// What a step gives: the items of a sequence, as they come.
enum Items {
    None,
    One(Value),
    /// Those of an array that is there already.
    Shared(Array),
    Many(Vec<Value>),
    /// The one array that the last step gives, which is no sequence.
    Whole(Array),
}

impl Items {
    fn as_slice(&self) -> &[Value] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Shared(array) | Self::Whole(array) => array.items(),
            Self::Many(items) => items,
        }
    }

    fn of(items: Vec<Value>) -> Self {
        if items.is_empty() { Self::None } else { Self::Many(items) }
    }

    /// What one value is as items: those of an array, unless `[…]` made it within the path.
    fn flattened(value: Value) -> Self {
        match value {
            Value::Undefined => Self::None,
            Value::Array(array) if !array.is_constructed => {
                if array.len() == 0 {
                    Self::None
                } else {
                    Self::Shared(array)
                }
            }
            one => Self::One(one),
        }
    }
}

impl Evaluation<'_> {
    pub(super) fn path(&mut self, path: &Path, node: &Node, input: &Value, env: &Env) -> Result {
        let more = node.more.as_deref();
        if path.steps.iter().any(Node::is_tuple) {
            return self.tuple_path(path, node, input, env);
        }
        let items = self.items(path, input, env)?;
        let mut value = self.selected(items)?;
        if path.keeps_singleton {
            value = self.kept(value)?;
        }
        match more.and_then(|more| more.group.as_ref()) {
            Some(group) => self.group(group, value, env),
            None => Ok(value),
        }
    }

    /// What the steps give, none of which binds.
    fn items(&mut self, path: &Path, input: &Value, env: &Env) -> Result<Items> {
        let mut items = begin(path, input);
        let last = path.steps.len().saturating_sub(1);
        for (index, step) in path.steps.iter().enumerate() {
            items = if index == 0 && step.is_constructed() {
                let input = self.selected(items)?;
                let value = self.evaluate(step, &input, env)?;
                self.begun(value, index == last)?
            } else {
                self.taken(step, &items, env, index == last)?
            };
            if items.as_slice().is_empty() {
                break;
            }
        }
        Ok(items)
    }

    /// What a constructor at the beginning of a path gives: an empty one is what the whole path comes
    /// to. One item that its predicate took is no list, and 2.0.6 counts its parts as if it were: those
    /// of a text are its characters, and nothing else has any.
    fn begun(&mut self, value: Value, is_last: bool) -> Result<Items> {
        Ok(match value {
            Value::Array(array) if is_last || array.len() == 0 => Items::Whole(array),
            Value::Array(array) => Items::Shared(array),
            one if is_last => Items::flattened(one),
            Value::Text(text) => {
                self.build(text.len())?;
                self.places(text.len())?;
                Items::of(text.chars().map(|char| Value::from(char.to_string())).collect())
            }
            Value::Null => return Err(error("Cannot read properties of null")),
            _ => Items::None,
        })
    }

    /// One step.
    fn taken(&mut self, step: &Node, items: &Items, env: &Env, is_last: bool) -> Result<Items> {
        if let Kind::Sort(terms) = &step.kind {
            return self.taken_in_order(step, terms, items, env, is_last);
        }
        if let [one] = items.as_slice() {
            let value = self.of_item(step, one, env)?;
            return Ok(match value {
                Value::Array(array) if is_last && !array.is_sequence => Items::Whole(array),
                value => Items::flattened(value),
            });
        }
        let mut found = Vec::new();
        for item in items.as_slice() {
            let value = self.of_item(step, item, env)?;
            if !value.is_undefined() {
                self.grows(found.len())?;
                found.push(value);
            }
        }
        if is_last
            && let [Value::Array(array)] = found.as_slice()
            && !array.is_sequence
        {
            return Ok(Items::Whole(array.clone()));
        }
        self.joined(found)
    }

    /// A step that sorts.
    fn taken_in_order(
        &mut self,
        step: &Node,
        terms: &[Term],
        items: &Items,
        env: &Env,
        is_last: bool,
    ) -> Result<Items> {
        let input = items.as_slice().to_vec();
        let is_one = input.len() <= 1;
        let sorted = self.sorted_items(terms, input, env)?;
        let mut value = Value::Array(self.array(sorted)?);
        if is_one {
            value = sequence_of(value);
        }
        for stage in step.stages() {
            if let Stage::Filter(predicate) = stage {
                value = self.filter(predicate, value, env)?;
            }
        }
        Ok(match value {
            Value::Array(array) if array.is_sequence => Items::flattened(Value::Array(array)),
            Value::Array(array) if is_last || array.len() == 0 => Items::Whole(array),
            other => Items::flattened(other),
        })
    }

    /// Values as items: of arrays their items, unless `[…]` made them within the path.
    fn joined(&mut self, found: Vec<Value>) -> Result<Items> {
        let is_flat =
            |value: &Value| !matches!(value, Value::Array(array) if !array.is_constructed);
        if found.iter().all(is_flat) {
            return Ok(Items::of(found));
        }
        let mut flat = Vec::with_capacity(found.len());
        for value in found {
            match value {
                Value::Array(array) if !array.is_constructed => {
                    self.grows(flat.len() + array.len())?;
                    self.steps(array.len() / 8)?;
                    flat.extend(array.into_items());
                }
                one => {
                    self.grows(flat.len())?;
                    flat.push(one);
                }
            }
        }
        Ok(Items::of(flat))
    }

    fn of_item(&mut self, step: &Node, item: &Value, env: &Env) -> Result {
        // The commonest step of all.
        if let (Kind::Name(name), None, Value::Object(object)) = (&step.kind, &step.more, item) {
            self.step()?;
            return Ok(object.get(name).cloned().unwrap_or_default());
        }
        let mut value = self.evaluate(step, item, env)?;
        for stage in step.stages() {
            if let Stage::Filter(predicate) = stage {
                value = self.filter(predicate, value, env)?;
            }
        }
        Ok(value)
    }

    fn selected(&mut self, items: Items) -> Result {
        Ok(Value::Array(match items {
            Items::None => Array::default().into_sequence(),
            Items::One(one) => self.array(vec![one])?.into_sequence(),
            Items::Shared(array) => array.into_sequence(),
            Items::Many(items) => self.array(items)?.into_sequence(),
            Items::Whole(array) => array,
        }))
    }

    /// What `[]` in a path makes of its result.
    pub(super) fn kept(&mut self, value: Value) -> Result {
        let Value::Array(mut array) = value else { return Ok(value) };
        if array.is_constructed && !array.is_sequence {
            array = self.array(vec![Value::Array(array)])?.into_sequence();
        }
        array.keeps = true;
        Ok(Value::Array(array))
    }

    /// A path of which a step binds variables: what goes from step to step are tuples.
    fn tuple_path(&mut self, path: &Path, node: &Node, input: &Value, env: &Env) -> Result {
        let mut first = path.steps.iter().position(Node::is_tuple).unwrap_or(0);
        let mut items = begin(path, input);
        // A constructor at the beginning binds nothing, as 2.0.6 has it.
        if first == 0
            && path.steps.len() > 1
            && path.steps.first().is_some_and(Node::is_constructed)
        {
            first = 1;
        }
        for (index, step) in path.steps.iter().take(first).enumerate() {
            items = if index == 0 && step.is_constructed() {
                if step.more.as_ref().is_some_and(|more| more.focus.is_some()) {
                    continue;
                }
                let input = self.selected(items)?;
                match self.evaluate(step, &input, env)? {
                    value if !step.is_tuple() => self.begun(value, false)?,
                    Value::Array(array) => Items::Shared(array),
                    one => Items::flattened(one),
                }
            } else {
                self.taken(step, &items, env, false)?
            };
            if items.as_slice().is_empty() {
                let is_whole = matches!(items, Items::Whole(_));
                let value = self.selected(if is_whole { items } else { Items::None })?;
                let value = if path.keeps_singleton { self.kept(value)? } else { value };
                return match node.more.as_ref().and_then(|more| more.group.as_ref()) {
                    Some(group) => self.group(group, value, env),
                    None => Ok(value),
                };
            }
        }
        let mut tuples = None;
        for step in path.steps.iter().skip(first) {
            tuples = Some(self.tuple_step(step, items.as_slice(), tuples, env)?);
        }
        let tuples: Tuples = tuples.unwrap_or_default();
        if let Some(group) = node.more.as_ref().and_then(|more| more.group.as_ref()) {
            return self.group(group, Value::Tuples(Rc::new(tuples)), env);
        }
        if node.is_tuple() {
            return Ok(Value::Tuples(Rc::new(tuples)));
        }
        let items = tuples.list.into_iter().map(|tuple: Tuple| tuple.at).collect();
        let value = self.sequence(items)?;
        if path.keeps_singleton { self.kept(value) } else { Ok(value) }
    }
}

/// What the first step is evaluated for: the items of an array, unless the path begins at a variable.
fn begin(path: &Path, input: &Value) -> Items {
    let is_variable = matches!(
        path.steps.first().map(|step| &step.kind),
        Some(Kind::Variable(_) | Kind::Context | Kind::Root)
    );
    match input {
        Value::Array(array) if !is_variable => Items::Shared(array.clone()),
        one => Items::One(one.clone()),
    }
}

fn sequence_of(value: Value) -> Value {
    match value {
        Value::Array(array) => Value::Array(array.into_sequence()),
        other => other,
    }
}
