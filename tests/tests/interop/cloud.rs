//! A real phone gives callers back to AWS: signed requests to a server that checks them.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, PASSWORD, Setup};
use offhook_tests::net::Net;
use offhook_tests::sipp::Sipp;
use offhook_tests::tone::{likeness, read_wav, seconds_of_sound};
use offhook_tests::web::{Asked, Says, Web};
use serde_json::{Value, json};

use crate::speech::espeak;
use crate::{ended_call, line, office};

const CALL: &str = include_str!("../scenarios/connect_call.xml");
const ATTENDED: &str = include_str!("../scenarios/attended_transfer.xml");
const CONTACT: &str = "X-Amzn-ConnectContactId: 7d1b0f4e-0000-4000-8000-000000000001";
const KEY: &str = "AKIACLOUDTEST";
const SECRET: &str = "secret-of-the-cloud-of-tests";

/// AWS, as a desk asks it: what was asked with a good signature.
struct Cloud {
    web: Web,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Cloud {
    fn start() -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let web = Web::start(move |request| match signed(&request) {
            Ok(()) => {
                let what = format!("{} {}", request.method, request.path);
                heard.lock().unwrap().push((what, request.json()));
                Says::json(202, &json!({"SipMediaApplicationCall": {"TransactionId": "t-1"}}))
            }
            Err(words) => Says::json(403, &json!({"Code": "Forbidden", "Message": words})),
        });
        Self { web, asked }
    }

    fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }

    fn office(&self, net: Net, cloud: &str) -> Appliance {
        let config = format!(
            "[aws]\nendpoint = \"{}\"\naccess_key = \"{KEY}\"\nsecret_key = \"{SECRET}\"\n\
             [cloud]\ntransfers = true\ntrunks = [\"line\"]\n{cloud}{}",
            self.web.url(),
            line(net, "extension:101"),
        );
        office(net, &config, &["101"])
    }
}

fn signed(asked: &Asked) -> Result<(), String> {
    let service = if asked.path.starts_with("/contact/") { "connect" } else { "chime" };
    let verified = asked.signed(service, Timestamp::now(), (KEY, SECRET));
    verified.map(drop).map_err(|error| error.to_string())
}

/// The caller's side hangs up by itself, and not after some seconds.
fn until_bye(scenario: &str) -> String {
    let (talking, _) = scenario.split_once("  <pause/>").unwrap();
    let ok = "SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n\
              [last_CSeq:]\nContent-Length: 0\n\n";
    format!("{talking}  <recv request=\"BYE\"/>\n  <send><![CDATA[\n{ok}]]></send>\n</scenario>\n")
}

#[test]
fn a_phone_gives_a_caller_back_to_his_sip_media_application() {
    let (net, cloud) = (Net::new(), Cloud::start());
    let appliance = cloud.office(net, "");
    let mut desk =
        Baresip::registered(&Setup::of(&appliance, 3, "101").account(";answermode=auto"));
    let named = CALL.replace(CONTACT, "X-Transaction-Id: t-1\nX-Sip-Media-Application-Id: a-1");
    let caller = Sipp::start(&named, (net.trunk(), 5060), appliance.sip(), &["-d", "6000"]);
    desk.expect("CALL_ESTABLISHED");
    desk.command("transfer", &format!("sip:+15557770000@{}", appliance.sip()));
    // The service hangs up when it bridges the caller.
    caller.finish();
    desk.expect("CALL_CLOSED");
    let path = "POST /sip-media-applications/a-1/calls/t-1".to_owned();
    let body = json!({"Arguments": {"TransferTarget": "+15557770000"}});
    assert_eq!(cloud.asked(), [(path, body)]);
    let call = ended_call(&appliance);
    assert_eq!(call["destination"], "cloud:+15557770000", "{call}");
    assert_eq!(call["transfers"][0]["status"], 200, "{call}");
    appliance.assert_nothing_left();
}

