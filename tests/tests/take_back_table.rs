//! The real daemon runs `flow:take-back`, and is asked by the table of pairs (moto's) to move the
//! call: what Connect's function does is done by its own code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use offhook_chime::credentials::{Environment, Source};
use offhook_chime::dnis::{DynamoDbConfig, DynamoDbPool};
use offhook_chime::sdk::Sdk;
use offhook_chime::sigv4::Credentials;
use offhook_chime::take_back::{Switch, SwitchRules, Way};
use offhook_chime::{Aws, AwsConfig, Trust};
use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::PASSWORD;
use offhook_tests::lambda::{KEY, SECRET};
use offhook_tests::moto::Moto;
use offhook_tests::net::{Net, eventually};
use offhook_tests::python;
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::{self, Sipp};
use serde_json::{Value, json};

const ENTRY: &str = "+15550100100";
const OURS: &str = "+15550100111";
const CONNECT: &str = "+15550100201";
const CALLER: &str = "+12065550123";
const CONTACT: &str = "7d1b0f4e-0000-4000-8000-000000000001";
const PATIENCE: Duration = Duration::from_secs(20);

/// The table, and Connect's function beside it.
struct Cloud {
    sdk: Sdk,
    switch: Switch<DynamoDbPool, Way>,
    runtime: tokio::runtime::Runtime,
}

impl Cloud {
    fn make(moto: &Moto) -> Self {
        let config = AwsConfig {
            region: "us-east-1".to_owned(),
            credentials: Source::Fixed(Credentials::new(KEY, SECRET)),
            endpoint: Some(moto.url()),
            endpoints: BTreeMap::new(),
        };
        let aws = Aws::new(config, Trust::system().unwrap(), Environment::of(HashMap::new()));
        let sdk = Sdk::new(aws.unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let pool = DynamoDbPool::new(sdk.clone(), DynamoDbConfig::new("pairs"));
        let rules = SwitchRules {
            application: None,
            target: None,
            country_code: "1".to_owned(),
            deadline: Duration::from_secs(7),
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

fn office(net: Net, moto: &Moto) -> Appliance {
    let trunk = |name: &str, ip: std::net::Ipv4Addr, more: &str| {
        format!(
            "[[trunk]]\nname = \"{name}\"\ntype = \"generic\"\nhost = \"{ip}:5060\"\n\
             transport = \"udp\"\npeers = [\"{ip}/32\"]\noptions_seconds = 0\n{more}"
        )
    };
    let config = trunk("vc", net.trunk(), "outbound = false\n")
        + &trunk("carrier", net.ip(5), &format!("caller_id = \"{OURS}\"\n"))
        + &format!(
            "[[number]]\nmatch = \"{ENTRY}\"\nfrom = \"trunks\"\nto = \"flow:take-back\"\n\
             [aws]\nendpoint = \"{}\"\naccess_key = \"{KEY}\"\nsecret_key = \"{SECRET}\"\n\
             [take_back]\ntable = true\ntable_interval_ms = 100\n\
             [dnis]\nour_numbers = [\"{OURS}\"]\nconnect_numbers = [\"{CONNECT}\"]\n\
             table = \"pairs\"\nname = \"office-1\"\n",
            moto.url()
        );
    let mut appliance = Appliance::prepare(net, &config);
    appliance.add_phone("101", PASSWORD);
    appliance.launch();
    appliance
}

#[test]
fn connects_function_asks_by_the_table_and_the_desk_phone_has_the_caller() {
    let moto = Moto::start(python::with_moto());
    let cloud = Cloud::make(&moto);
    let net = Net::new();
    let appliance = office(net, &moto);
    eventually("the pair is in the table", PATIENCE, || (cloud.rows().len() == 1).then_some(()));
    let (at, sip) = ((net.phone(), 5060), appliance.sip());
    Sipp::register(at, sip, "101", PASSWORD);
    let desk = Scenario::called().receive("INVITE").ringing().answer(SDP).receive("ACK");
    let desk = Sipp::start(&desk.wait(500).bye().xml(), at, sip, &[]);
    let connect = Scenario::called().receive("INVITE").answer(SDP).receive("ACK").expect_bye();
    let connect = Sipp::start(&connect.xml(), (net.ip(5), 5060), sip, &[]);
    let caller = Scenario::new(CALLER, ENTRY).invite("", SDP).answered().ack().expect_bye();
    let caller = Sipp::start(&caller.xml(), (net.trunk(), 5060), sip, &[]);

    // Connect has answered: the flow asks what it is, and has the caller taken back.
    connect.wait_for("ACK sip:");
    let found = cloud.invoke("GetData", "");
    assert_eq!(found["original_calling_number"], CALLER, "{found}");
    let told = cloud.invoke("TransferCall", "101");
    assert_eq!(told["status"], "transferring", "{told}");
    let got = connect.received();
    assert_eq!(sipp::header(sipp::first(&got, "INVITE "), "From").unwrap().contains(OURS), true);
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
    eventually("the pair is free", PATIENCE, || {
        let row = cloud.rows().remove(0);
        let free = row["in_use"]["S"] == "false" && row["update_request"].is_null();
        free.then_some(())
    });
    assert!(appliance.log().contains("a call is updated by the table"), "{}", appliance.log());
    // Whoever asks late is told that there is no such call.
    assert_eq!(cloud.invoke("TransferCall", "101")["status"], "not_found");
}
