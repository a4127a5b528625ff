//! Where a phone is called, and what counts against it.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use offhook_sip::digest;
use offhook_sip::flow::{ConnectionId, Flow, Transport};
use offhook_sip::header::HeaderName;
use offhook_sip::ids::Ids;
use offhook_sip::message::{Response, StatusCode};

use super::Verdict;
use super::bindings::{Table, Wish};
use super::tests::{Desk, Phone, parse};
use crate::keep::Binding;
use crate::stack::Target;
use crate::stack::lab::{request, udp};

fn binding(transport: Transport, path: &[&str]) -> Binding {
    Binding {
        aor: "101".into(),
        contact: "sip:101@10.0.0.7".into(),
        call_id: "c".into(),
        cseq: 1,
        expires: SystemTime::now(),
        transport,
        received: "203.0.113.5:41000".parse().unwrap(),
        local: "192.0.2.1:5060".parse().unwrap(),
        user_agent: None,
        path: path.iter().map(|p| (*p).to_owned()).collect(),
        instance: None,
        ice: false,
    }
}

fn remote(binding: Binding) -> SocketAddr {
    let mut table = Table::default();
    table.restore(binding, Duration::from_secs(60));
    table.lookup("101", |_| false).remove(0).flow.remote
}

#[tokio::test(start_paused = true)]
async fn a_phone_behind_an_edge_proxy_is_called_where_its_path_says() {
    let to = |transport, path| remote(binding(transport, path)).to_string();
    let udp = Transport::Udp;
    assert_eq!(to(udp, &[]), "203.0.113.5:41000");
    assert_eq!(to(udp, &["<sip:198.51.100.9:5080;lr>"]), "198.51.100.9:5080");
    assert_eq!(to(udp, &["<sip:198.51.100.9;lr>", "<sip:198.51.100.8;lr>"]), "198.51.100.9:5060");
    // By a name, or over another transport: only the way it came is known at once.
    assert_eq!(to(udp, &["<sip:edge.test;lr>"]), "203.0.113.5:41000");
    assert_eq!(to(udp, &["<sip:198.51.100.9;transport=tcp;lr>"]), "203.0.113.5:41000");
    let tcp = Transport::Tcp;
    assert_eq!(to(tcp, &["<sip:198.51.100.9;transport=tcp;lr>"]), "198.51.100.9:5060");
}

#[test]
fn a_browser_whose_connection_is_gone_is_not_called() {
    let wss = Transport::Wss;
    let mut contact = binding(wss, &[]);
    contact.contact = "sip:k3j4h@q9w8.invalid;transport=ws".into();
    let mut table = Table::default();
    let wish = Wish {
        uri: contact.contact.parse().unwrap(),
        instance: None,
        ice: false,
        lasts: Duration::from_secs(60),
    };
    let connection = Some(ConnectionId(5));
    let flow = Flow { transport: wss, connection, ..udp("203.0.113.5:41000") };
    table.apply(&contact, wish, &flow, 10);
    let ways = |alive| table.lookup("101", |_| alive).into_iter().map(|c| c.target);
    assert!(matches!(ways(true).next(), Some(Target::Flow(way)) if way.connection == connection));
    assert!(ways(false).next().is_none());
}