#[test]
fn a_phone_gives_a_caller_back_to_connects_flow_with_attributes() {
    let (net, cloud) = (Net::new(), Cloud::start());
    let texts = "attributes = { desk = \"{extension}\", to = \"{target}\" }\n";
    let appliance = cloud.office(net, texts);
    let mut desk =
        Baresip::registered(&Setup::of(&appliance, 3, "101").account(";answermode=auto"));
    let arn = "X-Amzn-SourceArn: arn:aws:connect:us-east-1:111122223333:instance/i-1";
    let named = CALL.replace(CONTACT, &format!("{CONTACT}\n{arn}"));
    let caller = Sipp::start(&until_bye(&named), (net.trunk(), 5060), appliance.sip(), &[]);
    desk.expect("CALL_ESTABLISHED");
    desk.command("transfer", &format!("sip:*8@{}", appliance.sip()));
    caller.finish();
    desk.expect("CALL_CLOSED");
    let body = json!({
        "InstanceId": "i-1", "InitialContactId": "7d1b0f4e-0000-4000-8000-000000000001",
        "Attributes": {"desk": "101", "to": ""}
    });
    assert_eq!(cloud.asked(), [("POST /contact/attributes".to_owned(), body)]);
    let call = ended_call(&appliance);
    assert_eq!(call["destination"], "cloud:connect", "{call}");
    assert_eq!(call["transfers"][0]["status"], 200, "{call}");
    appliance.assert_nothing_left();
}

/// Who was asked hears words of six seconds for three of them; then the line is free.
#[test]
fn who_was_asked_hears_that_the_caller_rings_and_is_hung_up_on_before_the_cloud_has_him() {
    const WORDS: &str = "The caller rings you now. Please take the call that comes in a moment, \
                         and thank you very much for your patience with all of us.";
    let (net, cloud) = (Net::new(), Cloud::start());
    let out = format!(
        "attended = \"move\"\nattended_words = \"{WORDS}\"\n\
         [[trunk]]\nname = \"out\"\ntype = \"generic\"\nhost = \"{}:5060\"\n\
         transport = \"udp\"\norder = 0\noptions_seconds = 0\ncaller_id = \"+15550100100\"\n",
        net.ip(8)
    );
    let appliance = cloud.office(net, &out);
    Sipp::register((net.ip(3), 5060), appliance.sip(), "101", PASSWORD);
    let asks = ATTENDED.replace("sip:102@", "sip:+15557770000@");
    let desk = Sipp::start(&asks, (net.ip(3), 5060), appliance.sip(), &[]);
    let asked = Setup::of(&appliance, 8, "+15557770000").account(";answermode=auto");
    let mut asked = Baresip::start(&Setup { regint: 0, ..asked });
    let named = CALL.replace(CONTACT, "X-Transaction-Id: t-1\nX-Sip-Media-Application-Id: a-1");
    let caller = Sipp::start(&named, (net.trunk(), 5060), appliance.sip(), &["-d", "12000"]);
    asked.expect("CALL_ESTABLISHED");
    asked.expect("CALL_CLOSED");
    // The caller is here still: the service hangs up when it bridges him.
    let calls = appliance.json(&["calls", "list"]);
    assert_eq!(calls.as_array().unwrap().iter().filter(|c| c["ended_ms"].is_null()).count(), 1);
    caller.finish();
    let messages = desk.received();
    let reports: Vec<&str> =
        messages.iter().filter_map(|m| m.lines().find(|l| l.starts_with("SIP/2.0 "))).collect();
    assert!(reports.contains(&"SIP/2.0 183 The cloud moves the call"), "{reports:?}");
    assert!(reports.contains(&"SIP/2.0 200 OK"), "{reports:?}");
    let body = json!({"Arguments": {"TransferTarget": "+15557770000"}});
    assert_eq!(cloud.asked(), [("POST /sip-media-applications/a-1/calls/t-1".to_owned(), body)]);
    let (samples, rate) = read_wav(&asked.heard()[0]);
    let spoken = espeak(WORDS);
    let found = likeness(&spoken[..2 * 8_000], &samples);
    assert!(found > 0.8, "who was asked heard something else: {found}");
    let heard = seconds_of_sound(&samples, rate);
    assert!(seconds_of_sound(&spoken, 8_000) > 5.0 && heard < 3.5, "{heard} s");
    appliance.assert_nothing_left();
}
