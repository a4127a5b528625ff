//! The functions that Step Functions adds or changes, and the guards' own.

pub(super) mod guards;

use super::limits::{self, MEMORY};
use super::needs::Needs;
use super::trace::Notes;
use crate::digest;
use crate::scope::{Entropy, Scope};
use jsonata_core::evaluator::{Evaluator, EvaluatorError, HostFn};
use jsonata_core::value::JValue;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

/// What `$hash` knows, in the order of AWS's words.
const ALGORITHMS: &str = "SHA-1, SHA-384, SHA-256, SHA-512, MD5";

pub(super) type Result<T = JValue> = std::result::Result<T, EvaluatorError>;

/// What the functions of one evaluation share.
pub(super) struct World {
    now: i64,
    pub(super) entropy: Entropy,
    built: Cell<usize>,
    /// The variables that are bound.
    assigned: BTreeSet<String>,
    pub(super) notes: RefCell<Notes>,
}

impl World {
    pub(super) fn of(scope: &Scope<'_>, assigned: BTreeSet<String>) -> Self {
        let now = scope.now.as_millisecond();
        Self {
            now,
            entropy: scope.entropy.clone(),
            built: Cell::new(0),
            assigned,
            notes: RefCell::default(),
        }
    }

    /// The time, in milliseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.now
    }

    /// Counts `bytes` as built.
    pub(super) fn build(&self, bytes: usize) -> Result<()> {
        let built = self.built.get().saturating_add(bytes);
        self.built.set(built);
        if built > limits::MOST_BUILT { Err(memory()) } else { Ok(()) }
    }
}

pub(super) fn error(message: impl Into<String>) -> EvaluatorError {
    EvaluatorError::EvaluationError(message.into())
}

pub(super) fn memory() -> EvaluatorError {
    error(MEMORY)
}

pub(super) fn mismatch(argument: usize, name: &str) -> EvaluatorError {
    error(format!(
        "T0410: Argument {argument} of function \"{name}\" does not match function signature"
    ))
}

/// Whether every argument is of its parameter's kind or undefined, and none is left over.
///
/// AWS words a surplus like a wrong type: T0410 of the first argument without a parameter
/// (tiny-asl-machine, `Feature.JSONataBuiltins` 015, 023, 031, 039–042 and 046, recorded on AWS).
fn signature(name: &str, parameters: &[fn(&JValue) -> bool], arguments: &[JValue]) -> Result<()> {
    for (index, argument) in arguments.iter().enumerate() {
        let is_right = parameters
            .get(index)
            .is_some_and(|is_kind| matches!(argument, JValue::Undefined) || is_kind(argument));
        if !is_right {
            return Err(mismatch(index + 1, name));
        }
    }
    Ok(())
}

fn is_number(value: &JValue) -> bool {
    matches!(value, JValue::Number(_))
}

fn is_text(value: &JValue) -> bool {
    matches!(value, JValue::String(_))
}

pub(super) fn at(arguments: &[JValue], index: usize) -> JValue {
    arguments.get(index).cloned().unwrap_or(JValue::Undefined)
}

/// The names of the functions that take notes: see [`super::trace`].
pub(super) mod marks {
    /// `(name, last argument, whether there is none)`
    pub(in super::super) const ENTER: &str = "guard:enter";
    /// `(place, operand)`
    pub(in super::super) const LEFT: &str = "guard:left";
    /// `(place, operator, operand)`
    pub(in super::super) const RIGHT: &str = "guard:right";
}

/// Gives `evaluator` the functions that take notes.
pub(super) fn install_marks(evaluator: &mut Evaluator, world: &Rc<World>) -> Result<()> {
    let of = Rc::clone(world);
    evaluator.register_fn(marks::ENTER, move |arguments: &[JValue]| {
        let is_bare = matches!(at(arguments, 2), JValue::Bool(true));
        of.notes.borrow_mut().enter(&at(arguments, 0), is_bare);
        Ok(at(arguments, 1))
    })?;
    let of = Rc::clone(world);
    evaluator.register_fn(marks::LEFT, move |arguments: &[JValue]| {
        of.notes.borrow_mut().left(&at(arguments, 0), &at(arguments, 1));
        Ok(at(arguments, 1))
    })?;
    let of = Rc::clone(world);
    evaluator.register_fn(marks::RIGHT, move |arguments: &[JValue]| {
        of.notes.borrow_mut().right(&at(arguments, 0), &at(arguments, 1), &at(arguments, 2));
        Ok(at(arguments, 2))
    })
}

/// An evaluator that gets the functions which its expression names, and no others: there are two
/// dozen, and most expressions name none.
pub(super) struct Host<'a> {
    evaluator: &'a mut Evaluator,
    needs: &'a Needs,
}

impl<'a> Host<'a> {
    pub(super) fn new(evaluator: &'a mut Evaluator, needs: &'a Needs) -> Self {
        Self { evaluator, needs }
    }

    /// A function that the language does not have.
    pub(super) fn register_fn(
        &mut self,
        name: &str,
        function: impl HostFn + 'static,
    ) -> Result<()> {
        if !self.needs.names(name) {
            return Ok(());
        }
        self.evaluator.register_fn(name, function)
    }

    /// One in place of the language's own.
    fn register_fn_override(&mut self, name: &str, function: impl HostFn + 'static) -> Result<()> {
        if !self.needs.names(name) {
            return Ok(());
        }
        self.evaluator.register_fn_override(name, function)
    }

