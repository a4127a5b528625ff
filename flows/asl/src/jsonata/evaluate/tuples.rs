//! Steps of a path that binds variables: `@$name`, `#$name` and `%`.

use super::Evaluation;
use crate::jsonata::error::Result;
use crate::jsonata::syntax::tree::{Kind, More, Node, Stage, Symbol, Term};
use crate::jsonata::value::{Env, Frame, Tuple, Tuples, Value};
use std::rc::Rc;

/// What several tuples have in one place: nothing, the one value that is there, or the items of all.
#[derive(Default)]
enum Gathered {
    #[default]
    Nothing,
    One(Value),
    Many(Vec<Value>),
}

impl Gathered {
    fn of(value: Value) -> Self {
        if value.is_undefined() { Self::Nothing } else { Self::One(value) }
    }

    fn add(&mut self, run: &mut Evaluation<'_>, value: Value) -> Result<()> {
        if value.is_undefined() {
            return Ok(());
        }
        let added = value.as_slice().len();
        let mut items = match std::mem::take(self) {
            Self::Nothing => {
                *self = Self::One(value);
                return Ok(());
            }
            Self::One(Value::Array(array)) => {
                // It may be held elsewhere as well, and is copied then.
                run.places(array.len())?;
                array.into_items()
            }
            Self::One(one) => vec![one],
            Self::Many(items) => items,
        };
        run.grows(items.len() + added.saturating_sub(1))?;
        run.places(added)?;
        match value {
            Value::Array(array) => {
                run.steps(array.len() / 8)?;
                items.extend_from_slice(array.items());
            }
            one => items.push(one),
        }
        *self = Self::Many(items);
        Ok(())
    }

    fn value(self, run: &mut Evaluation<'_>) -> Result {
        match self {
            Self::Nothing => Ok(Value::Undefined),
            Self::One(one) => Ok(one),
            Self::Many(items) => run.list(items),
        }
    }
}

impl Evaluation<'_> {
    /// One step, of the tuples so far or of the items before the first of them.
    pub(super) fn tuple_step(
        &mut self,
        step: &Node,
        items: &[Value],
        tuples: Option<Tuples>,
        env: &Env,
    ) -> Result<Tuples> {
        let more = step.more.as_deref();
        if let Kind::Sort(terms) = &step.kind {
            let sorted = self.sorted_tuples(terms, more, items, tuples, env)?;
            return self.stages(step, sorted, env);
        }
        let tuples = match tuples {
            Some(tuples) => tuples.list,
            None => {
                items.iter().map(|item| Tuple { at: item.clone(), bound: Vec::new() }).collect()
            }
        };
        let mut found = Vec::new();
        for tuple in tuples {
            let frame = Frame::with(env, tuple.bound.clone());
            match self.evaluate(step, &tuple.at, &frame)? {
                Value::Undefined => {}
                Value::Tuples(inner) if !inner.are_sorted => {
                    for inner in &inner.list {
                        let mut joined = tuple.clone();
                        for (symbol, value) in &inner.bound {
                            joined.bind(*symbol, value.clone());
                        }
                        joined.at = inner.at.clone();
                        self.push(&mut found, joined)?;
                    }
                }
                value => {
                    for (at, item) in value.as_slice().iter().enumerate() {
                        let bound = self.bound(&tuple, item, at, more);
                        self.push(&mut found, bound)?;
                    }
                }
            }
        }
        self.stages(step, Tuples { list: found, are_sorted: false }, env)
    }

    pub(super) fn push(&mut self, found: &mut Vec<Tuple>, tuple: Tuple) -> Result<()> {
        self.grows(found.len())?;
        self.build(64 + 32 * tuple.bound.len())?;
        found.push(tuple);
        Ok(())
    }

    /// The tuple of an item that a step gave for `tuple`.
    fn bound(&self, tuple: &Tuple, item: &Value, at: usize, more: Option<&More>) -> Tuple {
        let mut bound = tuple.clone();
        let Some(more) = more else {
            bound.at = item.clone();
            return bound;
        };
        match more.focus {
            Some(symbol) => bound.bind(symbol, item.clone()),
            None => bound.at = item.clone(),
        }
        if let Some(symbol) = more.index {
            bound.bind(symbol, Value::from(at));
        }
        let name = more.ancestor.and_then(|slot| self.tree.ancestors.get(slot));
        if let Some(symbol) = name {
            bound.bind(*symbol, tuple.at.clone());
        }
        bound
    }

    fn stages(&mut self, step: &Node, mut tuples: Tuples, env: &Env) -> Result<Tuples> {
        for stage in step.stages() {
            match stage {
                Stage::Filter(predicate) => tuples = self.filter_tuples(predicate, tuples, env)?,
                Stage::Index(symbol) => {
                    for (at, tuple) in tuples.list.iter_mut().enumerate() {
                        tuple.bind(*symbol, Value::from(at));
                    }
                }
            }
        }
        Ok(tuples)
    }

    fn sorted_tuples(
        &mut self,
        terms: &[Term],
        more: Option<&More>,
        items: &[Value],
        tuples: Option<Tuples>,
        env: &Env,
    ) -> Result<Tuples> {
        if let Some(tuples) = tuples {
            let is_one = tuples.list.len() <= 1;
            let list = if tuples.are_sorted {
                tuples.list
            } else {
                self.sorted_tuple_list(terms, tuples.list, env)?
            };
            return Ok(Tuples { list, are_sorted: tuples.are_sorted || !is_one });
        }
        let sorted = self.sorted_items(terms, items.to_vec(), env)?;
        let mut list = Vec::with_capacity(sorted.len());
        for (at, item) in sorted.into_iter().enumerate() {
            let mut tuple = Tuple { at: item, bound: Vec::new() };
            if let Some(symbol) = more.and_then(|more| more.index) {
                tuple.bind(symbol, Value::from(at));
            }
            list.push(tuple);
        }
        Ok(Tuples { list, are_sorted: false })
    }

    /// All tuples of a group as one: what each binds, put together.
    pub(super) fn reduced(&mut self, tuples: Vec<Tuple>) -> Result<Tuple> {
        let mut at = Gathered::default();
        let mut bound: Vec<(Symbol, Gathered)> = Vec::new();
        for tuple in tuples {
            self.steps(1 + tuple.bound.len())?;
            at.add(self, tuple.at)?;
            for (symbol, value) in tuple.bound {
                match bound.iter_mut().find(|(known, _)| *known == symbol) {
                    Some((_, gathered)) => gathered.add(self, value)?,
                    None => bound.push((symbol, Gathered::of(value))),
                }
            }
        }
        let mut reduced = Tuple { at: at.value(self)?, bound: Vec::with_capacity(bound.len()) };
        for (symbol, gathered) in bound {
            reduced.bound.push((symbol, gathered.value(self)?));
        }
        Ok(reduced)
    }

    /// A frame with what a tuple binds.
    pub(super) fn tuple_frame(&self, tuple: &Tuple, env: &Env) -> Env {
        if tuple.bound.is_empty() { Rc::clone(env) } else { Frame::with(env, tuple.bound.clone()) }
    }
}
