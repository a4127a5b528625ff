//! A call's way through both functions.

use offhook_dnis::{Count, DnisPool as _};
use serde_json::{Value, json};

use crate::runtime::{Function, Told, variables};
use crate::voice::Voice;
use crate::{CONNECT, Cloud, SMA};

const TRANSACTION: &str = "23fe0cf1-fc36-4bdc-976d-3520c0a3ac86";
const ARN: &str = "arn:aws:chime:us-east-1:111122223333:vc/abcdef1ghij2klmno3pqr4";
const OFFICE: [(&str, &str); 2] =
    [("VOICE_CONNECTOR_PHONE_NUMBER", "+18555550111"), ("VOICE_CONNECTOR_ARN", ARN)];

fn leg(tag: &str, status: Option<&str>) -> Value {
    let mut leg = json!({
        "CallId": format!("id-of-{tag}"), "ParticipantTag": tag, "To": "+18445550100",
        "From": "+12065550142", "Direction": "Inbound", "StartTimeInMilliseconds": "1648477951790"
    });
    if let Some(status) = status {
        leg["Status"] = json!(status);
    }
    leg
}

fn event(sequence: u32, kind: &str, attributes: &Value, legs: &[Value], data: &Value) -> Value {
    let mut event = json!({
        "SchemaVersion": "1.0", "Sequence": sequence, "InvocationEventType": kind,
        "CallDetails": {
            "TransactionId": TRANSACTION, "AwsAccountId": "111122223333",
            "AwsRegion": "us-east-1", "SipRuleId": "3f5f6ec1-6004-494a-b514-1673d62cb8c5",
            "SipMediaApplicationId": "8a912ad2-67aa-4852-a892-34a454d370c7", "Participants": legs
        }
    });
    if !attributes.is_null() {
        event["CallDetails"]["TransactionAttributes"] = attributes.clone();
    }
    if !data.is_null() {
        event["ActionData"] = data.clone();
    }
    event
}

