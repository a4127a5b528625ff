//! The side that wants to know (RFC 6665 §4.1).

use std::time::{Duration, Instant};

use super::EndReason;
use crate::header::{
    Event, Expires, HeaderName, MinExpires, RetryAfter, SubState, SubscriptionState,
};
use crate::message::{Request, Response, StatusCode};

/// The subscriber's view of one subscription.
#[derive(Clone, Debug)]
pub struct Subscriber {
    event: Event,
    accept: Box<str>,
    /// Seconds to ask for.
    wish: u32,
    state: State,
    /// Until then the first NOTIFY must have come (Timer N).
    first_notify_by: Option<Instant>,
    expires_at: Option<Instant>,
    refresh_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A SUBSCRIBE is on its way, or a NOTIFY is waited for (Timer N).
    Waiting,
    Up,
    /// We asked for the end.
    Leaving,
    Over,
}

/// What the owner has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriberEvent {
    /// Nothing.
    None,
    /// Send a SUBSCRIBE within the dialog, [filled in](Subscriber::fill_subscribe).
    Refresh,
    /// It ended; drop the dialog. `retry`: how long to wait before subscribing anew, if at all.
    Over {
        /// `None`: do not try again.
        retry: Option<Duration>,
    },
}

/// What a NOTIFY meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notified {
    /// Answer 200 and read the body.
    State,
    /// Answer 200, read the body; it was the last one.
    Last {
        /// How long to wait before subscribing anew; `None`: do not.
        retry: Option<Duration>,
    },
    /// Answer with this status: the NOTIFY is not ours or not well-formed.
    Refuse(StatusCode),
}

/// How long to wait after an end that names no time.
const RETRY: Duration = Duration::from_secs(60);

impl Subscriber {
    /// Nothing is sent yet: fill in a SUBSCRIBE. `accept` are the content types we read; `t1` is
    /// for Timer N, 64*T1 until the first NOTIFY (RFC 6665 §4.1.2.4).
    pub fn new(now: Instant, event: Event, accept: &str, seconds: u32, t1: Duration) -> Self {
        Self {
            event,
            accept: accept.into(),
            wish: seconds,
            state: State::Waiting,
            first_notify_by: Some(now + 64 * t1),
            expires_at: None,
            refresh_at: None,
        }
    }

    /// Makes `request` a SUBSCRIBE that starts, refreshes or ends it.
    pub fn fill_subscribe(&self, request: &mut Request) {
        let leaving = matches!(self.state, State::Leaving | State::Over);
        request.headers.set_typed(&self.event);
        request.headers.set(HeaderName::Accept, &*self.accept);
        request.headers.set_typed(&Expires(if leaving { 0 } else { self.wish }));
    }

    /// Ends it: the next SUBSCRIBE asks for 0 s. Over when the last NOTIFY comes, or after
    /// `wait` (64*T1).
    pub fn unsubscribe(&mut self, now: Instant, wait: Duration) {
        if self.state != State::Over {
            self.state = State::Leaving;
            self.first_notify_by = None;
            self.refresh_at = None;
            self.expires_at = Some(now + wait);
        }
    }

    /// Reads the final answer to a SUBSCRIBE; `None`: there was none.
    pub fn answered(&mut self, now: Instant, answer: Option<&Response>) -> SubscriberEvent {
        if self.state == State::Over {
            return SubscriberEvent::None;
        }
        let Some(response) = answer else {
            // §4.1.2.2: a refresh without an answer leaves it as long as it was granted.
            let keeps = self.state == State::Up && self.expires_at.is_some_and(|at| at > now);
            return if keeps { SubscriberEvent::None } else { self.over(Some(RETRY)) };
        };
        if response.status.is_success() {
            let granted = response.headers.typed::<Expires>().ok().flatten();
            if self.state != State::Leaving {
                self.granted(now, granted.map_or(self.wish, |e| e.0));
            }
            return SubscriberEvent::None;
        }
        self.refused(now, response)
    }

