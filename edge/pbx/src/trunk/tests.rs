use std::sync::Arc;
use std::time::Duration;

use offhook_config::{
    HostPort, Register, Secret, Srtp, Transport, Trunk, TrunkCredentials, TrunkKind,
};
use offhook_sip::digest;
use offhook_sip::header::{HeaderName, WwwAuthenticate};
use offhook_sip::ids::Ids;
use offhook_sip::message::{Message, Method, Response, StatusCode};

use super::{Peers, Recognised, TrunkConfig, Trunks};
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
        record: None,
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

fn name(recognised: Recognised) -> Option<String> {
    match recognised {
        Recognised::Trunk(trunk) => Some(trunk.name.clone()),
        Recognised::OtherConnector { id } => Some(format!("not {id}")),
        Recognised::Nobody => None,
    }
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
        name(all.peers().recognise(source.parse().unwrap(), &request))
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
async fn a_full_trunk_is_the_last_one_and_a_slot_ends_with_its_call() {
    let lab = Lab::new();
    let all = trunks(&lab);
    let small = Trunk { max_calls: Some(1), ..trunk("small", "192.0.2.10", 1) };
    all.set(&[small, trunk("large", "192.0.2.20", 2)]);
    let mut target = all.select("+15551230000").remove(0);
    assert!(target.slot.take());
    assert_eq!(names(&all), ["large", "small"], "who asks must learn that it is full");
    assert!(!all.select("+15551230000").remove(1).slot.take());
    assert_eq!(all.status()[0].calls, 1);
    drop(target);
    assert_eq!(names(&all), ["small", "large"]);
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

#[tokio::test(start_paused = true)]
async fn a_trunk_that_is_down_is_still_a_way_out_and_is_asked_again_within_seconds() {
    let mut lab = Lab::new();
    let all = trunks(&lab);
    let only = Trunk { options: Some(Duration::from_secs(30)), ..trunk("only", "192.0.2.10", 1) };
    all.set(&[only]);
    for (shortest, longest) in [(1_500, 2_000), (3_000, 4_000), (6_000, 8_000)] {
        // Silence until Timer F.
        tokio::time::sleep(Duration::from_millis(32_010)).await;
        lab.drain().await;
        assert_eq!(all.status()[0].up, Some(false));
        assert_eq!(names(&all), ["only"], "down, and tried all the same");
        let asked = tokio::time::Instant::now();
        lab.sent_request().await;
        let waited = asked.elapsed().as_millis();
        assert!((shortest - 100..=longest).contains(&waited), "{waited}");
    }
    all.set(&[]);
}

#[tokio::test(start_paused = true)]
async fn a_call_over_a_trunk_that_was_down_marks_it_up_at_once() {
    let mut lab = Lab::new();
    let all = trunks(&lab);
    let first = Trunk { options: Some(Duration::from_secs(30)), ..trunk("first", "192.0.2.10", 1) };
    all.set(&[first, trunk("second", "192.0.2.20", 2)]);
    let down = async |lab: &mut Lab| {
        tokio::time::sleep(Duration::from_secs(65)).await;
        lab.drain().await;
    };
    down(&mut lab).await;
    assert_eq!(names(&all), ["second", "first"]);
    // A response on a call out.
    all.select("+1").iter().find(|t| t.trunk.name == "first").unwrap().slot.heard();
    settle().await;
    assert_eq!(names(&all), ["first", "second"]);
    // Its OPTIONS stay unanswered, and it is put last again, until it calls us.
    down(&mut lab).await;
    assert_eq!(names(&all), ["second", "first"]);
    drop(all.slot(&all.get("first").unwrap()));
    settle().await;
    assert_eq!(names(&all), ["first", "second"]);
    // While it carries calls, unanswered OPTIONS say nothing.
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(all.slot(&all.get("first").unwrap()));
        assert_eq!(names(&all), ["first", "second"]);
    }
    all.set(&[]);
}

#[tokio::test(start_paused = true)]
async fn what_a_name_meant_last_is_believed_while_dns_is_down() {
    let lab = Lab::new();
    lab.names.address("sip.carrier.test", &["198.51.100.1"]);
    *lab.names.ttl.lock().unwrap() = Duration::from_secs(10);
    let all = trunks(&lab);
    all.set(&[trunk("named", "sip.carrier.test", 1)]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    lab.names.silent.lock().unwrap().insert("sip.carrier.test".into());
    tokio::time::sleep(Duration::from_secs(24 * 3_600)).await;
    let text = request("INVITE", "sip:1@us", "192.0.2.99", "x", 1, "");
    let call = crate::registrar::tests::parse(&text);
    let who = all.peers().recognise("198.51.100.1".parse().unwrap(), &call);
    assert_eq!(name(who).as_deref(), Some("named"));
}

fn connector(name: &str, host: &str) -> Trunk {
    let region = "us-east-1".parse().unwrap();
    Trunk { kind: TrunkKind::VoiceConnector { region }, ..trunk(name, host, 1) }
}

#[tokio::test(start_paused = true)]
async fn a_connector_of_another_customer_is_told_by_its_id() {
    let lab = Lab::new();
    let all = trunks(&lab);
    let domain = "voiceconnector.chime.aws";
    let (ours, other) = (format!("abcdefghij1234567890ab.{domain}"), format!("zyx.{domain}"));
    let who = |source: &str, more: &str| {
        let text = request("INVITE", "sip:+15550002@us", "192.0.2.99", "x", 1, more);
        let call = crate::registrar::tests::parse(&text);
        name(all.peers().recognise(source.parse().unwrap(), &call))
    };
    all.set(&[connector("east", &ours), connector("twin", &other)]);
    let aws = "3.80.16.13";
    assert_eq!(who(aws, "").as_deref(), Some("east"), "nothing said: as before");
    let ours = "X-VoiceConnector-ID: ABCDEFGHIJ1234567890ab\r\n";
    assert_eq!(who(aws, ours).as_deref(), Some("east"));
    assert_eq!(who(aws, "X-VoiceConnector-ID: zyx\r\n").as_deref(), Some("twin"));
    let stranger = "X-VoiceConnector-ID: somebodyelses\r\n";
    assert_eq!(who(aws, stranger).as_deref(), Some("not somebodyelses"));
    assert_eq!(
        who(aws, &format!("{ours}{stranger}")).as_deref(),
        Some("not ABCDEFGHIJ1234567890ab")
    );
    assert_eq!(who("203.0.113.1", ours), None, "the header alone opens no door");
    // Where the host is no connector's name there is nothing to compare.
    all.set(&[
        connector("by-address", "192.0.2.10"),
        connector("east", "zyx.voiceconnector.chime.aws"),
    ]);
    assert_eq!(who(aws, stranger).as_deref(), Some("by-address"));
}

#[tokio::test(start_paused = true)]
async fn a_registrar_is_believed_as_long_as_its_registration_holds_and_no_name_forgets() {
    let peers = Peers::new();
    let ip = |text: &str| -> std::net::IpAddr { text.parse().unwrap() };
    let text = request("INVITE", "sip:1@us", "192.0.2.99", "x", 1, "");
    let call = crate::registrar::tests::parse(&text);
    let knows = |address: &str| name(peers.recognise(ip(address), &call)).is_some();
    let register = |host: &str| Register {
        registrar: host.parse().unwrap(),
        expires: Duration::from_secs(3_600),
    };
    let at = |host: &str| Trunk {
        kind: TrunkKind::Generic { register: Some(register("reg.carrier.test")), dial: None },
        ..trunk("named", host, 1)
    };
    peers.set_trunks(vec![Arc::new(at("sip.carrier.test"))]);
    peers.registered("named", ip("198.51.100.7"), Duration::from_secs(3_600));
    // The name is looked at twice a minute and never leads there.
    for _ in 0..118 {
        tokio::time::sleep(Duration::from_secs(30)).await;
        peers.resolved("named", [ip("198.51.100.1")]);
        assert!(knows("198.51.100.7"));
    }
    tokio::time::sleep(Duration::from_secs(93)).await;
    assert!(!knows("198.51.100.7"), "it ended unrefreshed");
    // DNS is down: short registrations take nothing from what the name meant.
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        peers.registered("named", ip("198.51.100.7"), Duration::from_secs(120));
    }
    assert!(knows("198.51.100.1") && knows("198.51.100.7"));
    // Another carrier under the same name of ours.
    peers.set_trunks(vec![Arc::new(at("sip.other.test"))]);
    assert!(!knows("198.51.100.1") && knows("198.51.100.7"));
    let moved = TrunkKind::Generic { register: Some(register("reg.other.test")), dial: None };
    peers.set_trunks(vec![Arc::new(Trunk { kind: moved, ..at("sip.other.test") })]);
    assert!(!knows("198.51.100.7"));
}

fn registering(name: &str, expires: u64) -> Trunk {
    let register = Register {
        registrar: "192.0.2.30".parse().unwrap(),
        expires: Duration::from_secs(expires),
    };
    Trunk {
        kind: TrunkKind::Generic { register: Some(register), dial: None },
        ..trunk(name, "192.0.2.30", 1)
    }
}

/// Answers the next REGISTER with 200; whether it took the registration back.
async fn registered(lab: &mut Lab) -> bool {
    loop {
        let (to, request) = lab.sent_request().await;
        if request.method == Method::Register {
            lab.answer(to, &request, StatusCode::OK).await;
            return request.headers.text(&HeaderName::Expires).unwrap() == "0";
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_registration_is_taken_back_when_we_go_and_when_its_trunk_goes() {
    let mut lab = Lab::new();
    let all = trunks(&lab);
    all.set(&[registering("carrier", 600)]);
    assert!(!registered(&mut lab).await);
    settle().await;
    // Changed, but the same account: the new task's contact must stay.
    all.set(&[Trunk { order: 5, ..registering("carrier", 600) }]);
    assert!(!registered(&mut lab).await);
    settle().await;
    assert!(lab.drain().await.is_empty());
    all.set(&[]);
    assert!(registered(&mut lab).await);
    all.set(&[registering("carrier", 600)]);
    assert!(!registered(&mut lab).await);
    settle().await;
    let close = all.close(Duration::from_secs(3));
    let (_, back) = futures_util::future::join(close, registered(&mut lab)).await;
    assert!(back);
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_carrier_that_does_not_answer_keeps_us_no_longer_than_we_want() {
    let mut lab = Lab::new();
    let all = trunks(&lab);
    all.set(&[registering("carrier", 600)]);
    registered(&mut lab).await;
    settle().await;
    let begin = tokio::time::Instant::now();
    all.close(Duration::from_secs(3)).await;
    assert_eq!(begin.elapsed().as_secs(), 3);
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_registration_over_a_connection_that_broke_is_made_anew_at_once() {
    let mut lab = Lab::new();
    let all = trunks(&lab);
    all.set(&[Trunk { transport: Some(Transport::Tcp), ..registering("carrier", 600) }]);
    let (flow, Message::Request(request)) = lab.sent_over().await else { panic!() };
    let ok = Response::to_request(&request, StatusCode::OK, None);
    lab.stream(flow, ok.to_bytes()).await;
    assert_eq!(all.status()[0].registered, Some(true));
    lab.wire.closed.lock().unwrap().insert(flow.remote);
    tokio::time::sleep(Duration::from_secs(6)).await;
    lab.wire.closed.lock().unwrap().clear();
    let begin = tokio::time::Instant::now();
    let (_, again) = lab.sent_request().await;
    assert_eq!(again.method, Method::Register);
    assert!(begin.elapsed() <= Duration::from_secs(5), "{:?}", begin.elapsed());
    all.set(&[]);
}
