//! Which functions there are, and what each takes.

use super::refused::Refused;
use super::{arrays, math, strings};
use crate::scope::Scope;
use serde_json::Value;

/// An intrinsic function of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// `States.Array(x, …)`: its arguments as an array.
    Array,
    /// `States.ArrayPartition(array, size)`: chunks.
    ArrayPartition,
    /// `States.ArrayContains(array, x)`
    ArrayContains,
    /// `States.ArrayRange(first, last, step)`: both ends included, 1000 numbers at most.
    ArrayRange,
    /// `States.ArrayGetItem(array, index)`
    ArrayGetItem,
    /// `States.ArrayLength(array)`
    ArrayLength,
    /// `States.ArrayUnique(array)`
    ArrayUnique,
    /// `States.Base64Encode(text)`: 10,000 characters at most.
    Base64Encode,
    /// `States.Base64Decode(text)`: 10,000 characters at most.
    Base64Decode,
    /// `States.Hash(data, algorithm)`: in hexadecimal.
    Hash,
    /// `States.JsonMerge(a, b, false)`: `b`'s members over `a`'s.
    JsonMerge,
    /// `States.StringToJson(text)`
    StringToJson,
    /// `States.JsonToString(value)`
    JsonToString,
    /// `States.MathRandom(from, to, seed?)`: a whole number, `to` excluded.
    MathRandom,
    /// `States.MathAdd(a, b)`: whole numbers of 32 bits.
    MathAdd,
    /// `States.StringSplit(text, characters)`: at any of the characters.
    StringSplit,
    /// `States.UUID()`
    Uuid,
    /// `States.Format(template, x, …)`: each `{}` gives way to an argument.
    Format,
}

/// Each with its name and the least and most arguments it takes.
const FUNCTIONS: [(Function, &str, usize, Option<usize>); 18] = [
    (Function::Array, "States.Array", 0, None),
    (Function::ArrayPartition, "States.ArrayPartition", 2, Some(2)),
    (Function::ArrayContains, "States.ArrayContains", 2, Some(2)),
    (Function::ArrayRange, "States.ArrayRange", 3, Some(3)),
    (Function::ArrayGetItem, "States.ArrayGetItem", 2, Some(2)),
    (Function::ArrayLength, "States.ArrayLength", 1, Some(1)),
    (Function::ArrayUnique, "States.ArrayUnique", 1, Some(1)),
    (Function::Base64Encode, "States.Base64Encode", 1, Some(1)),
    (Function::Base64Decode, "States.Base64Decode", 1, Some(1)),
    (Function::Hash, "States.Hash", 2, Some(2)),
    (Function::JsonMerge, "States.JsonMerge", 3, Some(3)),
    (Function::StringToJson, "States.StringToJson", 1, Some(1)),
    (Function::JsonToString, "States.JsonToString", 1, Some(1)),
    (Function::MathRandom, "States.MathRandom", 2, Some(3)),
    (Function::MathAdd, "States.MathAdd", 2, Some(2)),
    (Function::StringSplit, "States.StringSplit", 2, Some(2)),
    (Function::Uuid, "States.UUID", 0, Some(0)),
    (Function::Format, "States.Format", 1, None),
];

impl Function {
    pub(super) fn named(name: &str) -> Option<Self> {
        FUNCTIONS.iter().find(|known| known.1 == name).map(|known| known.0)
    }

    /// The name that is most like `name`, if one is.
    pub(super) fn like(name: &str) -> Option<String> {
        FUNCTIONS
            .iter()
            .map(|known| (strsim::damerau_levenshtein(known.1, name), known.1))
            .min()
            .filter(|(distance, _)| *distance <= 3)
            .map(|(_, known)| known.to_owned())
    }

    /// Its name, `States.` included.
    pub fn name(self) -> &'static str {
        FUNCTIONS.iter().find(|known| known.0 == self).map_or("", |known| known.1)
    }

    /// What is to be said where it has `given` arguments, if that is too many or too few.
    pub(super) fn miscounted(self, given: usize) -> Option<String> {
        let (_, name, least, most) = FUNCTIONS.iter().find(|known| known.0 == self)?;
        if given >= *least && most.is_none_or(|most| given <= most) {
            return None;
        }
        let wanted = match most {
            Some(most) if most == least => format!("{least}"),
            Some(most) => format!("{least} to {most}"),
            None => format!("at least {least}"),
        };
        Some(format!("`{name}` takes {wanted} arguments, not {given}"))
    }

    /// Its value; else what is wrong with the arguments.
    pub(super) fn apply(self, arguments: &[Value], scope: &Scope<'_>) -> Result<Value, Refused> {
        match (self, arguments) {
            (Self::Array, items) => Ok(Value::Array(items.to_vec())),
            (Self::ArrayPartition, [array, size]) => arrays::partition(array, size),
            (Self::ArrayContains, [array, wanted]) => arrays::contains(array, wanted),
            (Self::ArrayRange, [first, last, step]) => arrays::range(first, last, step),
            (Self::ArrayGetItem, [array, index]) => arrays::get(array, index),
            (Self::ArrayLength, [array]) => arrays::length(array),
            (Self::ArrayUnique, [array]) => arrays::unique(array),
            (Self::Base64Encode, [text]) => strings::base64_encode(text),
            (Self::Base64Decode, [text]) => strings::base64_decode(text),
            (Self::Hash, [data, algorithm]) => strings::hash(data, algorithm),
            (Self::JsonMerge, [under, over, deep]) => strings::merge(under, over, deep),
            (Self::StringToJson, [text]) => strings::to_json(text),
            (Self::JsonToString, [value]) => Ok(Value::String(value.to_string())),
            (Self::MathRandom, [from, to]) => math::random(from, to, scope.entropy),
            (Self::MathRandom, [from, to, seed]) => math::seeded(from, to, seed),
            (Self::MathAdd, [left, right]) => math::add(left, right),
            (Self::StringSplit, [text, characters]) => strings::split(text, characters),
            // Whatever it is given (tiny-asl-machine, States.UUID 008 to 013).
            (Self::Uuid, _) => Ok(Value::String(scope.entropy.uuid())),
            (Self::Format, [template, values @ ..]) => strings::format(template, values),
            // Too many or too few.
            _ => Err(Refused::Arguments),
        }
    }
}
