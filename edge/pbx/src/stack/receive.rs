//! What comes in: the gate, and to whom it goes.

use offhook_sip::flow::Flow;
use offhook_sip::header::HeaderName;
use offhook_sip::message::{Message, Method, Request, Response, StatusCode};
use offhook_sip::parse::{self, Rejected};
use offhook_sip::transaction::{Event, ServerTx, TxId};
use tokio::time::Instant;

use super::stamp::stamp;
use super::task::{Invited, Stack};
use super::unfit::{unfit, unknown_extensions};
use super::{DialogKey, NewRequest, Owner, SipEvent};
use crate::bans::Offence;
use crate::transport::wire::Incoming;

/// Words in the User-Agent of tools that look for open boxes. Nobody's phone calls itself so.
const SCANNERS: [&str; 8] = [
    "friendly-scanner",
    "sipvicious",
    "sipcli",
    "sip-scan",
    "sipsak-scan",
    "vaxsipuseragent",
    "pplsip",
    "sundayddr",
];

impl Stack {
    pub(super) fn incoming(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Datagram { flow, bytes } => {
                if self.bans.is_banned(flow.remote.ip()) {
                    return self.metrics.sip_banned_dropped.inc();
                }
                // Keep-alives of phones: CRLF, a NUL, or a few blanks.
                if bytes.len() < 16 || bytes.len() > self.config.max_datagram {
                    return self.metrics.sip_stray.inc();
                }
                match parse::datagram(bytes) {
                    Ok(message) => self.message(flow, message),
                    Err(rejected) => self.rejected(flow, rejected),
                }
            }
            Incoming::Message { flow, message } => {
                if self.bans.is_banned(flow.remote.ip()) {
                    return self.metrics.sip_banned_dropped.inc();
                }
                self.message(flow, message);
            }
            Incoming::Bad { flow, rejected } => self.rejected(flow, rejected),
            Incoming::Lost { flow } => {
                self.layer.transport_failed(Instant::now().into_std(), &flow);
            }
        }
    }

    fn message(&mut self, flow: Flow, mut message: Message) {
        self.metrics.sip_received.inc();
        if let Message::Request(request) = &mut message {
            if is_scanner(request) {
                return self.bans.failure_over(&flow, Offence::Scanner);
            }
            if !stamp(request, &flow) {
                return self.malformed(flow);
            }
        }
        self.layer.receive(Instant::now().into_std(), message, flow);
    }

    fn malformed(&mut self, flow: Flow) {
        self.metrics.sip_malformed.inc();
        self.bans.failure_over(&flow, Offence::Malformed);
    }

    fn rejected(&mut self, flow: Flow, rejected: Rejected) {
        self.malformed(flow);
        if let Some(reply) = rejected.reply {
            let _ = self.wire.send(&flow, reply.to_bytes());
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        match event {
            Event::Request { tx, request, flow } => self.request(tx, request, flow),
            Event::Ack { request, flow } => {
                if let Some(owner) = self.dialog_owner(&request) {
                    self.tell(&owner, SipEvent::Ack { request, flow });
                }
            }
            Event::Cancel { invite, request, .. } => {
                let Some(invited) = self.invites.get_mut(&invite) else { return };
                match invited.owner.clone() {
                    Some(owner) => self.tell(&owner, SipEvent::Cancel { invite, request }),
                    None => invited.cancelled = Some(request),
                }
            }
            Event::Response { tx, response, flow } => self.response(tx, response, flow),
            Event::StrayResponse { .. } => self.metrics.sip_stray.inc(),
            Event::Timeout { tx } => self.failed(tx, super::SendFailure::Timeout),
            Event::TransportError { tx } => self.failed(tx, super::SendFailure::Transport),
            Event::AckTimeout { .. } => {}
            Event::Terminated { tx: TxId::Client(tx) } => self.client_gone(tx),
            Event::Terminated { tx: TxId::Server(tx) } => {
                self.invites.remove(&tx);
            }
        }
    }

    fn request(&mut self, tx: ServerTx, mut request: Request, flow: Flow) {
        if self.layer.gave_tag(&request) {
            without_to_tag(&mut request);
        }
        let invite = request.method == Method::Invite;
        if request.to_tag().is_none() {
            return self.new_request(tx, request, flow);
        }
        let Some(owner) = self.dialog_owner(&request) else {
            // A REGISTER is never in a dialog, whatever tag a phone writes.
            if request.method == Method::Register {
                return self.new_request(tx, request, flow);
            }
            // Whoever makes up a tag is a stranger.
            return self.refuse_once(tx, &request, StatusCode::CALL_DOES_NOT_EXIST);
        };
        if invite {
            self.invited(tx, Invited::again(&request, owner.clone()));
        }
        if let Err(refused) = owner.tell(SipEvent::Request { tx, request, flow }) {
            // A call that ended this moment is gone, a busy one is not.
            let status = if owner.is_gone() {
                StatusCode::CALL_DOES_NOT_EXIST
            } else {
                self.metrics.mailbox_overflows.inc();
                StatusCode::SERVICE_UNAVAILABLE
            };
            if let SipEvent::Request { tx, request, .. } = *refused {
                self.refuse(tx, &request, status);
            }
        }
    }

    fn new_request(&mut self, tx: ServerTx, request: Request, flow: Flow) {
        if let Some(status) = unfit(&request) {
            return self.refuse_once(tx, &request, status);
        }
        if request.method == Method::Options {
            return self.options(tx, &request);
        }
        if request.method == Method::Invite {
            self.invited(tx, Invited::new(&request));
        }
        if let Err(refused) = self.office.try_send(NewRequest { tx, request, flow }) {
            let NewRequest { tx, request, .. } = refused.into_inner();
            self.refuse_once(tx, &request, StatusCode::SERVICE_UNAVAILABLE);
        }
    }

    /// RFC 3261 §11.2, without looking at whom it asks for: that would tell scanners who exists.
    fn options(&mut self, tx: ServerTx, request: &Request) {
        let unknown = unknown_extensions(request);
        let status = if unknown.is_some() { StatusCode::BAD_EXTENSION } else { StatusCode::OK };
        let mut response = Response::to_request(request, status, None);
        let headers = &mut response.headers;
        if let Some(unknown) = unknown {
            headers.set(HeaderName::Unsupported, unknown);
        }
        headers.set(HeaderName::Allow, super::ALLOW);
        headers.set(HeaderName::Accept, "application/sdp");
        headers.set(HeaderName::Supported, super::SUPPORTED);
        headers.set(HeaderName::Server, self.config.server.as_str());
        // Anybody may ask, and gets the same answer each time: nothing is to be remembered.
        self.layer.respond_once(tx, response);
    }

    fn dialog_owner(&self, request: &Request) -> Option<Owner> {
        let call_id = request.call_id()?;
        let local_tag = request.to_tag()?;
        let key = DialogKey::new(call_id.as_ref(), local_tag.as_ref());
        self.dialogs.get(&key).cloned()
    }

    pub(super) fn claim(&mut self, tx: ServerTx, owner: &Owner) {
        let Some(invited) = self.invites.get_mut(&tx) else { return };
        let cancelled = invited.cancelled.take();
        invited.owner = Some(owner.clone());
        if let Some(request) = cancelled {
            self.tell(owner, SipEvent::Cancel { invite: tx, request });
        }
    }

    pub(super) fn tell(&self, owner: &Owner, event: SipEvent) {
        if owner.tell(event).is_err() {
            self.metrics.mailbox_overflows.inc();
        }
    }
}

/// The request as it would be from a client that keeps to RFC 3261 §8.1.1.2.
fn without_to_tag(request: &mut Request) {
    if let Ok(mut to) = request.to() {
        to.0.params.remove("tag");
        request.headers.set(HeaderName::To, to.0.to_string());
    }
}

fn is_scanner(request: &Request) -> bool {
    let Some(agent) = request.headers.text(&HeaderName::UserAgent) else {
        return false;
    };
    let agent = agent.to_ascii_lowercase();
    SCANNERS.iter().any(|word| agent.contains(word))
}
