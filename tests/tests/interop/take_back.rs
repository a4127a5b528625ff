//! AWS's take-back-and-transfer sample on real calls. Its two functions are written anew here from
//! a description of what they do, faults included; they run behind Lambda's own API, the one that
//! Connect invokes uses boto3, and a Voice Connector, Connect and the desk are telephones.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::boto3::{self, Client};
use offhook_tests::lambda::{self, LambdaServer};
use offhook_tests::net::{Net, eventually};
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::Sipp;
use offhook_tests::tone::assert_tone;
use serde_json::{Value, json};

use crate::{ended_call, last_ladder, office, trunk};

const ENTRY: &str = "+15550100100";
const OURS: &str = "+15550100111";
const CONNECT: &str = "+15550100201";
const DESK: &str = "+15550100300";
const CALLER: &str = "+12065550123";
const CONNECTOR: &str = "arn:aws:chime:us-east-1:111122223333:vc/abcdefghij1234567890ab";

/// A row of the integration table.
#[derive(Debug, Clone, Default)]
struct Pair {
    sma_number: String,
    connect_number: String,
    in_use: bool,
    transaction_id: String,
    original_calling_number: String,
}

/// The integration table.
#[derive(Debug, Clone)]
struct Table(Arc<Mutex<Vec<Pair>>>);

impl Table {
    fn of(pairs: &[(&str, &str)]) -> Self {
        let pair = |(ours, connect): &(&str, &str)| Pair {
            sma_number: (*ours).to_owned(),
            connect_number: (*connect).to_owned(),
            ..Pair::default()
        };
        Self(Arc::new(Mutex::new(pairs.iter().map(pair).collect())))
    }

    fn claim(&self, transaction: &str, caller: &str) -> Option<Pair> {
        let mut pairs = self.0.lock().unwrap();
        let free = pairs.iter_mut().find(|pair| !pair.in_use)?;
        free.in_use = true;
        transaction.clone_into(&mut free.transaction_id);
        caller.clone_into(&mut free.original_calling_number);
        Some(free.clone())
    }

    fn release(&self, attributes: &Value) {
        let mut pairs = self.0.lock().unwrap();
        let ours = pairs.iter_mut().find(|pair| {
            attributes["sma_number"] == *pair.sma_number
                && attributes["connect_number"] == *pair.connect_number
        });
        ours.expect("a pair").in_use = false;
    }

    fn of_numbers(&self, ours: &str, connect: &str) -> Option<Pair> {
        let pairs = self.0.lock().unwrap();
        let mut all = pairs.iter();
        all.find(|pair| pair.sma_number == ours && pair.connect_number == connect).cloned()
    }

    fn in_use(&self) -> usize {
        self.0.lock().unwrap().iter().filter(|pair| pair.in_use).count()
    }
}

fn speak(text: &str, call_id: &Value) -> Value {
    json!({"Type": "Speak", "Parameters": {"Text": text, "CallId": call_id, "Engine": "neural",
        "LanguageCode": "en-US", "TextType": "text", "VoiceId": "Joanna"}})
}

fn hang_up(call_id: &Value) -> Value {
    json!({"Type": "Hangup", "Parameters": {"CallId": call_id}})
}

fn bridge(caller: &Value, endpoint: Value, headers: Option<Value>) -> Value {
    let mut parameters =
        json!({"CallTimeoutSeconds": 30, "CallerIdNumber": caller, "Endpoints": [endpoint]});
    if let Some(headers) = headers {
        parameters["SipHeaders"] = headers;
    }
    json!({"Type": "CallAndBridge", "Parameters": parameters})
}

