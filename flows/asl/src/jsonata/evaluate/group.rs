//! Objects that are constructed: `{key: value}`, by itself and after a part.

use super::operators::shown;
use super::{Evaluation, coded};
use crate::jsonata::error::Result;
use crate::jsonata::syntax::tree::Node;
use crate::jsonata::value::{Env, Object, Tuple, Value};
use serde_json::Value as Json;
use std::collections::HashMap;
use std::sync::Arc;

/// What has one key.
struct Group<T> {
    key: Arc<str>,
    /// Which of the pairs gave the key.
    pair: usize,
    members: Vec<T>,
}

/// Groups in the order of their first members.
struct Groups<T> {
    all: Vec<Group<T>>,
    /// Where they are, if there are many.
    places: HashMap<Arc<str>, usize>,
}

/// Groups up to which they are looked through one by one.
const FEW: usize = 8;

impl<T> Groups<T> {
    fn add(&mut self, key: Value, pair: usize, member: T) -> Result<()> {
        let key = match key {
            Value::Undefined => return Ok(()),
            Value::Text(key) => key,
            other => {
                let words = format!(
                    "Key in object structure must evaluate to a string; got: {}",
                    shown(&other)
                );
                return Err(coded("T1003", words));
            }
        };
        let place = if self.all.len() <= FEW {
            self.all.iter().position(|group| group.key == key)
        } else {
            self.places.get(&key).copied()
        };
        let Some(group) = place.and_then(|at| self.all.get_mut(at)) else {
            self.all.push(Group { key, pair, members: vec![member] });
            let new = if self.all.len() == FEW + 1 { 0 } else { self.all.len() - 1 };
            if self.all.len() > FEW {
                let groups = self.all.iter().enumerate().skip(new);
                self.places.extend(groups.map(|(at, group)| (Arc::clone(&group.key), at)));
            }
            return Ok(());
        };
        if group.pair != pair {
            let key = Json::from(&*key);
            let words = format!("Multiple key definitions evaluate to same key: {key}");
            return Err(coded("D1009", words));
        }
        group.members.push(member);
        Ok(())
    }
}

impl Evaluation<'_> {
    pub(super) fn group(&mut self, pairs: &[(Node, Node)], input: Value, env: &Env) -> Result {
        let input = match input {
            Value::Tuples(tuples) if tuples.are_sorted => {
                let mut items = Vec::with_capacity(tuples.list.len());
                for tuple in &tuples.list {
                    items.push(self.tuple_object(tuple)?);
                }
                self.list(items)?
            }
            Value::Tuples(tuples) if !tuples.list.is_empty() => {
                return self.group_tuples(pairs, &tuples.list, env);
            }
            Value::Tuples(_) => Value::Undefined,
            other => other,
        };
        // One item only, as mostly, needs no groups.
        if !matches!(&input, Value::Array(array) if array.len() > 1) {
            let nothing = [Value::Undefined];
            let items = if input.as_slice().is_empty() { &nothing } else { input.as_slice() };
            if let [item] = items {
                return self.object_of(pairs, item, env);
            }
        }
        let mut groups = Groups { all: Vec::new(), places: HashMap::new() };
        for item in input.as_slice() {
            for (pair, (key, _)) in pairs.iter().enumerate() {
                self.step()?;
                let key = self.evaluate(key, item, env)?;
                groups.add(key, pair, item)?;
            }
        }
        let mut object = Object::default();
        for Group { key, pair, members } in groups.all {
            let context = match members.as_slice() {
                [one] => (*one).clone(),
                _ => self.together(&members)?,
            };
            if let Some((_, value)) = pairs.get(pair) {
                let value = self.evaluate(value, &context, env)?;
                self.insert(&mut object, key, value)?;
            }
        }
        self.object(object)
    }

    /// The members of a group in one list; a list among them is spliced in.
    fn together(&mut self, members: &[&Value]) -> Result {
        let mut items = Vec::with_capacity(members.len());
        for member in members {
            self.grows(items.len())?;
            match member {
                Value::Array(array) => items.extend_from_slice(array.items()),
                Value::Undefined => {}
                one => items.push((*one).clone()),
            }
        }
        self.list(items)
    }

    /// All pairs for one item.
    fn object_of(&mut self, pairs: &[(Node, Node)], item: &Value, env: &Env) -> Result {
        let mut groups = Groups { all: Vec::new(), places: HashMap::new() };
        let mut object = Object::default();
        if pairs.len() == 1 {
            for (key, value) in pairs {
                let key = self.evaluate(key, item, env)?;
                groups.add(key, 0, ())?;
                if let Some(group) = groups.all.pop() {
                    let value = self.evaluate(value, item, env)?;
                    self.insert(&mut object, group.key, value)?;
                }
            }
            return self.object(object);
        }
        for (pair, (key, _)) in pairs.iter().enumerate() {
            let key = self.evaluate(key, item, env)?;
            groups.add(key, pair, ())?;
        }
        for Group { key, pair, .. } in groups.all {
            if let Some((_, value)) = pairs.get(pair) {
                let value = self.evaluate(value, item, env)?;
                self.insert(&mut object, key, value)?;
            }
        }
        self.object(object)
    }

    fn insert(&mut self, object: &mut Object, key: Arc<str>, value: Value) -> Result<()> {
        if !value.is_undefined() {
            self.grows(object.len())?;
            object.insert(key, value);
        }
        Ok(())
    }

    fn group_tuples(&mut self, pairs: &[(Node, Node)], tuples: &[Tuple], env: &Env) -> Result {
        let mut groups = Groups { all: Vec::new(), places: HashMap::new() };
        for tuple in tuples {
            let frame = self.tuple_frame(tuple, env);
            for (pair, (key, _)) in pairs.iter().enumerate() {
                self.step()?;
                let key = self.evaluate(key, &tuple.at, &frame)?;
                groups.add(key, pair, tuple.clone())?;
            }
        }
        let mut object = Object::default();
        for Group { key, pair, members } in groups.all {
            let tuple = self.reduced(members)?;
            let frame = self.tuple_frame(&tuple, env);
            if let Some((_, value)) = pairs.get(pair) {
                let value = self.evaluate(value, &tuple.at, &frame)?;
                self.insert(&mut object, key, value)?;
            }
        }
        self.object(object)
    }
}
