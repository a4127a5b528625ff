//! AWS's own client, boto3, at the API of calls: on the real daemon, and on the API alone before a
//! stand-in that notes what reaches the calls.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use offhook::api::Api;
use offhook::api::calls::{ApiError, Arguments, Calls};
use offhook::api::keys::KeyFile;
use offhook_pbx::office::CreateCall;
use offhook_tests::appliance::Appliance;
use offhook_tests::boto3::Client;
use offhook_tests::net::Net;
use serde_json::{Value, json};
use tempfile::TempDir;

fn update(transaction: &str, arguments: &Value) -> Value {
    json!(["update_sip_media_application_call", {"SipMediaApplicationId": "ivr",
        "TransactionId": transaction, "Arguments": arguments}])
}

fn create(more: &Value) -> Value {
    let mut parameters = json!({"SipMediaApplicationId": "ivr",
        "FromPhoneNumber": "+12065550100", "ToPhoneNumber": "+12065550101"});
    parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!(["create_sip_media_application_call", parameters])
}

#[derive(Default)]
struct Noted {
    updates: Mutex<Vec<(String, String, Arguments)>>,
    calls: Mutex<Vec<CreateCall>>,
}

impl Calls for Noted {
    fn update(&self, app: &str, transaction: &str, arguments: Arguments) -> Result<(), ApiError> {
        if transaction == "gone" {
            return Err(ApiError::not_found("there is no such call"));
        }
        let noted = (app.to_owned(), transaction.to_owned(), arguments);
        self.updates.lock().unwrap().push(noted);
        Ok(())
    }

    fn create(&self, call: CreateCall) -> BoxFuture<'_, Result<String, ApiError>> {
        let created = match call.to.as_str() {
            "+12065550199" => Err(ApiError::unavailable("the office takes no new calls")),
            "+12065550198" => Err(ApiError::limit_exceeded("as many calls as it may")),
            _ => Ok("23fe0cf1-fc36-4bdc-976d-3520c0a3ac86".to_owned()),
        };
        self.calls.lock().unwrap().push(call);
        Box::pin(std::future::ready(created))
    }
}

/// The API alone, with one key.
struct Alone {
    folder: TempDir,
    address: SocketAddr,
    noted: Arc<Noted>,
    key: offhook::api::keys::AccessKey,
}

impl Alone {
    fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder, more)
    }

    fn start_in(folder: TempDir, more: &str) -> Self {
        let text = format!(
            "[server]\ndata_dir = {:?}\n[api]\nlisten = \"127.0.0.1:0\"\n{more}",
            folder.path()
        );
        let file = folder.path().join("offhook.toml");
        let config = offhook_config::check(&text, &file).unwrap_or_else(|e| panic!("{e:?}"));
        let key = KeyFile::of(folder.path()).add("test", jiff::Timestamp::now()).unwrap();
        let api = Api::open(&config).unwrap().unwrap();
        let address = api.address().unwrap();
        let noted: Arc<Noted> = Arc::default();
        api.serve(Arc::clone(&noted) as _).unwrap();
        Self { folder, address, noted, key }
    }

    fn client(&self) -> Client {
        let url = format!("http://{}", self.address);
        let (key, secret) = (self.key.id.clone(), self.key.secret.expose().to_owned());
        Client { url, key, secret, ca: None }
    }
}

#[test]
fn boto3_updates_and_begins_calls() {
    let api = Alone::start("");
    let arguments = json!({"TransferTarget": "+12065550102", "": "ü & = ?"});
    let answers = api.client().ask(&json!([
        update("23fe0cf1-fc36", &arguments),
        update("with / and %", &json!({})),
        create(&json!({"SipHeaders": {"X-A": "1"}, "ArgumentsMap": {"a": "b"}})),
    ]));
    let done = |status: u16, transaction: &str| {
        json!({"status": status,
            "answer": {"SipMediaApplicationCall": {"TransactionId": transaction}}})
    };
    let wanted = [
        done(202, "23fe0cf1-fc36"),
        done(202, "with / and %"),
        done(201, "23fe0cf1-fc36-4bdc-976d-3520c0a3ac86"),
    ];
    assert_eq!(answers, wanted);
    let updates = api.noted.updates.lock().unwrap();
    assert_eq!((updates[0].0.as_str(), updates[0].1.as_str()), ("ivr", "23fe0cf1-fc36"));
    assert_eq!(json!(updates[0].2), arguments);
    assert_eq!(updates[1].1, "with / and %");
    let calls = api.noted.calls.lock().unwrap();
    assert_eq!(calls[0].application, "ivr");
    assert_eq!((calls[0].from.as_str(), calls[0].to.as_str()), ("+12065550100", "+12065550101"));
    assert_eq!(json!(calls[0].sip_headers), json!({"X-A": "1"}));
    assert_eq!(json!(calls[0].arguments), json!({"a": "b"}));
}

