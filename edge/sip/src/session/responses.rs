//! What comes back for requests of ours: responses, failures, challenges.

use std::time::Instant;

use super::outputs::{EndedBy, Output, Refused, RequestToken, SendFailure, SessionEvent};
use super::state::{Challenged, Client, ClientKind, Open, Phase};
use super::{Session, wire};
use crate::header::{CSeq, HeaderName, Headers};
use crate::message::{Method, Response, StatusCode};

/// How often one request is sent again after 401, 407 or 422.
const MAX_RETRIES: u8 = 4;

impl Session {
    /// A response to the client transaction of that token.
    pub fn handle_response(&mut self, now: Instant, token: RequestToken, response: &Response) {
        let Some(index) = self.clients.iter().position(|c| c.token == token) else {
            self.on_late_response(now, token, response);
            return;
        };
        if response.status.is_provisional() {
            self.on_any_provisional(now, index, response);
            return;
        }
        let client = self.clients.swap_remove(index);
        if response.status.is_success() {
            self.on_success(now, client, response);
        } else {
            self.on_refusal(now, client, response);
        }
        self.start_deferred(now);
    }

    /// The client transaction of that token ended without a final response.
    pub fn handle_failure(&mut self, now: Instant, token: RequestToken, failure: SendFailure) {
        let Some(index) = self.clients.iter().position(|c| c.token == token) else { return };
        let client = self.clients.swap_remove(index);
        // RFC 3261 §8.1.3.1: silence counts as 408, and what never left as 503; §12.2.1.2: only
        // the former says that the dialog is lost.
        let lost = failure == SendFailure::Timeout && self.is_live(&client.tag);
        match client.kind {
            ClientKind::Invite => {
                self.invite_done();
                self.end(now, EndedBy::Failure(failure), None, Vec::new());
            }
            ClientKind::ReInvite(_) | ClientKind::Update(_) if lost => {
                self.terminate(now, EndedBy::Failure(failure), None, Headers::new());
            }
            ClientKind::ReInvite(ref change) | ClientKind::Update(ref change) => {
                self.close_offer(&client.kind);
                self.on_change_unsent(now, change.refresh, failure);
                self.start_deferred(now);
            }
            ClientKind::Other => {
                // Silence to INFO, MESSAGE or OPTIONS: phones there are that ignore what they do
                // not know while the call goes on. Whether it does, is asked with re-INVITE and
                // UPDATE (RFC 4028 §10).
                self.emit(SessionEvent::RequestFailed { token, failure });
            }
            // A BYE without answer is the end all the same (§15.1.1). The other side of a lost
            // PRACK gives up its INVITE by itself (RFC 3262 §3).
            ClientKind::Bye | ClientKind::Prack => {}
        }
    }

