//! The callee's side of the first INVITE (RFC 3261 §13.3): ringing, answering, refusing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::config::{ReliableProvisionals, SessionConfig};
use super::outputs::{EndedBy, Refused};
use super::session_timer::TooSmall;
use super::state::{
    Callee, FirstOffer, Leg, Open, Phase, Queued, Reliable, Reliably, Retransmit, Role,
};
use super::{Session, wire};
use crate::dialog::{Dialog, DialogError};
use crate::header::{HeaderName, Headers, NameAddr};
use crate::ids::Ids;
use crate::message::{Request, Response, StatusCode};
use crate::transaction::ServerTx;
use crate::uri::Uri;

/// Most responses that may wait for a PRACK.
const MAX_QUEUE: usize = 8;

impl Session {
    /// Takes an INVITE that begins a call. Nothing is answered yet.
    ///
    /// Errors: the final response to send instead: 400 (what a dialog needs is missing), 415,
    /// 420 (Require), 421 (100rel demanded by us), 422 (session interval).
    #[allow(clippy::result_large_err)] // the error is what the caller sends
    pub fn incoming(
        now: Instant,
        config: Arc<SessionConfig>,
        ids: &mut Ids,
        invite: &Request,
        tx: ServerTx,
        contact: Uri,
    ) -> Result<Self, Response> {
        let tag = ids.tag();
        let dialog = Dialog::from_request(invite, &tag).map_err(|DialogError::Header(name)| {
            let mut response = wire::bare(invite, StatusCode::BAD_REQUEST, &tag);
            response.reason = Bytes::from(format!("Bad or missing {name}"));
            response
        })?;
        let Screened { cseq, offer, reliably } = screen(&config, invite)
            .map_err(|(status, fields)| refusal(invite, &tag, status, fields))?;

        let call_id = dialog.id().call_id.clone();
        let mut session = Self::bare(config, Role::Callee, ids, &call_id, &tag, contact);
        let agreement =
            session.timer.consider(&session.config, &invite.headers).map_err(|TooSmall(min)| {
                let field = (HeaderName::MinSe, min.to_string());
                refusal(invite, &tag, StatusCode::SESSION_INTERVAL_TOO_SMALL, vec![field])
            })?;
        let mut template = wire::bare(invite, StatusCode::OK, &tag);
        // RFC 3261 §12.1.1: Record-Route as it came, for the dialog-forming responses.
        for value in invite.headers.get_all(&HeaderName::RecordRoute) {
            template.headers.push(HeaderName::RecordRoute, value.clone());
        }
        let mut leg = Leg::new(dialog);
        leg.learn(&invite.headers);
        leg.answer.clone_from(&offer);
        session.leg = Some(Box::new(leg));
        session.remote_sdp.clone_from(&offer);
        session.callee = Some(Box::new(Callee {
            tx,
            template,
            cseq,
            first: if offer.is_some() { FirstOffer::Theirs } else { FirstOffer::OursDue },
            reliably,
            next_rseq: ids.sequence(),
            unacknowledged: None,
            queue: VecDeque::new(),
            last_provisional: None,
            again: None,
            repeat_at: None,
            expires_at: expiry(now, &invite.headers),
            agreement,
        }));
        Ok(session)
    }

    /// Sends a 101..199, reliably where the peer and the configuration want it; then it is
    /// repeated until its PRACK, and later ones wait. `sdp` is the answer, or the offer when the
    /// INVITE had none (then only in a reliable one; it is left out of a plain one).
    ///
    /// Errors: not ringing (any more), no 101..199, too many waiting.
    pub fn provisional(
        &mut self,
        now: Instant,
        status: StatusCode,
        sdp: Option<Bytes>,
        headers: Headers,
    ) -> Result<(), Refused> {
        if !(101..200).contains(&status.code()) {
            return Err(Refused::BadStatus);
        }
        let waiting = self.must_wait(sdp.is_some())?;
        if waiting {
            return self.enqueue(Queued::Provisional { status, sdp, headers });
        }
        self.send_provisional(now, status, sdp, &headers);
        Ok(())
    }

