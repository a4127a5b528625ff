use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::header::{
    Event, Expires, HeaderName, MinExpires, RetryAfter, SubState, SubscriptionState,
};
use crate::message::{Method, Request, Response, StatusCode};

const MWI: &str = "message-summary";

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn subscribe(event: &str, expires: Option<u32>) -> Request {
    let mut request = Request::new(Method::Subscribe, "sip:101@office.example".parse().unwrap());
    request.headers.push(HeaderName::Event, event);
    if let Some(seconds) = expires {
        request.headers.push_typed(&Expires(seconds));
    }
    request
}

fn notify() -> Request {
    Request::new(Method::Notify, "sip:101@192.0.2.9".parse().unwrap())
}

fn state(request: &Request) -> SubscriptionState {
    request.headers.typed().unwrap().unwrap()
}

fn response(code: u16) -> Response {
    Response::new(StatusCode::new(code).unwrap(), None)
}

fn notifier(now: Instant, expires: Option<u32>) -> Result<Notifier, SubscribeError> {
    Notifier::accept(now, &subscribe(MWI, expires), &[MWI], Limits::default())
}

#[test]
fn a_subscription_is_granted_within_the_limits() {
    let now = Instant::now();
    for (wish, granted) in [(None, 3600), (Some(600), 600), (Some(100_000), 3600), (Some(60), 60)] {
        let subscription = notifier(now, wish).unwrap();
        let mut ok = response(200);
        subscription.fill_response(&mut ok);
        assert_eq!(ok.headers.typed::<Expires>().unwrap(), Some(Expires(granted)));
    }
}

#[test]
fn a_subscription_that_cannot_be_is_refused_with_the_right_words() {
    let now = Instant::now();
    let brief = notifier(now, Some(5)).unwrap_err();
    let answer = brief.response(&subscribe(MWI, Some(5)));
    assert_eq!(answer.status.code(), 423);
    assert_eq!(answer.headers.typed::<MinExpires>().unwrap(), Some(MinExpires(60)));
    for (request, code) in [
        (subscribe("winfo", None), 489),
        (Request::new(Method::Subscribe, "sip:a@b".parse().unwrap()), 489),
        (subscribe(MWI, None).with(HeaderName::Expires, "soon"), 400),
    ] {
        let error = Notifier::accept(now, &request, &[MWI], Limits::default()).unwrap_err();
        assert_eq!(error.response(&request).status.code(), code);
    }
}

#[test]
fn a_notify_tells_the_time_left_and_the_state() {
    let now = Instant::now();
    let mut subscription = notifier(now, Some(600)).unwrap();
    let mut request = notify();
    let body = ("application/simple-message-summary", Bytes::from("Messages-Waiting: no\r\n"));
    subscription.fill_notify(now + secs(100), &mut request, Some(body.clone()));
    assert_eq!(state(&request), SubscriptionState::active(500));
    assert_eq!(request.headers.text(&HeaderName::ContentType).as_deref(), Some(body.0));
    assert_eq!(request.body, body.1);
    assert_eq!(request.headers.text(&HeaderName::Event).as_deref(), Some(MWI));

    subscription.set_pending();
    subscription.fill_notify(now, &mut request, Some(body));
    assert_eq!(state(&request).state, SubState::Pending);
    assert!(request.body.is_empty(), "no state for who is not yet let in");
}

#[test]
fn a_subscription_that_is_not_refreshed_expires_with_a_last_notify() {
    let now = Instant::now();
    let mut subscription = notifier(now, Some(600)).unwrap();
    subscription.refresh(now + secs(300), &subscribe(MWI, Some(600))).unwrap();
    assert_eq!(subscription.poll_timeout(), Some(now + secs(900)));
    assert!(!subscription.handle_timeout(now + secs(899)));
    assert!(subscription.handle_timeout(now + secs(900)));
    assert!(!subscription.handle_timeout(now + secs(901)), "once");
    assert!(!subscription.is_finished());
    let mut request = notify();
    subscription.fill_notify(now + secs(901), &mut request, None);
    assert_eq!(state(&request), SubscriptionState::terminated("timeout"));
    assert!(subscription.is_finished());
    assert_eq!(subscription.poll_timeout(), None);
    let late = subscription.refresh(now + secs(902), &subscribe(MWI, Some(600)));
    assert_eq!(late, Err(SubscribeError::Gone));
}

