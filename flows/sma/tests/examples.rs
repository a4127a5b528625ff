//! Every event that AWS's documentation and samples show is read and written again without loss.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use offhook_sma::InvocationEvent;
use serde_json::Value;

/// The folder of examples; `None` where the machine does not have it.
fn examples() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let places = ["../shared/data/sma-events", "../../shared/data/sma-events"];
    places.iter().map(|place| root.join(place)).find(|folder| folder.is_dir())
}

/// What the documentation spells in several ways, in one; numbers as text are numbers; a value that
/// only stands for one gets one.
fn canonical(value: &mut Value, key: &str) {
    match value {
        Value::Object(map) => {
            if let Some(id) = map.remove("SipApplicationId") {
                map.insert("SipMediaApplicationId".to_owned(), id);
            }
            map.retain(|_, value| !value.is_null());
            for (key, value) in map {
                canonical(value, key);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| canonical(value, key)),
        Value::String(text) => match key {
            "Sequence" => *value = 1.into(),
            "ParticipantTag" => *text = text.to_uppercase(),
            "ReceivedDigits" | "StartTimeInMilliseconds" | "AwsAccountId" => {}
            _ => {
                if let Ok(number) = text.parse::<u64>() {
                    *value = number.into();
                }
            }
        },
        _ => {}
    }
}

/// Whether all of `part` is in `whole`, which may have defaults besides.
fn lost(part: &Value, whole: &Value, path: &str) -> Option<String> {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part.iter().find_map(|(key, value)| {
            // Empty objects and lists are not written.
            let empty = value.as_object().is_some_and(serde_json::Map::is_empty);
            match whole.get(key) {
                Some(other) => lost(value, other, &format!("{path}.{key}")),
                None if empty => None,
                None => Some(format!("{path}.{key}")),
            }
        }),
        (Value::Array(part), Value::Array(whole)) if part.len() == whole.len() => {
            let mut pairs = part.iter().zip(whole).enumerate();
            pairs.find_map(|(n, (part, whole))| lost(part, whole, &format!("{path}[{n}]")))
        }
        (part, whole) => (part != whole).then(|| format!("{path}: {part} became {whole}")),
    }
}

#[test]
fn every_example_is_read_and_written_again_without_loss() {
    let Some(folder) = examples() else { return };
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let examples: Vec<Value> = serde_json::from_str(&text).unwrap();
        for example in examples {
            let source = format!("{}: {}", path.display(), example["source"]);
            let mut json = example["json"].clone();
            // Two examples of the documentation have this key; it is never on the wire.
            if let Some(kind) = json.as_object_mut().unwrap().remove("InvocationEvent") {
                json["InvocationEventType"] = kind;
            }
            if json["Sequence"].is_string() {
                json["Sequence"] = 1.into();
            }
            let event: InvocationEvent = serde_json::from_value(json.clone())
                .unwrap_or_else(|error| panic!("{source}: {error}\n{json}"));
            let mut again = serde_json::to_value(&event).unwrap();
            assert_eq!(serde_json::from_value::<InvocationEvent>(again.clone()).unwrap(), event);
            canonical(&mut json, "");
            canonical(&mut again, "");
            assert_eq!(lost(&json, &again, ""), None, "{source}\n{json}\n{again}");
            count += 1;
        }
    }
    assert!(count >= 50, "{count}");
}