    /// Answers the call with 200. `sdp` is the answer, or the offer when the INVITE had none; not
    /// needed when a reliable provisional settled it (it is left out then, RFC 6337 §2.2).
    /// Waits for the PRACK of a reliable provisional that carried a description (RFC 3262 §3).
    ///
    /// Errors: not ringing (any more), answered already, a description is needed.
    pub fn accept(
        &mut self,
        now: Instant,
        sdp: Option<Bytes>,
        headers: Headers,
    ) -> Result<(), Refused> {
        let early = self.local_sdp.clone();
        let callee = self.ringing()?;
        if callee.queue.iter().any(|queued| matches!(queued, Queued::Accept { .. })) {
            return Err(Refused::NotNow);
        }
        let settled = matches!(callee.first, FirstOffer::OursOpen | FirstOffer::Done)
            || callee.queue.iter().any(|q| matches!(q, Queued::Provisional { sdp: Some(_), .. }));
        // Sent as early media in a plain provisional before: the same again (RFC 3261 §13.2.1).
        let sent_early = callee.last_provisional.as_ref().is_some_and(|r| !r.body.is_empty());
        let sdp = sdp.or_else(|| early.filter(|_| sent_early));
        if sdp.is_none() && !settled {
            return Err(Refused::NeedsSdp);
        }
        let with_sdp = callee.unacknowledged.as_ref().is_some_and(|r| r.with_sdp)
            || callee.queue.iter().any(|q| matches!(q, Queued::Provisional { sdp: Some(_), .. }));
        if with_sdp || matches!(self.open, Open::Remote { .. }) {
            return self.enqueue(Queued::Accept { sdp, headers });
        }
        self.send_accept(now, sdp, &headers);
        Ok(())
    }

    /// Refuses the call with a 400..699 and ends the session. `reason`: another reason phrase.
    ///
    /// Errors: not ringing (any more), no 400..699.
    #[allow(clippy::needless_pass_by_value)] // as its sisters do
    pub fn reject(
        &mut self,
        now: Instant,
        status: StatusCode,
        reason: Option<&str>,
        headers: Headers,
    ) -> Result<(), Refused> {
        if status.code() < 400 {
            return Err(Refused::BadStatus);
        }
        self.ringing()?;
        self.answer_finally(now, status, reason, &headers);
        self.end(now, EndedBy::Local, Some(status), Vec::new());
        Ok(())
    }

    /// Refers the caller to other addresses with a 3xx and ends the session.
    ///
    /// Errors: not ringing (any more), no 3xx.
    #[allow(clippy::needless_pass_by_value)] // as its sisters do
    pub fn redirect(
        &mut self,
        now: Instant,
        status: StatusCode,
        contacts: &[NameAddr],
        headers: Headers,
    ) -> Result<(), Refused> {
        if !(300..400).contains(&status.code()) {
            return Err(Refused::BadStatus);
        }
        let callee = self.ringing()?;
        for contact in contacts {
            callee.template.headers.push(HeaderName::Contact, contact.to_string());
        }
        self.answer_finally(now, status, None, &headers);
        self.end(now, EndedBy::Local, Some(status), Vec::new());
        Ok(())
    }

    fn ringing(&mut self) -> Result<&mut Callee, Refused> {
        let over = self.phase == Phase::Over;
        match &mut self.callee {
            Some(callee) => Ok(callee),
            None if over => Err(Refused::Over),
            None => Err(Refused::NotNow),
        }
    }

    /// Whether a provisional has to wait its turn.
    fn must_wait(&mut self, with_sdp: bool) -> Result<bool, Refused> {
        let open = matches!(self.open, Open::Remote { .. });
        let callee = self.ringing()?;
        if callee.queue.iter().any(|queued| matches!(queued, Queued::Accept { .. })) {
            return Err(Refused::NotNow);
        }
        Ok(callee.unacknowledged.is_some() || !callee.queue.is_empty() || (open && with_sdp))
    }

