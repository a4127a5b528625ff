//! The leg of the caller dies while the cloud is asked to move it: nobody is left hanging, the
//! record says how it was, and an answer that comes later finds nobody.

use std::sync::Arc;
use std::time::Duration;

use offhook_pbx::cloud::CloudError;
use offhook_sip::message::Method;
use offhook_tests::sim::agent::{Agent, AgentConfig, Dial};
use offhook_tests::sim::line::Line;
use offhook_tests::sim::scene::{OFFICE, Scene, TRUNK};
use tokio::time::{Instant, sleep};

use super::{AWAY, BOBS, CONTACT, TRANSACTION, asked_of, customer_with, open, reported};

/// How it dies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Death {
    /// BYE, and never an answer.
    Bye,
    /// No audio comes for too long.
    Silence,
    /// The operator hangs up.
    Operator,
}

async fn die(scene: &Scene, customer: &mut Line, how: Death) {
    match how {
        Death::Bye => customer.hang_up(),
        Death::Silence => {}
        Death::Operator => {
            let id = scene.office.calls.calls()[0].id.clone();
            assert!(scene.office.calls.hang_up(&id));
        }
    }
    customer.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_is_lost_while_the_cloud_is_asked_leaves_nobody_hanging() {
    let attributes = "answer_seconds = 30\nattributes = { desk = \"{extension}\" }\n";
    for headers in [TRANSACTION, CONTACT] {
        for (how, by, failure) in [
            (Death::Bye, "caller", None),
            (Death::Silence, "us", Some("no-media")),
            (Death::Operator, "us", None),
        ] {
            let (scene, mut cloud) = open(&format!("{attributes}{BOBS}")).await;
            if how == Death::Silence {
                let mut config = (**scene.office.config.borrow()).clone();
                config.media.silence_hangup = Some(Duration::from_secs(20));
                scene.office.config.send(Arc::new(config)).unwrap();
            }
            let (mut customer, mut bob) = customer_with(&scene, &headers).await;
            sleep(Duration::from_secs(10)).await;
            bob.refer(if headers == CONTACT { "<sip:*8@office.example>" } else { AWAY });
            assert_eq!(reported(&mut bob).await, "100 Trying");
            let asked = asked_of(&mut cloud).await;
            let began = Instant::now();
            die(&scene, &mut customer, how).await;
            assert_eq!(reported(&mut bob).await, "487 Request Terminated", "{how:?}");
            bob.ended().await;
            assert!(began.elapsed().as_secs() < 40, "{how:?}: {:?}", began.elapsed());
            // It comes to a call that is over.
            let late = if how == Death::Operator { Ok(()) } else { Err(CloudError::NotThere) };
            asked.answer(late);
            sleep(Duration::from_secs(1)).await;
            assert!(cloud.try_recv().is_err());
            assert!(scene.net.messages("INVITE sip:102").len() == 1, "nobody rings again");
            let record = scene.close().await.remove(0);
            assert_eq!(record.hung_up_by.as_deref(), Some(by), "{how:?}");
            assert_eq!(record.failure.as_deref(), failure, "{how:?}");
            assert_eq!(record.transfers[0].status, Some(487), "{how:?}");
            assert_eq!(record.destination.as_deref(), Some("extension:102"), "{how:?}");
            assert!(record.ended.is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_is_lost_while_his_phone_rings_again_ends_the_ringing() {
    let (scene, mut cloud) = open(BOBS).await;
    for how in [Death::Bye, Death::Operator] {
        let (mut customer, mut bob) = customer_with(&scene, &TRANSACTION).await;
        bob.refer(AWAY);
        let asked = asked_of(&mut cloud).await;
        bob.hang_up();
        bob.ended().await;
        asked.answer(Err(CloudError::Refused("ForbiddenException".into())));
        let mut back = scene.phone(102).call().await;
        back.ring();
        sleep(Duration::from_secs(1)).await;
        die(&scene, &mut customer, how).await;
        assert!(back.ended().await.answered.is_none());
    }
    let records = scene.close().await;
    let by: Vec<_> = records.iter().map(|record| record.hung_up_by.as_deref().unwrap()).collect();
    assert_eq!(by, ["caller", "us"]);
}

/// RFC 3261 §9.2: a CANCEL has no effect on an INVITE that was answered.
#[tokio::test(start_paused = true)]
async fn a_cancel_that_comes_after_the_answer_takes_nobody_from_the_cloud() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer_with(&scene, &TRANSACTION).await;
    bob.refer(AWAY);
    assert_eq!(reported(&mut bob).await, "100 Trying");
    let asked = asked_of(&mut cloud).await;
    let (.., invite) = scene.net.messages("INVITE sip:+15550001002").remove(0);
    let head = invite.split("\r\n\r\n").next().unwrap();
    let kept =
        head.lines().filter(|line| !line.starts_with("Content-") && !line.starts_with("Contact"));
    let cancel = kept.collect::<Vec<_>>().join("\r\n").replace("INVITE", "CANCEL");
    scene.net.send(TRUNK, OFFICE, format!("{cancel}\r\nContent-Length: 0\r\n\r\n").into());
    sleep(Duration::from_secs(1)).await;
    let answers = scene.net.messages("SIP/2.0");
    assert!(answers.iter().any(|(_, to, m)| *to == TRUNK && m.contains("CANCEL")));
    assert!(customer.still_up() && bob.still_up());
    asked.answer(Ok(()));
    assert_eq!(reported(&mut bob).await, "183 The cloud moves the call");
    customer.hang_up();
    assert_eq!(reported(&mut bob).await, "200 OK");
    bob.ended().await;
    scene.close().await;
}

/// How a dialog is lost: nobody hung up, so nobody was moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Loss {
    /// Our refresh is answered 481 (RFC 3261 §12.2.1.2).
    Forgotten,
    /// No refresh comes before the session is over (RFC 4028 §10).
    Expired,
}

/// A customer of the cloud whose leg is to be lost that way soon.
async fn to_be_lost(scene: &Scene, how: Loss) -> (Agent, Line, Line) {
    let mut config = AgentConfig::carrier(TRUNK, "carrier", OFFICE);
    config.session.allow.retain(|method| *method != Method::Update);
    if how == Loss::Forgotten {
        // It is we who refresh.
        config.session.session_expires = None;
    }
    let agent = Agent::start(&scene.net, config);
    let mut dial = Dial::to("+15550001002").from("+15550007777");
    for (name, value) in TRANSACTION {
        dial = dial.with(name, value);
    }
    let mut customer = agent.dial(dial);
    let mut bob = scene.phone(102).call().await;
    bob.answer();
    customer.answered().await;
    bob.confirmed().await;
    sleep(Duration::from_secs(40)).await;
    (agent, customer, bob)
}

#[tokio::test(start_paused = true)]
async fn a_dialog_that_is_lost_while_the_cloud_is_asked_has_moved_nobody() {
    for taken in [false, true] {
        for (how, failure) in
            [(Loss::Forgotten, "trunk-unreachable"), (Loss::Expired, "session-expired")]
        {
            let more = "answer_seconds = 30\nbye_seconds = 100\n[sip]\nsession_expires = 90\n";
            let (scene, mut cloud) = open(&format!("{more}{BOBS}")).await;
            let (agent, customer, mut bob) = to_be_lost(&scene, how).await;
            bob.refer(AWAY);
            assert_eq!(reported(&mut bob).await, "100 Trying");
            let mut asked = Some(asked_of(&mut cloud).await);
            if let Some(asked) = asked.take_if(|_| taken) {
                asked.answer(Ok(()));
                assert_eq!(reported(&mut bob).await, "183 The cloud moves the call");
            }
            let lost = match how {
                Loss::Forgotten => {
                    customer.refuse_offers(481);
                    Some((agent, customer))
                }
                // There is nobody who would refresh it.
                Loss::Expired => {
                    drop((agent, customer));
                    None
                }
            };
            assert_eq!(reported(&mut bob).await, "487 Request Terminated", "{how:?} {taken}");
            bob.ended().await;
            if let Some(asked) = asked {
                asked.answer(Ok(()));
            }
            sleep(Duration::from_secs(120)).await;
            drop(lost);
            assert_eq!(scene.net.messages("INVITE sip:102").len(), 1, "nobody rings again");
            let record = scene.close().await.remove(0);
            assert_eq!(record.failure.as_deref(), Some(failure), "{how:?} {taken}");
            assert_eq!(record.hung_up_by.as_deref(), Some("us"), "{how:?} {taken}");
            assert_eq!(record.transfers[0].status, Some(487), "{how:?} {taken}");
            assert_eq!(record.destination.as_deref(), Some("extension:102"), "{how:?} {taken}");
        }
    }
}