#[test]
fn boto3_knows_each_error_by_its_class() {
    let api = Alone::start("requests_per_second = 1000\n");
    let many: Value =
        (0..21).map(|n| (n.to_string(), json!(""))).collect::<serde_json::Map<_, _>>().into();
    let cases = [
        (update("gone", &json!({})), 404, "NotFoundException", "no such call"),
        (update("t", &many), 400, "BadRequestException", "less than or equal to 20"),
        (update("t", &json!({"a": 7})), 400, "BadRequestException", "must be a string"),
        (create(&json!({"ToPhoneNumber": "0"})), 400, "BadRequestException", "pattern"),
        (
            create(&json!({"ToPhoneNumber": "+12065550199"})),
            503,
            "ServiceUnavailableException",
            "no new calls",
        ),
        (
            create(&json!({"ToPhoneNumber": "+12065550198"})),
            400,
            "ResourceLimitExceededException",
            "as many calls",
        ),
        (
            json!(["get_sip_media_application", {"SipMediaApplicationId": "ivr"}]),
            404,
            "UnknownOperationException",
            "Offhook has",
        ),
    ];
    let requests: Value = cases.iter().map(|(request, ..)| request.clone()).collect();
    let answers = api.client().ask(&requests);
    for ((request, status, code, words), answer) in cases.iter().zip(&answers) {
        assert_eq!(answer["status"], *status, "{request}: {answer}");
        assert_eq!(answer["code"], *code, "{request}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{answer}");
        assert_eq!(answer["id"].as_str().unwrap().len(), 36, "{answer}");
        // What the model knows has a class of its own.
        let class =
            if *status == 404 && code.starts_with("Unknown") { "ClientError" } else { code };
        assert_eq!(answer["error"], *class);
    }
    assert_eq!(answers.len(), cases.len());
    assert!(api.noted.updates.lock().unwrap().is_empty());
}

#[test]
fn a_stranger_is_not_let_in_and_a_removed_key_no_more() {
    let api = Alone::start("");
    let request = json!([update("t", &json!({}))]);
    let told = |client: &Client| client.ask(&request)[0].clone();
    let wrong = Client { secret: "another".to_owned(), ..api.client() };
    let answer = told(&wrong);
    assert_eq!(
        (&answer["status"], &answer["code"]),
        (&json!(403), &json!("InvalidSignatureException"))
    );
    let unknown = Client { key: "OHAKNOBODY".to_owned(), ..api.client() };
    let answer = told(&unknown);
    assert_eq!(answer["code"], "UnrecognizedClientException");
    assert_eq!(told(&api.client())["status"], 202);
    KeyFile::of(api.folder.path()).remove(&api.key.id).unwrap();
    assert_eq!(told(&api.client())["code"], "UnrecognizedClientException");
    assert_eq!(api.noted.updates.lock().unwrap().len(), 1);
}

#[test]
fn whoever_asks_too_much_is_throttled() {
    let api = Alone::start("requests_per_second = 1\n");
    let requests: Value = (0..6).map(|_| update("t", &json!({}))).collect();
    let answers = api.client().ask(&requests);
    assert_eq!(answers[0]["status"], 202);
    let throttled = answers.iter().find(|answer| answer["status"] == 429).expect("one of them");
    assert_eq!(throttled["error"], "ThrottledClientException");
}

#[test]
fn with_a_certificate_it_speaks_tls() {
    let folder = tempfile::tempdir().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let api = Alone::start_in(folder, "certificate = \"cert.pem\"\nkey = \"key.pem\"\n");
    let ca = api.folder.path().join("cert.pem");
    let url = format!("https://{}", api.address);
    let client = Client { url, ca: Some(ca), ..api.client() };
    assert_eq!(client.ask(&json!([update("t", &json!({}))]))[0]["status"], 202);
}

#[test]
fn the_program_has_the_api_and_the_command_that_makes_its_keys() {
    let net = Net::new();
    let address = SocketAddr::from((net.appliance(), 9481));
    let appliance = Appliance::start_on(net, &format!("[api]\nlisten = \"{address}\"\n"));
    let run = |arguments: &[&str]| appliance.cli(arguments);
    let client = Client::of(&appliance, address);
    let (key, secret) = (client.key.clone(), client.secret.clone());
    let listed = run(&["api-key", "list"]);
    assert!(listed.contains(&key) && listed.contains("test") && !listed.contains(&secret));

    let answers = client.ask(&json!([update("23fe0cf1", &json!({"a": "b"})), create(&json!({}))]));
    assert_eq!(answers[0]["error"], "NotFoundException", "{answers:?}");
    assert_eq!(answers[1]["error"], "BadRequestException", "{answers:?}");
    assert!(answers[1]["message"].as_str().unwrap().contains("ivr"), "{answers:?}");

    run(&["api-key", "remove", &key]);
    let answers = client.ask(&json!([update("23fe0cf1", &json!({}))]));
    assert_eq!(answers[0]["code"], "UnrecognizedClientException");
    assert!(!appliance.log().contains(&secret));
}
