//! The real daemon runs `flow:take-back`, and is asked by the table of pairs (moto's) to move the
//! call: what Connect's function does is done by its own code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use offhook_chime::dnis::{DynamoDbConfig, DynamoDbPool};
use offhook_chime::sdk::Sdk;
use offhook_chime::take_back::{Switch, SwitchRules, Way};
use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::PASSWORD;
use offhook_tests::boto3::Client;
use offhook_tests::cloud::table;
use offhook_tests::lambda::{KEY, SECRET};
use offhook_tests::moto::Moto;
use offhook_tests::net::{Net, eventually};
use offhook_tests::python;
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::{self, Sipp};
use offhook_tests::web::{Asked, Says, Web};
use serde_json::{Value, json};
use sha2::Digest as _;

const ENTRY: &str = "+15550100100";
const OURS: &str = "+15550100111";
const CONNECT: &str = "+15550100201";
const CALLER: &str = "+12065550123";
const CONTACT: &str = "7d1b0f4e-0000-4000-8000-000000000001";
const SCREEN_SECRET: &str = "secret-of-the-screens";
/// How long the caller stays, in milliseconds: longer than it takes to have him taken back.
const CALLS: u32 = 15_000;

/// The table, and Connect's function beside it.
struct Cloud {
    sdk: Sdk,
    switch: Switch<DynamoDbPool, Way>,
    runtime: tokio::runtime::Runtime,
}

impl Cloud {
    fn make(moto: &Moto) -> Self {
        let sdk = table::sdk(&moto.url());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let pool = DynamoDbPool::new(sdk.clone(), DynamoDbConfig::new("pairs"));
        let rules = SwitchRules {
            application: None,
            target: None,
            country_code: "1".to_owned(),
            extension_digits: 6,
            transaction_header: "X-Transaction-Id".to_owned(),
            deadline: Duration::from_secs(60),
        };
        let switch = Switch::new(rules, pool.clone(), Way::Table(pool));
        let cloud = Self { sdk, switch, runtime };
        let attribute = |name| json!({"AttributeName": name, "AttributeType": "S"});
        let key = |name, kind| json!({"AttributeName": name, "KeyType": kind});
        cloud.ask(
            "createTable",
            &json!({"TableName": "pairs", "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [attribute("sma_number"), attribute("connect_number")],
                "KeySchema": [key("sma_number", "HASH"), key("connect_number", "RANGE")]}),
        );
        cloud
    }

    fn ask(&self, action: &str, what: &Value) -> Value {
        self.runtime.block_on(self.sdk.call("dynamodb", action, what)).unwrap()
    }

    fn rows(&self) -> Vec<Value> {
        let got = self.ask("scan", &json!({"TableName": "pairs", "ConsistentRead": true}));
        got["Items"].as_array().unwrap().clone()
    }

    /// The block "Invoke AWS Lambda function" of the contact flow.
    fn invoke(&self, purpose: &str, target: &str) -> Value {
        let event = json!({"Name": "ContactFlowEvent", "Details": {
            "ContactData": {"Channel": "VOICE", "ContactId": CONTACT, "InitialContactId": CONTACT,
                "Queue": {"Name": "sales"},
                "CustomerEndpoint": {"Address": OURS, "Type": "TELEPHONE_NUMBER"},
                "SystemEndpoint": {"Address": CONNECT, "Type": "TELEPHONE_NUMBER"}},
            "Parameters": {"Purpose": purpose, "TransferTarget": target, "Reason": "a human"}}});
        Value::Object(self.runtime.block_on(self.switch.handle(&event)))
    }
}

/// The program that is told what phones do: a web server that believes the signature only.
struct Screen {
    web: Web,
    told: Arc<Mutex<Vec<Value>>>,
}

impl Screen {
    fn start() -> Self {
        let told: Arc<Mutex<Vec<Value>>> = Arc::default();
        let log = Arc::clone(&told);
        let web = Web::start(move |asked| {
            if !is_genuine(&asked) {
                return Says::json(401, &json!({}));
            }
            log.lock().unwrap().push(serde_json::from_slice(&asked.body).unwrap());
            Says::no_content()
        });
        Self { web, told }
    }

    fn configuration(&self) -> String {
        let url = format!("http://{}/pops", self.web.address());
        format!("[screen_pop]\nurl = \"{url}\"\nsecret = \"{SCREEN_SECRET}\"\n")
    }

    fn told(&self) -> Vec<Value> {
        self.told.lock().unwrap().clone()
    }
}

