//! AWS Query: parameters as a form, the answer in XML.

use bytes::Bytes;
use serde_json::Value;

use super::{Call, Protocol, Sdk, scalar, xml};
use crate::sigv4::{Draft, encoded};
use crate::task::TaskError;

type Maps = &'static [(&'static str, &'static str, &'static str)];

pub(super) async fn call(sdk: &Sdk, call: &Call<'_>) -> Result<Value, TaskError> {
    let Protocol::Query { version, maps } = &call.row.protocol else {
        return Err(TaskError::runtime(format!("{} speaks no Query", call.row.name)));
    };
    let mut form = vec![
        ("Action".to_owned(), call.action.to_owned()),
        ("Version".to_owned(), (*version).to_owned()),
    ];
    for (name, value) in call.parameters.as_object().into_iter().flatten() {
        flatten(name.clone(), name, value, maps, &mut form);
    }
    let form: Vec<String> =
        form.iter().map(|(n, v)| format!("{}={}", encoded(n), encoded(v))).collect();
    let kind = "application/x-www-form-urlencoded; charset=utf-8";
    let draft = Draft::post("", "/", kind, Bytes::from(form.join("&")));
    let answer = call.ask(&sdk.aws, draft).await?;
    let read = xml::read(&answer.body).map(|root| {
        // `<PublishResponse><PublishResult>…`; without a result, what happened is all.
        let result = root.child(&format!("{}Result", call.action));
        result.map_or_else(|| Value::Object(serde_json::Map::new()), |node| node.value(&[]))
    });
    read.map_err(|words: String| TaskError::new("States.TaskFailed", words))
}

/// Writes a parameter as AWS Query does: `Name.member.1`, `Name.entry.1.key`, `Name.Inner`.
fn flatten(
    prefix: String,
    name: &str,
    value: &Value,
    maps: Maps,
    form: &mut Vec<(String, String)>,
) {
    match value {
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                flatten(format!("{prefix}.member.{}", i + 1), "", item, maps, form);
            }
        }
        Value::Object(members) => {
            if let Some((_, key, inner)) = maps.iter().find(|(map, _, _)| *map == name) {
                for (i, (entry, value)) in members.iter().enumerate() {
                    let at = format!("{prefix}.entry.{}", i + 1);
                    form.push((format!("{at}.{key}"), entry.clone()));
                    flatten(format!("{at}.{inner}"), "", value, maps, form);
                }
                return;
            }
            for (member, value) in members {
                flatten(format!("{prefix}.{member}"), member, value, maps, form);
            }
        }
        value => form.extend(scalar(value).map(|text| (prefix, text))),
    }
}
