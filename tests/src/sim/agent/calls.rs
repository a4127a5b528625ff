//! The calls of an agent: what it is told to do, and what it does by itself.

use std::sync::Arc;

use bytes::Bytes;
use offhook_sip::header::{HeaderName, Headers, NameAddr};
use offhook_sip::message::{Method, Request};
use offhook_sip::session::{OutgoingInvite, Output, SendFailure, Session, SessionEvent};
use offhook_sip::uri::{HostPort, SipUri};
use tokio::time::Instant;

use super::super::line::{Act, code};
use super::super::sdp::{self, Direction};
use super::core::{Call, Core, now};
use super::{AUDIO_PORT, Dial, Events, contact};

impl Core {
    pub(super) fn dial(&mut self, key: u64, dial: Dial, events: Events) {
        let from = dial.from.as_deref().unwrap_or(&self.config.user);
        let to = SipUri::new(HostPort::from(self.config.proxy)).with_user(&dial.to);
        let invite = OutgoingInvite {
            request_uri: to.clone().into(),
            from: NameAddr::new(SipUri::new(HostPort::from(self.config.proxy)).with_user(from)),
            to: NameAddr::new(to),
            contact: contact(&self.config),
            call_id: None,
            route: Vec::new(),
            headers: dial.headers,
            sdp: (!dial.without_offer).then(|| {
                let own = self.config.describe.and_then(|describe| describe(None));
                own.unwrap_or_else(|| own_sdp(AUDIO_PORT, 1, Direction::SendRecv))
            }),
        };
        let config = Arc::clone(&self.session_config);
        let session = Session::outgoing(now(), config, &mut self.ids, invite);
        let digest = self.digest();
        let call = Call::new(session, events, digest);
        self.calls.insert(key, call);
    }

    pub(super) fn act(&mut self, line: u64, act: Act) {
        let describe = self.config.describe;
        let Some(call) = self.calls.get_mut(&line) else { return };
        let (now, none) = (now(), Headers::new());
        let session = &mut call.session;
        // What an obliging answer to the INVITE's offer says.
        let answer = |session: &Session| {
            let own = session.remote_sdp().and_then(|offer| describe?(Some(offer)));
            let offer = session.remote_sdp().map_or(Direction::SendRecv, |sdp| Direction::of(sdp));
            own.unwrap_or_else(|| own_sdp(AUDIO_PORT, 1, offer.answer()))
        };
        let _ = match act {
            Act::Ring(status, early, headers) => {
                let sdp = early.then(|| answer(session));
                session.provisional(now, status, sdp, headers)
            }
            Act::Answer(headers) => {
                let sdp = answer(session);
                session.accept(now, Some(sdp), headers)
            }
            Act::Reject(status, headers) => session.reject(now, status, None, headers),
            Act::Redirect(to) => session.redirect(now, code(302), &to, none),
            Act::Reinvite(port, direction) => {
                call.version += 1;
                session.reinvite(now, Some(own_sdp(port, call.version, direction)), none)
            }
            Act::Offer(sdp) => {
                call.version += 1;
                session.reinvite(now, Some(sdp), none)
            }
            Act::Names(reply) => {
                let remote = session.dialog().map(|d| d.id().remote_tag.to_string());
                let names = [session.call_id().to_owned(), session.local_tag().to_owned()];
                let [call_id, local] = names;
                let _ = reply.send((call_id, local, remote.unwrap_or_default()));
                Ok(())
            }
            Act::ReinviteWithoutOffer => session.reinvite(now, None, none),
            Act::Update(direction) => {
                call.version += 1;
                session.update(now, Some(own_sdp(AUDIO_PORT, call.version, direction)), none)
            }
            Act::HangUp(headers) => {
                session.hangup(now, headers);
                Ok(())
            }
            Act::Send(method, headers, body) => {
                session.send(now, method, &headers, body).map(|_| ())
            }
            Act::Refuse(status) => {
                call.refuse = Some(status);
                Ok(())
            }
            Act::RefuseRequests(status) => {
                call.answer = status;
                Ok(())
            }
        };
    }

    pub(super) fn output(&mut self, key: u64, output: Output) {
        let sent_by = HostPort::from(self.config.address);
        match output {
            Output::Send { token, mut request, next_hop } => {
                let first = request.method == Method::Invite && request.to_tag().is_none();
                if first && self.config.record_route {
                    request.headers.push_front(HeaderName::RecordRoute, self.route());
                }
                let flow = self.flow(self.next_hop(&next_hop));
                match self.layer.send_request(now(), request, flow, &sent_by) {
                    Ok(tx) => {
                        self.of_client.insert(tx, (key, token));
                    }
                    Err(_) => {
                        if let Some(call) = self.calls.get_mut(&key) {
                            call.session.handle_failure(now(), token, SendFailure::Overloaded);
                        }
                    }
                }
            }
            Output::SendAck { request, next_hop } => {
                let flow = self.flow(self.next_hop(&next_hop));
                self.layer.send_stateless(request, flow, &sent_by);
            }
            Output::Cancel { token, headers } => {
                let tx = self.of_client.iter().find(|(_, of)| **of == (key, token));
                if let Some((&tx, _)) = tx {
                    self.layer.cancel(now(), tx, headers);
                }
            }
            Output::Respond { tx, response } => self.layer.respond(now(), tx, response),
            Output::Event(event) => self.news(key, event),
        }
    }

    /// Answers offers, challenges and requests; tells the line everything.
    pub(super) fn news(&mut self, key: u64, event: SessionEvent) {
        let describe = self.config.describe;
        let Some(call) = self.calls.get_mut(&key) else { return };
        let now = now();
        match &event {
            SessionEvent::Offer { token, sdp, .. } => {
                let offer = sdp.as_ref().map_or(Direction::SendRecv, |sdp| Direction::of(sdp));
                call.version += 1;
                let usual = || Some(own_sdp(AUDIO_PORT, call.version, offer.answer()));
                let sdp = describe.map_or_else(usual, |describe| describe(sdp.as_ref()));
                let refuse = call.refuse.or(sdp.is_none().then(|| code(488)));
                let _ = match (refuse, sdp) {
                    (None, Some(sdp)) => call.session.answer_offer(now, *token, sdp),
                    (status, _) => {
                        let status = status.unwrap_or(code(488));
                        call.session.refuse_offer(now, *token, status)
                    }
                };
            }
            SessionEvent::Request { token, .. } => {
                let _ = call.session.respond(now, *token, call.answer, &Headers::new(), None);
            }
            SessionEvent::Challenge { token, method, uri, response } => {
                let mut asked = Request::new(method.clone(), uri.clone());
                let known = call.digest.as_mut().is_some_and(|digest| {
                    let known = digest.challenged(&asked, response).is_ok();
                    digest.authorize(&mut asked);
                    known
                });
                let _ = if known {
                    call.session.retry_with(now, *token, &asked.headers).map(|_| ())
                } else {
                    call.session.give_up(now, *token)
                };
            }
            _ => {}
        }
        let _ = call.events.send((Instant::now(), event));
    }
}

fn own_sdp(port: u16, version: u32, direction: Direction) -> Bytes {
    sdp::audio("127.9.9.9", port, version, direction)
}
