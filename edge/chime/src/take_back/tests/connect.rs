//! Connect's function.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use offhook_dnis::{Claim, DnisPool as _};
use serde_json::{Value, json};

use super::memory::Memory;
use super::service::{ARN, office};
use crate::take_back::{Deliver, DeliverError, Refusal, Switch, SwitchRules, Update};

/// Notes what it is given, and answers as it is told.
#[derive(Clone, Default)]
struct Noted {
    updates: Arc<Mutex<Vec<Update>>>,
    answer: Option<Refusal>,
    never: bool,
}

impl Deliver for Noted {
    fn deliver<'a>(&'a self, update: &'a Update) -> BoxFuture<'a, Result<(), DeliverError>> {
        self.updates.lock().unwrap().push(update.clone());
        if self.never {
            return Box::pin(std::future::pending());
        }
        let error = |refusal| DeliverError { refusal, words: "in AWS's words".to_owned() };
        Box::pin(std::future::ready(self.answer.map_or(Ok(()), |refusal| Err(error(refusal)))))
    }
}

fn rules() -> SwitchRules {
    SwitchRules {
        application: None,
        target: Some(office()),
        country_code: "1".to_owned(),
        extension_digits: 6,
        transaction_header: "X-Transaction-Id".to_owned(),
        deadline: Duration::from_millis(2_500),
    }
}

async fn claimed() -> Memory {
    let pool = Memory::of(1);
    let claim = Claim {
        owner: "t1".to_owned(),
        holder: "sma-function".to_owned(),
        application: Some("sma-1".to_owned()),
        original_calling_number: "+12065550142".to_owned(),
        lease: Duration::from_secs(60),
    };
    pool.claim(claim).await.unwrap();
    pool
}

fn event(contact: &str, parameters: Value) -> Value {
    json!({
        "Name": "ContactFlowEvent",
        "Details": {
            "ContactData": {
                "Attributes": {}, "Channel": "VOICE", "ContactId": contact,
                "InitialContactId": contact, "InitiationMethod": "INBOUND",
                "CustomerEndpoint": {"Address": "+18005550000", "Type": "TELEPHONE_NUMBER"},
                "SystemEndpoint": {"Address": "+12065550100", "Type": "TELEPHONE_NUMBER"},
                "Queue": {"ARN": "arn:aws:connect:x", "Name": "sales"}
            },
            "Parameters": parameters
        }
    })
}

fn asks(purpose: &str) -> Value {
    json!({"Purpose": purpose, "CallingNumber": "+18005550000", "CalledNumber": "+12065550100"})
}

/// Either validation of a flow takes it.
async fn told(switch: &Switch<Memory, Noted>, event: &Value) -> Value {
    let told = switch.handle(event).await;
    assert!(told.values().all(Value::is_string));
    let told = Value::Object(told);
    assert!(told.to_string().len() < 32 << 10);
    told
}

#[tokio::test]
async fn data_is_found_by_the_numbers_of_the_contact() {
    let switch = Switch::new(rules(), claimed().await, Noted::default());
    let wanted = json!({
        "status": "found", "original_calling_number": "+12065550142", "transaction_id": "t1"
    });
    assert_eq!(told(&switch, &event("c1", asks("GetData"))).await, wanted);
    // The contact itself has the numbers.
    assert_eq!(told(&switch, &event("c1", json!({"Purpose": "GetData"}))).await, wanted);
    let other = json!({"Purpose": "GetData", "CallingNumber": "+18005559999"});
    assert_eq!(told(&switch, &event("c1", other)).await["status"], "not_found");
    assert_eq!(told(&switch, &event("c2", asks("GetData"))).await["status"], "not_found");
}

