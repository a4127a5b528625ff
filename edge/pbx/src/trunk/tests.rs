use std::sync::Arc;
use std::time::Duration;

use offhook_config::{
    HostPort, Register, Secret, Srtp, Transport, Trunk, TrunkCredentials, TrunkKind,
};
use offhook_sip::digest;
use offhook_sip::header::{HeaderName, WwwAuthenticate};
use offhook_sip::ids::Ids;
use offhook_sip::message::{Method, Response, StatusCode};

use super::{Peers, TrunkConfig, Trunks};
use crate::stack::lab::{Lab, request, settle};

fn trunk(name: &str, host: &str, order: u32) -> Trunk {
    Trunk {
        name: name.into(),
        kind: TrunkKind::Generic { register: None, dial: None },
        host: host.parse::<HostPort>().unwrap(),
        transport: Some(Transport::Udp),
        credentials: None,
        caller_id: None,
        keep_caller: false,
        numbers: Vec::new(),
        order,
        max_calls: None,
        strip: 0,
        prepend: String::new(),
        plus: true,
        srtp: Srtp::Off,
        options: None,
        peers: Vec::new(),
        outbound: true,
    }
}

fn trunks(lab: &Lab) -> Trunks {
    Trunks::new(
        TrunkConfig { user_agent: "Offhook".into() },
        lab.sip.clone(),
        Arc::clone(&lab.locator),
        Peers::new(),
        lab.bans.clone(),
        Arc::clone(&lab.metrics),
        Ids::from_seed(11),
    )
}

fn names(trunks: &Trunks) -> Vec<String> {
    trunks.select("+15551230000").iter().map(|t| t.trunk.name.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_trunk_that_does_not_answer_goes_behind_the_others_and_comes_back() {
    let mut lab = Lab::new();
    let all = trunks(&lab);
    let first = Trunk { options: Some(Duration::from_secs(30)), ..trunk("first", "192.0.2.10", 1) };
    all.set(&[first, trunk("second", "192.0.2.20", 2)]);
    assert_eq!(names(&all), ["first", "second"], "not asked yet: as configured");
    // No answer: down when Timer F fires.
    tokio::time::sleep(Duration::from_secs(33)).await;
    settle().await;
    assert_eq!(names(&all), ["second", "first"]);
    assert_eq!(all.status()[0].up, Some(false));
    assert_eq!(all.status()[0].last.as_deref(), Some("no answer"));
    // Asked again soon, and now it answers.
    lab.drain().await;
    let (to, options) = lab.sent_request().await;
    assert_eq!(options.method, Method::Options);
    lab.answer(to, &options, StatusCode::OK).await;
    settle().await;
    assert_eq!(names(&all), ["first", "second"]);
    assert_eq!(lab.metrics.trunks_up.get(), 1);
    all.set(&[]);
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn peers_are_recognised_by_range_address_and_name_but_strangers_are_not() {
    let lab = Lab::new();
    lab.names.address("sip.carrier.test", &["198.51.100.1"]);
    *lab.names.ttl.lock().unwrap() = Duration::from_secs(10);
    let all = trunks(&lab);
    let static_peer = Trunk {
        peers: vec!["203.0.113.0/28".parse().unwrap()],
        numbers: vec!["+15550001".into()],
        ..trunk("static", "192.0.2.10", 1)
    };
    let same_range =
        Trunk { numbers: vec!["+15550002".into()], name: "twin".into(), ..static_peer.clone() };
    all.set(&[static_peer, same_range, trunk("named", "sip.carrier.test", 3)]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let who = |source: &str, number: &str| {
        let text = request("INVITE", &format!("sip:{number}@us"), "192.0.2.99", "x", 1, "");
        let request = crate::registrar::tests::parse(&text);
        all.peers().recognise(source.parse().unwrap(), &request).map(|t| t.name.clone())
    };
    assert_eq!(who("203.0.113.5", "+15550001").as_deref(), Some("static"));
    assert_eq!(who("203.0.113.5", "15550002").as_deref(), Some("twin"));
    assert_eq!(who("203.0.113.5", "777").as_deref(), Some("static"));
    assert_eq!(who("192.0.2.10", "1").as_deref(), Some("static"));
    assert_eq!(who("198.51.100.1", "1").as_deref(), Some("named"));
    assert_eq!(who("203.0.113.16", "1"), None);
    // The name moves; both addresses are known for a while, then only the new one.
    lab.names.address("sip.carrier.test", &["198.51.100.2"]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(who("198.51.100.1", "1").as_deref(), Some("named"));
    assert_eq!(who("198.51.100.2", "1").as_deref(), Some("named"));
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    assert_eq!(who("198.51.100.1", "1"), None);
    lab.bans.failure("198.51.100.2".parse().unwrap(), crate::bans::Offence::Scanner);
    assert!(!lab.bans.is_banned("198.51.100.2".parse().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_full_trunk_is_left_out_and_a_slot_ends_with_its_call() {
    let lab = Lab::new();
    let all = trunks(&lab);
    all.set(&[Trunk { max_calls: Some(1), ..trunk("small", "192.0.2.10", 1) }]);
    let mut target = all.select("+1").remove(0);
    assert!(target.slot.take());
    assert!(all.select("+1").is_empty());
    assert_eq!(all.status()[0].calls, 1);
    drop(target);
    assert_eq!(all.select("+1").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn we_register_with_digest_and_refresh_before_it_ends() {
    let mut lab = Lab::new();
    let all = trunks(&lab);
    let register =
        Register { registrar: "192.0.2.30".parse().unwrap(), expires: Duration::from_secs(600) };
    let carrier = Trunk {
        kind: TrunkKind::Generic { register: Some(register), dial: None },
        credentials: Some(TrunkCredentials {
            username: "office".into(),
            password: Secret::new("pw"),
        }),
        ..trunk("carrier", "192.0.2.30", 1)
    };
    all.set(&[carrier]);
    let (to, first) = lab.sent_request().await;
    assert!(first.headers.text(&HeaderName::Contact).unwrap().contains("office@192.0.2.1:5060"));
    let now = tokio::time::Instant::now().into_std();
    let mut server =
        digest::Server::new("carrier", Ids::from_seed(2), now, digest::Config::default());
    let mut challenge = Response::to_request(&first, StatusCode::UNAUTHORIZED, None);
    for c in server.challenges(now, false, b"us") {
        challenge.headers.push_typed(&WwwAuthenticate(c));
    }
    lab.datagram(&to.to_string(), challenge.to_bytes()).await;
    let (_, second) = lab.sent_request().await;
    assert!(second.headers.has(&HeaderName::Authorization));
    assert_eq!(first.call_id(), second.call_id());
    let mut ok = Response::to_request(&second, StatusCode::OK, None);
    ok.headers.push(HeaderName::Contact, "<sip:office@192.0.2.1:5060>;expires=100");
    lab.datagram(&to.to_string(), ok.to_bytes()).await;
    assert_eq!(all.status()[0].registered, Some(true));
    lab.drain().await;
    let granted = tokio::time::Instant::now();
    let (_, refresh) = lab.sent_request().await;
    assert_eq!(refresh.method, Method::Register);
    assert_eq!(granted.elapsed().as_secs(), 90);
    all.set(&[]);
    assert_eq!(lab.survivors().await, (0, 0));
}
