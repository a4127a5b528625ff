use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use offhook_sip::header::HeaderName;
use offhook_sip::message::{Message, Method, Request, Response, StatusCode};
use offhook_sip::subscription::Limits;

use super::{MessageCounts, Mwi, MwiConfig};
use crate::registrar::tests::{Desk, Phone};
use crate::stack::lab::{request, settle};

struct Office {
    desk: Desk,
    mwi: Mwi,
    boxes: Arc<Mutex<HashMap<String, MessageCounts>>>,
    /// Boxes the store was asked for, in order.
    asked: Arc<Mutex<Vec<String>>>,
    /// So many questions the store fails to answer.
    failing: Arc<Mutex<usize>>,
}

impl Office {
    fn new() -> Self {
        let desk = Desk::new();
        let boxes = Arc::new(Mutex::new(HashMap::<String, MessageCounts>::new()));
        let config = MwiConfig {
            limits: Limits::default(),
            unsolicited: true,
            aliases: vec!["*97".into()],
            server: "Offhook".into(),
            max_subscriptions: 100,
            max_per_mailbox: 2,
        };
        let (asked, failing) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let (counted, asking, fails) =
            (Arc::clone(&boxes), Arc::clone(&asked), Arc::clone(&failing));
        let count = Arc::new(move |mailbox: String| {
            asking.lock().unwrap().push(mailbox.clone());
            let mut fails = fails.lock().unwrap();
            if *fails > 0 {
                *fails -= 1;
                return Box::pin(async { None }) as _;
            }
            let counts = counted.lock().unwrap().get(&mailbox).copied().unwrap_or_default();
            Box::pin(async move { Some(counts) }) as _
        });
        let mwi = Mwi::spawn(
            config,
            desk.lab.sip.clone(),
            desk.auth.clone(),
            desk.registrar.clone(),
            count,
            Arc::clone(&desk.lab.metrics),
        );
        Self { desk, mwi, boxes, asked, failing }
    }

    fn put(&self, mailbox: &str, new: u32, old: u32) {
        self.boxes.lock().unwrap().insert(mailbox.into(), MessageCounts { new, old });
        self.mwi.mailbox_changed(mailbox);
    }

    /// A SUBSCRIBE with digest; the answer's status.
    async fn subscribe(&mut self, phone: &mut Phone, uri: &str, more: &str) -> StatusCode {
        self.subscribed(phone, uri, more, 1, "").await.status
    }

    /// The same with CSeq and To tag; the answer.
    async fn subscribed(
        &mut self,
        phone: &mut Phone,
        uri: &str,
        more: &str,
        seq: u32,
        tag: &str,
    ) -> Response {
        let contact = format!("Contact: <sip:{}@{}>\r\n", phone.user, phone.source);
        let text = |seq| {
            let event = if more.contains("Event:") { "" } else { "Event: message-summary\r\n" };
            let more = format!("{event}{contact}{more}");
            let call_id = format!("s{}", phone.call_id);
            let text = request("SUBSCRIBE", uri, &phone.source, &call_id, seq, &more);
            match tag {
                "" => text,
                tag => text.replace(&format!("To: <{uri}>"), &format!("To: <{uri}>;tag={tag}")),
            }
        };
        let (first, second) = (text(seq), text(seq + 1));
        self.desk.lab.datagram(&phone.source, first.clone()).await;
        self.hand_on();
        let challenge = self.desk.lab.sent_response().await.1;
        let source = phone.source.clone();
        let again = phone.answered(&first, &second, &challenge);
        self.desk.lab.datagram(&source, again).await;
        self.hand_on();
        self.desk.lab.sent_response().await.1
    }

    fn hand_on(&mut self) {
        while let Ok(new) = self.desk.lab.requests.try_recv() {
            match new.request.method {
                Method::Register => self.desk.registrar.handle(new),
                _ => self.mwi.handle(new),
            }
        }
    }

    /// NOTIFYs sent by now, each answered 200.
    async fn notified(&mut self) -> Vec<Request> {
        let mut notifies = Vec::new();
        for (to, message) in self.desk.lab.drain().await {
            if let Message::Request(request) = message
                && request.method == Method::Notify
            {
                self.desk.lab.answer(to, &request, StatusCode::OK).await;
                notifies.push(request);
            }
        }
        notifies
    }
}