/// The function of the SIP media application.
fn media_application(event: &Value, table: &Table) -> Result<Value, (String, String)> {
    let details = &event["CallDetails"];
    let parties = details["Participants"].as_array().cloned().unwrap_or_default();
    let first = parties[0]["CallId"].clone();
    let mut kept = match &details["TransactionAttributes"] {
        Value::Object(_) => details["TransactionAttributes"].clone(),
        _ => json!({}),
    };
    let mut actions = Vec::new();
    let data = &event["ActionData"];
    let busy = |kept: &Value| kept["active_call_to_connect"] == "true";
    match event["InvocationEventType"].as_str().unwrap_or_default() {
        "NEW_INBOUND_CALL" => {
            let caller = parties[0]["From"].as_str().unwrap_or_default();
            let transaction = details["TransactionId"].as_str().unwrap_or_default();
            let Some(pair) = table.claim(transaction, caller) else {
                return Err(("ValueError".into(), "No available items found".into()));
            };
            kept = json!({"sma_number": pair.sma_number, "connect_number": pair.connect_number,
                "original_calling_number": caller, "active_call_to_connect": "true"});
            let to = json!({"BridgeEndpointType": "PSTN", "Uri": pair.connect_number});
            actions.push(speak("We go to the contact center.", &first));
            actions.push(bridge(&kept["sma_number"], to, None));
        }
        "ACTION_SUCCESSFUL" if data["Type"] == "Hangup" && kept["transfer"] == "true" => {
            let to = json!({"BridgeEndpointType": "AWS", "Arn": kept["target_arn"],
                "Uri": kept["target_number"]});
            let headers = json!({"X-Original-Calling-Number": kept["original_calling_number"]});
            actions.push(speak("Please hold the line.", &first));
            actions.push(bridge(&kept["sma_number"], to, Some(headers)));
        }
        "HANGUP" => {
            let leg = &data["Parameters"]["ParticipantTag"];
            if leg == "LEG-A" {
                if let Some(other) = parties.get(1) {
                    actions.push(hang_up(&other["CallId"]));
                }
            } else if kept["transfer"] != "true" {
                let caller = parties.iter().find(|party| party["ParticipantTag"] == "LEG-A");
                actions.extend(caller.map(|caller| hang_up(&caller["CallId"])));
            } else {
                return Ok(reply(actions, kept));
            }
            if busy(&kept) {
                kept["active_call_to_connect"] = "false".into();
                table.release(&kept);
            }
        }
        "CALL_UPDATE_REQUESTED" => {
            let told = &data["Parameters"]["Arguments"];
            kept["target_number"] = told["TransferTarget"].clone();
            kept["target_arn"] = told["TransferTargetArn"].clone();
            kept["transfer"] = "true".into();
            kept["active_call_to_connect"] = "false".into();
            table.release(&kept);
            actions.push(hang_up(&parties[1]["CallId"]));
        }
        _ => {}
    }
    Ok(reply(actions, kept))
}

fn reply(actions: Vec<Value>, kept: Value) -> Value {
    json!({"SchemaVersion": "1.0", "Actions": actions, "TransactionAttributes": kept})
}

/// The function that the contact flow invokes. What boto3 raises is its error.
fn contact_flow_function(
    event: &Value,
    table: &Table,
    api: &Client,
) -> Result<Value, (String, String)> {
    let told = &event["Details"]["Parameters"];
    let text = |key: &str| told[key].as_str().unwrap_or_default();
    let pair = table.of_numbers(text("CallingNumber"), text("CalledNumber"));
    let pair = pair.ok_or_else(|| ("TypeError".to_owned(), "no such pair".to_owned()))?;
    match text("Purpose") {
        "GetData" => Ok(json!({"original_calling_number": pair.original_calling_number})),
        "TransferCall" => {
            let arguments = json!({"TransferTarget": DESK, "TransferTargetArn": CONNECTOR,
                "Transfer": "true"});
            let answer = api.update("lambda:sma", &pair.transaction_id, &arguments);
            match answer["error"].as_str() {
                None => Ok(json!({"message": format!("calling {}", pair.transaction_id)})),
                Some(error) => Err((error.to_owned(), answer["message"].to_string())),
            }
        }
        _ => Ok(json!({})),
    }
}

/// Everything but the people.
struct Stage {
    appliance: Appliance,
    server: LambdaServer,
    table: Table,
}

impl Stage {
    /// `slow`: how long the application's function thinks about an update.
    fn new(net: Net, slow: Duration) -> Self {
        let api = SocketAddr::from((net.appliance(), 9481));
        let server = LambdaServer::start((net.ip(6), 0).into());
        let config = trunk(net, "vc", 2, "outbound = false\n")
            + &trunk(net, "carrier", 5, &format!("caller_id = \"{OURS}\"\n"))
            + &format!(
                "[[number]]\nmatch = \"{ENTRY}\"\nfrom = \"trunks\"\nto = \"lambda:sma\"\n\
                 [[number]]\nmatch = \"{DESK}\"\nfrom = \"trunks\"\nto = \"extension:101\"\n\
                 [aws]\naccount = \"111122223333\"\naccess_key = \"{}\"\nsecret_key = \"{}\"\n\
                 [[lambda]]\nname = \"sma\"\nendpoint = \"{}\"\n\
                 function = \"arn:aws:lambda:us-east-1:111122223333:function:smaHandler\"\n\
                 [api]\nlisten = \"{api}\"\n",
                lambda::KEY,
                lambda::SECRET,
                server.url()
            );
        let appliance = office(net, &config, &["101"]);
        let table = Table::of(&[(OURS, CONNECT)]);
        let rows = table.clone();
        server.function("smaHandler", move |event| {
            if event["InvocationEventType"] == "CALL_UPDATE_REQUESTED" {
                std::thread::sleep(slow);
            }
            media_application(&event, &rows)
        });
        let (rows, api) = (table.clone(), Client::of(&appliance, api));
        server.function("connectLambda", move |event| contact_flow_function(&event, &rows, &api));
        Self { appliance, server, table }
    }

