//! `Query` and `Scan`: what is looked at, in which order, and what is answered.

use serde_json::{Value as Json, json};

use crate::services::Integration;
use crate::services::sdk::crc32;
use crate::store::EntryRange;

use super::arguments::{Arguments, invalid};
use super::condition::Condition;
use super::key_condition::{KeyRange, range};
use super::path::Path;
use super::project::project;
use super::refusal::Refusal;
use super::table::{Index, Schema, Table, ordered_bytes};
use super::value::{Item, get, item_size, item_to_json, parse_item};
use super::write::key_part;

/// A page ends when this many bytes were looked at (API Reference, `Query`).
const PAGE_BYTES: usize = 1024 * 1024;
/// Segments of a parallel scan.
const MOST_SEGMENTS: u64 = 1_000_000;

/// A query or a scan that was read from a request.
#[derive(Debug)]
pub(super) struct Read {
    table: Table,
    index: Option<Index>,
    range: KeyRange,
    reverse: bool,
    limit: Option<u64>,
    filter: Option<Condition>,
    projection: Option<Vec<Path>>,
    count_only: bool,
    /// Segment and total.
    segment: Option<(u64, u64)>,
}

/// A page that is being gathered.
#[derive(Debug, Default)]
pub(super) struct Page {
    items: Vec<Item>,
    count: u64,
    scanned: u64,
    bytes: usize,
    last: Option<Item>,
    full: bool,
}

impl Read {
    /// `Query`.
    pub(super) fn query(table: Table, arguments: Arguments<'_>) -> Result<Self, Refusal> {
        arguments.no_legacy()?;
        let mut placeholders = arguments.placeholders()?;
        let Some(keys) = arguments.condition("KeyConditionExpression", &mut placeholders)? else {
            return Err(Refusal::validation(
                "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
            ));
        };
        let index = index_of(&table, arguments)?;
        let schema = index.as_ref().map_or_else(|| table.schema(), Index::schema);
        let keys = range(&keys, schema)?;
        let filter = arguments.condition("FilterExpression", &mut placeholders)?;
        if let Some(key) = filter.as_ref().and_then(|filter| key_in(filter, schema)) {
            return Err(Refusal::validation(format!(
                "Filter Expression can only contain non-primary key attributes: Primary key attribute: {key}"
            )));
        }
        let reverse = match arguments.get("ScanIndexForward") {
            None => false,
            Some(_) => !arguments.flag("ScanIndexForward")?,
        };
        let projection = arguments.projection(&mut placeholders)?;
        placeholders.all_used(true)?;
        Self::new(table, index, arguments, keys, reverse)?.showing(filter, projection, arguments)
    }

    /// `Scan`.
    pub(super) fn scan(table: Table, arguments: Arguments<'_>) -> Result<Self, Refusal> {
        arguments.no_legacy()?;
        let mut placeholders = arguments.placeholders()?;
        let index = index_of(&table, arguments)?;
        let filter = arguments.condition("FilterExpression", &mut placeholders)?;
        let projection = arguments.projection(&mut placeholders)?;
        placeholders.all_used(filter.is_some() || projection.is_some())?;
        let all = KeyRange { from: Vec::new(), to: None };
        let mut read = Self::new(table, index, arguments, all, false)?
            .showing(filter, projection, arguments)?;
        let (segment, total) =
            (arguments.integer("Segment", 0)?, arguments.integer("TotalSegments", 1)?);
        read.segment = match (segment, total) {
            (None, None) => None,
            (Some(segment), Some(total)) if segment < total && total <= MOST_SEGMENTS => {
                Some((segment, total))
            }
            (Some(_), Some(_)) => {
                return Err(Refusal::validation(
                    "The Segment parameter is zero-based and must be less than parameter TotalSegments",
                ));
            }
            _ => {
                return Err(Refusal::validation(
                    "Segment and TotalSegments must be given together in a Scan request",
                ));
            }
        };
        Ok(read)
    }

    fn new(
        table: Table,
        index: Option<Index>,
        arguments: Arguments<'_>,
        mut range: KeyRange,
        reverse: bool,
    ) -> Result<Self, Refusal> {
        let limit = arguments.integer("Limit", 1)?;
        if let Some(start) = arguments.get("ExclusiveStartKey") {
            let key = start_key(&table, index.as_ref(), &parse_item(start)?)?;
            let behind = [key.as_slice(), &[0]].concat();
            let within = range.from <= key && range.to.as_ref().is_none_or(|to| key < *to);
            if !within {
                return Err(Refusal::validation(
                    "The provided starting key is outside query boundaries based on provided conditions",
                ));
            }
            if reverse {
                range.to = Some(key);
            } else {
                range.from = behind;
            }
        }
        Ok(Self {
            table,
            index,
            range,
            reverse,
            limit,
            filter: None,
            projection: None,
            count_only: false,
            segment: None,
        })
    }

