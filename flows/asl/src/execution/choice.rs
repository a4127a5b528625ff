//! Choice states.

use super::Execution;
use super::exit::{Leaving, assign, evaluate_output};
use super::sight::Sight;
use super::state::{Fault, StrandId};
use crate::failure::Failure;
use crate::json::Json;
use crate::jsonata::{Expected, JsonataTemplate};
use crate::machine::model::{
    Is, Language, Operand, Operator, Order, Payload, Rule, Setting, State, StateId, Test,
};
use crate::value::moment;
use jiff::Timestamp;
use serde_json::Value;
use std::cmp::Ordering;

impl Execution {
    pub(super) fn choose(
        &mut self,
        id: StrandId,
        state: &State,
        rules: &[Rule],
        default: Option<StateId>,
    ) -> Result<(), Fault> {
        let leaving = {
            let Some(sight) = self.sight(id, state, None) else { return Ok(()) };
            let input = sight.effective_input()?;
            let mut chosen = None;
            for (index, rule) in rules.iter().enumerate() {
                if holds(&rule.test, &sight, &input, index)? {
                    chosen = Some((index, rule));
                    break;
                }
            }
            match (chosen, default) {
                (Some((index, rule)), _) => {
                    let place = format!("Choices[{index}]/");
                    let parts = (rule.assign.as_ref(), rule.output.as_ref());
                    leave(&sight, state, &input, parts, &place, rule.next)?
                }
                (None, Some(next)) => {
                    let parts = (state.assign.as_ref(), state.output.as_ref());
                    leave(&sight, state, &input, parts, "", next)?
                }
                (None, None) => {
                    return Err(Failure::runtime(
                        "Failed to transition out of the state. The state does not point to a next state.",
                    )
                    .into());
                }
            }
        };
        self.depart(id, state, leaving)
    }
}

fn leave(
    sight: &Sight<'_>,
    state: &State,
    input: &Json,
    (assigns, output): (Option<&Payload>, Option<&JsonataTemplate>),
    place: &str,
    next: StateId,
) -> Result<Leaving, Failure> {
    let states = sight.states(&[]);
    let scope = sight.of(input, states.as_ref());
    let assigned = assign(assigns, &scope, &format!("{place}Assign"))?;
    let output = match state.language {
        Language::JsonPath => state.output_path.apply(&scope, input, "OutputPath")?,
        Language::Jsonata => evaluate_output(output, &scope, &format!("{place}Output"))?
            .map_or_else(|| sight.frame.input.clone(), Json::from),
    };
    Ok(Leaving { output, assigned, next: Some(next) })
}

/// Whether a rule's test holds. `And` and `Or` look no further than they must.
fn holds(test: &Test, sight: &Sight<'_>, input: &Value, rule: usize) -> Result<bool, Failure> {
    Ok(match test {
        Test::And(tests) => {
            for test in tests {
                if !holds(test, sight, input, rule)? {
                    return Ok(false);
                }
            }
            true
        }
        Test::Or(tests) => {
            for test in tests {
                if holds(test, sight, input, rule)? {
                    return Ok(true);
                }
            }
            false
        }
        Test::Not(test) => !holds(test, sight, input, rule)?,
        Test::Condition(setting) => condition(setting, sight, input, rule)?,
        Test::Is { variable, what: Is::Present, expected } => {
            sight.select(variable, input)?.is_some() == *expected
        }
        Test::Is { variable, what, expected } => {
            let value = found(variable.source(), sight.select(variable, input)?)?;
            is(*what, &value) == *expected
        }
        Test::Compare { variable, operator, operand } => {
            let value = found(variable.source(), sight.select(variable, input)?)?;
            match operand {
                Operand::Literal(other) => compare(*operator, &value, other),
                Operand::Path(path) => {
                    let other = found(path.source(), sight.select(path, input)?)?;
                    match operator {
                        Operator::Numeric(_) => compare(*operator, &value, &as_number(other)),
                        _ => compare(*operator, &value, &other),
                    }
                }
            }
        }
    })
}