    /// Somebody in the telephone network calls by way of the Voice Connector.
    fn caller(&self) -> Baresip {
        let setup = Setup { ip: self.appliance.net.trunk(), ..self.setup(2, CALLER) };
        let mut caller = Baresip::start(&Setup { regint: 0, ..setup });
        caller.command("dial", &format!("sip:{ENTRY}@{}", self.appliance.sip()));
        caller.expect("CALL_ESTABLISHED");
        caller
    }

    fn connect(&self) -> Baresip {
        let setup = self.setup(5, CONNECT).tone(600);
        Baresip::start(&Setup { regint: 0, ..setup })
    }

    fn desk(&self) -> Baresip {
        Baresip::registered(&Setup { trace: true, ..self.setup(3, "101").tone(1000) })
    }

    fn setup<'a>(&self, last: u8, user: &'a str) -> Setup<'a> {
        Setup::of(&self.appliance, last, user)
    }

    /// What the contact flow has its function do.
    fn invoke(&self, ours: &str, purpose: &str) -> Result<Value, Value> {
        let event = json!({"Name": "ContactFlowEvent", "Details": {"Parameters": {
            "CallingNumber": ours, "CalledNumber": CONNECT, "Purpose": purpose}}});
        boto3::invoke(&self.server.url(), "connectLambda", &event)
    }

    /// What the application was told: type, and what it was about.
    fn told(&self) -> Vec<String> {
        let words = |event: &Value| {
            let data = &event["ActionData"];
            let leg = data["Parameters"]["ParticipantTag"].as_str().unwrap_or_default();
            let kind = event["InvocationEventType"].as_str().unwrap_or_default();
            let about = data["Type"].as_str().unwrap_or_default();
            format!("{kind} {about} {leg}").trim().to_owned()
        };
        self.server.invoked("smaHandler").iter().map(words).collect()
    }

    /// The caller is at Connect. Gives the number that Connect sees.
    fn at_connect(connect: &mut Baresip) -> String {
        let ringing = connect.expect("CALL_INCOMING");
        connect.command("accept", "");
        connect.expect("CALL_ESTABLISHED");
        let shown = ringing["peeruri"].as_str().unwrap_or_default();
        let shown = shown.trim_start_matches("sip:").split('@').next().unwrap_or_default();
        shown.to_owned()
    }
}

#[test]
fn the_functions_of_aws_s_sample_take_a_call_back_from_connect_and_hand_it_to_the_desk() {
    let net = Net::new();
    let stage = Stage::new(net, Duration::ZERO);
    let (mut desk, mut connect) = (stage.desk(), stage.connect());
    let mut caller = stage.caller();
    let ours = Stage::at_connect(&mut connect);
    assert_eq!(ours, OURS, "Connect sees the number that tells which call it is");
    assert_eq!(stage.table.in_use(), 1);
    assert_eq!(stage.invoke(&ours, "GetData"), Ok(json!({"original_calling_number": CALLER})));
    caller.hears(600.0, 1.0);
    connect.hears(440.0, 1.0);
    stage.invoke(&ours, "TransferCall").unwrap();
    // The flow disconnects at once, as in the sample; the appliance is faster, or not.
    connect.command("hangup", "");
    let ringing = desk.expect("CALL_INCOMING");
    assert!(ringing["peeruri"].as_str().unwrap_or("").contains(CALLER), "{ringing}");
    let header = format!("X-Original-Calling-Number: {CALLER}");
    assert!(desk.log().contains(&header), "{}", desk.log());
    connect.expect("CALL_CLOSED");
    desk.command("accept", "");
    desk.expect("CALL_ESTABLISHED");
    caller.hears(1000.0, 2.0);
    desk.hears(440.0, 2.0);
    caller.command("hangup", "");
    desk.expect("CALL_CLOSED");
    stage.appliance.assert_nothing_left();
    assert_eq!(
        stage.told(),
        [
            "NEW_INBOUND_CALL",
            "ACTION_SUCCESSFUL CallAndBridge LEG-A",
            "CALL_UPDATE_REQUESTED CallUpdateRequest",
            "HANGUP Hangup LEG-B",
            "ACTION_SUCCESSFUL Hangup LEG-B",
            "ACTION_SUCCESSFUL CallAndBridge LEG-A",
            "HANGUP Hangup LEG-A",
            "HANGUP Hangup LEG-B",
        ],
        "{}",
        last_ladder(&stage.appliance)
    );
    let of_leg_b = &stage.server.invoked("smaHandler")[3];
    assert_eq!(of_leg_b["CallDetails"]["TransactionAttributes"]["transfer"], "true");
    // The caller heard Connect, then the desk; both heard the caller.
    assert_tone(&caller.heard()[0], 600.0, 1.0);
    assert_tone(&caller.heard()[0], 1000.0, 2.0);
    assert_tone(&connect.heard()[0], 440.0, 1.0);
    assert_tone(&desk.heard()[0], 440.0, 2.0);
    let rang = desk.events.iter().filter(|event| event["type"] == "CALL_INCOMING").count();
    assert_eq!(rang, 1, "the hangup after a transfer makes no second one");
    assert_eq!(stage.table.in_use(), 0);
    // Of a call that is over, whoever asks for it is told so.
    let error = stage.invoke(&ours, "TransferCall").unwrap_err();
    assert_eq!(error["errorType"], "NotFoundException", "{error}");
    let ladder = last_ladder(&stage.appliance);
    assert!(ladder.contains("the call is updated from outside"), "{ladder}");
}

