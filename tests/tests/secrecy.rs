//! What must never be read in the journal, however talkative it is: passwords and what stands for
//! them, SRTP keys, and (unless the operator asks) whole telephone numbers.
#![allow(clippy::expect_used, clippy::panic)]

use std::net::{SocketAddr, UdpSocket};

use bytes::Bytes;
use offhook_sip::digest::{self, ha1_md5, ha1_sha256};
use offhook_sip::ids::Ids;
use offhook_sip::message::Message;
use offhook_sip::parse;
use offhook_tests::appliance::Appliance;
use offhook_tests::net::{Net, PATIENCE, eventually};
use offhook_tests::sipp::Sipp;

const SECURE_CALL: &str = include_str!("scenarios/secure_call.xml");
const PASSWORD: &str = "s3cret-pass";
const WRONG: &str = "wr0ng-pass";
const TRUNK_PASSWORD: &str = "trunk-s3cret-pass";
/// National parts of the numbers of the call: they must not show behind any prefix.
const NUMBERS: [&str; 2] = ["2065550123", "5550100999"];

/// An appliance with one phone and a connector, told to say all that it can say.
fn office(log_numbers: &str) -> Appliance {
    let net = Net::new();
    let mut appliance = Appliance::prepare(
        net,
        &format!(
            "[[trunk]]\nname = \"connect\"\ntype = \"voice_connector\"\n\
             host = \"{trunk}:5060\"\nregion = \"us-east-1\"\n\
             username = \"office\"\npassword = \"{TRUNK_PASSWORD}\"\n\
             caller_id = \"+15550100100\"\npeers = [\"{trunk}/32\"]\noptions_seconds = 0\n\
             [[number]]\nmatch = \"+15550100100\"\nto = \"extension:101\"\n",
            trunk = net.trunk()
        ),
    );
    let text = std::fs::read_to_string(appliance.config_path()).expect("configuration");
    let text = text.replacen("[server]", &format!("[server]\n{log_numbers}"), 1);
    std::fs::write(appliance.config_path(), text).expect("configuration");
    appliance.add_phone("101", PASSWORD);
    appliance.launch_with(&[("RUST_LOG", "trace")]);
    appliance
}

/// Registers, and at once again for no time at all: status of each answer to a password.
fn register(appliance: &Appliance, password: &str) -> Vec<u16> {
    let socket = UdpSocket::bind((appliance.net.phone(), 0)).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("timeout");
    let (me, server) = (socket.local_addr().expect("address"), appliance.sip());
    let secret = digest::Secret::Password(password.into());
    let mut client = digest::Client::new("101", secret, Ids::from_os());
    let (mut statuses, tag) = (Vec::new(), password.len());
    for (cseq, expires) in [(1, 60), (2, 60), (3, 0)] {
        let text = format!(
            "REGISTER sip:{server} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {me};branch=z9hG4bK{tag}{cseq};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:101@{server}>;tag=1\r\nTo: <sip:101@{server}>\r\nCall-ID: {me}\r\n\
             CSeq: {cseq} REGISTER\r\nContact: <sip:101@{me}>\r\nExpires: {expires}\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let Ok(Message::Request(mut request)) = parse::datagram(Bytes::from(text)) else {
            panic!("the test writes no request")
        };
        client.authorize(&mut request);
        socket.send_to(&request.to_bytes(), server).expect("sent");
        let response = response(&socket, server);
        statuses.push(response.status.code());
        if response.status.code() == 401 && client.challenged(&request, &response).is_err() {
            break;
        }
    }
    statuses
}

fn response(socket: &UdpSocket, server: SocketAddr) -> offhook_sip::message::Response {
    let mut buffer = [0; 4096];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).expect("an answer");
        let message = parse::datagram(Bytes::copy_from_slice(&buffer[..length]));
        // Lamps are told in between; nobody answers them here.
        if let (Ok(Message::Response(response)), true) = (message, from == server) {
            return response;
        }
    }
}

/// A call with SRTP that nobody answers but the box. Gives what the trunk sent and received.
fn secure_call(appliance: &Appliance) -> String {
    let from = (appliance.net.trunk(), 5060);
    let messages = Sipp::start(SECURE_CALL, from, appliance.sip(), &["-d", "1000"]).finish();
    appliance.assert_nothing_left();
    messages
}

/// The keys of all `a=crypto` lines (RFC 4568 §9.1).
fn keys(messages: &str) -> Vec<&str> {
    let end = |c: char| c.is_whitespace() || c == '|';
    messages.split("inline:").skip(1).filter_map(|rest| rest.split(end).next()).collect()
}

fn assert_silent(place: &str, text: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!text.contains(secret), "{place} tells {secret:?}:\n{text}");
    }
}

#[test]
fn the_journal_at_its_most_talkative_tells_no_secret_and_no_whole_number() {
    let appliance = office("");
    assert_eq!(register(&appliance, WRONG).get(..2), Some(&[401, 403][..]));
    assert_eq!(register(&appliance, PASSWORD), [401, 200, 200]);
    let messages = secure_call(&appliance);
    let keys = keys(&messages);
    assert!(keys.iter().any(|k| *k != keys[0]), "an offered and an answered key: {messages}");

    let (md5, sha256) =
        (ha1_md5("101", "offhook", PASSWORD), ha1_sha256("101", "offhook", PASSWORD));
    let mut secrets =
        vec![PASSWORD, WRONG, TRUNK_PASSWORD, md5.as_hex(), sha256.as_hex(), "inline:"];
    secrets.extend(&keys);
    let log = eventually("the call's end is in the journal", || {
        let log = appliance.log();
        log.contains("call ended").then_some(log)
    });
    assert_silent("the journal", &log, &secrets);
    assert_silent("the journal", &log, &NUMBERS);
    assert!(log.contains("+1555•••0999"), "numbers are masked, not left out: {log}");

    // The operator's own commands tell whole numbers, and still no secret.
    let call = &appliance.json(&["calls", "list"])[0];
    assert_eq!(call["original_caller"], "+12065550123");
    let id = call["id"].as_str().expect("an id");
    for args in [&["calls", "show", id][..], &["status"], &["phone", "list"], &["bans", "list"]] {
        let told = format!("{}{}", appliance.cli(args), appliance.json(args));
        assert_silent(args[0], &told, &secrets);
    }
}

#[test]
fn the_operator_can_ask_for_whole_numbers() {
    let appliance = office("log_numbers = \"full\"");
    secure_call(&appliance);
    eventually("the whole number is in the journal", || {
        appliance.log().contains("+15550100999").then_some(())
    });
}
