use std::sync::Arc;
use std::time::Duration;

use offhook_sip::flow::Transport;
use offhook_sip::uri::Uri;

use super::locate::Abilities;
use super::{CachingResolver, Hop, Locator, Record, RecordKind, ResolveError};
use crate::metrics::Metrics;
use crate::stack::lab::Names;

const ALL: Abilities = Abilities { udp: true, tcp: true, tls: true, v4: true, v6: true };

fn locator(names: &Names, abilities: Abilities) -> Locator {
    let resolver = CachingResolver::new(Arc::new(names.clone()), Arc::new(Metrics::default()));
    Locator::new(resolver, abilities, 3)
}

async fn locate(locator: &Locator, uri: &str) -> Result<Vec<String>, ResolveError> {
    let hops = locator.locate(&uri.parse::<Uri>().unwrap()).await?;
    let show = |h: &Hop| format!("{} {}", h.transport.param_name(), h.address);
    Ok(hops.iter().map(show).collect())
}

#[tokio::test(start_paused = true)]
async fn rfc_3263_decides_transport_and_port_of_every_kind_of_uri() {
    let names = Names::default();
    names.address("host.test", &["192.0.2.7"]);
    let locator = locator(&names, ALL);
    for (uri, expected) in [
        ("sip:a@192.0.2.1", "udp 192.0.2.1:5060"),
        ("sip:a@192.0.2.1:7000;transport=tcp", "tcp 192.0.2.1:7000"),
        ("sips:a@192.0.2.1", "tls 192.0.2.1:5061"),
        ("sip:a@[2001:db8::1]", "udp [2001:db8::1]:5060"),
        ("sip:a@example.test;maddr=192.0.2.3", "udp 192.0.2.3:5060"),
        ("sip:a@host.test:5080", "udp 192.0.2.7:5080"),
        ("sips:a@host.test:5080", "tls 192.0.2.7:5080"),
        ("sip:a@host.test", "udp 192.0.2.7:5060"),
        ("sip:a@host.test;transport=tls", "tls 192.0.2.7:5061"),
        ("sips:a@host.test;transport=tcp", "tls 192.0.2.7:5061"),
    ] {
        assert_eq!(locate(&locator, uri).await.unwrap(), [expected], "{uri}");
    }
    for uri in ["tel:+15551234", "sip:a@192.0.2.1;transport=sctp", "sip:a@nowhere.test"] {
        assert!(locate(&locator, uri).await.is_err(), "{uri}");
    }
}

#[tokio::test(start_paused = true)]
async fn naptr_chooses_the_service_and_srv_the_hosts_by_priority() {
    let names = Names::default();
    let naptr = |order, service: &str, replacement: &str| Record::Naptr {
        order,
        preference: 1,
        flags: "s".into(),
        service: service.into(),
        replacement: replacement.into(),
    };
    let records = vec![
        naptr(20, "SIP+D2U", "_sip._udp.carrier.test"),
        naptr(10, "SIPS+D2T", "_sips._tcp.carrier.test"),
        naptr(5, "SIP+D2S", "_sip._sctp.carrier.test"),
    ];
    names.set("carrier.test", RecordKind::Naptr, records);
    names.srv("_sips._tcp.carrier.test", &[(2, 0, 5061, "b.test"), (1, 0, 5062, "a.test")]);
    names.srv("_sip._udp.carrier.test", &[(1, 0, 5060, "a.test")]);
    names.address("a.test", &["192.0.2.1"]);
    names.address("b.test", &["192.0.2.2"]);
    let found = locate(&locator(&names, ALL), "sip:carrier.test").await.unwrap();
    assert_eq!(found, ["tls 192.0.2.1:5062", "tls 192.0.2.2:5061", "udp 192.0.2.1:5060"]);
    let no_tls = Abilities { tls: false, ..ALL };
    let found = locate(&locator(&names, no_tls), "sip:carrier.test").await.unwrap();
    assert_eq!(found, ["udp 192.0.2.1:5060"]);
}

#[tokio::test(start_paused = true)]
async fn weights_share_the_load() {
    let names = Names::default();
    names.srv("_sip._udp.w.test", &[(1, 90, 5060, "heavy.test"), (1, 10, 5060, "light.test")]);
    names.address("heavy.test", &["192.0.2.1"]);
    names.address("light.test", &["192.0.2.2"]);
    let locator = locator(&names, ALL);
    let mut heavy = 0;
    for _ in 0..1_000 {
        let found = locate(&locator, "sip:w.test;transport=udp").await.unwrap();
        assert_eq!(found.len(), 2, "the other stays for failover");
        heavy += usize::from(found[0].contains("192.0.2.1"));
    }
    assert!((850..950).contains(&heavy), "{heavy} of 1000");
}