#[test]
fn connect_may_hang_up_while_the_application_still_thinks_about_the_transfer() {
    let net = Net::new();
    // Connect is quicker, and so long no answer is waited for in vain (five seconds).
    let stage = Stage::new(net, Duration::from_secs(3));
    let (mut desk, mut connect) = (stage.desk(), stage.connect());
    let mut caller = stage.caller();
    let ours = Stage::at_connect(&mut connect);
    stage.invoke(&ours, "TransferCall").unwrap();
    connect.command("hangup", "");
    connect.expect("CALL_CLOSED");
    desk.expect("CALL_INCOMING");
    desk.command("accept", "");
    desk.expect("CALL_ESTABLISHED");
    caller.hears(1000.0, 1.5);
    desk.command("hangup", "");
    // The sample ignores it. Whoever is left hangs up.
    eventually("the desk's end is told", || {
        (stage.told().last()? == "HANGUP Hangup LEG-B" && stage.told().len() > 5).then_some(())
    });
    caller.command("hangup", "");
    stage.appliance.assert_nothing_left();
    assert_eq!(
        stage.told()[2..],
        [
            "CALL_UPDATE_REQUESTED CallUpdateRequest",
            "HANGUP Hangup LEG-B",
            "ACTION_SUCCESSFUL Hangup LEG-B",
            "ACTION_SUCCESSFUL CallAndBridge LEG-A",
            "HANGUP Hangup LEG-B",
            "HANGUP Hangup LEG-A",
        ],
        "{}",
        last_ladder(&stage.appliance)
    );
    assert_tone(&caller.heard()[0], 1000.0, 1.5);
}

#[test]
fn when_connect_hangs_up_before_it_asks_the_call_is_over_and_its_pair_is_free() {
    let net = Net::new();
    let stage = Stage::new(net, Duration::ZERO);
    let mut connect = stage.connect();
    let mut caller = stage.caller();
    let ours = Stage::at_connect(&mut connect);
    connect.command("hangup", "");
    caller.expect("CALL_CLOSED");
    let error = stage.invoke(&ours, "TransferCall").unwrap_err();
    assert_eq!(error["errorType"], "NotFoundException", "{error}");
    assert_eq!(stage.table.in_use(), 0);
    stage.appliance.assert_nothing_left();
}

#[test]
fn a_caller_for_whom_the_function_has_no_number_left_is_told_480_and_the_others_talk_on() {
    let net = Net::new();
    let stage = Stage::new(net, Duration::ZERO);
    let mut connect = stage.connect();
    let mut caller = stage.caller();
    Stage::at_connect(&mut connect);
    let other = Scenario::new("+12065550124", ENTRY).invite("", SDP).refused(480);
    Sipp::start(&other.xml(), (net.trunk(), 5070), stage.appliance.sip(), &[]).finish();
    let call = ended_call(&stage.appliance);
    assert_eq!(call["failure"], "application-failed", "{call}");
    let ladder = last_ladder(&stage.appliance);
    assert!(ladder.contains("No available items found"), "{ladder}");
    connect.hears(440.0, 8.0);
    caller.command("hangup", "");
    connect.expect("CALL_CLOSED");
    stage.appliance.assert_nothing_left();
    assert_tone(&connect.heard()[0], 440.0, 8.0);
    assert_eq!(stage.table.in_use(), 0);
}
