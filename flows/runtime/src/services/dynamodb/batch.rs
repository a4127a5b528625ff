//! `BatchGetItem` and `BatchWriteItem`.

use serde_json::{Map, Value as Json, json};

use crate::services::Integration;

use super::arguments::Arguments;
use super::project::project;
use super::read::projection;
use super::refusal::Refusal;
use super::value::{Item, item_size, item_to_json, parse_item};
use super::write::Write;
use super::{Inner, no_twins};

/// Keys of one `BatchGetItem`.
const MOST_KEYS: usize = 100;
/// Requests of one `BatchWriteItem`.
const MOST_WRITES: usize = 25;
/// An answer may have this many bytes; what is beyond is left to be asked for again.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

impl Inner {
    pub(super) async fn batch_write(&self, arguments: Arguments<'_>) -> Result<Json, Refusal> {
        let mut writes = Vec::new();
        for (name, requests) in tables(arguments)? {
            let Some(requests) = requests.as_array().filter(|list| !list.is_empty()) else {
                return Err(Refusal::validation(format!(
                    "1 validation error detected: Value at 'requestItems.{name}.member' failed to satisfy constraint: Member must have length less than or equal to 25, Member must have length greater than or equal to 1"
                )));
            };
            if writes.len() + requests.len() > MOST_WRITES {
                return Err(Refusal::validation(
                    "Too many items requested for the BatchWriteItem call",
                ));
            }
            for request in requests {
                writes.push(self.batched(name, request).await?);
            }
        }
        no_twins(&writes, "Provided list of item keys contains duplicates")?;
        for write in &writes {
            self.write(write).await?;
        }
        Ok(json!({"UnprocessedItems": {}}))
    }

    async fn batched(&self, name: &str, request: &Json) -> Result<Write, Refusal> {
        let part = |outer: &str, inner: &str| request.get(outer).and_then(|part| part.get(inner));
        match (part("PutRequest", "Item"), part("DeleteRequest", "Key")) {
            (Some(item), None) => {
                let table = self.table(name, &json!({"Item": item})).await?;
                Write::unconditional(table, Some(parse_item(item)?), Item::new())
            }
            (None, Some(key)) => {
                let table = self.table(name, &json!({"Key": key})).await?;
                Write::unconditional(table, None, parse_item(key)?)
            }
            _ => Err(Refusal::validation(
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one of PutRequest or DeleteRequest",
            )),
        }
    }

    pub(super) async fn batch_get(
        &self,
        arguments: Arguments<'_>,
        style: Integration,
    ) -> Result<Json, Refusal> {
        let mut responses = Map::new();
        let mut unprocessed = Map::new();
        let (mut count, mut bytes) = (0, 0);
        for (name, request) in tables(arguments)? {
            let part = Arguments::of_part(request, "A member of RequestItems")?;
            let paths = projection(part)?;
            let keys = part.required("Keys")?.as_array().cloned().unwrap_or_default();
            count += keys.len();
            if keys.is_empty() || count > MOST_KEYS {
                return Err(Refusal::validation(
                    "Too many items requested for the BatchGetItem call",
                ));
            }
            let (mut items, mut left) = (Vec::new(), Vec::new());
            let mut seen = std::collections::BTreeSet::new();
            for key in &keys {
                let table = self.table(name, &json!({"Key": key})).await?;
                let at = table.key_of_key(&parse_item(key)?)?;
                if !seen.insert(at.clone()) {
                    return Err(Refusal::validation(
                        "Provided list of item keys contains duplicates",
                    ));
                }
                let Some((_, item)) = self.item(&table, at).await? else { continue };
                bytes += item_size(&item);
                if bytes > ANSWER_BYTES {
                    left.push(key.clone());
                    continue;
                }
                let shown = paths.as_ref().map_or_else(|| item.clone(), |p| project(&item, p));
                items.push(item_to_json(&shown, style));
            }
            responses.insert(name.clone(), Json::Array(items));
            if !left.is_empty() {
                let mut again = request.clone();
                again["Keys"] = Json::Array(left);
                unprocessed.insert(name.clone(), again);
            }
        }
        Ok(json!({"Responses": responses, "UnprocessedKeys": unprocessed}))
    }
}

/// Requests by table.
fn tables<'a>(arguments: Arguments<'a>) -> Result<&'a Map<String, Json>, Refusal> {
    let tables = arguments.required("RequestItems")?.as_object();
    tables.filter(|tables| !tables.is_empty()).ok_or_else(|| {
        Refusal::validation(
            "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: Member must have length greater than or equal to 1",
        )
    })
}