#[tokio::test(start_paused = true)]
async fn answers_hold_for_their_time_and_each_question_is_asked_once_at_a_time() {
    let names = Names::default();
    names.address("host.test", &["192.0.2.1"]);
    *names.ttl.lock().unwrap() = Duration::from_secs(60);
    let locator = locator(&names, Abilities { v6: false, ..ALL });
    let both = futures_util::future::join(
        locate(&locator, "sip:host.test:5060"),
        locate(&locator, "sip:host.test:5060"),
    );
    let (a, b) = both.await;
    assert_eq!(a.unwrap(), b.unwrap());
    assert_eq!(names.asked.lock().unwrap().len(), 1);
    names.address("host.test", &["192.0.2.2"]);
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(locate(&locator, "sip:host.test:5060").await.unwrap(), ["udp 192.0.2.1:5060"]);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(locate(&locator, "sip:host.test:5060").await.unwrap(), ["udp 192.0.2.2:5060"]);
}

#[tokio::test(start_paused = true)]
async fn silent_servers_are_given_up_after_five_seconds() {
    let names = Names::default();
    names.silent.lock().unwrap().insert("slow.test".into());
    let locator = locator(&names, ALL);
    let begin = tokio::time::Instant::now();
    let error = locate(&locator, "sip:slow.test:5060").await.unwrap_err();
    assert_eq!(error, ResolveError::Timeout("slow.test".into()));
    assert_eq!(begin.elapsed(), super::cache::LOOKUP_LIMIT);
}

#[test]
fn every_transport_has_its_service_name() {
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        let name = super::locate::srv_name("x", transport);
        assert!(name.starts_with("_sip") && name.ends_with(".x"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_its_asker_forgot_is_answered_to_the_next_one() {
    let names = Names::default();
    names.address("host.test", &["192.0.2.1"]);
    *names.slow.lock().unwrap() = Duration::from_secs(1);
    let locator = locator(&names, Abilities { v6: false, ..ALL });
    let hurried =
        tokio::time::timeout(Duration::from_millis(100), locate(&locator, "sip:host.test:5060"));
    assert!(hurried.await.is_err());
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(locate(&locator, "sip:host.test:5060").await.unwrap(), ["udp 192.0.2.1:5060"]);
}

#[tokio::test(start_paused = true)]
async fn the_last_answer_serves_while_the_servers_are_silent_and_nobody_waits_long_for_them() {
    let names = Names::default();
    names.address("host.test", &["192.0.2.1"]);
    *names.ttl.lock().unwrap() = Duration::from_secs(10);
    let locator = locator(&names, Abilities { v6: false, ..ALL });
    locate(&locator, "sip:host.test:5060").await.unwrap();
    names.silent.lock().unwrap().insert("host.test".into());
    tokio::time::sleep(Duration::from_secs(60)).await;
    let begin = tokio::time::Instant::now();
    assert_eq!(locate(&locator, "sip:host.test:5060").await.unwrap(), ["udp 192.0.2.1:5060"]);
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    // They are back, with another address.
    names.silent.lock().unwrap().clear();
    names.address("host.test", &["192.0.2.2"]);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(locate(&locator, "sip:host.test:5060").await.unwrap(), ["udp 192.0.2.2:5060"]);
    names.silent.lock().unwrap().insert("host.test".into());
    tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
    assert!(locate(&locator, "sip:host.test:5060").await.is_err(), "not for ever");
}

#[tokio::test(start_paused = true)]
async fn silent_servers_cost_one_wait_and_not_one_for_each_kind_of_record() {
    let names = Names::default();
    for name in ["slow.test", "_sip._udp.slow.test", "_sip._tcp.slow.test", "_sips._tcp.slow.test"]
    {
        names.silent.lock().unwrap().insert(name.into());
    }
    let locator = locator(&names, ALL);
    let begin = tokio::time::Instant::now();
    assert!(locate(&locator, "sip:slow.test").await.is_err());
    assert_eq!(begin.elapsed(), super::cache::LOOKUP_LIMIT);
}

#[tokio::test(start_paused = true)]
async fn a_router_that_swallows_service_questions_delays_few_calls() {
    let names = Names::default();
    names.address("host.test", &["192.0.2.1"]);
    names.silent.lock().unwrap().insert("_sip._udp.host.test".into());
    let locator = locator(&names, ALL);
    let mut waited = Duration::ZERO;
    for _ in 0..60 {
        let begin = tokio::time::Instant::now();
        locate(&locator, "sip:host.test;transport=udp").await.unwrap();
        waited += begin.elapsed();
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    assert!(waited < Duration::from_secs(60), "{waited:?}");
}
