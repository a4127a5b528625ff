//! Defects that peers have, each seen in the source or the issues of one, kept out from outside:
//! what a phone or a Voice Connector would notice.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::time::Duration;

use offhook_sip::header::HeaderName;
use offhook_sip::message::{Method, Request};
use offhook_sip::session::{EndedBy, SessionEvent};
use offhook_tests::sim::agent::{Agent, AgentConfig, Dial, Left};
use offhook_tests::sim::line::Line;
use offhook_tests::sim::net::{SimNet, Weather};
use offhook_tests::sim::office::{self, Leftovers, SimOffice};
use offhook_tests::sim::sdp::Direction;

const EDGE: SocketAddr =
    SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(127, 3, 0, 1), 5060));

fn config(more: &str) -> String {
    let mut text = format!(
        "[server]\nrealm = \"sim\"\n\
         [[listen]]\ntransport = \"udp\"\naddress = \"127.0.0.1:5060\"\n\
         [media]\nports = \"{}\"\n\
         [dialplan]\nemergency = [\"110\", \"911\"]\n\
         [sip]\n{more}\n\
         [[trunk]]\nname = \"connect\"\ntype = \"voice_connector\"\nhost = \"{EDGE}\"\n\
         transport = \"udp\"\nregion = \"us-east-1\"\npeers = [\"127.3.0.1\"]\n\
         caller_id = \"+12125550100\"\n\
         [[group]]\nname = \"all\"\nnumber = \"600\"\nmembers = [\"101\", \"102\", \"103\"]\n\
         ring_seconds = 15\n\
         [[number]]\nmatch = \"+12125550101\"\nfrom = \"trunks\"\nto = \"extension:101\"\n\
         [[number]]\nmatch = \"+12125550600\"\nfrom = \"trunks\"\nto = \"group:all\"\n",
        office::fresh_ports()
    );
    for number in ["101", "102", "103"] {
        text += &format!(
            "[[extension]]\nnumber = \"{number}\"\npassword = \"of-{number}\"\nvoicemail = false\n"
        );
    }
    text
}

struct Lab {
    net: SimNet,
    office: SimOffice,
    phones: Vec<Agent>,
    edge: Agent,
}

impl Lab {
    async fn with(more: &str) -> Self {
        let net = SimNet::start(1, Weather::CALM);
        let office = SimOffice::open(&net, &config(more));
        let mut phones = Vec::new();
        for (last, number) in [(1, "101"), (2, "102"), (3, "103")] {
            let address: SocketAddr = ([127, 1, 0, last], 5060).into();
            let password = format!("of-{number}");
            let config = AgentConfig::phone(address, number, &password, office.address);
            phones.push(Agent::start(&net, config));
        }
        // As a Voice Connector: a private Contact behind a Record-Route.
        let mut edge = AgentConfig::carrier(EDGE, "+13105550199", office.address);
        edge.record_route = true;
        edge.contact = Some(([10, 0, 58, 47], 5060).into());
        let edge = Agent::start(&net, edge);
        for phone in &phones {
            phone.register(3_600).await;
        }
        Self { net, office, phones, edge }
    }

    /// 101 calls 102, who answers.
    async fn talk(&self) -> (Line, Line) {
        let mut out = self.phones[0].dial(Dial::to("102"));
        let mut back = self.phones[1].call().await;
        back.answer();
        out.answered().await;
        back.confirmed().await;
        (out, back)
    }

    /// A call to the group rings at every phone.
    async fn all_ring(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for phone in &self.phones {
            let line = phone.call().await;
            line.ring();
            lines.push(line);
        }
        lines
    }

    async fn nothing_is_left(&self) {
        let left = self.office.settle().await;
        assert_eq!(left, Leftovers::default(), "{}", self.office.ladder(""));
        for agent in self.phones.iter().chain([&self.edge]) {
            assert_eq!(agent.left().await, Left::default());
        }
        assert_eq!(self.net.strays(), Vec::<SocketAddr>::new());
        self.net.close();
    }
}

