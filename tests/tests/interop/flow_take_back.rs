//! `flow:take-back` on a real call: the office holds the caller, moto keeps the pairs, Connect's
//! function runs as on Lambda, and caller, Connect and the desk are telephones.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::boto3::Client;
use offhook_tests::cloud::lambda::Binary;
use offhook_tests::cloud::table;
use offhook_tests::moto::Moto;
use offhook_tests::net::{Net, eventually};
use offhook_tests::python;
use offhook_tests::tone::assert_tone;
use serde_json::{Value, json};

use crate::{last_ladder, office, trunk};

const ENTRY: &str = "+15550100199";
const OURS: &str = "+15550100111";
const CONNECT: &str = "+15550100201";
const CALLER: &str = "+12065550123";

struct Stage {
    appliance: Appliance,
    function: Binary,
    aws: offhook_chime::sdk::Sdk,
    runtime: tokio::runtime::Runtime,
    _moto: Moto,
}

impl Stage {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let moto = Moto::start(python::with_moto());
        let url = moto.url();
        let aws = table::sdk(&url);
        runtime.block_on(table::make(&aws));
        let net = Net::new();
        let api = SocketAddr::from((net.appliance(), 9481));
        let config = trunk(net, "vc", 2, "outbound = false\n")
            + &trunk(net, "other", 4, "outbound = false\n")
            + &trunk(net, "carrier", 5, &format!("caller_id = \"{OURS}\"\n"))
            + &format!(
                "[[number]]\nmatch = \"{ENTRY}\"\nfrom = \"trunks\"\nto = \"flow:take-back\"\n\
                 [aws]\nendpoint = \"{url}\"\naccess_key = \"{}\"\nsecret_key = \"{}\"\n\
                 [dnis]\nour_numbers = [\"{OURS}\"]\nconnect_numbers = [\"{CONNECT}\"]\n\
                 table = \"{}\"\nname = \"office-1\"\notherwise = \"101\"\nwait_seconds = 5\n\
                 [api]\nlisten = \"{api}\"\n",
                table::KEY,
                table::SECRET,
                table::NAME
            );
        let appliance = office(net, &config, &["101"]);
        let client = Client::of(&appliance, api);
        let more = [
            ("AWS_ENDPOINT_URL_CHIME_SDK_VOICE", client.url.as_str()),
            ("AWS_ACCESS_KEY_ID", client.key.as_str()),
            ("AWS_SECRET_ACCESS_KEY", client.secret.as_str()),
        ];
        let function = Binary::start("connect-function", &table::variables(&url, &more));
        Self { appliance, function, aws, runtime, _moto: moto }
    }

    fn setup<'a>(&self, last: u8, user: &'a str) -> Setup<'a> {
        Setup::of(&self.appliance, last, user)
    }

    fn caller(&self) -> Baresip {
        let setup = Setup { ip: self.appliance.net.trunk(), regint: 0, ..self.setup(2, CALLER) };
        let mut caller = Baresip::start(&setup);
        caller.command("dial", &format!("sip:{ENTRY}@{}", self.appliance.sip()));
        caller
    }

    fn connect(&self) -> Baresip {
        Baresip::start(&Setup { regint: 0, ..self.setup(5, CONNECT).tone(600) })
    }

    fn desk(&self) -> Baresip {
        Baresip::registered(&Setup { trace: true, ..self.setup(3, "101").tone(1000) })
    }

    fn ask(&self, purpose: &str) -> Value {
        self.function
            .invoke(json!({"Name": "ContactFlowEvent", "Details": {
                "ContactData": {"ContactId": "c-1", "InitialContactId": "c-1",
                    "CustomerEndpoint": {"Address": OURS, "Type": "TELEPHONE_NUMBER"},
                    "SystemEndpoint": {"Address": CONNECT, "Type": "TELEPHONE_NUMBER"}},
                "Parameters": {"Purpose": purpose, "TransferTarget": "101", "Reason": "billing"}}}))
            .expect("the function never fails")
    }

    fn claimed(&self) -> usize {
        self.runtime.block_on(table::in_use(&self.aws)).len()
    }
}

