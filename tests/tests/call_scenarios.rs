//! One behaviour of calls each, on the simulated network: phones 101 to 103 and a trunk.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use offhook_sip::header::HeaderName;
use offhook_tests::sim::agent::{Agent, AgentConfig, Dial};
use offhook_tests::sim::office::Leftovers;
use offhook_tests::sim::scene::{OFFICE, Scene, TRUNK, at, connect, text};
use offhook_tests::sim::sdp::Direction;

#[tokio::test(start_paused = true)]
async fn a_phone_calls_another_and_either_may_hang_up() {
    let scene = Scene::open().await;
    for caller_ends in [true, false] {
        let (mut out, mut back) = connect(scene.phone(101), "102", scene.phone(102)).await;
        assert_eq!(scene.office.calls.count(), 1);
        let ending = if caller_ends { &out } else { &back };
        ending.hang_up();
        out.ended().await;
        back.ended().await;
    }
    let records = scene.close().await;
    assert_eq!(records.len(), 2);
    for (record, by) in records.iter().zip(["caller", "callee"]) {
        assert_eq!(record.disposition, "answered", "{record:?}");
        assert_eq!(record.destination.as_deref(), Some("extension:102"));
        assert_eq!(record.hung_up_by.as_deref(), Some(by));
        assert!(record.ended.is_some() && record.answered.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn the_phone_shows_the_original_number_of_a_call_that_connect_handed_back() {
    let scene = Scene::open().await;
    let dial = Dial::to("+15550001000")
        .from("+15550007777")
        .with("X-Original-Calling-Number", "+14155550123")
        .with("X-Amzn-ConnectContactId", "4711")
        .with("User-to-User", "00aa;encoding=hex")
        .with("Date", "Thu, 21 Feb 2002 13:02:03 GMT");
    let mut out = scene.trunk.dial(dial);
    let mut back = scene.phone(101).call().await;
    let invite = back.invite.as_ref().unwrap().clone();
    let from = text(&invite, "From").unwrap();
    assert!(from.starts_with("\"+14155550123\" <sip:+14155550123@office.example>;tag="), "{from}");
    assert!(text(&invite, "P-Asserted-Identity").unwrap().contains("sip:+14155550123@"));
    assert_eq!(text(&invite, "X-Original-Calling-Number").as_deref(), Some("+14155550123"));
    assert_eq!(text(&invite, "X-Amzn-ConnectContactId").as_deref(), Some("4711"));
    assert_eq!(text(&invite, "User-to-User").as_deref(), Some("00aa;encoding=hex"));
    assert_eq!(text(&invite, "Date"), None);
    assert_eq!(text(&invite, "Max-Forwards").as_deref(), Some("69"));
    // Nothing of the trunk's side is seen on the phone's (topology hiding).
    let printed = String::from_utf8(invite.to_bytes().to_vec()).unwrap();
    assert!(!printed.contains("127.2.0.9"), "{printed}");
    back.ring();
    back.answer();
    out.answered().await;
    out.hang_up();
    back.ended().await;
    let records = scene.close().await;
    assert_eq!(records[0].original_caller.as_deref(), Some("+14155550123"));
    assert_eq!(records[0].from, "+15550007777");
    assert_eq!(records[0].source, "trunk:carrier");
}

#[tokio::test(start_paused = true)]
async fn a_phone_cannot_claim_an_original_number() {
    let scene = Scene::open().await;
    let dial = Dial::to("102").from("999").with("X-Original-Calling-Number", "+14155550123");
    let mut out = scene.phone(101).dial(dial);
    let mut back = scene.phone(102).call().await;
    let invite = back.invite.as_ref().unwrap().clone();
    assert!(text(&invite, "From").unwrap().starts_with("\"Ann\" <sip:101@office.example>"));
    assert_eq!(text(&invite, "X-Original-Calling-Number"), None);
    back.reject(603);
    assert_eq!(out.rejected().await.status.code(), 603);
    back.ended().await;
    let records = scene.close().await;
    assert_eq!(records[0].failure.as_deref(), Some("declined"));
    assert_eq!(records[0].original_caller, None);
}

#[tokio::test(start_paused = true)]
async fn the_first_phone_of_a_group_to_answer_wins_and_the_others_hear_where() {
    let scene = Scene::open().await;
    let mut out = scene.trunk.dial(Dial::to("200"));
    let mut lines = Vec::new();
    for phone in &scene.phones {
        let line = phone.call().await;
        line.ring();
        lines.push(line);
    }
    lines[1].answer();
    out.answered().await;
    for n in [0, 2] {
        let end = lines[n].ended().await;
        assert!(format!("{end:?}").contains("Call completed elsewhere"), "{end:?}");
    }
    out.hang_up();
    lines[1].ended().await;
    let records = scene.close().await;
    assert_eq!(records[0].destination.as_deref(), Some("extension:102"));
}

#[tokio::test(start_paused = true)]
async fn two_phones_that_answer_at_once_leave_one_call() {
    let scene = Scene::open().await;
    let mut out = scene.trunk.dial(Dial::to("200"));
    let mut lines = Vec::new();
    for phone in &scene.phones {
        let line = phone.call().await;
        line.ring();
        lines.push(line);
    }
    for line in &lines {
        line.answer();
    }
    out.answered().await;
    let mut ended = 0;
    for line in &mut lines {
        ended +=
            usize::from(tokio::time::timeout(Duration::from_secs(5), line.ended()).await.is_ok());
    }
    assert_eq!(ended, 2);
    out.hang_up();
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_gives_up_stops_the_ringing_at_once() {
    let scene = Scene::open().await;
    let mut out = scene.phone(101).dial(Dial::to("102"));
    let mut back = scene.phone(102).call().await;
    back.ring();
    out.progressed(180).await;
    assert_eq!(scene.record().disposition, "ringing");
    out.hang_up();
    assert_eq!(back.ended().await.answered, None);
    out.ended().await;
    let records = scene.close().await;
    assert_eq!(records[0].disposition, "cancelled");
    assert_eq!(records[0].hung_up_by.as_deref(), Some("caller"));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_crosses_the_answer_leaves_nobody_on_the_line() {
    let scene = Scene::open().await;
    let mut out = scene.phone(101).dial(Dial::to("102"));
    let mut back = scene.phone(102).call().await;
    back.ring();
    out.progressed(180).await;
    back.answer();
    out.hang_up();
    back.ended().await;
    out.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_reaches_the_caller_with_its_own_status() {
    let scene = Scene::open().await;
    for (status, told, code) in [
        (486, 486, "busy"),
        (600, 600, "busy-everywhere"),
        (603, 603, "declined"),
        (403, 603, "declined"),
        (480, 480, "no-answer"),
        (488, 488, "no-common-codec"),
        (500, 502, "peer-error"),
    ] {
        let mut out = scene.phone(101).dial(Dial::to("102"));
        let back = scene.phone(102).call().await;
        back.reject(status);
        if status == 488 {
            // A phone that refuses an offer is offered the other kinds: SRTP with SDES, with DTLS.
            scene.phone(102).call().await.reject(status);
            scene.phone(102).call().await.reject(status);
        }
        assert_eq!(out.rejected().await.status.code(), told, "{status}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(scene.record().failure.as_deref(), Some(code));
    }
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_nobody_answers_rings_its_time_and_no_longer() {
    let scene = Scene::open().await;
    let mut out = scene.phone(102).dial(Dial::to("101"));
    let mut back = scene.phone(101).call().await;
    let began = tokio::time::Instant::now();
    back.ring();
    assert_eq!(out.rejected().await.status.code(), 480);
    let rang = began.elapsed();
    assert!((19..=21).contains(&rang.as_secs()), "{rang:?}");
    assert_eq!(back.ended().await.answered, None);
    let records = scene.close().await;
    assert_eq!(records[0].disposition, "no-answer");
}

#[tokio::test(start_paused = true)]
async fn numbers_that_lead_nowhere_are_refused_and_say_why() {
    let scene = Scene::open().await;
    scene.phone(102).register(0).await;
    for (from, number, status, code) in [
        (101, "102", 480, "not-registered"),
        (101, "199", 404, "unknown-number"),
        (103, "+15558880000", 403, "not-allowed"),
    ] {
        let mut out = scene.phone(from).dial(Dial::to(number));
        assert_eq!(out.rejected().await.status.code(), status, "{number}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(scene.record().failure.as_deref(), Some(code));
    }
    // A stranger may not dial out through us.
    let mut out = scene.trunk.dial(Dial::to("+15558880000"));
    assert_eq!(out.rejected().await.status.code(), 404);
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn hold_and_resume_are_answered_rightly_from_either_side() {
    let scene = Scene::open().await;
    let (mut out, mut back) = connect(scene.phone(101), "102", scene.phone(102)).await;
    for (offer, answer) in [
        (Direction::SendOnly, Direction::RecvOnly),
        (Direction::Inactive, Direction::Inactive),
        (Direction::SendRecv, Direction::SendRecv),
    ] {
        for line in [&mut out, &mut back] {
            line.reinvite(offer);
            assert_eq!(Direction::of(&line.offer_accepted().await), answer);
        }
    }
    out.ask_for_offer();
    out.offered().await;
    back.move_audio(40_000);
    back.offer_accepted().await;
    assert!(out.is_up() && back.is_up());
    out.hang_up();
    back.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn early_media_reaches_the_caller_and_the_answer_repeats_it() {
    let scene = Scene::open().await;
    let mut out = scene.phone(101).dial(Dial::to("+15557770000"));
    let far = scene.trunk.call().await;
    assert_eq!(far.invite.as_ref().unwrap().uri.user_decoded().unwrap(), "+15557770000");
    assert!(text(far.invite.as_ref().unwrap(), "From").unwrap().starts_with("<sip:+15550009999@"));
    assert_eq!(text(far.invite.as_ref().unwrap(), "X-Original-Calling-Number"), None);
    far.progress(183, true);
    let early = out.progressed(183).await;
    assert!(!early.body.is_empty());
    far.answer();
    let answer = out.answered().await;
    assert!(answer.body.is_empty() || answer.body == early.body);
    far.hang_up();
    out.ended().await;
    let records = scene.close().await;
    assert_eq!(records[0].destination.as_deref(), Some("trunk:carrier"));
}

#[tokio::test(start_paused = true)]
async fn a_forward_is_followed_within_the_office_and_never_in_circles() {
    let scene = Scene::open().await;
    let mut out = scene.phone(101).dial(Dial::to("102"));
    let first = scene.phone(102).call().await;
    first.redirect("sip:103@office.example");
    let mut second = scene.phone(103).call().await;
    assert!(text(second.invite.as_ref().unwrap(), "Diversion").unwrap().contains("sip:102@"));
    second.answer();
    out.answered().await;
    out.hang_up();
    second.ended().await;

    let mut out = scene.phone(101).dial(Dial::to("102"));
    scene.phone(102).call().await.redirect("sip:103@office.example");
    scene.phone(103).call().await.redirect("sip:102@office.example");
    assert_eq!(out.rejected().await.status.code(), 480);
    let records = scene.close().await;
    assert_eq!(records.last().unwrap().failure.as_deref(), Some("redirect-refused"));
}

#[tokio::test(start_paused = true)]
async fn an_emergency_call_goes_out_when_everything_else_is_refused() {
    let scene = Scene::with("[sip]\nmax_calls = 1\n").await;
    let (out, mut back) = connect(scene.phone(101), "102", scene.phone(102)).await;
    let mut refused = scene.phone(103).dial(Dial::to("101"));
    let response = refused.rejected().await;
    assert_eq!(response.status.code(), 503);
    assert!(response.headers.get(&HeaderName::RetryAfter).is_some());
    scene.office.calls.drain();
    let mut help = scene.phone(103).dial(Dial::to("911"));
    let mut far = scene.trunk.call().await;
    assert_eq!(far.invite.as_ref().unwrap().uri.user_decoded().unwrap(), "911");
    far.answer();
    help.answered().await;
    help.hang_up();
    far.ended().await;
    out.hang_up();
    back.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_drained_office_takes_no_new_calls_and_ends_old_ones_when_patience_is_over() {
    let scene = Scene::open().await;
    let (mut out, mut back) = connect(scene.phone(101), "102", scene.phone(102)).await;
    let office = scene.office.calls.clone();
    let stopping = tokio::spawn(async move { office.shutdown(Duration::from_secs(30)).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut late = scene.phone(103).dial(Dial::to("101"));
    assert_eq!(late.rejected().await.status.code(), 503);
    assert!(out.is_up() && back.is_up());
    out.ended().await;
    back.ended().await;
    stopping.await.unwrap();
    let records = scene.close().await;
    assert_eq!(records[0].hung_up_by.as_deref(), Some("us"));
}

#[tokio::test(start_paused = true)]
async fn a_caller_without_an_offer_gets_ours_in_the_answer() {
    let scene = Scene::open().await;
    let dial = Dial { without_offer: true, ..Dial::to("102") };
    let mut out = scene.phone(101).dial(dial);
    let mut back = scene.phone(102).call().await;
    back.ring();
    back.answer();
    assert!(!out.answered().await.body.is_empty());
    back.confirmed().await;
    out.hang_up();
    back.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_trunk_is_tried_when_the_first_is_down_full_or_silent() {
    let second = format!(
        "[[trunk]]\nname = \"spare\"\ntype = \"generic\"\nhost = \"{}\"\ntransport = \"udp\"\n\
         caller_id = \"+15550008888\"\norder = 200\nsrtp = \"off\"\noptions_seconds = 0\n",
        at(8)
    );
    let scene = Scene::with(&second).await;
    let spare = Agent::start(&scene.net, AgentConfig::carrier(at(8), "spare", OFFICE));
    for status in [503, 500, 403] {
        let mut out = scene.phone(101).dial(Dial::to("+15557770000"));
        scene.trunk.call().await.reject(status);
        let mut far = spare.call().await;
        assert!(text(far.invite.as_ref().unwrap(), "From").unwrap().contains("+15550008888"));
        far.answer();
        out.answered().await;
        out.hang_up();
        far.ended().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(scene.record().destination.as_deref(), Some("trunk:spare"));
    }
    // Busy is busy everywhere.
    let mut out = scene.phone(101).dial(Dial::to("+15557770000"));
    scene.trunk.call().await.reject(486);
    assert_eq!(out.rejected().await.status.code(), 486);
    assert!(spare.waiting_call().await.is_none());
    // A trunk that says nothing at all is given up within seconds.
    scene.net.detach(TRUNK);
    let began = tokio::time::Instant::now();
    let mut out = scene.phone(101).dial(Dial::to("+15557770000"));
    let mut far = spare.call().await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    far.answer();
    out.answered().await;
    out.hang_up();
    far.ended().await;
    assert_eq!(scene.office.settle().await, Leftovers::default());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_trunk_forbids_is_no_question_of_the_callers_number() {
    let scene = Scene::open().await;
    let mut out = scene.phone(101).dial(Dial::to("+15557770000"));
    let far = scene.trunk.call().await;
    far.reject(403);
    assert_eq!(out.rejected().await.status.code(), 403);
    let records = scene.close().await;
    assert_eq!(records[0].failure.as_deref(), Some("trunk-forbidden"));
}