fn text(request: &Request, name: &str) -> String {
    let name = HeaderName::parse(name.as_bytes()).unwrap();
    request.headers.text(&name).map(std::borrow::Cow::into_owned).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_hold_is_answered_recvonly_and_hangs_nobody_up() {
    let lab = Lab::with("").await;
    let (mut out, mut back) = lab.talk().await;
    for line in [&mut out, &mut back] {
        for (offer, answer) in [
            (Direction::SendOnly, Direction::RecvOnly),
            (Direction::Inactive, Direction::Inactive),
            (Direction::SendRecv, Direction::SendRecv),
        ] {
            line.reinvite(offer);
            assert_eq!(Direction::of(&line.offer_accepted().await), answer, "{offer:?}");
            tokio::time::sleep(Duration::from_secs(70)).await;
        }
        line.update(Direction::SendOnly);
        assert_eq!(Direction::of(&line.offer_accepted().await), Direction::RecvOnly);
        line.ask_for_offer();
        line.offered().await;
    }
    tokio::time::sleep(Duration::from_secs(70)).await;
    out.hang_up();
    assert_eq!(back.ended().await.by, EndedBy::Remote);
    out.ended().await;
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_voice_connector_call_outlives_30_seconds_and_ends_over_its_record_route() {
    let lab = Lab::with("").await;
    let mut out = lab.edge.dial(Dial::to("+12125550101"));
    let mut back = lab.phones[0].call().await;
    back.answer();
    out.answered().await;
    back.confirmed().await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    back.hang_up();
    assert_eq!(out.ended().await.by, EndedBy::Remote);
    back.ended().await;
    let byes = lab.net.messages("BYE sip:");
    let (.., bye) = byes.iter().find(|(_, to, _)| *to == EDGE).expect("a BYE to the edge");
    assert!(bye.starts_with("BYE sip:+13105550199@10.0.58.47:5060 SIP/2.0"), "{bye}");
    assert!(bye.contains("Route: <sip:127.3.0.1:5060;lr>"), "{bye}");
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn the_ack_to_a_voice_connector_goes_to_its_record_route_with_the_private_contact() {
    let lab = Lab::with("").await;
    let mut out = lab.phones[0].dial(Dial::to("+14155550123"));
    let mut back = lab.edge.call().await;
    assert_eq!(back.invite.as_ref().unwrap().uri.user_decoded().unwrap(), "+14155550123");
    back.progress(183, true);
    out.progressed(183).await;
    back.answer();
    out.answered().await;
    back.confirmed().await;
    let acks = lab.net.messages("ACK sip:");
    let (.., ack) = acks.iter().rfind(|(_, to, _)| *to == EDGE).expect("an ACK to the edge");
    assert!(ack.starts_with("ACK sip:+13105550199@10.0.58.47:5060 SIP/2.0"), "{ack}");
    assert!(ack.contains("Route: <sip:127.3.0.1:5060;lr>"), "{ack}");
    tokio::time::sleep(Duration::from_secs(120)).await;
    out.hang_up();
    assert!(back.ended().await.answered.is_some());
    out.ended().await;
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn an_emergency_number_is_matched_whole() {
    let lab = Lab::with("").await;
    for (dialled, goes_out_as) in [
        ("911", "911"),
        ("110", "110"),
        // The peer whose defect this was sent these to the police.
        ("+12125551101", "+12125551101"),
        ("12125559110", "+12125559110"),
    ] {
        let mut out = lab.phones[0].dial(Dial::to(dialled));
        let mut back = lab.edge.call().await;
        let user = back.invite.as_ref().unwrap().uri.user_decoded().unwrap().into_owned();
        assert_eq!(user, goes_out_as, "dialled {dialled}");
        out.hang_up();
        out.ended().await;
        back.ended().await;
    }
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn the_original_number_is_believed_from_a_trunk_and_from_nobody_else() {
    let lab = Lab::with("").await;
    let claim =
        |dial: Dial| dial.with("X-Original-Calling-Number", "+13105550123").with("X-Case", "7");
    let mut out = lab.edge.dial(claim(Dial::to("+12125550101").from("+13105550199")));
    let mut back = lab.phones[0].call().await;
    let invite = back.invite.clone().unwrap();
    assert!(text(&invite, "From").contains("sip:+13105550123@"), "{}", text(&invite, "From"));
    assert!(text(&invite, "P-Asserted-Identity").contains("+13105550123"));
    assert_eq!(text(&invite, "X-Original-Calling-Number"), "+13105550123");
    assert_eq!(text(&invite, "X-Case"), "7");
    back.answer();
    out.answered().await;
    out.hang_up();
    back.ended().await;
    out.ended().await;
    let record = lab.office.keep.records().pop().unwrap();
    assert_eq!(record.from, "+13105550199");
    assert_eq!(record.original_caller.as_deref(), Some("+13105550123"));

    let mut out = lab.phones[1].dial(claim(Dial::to("101").from("+13105550123")));
    let mut back = lab.phones[0].call().await;
    let invite = back.invite.clone().unwrap();
    assert!(text(&invite, "From").contains("sip:102@"), "{}", text(&invite, "From"));
    assert_eq!(text(&invite, "X-Original-Calling-Number"), "");
    back.reject(486);
    back.ended().await;
    out.ended().await;
    assert_eq!(lab.office.keep.records().pop().unwrap().original_caller, None);
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn phones_that_did_not_win_hear_that_the_call_was_answered_elsewhere() {
    let lab = Lab::with("").await;
    let mut out = lab.edge.dial(Dial::to("+12125550600"));
    let mut lines = lab.all_ring().await;
    out.progressed(180).await;
    lines[1].answer();
    out.answered().await;
    lines[1].confirmed().await;
    for at in [0, 2] {
        let end = lines[at].ended().await;
        assert_eq!(end.reasons, ["SIP;cause=200;text=\"Call completed elsewhere\""]);
    }
    // A caller who gives up is another thing: nobody may show a call as answered then.
    out.hang_up();
    lines[1].ended().await;
    out.ended().await;
    let mut out = lab.edge.dial(Dial::to("+12125550600"));
    let mut lines = lab.all_ring().await;
    out.progressed(180).await;
    out.hang_up();
    for line in &mut lines {
        let reasons = line.ended().await.reasons;
        assert!(!reasons.iter().any(|reason| reason.contains("elsewhere")), "{reasons:?}");
    }
    out.ended().await;
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_office_and_one_that_drains_say_when_to_come_again() {
    let lab = Lab::with("max_calls = 1").await;
    let (mut out, mut back) = lab.talk().await;
    let mut second = lab.phones[2].dial(Dial::to("102"));
    let refusal = second.rejected().await;
    assert_eq!(refusal.status.code(), 503);
    assert!(refusal.headers.has(&HeaderName::RetryAfter));

    lab.office.calls.drain();
    out.hang_up();
    back.ended().await;
    out.ended().await;
    lab.office.calls.idle().await;
    let mut third = lab.phones[2].dial(Dial::to("102"));
    let refusal = third.rejected().await;
    assert_eq!(refusal.status.code(), 503);
    assert!(refusal.headers.has(&HeaderName::RetryAfter));
    // Help is called all the same.
    let mut help = lab.phones[2].dial(Dial::to("911"));
    let mut back = lab.edge.call().await;
    back.answer();
    help.answered().await;
    help.hang_up();
    back.ended().await;
    help.ended().await;
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_vanishes_during_a_call_does_not_keep_it_for_ever() {
    let lab = Lab::with("session_expires = 90").await;
    let (mut out, _back) = lab.talk().await;
    // Refreshed over and over while both are there (RFC 4028).
    tokio::time::sleep(Duration::from_secs(900)).await;
    assert_eq!(lab.office.calls.count(), 1);
    lab.net.detach(lab.phones[1].config.address);
    let end = out.ended().await;
    assert_eq!(end.by, EndedBy::Remote);
    let left = lab.office.settle().await;
    assert_eq!(left, Leftovers::default(), "{}", lab.office.ladder(""));
    lab.net.close();
}

#[tokio::test(start_paused = true)]
async fn a_stranger_gets_no_call_and_no_dialog() {
    let lab = Lab::with("").await;
    let stranger: SocketAddr = ([127, 66, 0, 1], 5060).into();
    let stranger =
        Agent::start(&lab.net, AgentConfig::carrier(stranger, "101", lab.office.address));
    let mut out = stranger.dial(Dial::to("+14155550123"));
    assert_eq!(out.rejected().await.status.code(), 401);
    let bye = Request::new(Method::Bye, "sip:101@127.0.0.1".parse().unwrap())
        .with(HeaderName::To, "<sip:101@127.0.0.1>;tag=guessed");
    assert_eq!(stranger.request(bye).await.unwrap().status.code(), 481);
    assert!(lab.office.keep.records().is_empty());
    assert!(lab.edge.waiting_call().await.is_none());
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn an_options_of_a_trunk_is_answered() {
    let lab = Lab::with("").await;
    let options = Request::new(Method::Options, "sip:127.0.0.1:5060".parse().unwrap());
    let answer = lab.edge.request(options).await.unwrap();
    assert_eq!(answer.status.code(), 200);
    // And ours to the trunk is on its way every half minute.
    tokio::time::sleep(Duration::from_secs(70)).await;
    assert_eq!(lab.edge.request_seen().await.method, Method::Options);
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_change_of_the_session_leaves_the_call_up() {
    let lab = Lab::with("").await;
    let (mut out, mut back) = lab.talk().await;
    back.refuse_offers(488);
    out.reinvite(Direction::SendOnly);
    out.until(|event| match event {
        SessionEvent::OfferAccepted { .. } | SessionEvent::OfferRejected { .. } => Some(()),
        _ => None,
    })
    .await;
    tokio::time::sleep(Duration::from_secs(70)).await;
    assert_eq!(lab.office.calls.count(), 1);
    back.hang_up();
    out.ended().await;
    back.ended().await;
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_in_the_very_moment_of_the_end_is_answered() {
    let lab = Lab::with("").await;
    let (mut out, _back) = lab.talk().await;
    // Now its phone is played by hand: it re-INVITEs just before it sees the BYE, and both that
    // and its answer to the BYE arrive at once.
    let phone = lab.phones[1].config.address;
    let mut inbox = lab.net.inbox(phone);
    out.hang_up();
    let bye = String::from_utf8(inbox.recv().await.unwrap().bytes.to_vec()).unwrap();
    assert!(bye.starts_with("BYE "), "{bye}");
    let field = |name: &str| bye.lines().find(|l| l.starts_with(name)).unwrap().to_owned();
    let swap = |name: &str| field(name).split_once(':').unwrap().1.to_owned();
    let (via, from, to, id) = (field("Via:"), field("From:"), field("To:"), field("Call-ID:"));
    let ok = format!(
        "SIP/2.0 200 OK\r\n{via}\r\n{from}\r\n{to}\r\n{id}\r\n{}\r\nContent-Length: 0\r\n\r\n",
        field("CSeq:")
    );
    let invite = format!(
        "INVITE sip:127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {phone};branch=z9hG4bKlate;rport\r\n\
         From:{}\r\nTo:{}\r\n{id}\r\nCSeq: 77 INVITE\r\nMax-Forwards: 70\r\n\
         Contact: <sip:102@{phone}>\r\nContent-Length: 0\r\n\r\n",
        swap("To:"),
        swap("From:")
    );
    for message in [ok, invite] {
        lab.net.send(phone, lab.office.address, message.into());
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let answers = lab.net.messages("SIP/2.0 481");
    assert!(answers.iter().any(|(.., text)| text.contains("z9hG4bKlate")), "{answers:?}");
    out.ended().await;
    // No ACK comes: Timer H ends the transaction.
    let left = lab.office.settle().await;
    assert_eq!(left, Leftovers::default(), "{}", lab.office.ladder(""));
    lab.net.close();
}

/// RFC 3261 §8.1.1.8 wants a SIPS URI in return, which nobody listens for where there is no TLS.
#[tokio::test(start_paused = true)]
async fn who_asks_by_a_sips_uri_without_tls_is_given_an_address_that_is_there() {
    let lab = Lab::with("").await;
    let secure = lab.phones[1].registration_of("<sips:102@127.1.0.2:5060>");
    assert_eq!(lab.phones[1].request(secure).await.unwrap().status.code(), 200);
    let invite = Request::new(Method::Invite, "sips:102@127.0.0.1".parse().unwrap())
        .with(HeaderName::From, "<sips:101@127.0.0.1>")
        .with(HeaderName::To, "<sips:102@127.0.0.1>")
        .with(HeaderName::Contact, "<sips:101@127.1.0.1:5060>");
    let answered = async {
        let back = lab.phones[1].call().await;
        back.answer();
        back
    };
    let (ok, mut back) = tokio::join!(lab.phones[0].request(invite), answered);
    let contact = ok.unwrap().headers.text(&HeaderName::Contact).unwrap().into_owned();
    assert_eq!(contact, "<sip:127.0.0.1:5060>");
    let asked = back.invite.take().unwrap();
    let contact = asked.headers.text(&HeaderName::Contact).unwrap().into_owned();
    assert!(asked.uri.is_sips() && contact == "<sip:127.0.0.1:5060>", "{contact}");
    // The ACK never comes.
    back.ended().await;
    let left = lab.office.settle().await;
    assert_eq!(left, Leftovers::default(), "{}", lab.office.ladder(""));
    lab.net.close();
}
