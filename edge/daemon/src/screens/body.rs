//! A moment as JSON.

use offhook_pbx::screen::{Moment, Pop};
use serde_json::{Value, json};

use crate::calls::millis;

/// The id that is the same with each attempt, and the body.
pub(super) fn of(pop: &Pop) -> (String, String) {
    let event = pop.moment.as_str();
    let id = format!("{}/{}/{event}/{}", pop.call, pop.extension, millis(pop.at));
    let cloud = &pop.cloud;
    let mut body = json!({
        "event": event,
        "at_ms": millis(pop.at),
        "call_id": pop.call,
        "extension": pop.extension,
        "caller": pop.caller,
        "original_caller": pop.original_caller,
        "name": pop.name,
        "queue": pop.queue,
        "transaction_id": cloud.transaction_id,
        "sip_media_application_id": cloud.sip_media_application_id,
        "contact_id": cloud.contact_id,
        "initial_contact_id": cloud.initial_contact_id,
        "attributes": pop.attributes,
    });
    if pop.moment == Moment::Ended {
        body["answered"] = Value::Bool(pop.answered);
    }
    (id, body.to_string())
}