fn body(request: &Request) -> String {
    String::from_utf8(request.body.to_vec()).unwrap()
}

fn state(request: &Request) -> String {
    request.headers.text(&HeaderName::SubscriptionState).unwrap().into_owned()
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_is_told_at_once_on_change_and_at_the_end() {
    let mut office = Office::new();
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    let status = office.subscribe(&mut phone, "sip:101@lab", "Expires: 600\r\n").await;
    assert_eq!(status, StatusCode::OK);
    let first = office.notified().await;
    assert_eq!(first.len(), 1);
    assert!(body(&first[0]).contains("Voice-Message: 0/0 (0/0)"));
    assert!(state(&first[0]).starts_with("active"));
    office.put("101", 2, 8);
    let changed = office.notified().await;
    assert_eq!(changed.len(), 1);
    assert!(body(&changed[0]).contains("Messages-Waiting: yes"));
    assert!(body(&changed[0]).contains("Voice-Message: 2/8 (0/0)"));
    tokio::time::sleep(Duration::from_secs(601)).await;
    let last = office.notified().await;
    assert!(state(&last[0]).starts_with("terminated"));
    assert_eq!(office.desk.lab.metrics.subscriptions.get(), 0);
    assert_eq!(office.desk.lab.survivors().await, (0, 0));
    assert_eq!(office.desk.lab.metrics.dialogs.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn another_mailbox_is_refused_and_an_alias_means_ones_own() {
    let mut office = Office::new();
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    let status = office.subscribe(&mut phone, "sip:102@lab", "").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let mut phone = Phone::new("101", "203.0.113.6:5060");
    assert_eq!(office.subscribe(&mut phone, "sip:*97@lab", "").await, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn another_package_is_refused_with_those_that_there_are() {
    let mut office = Office::new();
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    let refused = office.subscribed(&mut phone, "sip:101@lab", "Event: x-dialog\r\n", 1, "").await;
    let allowed = refused.headers.text(&HeaderName::AllowEvents).map(std::borrow::Cow::into_owned);
    assert_eq!(refused.status, StatusCode::BAD_EVENT);
    assert_eq!(allowed.as_deref(), Some("message-summary, conference"));
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_never_subscribes_has_its_lamp_right_after_it_registers() {
    let mut office = Office::new();
    office.boxes.lock().unwrap().insert("101".into(), MessageCounts { new: 1, old: 0 });
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    office.desk.register(&mut phone, "Contact: <sip:101@203.0.113.5>\r\n").await;
    let told = office.notified().await;
    assert_eq!(told.len(), 1);
    assert!(body(&told[0]).contains("Messages-Waiting: yes"));
    // A refresh is no news.
    office.desk.register(&mut phone, "Contact: <sip:101@203.0.113.5>\r\n").await;
    assert!(office.notified().await.is_empty());
    // A restart of the phone is, and so is a change.
    phone.call_id = "after-reboot".into();
    office.desk.register(&mut phone, "Contact: <sip:101@203.0.113.5>\r\n").await;
    assert_eq!(office.notified().await.len(), 1);
    office.put("101", 0, 0);
    let off = office.notified().await;
    assert!(body(&off[0]).contains("Messages-Waiting: no"));
    assert_eq!(office.desk.lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn after_a_start_only_phones_whose_box_holds_something_or_changed_cost_a_look() {
    let mut office = Office::new();
    office.boxes.lock().unwrap().insert("101".into(), MessageCounts { new: 2, old: 0 });
    office.mwi.announce(vec!["101".into()]);
    settle().await;
    office.asked.lock().unwrap().clear();
    let mut filled = Phone::new("101", "203.0.113.5:5060");
    let mut empty = Phone::new("102", "203.0.113.6:5060");
    office.desk.register(&mut filled, "Contact: <sip:101@203.0.113.5>\r\n").await;
    assert_eq!(office.notified().await.len(), 1);
    office.desk.register(&mut empty, "Contact: <sip:102@203.0.113.6>\r\n").await;
    assert!(office.notified().await.is_empty());
    assert_eq!(*office.asked.lock().unwrap(), ["101"]);
    office.put("102", 1, 0);
    assert!(body(&office.notified().await[0]).contains("Messages-Waiting: yes"));
    empty.call_id = "after-reboot".into();
    office.desk.register(&mut empty, "Contact: <sip:102@203.0.113.6>\r\n").await;
    assert_eq!(office.notified().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lamp_that_was_lit_before_a_kill_goes_out_after_it() {
    let mut office = Office::new();
    let mut here = Phone::new("101", "203.0.113.5:5060");
    office.desk.register(&mut here, "Contact: <sip:101@203.0.113.5>\r\n").await;
    // The last message was deleted, and then we were killed: the box is empty, and was not always.
    office.mwi.announce(vec!["101".into(), "102".into()]);
    let mut told = office.notified().await;
    let mut away = Phone::new("102", "203.0.113.6:5060");
    office.desk.register(&mut away, "Contact: <sip:102@203.0.113.6>\r\n").await;
    told.extend(office.notified().await);
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|notify| body(notify).contains("Messages-Waiting: no")));
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_forgot_its_subscription_is_forgotten_and_old_ones_make_room() {
    let mut office = Office::new();
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    office.subscribe(&mut phone, "sip:101@lab", "").await;
    let notify = office.desk.lab.sent_request().await;
    office.desk.lab.answer(notify.0, &notify.1, StatusCode::CALL_DOES_NOT_EXIST).await;
    settle().await;
    assert_eq!(office.desk.lab.metrics.subscriptions.get(), 0);
    for n in 0..5 {
        let mut phone = Phone::new("101", "203.0.113.5:5060");
        phone.call_id = format!("boot{n}");
        office.subscribe(&mut phone, "sip:101@lab", "").await;
        office.notified().await;
    }
    assert_eq!(office.desk.lab.metrics.subscriptions.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_refreshed_and_ended_by_its_phone_which_must_prove_itself() {
    let mut office = Office::new();
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    let uri = "sip:101@lab";
    let first = office.subscribed(&mut phone, uri, "Expires: 600\r\n", 1, "").await;
    let tag = first.to_tag().unwrap().to_owned();
    office.notified().await;
    tokio::time::sleep(Duration::from_secs(500)).await;
    let again = office.subscribed(&mut phone, uri, "Expires: 600\r\n", 3, &tag).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(office.notified().await.len(), 1, "a refresh is answered by the full state");
    tokio::time::sleep(Duration::from_secs(500)).await;
    assert!(office.notified().await.is_empty(), "the first time is over, the second is not");
    let end = office.subscribed(&mut phone, uri, "Expires: 0\r\n", 5, &tag).await;
    assert_eq!(end.status, StatusCode::OK);
    let last = office.notified().await;
    assert!(state(&last[0]).starts_with("terminated"), "{}", state(&last[0]));
    let late = office.desk.lab.metrics.subscriptions.get();
    assert_eq!(late, 0);
    assert_eq!(office.desk.lab.survivors().await, (0, 0));
    assert_eq!(office.desk.lab.metrics.dialogs.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_darkens_no_lamp_and_is_asked_again() {
    let mut office = Office::new();
    office.put("101", 1, 0);
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    *office.failing.lock().unwrap() = 3;
    office.subscribe(&mut phone, "sip:101@lab", "").await;
    let first = office.notified().await;
    assert_eq!(first.len(), 1, "RFC 6665 §4.2.1.2: a NOTIFY follows in any case");
    assert!(first[0].body.is_empty(), "{}", body(&first[0]));
    tokio::time::sleep(Duration::from_secs(60)).await;
    let told = office.notified().await;
    assert!(body(told.last().unwrap()).contains("Voice-Message: 1/0"));
}

#[tokio::test(start_paused = true)]
async fn subscribers_are_told_when_we_go_and_waited_for_a_moment() {
    let mut office = Office::new();
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    office.subscribe(&mut phone, "sip:101@lab", "").await;
    office.notified().await;
    let mwi = office.mwi.clone();
    let closing = tokio::spawn(async move { mwi.close(Duration::from_secs(3)).await });
    let (to, last) = office.desk.lab.sent_request().await;
    assert!(state(&last).starts_with("terminated;reason=probation"), "{}", state(&last));
    settle().await;
    assert!(!closing.is_finished());
    office.desk.lab.answer(to, &last, StatusCode::OK).await;
    assert!(closing.is_finished());
    // Without subscribers there is nobody to wait for.
    let begin = tokio::time::Instant::now();
    office.mwi.close(Duration::from_secs(3)).await;
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert_eq!(office.desk.lab.metrics.dialogs.get(), 0);
}