    fn refused(&mut self, now: Instant, response: &Response) -> SubscriberEvent {
        if response.status == StatusCode::INTERVAL_TOO_BRIEF
            && let Ok(Some(MinExpires(min))) = response.headers.typed()
            && min > self.wish
            && self.state != State::Leaving
        {
            self.wish = min;
            return SubscriberEvent::Refresh;
        }
        let after = response.headers.typed::<RetryAfter>().ok().flatten();
        let after = after.map(|r| Duration::from_secs(r.0.into()));
        match response.status.code() {
            _ if self.state == State::Leaving => self.over(None),
            // The dialog or subscription is lost, the resource perhaps not: anew, at once.
            481 => self.over(Some(Duration::ZERO)),
            403 | 404 | 405 | 410 | 489 | 501 | 604 => self.over(None),
            // §4.1.2.2: other failures of a refresh leave the subscription as it is.
            _ if self.state == State::Up && self.expires_at.is_some_and(|at| at > now) => {
                SubscriberEvent::None
            }
            _ => self.over(Some(after.unwrap_or(RETRY))),
        }
    }

    /// Reads a NOTIFY within the dialog (§4.1.3).
    pub fn notified(&mut self, now: Instant, notify: &Request) -> Notified {
        let event = notify.headers.typed::<Event>().ok().flatten();
        let ours = event.is_some_and(|e| {
            e.package.eq_ignore_ascii_case(&self.event.package) && e.id == self.event.id
        });
        if !ours || self.state == State::Over {
            return Notified::Refuse(StatusCode::CALL_DOES_NOT_EXIST);
        }
        let Ok(Some(told)) = notify.headers.typed::<SubscriptionState>() else {
            return Notified::Refuse(StatusCode::BAD_REQUEST);
        };
        if told.state == SubState::Terminated {
            let leaving = self.state == State::Leaving;
            self.over(None);
            return Notified::Last { retry: retry(&told).filter(|_| !leaving) };
        }
        if self.state != State::Leaving {
            self.state = State::Up;
            self.first_notify_by = None;
            // The notifier may cut the time short (§4.1.3), not prolong it.
            let named = told.expires.map(|s| now + Duration::from_secs(s.into()));
            match (self.expires_at, named) {
                (Some(at), Some(named)) if named >= at => {}
                (Some(_), None) => {}
                _ => self.granted(now, told.expires.unwrap_or(self.wish)),
            }
        }
        Notified::State
    }

    /// Refreshes at 90 % of what was granted, or 32 s before the end when that is earlier.
    fn granted(&mut self, now: Instant, seconds: u32) {
        let whole = Duration::from_secs(seconds.into());
        let early = (whole / 10).max(Duration::from_secs(32)).min(whole / 2);
        self.refresh_at = Some(now + (whole - early));
        self.expires_at = Some(now + whole);
    }

    fn over(&mut self, retry: Option<Duration>) -> SubscriberEvent {
        self.state = State::Over;
        self.first_notify_by = None;
        self.refresh_at = None;
        self.expires_at = None;
        SubscriberEvent::Over { retry }
    }

    /// Whether it ended.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.first_notify_by, self.refresh_at, self.expires_at].into_iter().flatten().min()
    }

    /// Refresh due, or run out.
    pub fn handle_timeout(&mut self, now: Instant) -> SubscriberEvent {
        let due = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        if due(self.first_notify_by) {
            return self.over(Some(RETRY));
        }
        if due(self.expires_at) {
            let leaving = self.state == State::Leaving;
            return self.over((!leaving).then_some(Duration::ZERO));
        }
        if due(self.refresh_at) {
            self.refresh_at = None;
            return SubscriberEvent::Refresh;
        }
        SubscriberEvent::None
    }
}

/// §4.1.3: what the reason and retry-after of a last NOTIFY ask for.
fn retry(told: &SubscriptionState) -> Option<Duration> {
    let reason = told.reason.as_deref().and_then(EndReason::parse);
    if reason.is_some_and(|r| !r.may_retry()) {
        return None;
    }
    let named = told.retry_after.map(|s| Duration::from_secs(s.into()));
    match reason {
        Some(EndReason::Deactivated | EndReason::Timeout) => Some(Duration::ZERO),
        _ => Some(named.unwrap_or(RETRY)),
    }
}