    /// A refused request again, with credentials. `headers` holds Authorization and
    /// Proxy-Authorization. A new transaction of the same dialog and a higher CSeq (RFC 3261
    /// §22.2).
    pub fn retry_with(
        &mut self,
        _now: Instant,
        token: RequestToken,
        headers: &Headers,
    ) -> Result<RequestToken, Refused> {
        let index = self.challenged.iter().position(|c| c.client.token == token);
        let Some(index) = index else { return Err(Refused::UnknownToken) };
        let mut client = self.challenged.swap_remove(index).client;
        for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
            if headers.get(&name).is_none() {
                continue;
            }
            client.request.headers.remove(&name);
            for value in headers.get_all(&name) {
                client.request.headers.push(name.clone(), value.clone());
            }
        }
        self.send_again(client).ok_or(Refused::NoDialog)
    }

    /// No credentials for this challenge: it counts as the final answer.
    pub fn give_up(&mut self, now: Instant, token: RequestToken) -> Result<(), Refused> {
        let index = self.challenged.iter().position(|c| c.client.token == token);
        let Some(index) = index else { return Err(Refused::UnknownToken) };
        let Challenged { client, response, .. } = self.challenged.swap_remove(index);
        self.fail(now, client, &response);
        self.start_deferred(now);
        Ok(())
    }

    pub(super) fn tick_challenged(&mut self, now: Instant) {
        while let Some(index) = self.challenged.iter().position(|c| now >= c.until) {
            let Challenged { client, response, .. } = self.challenged.swap_remove(index);
            self.fail(now, client, &response);
        }
    }

    /// Not of a request in flight: a 2xx of an INVITE that comes again or from another fork.
    fn on_late_response(&mut self, now: Instant, token: RequestToken, response: &Response) {
        if !response.status.is_success() {
            return;
        }
        let Some(cseq) = wire::cseq(&response.headers) else { return };
        if self.caller.as_ref().is_some_and(|c| c.token == token && c.cseq == cseq.seq) {
            self.on_invite_response(now, response);
            return;
        }
        let tag = super::outgoing::to_tag(response).unwrap_or_default();
        self.ack_again(&tag, cseq.seq);
    }

    fn on_any_provisional(&mut self, now: Instant, index: usize, response: &Response) {
        let Some(client) = self.clients.get(index) else { return };
        match &client.kind {
            ClientKind::Invite => self.on_invite_response(now, response),
            ClientKind::ReInvite(_) => self.on_reinvite_provisional(index, response),
            ClientKind::Other => {
                let token = client.token;
                self.emit(SessionEvent::Response { token, response: response.clone() });
            }
            ClientKind::Update(_) | ClientKind::Prack | ClientKind::Bye => {}
        }
    }

    fn on_success(&mut self, now: Instant, client: Client, response: &Response) {
        match client.kind {
            ClientKind::Invite => self.on_invite_response(now, response),
            ClientKind::ReInvite(change) => self.on_reinvite_answer(now, change, response),
            ClientKind::Update(change) => {
                self.on_update_answer(now, &client.tag, change, response);
            }
            ClientKind::Other => {
                let token = client.token;
                self.emit(SessionEvent::Response { token, response: response.clone() });
            }
            ClientKind::Prack | ClientKind::Bye => {}
        }
    }

    fn on_refusal(&mut self, now: Instant, client: Client, response: &Response) {
        let again = client.retries < MAX_RETRIES;
        match response.status {
            StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED
                if again && self.config.answers_challenges && self.still_wanted(&client) =>
            {
                self.challenge(now, client, response);
            }
            // RFC 4028 §7.3: ask again for the interval that the peer wants.
            StatusCode::SESSION_INTERVAL_TOO_SMALL
                if again && self.still_wanted(&client) && self.timer.raise(&response.headers) =>
            {
                let mut client = client;
                self.timer.ask(&self.config, &mut client.request.headers);
                self.send_again(client);
            }
            _ => self.fail(now, client, response),
        }
    }

    /// Whether sending it again still makes sense: in `Over` only for a BYE.
    fn still_wanted(&self, client: &Client) -> bool {
        self.phase != Phase::Over || matches!(client.kind, ClientKind::Bye)
    }

    fn challenge(&mut self, now: Instant, client: Client, response: &Response) {
        if matches!(client.kind, ClientKind::Invite) {
            self.invite_done();
        }
        self.emit(SessionEvent::Challenge {
            token: client.token,
            method: client.request.method.clone(),
            uri: client.request.uri.clone(),
            response: response.clone(),
        });
        let until = now + self.config.timeout();
        self.challenged.push(Challenged { client, response: response.clone(), until });
    }

    fn send_again(&mut self, mut client: Client) -> Option<RequestToken> {
        if matches!(client.kind, ClientKind::Invite) {
            return self.invite_again(client);
        }
        let seq = self.branch(&client.tag)?.dialog.next_cseq();
        let method = client.request.method.clone();
        client.request.headers.set_typed(&CSeq { seq, method });
        let token = RequestToken(self.token());
        client.token = token;
        client.retries = client.retries.saturating_add(1);
        let (request, next_hop) = (client.request.clone(), client.next_hop.clone());
        self.clients.push(client);
        self.outputs.push_back(Output::Send { token, request, next_hop });
        Some(token)
    }

    /// A final 3xx..6xx.
    fn fail(&mut self, now: Instant, client: Client, response: &Response) {
        let (token, status) = (client.token, response.status);
        self.close_offer(&client.kind);
        match client.kind {
            ClientKind::Invite => self.on_rejected(now, response),
            ClientKind::ReInvite(change) => {
                self.on_change_refused(now, &client.tag, false, change, response);
            }
            ClientKind::Update(change) => {
                self.on_change_refused(now, &client.tag, true, change, response);
            }
            ClientKind::Other => {
                self.emit(SessionEvent::Response { token, response: response.clone() });
                if status == StatusCode::CALL_DOES_NOT_EXIST
                    && is_of_the_call(&client.request.method)
                {
                    self.on_lost_dialog(now, &client.tag, status);
                }
            }
            ClientKind::Prack if status == StatusCode::CALL_DOES_NOT_EXIST => {
                // The peer has finished or forgotten that provisional; its final response tells.
            }
            ClientKind::Prack | ClientKind::Bye => {}
        }
    }

    /// What a failed re-INVITE or UPDATE had opened is void; an UPDATE without description had
    /// opened nothing.
    fn close_offer(&mut self, kind: &ClientKind) {
        let opened = match kind {
            ClientKind::ReInvite(_) => true,
            ClientKind::Update(change) => change.sdp.is_some(),
            _ => false,
        };
        if opened {
            self.open = Open::None;
        }
    }

    /// Ends the call on a 481 or 408 of its dialog (RFC 3261 §12.2.1.2). `true`: it was one.
    pub(super) fn on_lost_dialog(&mut self, now: Instant, tag: &str, status: StatusCode) -> bool {
        if !self.is_live(tag) {
            return false;
        }
        match status {
            // The peer does not know the dialog: nobody is there to take a BYE.
            StatusCode::CALL_DOES_NOT_EXIST => {
                self.end(now, EndedBy::DialogLost, Some(status), Vec::new());
            }
            StatusCode::REQUEST_TIMEOUT => {
                self.terminate(now, EndedBy::DialogLost, Some(status), Headers::new());
            }
            _ => return false,
        }
        true
    }

    /// Whether the call lives on the branch with that remote tag.
    fn is_live(&self, tag: &str) -> bool {
        self.phase == Phase::Live && self.is_chosen(tag)
    }

    fn on_rejected(&mut self, now: Instant, response: &Response) {
        self.invite_done();
        self.forks.clear();
        if self.phase != Phase::Calling {
            return;
        }
        self.emit(SessionEvent::Rejected { response: response.clone() });
        let reasons = wire::reasons(&response.headers);
        self.end(now, EndedBy::Rejected, Some(response.status), reasons);
    }
}

/// Whether a 481 to this method speaks of the call: INFO is the only one besides re-INVITE, UPDATE,
/// PRACK and BYE that belongs to it (RFC 6086). NOTIFY, SUBSCRIBE and REFER belong to
/// subscriptions, MESSAGE and OPTIONS to nothing (RFC 5057 §5.1).
fn is_of_the_call(method: &Method) -> bool {
    matches!(method, Method::Info)
}