fn condition(
    setting: &Setting,
    sight: &Sight<'_>,
    input: &Value,
    rule: usize,
) -> Result<bool, Failure> {
    let states = sight.states(&[]);
    let scope = sight.of(input, states.as_ref());
    let value = match setting {
        Setting::Query { expression, .. } => {
            let place = format!("Choices[{rule}]/Condition");
            expression.evaluate_as(&scope, &place, Expected::Boolean)?
        }
        other => other.evaluate(&scope, Expected::Boolean)?,
    };
    Ok(value == Value::Bool(true))
}

fn found(path: &str, value: Option<Value>) -> Result<Value, Failure> {
    value.ok_or_else(|| {
        Failure::runtime(format!(
            "Invalid path '{path}': The choice state's condition path references an invalid value."
        ))
    })
}

fn timestamp(value: &Value) -> Option<Timestamp> {
    value.as_str().and_then(moment)
}

fn is(what: Is, value: &Value) -> bool {
    match what {
        Is::Null => value.is_null(),
        Is::Present => true,
        Is::Numeric => value.is_number(),
        Is::String => value.is_string(),
        Is::Boolean => value.is_boolean(),
        Is::Timestamp => timestamp(value).is_some(),
    }
}

/// Compares. Values of a type that the operator does not compare are not equal, nor ordered.
fn compare(operator: Operator, left: &Value, right: &Value) -> bool {
    match operator {
        Operator::BooleanEquals => left.as_bool().is_some() && left.as_bool() == right.as_bool(),
        Operator::StringMatches => match (left.as_str(), right.as_str()) {
            (Some(text), Some(pattern)) => matches(text, pattern),
            _ => false,
        },
        Operator::String(order) => match (left.as_str(), right.as_str()) {
            // By UTF-16 code units, as Java compares strings.
            (Some(left), Some(right)) => {
                ordered(order, Some(left.encode_utf16().cmp(right.encode_utf16())))
            }
            _ => false,
        },
        Operator::Numeric(order) => ordered(order, numbers(left, right)),
        Operator::Timestamp(order) => match (timestamp(left), timestamp(right)) {
            (Some(left), Some(right)) => ordered(order, Some(left.cmp(&right))),
            _ => false,
        },
    }
}

/// What AWS compares a number with where a path finds something else: false and a list count as 0,
/// as recorded (tiny-asl-machine, Choice.NumericGreaterThanEqualsPath 008 and
/// Choice.NumericGreaterThanPath 008). An object and true are not above 7, which they are not as
/// values that cannot be compared either; of null and texts nothing is recorded.
fn as_number(value: Value) -> Value {
    match value {
        Value::Bool(false) | Value::Array(_) => 0.into(),
        other => other,
    }
}

fn numbers(left: &Value, right: &Value) -> Option<Ordering> {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn ordered(order: Order, found: Option<Ordering>) -> bool {
    let Some(found) = found else { return false };
    match order {
        Order::Equals => found.is_eq(),
        Order::LessThan => found.is_lt(),
        Order::GreaterThan => found.is_gt(),
        Order::LessThanEquals => found.is_le(),
        Order::GreaterThanEquals => found.is_ge(),
    }
}

/// `StringMatches`: `*` stands for any characters, `\*` for itself and `\\` for a backslash.
///
/// Goes back to the last star only, which is enough for stars, and takes time in the product of
/// the two lengths at most.
pub(super) fn matches(text: &str, pattern: &str) -> bool {
    let pattern = pieces(pattern);
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut piece) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(piece) {
            Some(None) => {
                star = Some((piece, at));
                piece += 1;
            }
            Some(Some(char)) if text.get(at) == Some(char) => {
                at += 1;
                piece += 1;
            }
            _ => match &mut star {
                Some((back, from)) => {
                    *from += 1;
                    at = *from;
                    piece = *back + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(piece).all(Option::is_none)
}

/// The pattern's characters; `None` for a star.
fn pieces(pattern: &str) -> Vec<Option<char>> {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        pieces.push(match char {
            '*' => None,
            '\\' => Some(chars.next().unwrap_or('\\')),
            other => Some(other),
        });
    }
    pieces
}