#[tokio::test(start_paused = true)]
async fn two_phones_behind_one_address_are_told_apart_by_their_ports() {
    let mut desk = Desk::new();
    for (port, user) in [(41_000, "101"), (41_001, "102")] {
        let mut phone = Phone::new(user, &format!("203.0.113.5:{port}"));
        desk.register(&mut phone, &format!("Contact: <sip:{user}@10.0.0.7>\r\n")).await;
        let found = desk.registrar.lookup(user).remove(0);
        assert_eq!(found.target, Target::Flow(udp(&format!("203.0.113.5:{port}"))));
    }
    desk.registrar.forget("101");
    assert!(!desk.peers.is_phone("203.0.113.5:41000".parse().unwrap()), "forgotten with it");
    assert!(desk.peers.is_phone("203.0.113.5:41001".parse().unwrap()));
    assert_eq!(desk.lab.metrics.bindings.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn several_contacts_of_one_request_are_all_or_none() {
    let mut desk = Desk::new();
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    let more = "Contact: <sip:101@203.0.113.5>;q=0.5, <sip:101@203.0.113.5;transport=tcp>;q=1.0\r\n\
                Expires: 600\r\n";
    let ok = desk.register(&mut phone, more).await;
    assert_eq!(ok.headers.get_all(&HeaderName::Contact).count(), 2);
    let mixed = "Contact: <sip:new@203.0.113.5>, <sip:101@203.0.113.5>;expires=5\r\n";
    let refused = desk.register(&mut phone, mixed).await;
    assert_eq!(refused.status, StatusCode::INTERVAL_TOO_BRIEF);
    assert_eq!(desk.registrar.lookup("101").len(), 2);
}

fn tcp(source: &str) -> Flow {
    Flow { transport: Transport::Tcp, connection: Some(ConnectionId(1)), ..udp(source) }
}

fn challenge(verdict: Verdict) -> Response {
    match verdict {
        Verdict::Challenge(response) => response,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn careless_and_stale_credentials_are_challenged_and_count_for_nothing() {
    let desk = Desk::new();
    let source = "203.0.113.5:5060";
    let text = |uri: &str| request("REGISTER", uri, source, "c", 1, "");
    let secret = digest::Secret::Password("secret".into());
    let mut client = digest::Client::new("101", secret, Ids::from_seed(3));
    for n in 0..20 {
        // The first request of all has no credentials.
        let first = parse(&text("sip:lab.test"));
        let asked = challenge(desk.auth.phone(&first, &tcp(source)));
        client.challenged(&first, &asked).unwrap();
        // Answered for one address, sent to another.
        let mut right = parse(&text("sip:999@elsewhere.test"));
        client.authorize(&mut right);
        let given = right.headers.get(&HeaderName::Authorization).unwrap().clone();
        let mut sloppy = parse(&text("sip:101@lab.test"));
        sloppy.headers.push(HeaderName::Authorization, given);
        challenge(desk.auth.phone(&sloppy, &tcp(source)));
        // A nonce of another run, as after our restart.
        let other = Desk::new();
        let asked = challenge(other.auth.phone(&first, &tcp("203.0.113.9:5060")));
        client.challenged(&first, &asked).unwrap();
        let mut stale = parse(&text("sip:lab.test"));
        client.authorize(&mut stale);
        challenge(desk.auth.phone(&stale, &tcp(source)));
        assert!(!desk.lab.bans.is_banned("203.0.113.5".parse().unwrap()), "{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_a_phone_gave_to_somebody_else_opens_nothing_and_counts_for_nothing() {
    let desk = Desk::new();
    let source = "203.0.113.66:5060";
    let secret = digest::Secret::Password("secret".into());
    let mut client = digest::Client::new("101", secret, Ids::from_seed(3));
    let mut judge = |method: &str, claimed: &str, asked_for: &str| {
        let mut claim = parse(&request(method, claimed, source, "relay", 1, ""));
        let asked = challenge(desk.auth.phone(&claim, &tcp(source)));
        client.challenged(&claim, &asked).unwrap();
        client.authorize(&mut claim);
        let given = claim.headers.get(&HeaderName::Authorization).unwrap().clone();
        let mut sent = parse(&request(method, asked_for, source, "relay", 2, ""));
        sent.headers.push(HeaderName::Authorization, given);
        matches!(desk.auth.phone(&sent, &tcp(source)), Verdict::Extension(_))
    };
    for _ in 0..10 {
        assert!(!judge("INVITE", "sip:203.0.113.66", "sip:+19005550101@192.0.2.1"));
        assert!(!judge("INVITE", "sip:203.0.113.66:5060", "sip:+19005550101@203.0.113.66"));
        assert!(!judge("INVITE", "sip:102@elsewhere.test", "sip:102@lab.test"));
        assert!(!judge("INVITE", "sip:+1900@203.0.113.66", "sip:+1900@203.0.113.66"));
        assert!(!judge("INVITE", "sip:+1900@pbx.example", "sip:+1900@pbx.example"));
        assert!(!judge("REGISTER", "sip:elsewhere.test", "sip:lab.test"));
    }
    assert!(!desk.lab.bans.is_banned("203.0.113.66".parse().unwrap()));
    assert_eq!(desk.lab.metrics.auth_failures.get(), 0);
    // All the ways in which phones and sipp name us.
    assert!(judge("INVITE", "sip:192.0.2.1:5060", "sip:102@192.0.2.1:5060"));
    assert!(judge("INVITE", "sip:102@lab", "sip:102@10.0.0.5"));
    assert!(judge("REGISTER", "sip:lab.test", "sip:lab.test"));
    assert!(judge("REGISTER", "sip:101@203.0.113.66:5060", "sip:lab.test"));
    // By a name of ours that only phones know: from where they are registered.
    desk.lab.bans.phone_came("203.0.113.66".parse().unwrap());
    assert!(judge("INVITE", "sip:102@pbx.example", "sip:102@PBX.example:5080"));
    assert!(judge("INVITE", "sip:102@lab.test", "sip:102@lab.test;transport=tcp"));
    assert!(!judge("INVITE", "sip:102@elsewhere.test", "sip:102@lab.test"));
}
