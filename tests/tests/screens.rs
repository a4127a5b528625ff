//! What programs beside desk phones are told, and what calls' records know of the cloud, on the
//! simulated network.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use offhook_pbx::keep::CloudIds;
use offhook_pbx::office::DialCall;
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::scene::{Scene, connect, text};
use tokio::time::sleep;

const SCREENS: &str =
    "[screen_pop]\nurl = \"https://crm.example/\"\nsecret = \"0123456789abcdef\"\n";

#[tokio::test(start_paused = true)]
async fn all_phones_that_ring_are_told_of_and_each_ends_once() {
    let scene = Scene::with(SCREENS).await;
    let mut out = scene.trunk.dial(Dial::to("200"));
    let mut lines = Vec::new();
    for phone in &scene.phones {
        let line = phone.call().await;
        line.ring();
        lines.push(line);
    }
    out.progressed(180).await;
    lines[1].answer();
    out.answered().await;
    for (at, line) in lines.iter_mut().enumerate() {
        if at != 1 {
            line.ended().await;
        }
    }
    out.hang_up();
    lines[1].ended().await;
    let pops = scene.office.pops.clone();
    scene.close().await;
    let mut words = pops.words();
    let end = words.split_off(3);
    words.sort();
    assert_eq!(words, ["ringing 101", "ringing 102", "ringing 103"]);
    assert!(end.contains(&"answered 102".to_owned()), "{end:?}");
    assert_eq!(end.last().map(String::as_str), Some("ended 102 talked"), "{end:?}");
    for missed in ["ended 101", "ended 103"] {
        assert!(end.contains(&missed.to_owned()), "{end:?}");
    }
    assert_eq!(end.len(), 4, "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_gives_up_ends_the_ringing_on_the_screen_too() {
    let scene = Scene::with(SCREENS).await;
    let mut out = scene.trunk.dial(Dial::to("+15550001000").from("+12065550123"));
    let mut back = scene.phone(101).call().await;
    back.ring();
    out.progressed(180).await;
    out.hang_up();
    out.ended().await;
    back.ended().await;
    let pops = scene.office.pops.clone();
    scene.close().await;
    assert_eq!(pops.words(), ["ringing 101", "ended 101"]);
    assert_eq!(pops.all()[0].caller, "+12065550123");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_where_no_program_is_configured() {
    let scene = Scene::open().await;
    let (out, mut back) = connect(scene.phone(101), "102", scene.phone(102)).await;
    out.hang_up();
    back.ended().await;
    let pops = scene.office.pops.clone();
    scene.close().await;
    assert!(pops.all().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_connect_sends_with_a_call_is_on_the_phone_on_the_screen_and_in_the_record() {
    let more = format!("{SCREENS}[cloud]\ntrunks = [\"carrier\"]\n");
    let scene = Scene::with(&more).await;
    let uui: String =
        r#"{"Queue":"sales","Order":"4711"}"#.bytes().map(|b| format!("{b:02x}")).collect();
    let uui = format!("{uui};encoding=hex");
    let dial = Dial::to("+15550001000")
        .from("+15550007777")
        .with("X-Original-Calling-Number", "+14155550123")
        .with("X-Amzn-ConnectContactId", "c-2")
        .with("X-Amzn-ConnectInitialContactId", "c-1")
        .with("X-Transaction-Id", "t-1")
        .with("X-Sip-Media-Application-Id", "sma-1")
        .with("User-to-User", &uui);
    let mut out = scene.trunk.dial(dial);
    let mut back = scene.phone(101).call().await;
    let invite = back.invite.as_ref().unwrap().clone();
    let from = text(&invite, "From").unwrap();
    assert!(from.starts_with("\"+14155550123 (sales)\" <sip:+14155550123@"), "{from}");
    back.ring();
    back.answer();
    out.answered().await;
    out.hang_up();
    back.ended().await;
    let pops = scene.office.pops.clone();
    let records = scene.close().await;
    let cloud = CloudIds {
        transaction_id: Some("t-1".into()),
        sip_media_application_id: Some("sma-1".into()),
        contact_id: Some("c-2".into()),
        initial_contact_id: Some("c-1".into()),
    };
    assert_eq!(records[0].cloud, cloud);
    assert_eq!(pops.words(), ["ringing 101", "answered 101", "ended 101 talked"]);
    for pop in pops.all() {
        assert_eq!(pop.call, records[0].id);
        assert_eq!(pop.cloud, cloud);
        assert_eq!(pop.original_caller.as_deref(), Some("+14155550123"));
        assert_eq!(pop.name.as_deref(), Some("+14155550123 (sales)"));
        assert_eq!(pop.attributes.get("Order").map(String::as_str), Some("4711"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_trunk_that_is_not_believed_names_no_contact_no_queue_and_nothing_else() {
    let scene = Scene::with(SCREENS).await;
    let said = |number: &str| {
        Dial::to(number)
            .with("X-Amzn-ConnectContactId", "c-2")
            .with("X-Queue", "sales")
            .with("User-to-User", "7b2261223a2262227d;encoding=hex")
    };
    let mut out = scene.trunk.dial(said("+15550001000").from("+15550007777"));
    let mut back = scene.phone(101).call().await;
    let from = text(back.invite.as_ref().unwrap(), "From").unwrap();
    assert!(!from.contains("sales"), "{from}");
    back.ring();
    out.progressed(180).await;
    back.reject(603);
    out.rejected().await;
    back.ended().await;
    // Nor does a phone.
    let mut out = scene.phone(102).dial(said("101"));
    let mut back = scene.phone(101).call().await;
    back.ring();
    out.progressed(180).await;
    back.reject(486);
    out.rejected().await;
    back.ended().await;
    let pops = scene.office.pops.clone();
    assert_eq!(scene.close().await[0].cloud, CloudIds::default());
    assert_eq!(pops.words(), ["ringing 101", "ended 101", "ringing 101", "ended 101"]);
    for pop in pops.all() {
        assert_eq!((pop.queue, pop.attributes.len()), (None, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_a_click_rings_is_answered_and_talks_until_its_call_ends() {
    let scene = Scene::with(SCREENS).await;
    let (extension, number) = ("102".to_owned(), "+15557770000".to_owned());
    scene.office.calls.dial(DialCall { extension, number }).await.unwrap();
    let mut bob = scene.phone(102).call().await;
    bob.ring();
    bob.answer();
    bob.confirmed().await;
    let mut far = scene.trunk.call().await;
    far.answer();
    far.confirmed().await;
    sleep(Duration::from_secs(10)).await;
    let pops = scene.office.pops.clone();
    assert_eq!(pops.words(), ["ringing 102", "answered 102"]);
    far.hang_up();
    bob.ended().await;
    scene.close().await;
    assert_eq!(pops.words()[2..], ["ended 102 talked"]);
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_gets_its_caller_back_has_been_there_all_the_time() {
    let scene = Scene::with(SCREENS).await;
    let mut customer = scene.trunk.dial(Dial::to("+15550001000").from("+15550007777"));
    let mut ann = scene.phone(101).call().await;
    ann.ring();
    ann.answer();
    customer.answered().await;
    ann.confirmed().await;
    ann.refer("<sip:102@office.example>");
    let mut bob = scene.phone(102).call().await;
    bob.ring();
    assert_eq!(ann.reported().await, 100);
    assert_eq!(ann.reported().await, 180);
    bob.reject(486);
    assert_eq!(ann.reported().await, 486);
    bob.ended().await;
    let pops = scene.office.pops.clone();
    assert_eq!(pops.words(), ["ringing 101", "answered 101", "ringing 102", "ended 102"]);
    // Put through, she is out of it; who is put through stays.
    ann.refer("<sip:102@office.example>");
    let mut bob = scene.phone(102).call().await;
    bob.ring();
    bob.answer();
    bob.confirmed().await;
    ann.ended().await;
    bob.hang_up();
    customer.ended().await;
    scene.close().await;
    let end = &pops.words()[4..];
    assert_eq!(end.len(), 4, "{end:?}");
    for word in ["ringing 102", "answered 102", "ended 101 talked"] {
        assert!(end[..3].contains(&word.to_owned()), "{end:?}");
    }
    assert_eq!(end[3], "ended 102 talked");
}

#[tokio::test(start_paused = true)]
async fn a_called_phone_that_is_put_through_talks_on() {
    let scene = Scene::with(SCREENS).await;
    let (mut ann, bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    ann.refer("<sip:103@office.example>");
    let mut cid = scene.phone(103).call().await;
    cid.answer();
    cid.confirmed().await;
    ann.ended().await;
    let pops = scene.office.pops.clone();
    let so_far = pops.words();
    assert!(!so_far.iter().any(|word| word.starts_with("ended")), "{so_far:?}");
    bob.hang_up();
    cid.ended().await;
    scene.close().await;
    let ended = pops.words().into_iter().filter(|word| word.starts_with("ended"));
    assert_eq!(ended.count(), 2);
}
