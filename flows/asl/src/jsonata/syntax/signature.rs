//! Signatures of functions: `<s-n?:s>`.
//!
//! The types of the arguments, one letter each, are matched with the parameters as a regular
//! expression would: greedy, from left to right, and going back where it has to. A parameter that may
//! be the context takes it where no argument is left for it. (JSONata documentation, "Writing
//! higher-order functions": function signatures.)

use super::SyntaxError;
use crate::jsonata::error::{Error, FUNCTION, Result, mismatch};
use crate::jsonata::value::Value;
use serde_json::Value as Json;

/// Parameters of one signature. Ours.
const MOST_PARAMETERS: usize = 64;

/// The parameters of a function.
#[derive(Debug, Default)]
pub(in crate::jsonata) struct Signature {
    parameters: Vec<Parameter>,
}

#[derive(Debug)]
struct Parameter {
    /// The letters of the types it takes. Nothing is `m`.
    takes: String,
    times: Times,
    /// Takes the context if there is no argument for it.
    may_be_context: bool,
    is_array: bool,
    /// What is in the brackets of `a<n>`.
    items: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    Once,
    /// `?`
    AtMostOnce,
    /// `+`
    AtLeastOnce,
}

impl Parameter {
    fn of(takes: &str) -> Self {
        let takes = takes.to_owned();
        let times = Times::Once;
        Self { takes, times, may_be_context: false, is_array: false, items: None }
    }

    fn takes(&self, letter: u8) -> bool {
        self.takes.as_bytes().contains(&letter)
    }
}

/// The letter of a value's type.
fn letter(value: &Value) -> u8 {
    match value {
        Value::Undefined => b'm',
        Value::Null => b'l',
        Value::Bool(_) => b'b',
        Value::Number(_) => b'n',
        Value::Text(_) => b's',
        Value::Array(_) | Value::Tuples(_) => b'a',
        Value::Object(_) => b'o',
        Value::Function(_) => b'f',
    }
}

impl Signature {
    /// Reads what stands from `<` to `>`. What it says after a colon is not looked at.
    pub(in crate::jsonata) fn read(text: &str) -> std::result::Result<Self, SyntaxError> {
        let mut parameters: Vec<Parameter> = Vec::new();
        let text = text.strip_prefix('<').unwrap_or(text);
        let mut rest = text.chars();
        while let Some(char) = rest.next() {
            match char {
                ':' => break,
                's' | 'n' | 'b' | 'l' | 'o' => parameters.push(Parameter::of(&format!("{char}m"))),
                'a' => parameters.push(Parameter { is_array: true, ..Parameter::of("asnblfom") }),
                'f' => parameters.push(Parameter::of("f")),
                'j' => parameters.push(Parameter::of("asnblom")),
                'x' => parameters.push(Parameter::of("asnblfom")),
                '-' | '?' | '+' => {
                    if let Some(last) = parameters.last_mut() {
                        last.may_be_context |= char == '-';
                        last.times =
                            if char == '+' { Times::AtLeastOnce } else { Times::AtMostOnce };
                    }
                }
                '(' => {
                    let choice = within(&mut rest, '(', ')');
                    if choice.contains('<') {
                        let words =
                            "Choice groups containing parameterized types are not supported";
                        return Err(SyntaxError::new("S0402", words));
                    }
                    parameters.push(Parameter::of(&format!("{choice}m")));
                }
                '<' => match parameters.last_mut() {
                    Some(last) if last.is_array || last.takes == "f" => {
                        last.items = Some(within(&mut rest, '<', '>'));
                    }
                    _ => {
                        let words = "Type parameters can only be applied to functions and arrays";
                        return Err(SyntaxError::new("S0401", words));
                    }
                },
                _ => {}
            }
        }
        if parameters.len() > MOST_PARAMETERS {
            let words = format!("A signature has {MOST_PARAMETERS} parameters at most");
            return Err(SyntaxError::new("S0500", words));
        }
        Ok(Self { parameters })
    }

    /// The value of each parameter.
    ///
    /// # Errors
    ///
    /// T0410 with the place of the first argument that fits nowhere, T0411 for the context, T0412 for
    /// an item of an array.
    pub(in crate::jsonata) fn validated(
        &self,
        given: Vec<Value>,
        context: &Value,
        made: &mut dyn FnMut(Value) -> Result<Value>,
    ) -> Result<Vec<Value>> {
        if self.is_plain(&given) {
            return Ok(given);
        }
        let letters: Vec<u8> = given.iter().map(letter).collect();
        let Some(taken) = taken(&self.parameters, &letters, true) else {
            return Err(mismatch(self.first_wrong(&letters) + 1));
        };
        let mut values = Vec::with_capacity(self.parameters.len());
        let mut next = 0;
        for (parameter, taken) in self.parameters.iter().zip(taken) {
            if taken == 0 && parameter.may_be_context {
                if !parameter.takes(letter(context)) {
                    let argument = next + 1;
                    let words = format!(
                        "Context value is not a compatible type with argument {argument} of \
                         function {FUNCTION}"
                    );
                    return Err(Error::coded("T0411", words));
                }
                values.push(context.clone());
                continue;
            }
            // One that takes no argument passes over one all the same, as in 2.0.6.
            let first = given.get(next).cloned().unwrap_or_default();
            for _ in 0..taken.max(1) {
                let value = if parameter.is_array && taken > 0 {
                    let value = given.get(next).cloned().unwrap_or_default();
                    parameter.array(value, next, taken, made)?
                } else {
                    first.clone()
                };
                values.push(value);
                next += 1;
            }
        }
        Ok(values)
    }

