//! Requests within the dialog: the peer's (RFC 3261 §12.2.2), and ours that are no session
//! business (INFO, REFER, NOTIFY, MESSAGE …).

use std::time::Instant;

use bytes::Bytes;

use super::incoming::unsupported;
use super::outputs::{InboundToken, Refused, RequestToken, SessionEvent};
use super::state::{ClientKind, Inbound, Phase};
use super::{Session, wire};
use crate::dialog::Sequence;
use crate::header::{HeaderName, Headers};
use crate::message::{Method, Request, Response, StatusCode};
use crate::transaction::ServerTx;

impl Session {
    /// A request of the peer that carries our tag. ACK and CANCEL have calls of their own.
    pub fn handle_request(&mut self, now: Instant, tx: ServerTx, request: &Request) {
        match request.method {
            Method::Ack => return self.handle_ack(now, request),
            Method::Cancel => return,
            _ => {}
        }
        let template = Response::to_request(request, StatusCode::OK, None);
        let Some(tag) = self.branch_of(request) else {
            return self.refuse(tx, template, StatusCode::CALL_DOES_NOT_EXIST);
        };
        let Some(cseq) = wire::cseq(&request.headers) else {
            return self.refuse(tx, template, StatusCode::BAD_REQUEST);
        };
        let Some(leg) = self.branch(&tag) else { return };
        if leg.dialog.receive_sequence(cseq.seq) == Sequence::OutOfOrder {
            return self.refuse(tx, template, StatusCode::SERVER_INTERNAL_ERROR);
        }
        let dismissed = self.phase == Phase::Live && !self.is_chosen(&tag);
        if (self.phase == Phase::Over || dismissed) && request.method != Method::Bye {
            let status = match request.method {
                // Our final response overtook a provisional (RFC 3262 §3).
                Method::Prack => return self.on_prack(now, tx, request),
                _ => StatusCode::CALL_DOES_NOT_EXIST,
            };
            return self.refuse(tx, template, status);
        }
        let unknown = unsupported(&self.config, &request.headers);
        if !unknown.is_empty() && request.method != Method::Bye {
            let mut response = self.finish(template, StatusCode::BAD_EXTENSION);
            response.headers.push(HeaderName::Unsupported, unknown.join(", "));
            return self.respond_now(tx, response);
        }
        match request.method {
            Method::Invite => self.on_reinvite(now, tx, request, cseq.seq),
            Method::Update => self.on_update(now, tx, request, &tag),
            Method::Prack => self.on_prack(now, tx, request),
            Method::Bye => self.on_bye(now, tx, &tag, request),
            Method::Options => {
                let mut response = self.finish(template, StatusCode::OK);
                self.capabilities(&mut response.headers);
                response.headers.push(HeaderName::Accept, "application/sdp");
                self.respond_now(tx, response);
            }
            _ => self.on_other(tx, request, template),
        }
        self.start_deferred(now);
    }

    fn branch_of(&self, request: &Request) -> Option<Box<str>> {
        let legs = self.leg.as_deref().into_iter().chain(&self.forks);
        legs.map(|leg| &leg.dialog)
            .find(|dialog| dialog.matches_request(request))
            .map(|dialog| dialog.id().remote_tag.clone())
    }

    fn on_other(&mut self, tx: ServerTx, request: &Request, template: Response) {
        if !self.config.allow.contains(&request.method) {
            let mut response = self.finish(template, StatusCode::METHOD_NOT_ALLOWED);
            response.headers.push(HeaderName::Allow, wire::allow_list(&self.config.allow));
            return self.respond_now(tx, response);
        }
        if self.inbound.len() >= self.config.max_parallel {
            let mut response = self.finish(template, StatusCode::SERVICE_UNAVAILABLE);
            response.headers.push(HeaderName::RetryAfter, "1");
            return self.respond_now(tx, response);
        }
        let token = self.token();
        self.inbound.push(Inbound { token, tx, template });
        self.emit(SessionEvent::Request { token: InboundToken(token), request: request.clone() });
    }

    /// Answers a `Request`. `body` is content type and content. After a final answer the token is
    /// used up. Contact goes along for the methods that want it (RFC 3265, RFC 3515).
    ///
    /// Errors: unknown or used token.
    pub fn respond(
        &mut self,
        _now: Instant,
        token: InboundToken,
        status: StatusCode,
        headers: &Headers,
        body: Option<(&str, Bytes)>,
    ) -> Result<(), Refused> {
        let index = self.inbound.iter().position(|inbound| inbound.token == token.0);
        let Some(index) = index else { return Err(Refused::UnknownToken) };
        let Some(inbound) = self.inbound.get(index) else { return Err(Refused::UnknownToken) };
        let tx = inbound.tx;
        let mut response = self.finish(inbound.template.clone(), status);
        if status.is_success() {
            wire::set_contact(&mut response.headers, &self.contact, self.config.is_focus);
        }
        wire::add_extra(&mut response.headers, headers);
        set_body(&mut response.headers, &mut response.body, body);
        self.respond_now(tx, response);
        if status.is_final() {
            self.inbound.swap_remove(index);
        }
        Ok(())
    }

    /// Sends a request of another kind in the dialog; on an outgoing call that rings, in the
    /// first early dialog. The outcome is `Response` or `RequestFailed`.
    ///
    /// Errors: over, no dialog, too many under way, or a method that the session itself sends.
    pub fn send(
        &mut self,
        _now: Instant,
        method: Method,
        headers: &Headers,
        body: Option<(&str, Bytes)>,
    ) -> Result<RequestToken, Refused> {
        if self.phase == Phase::Over {
            return Err(Refused::Over);
        }
        if matches!(
            method,
            Method::Invite
                | Method::Ack
                | Method::Bye
                | Method::Cancel
                | Method::Prack
                | Method::Update
        ) {
            return Err(Refused::NotNow);
        }
        if self.clients.len() + self.challenged.len() >= self.config.max_parallel {
            return Err(Refused::Busy);
        }
        let max_forwards = self.config.max_forwards;
        let leg = match &mut self.leg {
            Some(leg) => Some(&mut **leg),
            None => self.forks.first_mut(),
        };
        let Some(leg) = leg else { return Err(Refused::NoDialog) };
        let tag = leg.dialog.id().remote_tag.clone();
        let next_hop = leg.dialog.next_hop().clone();
        let mut request = leg.dialog.next_request(method, max_forwards);
        if matches!(request.method, Method::Refer | Method::Subscribe | Method::Notify) {
            wire::set_contact(&mut request.headers, &self.contact, self.config.is_focus);
        }
        wire::add_extra(&mut request.headers, headers);
        self.agent(&mut request.headers);
        set_body(&mut request.headers, &mut request.body, body);
        Ok(self.launch(ClientKind::Other, &tag, request, next_hop))
    }
}

fn set_body(headers: &mut Headers, body: &mut Bytes, content: Option<(&str, Bytes)>) {
    if let Some((kind, content)) = content {
        headers.set(HeaderName::ContentType, kind);
        *body = content;
    }
}
