//! Typed values: `{"S": "text"}`, `{"N": "1.5"}`, `{"M": {…}}` and their like
//! (Amazon DynamoDB API Reference, `AttributeValue`).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value as Json, json};

use crate::services::Integration;

use super::number::Number;
use super::refusal::Refusal;

/// Lists and maps may stand this deep in each other (Developer Guide, "Quotas").
const DEPTH: usize = 32;

/// An item: attribute names and values, in the order in which they were given.
pub(super) type Item = Vec<(String, Value)>;

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub(super) enum Value {
    S(String),
    N(Number),
    B(Vec<u8>),
    Bool(bool),
    Null,
    L(Vec<Value>),
    M(Item),
    Ss(BTreeSet<String>),
    Ns(BTreeSet<Number>),
    Bs(BTreeSet<Vec<u8>>),
}

impl Value {
    /// Reads one typed value.
    pub(super) fn parse(json: &Json) -> Result<Self, Refusal> {
        Self::parse_at(json, 0)
    }

    fn parse_at(json: &Json, depth: usize) -> Result<Self, Refusal> {
        if depth > DEPTH {
            return Err(Refusal::validation(
                "Nesting Levels have exceeded supported limits: Attributes of the item have exceeded maximum allowed nesting level 32",
            ));
        }
        let Some(object) = json.as_object() else {
            return Err(Refusal::serialization("Expected a typed value such as {\"S\": \"text\"}"));
        };
        let mut members = object.iter().filter(|(_, v)| !v.is_null());
        let (Some((kind, value)), more) = (members.next(), members.next()) else {
            return Err(Refusal::validation(
                "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
            ));
        };
        if more.is_some() {
            return Err(Refusal::validation(
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
            ));
        }
        Self::typed(kind, value, depth)
    }

    fn typed(kind: &str, value: &Json, depth: usize) -> Result<Self, Refusal> {
        // Step Functions writes members in Pascal case (`Bool`, `Ss`); the API in capitals.
        Ok(match kind.to_ascii_uppercase().as_str() {
            "S" => Self::S(text(value)?.to_owned()),
            "N" => Self::N(number(value)?),
            "B" => Self::B(binary(value)?),
            "BOOL" => Self::Bool(boolean(value)?),
            // Step Functions calls it `Nul`; the API `NULL`.
            "NULL" | "NUL" => null(value)?,
            "L" => {
                let values = array(value)?.iter().map(|v| Self::parse_at(v, depth + 1));
                Self::L(values.collect::<Result<_, _>>()?)
            }
            "M" => Self::M(parse_map(value, depth + 1)?),
            "SS" => Self::Ss(set(value, |v| Ok(text(v)?.to_owned()))?),
            "NS" => Self::Ns(set(value, number)?),
            "BS" => Self::Bs(set(value, binary)?),
            _ => {
                return Err(Refusal::validation(
                    "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
                ));
            }
        })
    }

    /// As it is written: `BOOL`, `NULL`, `SS` in the API and in optimized integrations, `Bool`,
    /// `Nul`, `Ss` in SDK integrations (seen on AWS: aws-sdk-js issue 4294, boto3 issue 4253).
    pub(super) fn to_json(&self, style: Integration) -> Json {
        let value = match self {
            Self::S(text) => json!(text),
            Self::N(number) => json!(number.to_string()),
            Self::B(bytes) => json!(BASE64.encode(bytes)),
            Self::Bool(yes) => json!(yes),
            Self::Null => json!(true),
            Self::L(values) => Json::Array(values.iter().map(|v| v.to_json(style)).collect()),
            Self::M(map) => item_to_json(map, style),
            Self::Ss(set) => json!(set),
            Self::Ns(set) => json!(set.iter().map(Number::to_string).collect::<Vec<_>>()),
            Self::Bs(set) => json!(set.iter().map(|b| BASE64.encode(b)).collect::<Vec<_>>()),
        };
        let kind = match (style, self) {
            (Integration::Sdk, Self::Bool(_)) => "Bool",
            (Integration::Sdk, Self::Null) => "Nul",
            (Integration::Sdk, Self::Ss(_)) => "Ss",
            (Integration::Sdk, Self::Ns(_)) => "Ns",
            (Integration::Sdk, Self::Bs(_)) => "Bs",
            _ => self.kind(),
        };
        json!({ kind: value })
    }