    fn enqueue(&mut self, queued: Queued) -> Result<(), Refused> {
        let callee = self.ringing()?;
        if callee.queue.len() >= MAX_QUEUE {
            return Err(Refused::Busy);
        }
        callee.queue.push_back(queued);
        Ok(())
    }

    pub(super) fn send_provisional(
        &mut self,
        now: Instant,
        status: StatusCode,
        sdp: Option<Bytes>,
        headers: &Headers,
    ) {
        let Some(callee) = &self.callee else { return };
        let (reliably, first, tx) = (callee.reliably, callee.first, callee.tx);
        let sdp = match first {
            // An offer may only go where the PRACK can answer it (RFC 3262 §5).
            FirstOffer::OursDue if reliably == Reliably::Never => None,
            // RFC 3261 §13.2.1: descriptions after the answer mean nothing.
            FirstOffer::OursOpen | FirstOffer::Done => None,
            FirstOffer::OursDue | FirstOffer::Theirs => sdp,
        };
        let reliably = match reliably {
            Reliably::Never => false,
            // §13.2.1: the first reliable response has to bring the offer that is due. One without
            // goes out plain.
            Reliably::WherePossible => first != FirstOffer::OursDue || sdp.is_some(),
            Reliably::Always => true,
        };
        let mut response = self.finish(callee.template.clone(), status);
        wire::set_contact(&mut response.headers, &self.contact, self.config.is_focus);
        self.capabilities(&mut response.headers);
        wire::add_extra(&mut response.headers, headers);
        wire::set_sdp(&mut response.headers, &mut response.body, sdp.as_ref());
        let (t1, life) = (self.config.t1, self.config.timeout());
        let repeat = self.config.repeat_provisional;
        let Some(callee) = &mut self.callee else { return };
        if reliably {
            Self::mark_reliable(&mut response, callee.next_rseq);
            // RFC 3262 §3: from T1, doubling without a cap, for 64 x T1.
            callee.unacknowledged = Some(Reliable {
                rseq: callee.next_rseq,
                response: response.clone(),
                with_sdp: sdp.is_some(),
                retransmit: Retransmit::new(now, t1, life, life),
            });
            callee.next_rseq = callee.next_rseq.wrapping_add(1);
            callee.first = match (first, &sdp) {
                (FirstOffer::Theirs, Some(_)) => FirstOffer::Done,
                (FirstOffer::OursDue, Some(_)) => FirstOffer::OursOpen,
                (first, _) => first,
            };
            callee.last_provisional = None;
            callee.again = Some((status, headers.clone()));
            callee.repeat_at = None;
        } else {
            callee.last_provisional = Some(response.clone());
            callee.repeat_at = Some(now + repeat);
        }
        if sdp.is_some() {
            self.local_sdp = sdp;
        }
        self.respond_now(tx, response);
    }

    pub(super) fn send_accept(&mut self, now: Instant, sdp: Option<Bytes>, headers: &Headers) {
        let Some(callee) = self.callee.take() else { return };
        let sdp = match callee.first {
            FirstOffer::Theirs | FirstOffer::OursDue => sdp,
            FirstOffer::OursOpen | FirstOffer::Done => None,
        };
        self.late_prack = callee.unacknowledged.as_ref().map(|r| (r.rseq, callee.cseq));
        self.phase = Phase::Live;
        let offered = callee.first == FirstOffer::OursDue;
        let mut response = self.positive(callee.template);
        self.timer.confirm(now, callee.agreement, &mut response.headers);
        wire::add_extra(&mut response.headers, headers);
        wire::set_sdp(&mut response.headers, &mut response.body, sdp.as_ref());
        if let Some(leg) = &mut self.leg {
            leg.dialog.confirm_local();
            leg.agreed = true;
        }
        if sdp.is_some() {
            self.local_sdp = sdp;
        }
        if offered {
            self.open = Open::LocalIn2xx;
        }
        self.send_accepted(now, callee.tx, callee.cseq, response, true, offered);
    }