fn contact(purpose: &str, from: &Value, transaction: Option<&str>) -> Value {
    let mut parameters = json!({"Purpose": purpose, "CallingNumber": from["sma_number"],
        "CalledNumber": from["connect_number"], "Reason": "a human"});
    if let Some(transaction) = transaction {
        parameters["TransactionId"] = json!(transaction);
    }
    json!({"Name": "ContactFlowEvent", "Details": {
        "ContactData": {"ContactId": "c-1", "InitialContactId": "c-1", "Channel": "VOICE"},
        "Parameters": parameters}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_is_bridged_to_connect_taken_back_and_bridged_to_the_office() {
    let (cloud, voice) = (Cloud::start(3).await, Voice::start());
    voice.call(TRANSACTION);
    let (url, voice_url) = (cloud.url(), voice.url());
    let mut sma = Function::start(SMA, &variables(&url, &[]));
    let more = [OFFICE[0], OFFICE[1], ("AWS_ENDPOINT_URL_CHIME_SDK_VOICE", voice_url.as_str())];
    let mut connect = Function::start(CONNECT, &variables(&url, &more));

    let new = event(1, "NEW_INBOUND_CALL", &Value::Null, &[leg("LEG-A", None)], &Value::Null);
    let answer = sma.ask(&new);
    assert_eq!(answer["Actions"][0]["Type"], "CallAndBridge");
    assert_eq!(sma.ask(&new), answer, "a repeated invocation");
    assert_eq!(cloud.pool.count().await.unwrap(), Count { free: 2, leased: 1 });
    let attributes = answer["TransactionAttributes"].clone();
    assert_eq!(attributes["original_calling_number"], "+12065550142");

    let both = [leg("LEG-B", Some("Connected")), leg("LEG-A", Some("Connected"))];
    let bridged = json!({"Type": "CallAndBridge", "Parameters": {"CallTimeoutSeconds": 30,
        "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+12065550100"}]}});
    let answer = sma.ask(&event(2, "ACTION_SUCCESSFUL", &attributes, &both, &bridged));

    let found = connect.ask(&contact("GetData", &attributes, None));
    assert_eq!(
        found,
        json!({"status": "found", "original_calling_number": "+12065550142",
        "transaction_id": TRANSACTION})
    );
    let told = connect.ask(&contact("TransferCall", &attributes, Some(TRANSACTION)));
    assert_eq!(told["status"], "transferring");
    let (application, transaction, arguments) = voice.accepted().remove(0);
    assert_eq!(application, "8a912ad2-67aa-4852-a892-34a454d370c7");
    assert_eq!(transaction, TRANSACTION);

    let data = json!({"Type": "CallUpdateRequest", "Parameters": {"Arguments": arguments}});
    let attributes = answer["TransactionAttributes"].clone();
    let answer = sma.ask(&event(3, "CALL_UPDATE_REQUESTED", &attributes, &both, &data));
    let hangup = json!([{"Type": "Hangup", "Parameters":
        {"CallId": "id-of-LEG-B", "SipResponseCode": 0}}]);
    assert_eq!(answer["Actions"], hangup);
    let attributes = answer["TransactionAttributes"].clone();
    let down = [leg("LEG-B", Some("Disconnected")), leg("LEG-A", Some("Connected"))];
    let data = json!({"Type": "Hangup", "Parameters":
        {"SipResponseCode": 0, "CallId": "id-of-LEG-B", "ParticipantTag": "LEG-B"}});
    let answer = sma.ask(&event(4, "HANGUP", &attributes, &down, &data));
    let bridge = &answer["Actions"][1]["Parameters"];
    assert_eq!(
        bridge["Endpoints"],
        json!([{"BridgeEndpointType": "AWS", "Arn": ARN, "Uri": "+18555550111"}])
    );
    assert_eq!(
        bridge["SipHeaders"],
        json!({"X-Original-Calling-Number": "+12065550142", "X-Transaction-Id": TRANSACTION,
        "X-Sip-Media-Application-Id": "8a912ad2-67aa-4852-a892-34a454d370c7",
        "X-Connect-Contact-Id": "c-1", "X-Reason": "a human"})
    );
    assert_eq!(cloud.pool.count().await.unwrap(), Count { free: 3, leased: 0 });

    let late = connect.ask(&contact("TransferCall", &attributes, Some(TRANSACTION)));
    assert_eq!(late["status"], "not_found");
    assert_eq!(voice.accepted().len(), 1);

    // Nobody's number is in a log, and each event is.
    for (log, lines) in [(sma.log(), 5), (connect.log(), 3)] {
        assert_eq!(log.len(), lines);
        assert!(log.iter().all(|line| line["level"] == "INFO"), "{log:?}");
        assert!(!format!("{log:?}").contains("2065550142"), "{log:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_gone_is_told_to_the_flow_and_not_raised() {
    let (cloud, voice) = (Cloud::start(1).await, Voice::start());
    let (url, voice_url) = (cloud.url(), voice.url());
    let mut sma = Function::start(SMA, &variables(&url, &[]));
    let more = [OFFICE[0], OFFICE[1], ("AWS_ENDPOINT_URL_CHIME_SDK_VOICE", voice_url.as_str())];
    let mut connect = Function::start(CONNECT, &variables(&url, &more));
    let new = event(1, "NEW_INBOUND_CALL", &Value::Null, &[leg("LEG-A", None)], &Value::Null);
    let attributes = sma.ask(&new)["TransactionAttributes"].clone();
    let told = connect.ask(&contact("TransferCall", &attributes, None));
    assert_eq!(told["status"], "ended");
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("Transaction not found"), "{message}");
    // An event that is none is an error of the function, and the next one is answered.
    let told = sma.invoke(&json!({"Sequence": "one"}));
    assert!(
        matches!(&told, Told::Error(error) if error["errorType"] == "InvalidEvent"),
        "{told:?}"
    );
    assert_eq!(sma.ask(&new)["SchemaVersion"], "1.0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_office_without_an_open_port_is_asked_by_a_queue_or_by_the_table() {
    let cloud = Cloud::start(2).await;
    let queue = cloud.ask("sqs", "createQueue", json!({"QueueName": "take-back"})).await;
    let queue = queue["QueueUrl"].as_str().unwrap().to_owned();
    let url = cloud.url();
    let holder = ("LEASE_HOLDER", "office-1");
    let mut sma = Function::start(SMA, &variables(&url, &[holder]));
    let new = event(1, "NEW_INBOUND_CALL", &Value::Null, &[leg("LEG-A", None)], &Value::Null);
    let attributes = sma.ask(&new)["TransactionAttributes"].clone();

    let by = [OFFICE[0], ("UPDATE_BY", "sqs"), ("UPDATE_QUEUE_URL", queue.as_str())];
    let mut connect = Function::start(CONNECT, &variables(&url, &by));
    let told = connect.ask(&contact("TransferCall", &attributes, None));
    assert_eq!(told["status"], "transferring", "{told}");
    let got = cloud.ask("sqs", "receiveMessage", json!({"QueueUrl": queue})).await;
    let body: Value = serde_json::from_str(got["Messages"][0]["Body"].as_str().unwrap()).unwrap();
    assert_eq!(body["TransactionId"], TRANSACTION);
    assert_eq!(body["SipMediaApplicationId"], "8a912ad2-67aa-4852-a892-34a454d370c7");
    assert_eq!(body["Arguments"]["TransferTarget"], "+18555550111");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_pool_is_counted_for_an_alarm() {
    let cloud = Cloud::start(0).await;
    let url = cloud.url();
    let mut sma = Function::start(SMA, &variables(&url, &[]));
    let new = event(1, "NEW_INBOUND_CALL", &Value::Null, &[leg("LEG-A", None)], &Value::Null);
    assert_eq!(sma.ask(&new)["Actions"][1]["Type"], "Pause");
    let log = sma.log();
    let metric = log.iter().find(|line| line["DnisExhausted"] == 1).expect("a metric");
    assert_eq!(metric["_aws"]["CloudWatchMetrics"][0]["Namespace"], "Offhook");
}

#[test]
fn a_function_that_is_set_up_wrongly_says_what_is_wrong() {
    for (name, value, wanted) in [
        ("LEASE_SECONDS", "soon", "LEASE_SECONDS: \"soon\" is no number from 60 to 86400"),
        ("INTEGRATION_TABLE", "", "INTEGRATION_TABLE: is not set"),
        ("VOICE_CONNECTOR_ARN", "vc", "VOICE_CONNECTOR_ARN: \"vc\" is no ARN"),
        ("SHOW_CALLER", "yes", "SHOW_CALLER: \"yes\" is neither true nor false"),
    ] {
        let url = "http://127.0.0.1:9";
        let mut sma = Function::start(SMA, &variables(url, &[(name, value)]));
        let error = sma.cannot_begin();
        assert_eq!(error["errorMessage"], wanted);
        assert_eq!(error["errorType"], "Runtime.Configuration");
    }
    let more = [("UPDATE_BY", "pigeon")];
    let mut connect = Function::start(CONNECT, &variables("http://127.0.0.1:9", &more));
    let wanted = "UPDATE_BY: \"pigeon\" is none of api, sqs, table";
    assert_eq!(connect.cannot_begin()["errorMessage"], wanted);
}