#[test]
fn unsubscribing_ends_with_one_notify_and_so_does_a_fetch() {
    let now = Instant::now();
    let mut left = notifier(now, Some(600)).unwrap();
    left.refresh(now, &subscribe(MWI, Some(0))).unwrap();
    let fetched = notifier(now, Some(0)).unwrap();
    for mut subscription in [left, fetched] {
        assert!(subscription.is_over() && !subscription.is_finished());
        let mut request = notify();
        let body = ("text/plain", Bytes::from("x"));
        subscription.fill_notify(now, &mut request, Some(body));
        assert_eq!(state(&request).state, SubState::Terminated);
        assert_eq!(&*request.body, b"x", "the state at the end");
        assert!(subscription.is_finished());
    }
}

#[test]
fn a_refresh_for_another_event_or_id_is_not_for_this_subscription() {
    let now = Instant::now();
    let mut subscription =
        Notifier::accept(now, &subscribe("message-summary;id=7", None), &[MWI], Limits::default())
            .unwrap();
    assert_eq!(
        subscription.refresh(now, &subscribe(MWI, None)),
        Err(SubscribeError::Gone),
        "the id is missing"
    );
    assert!(subscription.refresh(now, &subscribe("Message-Summary;id=7", None)).is_ok());
}

#[test]
fn a_notify_that_finds_nobody_ends_the_subscription_and_a_busy_peer_does_not() {
    let now = Instant::now();
    for (answer, lives) in [
        (None, false),
        (Some(response(481)), false),
        (Some(response(489)), false),
        (Some(response(500)), true),
        (Some(response(200)), true),
        (Some(response(480).with(HeaderName::RetryAfter, "5")), true),
    ] {
        let mut subscription = notifier(now, None).unwrap();
        assert_eq!(subscription.notify_answered(answer.as_ref()), lives, "{answer:?}");
        assert_eq!(subscription.is_finished(), !lives);
    }
}

#[test]
fn an_end_from_our_side_gives_its_reason() {
    let now = Instant::now();
    let mut subscription = notifier(now, None).unwrap();
    subscription.end(EndReason::Probation, Some(30));
    let mut request = notify();
    subscription.fill_notify(now, &mut request, None);
    let told = state(&request);
    assert_eq!(told.reason.as_deref(), Some("probation"));
    assert_eq!(told.retry_after, Some(30));
}

fn subscriber(now: Instant) -> Subscriber {
    let t1 = Duration::from_millis(500);
    Subscriber::new(now, Event::new(MWI), "application/simple-message-summary", 3600, t1)
}

fn told(text: &str) -> Request {
    notify().with(HeaderName::Event, MWI).with(HeaderName::SubscriptionState, text)
}

fn granted(seconds: u32) -> Response {
    response(200).with_typed(&Expires(seconds))
}

#[test]
fn a_subscriber_refreshes_in_time_and_runs_out_otherwise() {
    let now = Instant::now();
    let mut subscription = subscriber(now);
    let mut request = subscribe("x", None);
    subscription.fill_subscribe(&mut request);
    assert_eq!(request.headers.typed::<Expires>().unwrap(), Some(Expires(3600)));
    assert_eq!(request.headers.text(&HeaderName::Event).as_deref(), Some(MWI));
    assert_eq!(subscription.answered(now, Some(&granted(600))), SubscriberEvent::None);
    assert_eq!(subscription.notified(now, &told("active;expires=600")), Notified::State);
    assert_eq!(subscription.poll_timeout(), Some(now + secs(540)));
    assert_eq!(subscription.handle_timeout(now + secs(540)), SubscriberEvent::Refresh);
    assert_eq!(subscription.answered(now + secs(541), Some(&granted(600))), SubscriberEvent::None);
    assert_eq!(subscription.handle_timeout(now + secs(1081)), SubscriberEvent::Refresh);
    // Nobody answers; it lasts as long as it was granted.
    assert_eq!(subscription.answered(now + secs(1100), None), SubscriberEvent::None);
    let over = SubscriberEvent::Over { retry: Some(Duration::ZERO) };
    assert_eq!(subscription.handle_timeout(now + secs(1141)), over);
    assert_eq!(subscription.poll_timeout(), None);
}

