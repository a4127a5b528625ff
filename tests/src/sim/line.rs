//! One call of an agent, played like a script: tell it what to do, see what happens to it.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use offhook_sip::header::{HeaderName, Headers, NameAddr};
use offhook_sip::message::{Method, Request, Response, StatusCode};
use offhook_sip::session::{EndedBy, SessionEvent};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::agent::Order;
use super::sdp::Direction;

/// How long a test waits for something to happen in a call, or for a call, before it fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// What a line is told to do.
#[derive(Debug)]
pub(super) enum Act {
    /// Status, with an early answer, more headers.
    Ring(StatusCode, bool, Headers),
    Answer(Headers),
    Reject(StatusCode, Headers),
    Redirect(Vec<NameAddr>),
    /// Port of our audio, direction.
    Reinvite(u16, Direction),
    /// re-INVITE with just this.
    Offer(Bytes),
    /// Call-ID, own tag, the peer's tag.
    Names(oneshot::Sender<(String, String, String)>),
    ReinviteWithoutOffer,
    Update(Direction),
    HangUp(Headers),
    Send(Method, Headers, Option<(&'static str, Bytes)>),
    /// From now on offers get this answer instead of an obliging one.
    Refuse(StatusCode),
    /// From now on requests that are no session business get this answer instead of 200.
    RefuseRequests(StatusCode),
}

/// How a call ended for one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: Instant,
    /// Who or what.
    pub by: EndedBy,
    /// The status that ended it, if any.
    pub status: Option<u16>,
    /// Reason headers of the peer, in text.
    pub reasons: Vec<String>,
    /// When it was answered, if it ever was.
    pub answered: Option<Instant>,
}

/// One call of an agent. What is told to a call that is over has no effect.
pub struct Line {
    pub(super) key: u64,
    pub(super) agent: mpsc::UnboundedSender<Order>,
    pub(super) events: mpsc::UnboundedReceiver<(Instant, SessionEvent)>,
    /// The INVITE that began it, for calls that came in.
    pub invite: Option<Request>,
    answered: Option<Instant>,
    /// The tag of the side that rings for us.
    early: Option<String>,
    end: Option<End>,
    log: Vec<String>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("key", &self.key).field("log", &self.log).finish()
    }
}

impl Line {
    pub(super) fn new(
        key: u64,
        agent: mpsc::UnboundedSender<Order>,
        events: mpsc::UnboundedReceiver<(Instant, SessionEvent)>,
        invite: Option<Request>,
    ) -> Self {
        Self { key, agent, events, invite, answered: None, early: None, end: None, log: Vec::new() }
    }

    fn act(&self, act: Act) {
        let _ = self.agent.send(Order::Act { line: self.key, act });
    }

    /// A 180 without a description.
    pub fn ring(&self) {
        self.progress(180, false);
    }

    /// Any 101..199, with or without an early answer.
    pub fn progress(&self, status: u16, early_media: bool) {
        self.act(Act::Ring(code(status), early_media, Headers::new()));
    }

    /// 200.
    pub fn answer(&self) {
        self.act(Act::Answer(Headers::new()));
    }

    /// A 4xx..6xx.
    pub fn reject(&self, status: u16) {
        self.act(Act::Reject(code(status), Headers::new()));
    }

    /// A 4xx..6xx with one more header.
    pub fn reject_with(&self, status: u16, name: HeaderName, value: &str) {
        let mut headers = Headers::new();
        headers.push(name, value);
        self.act(Act::Reject(code(status), headers));
    }

    /// 302 to a URI.
    pub fn redirect(&self, to: &str) {
        let uri: offhook_sip::uri::Uri = to.parse().expect("a URI");
        self.act(Act::Redirect(vec![NameAddr::new(uri)]));
    }

    /// 302 to these, as they stand in Contact.
    pub fn redirect_to(&self, contacts: &[&str]) {
        let parse = |text: &&str| text.parse().expect("a Contact");
        self.act(Act::Redirect(contacts.iter().map(parse).collect()));
    }

    /// A REFER to this Refer-To value.
    pub fn refer(&self, refer_to: &str) {
        let mut headers = Headers::new();
        headers.push(HeaderName::ReferTo, refer_to);
        self.send(Method::Refer, headers, None);
    }