    /// Every function of this file that the expression needs.
    pub(super) fn install(&mut self, world: &Rc<World>) -> Result<()> {
        install_clock_and_chance(self, world)?;
        self.register_fn("partition", partition)?;
        self.register_fn("range", range)?;
        self.register_fn("hash", hash)?;
        self.register_fn("parse", parse)?;
        self.register_fn_override("eval", |_: &[JValue]| {
            Err(error("T1006: Attempted to invoke a non-function"))
        })?;
        super::own::install(self, world)?;
        guards::install(self, world)
    }
}

fn install_clock_and_chance(evaluator: &mut Host<'_>, world: &Rc<World>) -> Result<()> {
    let of = Rc::clone(world);
    evaluator.register_fn_override("millis", move |_: &[JValue]| Ok(JValue::from(of.now)))?;
    // Reached only by a name that the guards take for the expression's own.
    let of = Rc::clone(world);
    evaluator.register_fn_override("now", move |_: &[JValue]| super::own::now(&of, &[]))?;
    let of = Rc::clone(world);
    evaluator.register_fn_override("random", move |arguments: &[JValue]| {
        signature("random", &[is_number], arguments)?;
        Ok(JValue::from(match at(arguments, 0) {
            JValue::Number(seed) => Entropy::new((seed.trunc() as i64).cast_unsigned()).unit(),
            _ => of.entropy.unit(),
        }))
    })?;
    let of = Rc::clone(world);
    evaluator.register_fn("uuid", move |arguments: &[JValue]| {
        signature("uuid", &[], arguments)?;
        Ok(JValue::from(of.entropy.uuid()))
    })?;
    let of = Rc::clone(world);
    evaluator.register_fn_override("shuffle", move |arguments: &[JValue]| {
        let mut items = match at(arguments, 0) {
            JValue::Undefined => return Ok(JValue::Undefined),
            JValue::Array(items) => items.into_vec(),
            one => vec![one],
        };
        for last in (1..items.len()).rev() {
            let other = (of.entropy.unit() * (last + 1) as f64) as usize;
            items.swap(last, other.min(last));
        }
        Ok(JValue::array(items))
    })
}

/// `$partition(array, size)`: chunks, all in one without a size; nothing for an empty array or a
/// size of zero. It takes no single value for an array, and has no word for what it wants one of
/// (tiny-asl-machine, `Feature.JSONataBuiltins` 010, 013 and 014, recorded on AWS).
fn partition(arguments: &[JValue]) -> Result {
    signature("partition", &[|_| true, is_number], arguments)?;
    let items = match at(arguments, 0) {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::Array(items) => items.into_vec(),
        _ => {
            return Err(error(
                "T0412: Argument 1 of function \"partition\" must be an array of undefined",
            ));
        }
    };
    let size = match (at(arguments, 1), arguments.len()) {
        (JValue::Number(size), _) => size.trunc(),
        (_, 1) => items.len() as f64,
        _ => return Ok(JValue::Undefined),
    };
    if size < 0.0 {
        return Err(error("D3137: Second argument must be zero or greater"));
    }
    if items.is_empty() || size < 1.0 {
        return Ok(JValue::Undefined);
    }
    let chunks = items.chunks(size as usize).map(|chunk| JValue::array(chunk.to_vec()));
    Ok(JValue::array(chunks.collect()))
}

/// `$range(start, end, step)`: both ends included; nothing if the step leads elsewhere. A range of
/// one number is that number.
fn range(arguments: &[JValue]) -> Result {
    signature("range", &[is_number, is_number, is_number], arguments)?;
    let mut bounds = [0.0; 3];
    for (index, bound) in bounds.iter_mut().enumerate() {
        match at(arguments, index) {
            JValue::Number(number) => *bound = number.trunc(),
            _ => return Ok(JValue::Undefined),
        }
    }
    let [start, end, step] = bounds;
    if step == 0.0 || (end - start) * step < 0.0 {
        return Ok(JValue::Undefined);
    }
    let count = ((end - start) / step).floor() + 1.0;
    if !count.is_finite() || count > limits::MOST_IN_RANGE as f64 {
        return Err(memory());
    }
    let numbers = (0..count as usize).map(|index| JValue::from(start + step * index as f64));
    Ok(JValue::sequence(numbers.collect()).unwrap_sequence())
}

/// `$hash(text, algorithm)`: in hexadecimal; nothing without an algorithm.
fn hash(arguments: &[JValue]) -> Result {
    signature("hash", &[is_text, is_text], arguments)?;
    match (at(arguments, 0), at(arguments, 1)) {
        (JValue::String(text), JValue::String(algorithm)) => {
            digest::hex(&algorithm, &text).map(JValue::from).ok_or_else(|| {
                error(format!("D3137: Hash algorithm '{algorithm}' must be one of {ALGORITHMS}"))
            })
        }
        _ if arguments.is_empty() => Err(mismatch(1, "hash")),
        _ => Ok(JValue::Undefined),
    }
}

/// `$parse(text)`: the JSON in a text.
fn parse(arguments: &[JValue]) -> Result {
    signature("parse", &[is_text], arguments)?;
    match at(arguments, 0) {
        JValue::String(text) => match serde_json::from_str::<Value>(&text) {
            Ok(value) => Ok(JValue::from(value)),
            Err(_) => Err(error("D3137: Invalid JSON")),
        },
        _ => Ok(JValue::Undefined),
    }
}