    /// Whether each argument is its parameter's as it stands.
    fn is_plain(&self, given: &[Value]) -> bool {
        given.len() == self.parameters.len()
            && self.parameters.iter().zip(given).all(|(parameter, value)| {
                let letter = letter(value);
                // One that takes several has the first of them over again: `<n+n?>` of 1 and 2.
                parameter.times != Times::AtLeastOnce
                    && parameter.takes(letter)
                    && (!parameter.is_array || parameter.items.is_none() && letter == b'a')
            })
    }

    /// How many arguments match the parameters before the one that fails.
    fn first_wrong(&self, letters: &[u8]) -> usize {
        // Parameters that match do so without the last of them.
        let (mut good, mut bad) = (0, self.parameters.len() + 1);
        let mut arguments = 0;
        while good + 1 < bad {
            let count = usize::midpoint(good, bad);
            match taken(self.parameters.get(..count).unwrap_or_default(), letters, false) {
                Some(taken) => (good, arguments) = (count, taken.iter().sum()),
                None => bad = count,
            }
        }
        arguments
    }

    /// How many steps it takes to match so many arguments.
    pub(in crate::jsonata) fn steps(&self, arguments: usize) -> usize {
        self.parameters.len().saturating_mul(arguments) / 16
    }
}

impl Parameter {
    /// An argument as the array that it is to be, `taken` being how many the parameter took.
    fn array(
        &self,
        value: Value,
        index: usize,
        taken: usize,
        made: &mut dyn FnMut(Value) -> Result<Value>,
    ) -> Result<Value> {
        let letter = letter(&value);
        if letter == b'm' {
            return Ok(Value::Undefined);
        }
        if let Some(items) = &self.items {
            let wanted = items.as_bytes().first().copied().unwrap_or(b'x');
            let is_right = match &value {
                Value::Array(array) => {
                    array.items().iter().all(|item| self::letter(item) == wanted)
                }
                _ => taken == 1 && items.as_bytes() == [letter],
            };
            if !is_right {
                return Err(no_array_of(index + 1, wanted));
            }
        }
        if letter == b'a' { Ok(value) } else { made(value) }
    }
}

fn no_array_of(argument: usize, items: u8) -> Error {
    let items = match items {
        b'a' => "arrays",
        b'b' => "booleans",
        b'f' => "functions",
        b'n' => "numbers",
        b'o' => "objects",
        b's' => "strings",
        _ => "undefined",
    };
    let items = Json::from(items);
    let words = format!("Argument {argument} of function {FUNCTION} must be an array of {items}");
    Error::coded("T0412", words)
}

/// What stands up to the bracket that closes the one that was read.
fn within(rest: &mut std::str::Chars<'_>, open: char, close: char) -> String {
    let mut depth = 1;
    let mut inner = String::new();
    for char in rest.by_ref() {
        if char == open {
            depth += 1;
        } else if char == close {
            depth -= 1;
            if depth == 0 {
                break;
            }
        }
        inner.push(char);
    }
    inner
}

/// How many arguments each parameter takes; `None` if they do not match.
fn taken(parameters: &[Parameter], letters: &[u8], is_whole: bool) -> Option<Vec<usize>> {
    let table = Table::of(parameters, letters, is_whole);
    if !table.matches(0, 0) {
        return None;
    }
    let mut argument = 0;
    let mut counts = Vec::with_capacity(parameters.len());
    for (at, parameter) in parameters.iter().enumerate() {
        let count = parameter.most_of(letters.get(argument..).unwrap_or_default(), |count| {
            table.matches(at + 1, argument + count)
        });
        argument += count;
        counts.push(count);
    }
    Some(counts)
}

impl Parameter {
    /// The most of the next arguments that it may take with the others still matching.
    fn most_of(&self, next: &[u8], others_match: impl Fn(usize) -> bool) -> usize {
        let run = next.iter().take_while(|letter| self.takes(**letter));
        let run = run.take(if self.times == Times::AtLeastOnce { usize::MAX } else { 1 }).count();
        (0..=run).rev().find(|count| others_match(*count)).unwrap_or(0)
    }
}

/// Which parameters match which arguments: those from one on, the arguments from one on.
struct Table {
    matching: Vec<bool>,
    /// Places of a row, one of which is behind the last argument.
    width: usize,
}

impl Table {
    /// Filled from the last parameter and the last argument on, so that each place is looked at once.
    fn of(parameters: &[Parameter], letters: &[u8], is_whole: bool) -> Self {
        let width = letters.len() + 1;
        let mut table = Self { matching: vec![!is_whole; width], width };
        // The rows stand in the order in which they are filled: the last parameter's comes first.
        if let Some(end) = table.matching.last_mut() {
            *end = true;
        }
        for parameter in parameters.iter().rev() {
            let after = table.matching.len() - width;
            let mut row = vec![false; width];
            // Whether the parameter may go on from the argument behind this one.
            let mut goes_on = false;
            for argument in (0..width).rev() {
                let others = |argument: usize| table.matching.get(after + argument) == Some(&true);
                let is_taken = letters.get(argument).is_some_and(|one| parameter.takes(*one));
                goes_on = is_taken
                    && (others(argument + 1) && argument + 1 < width
                        || goes_on && parameter.times == Times::AtLeastOnce);
                let is_left_out = parameter.times == Times::AtMostOnce && others(argument);
                if let Some(place) = row.get_mut(argument) {
                    *place = goes_on || is_left_out;
                }
            }
            table.matching.extend(row);
        }
        table
    }

    /// Whether the parameters from one on match the arguments from one on.
    fn matches(&self, parameter: usize, argument: usize) -> bool {
        let rows = self.matching.len() / self.width;
        let row = rows.saturating_sub(parameter + 1);
        self.matching.get(row * self.width + argument) == Some(&true)
    }
}
