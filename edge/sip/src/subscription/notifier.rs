//! The side that tells (RFC 6665 §4.2).

use std::time::{Duration, Instant};

use bytes::Bytes;
use thiserror::Error;

use super::EndReason;
use crate::header::{Event, Expires, HeaderName, MinExpires, SubState, SubscriptionState};
use crate::message::{Request, Response, StatusCode};

/// How long a subscription may last, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Shorter wishes are refused with 423 (but 0, which ends the subscription).
    pub min: u32,
    /// Longer wishes are cut.
    pub max: u32,
    /// For a SUBSCRIBE without Expires: the package's default.
    pub default: u32,
}

impl Default for Limits {
    /// 60 s to 1 h, the latter also when nothing is said.
    fn default() -> Self {
        Self { min: 60, max: 3600, default: 3600 }
    }
}

/// Why a SUBSCRIBE is refused. The subscriber's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SubscribeError {
    /// No readable Event header, or of another package: 489 (RFC 6665 §8.3.2).
    #[error("event package missing or not served here")]
    BadEvent,
    /// Expires cannot be read: 400.
    #[error("malformed Expires")]
    Malformed,
    /// Asks for less than the minimum: 423.
    #[error("subscription shorter than {min} s")]
    TooBrief {
        /// The least we grant, in seconds.
        min: u32,
    },
    /// Belongs to a subscription that is over, or to another one: 481.
    #[error("no such subscription")]
    Gone,
}

impl SubscribeError {
    /// The answer to `request`.
    pub fn response(self, request: &Request) -> Response {
        let status = match self {
            Self::BadEvent => StatusCode::BAD_EVENT,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TooBrief { .. } => StatusCode::INTERVAL_TOO_BRIEF,
            Self::Gone => StatusCode::CALL_DOES_NOT_EXIST,
        };
        let mut response = Response::to_request(request, status, None);
        if let Self::TooBrief { min } = self {
            response.headers.push_typed(&MinExpires(min));
        }
        response
    }
}

/// The notifier's view of one subscription.
///
/// After [`Notifier::accept`] and after each successful [`Notifier::refresh`] a NOTIFY with the
/// full state must follow at once (RFC 6665 §4.2.1.2), also when it is over by then.
#[derive(Clone, Debug)]
pub struct Notifier {
    event: Event,
    state: State,
    expires_at: Instant,
    granted: u32,
    limits: Limits,
    /// The last NOTIFY, which says `terminated`, was filled in.
    told_end: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending,
    Active,
    Over(EndReason, Option<u32>),
}

impl Notifier {
    /// Reads the SUBSCRIBE that starts it. `packages` are those served. A wish for 0 s gives a
    /// subscription that is over after its one NOTIFY (RFC 6665 §4.4.3).
    ///
    /// # Errors
    /// [`SubscribeError`] says how to answer.
    pub fn accept(
        now: Instant,
        request: &Request,
        packages: &[&str],
        limits: Limits,
    ) -> Result<Self, SubscribeError> {
        let event = request.headers.typed::<Event>().ok().flatten();
        let event = event.ok_or(SubscribeError::BadEvent)?;
        if !packages.iter().any(|p| p.eq_ignore_ascii_case(&event.package)) {
            return Err(SubscribeError::BadEvent);
        }
        let granted = granted(request, &limits)?;
        Ok(Self::start(now, event, granted, limits))
    }

    /// One that no SUBSCRIBE started, `seconds` long: that of a REFER.
    pub fn implicit(now: Instant, event: Event, seconds: u32) -> Self {
        Self::start(now, event, seconds, Limits::default())
    }

    fn start(now: Instant, event: Event, granted: u32, limits: Limits) -> Self {
        let state = match granted {
            0 => State::Over(EndReason::Timeout, None),
            _ => State::Active,
        };
        let expires_at = now + Duration::from_secs(granted.into());
        Self { event, state, expires_at, granted, limits, told_end: false }
    }

    /// Makes an active one wait for a decision.
    pub fn set_pending(&mut self) {
        if self.state == State::Active {
            self.state = State::Pending;
        }
    }

    /// The decision was yes.
    pub fn set_active(&mut self) {
        if self.state == State::Pending {
            self.state = State::Active;
        }
    }