    /// The final failure or redirection of the first INVITE.
    pub(super) fn answer_finally(
        &mut self,
        _now: Instant,
        status: StatusCode,
        reason: Option<&str>,
        headers: &Headers,
    ) {
        let Some(callee) = self.callee.take() else { return };
        self.late_prack = callee.unacknowledged.as_ref().map(|r| (r.rseq, callee.cseq));
        let mut response = self.finish(callee.template, status);
        // Only responses that make a dialog carry the route (RFC 3261 §12.1.1).
        response.headers.remove(&HeaderName::RecordRoute);
        if let Some(reason) = reason {
            response.reason = clean_reason(reason);
        }
        wire::add_extra(&mut response.headers, headers);
        self.respond_now(callee.tx, response);
    }
}

/// What an INVITE that we can serve asks for.
struct Screened {
    cseq: u32,
    offer: Option<Bytes>,
    reliably: Reliably,
}

/// What a refusal says beside its status.
type Fields = Vec<(HeaderName, String)>;

/// RFC 3261 §8.2.2.3 (extensions), §8.2.3 (body), RFC 3262 §3 (100rel).
fn screen(config: &SessionConfig, invite: &Request) -> Result<Screened, (StatusCode, Fields)> {
    let headers = &invite.headers;
    let cseq = wire::cseq(headers).ok_or((StatusCode::BAD_REQUEST, Vec::new()))?.seq;
    let unknown = unsupported(config, headers);
    if !unknown.is_empty() {
        let field = (HeaderName::Unsupported, unknown.join(", "));
        return Err((StatusCode::BAD_EXTENSION, vec![field]));
    }
    let Ok(offer) = wire::sdp(headers, &invite.body) else {
        let fields = wire::UnknownBody::remedy().map(|(name, value)| (name, value.to_owned()));
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, fields.into()));
    };
    let demanded = wire::has_token(headers, &HeaderName::Require, "100rel");
    let able = demanded || wire::has_token(headers, &HeaderName::Supported, "100rel");
    let reliably = match config.reliable_provisionals {
        // A caller that requires it gets it in any case.
        _ if demanded => Reliably::Always,
        ReliableProvisionals::Never => Reliably::Never,
        ReliableProvisionals::IfOffered | ReliableProvisionals::Always if able => {
            Reliably::WherePossible
        }
        ReliableProvisionals::IfOffered => Reliably::Never,
        ReliableProvisionals::Always => {
            let field = (HeaderName::Require, "100rel".to_owned());
            return Err((StatusCode::EXTENSION_REQUIRED, vec![field]));
        }
    };
    Ok(Screened { cseq, offer, reliably })
}

fn refusal(invite: &Request, tag: &str, status: StatusCode, fields: Fields) -> Response {
    let mut response = wire::bare(invite, status, tag);
    for (name, value) in fields {
        response.headers.push(name, value);
    }
    response
}

/// When the INVITE loses its meaning, if it says so (RFC 3261 §13.3.1).
fn expiry(now: Instant, invite: &Headers) -> Option<Instant> {
    let seconds = wire::number(invite, &HeaderName::Expires).filter(|seconds| *seconds > 0)?;
    Some(now + Duration::from_secs(seconds.into()))
}

/// Option tags in Require that we do not know (RFC 3261 §8.2.2.3).
pub(super) fn unsupported(config: &SessionConfig, headers: &Headers) -> Vec<String> {
    wire::tokens(headers, &HeaderName::Require).filter(|t| !config.supports(t)).collect()
}

/// A reason phrase stays on its line.
fn clean_reason(reason: &str) -> Bytes {
    Bytes::from(reason.replace(|c: char| c.is_control(), " "))
}