#[test]
fn a_subscription_without_a_first_notify_is_given_up_after_timer_n() {
    let now = Instant::now();
    let mut subscription = subscriber(now);
    subscription.answered(now, Some(&granted(600)));
    assert_eq!(subscription.poll_timeout(), Some(now + secs(32)));
    let over = subscription.handle_timeout(now + secs(32));
    assert!(matches!(over, SubscriberEvent::Over { retry: Some(_) }));
}

#[test]
fn a_notifier_may_shorten_but_not_prolong() {
    let now = Instant::now();
    let mut subscription = subscriber(now);
    subscription.notified(now, &told("active;expires=600"));
    subscription.notified(now, &told("active;expires=9000"));
    assert_eq!(subscription.poll_timeout(), Some(now + secs(540)));
    subscription.notified(now, &told("active;expires=100"));
    assert_eq!(subscription.poll_timeout(), Some(now + secs(68)));
}

#[test]
fn the_end_is_told_apart_by_its_reason() {
    let now = Instant::now();
    for (text, retry) in [
        ("terminated;reason=timeout", Some(Duration::ZERO)),
        ("terminated;reason=deactivated", Some(Duration::ZERO)),
        ("terminated;reason=probation;retry-after=7", Some(secs(7))),
        ("terminated", Some(secs(60))),
        ("terminated;reason=rejected", None),
        ("terminated;reason=noresource;retry-after=7", None),
    ] {
        let mut subscription = subscriber(now);
        assert_eq!(subscription.notified(now, &told(text)), Notified::Last { retry }, "{text}");
        assert!(subscription.is_over());
    }
}

#[test]
fn a_notify_that_is_not_ours_is_refused() {
    let now = Instant::now();
    let mut subscription = subscriber(now);
    let refused = |request: &Request| match subscriber(now).notified(now, request) {
        Notified::Refuse(status) => status.code(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&notify().with(HeaderName::Event, "dialog")), 481);
    assert_eq!(refused(&notify().with(HeaderName::Event, MWI)), 400);
    subscription.answered(now, Some(&response(404)));
    assert_eq!(
        subscription.notified(now, &told("active")),
        Notified::Refuse(StatusCode::CALL_DOES_NOT_EXIST)
    );
}

#[test]
fn unsubscribing_asks_for_zero_and_does_not_come_back() {
    let now = Instant::now();
    let mut subscription = subscriber(now);
    subscription.notified(now, &told("active;expires=600"));
    subscription.unsubscribe(now, secs(32));
    let mut request = subscribe("x", None);
    subscription.fill_subscribe(&mut request);
    assert_eq!(request.headers.typed::<Expires>().unwrap(), Some(Expires(0)));
    let mut silent = subscription.clone();
    assert_eq!(
        subscription.notified(now, &told("terminated;reason=timeout")),
        Notified::Last { retry: None }
    );
    let over = SubscriberEvent::Over { retry: None };
    assert_eq!(silent.handle_timeout(now + secs(32)), over);
}

#[test]
fn a_refused_subscribe_is_read_for_what_it_says() {
    let now = Instant::now();
    let mut subscription = subscriber(now);
    let brief = response(423).with_typed(&MinExpires(7200));
    assert_eq!(subscription.answered(now, Some(&brief)), SubscriberEvent::Refresh);
    let mut request = subscribe("x", None);
    subscription.fill_subscribe(&mut request);
    assert_eq!(request.headers.typed::<Expires>().unwrap(), Some(Expires(7200)));
    let busy = response(503).with_typed(&RetryAfter(9));
    for (answer, retry) in [
        (busy, Some(secs(9))),
        (response(481), Some(Duration::ZERO)),
        (response(404), None),
        (response(500), Some(secs(60))),
    ] {
        let expected = SubscriberEvent::Over { retry };
        assert_eq!(subscriber(now).answered(now, Some(&answer)), expected, "{answer:?}");
    }
    let mut up = subscriber(now);
    up.notified(now, &told("active;expires=600"));
    assert_eq!(up.answered(now, Some(&response(500))), SubscriberEvent::None);
}
