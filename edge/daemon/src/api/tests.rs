use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use hyper::Method;
use offhook_pbx::office::CreateCall;
use serde_json::{Value, json};

use super::error::ApiError;
use super::keys::KeysError;
use super::*;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("offhook-api-{name}-{}", std::process::id()));
    crate::folder::make(&folder).unwrap();
    folder
}

fn read(method: Method, path: &str, body: &Value) -> Result<Operation, ApiError> {
    operations::read(&method, path, body.to_string().as_bytes())
}

const CALLS: &str = "/sip-media-applications/ivr/calls";

#[test]
fn a_request_becomes_an_operation() {
    let update = read(
        Method::POST,
        "/sip-media-applications/a%20b/calls/23fe0cf1",
        &json!({"Arguments": {"TransferTarget": "+1206"}}),
    );
    let arguments = BTreeMap::from([("TransferTarget".to_owned(), "+1206".to_owned())]);
    let wanted = Operation::Update {
        application: "a b".to_owned(),
        transaction: "23fe0cf1".to_owned(),
        arguments: arguments.clone(),
    };
    assert_eq!(update, Ok(wanted));

    let create = read(
        Method::POST,
        CALLS,
        &json!({"FromPhoneNumber": "+12065550100", "ToPhoneNumber": "102",
            "SipHeaders": {"X-A": "1"}, "ArgumentsMap": {"TransferTarget": "+1206"}}),
    );
    let wanted = Operation::Create(CreateCall {
        application: "ivr".to_owned(),
        from: "+12065550100".to_owned(),
        to: "102".to_owned(),
        sip_headers: BTreeMap::from([("X-A".to_owned(), "1".to_owned())]),
        arguments,
    });
    assert_eq!(create, Ok(wanted));
}

