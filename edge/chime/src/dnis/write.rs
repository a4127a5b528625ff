//! Changes of a row, each with the condition under which it may happen.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use offhook_dnis::{Claim, Lease, Pair};
use serde_json::{Map, Value, json};

use super::item::Row;
use super::notes::Note;

/// A conditional `UpdateItem` (or `DeleteItem`, which has no update).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) pair: Pair,
    pub(super) update: String,
    pub(super) condition: String,
    pub(super) values: Map<String, Value>,
}

/// What a row loses with its lease.
const LEFT: &str = "REMOVE transaction_id, original_calling_number, lease_owner, lease_expires, \
                    lease_holder, sip_media_application_id, contact_id, contact_transaction_id, \
                    update_request, update_answer";

fn seconds(time: Timestamp) -> Value {
    json!({"N": time.as_second().to_string()})
}

fn later(now: Timestamp, lease: Duration) -> Timestamp {
    let lease = SignedDuration::try_from(lease).unwrap_or(SignedDuration::MAX);
    now.checked_add(lease).unwrap_or(Timestamp::MAX)
}

fn values<const N: usize>(of: [(&str, Value); N]) -> Map<String, Value> {
    of.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The row is as it was read.
pub(super) fn seen(row: &Row) -> Change {
    let mut change = Change {
        pair: row.pair.clone(),
        update: String::new(),
        condition: String::new(),
        values: Map::new(),
    };
    if !row.in_use {
        change.condition = "attribute_exists(sma_number) AND (attribute_not_exists(in_use) OR \
                            in_use = :false)"
            .to_owned();
        change.values = values([(":false", json!({"S": "false"}))]);
        return change;
    }
    change.values = values([(":true", json!({"S": "true"}))]);
    let mut conditions = vec!["in_use = :true".to_owned()];
    for (name, kind, value) in [
        ("transaction_id", "S", &row.transaction),
        ("call_timestamp", "N", &row.claimed),
        ("lease_expires", "N", &row.expires),
    ] {
        let Some(value) = value else {
            conditions.push(format!("attribute_not_exists({name})"));
            continue;
        };
        conditions.push(format!("{name} = :seen_{name}"));
        change.values.insert(format!(":seen_{name}"), json!({kind: value}));
    }
    change.condition = conditions.join(" AND ");
    change
}

/// A free row becomes a call's. Who claims twice at once ends at one row.
pub(super) fn claim(row: &Row, claim: &Claim, now: Timestamp) -> Change {
    let mut change = seen(row);
    change.condition = format!(
        "({}) OR (attribute_exists(sma_number) AND transaction_id = :owner)",
        change.condition
    );
    change.values.extend(values([
        (":owner", json!({"S": claim.owner})),
        (":holder", json!({"S": claim.holder})),
        (":from", json!({"S": claim.original_calling_number})),
        (":now", seconds(now)),
        (":end", seconds(later(now, claim.lease))),
        (":true", json!({"S": "true"})),
    ]));
    let (set, remove) = match &claim.application {
        Some(application) => {
            change.values.insert(":app".to_owned(), json!({"S": application}));
            (", sip_media_application_id = :app", "")
        }
        None => ("", ", sip_media_application_id"),
    };
    change.update = format!(
        "SET transaction_id = :owner, call_timestamp = :now, in_use = :true, \
         original_calling_number = :from, lease_owner = :owner, lease_expires = :end, \
         lease_holder = :holder{set} REMOVE contact_id, contact_transaction_id, update_request, \
         update_answer{remove}"
    );
    change
}

/// A lease that has not ended gets another end. One of the sample's function becomes one of ours.
pub(super) fn extend(
    pair: &Pair,
    owner: &str,
    now: Timestamp,
    age: SignedDuration,
    lease: Duration,
) -> Change {
    let oldest = now.checked_sub(age).unwrap_or(Timestamp::MIN);
    Change {
        pair: pair.clone(),
        update: "SET lease_owner = :owner, lease_expires = :end".to_owned(),
        condition: "in_use = :true AND transaction_id = :owner AND ((lease_owner = :owner AND \
                    lease_expires > :now) OR ((attribute_not_exists(lease_owner) OR \
                    lease_owner <> :owner) AND call_timestamp > :oldest))"
            .to_owned(),
        values: values([
            (":true", json!({"S": "true"})),
            (":owner", json!({"S": owner})),
            (":now", seconds(now)),
            (":oldest", seconds(oldest)),
            (":end", seconds(later(now, lease))),
        ]),
    }
}

/// The owner gives it back.
pub(super) fn release(pair: &Pair, owner: &str, now: Timestamp) -> Change {
    Change {
        pair: pair.clone(),
        update: format!("SET in_use = :false, released_at = :now {LEFT}"),
        condition: "in_use = :true AND transaction_id = :owner".to_owned(),
        values: values([
            (":true", json!({"S": "true"})),
            (":false", json!({"S": "false"})),
            (":owner", json!({"S": owner})),
            (":now", seconds(now)),
        ]),
    }
}

/// Nobody gives it back: it is freed as it was read.
pub(super) fn free(row: &Row, now: Timestamp) -> Change {
    let mut change = seen(row);
    change.update = format!("SET in_use = :false, released_at = :now {LEFT}");
    change.values.insert(":false".to_owned(), json!({"S": "false"}));
    change.values.insert(":now".to_owned(), seconds(now));
    change
}

/// The contact that asked first is the lease's.
pub(super) fn bind(lease: &Lease, contact: &str) -> Change {
    Change {
        pair: lease.pair.clone(),
        update: "SET contact_id = :contact, contact_transaction_id = :owner".to_owned(),
        condition: "in_use = :true AND transaction_id = :owner AND \
                    (attribute_not_exists(contact_id) OR contact_id = :contact OR \
                    contact_transaction_id <> :owner)"
            .to_owned(),
        values: values([
            (":true", json!({"S": "true"})),
            (":owner", json!({"S": lease.owner})),
            (":contact", json!({"S": contact})),
        ]),
    }
}

/// A note for the lease's holder. A lease of ours that has ended gets none.
pub(super) fn note(lease: &Lease, text: &str, now: Timestamp) -> Change {
    Change {
        pair: lease.pair.clone(),
        update: "SET update_request = :note REMOVE update_answer".to_owned(),
        condition: "in_use = :true AND transaction_id = :owner AND \
                    (attribute_not_exists(lease_owner) OR lease_owner <> :owner OR \
                    lease_expires > :now)"
            .to_owned(),
        values: values([
            (":true", json!({"S": "true"})),
            (":owner", json!({"S": lease.owner})),
            (":note", json!({"S": text})),
            (":now", seconds(now)),
        ]),
    }
}

/// The note is taken by whoever finds it as it was read.
pub(super) fn take_note(note: &Note, answer: &str) -> Change {
    Change {
        pair: note.pair.clone(),
        update: "SET update_answer = :answer REMOVE update_request".to_owned(),
        condition: "in_use = :true AND transaction_id = :owner AND update_request = :note"
            .to_owned(),
        values: values([
            (":true", json!({"S": "true"})),
            (":owner", json!({"S": note.owner})),
            (":note", json!({"S": note.text})),
            (":answer", json!({"S": answer})),
        ]),
    }
}

/// What became of a note that was taken with this text; another one is not answered.
pub(super) fn answer_note(note: &Note, taken: &str, answer: &str) -> Change {
    Change {
        pair: note.pair.clone(),
        update: "SET update_answer = :answer".to_owned(),
        condition: "in_use = :true AND transaction_id = :owner AND \
                    attribute_not_exists(update_request) AND update_answer = :taken"
            .to_owned(),
        values: values([
            (":true", json!({"S": "true"})),
            (":owner", json!({"S": note.owner})),
            (":taken", json!({"S": taken})),
            (":answer", json!({"S": answer})),
        ]),
    }
}