/// HMAC-SHA256 (RFC 2104) of the time, a full stop and the body.
fn is_genuine(asked: &Asked) -> bool {
    let signature = asked.header("offhook-signature").unwrap_or_default();
    let Some((time, tag)) = signature.strip_prefix("t=").and_then(|s| s.split_once(",v1=")) else {
        return false;
    };
    let mut pads = [[0x36_u8; 64], [0x5c; 64]];
    for pad in &mut pads {
        for (byte, key) in pad.iter_mut().zip(SCREEN_SECRET.bytes()) {
            *byte ^= key;
        }
    }
    let hash = |parts: &[&[u8]]| {
        let mut hasher = sha2::Sha256::new();
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finalize().to_vec()
    };
    let inner = hash(&[&pads[0], time.as_bytes(), b".", &asked.body]);
    let wanted: String =
        hash(&[&pads[1], &inner]).iter().map(|byte| format!("{byte:02x}")).collect();
    tag == wanted
}

/// `more`: of the configuration.
fn office(net: Net, more: &str) -> Appliance {
    let trunk = |name: &str, ip: std::net::Ipv4Addr, more: &str| {
        format!(
            "[[trunk]]\nname = \"{name}\"\ntype = \"generic\"\nhost = \"{ip}:5060\"\n\
             transport = \"udp\"\npeers = [\"{ip}/32\"]\noptions_seconds = 0\n{more}"
        )
    };
    let config = trunk("vc", net.trunk(), "outbound = false\n")
        + &trunk("carrier", net.ip(5), &format!("caller_id = \"{OURS}\"\n"))
        + &format!(
            "[[number]]\nmatch = \"{ENTRY}\"\nfrom = \"trunks\"\nto = \"flow:take-back\"\n{more}"
        );
    let mut appliance = Appliance::prepare(net, &config);
    appliance.add_phone("101", PASSWORD);
    appliance.launch();
    appliance
}

fn by_table(moto: &Moto) -> String {
    format!(
        "[aws]\nendpoint = \"{}\"\naccess_key = \"{KEY}\"\nsecret_key = \"{SECRET}\"\n\
         [take_back]\ntable = true\ntable_interval_ms = 100\n\
         [dnis]\nour_numbers = [\"{OURS}\"]\nconnect_numbers = [\"{CONNECT}\"]\n\
         table = \"pairs\"\nname = \"office-1\"\n",
        moto.url()
    )
}