#[test]
fn a_request_that_breaks_the_model_is_told_which_rule() {
    let many: BTreeMap<String, String> = (0..21).map(|n| (n.to_string(), String::new())).collect();
    let one = |more: Value| {
        let mut body = json!({"FromPhoneNumber": "+12065550100", "ToPhoneNumber": "102"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let call = "/sip-media-applications/ivr/calls/t";
    for (path, body, words) in [
        (call, json!({}), "Value at 'arguments' failed to satisfy constraint: Member must not be"),
        (call, json!({"Arguments": null}), "Member must not be null"),
        (call, json!({"Arguments": ["a"]}), "Arguments must be a map"),
        (call, json!({"Arguments": {"a": 1}}), "the value of \"a\" must be a string"),
        (call, json!({"Arguments": many}), "Member must have length less than or equal to 20"),
        (call, json!([]), "must be a JSON object"),
        (
            "/sip-media-applications/%20/calls/t",
            json!({"Arguments": {}}),
            "Value at 'sipMediaApplicationId' failed",
        ),
        ("/sip-media-applications/x/calls/", json!({"Arguments": {}}), "'transactionId' failed"),
        (CALLS, json!({"ToPhoneNumber": "102"}), "Value at 'fromPhoneNumber'"),
        (CALLS, one(json!({"ToPhoneNumber": 102})), "ToPhoneNumber must be a string"),
        (CALLS, one(json!({"ToPhoneNumber": "0102"})), "pattern: ^\\+?[1-9]\\d{1,14}$"),
        (CALLS, one(json!({"ToPhoneNumber": "+1234567890123456"})), "pattern"),
        (CALLS, one(json!({"ToPhoneNumber": "sip:x@y"})), "pattern"),
        (CALLS, one(json!({"ArgumentsMap": many})), "'argumentsMap' failed"),
        (CALLS, one(json!({"SipHeaders": many})), "'sipHeaders' failed"),
        (CALLS, one(json!({"SipHeaders": {"X": {}}})), "must be a string"),
    ] {
        let response = read(Method::POST, path, &body).unwrap_err();
        assert!(format!("{response:?}").contains("BadRequestException"), "{response:?}");
        let told = format!("{response:?}").replace("\\\\", "\\").replace("\\\"", "\"");
        assert!(told.contains(words), "{path} {body}: {told}");
    }
    let none: BTreeMap<String, String> = BTreeMap::new();
    let update = read(Method::POST, call, &json!({"Arguments": none}));
    assert!(matches!(update, Ok(Operation::Update { .. })), "no arguments are 0 to 20");
    let bad = operations::read(&Method::POST, call, b"{\"Arguments\":").unwrap_err();
    assert!(format!("{bad:?}").contains("no JSON"), "{bad:?}");
}

#[test]
fn a_click_has_an_extension_and_what_its_phone_would_dial() {
    let path = "/sip-media-applications/click-to-call/calls";
    let asked = |from: &str, to: &str| {
        read(Method::POST, path, &json!({"FromPhoneNumber": from, "ToPhoneNumber": to}))
    };
    for (from, to) in
        [("front-desk", "011442071234567"), ("7", "*97"), ("0101", "(206) 555-0123"), ("1", "#9")]
    {
        match asked(from, to) {
            Ok(Operation::Create(call)) => {
                assert_eq!((call.from.as_str(), call.to.as_str()), (from, to));
            }
            other => panic!("{from} {to}: {other:?}"),
        }
    }
    let long = "1".repeat(65);
    for (from, to) in
        [("", "102"), ("101", " "), ("101", "sip:x@y"), ("101", "1\n2"), ("101", &long)]
    {
        let refused = format!("{:?}", asked(from, to).unwrap_err());
        assert!(refused.contains("{1,64}"), "{refused}");
    }
}

#[test]
fn other_operations_are_not_known() {
    for (method, path) in [
        (Method::GET, CALLS),
        (Method::POST, "/"),
        (Method::POST, "/sip-media-applications"),
        (Method::POST, "/sip-media-applications/ivr/calls/t/x"),
        (Method::POST, "/voice-connectors/ivr/calls"),
        (Method::DELETE, "/sip-media-applications/ivr/calls/t"),
    ] {
        assert_eq!(read(method, path, &json!({})), Err(ApiError::unknown_operation()), "{path}");
    }
}

#[test]
fn a_key_makes_so_many_requests_in_a_second_and_others_are_not_hindered() {
    let rate = Rate::new(2);
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    let asked = [0, 0, 0, 400, 500, 500, 60_000, 60_000, 60_000];
    let allowed = asked.map(|time| rate.allows("a", at(time)));
    assert_eq!(allowed, [true, true, false, false, true, false, true, true, false]);
    assert!(rate.allows("b", at(0)));
}

#[test]
fn keys_are_kept_for_their_owner_alone_and_seen_as_soon_as_they_change() {
    let data = folder("keys");
    let (writer, reader) = (KeyFile::of(&data), KeyFile::of(&data));
    assert_eq!(reader.current().unwrap().iter().count(), 0);
    let key = writer.add("crm", Timestamp::UNIX_EPOCH).unwrap();
    assert!(key.id.starts_with("OHAK") && key.id.len() == 20);
    assert_eq!(key.secret.expose().len(), 40);
    let file = data.join("api-keys.json");
    let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    assert_eq!(reader.current().unwrap().secret(&key.id), Some(key.secret.expose()));
    assert!(!format!("{:?}", reader.current()).contains(key.secret.expose()));

    let other = writer.add("", Timestamp::UNIX_EPOCH).unwrap();
    writer.remove(&key.id).unwrap();
    assert_eq!(mode(), 0o600);
    let now = reader.current().unwrap();
    assert_eq!((now.secret(&key.id), now.iter().count()), (None, 1));
    assert_eq!(now.secret(&other.id), Some(other.secret.expose()));
    assert!(matches!(writer.remove(&key.id), Err(KeysError::Unknown(_))));
    // Nothing is left lying about.
    let mut names: Vec<_> =
        std::fs::read_dir(&data).unwrap().map(|f| f.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["api-keys.json", "api-keys.lock"]);

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(reader.current(), Err(KeysError::Open(_))));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&file, format!("{{\"keys\": [\"{}\"]}}", other.secret.expose())).unwrap();
    let error = reader.current().unwrap_err().to_string();
    assert!(error.contains("is damaged: line 1"), "{error}");
    assert!(!error.contains(other.secret.expose()), "{error}");
    std::fs::remove_dir_all(data).unwrap();
}

#[test]
fn a_hundred_keys_are_enough() {
    let data = folder("many");
    let file = KeyFile::of(&data);
    for _ in 0..100 {
        file.add("", Timestamp::UNIX_EPOCH).unwrap();
    }
    assert!(matches!(file.add("", Timestamp::UNIX_EPOCH), Err(KeysError::TooMany)));
    std::fs::remove_dir_all(data).unwrap();
}

#[test]
fn a_request_id_is_a_guid() {
    let id = request_id();
    let lengths: Vec<usize> = id.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
}
