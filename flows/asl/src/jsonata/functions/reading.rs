//! JSON in a text, read for `$parse`: every value within the bounds as it comes.

use super::super::error::{Error, Result};
use super::super::evaluate::Evaluation;
use super::super::value::{Object, Value};
use super::states::refused;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::sync::Arc;

/// The value that a text tells.
///
/// # Errors
///
/// D3137 for what is no JSON, or nested deeper than `serde_json` reads; a bound that it is over.
pub(super) fn read(run: &mut Evaluation<'_>, text: &str) -> Result {
    run.build(text.len())?;
    let mut json = serde_json::Deserializer::from_str(text);
    let mut reader = Reader { run, failed: None };
    let value = Part(&mut reader).deserialize(&mut json);
    if let Some(error) = reader.failed {
        return Err(error);
    }
    match (value, json.end()) {
        (Ok(value), Ok(())) => Ok(value),
        _ => Err(refused("Invalid JSON")),
    }
}

/// What reads, and the bound that it came to: `serde` carries no error but its own.
struct Reader<'r, 'a> {
    run: &'r mut Evaluation<'a>,
    failed: Option<Error>,
}

impl Reader<'_, '_> {
    fn within<T, E: serde::de::Error>(
        &mut self,
        make: impl FnOnce(&mut Evaluation<'_>) -> Result<T>,
    ) -> std::result::Result<T, E> {
        make(&mut *self.run).map_err(|error| {
            self.failed = Some(error);
            E::custom("over a bound")
        })
    }
}

/// A value within the text.
struct Part<'p, 'r, 'a>(&'p mut Reader<'r, 'a>);

impl<'de> DeserializeSeed<'de> for Part<'_, '_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_, '_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> std::result::Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_u64<E>(self, number: u64) -> std::result::Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> std::result::Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> std::result::Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<Value, E> {
        self.0.within::<_, E>(|run| run.build(text.len()))?;
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(Part(&mut *self.0))? {
            self.0.within::<_, A::Error>(|run| run.grows(items.len()))?;
            items.push(item);
        }
        self.0.within(|run| run.list(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Value, A::Error> {
        let mut object = Object::default();
        while let Some(name) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            let value = map.next_value_seed(Part(&mut *self.0))?;
            self.0.within::<_, A::Error>(|run| run.grows(object.len()))?;
            object.insert(Arc::from(&*name), value);
        }
        self.0.within(|run| run.object(object))
    }
}