    /// Its type's name: `S`, `SS`, `BOOL`, …
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::S(_) => "S",
            Self::N(_) => "N",
            Self::B(_) => "B",
            Self::Bool(_) => "BOOL",
            Self::Null => "NULL",
            Self::L(_) => "L",
            Self::M(_) => "M",
            Self::Ss(_) => "SS",
            Self::Ns(_) => "NS",
            Self::Bs(_) => "BS",
        }
    }

    /// Bytes that it counts for (Developer Guide, "DynamoDB item sizes and formats").
    pub(super) fn size(&self) -> usize {
        match self {
            Self::S(text) => text.len(),
            Self::N(number) => number.size(),
            Self::B(bytes) => bytes.len(),
            Self::Bool(_) | Self::Null => 1,
            Self::L(values) => 3 + values.iter().map(|v| 1 + v.size()).sum::<usize>(),
            Self::M(map) => 3 + map.iter().map(|(k, v)| 1 + k.len() + v.size()).sum::<usize>(),
            Self::Ss(set) => set.iter().map(String::len).sum(),
            Self::Ns(set) => set.iter().map(Number::size).sum(),
            Self::Bs(set) => set.iter().map(Vec::len).sum(),
        }
    }

    /// Lists and maps that stand in each other.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::L(values) => 1 + values.iter().map(Self::depth).max().unwrap_or(0),
            Self::M(map) => 1 + map.iter().map(|(_, v)| v.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Whether lists or maps stand deeper in each other than an item may have them.
    pub(super) fn too_deep(&self) -> bool {
        self.depth() > DEPTH
    }
}

/// Equal values, whatever the order of a map's members.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::M(a), Value::M(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| get(b, k).is_some_and(|w| same(v, w)))
        }
        (Value::L(a), Value::L(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(v, w)| same(v, w))
        }
        _ => a == b,
    }
}

/// An attribute of an item.
pub(super) fn get<'a>(item: &'a Item, name: &str) -> Option<&'a Value> {
    item.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// Sets an attribute, and keeps the place of one that was there.
pub(super) fn set_attribute(item: &mut Item, name: &str, value: Value) {
    match item.iter_mut().find(|(key, _)| key == name) {
        Some((_, there)) => *there = value,
        None => item.push((name.to_owned(), value)),
    }
}

/// Bytes that an item counts for.
pub(super) fn item_size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value.size()).sum()
}

/// Reads an object of typed values.
pub(super) fn parse_item(json: &Json) -> Result<Item, Refusal> {
    parse_map(json, 0)
}

fn parse_map(json: &Json, depth: usize) -> Result<Item, Refusal> {
    let Some(object) = json.as_object() else {
        return Err(Refusal::serialization("Expected an object of attribute names and values"));
    };
    let members =
        object.iter().map(|(name, value)| Ok((name.clone(), Value::parse_at(value, depth)?)));
    members.collect()
}

/// Writes an object of typed values.
pub(super) fn item_to_json(item: &Item, style: Integration) -> Json {
    let members = item.iter().map(|(name, value)| (name.clone(), value.to_json(style)));
    Json::Object(members.collect::<Map<_, _>>())
}

fn text(value: &Json) -> Result<&str, Refusal> {
    value.as_str().ok_or_else(|| {
        Refusal::serialization(match value {
            Json::Number(_) => "NUMBER_VALUE cannot be converted to String",
            Json::Bool(true) => "TRUE_VALUE cannot be converted to String",
            Json::Bool(false) => "FALSE_VALUE cannot be converted to String",
            Json::Array(_) => "Unrecognized collection type class java.lang.String",
            _ => "Start of structure or map found where not expected",
        })
    })
}

fn number(value: &Json) -> Result<Number, Refusal> {
    let text = text(value)?;
    Number::parse(text).map_err(|error| match error {
        super::number::NumberError::Syntax if text.is_empty() => {
            Refusal::validation(error.to_string())
        }
        super::number::NumberError::Syntax => Refusal::validation(format!("{error}: {text}")),
        _ => Refusal::validation(error.to_string()),
    })
}

fn binary(value: &Json) -> Result<Vec<u8>, Refusal> {
    BASE64.decode(text(value)?).map_err(|_| Refusal::serialization("Invalid Base64 data"))
}

fn boolean(value: &Json) -> Result<bool, Refusal> {
    match value {
        Json::Bool(yes) => Ok(*yes),
        Json::String(text) if text == "true" => Ok(true),
        Json::String(text) if text == "false" => Ok(false),
        _ => Err(Refusal::serialization("A BOOL is true or false")),
    }
}

fn null(value: &Json) -> Result<Value, Refusal> {
    if boolean(value)? {
        return Ok(Value::Null);
    }
    Err(Refusal::validation(
        "One or more parameter values were invalid: Null attribute value types must have the value of true",
    ))
}

fn array(value: &Json) -> Result<&Vec<Json>, Refusal> {
    value.as_array().ok_or_else(|| {
        Refusal::serialization("Unexpected field type: a list or a set is a JSON array")
    })
}

fn set<T: Ord>(
    value: &Json,
    read: impl Fn(&Json) -> Result<T, Refusal>,
) -> Result<BTreeSet<T>, Refusal> {
    let invalid = |why: &str| {
        Refusal::validation(format!("One or more parameter values were invalid: {why}"))
    };
    let values = array(value)?;
    let set = values.iter().map(read).collect::<Result<BTreeSet<T>, _>>()?;
    if set.is_empty() {
        return Err(invalid("An string set  may not be empty"));
    }
    if set.len() < values.len() {
        let all = Json::Array(values.clone()).to_string();
        return Err(invalid(&format!("Input collection {all} contains duplicates.")));
    }
    Ok(set)
}
