//! Phones that give callers back to the cloud which has their own legs, on the simulated network.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use bytes::Bytes;
use offhook_pbx::cloud::{CloudCall, CloudError, CloudOrder};
use offhook_pbx::failure;
use offhook_pbx::office::DialCall;
use offhook_sip::header::Headers;
use offhook_sip::message::Method;
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::cloud::{Asked, ScriptedCloud};
use offhook_tests::sim::line::Line;
use offhook_tests::sim::scene::{Scene, connect, text};
use offhook_tests::sim::sdp::Direction;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

const CLOUD: &str = "[cloud]\ntransfers = true\ntrunks = [\"carrier\"]\n";
const AWAY: &str = "<sip:+15557770000@office.example>";

async fn open(more: &str) -> (Scene, UnboundedReceiver<Asked>) {
    let (cloud, asked) = ScriptedCloud::new();
    (Scene::in_cloud(cloud, &format!("{CLOUD}{more}")).await, asked)
}

/// A customer whose own leg a SIP media application has, connected with 102, who may call outside.
async fn customer(scene: &Scene) -> (Line, Line) {
    customer_with(scene, &TRANSACTION).await
}

const TRANSACTION: [(&str, &str); 2] =
    [("X-Transaction-Id", "t-1"), ("X-Sip-Media-Application-Id", "a-1")];
const CONTACT: [(&str, &str); 2] = [
    ("X-Amzn-ConnectContactId", "c-1"),
    ("X-Amzn-SourceArn", "arn:aws:connect:us-east-1:111122223333:instance/i-1"),
];

async fn customer_with(scene: &Scene, headers: &[(&str, &str)]) -> (Line, Line) {
    let mut dial = Dial::to("+15550001002").from("+15550007777");
    for (name, value) in headers {
        dial = dial.with(name, value);
    }
    let mut out = scene.trunk.dial(dial);
    let mut bob = scene.phone(102).call().await;
    bob.answer();
    out.answered().await;
    bob.confirmed().await;
    (out, bob)
}

const BOBS: &str = "[[number]]\nmatch = \"+15550001002\"\nto = \"extension:102\"\n";

/// What the phone is told: status and words.
async fn reported(line: &mut Line) -> String {
    let notify = line.notified().await;
    String::from_utf8_lossy(&notify.body).trim().trim_start_matches("SIP/2.0 ").to_owned()
}

fn update(target: &str) -> CloudOrder {
    let call = CloudCall::Named { application: "a-1".into(), transaction: "t-1".into() };
    CloudOrder::Update { call, target: target.to_owned() }
}

fn press(line: &Line, keys: &str) {
    for key in keys.chars() {
        let body = Bytes::from(format!("Signal={key}\r\nDuration=160\r\n"));
        line.send(Method::Info, Headers::new(), Some(("application/dtmf-relay", body)));
    }
}

fn no_invite_went_out(scene: &Scene) -> bool {
    !scene.net.messages("INVITE sip:").iter().any(|(.., m)| m.contains("+15557770000"))
}

#[tokio::test(start_paused = true)]
async fn a_transfer_to_a_number_outside_moves_the_callers_own_leg() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.reinvite(Direction::SendOnly);
    bob.offer_accepted().await;
    bob.refer(AWAY);
    assert_eq!(reported(&mut bob).await, "100 Trying");
    let asked = cloud.recv().await.unwrap();
    assert_eq!(asked.order, update("+15557770000"));
    asked.answer(Ok(()));
    assert_eq!(reported(&mut bob).await, "183 The cloud moves the call");
    sleep(Duration::from_secs(3)).await;
    assert!(customer.still_up() && bob.still_up());
    customer.hang_up();
    assert_eq!(reported(&mut bob).await, "200 OK");
    bob.ended().await;
    customer.ended().await;
    assert!(no_invite_went_out(&scene));
    let records = scene.close().await;
    assert_eq!(records[0].destination.as_deref(), Some("cloud:+15557770000"));
    assert_eq!(records[0].transfers[0].status, Some(200));
}