    /// A REFER that puts the peer through to the peer of another call of ours (RFC 5589 §7).
    pub async fn refer_to_call(&self, user: &str, other: &Line) {
        let (call_id, local, remote) = other.names().await;
        self.refer(&format!(
            "<sip:{user}@office.example?Replaces={call_id}%3Bto-tag%3D{remote}%3Bfrom-tag%3D{local}>"
        ));
    }

    /// Call-ID, own tag, the peer's tag; empty when the call is over or has no peer yet.
    pub async fn names(&self) -> (String, String, String) {
        let (reply, names) = oneshot::channel();
        self.act(Act::Names(reply));
        let (call_id, local, remote) = names.await.unwrap_or_default();
        let remote =
            if remote.is_empty() && self.end.is_none() { self.early.clone() } else { Some(remote) };
        (call_id, local, remote.unwrap_or_default())
    }

    /// Waits for the next report on a transfer of ours, and gives the status that it names.
    pub async fn reported(&mut self) -> u16 {
        self.until(|event| match event {
            SessionEvent::Request { request, .. } if request.method == Method::Notify => {
                offhook_sip::refer::reported(&request.body).map(StatusCode::code)
            }
            _ => None,
        })
        .await
    }

    /// re-INVITE with this description.
    pub fn offer(&self, sdp: Bytes) {
        self.act(Act::Offer(sdp));
    }

    /// re-INVITE with this direction of ours.
    pub fn reinvite(&self, direction: Direction) {
        self.act(Act::Reinvite(super::agent::AUDIO_PORT, direction));
    }

    /// re-INVITE with another port for our audio: the phone moved.
    pub fn move_audio(&self, port: u16) {
        self.act(Act::Reinvite(port, Direction::SendRecv));
    }

    /// re-INVITE that asks the peer to offer.
    pub fn ask_for_offer(&self) {
        self.act(Act::ReinviteWithoutOffer);
    }

    /// UPDATE with this direction of ours.
    pub fn update(&self, direction: Direction) {
        self.act(Act::Update(direction));
    }

    /// CANCEL, 480 or BYE, whatever ends the call now.
    pub fn hang_up(&self) {
        self.act(Act::HangUp(Headers::new()));
    }

