//! What an expression computes with.
//!
//! > Every array and object knows what it weighs and how deep it is, and is made nowhere but within
//! > the bounds of one evaluation ([`super::evaluate::bounds`]), or read from documents that have
//! > bounds of their own ([`super::convert`]). So whatever walks through a value ends, though parts may
//! > be shared many times, and dropping one needs little stack: what a function in it can see of
//! > variables ends with the evaluation ([`Frame`]), not with the function.

mod function;

#[cfg(test)]
pub(super) use function::living;
pub(super) use function::{Closure, Env, Frame, Function};

use super::syntax::tree::Symbol;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

/// A value. Cheap to clone: what is large is shared.
#[derive(Debug, Clone, Default)]
pub(super) enum Value {
    /// What JSONata calls nothing: a value that is not there.
    #[default]
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(Arc<str>),
    Array(Array),
    Object(Rc<Object>),
    Function(Rc<Function>),
    /// What a path carries between two steps if it binds variables; no expression can see it.
    Tuples(Rc<Tuples>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Arc::from(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Arc::from(text))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(number as f64)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<Function> for Value {
    fn from(function: Function) -> Self {
        Self::Function(Rc::new(function))
    }
}

impl Value {
    pub(super) fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined)
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn as_array(&self) -> Option<&Array> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// The items of an array, or the value as the one item of a list.
    pub(super) fn as_slice(&self) -> &[Self] {
        match self {
            Self::Array(array) => array.items(),
            one => std::slice::from_ref(one),
        }
    }

    /// Its weight as a part of another, and how deep it is.
    pub(super) fn measure(&self) -> Measure {
        match self {
            Self::Number(_) => Measure { weight: 8, depth: 0 },
            Self::Text(text) => Measure { weight: text.len(), depth: 0 },
            Self::Array(array) => array.list.measure.as_part(),
            Self::Object(object) => object.measure.as_part(),
            Self::Function(function) => Measure { weight: 4, depth: function.depth() },
            _ => Measure { weight: 4, depth: 0 },
        }
    }

    /// Whether it is the very same, as JavaScript's `===` has it: a part of a value is itself only.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Undefined, Self::Undefined) | (Self::Null, Self::Null) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Number(left), Self::Number(right)) => left == right,
            (Self::Text(left), Self::Text(right)) => left == right,
            (Self::Array(left), Self::Array(right)) => Rc::ptr_eq(&left.list, &right.list),
            (Self::Object(left), Self::Object(right)) => Rc::ptr_eq(left, right),
            (Self::Function(left), Self::Function(right)) => {
                Rc::ptr_eq(left, right) || left.is_same_built_in(right)
            }
            _ => false,
        }
    }
}

/// What a value weighs and how deep it is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Measure {
    /// Bytes, a number counted as eight: see [`super::limits::MOST_WEIGHT`].
    pub(super) weight: usize,
    pub(super) depth: usize,
}

impl Measure {
    pub(super) fn add(&mut self, part: Self) {
        self.weight = self.weight.saturating_add(part.weight);
        self.depth = self.depth.max(part.depth);
    }

    fn as_part(self) -> Self {
        Self { weight: self.weight.saturating_add(4), depth: self.depth + 1 }
    }
}

/// An array, and what JSONata remembers of where it comes from.
#[derive(Debug, Clone, Default)]
pub(super) struct Array {
    list: Rc<List>,
    /// A sequence: what a path selects. One of no items is nothing, one of one item is the item.
    pub(super) is_sequence: bool,
    /// A sequence that stays one, though it be of one item: `[]` was written.
    pub(super) keeps: bool,
    /// Made by `[…]` within a path: no step takes it apart.
    pub(super) is_constructed: bool,
}

#[derive(Debug, Default)]
struct List {
    items: Vec<Value>,
    measure: Measure,
}

impl Array {
    /// For [`super::evaluate::bounds`], which has looked at the measure.
    pub(super) fn measured(items: Vec<Value>, measure: Measure) -> Self {
        Self { list: Rc::new(List { items, measure }), ..Self::default() }
    }

    pub(super) fn items(&self) -> &[Value] {
        &self.list.items
    }

    pub(super) fn len(&self) -> usize {
        self.list.items.len()
    }