#[tokio::test(start_paused = true)]
async fn a_transfer_to_an_extension_stays_in_the_office() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    // The code before it makes no hairpin of it either.
    bob.refer("<sip:*8101@office.example>");
    let mut ann = scene.phone(101).call().await;
    ann.answer();
    ann.confirmed().await;
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "200 OK");
    bob.ended().await;
    // Whoever has the call then has the same way.
    ann.refer(AWAY);
    let asked = cloud.recv().await.unwrap();
    assert_eq!(asked.order, update("+15557770000"));
    asked.answer(Ok(()));
    customer.hang_up();
    ann.ended().await;
    customer.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_code_alone_takes_the_caller_back_to_connect() {
    let (scene, mut cloud) = open(BOBS).await;
    for target in ["*8", "*8connect"] {
        let (customer, mut bob) = customer(&scene).await;
        bob.refer(&format!("<sip:{target}@office.example>"));
        assert_eq!(reported(&mut bob).await, "100 Trying");
        let asked = cloud.recv().await.unwrap();
        assert_eq!(asked.order, update("connect"));
        asked.answer(Ok(()));
        assert_eq!(reported(&mut bob).await, "183 The cloud moves the call");
        customer.hang_up();
        assert_eq!(reported(&mut bob).await, "200 OK");
        bob.ended().await;
    }
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_cloud_that_refuses_leaves_the_caller_with_the_desk_and_the_phone_says_why() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.reinvite(Direction::SendOnly);
    bob.offer_accepted().await;
    let gone = CloudError::Gone("NotFoundException".into());
    let refused = CloudError::Refused("ForbiddenException".into());
    let busy = CloudError::Unavailable("ThrottledClientException".into());
    for (error, says) in [
        (gone, "404 The cloud has no such call any more"),
        (refused, "403 The cloud may not move the call"),
        (busy, "503 The cloud does not answer"),
    ] {
        bob.refer(AWAY);
        assert_eq!(reported(&mut bob).await, "100 Trying");
        cloud.recv().await.unwrap().answer(Err(error));
        assert_eq!(reported(&mut bob).await, says);
        sleep(Duration::from_secs(5)).await;
        assert!(customer.still_up() && bob.still_up());
    }
    // They talk on, and an ordinary transfer works.
    bob.reinvite(Direction::SendRecv);
    bob.offer_accepted().await;
    bob.refer("<sip:101@office.example>");
    let mut ann = scene.phone(101).call().await;
    ann.answer();
    ann.confirmed().await;
    customer.hang_up();
    ann.ended().await;
    assert!(no_invite_went_out(&scene));
    let records = scene.close().await;
    let statuses: Vec<_> = records[0].transfers.iter().map(|t| t.status).collect();
    assert_eq!(statuses, [Some(404), Some(403), Some(503), Some(200)]);
}

#[tokio::test(start_paused = true)]
async fn a_cloud_that_is_silent_is_not_waited_for() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.refer(AWAY);
    assert_eq!(reported(&mut bob).await, "100 Trying");
    let begun = tokio::time::Instant::now();
    let asked = cloud.recv().await.unwrap();
    assert_eq!(reported(&mut bob).await, "503 The cloud does not answer");
    assert_eq!(begun.elapsed().as_secs(), 5);
    // An answer that comes later moves nobody's transfer.
    sleep(Duration::from_secs(60)).await;
    asked.answer(Ok(()));
    assert!(customer.still_up() && bob.still_up());
    bob.hang_up();
    customer.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_cloud_that_takes_the_order_and_does_nothing_loses_nobody() {
    let (scene, mut cloud) = open(&format!("bye_seconds = 8\n{BOBS}")).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.refer(AWAY);
    cloud.recv().await.unwrap().answer(Ok(()));
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "183 The cloud moves the call");
    assert_eq!(reported(&mut bob).await, "504 The cloud did not take the call");
    assert!(customer.still_up() && bob.still_up());
    customer.hang_up();
    bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_bye_that_is_faster_than_the_answer_is_what_the_answer_says() {
    let (scene, mut cloud) = open(BOBS).await;
    let gone = CloudError::Gone("NotFoundException".into());
    for (answer, says) in [(Ok(()), "200 OK"), (Err(gone), "487 Request Terminated")] {
        let (mut customer, mut bob) = customer(&scene).await;
        bob.refer(AWAY);
        assert_eq!(reported(&mut bob).await, "100 Trying");
        let asked = cloud.recv().await.unwrap();
        customer.hang_up();
        customer.ended().await;
        sleep(Duration::from_secs(1)).await;
        assert!(bob.still_up());
        asked.answer(answer);
        assert_eq!(reported(&mut bob).await, says);
        bob.ended().await;
    }
    // Nobody answers at all: the caller is gone all the same.
    let (mut customer, mut bob) = customer(&scene).await;
    bob.refer(AWAY);
    let _asked = cloud.recv().await.unwrap();
    customer.hang_up();
    customer.ended().await;
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "487 Request Terminated");
    bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_hangs_up_while_the_cloud_is_asked_has_given_the_caller_back() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.refer(AWAY);
    let asked = cloud.recv().await.unwrap();
    bob.hang_up();
    bob.ended().await;
    sleep(Duration::from_secs(2)).await;
    assert!(customer.still_up());
    asked.answer(Ok(()));
    sleep(Duration::from_secs(2)).await;
    customer.hang_up();
    customer.ended().await;
    let records = scene.close().await;
    assert_eq!(records[0].destination.as_deref(), Some("cloud:+15557770000"));
}