    /// A SUBSCRIBE within the dialog: lasts longer, or ends (RFC 6665 §4.2.1.4).
    ///
    /// # Errors
    /// [`SubscribeError`] says how to answer; the subscription stays as it was.
    pub fn refresh(&mut self, now: Instant, request: &Request) -> Result<(), SubscribeError> {
        if self.is_over() {
            return Err(SubscribeError::Gone);
        }
        let event = request.headers.typed::<Event>().ok().flatten();
        if !event.is_some_and(|e| self.is_for(&e)) {
            return Err(SubscribeError::Gone);
        }
        self.granted = granted(request, &self.limits)?;
        self.expires_at = now + Duration::from_secs(self.granted.into());
        if self.granted == 0 {
            self.state = State::Over(EndReason::Timeout, None);
        }
        Ok(())
    }

    /// Whether an Event header names this subscription: same package, same id (§8.2.1).
    pub fn is_for(&self, event: &Event) -> bool {
        self.event.package.eq_ignore_ascii_case(&event.package) && self.event.id == event.id
    }

    /// The event, as subscribed to.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// Puts the granted time into the 2xx to a SUBSCRIBE (RFC 6665 §3.1.1).
    pub fn fill_response(&self, response: &mut Response) {
        response.headers.set_typed(&Expires(self.granted));
    }

    /// Ends it from our side. A NOTIFY must follow, and the subscriber may be asked to wait
    /// `retry_after` seconds before it tries again.
    pub fn end(&mut self, reason: EndReason, retry_after: Option<u32>) {
        if !self.is_over() {
            self.state = State::Over(reason, retry_after);
        }
    }

    /// Makes `notify` a NOTIFY of the current state: Event, Subscription-State, and the body,
    /// which a pending subscription does not get. `body` is `(content type, octets)`.
    pub fn fill_notify(&mut self, now: Instant, notify: &mut Request, body: Option<(&str, Bytes)>) {
        notify.headers.set_typed(&self.event);
        notify.headers.set_typed(&self.state_header(now));
        notify.headers.remove(&HeaderName::ContentType);
        notify.body = Bytes::new();
        if let Some((content_type, body)) = body
            && self.state != State::Pending
        {
            notify.headers.set(HeaderName::ContentType, content_type);
            notify.body = body;
        }
        self.told_end = self.is_over();
    }

    fn state_header(&self, now: Instant) -> SubscriptionState {
        let left = self.expires_at.saturating_duration_since(now).as_secs();
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        match self.state {
            State::Active => SubscriptionState::active(left),
            State::Pending => {
                SubscriptionState { state: SubState::Pending, ..SubscriptionState::active(left) }
            }
            State::Over(reason, retry_after) => {
                SubscriptionState { retry_after, ..SubscriptionState::terminated(reason.as_str()) }
            }
        }
    }

    /// Reads the answer to a NOTIFY (`None`: there was none). `false`: the subscription is gone
    /// and nothing more may be sent (RFC 6665 §4.2.2; RFC 5057 §5.1 for the codes).
    pub fn notify_answered(&mut self, answer: Option<&Response>) -> bool {
        let gone = match answer {
            None => true,
            Some(response) if !response.status.is_final() || response.status.is_success() => false,
            Some(response) => {
                // A refusal with Retry-After is a matter of load, and does not end anything.
                !response.headers.has(&HeaderName::RetryAfter)
                    && matches!(
                        response.status.code(),
                        404 | 405 | 410 | 416 | 480..=485 | 489 | 501 | 604
                    )
            }
        };
        if gone {
            self.state = State::Over(EndReason::Deactivated, None);
            self.told_end = true;
        }
        !gone
    }

    /// Whether it ended.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over(..))
    }

    /// Whether it ended and the subscriber was told, so that it can be dropped.
    pub fn is_finished(&self) -> bool {
        self.is_over() && self.told_end
    }

    /// When it expires.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (!self.is_over()).then_some(self.expires_at)
    }

    /// `true`: it has just expired, and a last NOTIFY must be sent (RFC 6665 §4.2.1.4).
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        let expired = !self.is_over() && now >= self.expires_at;
        if expired {
            self.state = State::Over(EndReason::Timeout, None);
        }
        expired
    }
}

fn granted(request: &Request, limits: &Limits) -> Result<u32, SubscribeError> {
    let wish = request.headers.typed::<Expires>().map_err(|_| SubscribeError::Malformed)?;
    let wish = wish.map_or(limits.default, |e| e.0);
    if wish == 0 {
        return Ok(0);
    }
    // RFC 6665 §4.2.1.1: 423 only for wishes under an hour.
    if wish < limits.min.min(3600) {
        return Err(SubscribeError::TooBrief { min: limits.min });
    }
    Ok(wish.min(limits.max))
}
