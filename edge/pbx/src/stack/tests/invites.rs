//! INVITEs whose call is gone, that nobody takes, or that are challenged.

use super::*;

fn call(call_id: &str) -> String {
    request("INVITE", "sip:101@192.0.2.1", "192.0.2.9:5060", call_id, 1, "")
}

/// Final answers to INVITEs among what was sent.
fn answers(sent: Vec<(std::net::SocketAddr, Message)>) -> Vec<(u16, String, bool)> {
    let of = |(_, message)| match message {
        Message::Response(r) if r.status.is_final() => {
            let call_id = r.call_id().unwrap().into_owned();
            Some((r.status.code(), call_id, r.to_tag().is_some()))
        }
        _ => None,
    };
    sent.into_iter().filter_map(of).collect()
}

#[tokio::test(start_paused = true)]
async fn an_invite_whose_call_is_gone_is_answered_500() {
    let mut lab = Lab::new();
    for call_id in ["kept", "lost"] {
        lab.datagram("192.0.2.9:5060", call(call_id)).await;
    }
    let (kept, lost) = (lab.requests.recv().await.unwrap(), lab.requests.recv().await.unwrap());
    let (owner, _mailbox) = Owner::channel(8);
    lab.sip.claim(kept.tx, &owner);
    let (owner, mailbox) = Owner::channel(8);
    lab.sip.claim(lost.tx, &owner);
    lab.sip.respond(lost.tx, Response::to_request(&lost.request, StatusCode::RINGING, None));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(answers(lab.drain().await).is_empty(), "phones may ring for long");
    // A task that panics drops all it has.
    drop((owner, mailbox));
    tokio::time::sleep(Duration::from_secs(25)).await;
    let answers = answers(lab.drain().await);
    assert!(answers.len() > 1, "until the ACK it is said again");
    assert!(answers.iter().all(|a| *a == (500, "lost".into(), true)), "{answers:?}");
    lab.sip.respond(kept.tx, Response::to_request(&kept.request, StatusCode::BUSY_HERE, None));
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_invite_that_nobody_takes_is_answered_500_in_the_end() {
    let mut lab = Lab::new();
    lab.datagram("192.0.2.9:5060", call("nobody")).await;
    drop(lab.requests.recv().await.unwrap());
    tokio::time::sleep(Duration::from_secs(150)).await;
    assert!(answers(lab.drain().await).is_empty());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(answers(lab.drain().await)[0], (500, "nobody".into(), true));
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_last_word_of_a_call_that_goes_is_heard_before_ours() {
    let mut lab = Lab::new();
    lab.datagram("192.0.2.9:5060", call("last")).await;
    let new = lab.requests.recv().await.unwrap();
    let (owner, mailbox) = Owner::channel(8);
    lab.sip.claim(new.tx, &owner);
    // As calls do it: the early dialog is forgotten, the INVITE refused, and all of it dropped.
    drop(lab.sip.register_dialog(DialogKey::new("last", "ours"), &owner));
    lab.sip.respond(new.tx, Response::to_request(&new.request, StatusCode::BUSY_HERE, None));
    drop((owner, mailbox));
    tokio::time::sleep(Duration::from_secs(400)).await;
    let answers = answers(lab.drain().await);
    assert!(!answers.is_empty() && answers.iter().all(|a| a.0 == 486), "{answers:?}");
    assert_eq!(lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_challenged_invite_leaves_nothing_behind_and_its_ack_is_heard_by_nobody() {
    let mut lab = Lab::new();
    let text = request("INVITE", "sip:101@192.0.2.1", "203.0.113.5:5060", "forged", 1, "");
    lab.datagram("203.0.113.5:5060", text.clone()).await;
    let new = lab.requests.recv().await.unwrap();
    let challenge = Response::to_request(&new.request, StatusCode::UNAUTHORIZED, None);
    lab.sip.respond_once(new.tx, challenge);
    settle().await;
    assert_eq!(lab.metrics.server_transactions.get(), 0);
    let (_, sent) = lab.sent_response().await;
    assert_eq!(sent.status, StatusCode::UNAUTHORIZED);
    let tag = sent.to_tag().unwrap().to_owned();
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert!(lab.drain().await.is_empty(), "no retransmissions to whomever a forger names");
    let to = "To: <sip:101@192.0.2.1>";
    let ack = text.replace("INVITE sip", "ACK sip").replace("1 INVITE", "1 ACK");
    lab.datagram("203.0.113.5:5060", ack.replace(to, &format!("{to};tag={tag}"))).await;
    assert!(lab.drain().await.is_empty());
    assert!(lab.requests.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn an_invite_with_a_made_up_tag_is_refused_once() {
    let mut lab = Lab::new();
    let text = request("INVITE", "sip:101@192.0.2.1", "203.0.113.5:5060", "forged", 1, "");
    let to = "To: <sip:101@192.0.2.1>";
    lab.datagram("203.0.113.5:5060", text.replace(to, &format!("{to};tag=made-up"))).await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(lab.drain().await.len(), 1);
    assert_eq!(lab.metrics.server_transactions.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_a_challenge_with_its_tag_is_in_no_dialog() {
    let mut lab = Lab::new();
    let text = |seq| request("INVITE", "sip:101@192.0.2.1", "203.0.113.5:5060", "one", seq, "");
    lab.datagram("203.0.113.5:5060", text(1)).await;
    let new = lab.requests.try_recv().unwrap();
    let challenge = Response::to_request(&new.request, StatusCode::UNAUTHORIZED, None);
    lab.sip.respond_once(new.tx, challenge);
    let tag = lab.sent_response().await.1.to_tag().unwrap();
    let to = "To: <sip:101@192.0.2.1>";
    lab.datagram("203.0.113.5:5060", text(2).replace(to, &format!("{to};tag={tag}"))).await;
    let again = lab.requests.try_recv().unwrap();
    assert_eq!(again.request.to_tag(), None);
}