    /// A request of another kind in the dialog.
    pub fn send(&self, method: Method, headers: Headers, body: Option<(&'static str, Bytes)>) {
        self.act(Act::Send(method, headers, body));
    }

    /// Keys, one INFO for each.
    pub fn press(&self, keys: impl Into<String>) {
        for key in keys.into().chars() {
            let body = Bytes::from(format!("Signal={key}\r\nDuration=160\r\n"));
            self.send(Method::Info, Headers::new(), Some(("application/dtmf-relay", body)));
        }
    }

    /// Puts the peer on hold.
    pub async fn hold(&mut self) {
        self.reinvite(Direction::SendOnly);
        self.offer_accepted().await;
    }

    /// From now on offers of the peer are refused.
    pub fn refuse_offers(&self, status: u16) {
        self.act(Act::Refuse(code(status)));
    }

    /// From now on NOTIFY, INFO and the like are refused.
    pub fn refuse_requests(&self, status: u16) {
        self.act(Act::RefuseRequests(code(status)));
    }

    /// SUBSCRIBE within the dialog, and the answer to it.
    pub async fn subscribe(&mut self, event: &str, expires: u32) -> Response {
        let mut headers = Headers::new();
        headers.push(HeaderName::Event, event);
        headers.push(HeaderName::Expires, expires.to_string());
        self.send(Method::Subscribe, headers, None);
        self.until(|event| match event {
            SessionEvent::Response { response, .. }
                if response.cseq().is_ok_and(|cseq| cseq.method == Method::Subscribe) =>
            {
                Some(response.clone())
            }
            _ => None,
        })
        .await
    }

    /// Waits for the next NOTIFY.
    pub async fn notified(&mut self) -> Request {
        self.until(|event| match event {
            SessionEvent::Request { request, .. } if request.method == Method::Notify => {
                Some(request.clone())
            }
            _ => None,
        })
        .await
    }

    /// What happens next; `None` after the end.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        if self.end.is_some() {
            return None;
        }
        // The paused clock would wait for ever.
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        let (at, event) =
            event.unwrap_or_else(|_| panic!("nothing happens any more: {:?}", self.log))?;
        self.note(at, &event);
        Some(event)
    }

    fn note(&mut self, at: Instant, event: &SessionEvent) {
        self.log.push(short(event));
        match event {
            SessionEvent::Provisional { remote_tag: Some(tag), .. } => {
                self.early = Some(tag.to_string());
            }
            SessionEvent::Answered { .. } => self.answered = Some(at),
            // For the side that answers, the call is up when the ACK is there.
            SessionEvent::Confirmed => self.answered = Some(at),
            SessionEvent::Ended { by, status, reasons } => {
                let reasons = reasons.iter().map(|r| r.to_text().into_owned()).collect();
                let status = status.map(StatusCode::code);
                let answered = self.answered;
                self.end = Some(End { at, by: *by, status, reasons, answered });
            }
            _ => {}
        }
    }

    /// Whether the call is answered and has not ended, everything that happened by now considered.
    pub fn still_up(&mut self) -> bool {
        while let Ok((at, event)) = self.events.try_recv() {
            self.note(at, &event);
        }
        self.is_up()
    }

    /// Waits for an event that `pick` takes; panics when the call ends first.
    pub async fn until<T>(&mut self, pick: impl Fn(&SessionEvent) -> Option<T>) -> T {
        while let Some(event) = self.next().await {
            if let Some(found) = pick(&event) {
                return found;
            }
        }
        panic!("the call ended first: {:?}", self.log);
    }

    /// Waits for a provisional response of this status.
    pub async fn progressed(&mut self, wanted: u16) -> Response {
        self.until(|event| match event {
            SessionEvent::Provisional { status, response, .. } if status.code() == wanted => {
                Some(response.clone())
            }
            _ => None,
        })
        .await
    }

    /// Waits for the 2xx to our INVITE.
    pub async fn answered(&mut self) -> Response {
        self.until(|event| match event {
            SessionEvent::Answered { response, .. } => Some(response.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for the ACK to our 2xx.
    pub async fn confirmed(&mut self) {
        self.until(|event| matches!(event, SessionEvent::Confirmed).then_some(())).await;
    }

    /// Waits for an offer of the peer (answered obligingly already) and gives its direction.
    pub async fn offered(&mut self) -> Direction {
        self.until(|event| match event {
            SessionEvent::Offer { sdp, .. } => {
                Some(sdp.as_ref().map_or(Direction::SendRecv, |sdp| Direction::of(sdp)))
            }
            _ => None,
        })
        .await
    }

    /// Waits for the peer's answer to an offer of ours.
    pub async fn offer_accepted(&mut self) -> Bytes {
        self.until(|event| match event {
            SessionEvent::OfferAccepted { sdp } => Some(sdp.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for the final response that refuses our INVITE.
    pub async fn rejected(&mut self) -> Response {
        self.until(|event| match event {
            SessionEvent::Rejected { response } => Some(response.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for the end.
    pub async fn ended(&mut self) -> End {
        while self.next().await.is_some() {}
        self.end.clone().unwrap_or_else(|| panic!("the agent is gone: {:?}", self.log))
    }

    /// Waits, no longer than the call lasts; whether it still does.
    pub async fn lasts(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.ended()).await.is_err()
    }

    /// Whether the call is answered and has not ended, as far as the events that were taken say.
    pub fn is_up(&self) -> bool {
        self.answered.is_some() && self.end.is_none()
    }

    /// What was seen so far, in short.
    pub fn log(&self) -> &[String] {
        &self.log
    }
}

pub(super) fn code(status: u16) -> StatusCode {
    StatusCode::new(status).expect("a status code")
}

fn short(event: &SessionEvent) -> String {
    match event {
        SessionEvent::Provisional { status, .. } => status.code().to_string(),
        SessionEvent::Answered { .. } => "answered".to_owned(),
        SessionEvent::Rejected { response } => format!("rejected {}", response.status.code()),
        SessionEvent::Ended { by, status, .. } => {
            format!("ended {by:?} {:?}", status.map(StatusCode::code))
        }
        SessionEvent::OfferRejected { status, .. } => format!("offer refused {}", status.code()),
        other => format!("{other:?}").split([' ', '{', '(']).next().unwrap_or_default().to_owned(),
    }
}