#[tokio::test]
async fn a_transfer_passes_on_what_the_flow_and_the_contact_say() {
    let noted = Noted::default();
    let switch = Switch::new(rules(), claimed().await, noted.clone());
    let mut parameters = asks("TransferCall");
    parameters["TransactionId"] = json!("t1");
    parameters["Reason"] = json!("wants a human");
    let answer = told(&switch, &event("c1", parameters)).await;
    assert_eq!(
        (&answer["status"], &answer["transaction_id"]),
        (&json!("transferring"), &json!("t1"))
    );
    let update = noted.updates.lock().unwrap()[0].clone();
    assert_eq!((update.application.as_str(), update.lease.owner.as_str()), ("sma-1", "t1"));
    let wanted = BTreeMap::from(
        [
            ("Reason", "wants a human"),
            ("Transfer", "true"),
            ("TransferTarget", "+18555550111"),
            ("TransferTargetArn", ARN),
            ("X-Connect-Contact-Id", "c1"),
            ("X-Connect-Queue", "sales"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    assert_eq!(update.arguments, wanted);
}

#[tokio::test]
async fn a_contact_that_is_late_moves_nobody() {
    let (pool, noted) = (claimed().await, Noted::default());
    let switch = Switch::new(rules(), pool.clone(), noted.clone());
    told(&switch, &event("c1", asks("GetData"))).await;
    pool.release("t1", None).await.unwrap();
    assert_eq!(told(&switch, &event("c1", asks("TransferCall"))).await["status"], "not_found");
    // The pair is another call's, whose contact has not asked yet.
    let next = Claim {
        owner: "t2".to_owned(),
        holder: String::new(),
        application: None,
        original_calling_number: String::new(),
        lease: Duration::from_secs(60),
    };
    pool.claim(next).await.unwrap();
    let mut late = asks("TransferCall");
    late["TransactionId"] = json!("t1");
    assert_eq!(told(&switch, &event("c1", late)).await["status"], "not_found");
    assert!(noted.updates.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_goes_wrong_is_a_status_that_the_flow_branches_on() {
    for (refusal, status) in [
        (Refusal::Ended, "ended"),
        (Refusal::Refused, "refused"),
        (Refusal::Unavailable, "unavailable"),
    ] {
        let noted = Noted { answer: Some(refusal), ..Noted::default() };
        let switch = Switch::new(rules(), claimed().await, noted);
        let answer = told(&switch, &event("c1", asks("TransferCall"))).await;
        assert_eq!(
            (&answer["status"], &answer["message"]),
            (&json!(status), &json!("in AWS's words"))
        );
    }
    let pool = claimed().await;
    pool.break_down(true);
    let switch = Switch::new(rules(), pool, Noted::default());
    assert_eq!(told(&switch, &event("c1", asks("GetData"))).await["status"], "unavailable");
    for bad in [
        json!({}),
        json!({"Purpose": "Dance"}),
        json!({"Purpose": "GetData",
        "CallingNumber": "anonymous"}),
    ] {
        assert_eq!(told(&switch, &event("c1", bad)).await["status"], "refused");
    }
    assert_eq!(told(&switch, &json!([])).await["status"], "refused");
    let nowhere = SwitchRules { target: None, ..rules() };
    let switch = Switch::new(nowhere, claimed().await, Noted::default());
    assert_eq!(told(&switch, &event("c1", asks("TransferCall"))).await["status"], "refused");
}

#[tokio::test(start_paused = true)]
async fn an_answer_comes_before_connect_stops_waiting() {
    let noted = Noted { never: true, ..Noted::default() };
    let switch = Switch::new(rules(), claimed().await, noted);
    let begin = tokio::time::Instant::now();
    assert_eq!(told(&switch, &event("c1", asks("TransferCall"))).await["status"], "unavailable");
    assert_eq!(begin.elapsed().as_millis() / 10, 250);
}

fn with_attributes(parameters: Value, attributes: Value) -> Value {
    let mut event = event("c1", parameters);
    event["Details"]["ContactData"]["Attributes"] = attributes;
    event
}

#[tokio::test]
async fn a_transaction_that_came_along_needs_no_pair() {
    let noted = Noted::default();
    let rules = SwitchRules { application: Some("sma-9".to_owned()), ..rules() };
    let pool = Memory::of(0);
    pool.break_down(true);
    let switch = Switch::new(rules, pool, noted.clone());
    let carried = json!({"X-Transaction-Id": "t-7", "X-Sip-Media-Application-Id": "flow:take-back",
        "X-Original-Calling-Number": "+12065550142"});
    let found =
        told(&switch, &with_attributes(json!({"Purpose": "GetData"}), carried.clone())).await;
    let wanted = json!({"status": "found", "original_calling_number": "+12065550142",
        "transaction_id": "t-7"});
    assert_eq!(found, wanted);
    let mut parameters = json!({"Purpose": "TransferCall", "Reason": "a human"});
    let event = with_attributes(parameters.clone(), carried);
    assert_eq!(told(&switch, &event).await["status"], "transferring");
    // As parameters of the block, in hexadecimal; the rules say which application it is.
    let uui: String = r#"{"TransactionId":"t-8"}"#.bytes().map(|b| format!("{b:02x}")).collect();
    parameters["User-to-User"] = json!(format!("{uui};encoding=hex"));
    assert_eq!(told(&switch, &event_of(parameters)).await["status"], "transferring");
    let updates = noted.updates.lock().unwrap();
    let of = |at: usize| (updates[at].application.as_str(), updates[at].lease.owner.as_str());
    assert_eq!((of(0), of(1)), (("flow:take-back", "t-7"), ("sma-9", "t-8")));
    let names: Vec<&str> = updates[1].arguments.keys().map(String::as_str).collect();
    assert!(!names.contains(&"User-to-User"), "{names:?}");
    assert_eq!(updates[0].arguments["X-Connect-Contact-Id"], "c1");
}

fn event_of(parameters: Value) -> Value {
    event("c1", parameters)
}

#[tokio::test]
async fn what_cannot_be_a_transaction_is_as_if_it_had_not_come() {
    let switch = Switch::new(rules(), claimed().await, Noted::default());
    for odd in ["", "../x", "a b", &"a".repeat(200)] {
        let event = with_attributes(asks("GetData"), json!({"X-Transaction-Id": odd}));
        assert_eq!(told(&switch, &event).await["transaction_id"], "t1", "{odd}");
    }
}

#[tokio::test]
async fn a_contact_that_was_passed_on_is_told_with_its_first_one() {
    let noted = Noted::default();
    let switch = Switch::new(rules(), claimed().await, noted.clone());
    let mut event = event("c1", asks("TransferCall"));
    event["Details"]["ContactData"]["ContactId"] = json!("c2");
    assert_eq!(told(&switch, &event).await["status"], "transferring");
    let arguments = noted.updates.lock().unwrap()[0].arguments.clone();
    assert_eq!(arguments["X-Connect-Contact-Id"], "c2");
    assert_eq!(arguments["X-Connect-Initial-Contact-Id"], "c1");
}