    fn showing(
        mut self,
        filter: Option<Condition>,
        projection: Option<Vec<Path>>,
        arguments: Arguments<'_>,
    ) -> Result<Self, Refusal> {
        if arguments.flag("ConsistentRead")? && self.index.is_some() {
            return Err(Refusal::validation(
                "Consistent reads are not supported on global secondary indexes",
            ));
        }
        let words =
            ["", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "COUNT"];
        let select = arguments.one_of("Select", &words)?;
        match (select, projection.is_some()) {
            ("SPECIFIC_ATTRIBUTES", false) => {
                return Err(Refusal::validation(
                    "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
                ));
            }
            ("ALL_ATTRIBUTES" | "ALL_PROJECTED_ATTRIBUTES" | "COUNT", true) => {
                return Err(Refusal::validation(format!(
                    "Cannot specify the ProjectionExpression when choosing to get {select}"
                )));
            }
            ("ALL_PROJECTED_ATTRIBUTES", _) if self.index.is_none() => {
                return Err(Refusal::validation(
                    "One or more parameter values were invalid: Select type ALL_PROJECTED_ATTRIBUTES is not supported for tables",
                ));
            }
            _ => {}
        }
        self.count_only = select == "COUNT";
        self.filter = filter;
        self.projection = projection;
        Ok(self)
    }

    /// The part of the store that is next, once `page` has what it has.
    pub(super) fn next(&self, after: Option<&[u8]>, most: usize) -> EntryRange {
        let space = match &self.index {
            Some(index) => self.table.index_space(index),
            None => self.table.space(),
        };
        let (mut from, mut to) = (self.range.from.clone(), self.range.to.clone());
        match after {
            Some(key) if self.reverse => to = Some(key.to_vec()),
            Some(key) => from = [key, &[0]].concat(),
            None => {}
        }
        EntryRange { space, from, to, reverse: self.reverse, limit: most }
    }

    /// Looks at one item. `false`: the page is full, and this was its last.
    pub(super) fn look(&self, page: &mut Page, item: Item) -> bool {
        if !self.in_segment(&item) {
            return true;
        }
        page.scanned += 1;
        page.bytes += item_size(&item);
        page.last = Some(self.last_key(&item));
        if self.filter.as_ref().is_none_or(|filter| filter.holds(&item)) {
            page.count += 1;
            if !self.count_only {
                page.items.push(match &self.projection {
                    Some(paths) => project(&item, paths),
                    None => item,
                });
            }
        }
        page.full =
            self.limit.is_some_and(|limit| page.scanned >= limit) || page.bytes >= PAGE_BYTES;
        !page.full
    }

    fn in_segment(&self, item: &Item) -> bool {
        let Some((segment, total)) = self.segment else { return true };
        let partition = get(item, &self.table.partition.name).map(ordered_bytes);
        u64::from(crc32(&partition.unwrap_or_default())) % total == segment
    }

    fn last_key(&self, item: &Item) -> Item {
        let index = self.index.as_ref().map(|index| index.schema().attributes());
        let names = index.into_iter().flatten().chain(self.table.schema().attributes());
        key_part(item, names.map(|attribute| &attribute.name))
    }

    /// The answer.
    pub(super) fn answer(&self, page: Page, style: Integration) -> Json {
        let mut answer = json!({"Count": page.count});
        if !self.count_only {
            answer["Items"] = page.items.iter().map(|item| item_to_json(item, style)).collect();
        }
        if page.full
            && let Some(last) = &page.last
        {
            answer["LastEvaluatedKey"] = item_to_json(last, style);
        }
        answer["ScannedCount"] = json!(page.scanned);
        answer
    }
}

fn index_of(table: &Table, arguments: Arguments<'_>) -> Result<Option<Index>, Refusal> {
    let Some(name) = arguments.text("IndexName")? else { return Ok(None) };
    let index = table.indexes.iter().find(|index| index.name == name);
    index.cloned().map(Some).ok_or_else(|| {
        Refusal::validation(format!("The table does not have the specified index: {name}"))
    })
}

fn key_in(filter: &Condition, schema: Schema<'_>) -> Option<String> {
    let roots = filter.roots();
    let mut keys = schema.attributes().map(|attribute| attribute.name.as_str());
    keys.find(|key| roots.contains(key)).map(str::to_owned)
}

/// The bytes of a `LastEvaluatedKey` that came back.
fn start_key(table: &Table, index: Option<&Index>, key: &Item) -> Result<Vec<u8>, Refusal> {
    let invalid_key = || Refusal::validation("The provided starting key is invalid");
    let own = key_part(key, table.schema().attributes().map(|attribute| &attribute.name));
    let primary = table.key_of_key(&own).map_err(|_| invalid_key())?;
    let Some(index) = index else {
        return if own.len() == key.len() { Ok(primary) } else { Err(invalid_key()) };
    };
    index.key_of_item(key, &primary)?.ok_or_else(invalid_key)
}

/// The projection of a `GetItem` or a part of a batch.
pub(super) fn projection(arguments: Arguments<'_>) -> Result<Option<Vec<Path>>, Refusal> {
    arguments.no_legacy()?;
    let mut placeholders = arguments.placeholders()?;
    let projection = match arguments.text("ProjectionExpression")? {
        None => None,
        Some(source) => Some(
            super::project::parse(source, &mut placeholders)
                .map_err(|why| invalid("ProjectionExpression", &why))?,
        ),
    };
    placeholders.all_used(projection.is_some())?;
    Ok(projection)
}