#[test]
fn the_office_takes_a_caller_back_from_connect_and_the_desk_rings() {
    let stage = Stage::new();
    let (mut desk, mut connect) = (stage.desk(), stage.connect());
    let mut caller = stage.caller();
    let ringing = connect.expect("CALL_INCOMING");
    assert!(ringing["peeruri"].as_str().unwrap_or("").contains(OURS), "{ringing}");
    connect.command("accept", "");
    connect.expect("CALL_ESTABLISHED");
    caller.expect("CALL_ESTABLISHED");
    assert_eq!(stage.claimed(), 1);
    assert_eq!(stage.ask("GetData")["original_calling_number"], CALLER);
    caller.hears(600.0, 1.0);
    connect.hears(440.0, 1.0);
    assert_eq!(stage.ask("TransferCall")["status"], "transferring");
    let ringing = desk.expect("CALL_INCOMING");
    assert!(ringing["peeruri"].as_str().unwrap_or("").contains(CALLER), "{ringing}");
    assert!(desk.log().contains("X-Reason: billing"), "{}", desk.log());
    connect.expect("CALL_CLOSED");
    // He is told to hold, and hears the ringing.
    std::thread::sleep(Duration::from_secs(3));
    desk.command("accept", "");
    desk.expect("CALL_ESTABLISHED");
    caller.hears(1000.0, 2.0);
    desk.hears(440.0, 2.0);
    caller.command("hangup", "");
    desk.expect("CALL_CLOSED");
    stage.appliance.assert_nothing_left();
    let ladder = last_ladder(&stage.appliance);
    assert_tone(&caller.heard()[0], 600.0, 1.0);
    assert_tone(&caller.heard()[0], 1000.0, 2.0);
    assert_tone(&connect.heard()[0], 440.0, 1.0);
    assert_tone(&desk.heard()[0], 440.0, 2.0);
    assert_eq!(stage.claimed(), 0, "{ladder}");
    let rang = desk.events.iter().filter(|event| event["type"] == "CALL_INCOMING").count();
    assert_eq!(rang, 1, "{ladder}");
    assert_eq!(stage.ask("TransferCall")["status"], "not_found");
}

#[test]
fn a_second_caller_finds_no_pair_waits_and_is_put_through_to_the_desk_with_an_alarm() {
    let stage = Stage::new();
    let (mut desk, mut connect) = (stage.desk(), stage.connect());
    let mut caller = stage.caller();
    connect.expect("CALL_INCOMING");
    connect.command("accept", "");
    caller.expect("CALL_ESTABLISHED");
    let mut second = Baresip::start(&Setup { regint: 0, ..stage.setup(4, "+12065550199") });
    second.command("dial", &format!("sip:{ENTRY}@{}", stage.appliance.sip()));
    second.expect("CALL_ESTABLISHED");
    let metrics = || {
        let url = format!("http://{}:9480/metrics", stage.appliance.net.appliance());
        let output = std::process::Command::new("curl").args(["-s", &url]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    eventually("the alarm", || metrics().contains("offhook_dnis_is_exhausted 1").then_some(()));
    assert!(metrics().contains("offhook_dnis_exhausted_total 1"));
    assert!(stage.appliance.log().contains("no pair of numbers of [dnis] is free"));
    desk.expect("CALL_INCOMING");
    desk.command("accept", "");
    desk.expect("CALL_ESTABLISHED");
    desk.hears(440.0, 1.0);
    second.command("hangup", "");
    desk.expect("CALL_CLOSED");
    caller.command("hangup", "");
    connect.expect("CALL_CLOSED");
    stage.appliance.assert_nothing_left();
    assert_eq!(stage.claimed(), 0);
    assert_tone(&desk.heard()[0], 440.0, 1.0);
}