#[test]
fn connects_function_asks_by_the_table_and_the_desk_phone_has_the_caller() {
    let moto = Moto::start(python::with_moto());
    let cloud = Cloud::make(&moto);
    let net = Net::new();
    let screen = Screen::start();
    let book = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(book.path(), "Jane \"J\" Doe;(206) 555-0123\n").unwrap();
    let more = format!(
        "{}[dialplan]\ncountry_code = \"1\"\n[phonebook]\nfile = \"{}\"\n{}",
        by_table(&moto),
        book.path().display(),
        screen.configuration()
    );
    let appliance = office(net, &more);
    eventually("the pair is in the table", || (cloud.rows().len() == 1).then_some(()));
    let (at, sip) = ((net.phone(), 5060), appliance.sip());
    Sipp::register(at, sip, "101", PASSWORD);
    let desk =
        Scenario::called().receive("INVITE").respond("180 Ringing", "").answer(SDP).receive("ACK");
    let desk = Sipp::start(&desk.expect_bye().xml(), at, sip, &[]);
    let connect = Scenario::called().receive("INVITE").answer(SDP).receive("ACK").expect_bye();
    let connect = Sipp::start(&connect.xml(), (net.ip(5), 5060), sip, &[]);
    let caller = Scenario::new(CALLER, ENTRY).invite("", SDP).answered().ack().wait(CALLS).bye();
    let caller = Sipp::start(&caller.xml(), (net.trunk(), 5060), sip, &[]);

    // Connect has answered: the flow asks what it is, and has the caller taken back.
    connect.wait_for("ACK sip:");
    let found = cloud.invoke("GetData", "");
    assert_eq!(found["original_calling_number"], CALLER, "{found}");
    let told = cloud.invoke("TransferCall", "101");
    assert_eq!(told["status"], "transferring", "{told}");
    let got = connect.received();
    assert!(sipp::header(sipp::first(&got, "INVITE "), "From").unwrap().contains(OURS));
    let got = desk.received();
    let invite = sipp::first(&got, "INVITE ");
    for (name, value) in [
        ("X-Original-Calling-Number", CALLER),
        ("X-Connect-Contact-Id", CONTACT),
        ("X-Connect-Queue", "sales"),
        ("X-Reason", "a human"),
    ] {
        assert_eq!(sipp::header(invite, name), Some(value), "{invite}");
    }
    caller.finish();
    appliance.assert_nothing_left();
    let from = sipp::header(invite, "From").unwrap();
    let shown = format!("\"Jane \\\"J\\\" Doe (sales)\" <sip:{CALLER}@");
    assert!(from.starts_with(&shown), "{from}");

    // The record ties it all together, and is found by either id.
    let call = appliance.json(&["calls", "list", "--contact", CONTACT])[0].clone();
    let id = call["id"].as_str().unwrap();
    assert_eq!(call["contact_id"], CONTACT);
    assert_eq!(call["transaction_id"], id);
    assert_eq!(appliance.json(&["calls", "list", "--transaction", id])[0]["id"], id);
    assert_eq!(appliance.json(&["calls", "list", "--contact", "c-0"]), json!([]));
    assert!(appliance.cli(&["calls", "show", id]).contains(CONTACT));

    // The program beside the phone was told of each moment, in order and signed.
    let told = eventually("three moments are told", || {
        let told = screen.told();
        (told.len() == 3).then_some(told)
    });
    for (moment, event) in told.iter().zip(["ringing", "answered", "ended"]) {
        assert_eq!(moment["event"], event, "{told:?}");
        assert_eq!(moment["call_id"], id);
        assert_eq!(moment["extension"], "101");
        assert_eq!(moment["original_caller"], CALLER);
        assert_eq!(moment["name"], "Jane \"J\" Doe (sales)");
        assert_eq!(moment["queue"], "sales");
        assert_eq!(moment["contact_id"], CONTACT);
        assert_eq!(moment["attributes"]["X-Reason"], "a human");
    }
    assert_eq!(told[2]["answered"], true);
    eventually("the pair is free", || {
        let row = cloud.rows().remove(0);
        let free = row["in_use"]["S"] == "false" && row["update_request"].is_null();
        free.then_some(())
    });
    assert!(appliance.log().contains("a call is updated by the table"), "{}", appliance.log());
    // Whoever asks late is told that there is no such call.
    assert_eq!(cloud.invoke("TransferCall", "101")["status"], "not_found");
}

#[test]
fn where_the_way_to_connect_keeps_headers_the_transaction_goes_along_and_no_pair_is_needed() {
    let net = Net::new();
    let api = std::net::SocketAddr::from((net.appliance(), 9481));
    let appliance = office(
        net,
        &format!(
            "[take_back]\nconnect = \"{CONNECT}\"\ntrunk = \"carrier\"\n\
             [api]\nlisten = \"{api}\"\n"
        ),
    );
    let program = Client::of(&appliance, api);
    let (at, sip) = ((net.phone(), 5060), appliance.sip());
    Sipp::register(at, sip, "101", PASSWORD);
    let desk = Scenario::called().receive("INVITE").respond("180 Ringing", "").answer(SDP);
    let desk = Sipp::start(&desk.receive("ACK").expect_bye().xml(), at, sip, &[]);
    let connect = Scenario::called().receive("INVITE").answer(SDP).receive("ACK").expect_bye();
    let connect = Sipp::start(&connect.xml(), (net.ip(5), 5060), sip, &[]);
    let caller = Scenario::new(CALLER, ENTRY).invite("", SDP).answered().ack().wait(CALLS).bye();
    let caller = Sipp::start(&caller.xml(), (net.trunk(), 5060), sip, &[]);
    connect.wait_for("ACK sip:");
    let messages = sipp::received(&connect.messages());
    let invite = sipp::first(&messages, "INVITE ");
    let transaction = sipp::header(invite, "X-Transaction-Id").expect("a transaction").to_owned();
    assert_eq!(sipp::header(invite, "X-Original-Calling-Number"), Some(CALLER));
    assert!(invite.starts_with(&format!("INVITE sip:{CONNECT}@")), "{invite}");
    let arguments = json!({"TransferTarget": "101", "X-Connect-Contact-Id": CONTACT});
    let told = program.update("flow:take-back", &transaction, &arguments);
    assert!(told["error"].is_null(), "{told}");
    desk.finish();
    connect.finish();
    caller.finish();
    appliance.assert_nothing_left();
    let call = appliance.json(&["calls", "list", "--contact", CONTACT])[0].clone();
    assert_eq!(call["id"], transaction.as_str());
}
