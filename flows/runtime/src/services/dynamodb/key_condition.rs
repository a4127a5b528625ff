//! `KeyConditionExpression`: which part of a table or an index is looked at (API Reference,
//! `Query`).

use super::condition::{Comparator, Condition, Operand};
use super::refusal::Refusal;
use super::table::{KeyAttribute, KeyKind, Schema, ordered_bytes, prefix_bytes, successor};
use super::value::Value;

/// A range of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyRange {
    /// The first key that may be in it.
    pub(super) from: Vec<u8>,
    /// The first key behind it; `None`: to the last.
    pub(super) to: Option<Vec<u8>>,
}

/// The range that a condition on the keys of `schema` leaves.
pub(super) fn range(condition: &Condition, schema: Schema<'_>) -> Result<KeyRange, Refusal> {
    let parts = match condition {
        Condition::And(parts) => parts.as_slice(),
        single => std::slice::from_ref(single),
    };
    if parts.len() > 2 {
        return Err(Refusal::validation(
            "Conditions can be of length 1 or 2 only; conditions may be combined with AND",
        ));
    }
    let mut partition = None;
    let mut sort = None;
    for part in parts {
        let name = attribute(part)?;
        let (attribute, place) = if name == schema.partition.name {
            (schema.partition, &mut partition)
        } else if let Some(attribute) = schema.sort.filter(|sort| sort.name == name) {
            (attribute, &mut sort)
        } else {
            return Err(missed(schema, partition.is_some()));
        };
        check_types(part, attribute)?;
        if place.replace(part).is_some() {
            return Err(Refusal::validation(
                "KeyConditionExpressions must only contain one condition per key",
            ));
        }
    }
    let Some(Condition::Compare(Comparator::Equal, a, b)) = partition else {
        return Err(match partition {
            Some(_) => Refusal::validation("Query key condition not supported"),
            None => missed(schema, false),
        });
    };
    let value = literal(a).or_else(|| literal(b)).ok_or_else(unsupported)?;
    let prefix = ordered_bytes(value);
    match sort {
        None => Ok(KeyRange { to: successor(&prefix), from: prefix }),
        Some(condition) => sort_range(&prefix, condition),
    }
}

fn missed(schema: Schema<'_>, partition_named: bool) -> Refusal {
    let missing = match schema.sort {
        Some(sort) if partition_named => &sort.name,
        _ => &schema.partition.name,
    };
    Refusal::validation(format!("Query condition missed key schema element: {missing}"))
}

fn unsupported() -> Refusal {
    Refusal::validation("Query key condition not supported")
}

fn literal(operand: &Operand) -> Option<&Value> {
    match operand {
        Operand::Value(value) => Some(value),
        Operand::Path(_) | Operand::Size(_) => None,
    }
}

/// The one attribute that a part of the condition is about.
fn attribute(part: &Condition) -> Result<&str, Refusal> {
    let operands: Vec<&Operand> = match part {
        Condition::Compare(Comparator::NotEqual, ..) => {
            return Err(Refusal::validation(
                "Invalid KeyConditionExpression: Unsupported operator on KeyCondition: operator: <>",
            ));
        }
        Condition::Compare(_, a, b) | Condition::BeginsWith(a, b) => vec![a, b],
        Condition::Between(a, b, c) => vec![a, b, c],
        Condition::Or(_) => return Err(unsupported_operator("OR")),
        Condition::Not(_) => return Err(unsupported_operator("NOT")),
        Condition::In(..) => return Err(unsupported_operator("IN")),
        Condition::Exists(_) => return Err(unsupported_operator("attribute_exists")),
        Condition::NotExists(_) => return Err(unsupported_operator("attribute_not_exists")),
        Condition::Type(..) => return Err(unsupported_operator("attribute_type")),
        Condition::Contains(..) => return Err(unsupported_operator("contains")),
        Condition::And(_) => return Err(unsupported()),
    };
    let mut paths = operands.iter().filter_map(|operand| match operand {
        Operand::Path(path) => Some(path),
        _ => None,
    });
    match (paths.next(), paths.next()) {
        (Some(path), None) if path.steps.is_empty() => Ok(&path.root),
        (Some(_), None) => Err(Refusal::validation(
            "Invalid KeyConditionExpression: KeyConditionExpressions cannot have conditions on nested attributes",
        )),
        _ => Err(unsupported()),
    }
}

fn unsupported_operator(operator: &str) -> Refusal {
    Refusal::validation(format!("Invalid operator used in KeyConditionExpression: {operator}"))
}

fn check_types(part: &Condition, attribute: &KeyAttribute) -> Result<(), Refusal> {
    let operands: Vec<&Operand> = match part {
        Condition::Compare(_, a, b) | Condition::BeginsWith(a, b) => vec![a, b],
        Condition::Between(a, b, c) => vec![a, b, c],
        _ => Vec::new(),
    };
    let wrong = |value: &Value| KeyKind::of(value) != Some(attribute.kind);
    if operands.into_iter().filter_map(literal).any(wrong) {
        return Err(Refusal::validation(
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ));
    }
    Ok(())
}

fn sort_range(prefix: &[u8], condition: &Condition) -> Result<KeyRange, Refusal> {
    let at = |value: &Value| [prefix, &ordered_bytes(value)].concat();
    let all = KeyRange { from: prefix.to_vec(), to: successor(prefix) };
    match condition {
        Condition::Compare(comparator, a, b) => {
            // `:v < sort` is `sort > :v`.
            let (value, comparator) = match (literal(a), literal(b)) {
                (None, Some(value)) => (value, *comparator),
                (Some(value), None) => (value, mirrored(*comparator)),
                _ => return Err(unsupported()),
            };
            let (here, behind) = (at(value), successor(&at(value)));
            Ok(match comparator {
                Comparator::Equal => KeyRange { from: here, to: behind },
                Comparator::Less => KeyRange { to: Some(here), ..all },
                Comparator::LessOrEqual => KeyRange { to: behind, ..all },
                Comparator::GreaterOrEqual => KeyRange { from: here, ..all },
                Comparator::Greater => KeyRange { from: behind.unwrap_or(here), ..all },
                Comparator::NotEqual => return Err(unsupported()),
            })
        }
        Condition::Between(Operand::Path(_), Operand::Value(low), Operand::Value(high)) => {
            Ok(KeyRange { from: at(low), to: successor(&at(high)) })
        }
        Condition::BeginsWith(Operand::Path(_), Operand::Value(value)) => {
            let begin = prefix_bytes(value).ok_or_else(|| {
                Refusal::validation(
                    "Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
                )
            })?;
            let from = [prefix, &begin].concat();
            Ok(KeyRange { to: successor(&from), from })
        }
        _ => Err(unsupported()),
    }
}

fn mirrored(comparator: Comparator) -> Comparator {
    match comparator {
        Comparator::Less => Comparator::Greater,
        Comparator::LessOrEqual => Comparator::GreaterOrEqual,
        Comparator::Greater => Comparator::Less,
        Comparator::GreaterOrEqual => Comparator::LessOrEqual,
        same => same,
    }
}
