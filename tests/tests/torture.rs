//! What the whole appliance answers to each message of RFC 4475 and RFC 5118 that its parser
//! accepts (edge/sip/tests/wire/torture.rs has what it does not).
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../edge/sip/tests/wire/corpus.rs"]
mod corpus;

use std::net::SocketAddr;
use std::time::Duration;

use offhook_sip::message::{Message, StatusCode};
use offhook_sip::parse::datagram;
use offhook_tests::sim::net::{SimNet, Weather};
use offhook_tests::sim::office::{SimOffice, fresh_ports};

const OFFICE: &str = "127.5.0.1:5060";
const PEER: &str = "127.5.0.9";

/// Name, and the final status; `None`: no answer at all. The sender is a trunk's peer, so that
/// calls come as far as they can.
const TABLE: &[(&str, Option<u16>)] = &[
    ("rfc4475/badaspec", Some(200)),
    ("rfc4475/badbranch", Some(200)),
    ("rfc4475/baddate", Some(404)),
    ("rfc4475/bcast", None),       // a response to nobody
    ("rfc4475/bext01", Some(420)), // Require
    ("rfc4475/cparam01", Some(401)),
    ("rfc4475/cparam02", Some(401)),
    ("rfc4475/dblreq", Some(401)),
    ("rfc4475/esc01", Some(404)),
    ("rfc4475/esc02", Some(501)), // its method is no REGISTER
    ("rfc4475/escnull", Some(401)),
    ("rfc4475/intmeth", Some(501)), // an unknown method
    ("rfc4475/inv2543", Some(400)), // no tag in From
    ("rfc4475/invut", Some(415)),   // a body of no use
    ("rfc4475/longreq", Some(404)),
    ("rfc4475/lwsdisp", Some(200)),
    ("rfc4475/mpart01", Some(405)), // MESSAGE
    ("rfc4475/noreason", None),     // a response to nobody
    ("rfc4475/novelsc", Some(416)), // §8.2.2.1 of RFC 3261
    ("rfc4475/regaut01", Some(401)),
    ("rfc4475/regescrt", Some(401)),
    ("rfc4475/sdp01", Some(406)), // Accept without application/sdp
    ("rfc4475/semiuri", Some(200)),
    ("rfc4475/transports", Some(200)),
    ("rfc4475/unkscm", Some(416)), // §8.2.2.1 of RFC 3261
    ("rfc4475/unksm2", Some(400)), // no address of record
    ("rfc4475/unreason", None),    // a response to nobody
    ("rfc4475/wsinv", Some(481)),  // in a dialog that is not there
    ("rfc4475/zeromf", Some(200)), // it came where it was going
    // G.726 passes through where the other side has it: only the number leads nowhere.
    ("rfc5118/ipv4-mapped-ipv6", Some(404)),
    ("rfc5118/ipv6-bug-abnf-3-colons", Some(200)),
    ("rfc5118/ipv6-correct-abnf-2-colons", Some(200)),
    ("rfc5118/ipv6-good", Some(401)),
    ("rfc5118/ipv6-in-sdp", Some(488)),
    ("rfc5118/mult-ip-in-header", Some(481)), // in a dialog that is not there
    ("rfc5118/mult-ip-in-sdp", Some(404)),
    ("rfc5118/port-ambiguous", Some(401)),
    ("rfc5118/port-unambiguous", Some(401)),
    ("rfc5118/via-received-param-no-delim", Some(200)),
    ("rfc5118/via-received-param-with-delim", Some(481)), // in a dialog that is not there
];

/// The final answer to one message of a trunk's peer.
async fn answer(name: &str) -> Option<u16> {
    let net = SimNet::start(1, Weather::CALM);
    let office = SimOffice::open(
        &net,
        &format!(
            "[[listen]]\ntransport = \"udp\"\naddress = \"{OFFICE}\"\n\
             [media]\nports = \"{}\"\naddress = \"127.0.0.1\"\n\
             [[trunk]]\nname = \"peer\"\ntype = \"generic\"\nhost = \"{PEER}:5060\"\n\
             options_seconds = 0\n",
            fresh_ports()
        ),
    );
    let octets = corpus::load(name);
    // RFC 3261 §18.2.2: the answer goes to the port in Via.
    let port = match datagram(octets.clone()) {
        Ok(Message::Request(request)) => request.top_via().unwrap().sent_by.port.unwrap_or(5060),
        _ => 5060,
    };
    let peer = SocketAddr::new(PEER.parse().unwrap(), port);
    let mut inbox = net.inbox(peer);
    net.send(peer, OFFICE.parse().unwrap(), octets);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let mut last = None;
    while let Ok(packet) = inbox.try_recv() {
        if let Ok(Message::Response(response)) = datagram(packet.bytes)
            && response.status != StatusCode::TRYING
        {
            last = Some(response.status.code());
        }
    }
    drop(office);
    net.close();
    last
}

#[tokio::test(start_paused = true)]
async fn every_message_of_the_rfcs_gets_its_answer() {
    let accepted = |(name, octets)| datagram(octets).is_ok().then_some(name);
    let names: Vec<String> = corpus::all().into_iter().filter_map(accepted).collect();
    let mut wrong = Vec::new();
    for name in &names {
        let row = TABLE.iter().find(|row| row.0 == name);
        let got = answer(name).await;
        if row.map(|row| row.1) != Some(got) {
            wrong.push(format!("(\"{name}\", {got:?}),"));
        }
    }
    assert!(wrong.is_empty() && TABLE.len() == names.len(), "{}", wrong.join("\n"));
}