#[tokio::test(start_paused = true)]
async fn a_desk_that_has_hung_up_rings_again_when_the_cloud_refuses() {
    let (scene, mut cloud) = open(&format!("bye_seconds = 8\n{BOBS}")).await;
    let refused = CloudError::Refused("ForbiddenException".into());
    for answer in [Err(refused), Ok(())] {
        let (mut customer, mut bob) = customer(&scene).await;
        bob.refer(AWAY);
        let asked = cloud.recv().await.unwrap();
        bob.hang_up();
        bob.ended().await;
        asked.answer(answer);
        let mut back = scene.phone(102).call().await;
        back.answer();
        back.confirmed().await;
        sleep(Duration::from_secs(10)).await;
        assert!(customer.still_up() && back.still_up());
        customer.hang_up();
        back.ended().await;
    }
    // Nobody is there any more: the caller is told.
    let (mut customer, mut bob) = customer(&scene).await;
    bob.refer(AWAY);
    let asked = cloud.recv().await.unwrap();
    bob.hang_up();
    bob.ended().await;
    asked.answer(Err(CloudError::Unavailable("no answer".into())));
    scene.phone(102).call().await.reject(486);
    customer.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_transfer_while_the_cloud_is_asked_waits_for_its_turn() {
    let (scene, mut cloud) = open(BOBS).await;
    let (customer, mut bob) = customer(&scene).await;
    bob.refer(AWAY);
    let asked = cloud.recv().await.unwrap();
    bob.refer("<sip:+15558880000@office.example>");
    sleep(Duration::from_secs(1)).await;
    assert!(scene.net.messages("SIP/2.0 491").iter().any(|(.., m)| m.contains("REFER")));
    asked.answer(Ok(()));
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "183 The cloud moves the call");
    customer.hang_up();
    assert_eq!(reported(&mut bob).await, "200 OK");
    bob.ended().await;
    assert!(cloud.try_recv().is_err());
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_the_cloud_does_not_have_are_put_through_as_ever() {
    let (scene, mut cloud) = open(BOBS).await;
    for target in [AWAY, "<sip:*8+15557770000@office.example>"] {
        let (customer, mut bob) = customer_with(&scene, &[]).await;
        bob.refer(target);
        let mut far = scene.trunk.call().await;
        far.answer();
        far.confirmed().await;
        assert_eq!(reported(&mut bob).await, "100 Trying");
        assert_eq!(reported(&mut bob).await, "200 OK");
        bob.ended().await;
        customer.hang_up();
        far.ended().await;
    }
    let (customer, mut bob) = customer_with(&scene, &[]).await;
    bob.refer("<sip:*8@office.example>");
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "404 This call is not in the cloud");
    customer.hang_up();
    bob.ended().await;
    assert!(cloud.try_recv().is_err());
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_names_a_transaction_is_not_believed() {
    let (scene, mut cloud) = open(BOBS).await;
    let dial = Dial::to("102").with("X-Transaction-Id", "t-9");
    let out = scene.phone(101).dial(dial.with("X-Sip-Media-Application-Id", "a-9"));
    let mut bob = scene.phone(102).call().await;
    bob.answer();
    bob.confirmed().await;
    bob.refer(AWAY);
    let mut far = scene.trunk.call().await;
    far.answer();
    far.confirmed().await;
    assert!(cloud.try_recv().is_err());
    out.hang_up();
    far.ended().await;
    bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_may_not_call_outside_may_not_send_a_caller_there() {
    let (scene, mut cloud) =
        open("[[number]]\nmatch = \"+15550001002\"\nto = \"extension:103\"\n").await;
    let mut dial = Dial::to("+15550001002").from("+15550007777");
    for (name, value) in TRANSACTION {
        dial = dial.with(name, value);
    }
    let mut customer = scene.trunk.dial(dial);
    let mut cid = scene.phone(103).call().await;
    cid.answer();
    customer.answered().await;
    cid.confirmed().await;
    for (target, says) in [
        (AWAY, "403 Forbidden"),
        ("<sip:*8+15557770000@office.example>", "403 This phone may not call there"),
    ] {
        cid.refer(target);
        assert_eq!(reported(&mut cid).await, "100 Trying");
        assert_eq!(reported(&mut cid).await, says);
        assert!(customer.still_up() && cid.still_up());
    }
    // Back to where he came from is no call outside.
    cid.refer("<sip:*8@office.example>");
    cloud.recv().await.unwrap().answer(Ok(()));
    customer.hang_up();
    cid.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_code_is_keys_in_a_call_too() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    // Keys that are none of the code, and one that is broken off.
    press(&bob, "12*95#*8");
    sleep(Duration::from_millis(100)).await;
    press(&bob, "*8+");
    press(&bob, "15557770000#");
    sleep(Duration::from_secs(1)).await;
    let asked = cloud.recv().await.unwrap();
    assert_eq!(asked.order, update("+15557770000"));
    asked.answer(Err(CloudError::Unavailable("no answer".into())));
    sleep(Duration::from_secs(1)).await;
    assert!(customer.still_up() && bob.still_up());
    // Without an end, after a pause: back to Connect.
    press(&bob, "*8");
    let asked = cloud.recv().await.unwrap();
    assert_eq!(asked.order, update("connect"));
    asked.answer(Ok(()));
    customer.hang_up();
    bob.ended().await;
    customer.ended().await;
    let records = scene.close().await;
    assert_eq!(records[0].transfers.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn keys_mean_nothing_where_the_cloud_has_no_part() {
    let (scene, mut cloud) = open(BOBS).await;
    let (customer, mut bob) = customer_with(&scene, &[]).await;
    press(&bob, "*815557770000#");
    let (out, mut ann) = connect(scene.phone(103), "101", scene.phone(101)).await;
    press(&ann, "*8");
    sleep(Duration::from_secs(10)).await;
    assert!(cloud.try_recv().is_err());
    customer.hang_up();
    bob.ended().await;
    out.hang_up();
    ann.ended().await;
    assert!(scene.close().await.iter().all(|record| record.transfers.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_call_of_connect_goes_back_to_its_flow_with_attributes() {
    let texts = "attributes = { desk = \"{extension}\", to = \"{target}\", who = \"{caller}\" }\n";
    let (scene, mut cloud) = open(&format!("{texts}{BOBS}")).await;
    for (dialled, target) in [("*8", ""), ("+15557770000", "+15557770000")] {
        let (mut customer, mut bob) = customer_with(&scene, &CONTACT).await;
        bob.refer(&format!("<sip:{dialled}@office.example>"));
        assert_eq!(reported(&mut bob).await, "100 Trying");
        let asked = cloud.recv().await.unwrap();
        let texts = [("desk", "102"), ("to", target), ("who", "+15550007777")];
        let attributes = texts.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let wanted = CloudOrder::Attributes {
            instance: "i-1".into(),
            region: "us-east-1".into(),
            contact: "c-1".into(),
            attributes: attributes.into(),
        };
        assert_eq!(asked.order, wanted);
        assert!(customer.still_up());
        asked.answer(Ok(()));
        customer.ended().await;
        assert_eq!(reported(&mut bob).await, "200 OK");
        bob.ended().await;
    }
    let records = scene.close().await;
    assert_eq!(records[0].destination.as_deref(), Some("cloud:connect"));
    assert_eq!(records[1].destination.as_deref(), Some("cloud:connect +15557770000"));
}

#[tokio::test(start_paused = true)]
async fn attributes_that_cannot_be_written_keep_the_caller_unless_they_need_not_be() {
    let texts = "attributes = { desk = \"{extension}\" }\n";
    let refused = || Err(CloudError::Refused("AccessDeniedException".into()));
    let (scene, mut cloud) = open(&format!("{texts}{BOBS}")).await;
    let (mut customer, mut bob) = customer_with(&scene, &CONTACT).await;
    bob.refer("<sip:*8@office.example>");
    cloud.recv().await.unwrap().answer(refused());
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "403 The cloud does not take the attributes");
    sleep(Duration::from_secs(10)).await;
    assert!(customer.still_up() && bob.still_up());
    customer.hang_up();
    bob.ended().await;
    scene.close().await;

    let (scene, mut cloud) = open(&format!("attributes_required = false\n{texts}{BOBS}")).await;
    let (mut customer, mut bob) = customer_with(&scene, &CONTACT).await;
    bob.refer("<sip:*8@office.example>");
    cloud.recv().await.unwrap().answer(refused());
    customer.ended().await;
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "200 OK");
    bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn without_attributes_connect_is_only_hung_up_on() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer_with(&scene, &CONTACT).await;
    press(&bob, "*8#");
    customer.ended().await;
    bob.ended().await;
    assert!(cloud.try_recv().is_err());
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_without_headers_is_found_by_its_pair_of_numbers() {
    let dnis = "[dnis]\nour_numbers = [\"+15550007777\"]\nconnect_numbers = [\"+15550001002\"]\n";
    let (scene, mut cloud) =
        open(&format!("sip_media_application_id = \"a-2\"\n{dnis}{BOBS}")).await;
    let wanted = CloudCall::Pair {
        ours: "+15550007777".into(),
        theirs: "+15550001002".into(),
        application: Some("a-2".into()),
    };
    let (customer, mut bob) = customer_with(&scene, &[]).await;
    bob.refer(AWAY);
    let asked = cloud.recv().await.unwrap();
    assert_eq!(asked.order, CloudOrder::Update { call: wanted, target: "+15557770000".into() });
    asked.answer(Ok(()));
    customer.hang_up();
    bob.ended().await;
    // Nobody has leased them: the office calls.
    let (customer, mut bob) = customer_with(&scene, &[]).await;
    bob.refer(AWAY);
    cloud.recv().await.unwrap().answer(Err(CloudError::NotThere));
    let mut far = scene.trunk.call().await;
    far.answer();
    far.confirmed().await;
    bob.ended().await;
    customer.hang_up();
    far.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_click_rings_the_phone_and_calls_the_number_when_it_is_answered() {
    let quiet = "[[extension]]\nnumber = \"104\"\npassword = \"secret-104\"\n\
                 do_not_disturb = true\n";
    let scene = Scene::with(quiet).await;
    let dial = |extension: &str, number: &str| {
        let (extension, number) = (extension.to_owned(), number.to_owned());
        scene.office.calls.dial(DialCall { extension, number })
    };
    let id = dial("102", "+15557770000").await.unwrap();
    let mut bob = scene.phone(102).call().await;
    let shown = text(bob.invite.as_ref().unwrap(), "From").unwrap();
    assert!(shown.contains("sip:+15557770000@"), "{shown}");
    bob.answer();
    bob.confirmed().await;
    let mut far = scene.trunk.call().await;
    far.answer();
    far.confirmed().await;
    sleep(Duration::from_secs(10)).await;
    assert!(bob.still_up());
    far.hang_up();
    bob.ended().await;
    // Nobody takes the phone up: nobody is called.
    dial("102", "+15557770000").await.unwrap();
    scene.phone(102).call().await.reject(486);
    for (extension, number, why) in [
        ("199", "+15557770000", "there is no extension 199"),
        ("103", "+15557770000", failure::NOT_ALLOWED.meaning),
        ("101", "199", failure::UNKNOWN_NUMBER.meaning),
        ("101", "911", "911 is no number that can be called"),
        ("101", "", " is no number that can be called"),
    ] {
        assert_eq!(dial(extension, number).await.unwrap_err().to_string(), why);
    }
    // Who would have AWS call first asks whether anybody would be there.
    let calls = &scene.office.calls;
    assert_eq!(calls.rings("102").await, Ok(()));
    scene.phone(102).register(0).await;
    for (extension, why) in [
        ("102", failure::NOT_REGISTERED.meaning),
        ("104", failure::DO_NOT_DISTURB.meaning),
        ("199", "there is no extension 199"),
    ] {
        assert_eq!(calls.rings(extension).await.unwrap_err().to_string(), why);
    }
    let records = scene.close().await;
    let record = records.iter().find(|record| record.id == id).unwrap();
    assert_eq!(record.source, "extension:102");
    assert_eq!(record.destination.as_deref(), Some("trunk:carrier"));
    assert_eq!(records.len(), 2);
}