    /// The same items as a sequence.
    pub(super) fn into_sequence(self) -> Self {
        Self { is_sequence: true, keeps: false, is_constructed: false, ..self }
    }

    /// The items; copied if others have them too.
    pub(super) fn into_items(self) -> Vec<Value> {
        match Rc::try_unwrap(self.list) {
            Ok(list) => list.items,
            Err(shared) => shared.items.clone(),
        }
    }
}

/// An object: its members in the order in which they came, those first whose names are whole numbers.
#[derive(Debug, Default, Clone)]
pub(super) struct Object {
    members: Vec<(Arc<str>, Value)>,
    /// A name that is a whole number stands where it does not belong: until it is measured.
    is_unordered: bool,
    /// Where the members are, of an object with many.
    places: Option<HashMap<Arc<str>, usize>>,
    measure: Measure,
}

/// Members up to which they are looked through one by one.
const FEW: usize = 12;

impl Object {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.place(name).and_then(|at| self.members.get(at)).map(|(_, value)| value)
    }

    fn place(&self, name: &str) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(name).copied(),
            None => self.members.iter().position(|(known, _)| **known == *name),
        }
    }

    /// A member that is there already keeps its place.
    pub(super) fn insert(&mut self, name: Arc<str>, value: Value) {
        if let Some(at) = self.place(&name) {
            if let Some(member) = self.members.get_mut(at) {
                member.1 = value;
            }
            return;
        }
        self.is_unordered |= index_of(&name).is_some_and(|index| {
            let last = self.members.last();
            last.is_some_and(|(last, _)| index_of(last).is_none_or(|last| last > index))
        });
        if let Some(places) = &mut self.places {
            places.insert(Arc::clone(&name), self.members.len());
        }
        self.members.push((name, value));
        if self.places.is_none() && self.members.len() > FEW {
            self.index();
        }
    }

    fn index(&mut self) {
        let names = self.members.iter().enumerate();
        self.places = Some(names.map(|(at, (name, _))| (Arc::clone(name), at)).collect());
    }

    /// Takes out the members of these names.
    pub(super) fn remove(&mut self, names: &HashSet<&str>) {
        self.members.retain(|(name, _)| !names.contains(&**name));
        self.places = None;
        if self.members.len() > FEW {
            self.index();
        }
    }

    pub(super) fn members(&self) -> &[(Arc<str>, Value)] {
        &self.members
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// What it weighs, looked at anew; its members are in order afterwards.
    pub(super) fn measured(&mut self) -> Measure {
        if std::mem::take(&mut self.is_unordered) {
            self.members.sort_by_key(|(name, _)| index_of(name).unwrap_or(u32::MAX));
            if self.places.is_some() {
                self.index();
            }
        }
        let mut measure = Measure::default();
        for (name, value) in &self.members {
            measure.add(value.measure());
            measure.weight = measure.weight.saturating_add(name.len());
        }
        self.measure = measure;
        measure
    }
}

/// The whole number that a name is: JavaScript has the members of such names before all others, in
/// their order (ECMA-262, `OrdinaryOwnPropertyKeys`).
pub(super) fn index_of(name: &str) -> Option<u32> {
    let first = name.bytes().next().filter(u8::is_ascii_digit)?;
    if name.len() > 10 || (first == b'0' && name.len() > 1) {
        return None;
    }
    name.parse().ok().filter(|index| *index < u32::MAX)
}

/// One item of a path that binds variables: the item, and what is bound.
#[derive(Debug, Clone, Default)]
pub(super) struct Tuple {
    pub(super) at: Value,
    pub(super) bound: Vec<(Symbol, Value)>,
}

impl Tuple {
    pub(super) fn bind(&mut self, symbol: Symbol, value: Value) {
        match self.bound.iter_mut().find(|(known, _)| *known == symbol) {
            Some(binding) => binding.1 = value,
            None => self.bound.push((symbol, value)),
        }
    }
}

/// The items of such a path.
#[derive(Debug, Clone, Default)]
pub(super) struct Tuples {
    pub(super) list: Vec<Tuple>,
    /// 2.0.6 forgets in a sort what these are, and takes each for an object afterwards.
    pub(super) are_sorted: bool,
}
