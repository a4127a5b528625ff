//! `|pattern|update, delete|`: a copy of a value with some of its objects changed.

use super::operators::shown;
use super::{Evaluation, coded};
use crate::jsonata::error::{Result, error, mismatch};
use crate::jsonata::functions::text;
use crate::jsonata::syntax::tree::Transform;
use crate::jsonata::value::{Env, Object, Value};
use std::collections::HashMap;
use std::rc::Rc;

/// Bytes of a name that is looked for, or looked at.
const PLACE: usize = 16;

/// Objects of the copy, by their address, with what became of them. The object itself is held, so that
/// no other can come to stand there.
type Changed = HashMap<*const Object, (Rc<Object>, Value)>;

impl Evaluation<'_> {
    /// The function that a transform is, of what it is given.
    pub(super) fn transformed(
        &mut self,
        transform: &Transform,
        env: &Env,
        given: Vec<Value>,
    ) -> Result {
        let value = match <[Value; 1]>::try_from(given) {
            Ok([value]) => value,
            Err(given) => return Err(mismatch(given.len().min(1) + 1)),
        };
        match value {
            Value::Undefined => return Ok(Value::Undefined),
            Value::Object(_) | Value::Array(_) => {}
            _ => return Err(mismatch(1)),
        }
        let copy = text::copied(self, &value)?;
        let found = self.evaluate(&transform.pattern, &copy, env)?;
        let mut changed = Changed::new();
        let found = if found.is_undefined() { &[][..] } else { found.as_slice() };
        for found in found {
            self.change(transform, found, env, &mut changed)?;
        }
        self.rebuilt(&copy, &changed)
    }

    fn change(
        &mut self,
        transform: &Transform,
        found: &Value,
        env: &Env,
        changed: &mut Changed,
    ) -> Result<()> {
        let current = self.rebuilt(found, changed)?;
        let update = self.evaluate(&transform.update, &current, env)?;
        let update = match update {
            Value::Undefined => None,
            Value::Object(update) => Some(update),
            other => {
                let words = format!(
                    "The insert/update clause of the transform expression must evaluate to an \
                     object: {}",
                    shown(&other)
                );
                return Err(coded("T2011", words));
            }
        };
        let updated = match (found, update) {
            (Value::Object(_), update) => {
                let mut object = latest(found, changed);
                self.steps(object.len())?;
                for (name, value) in update.iter().flat_map(|update| update.members()) {
                    object.insert(name.clone(), value.clone());
                }
                object
            }
            (_, Some(update)) if update.len() > 0 => {
                let words = format!("Cannot create property on {}", shown(found));
                return Err(error(words));
            }
            _ => Object::default(),
        };
        let updated = self.object(updated)?;
        self.note(found, updated, changed);
        if let Some(delete) = &transform.delete {
            let current = self.rebuilt(found, changed)?;
            let deleted = self.evaluate(delete, &current, env)?;
            let names = deleted_names(&deleted)?;
            if !names.is_empty() {
                let mut object = latest(found, changed);
                self.build(PLACE * (object.len() + names.len()))?;
                object.remove(&names.into_iter().collect());
                let object = self.object(object)?;
                self.note(found, object, changed);
            }
        }
        Ok(())
    }

    fn note(&self, found: &Value, became: Value, changed: &mut Changed) {
        if let Value::Object(object) = found {
            changed.insert(Rc::as_ptr(object), (Rc::clone(object), became));
        }
    }

    /// A value with what became of the objects in it.
    fn rebuilt(&mut self, value: &Value, changed: &Changed) -> Result {
        if changed.is_empty() {
            return Ok(value.clone());
        }
        // What an object became may hold the object itself: such a thing has no end.
        self.nested(|this| this.rebuilt_parts(value, changed))
    }

    fn rebuilt_parts(&mut self, value: &Value, changed: &Changed) -> Result {
        self.step()?;
        match value {
            Value::Array(array) => {
                let mut items = Vec::with_capacity(array.len());
                for item in array.items() {
                    items.push(self.rebuilt(item, changed)?);
                }
                let mut rebuilt = self.array(items)?;
                rebuilt.is_sequence = array.is_sequence;
                rebuilt.keeps = array.keeps;
                Ok(Value::Array(rebuilt))
            }
            Value::Object(object) => {
                let became = match changed.get(&Rc::as_ptr(object)) {
                    Some((_, Value::Object(became))) => became,
                    _ => object,
                };
                let mut rebuilt = Object::default();
                for (name, member) in became.members() {
                    rebuilt.insert(name.clone(), self.rebuilt(member, changed)?);
                }
                self.object(rebuilt)
            }
            other => Ok(other.clone()),
        }
    }
}

/// What became of an object so far, its parts as they were found.
fn latest(found: &Value, changed: &Changed) -> Object {
    let Value::Object(object) = found else { return Object::default() };
    match changed.get(&Rc::as_ptr(object)) {
        Some((_, Value::Object(became))) => Object::clone(became),
        _ => Object::clone(object),
    }
}

/// The names that a delete clause gives.
fn deleted_names(deleted: &Value) -> Result<Vec<&str>> {
    if deleted.is_undefined() {
        return Ok(Vec::new());
    }
    let names: Option<Vec<&str>> = deleted.as_slice().iter().map(Value::as_str).collect();
    names.ok_or_else(|| {
        let words = format!(
            "The delete clause of the transform expression must evaluate to a string or array of \
             strings: {}",
            shown(deleted)
        );
        coded("T2012", words)
    })
}
