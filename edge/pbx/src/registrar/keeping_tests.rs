//! A disk that is full, clocks that are wrong, and phones that point into this machine.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use offhook_sip::flow::{Flow, Transport};
use offhook_sip::message::StatusCode;

use super::bindings::{Table, is_inside};
use super::tests::{Desk, Memory, Phone};
use crate::keep::{Binding, KeepError};
use crate::stack::Target;
use crate::stack::lab::udp;

#[tokio::test(start_paused = true)]
async fn phones_ring_while_the_disk_is_full_and_are_kept_when_it_has_room_again() {
    let mut desk = Desk::new();
    *desk.memory.broken.lock().unwrap() = Some(KeepError::Failed("disk full".into()));
    let mut moves = Phone::new("101", "203.0.113.5:5060");
    let mut stays = Phone::new("102", "203.0.113.6:5060");
    for (phone, contact) in [(&mut moves, "sip:a@203.0.113.5"), (&mut stays, "sip:b@203.0.113.6")] {
        let ok = desk.register(phone, &format!("Contact: <{contact}>\r\n")).await;
        assert_eq!(ok.status, StatusCode::OK);
    }
    desk.register(&mut moves, "Contact: <sip:a@203.0.113.5>;expires=0\r\n").await;
    desk.register(&mut moves, "Contact: <sip:c@203.0.113.5>\r\n").await;
    assert_eq!(desk.registrar.lookup("101").len(), 1);
    assert_eq!(desk.lab.metrics.registrations_unkept.get(), 3);
    *desk.memory.broken.lock().unwrap() = None;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut kept: Vec<_> =
        desk.memory.rows.lock().unwrap().iter().map(|row| row.contact.clone()).collect();
    kept.sort();
    assert_eq!(kept, ["sip:b@203.0.113.6", "sip:c@203.0.113.5"]);
    assert_eq!(desk.lab.metrics.registrations_unkept.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_stops_no_registration_and_is_asked_again() {
    let mut desk = Desk::new();
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    desk.memory.panics.store(true, Ordering::Relaxed);
    for contact in ["sip:a@203.0.113.5", "sip:b@203.0.113.5"] {
        let ok = desk.register(&mut phone, &format!("Contact: <{contact}>\r\n")).await;
        assert_eq!(ok.status, StatusCode::OK, "{contact}");
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(desk.memory.rows.lock().unwrap().len(), 2);
    assert_eq!(desk.lab.metrics.registrations_unkept.get(), 0);
}

fn binding(transport: Transport, contact: &str) -> Binding {
    Binding {
        aor: "101".into(),
        contact: contact.into(),
        call_id: "c".into(),
        cseq: 1,
        expires: SystemTime::now() + Duration::from_secs(10 * 365 * 86_400),
        transport,
        received: "203.0.113.5:41000".parse().unwrap(),
        local: "192.0.2.1:5060".parse().unwrap(),
        user_agent: None,
        path: Vec::new(),
        instance: None,
        ice: false,
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_ahead_makes_no_binding_last_for_years() {
    let memory = Arc::new(Memory::default());
    memory.rows.lock().unwrap().push(binding(Transport::Udp, "sip:101@10.0.0.7"));
    let desk = Desk::with(memory);
    assert_eq!(desk.registrar.load().await.unwrap(), 1);
    tokio::time::sleep(Duration::from_secs(3_601)).await;
    assert!(desk.registrar.lookup("101").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_path_into_this_machine_or_without_end_is_refused() {
    let mut desk = Desk::new();
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    let contact = "Contact: <sip:101@10.0.0.7>\r\nSupported: path\r\n";
    for host in ["127.0.0.1:25", "[::1]:25", "[::ffff:127.0.0.1]", "0.0.0.0", "localhost"] {
        let more = format!("{contact}Path: <sip:{host};transport=tcp;lr>\r\n");
        let refused = desk.register(&mut phone, &more).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{host}");
    }
    let long = format!("{contact}Path: <sip:198.51.100.9;lr;x={}>\r\n", "y".repeat(600));
    let refused = desk.register(&mut phone, &long).await;
    assert_eq!(refused.status, StatusCode::REQUEST_ENTITY_TOO_LARGE);
    assert!(desk.registrar.lookup("101").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_made_anew_to_the_host_that_registered_and_to_no_other() {
    let target = |contact: &str| {
        let mut table = Table::default();
        table.restore(binding(Transport::Tcp, contact), Duration::from_secs(60));
        table.lookup("101", |_| false).remove(0).target
    };
    let way = |remote: &str| {
        let flow = Flow { transport: Transport::Tcp, ..udp(remote) };
        Target::Flow(Flow { local: "192.0.2.1:5060".parse().unwrap(), ..flow })
    };
    assert_eq!(target("sip:101@203.0.113.5:5062;transport=tcp"), way("203.0.113.5:5062"));
    let others = ["10.0.0.5:6379", "intranet.test:80", "203.0.113.7:5062"];
    let inside = ["127.0.0.1:25", "192.0.2.1:9090", "[::1]:25", "localhost:25"];
    for other in others.into_iter().chain(inside) {
        assert_eq!(target(&format!("sip:101@{other}")), way("203.0.113.5:41000"), "{other}");
    }
    // A phone on this very machine.
    let here = Flow { local: "127.0.0.1:5060".parse().unwrap(), ..udp("127.0.0.1:5090") };
    assert!(!is_inside(&offhook_sip::uri::Host::Ip("127.0.0.1".parse().unwrap()), &here));
}
