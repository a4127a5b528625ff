//! One WebRTC leg below its RTP: who the peer is (ICE), and with what keys it speaks (DTLS).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::dtls::{Fingerprint, HANDSHAKE, Identity, News, OverIce, Peer};
use super::ice::{Agent, Credentials, Remote};
use super::stun::View;
use crate::srtp::SrtpKeys;

/// From the answer until audio can flow: ICE, then DTLS.
pub(crate) const SET_UP: Duration = HANDSHAKE.saturating_add(Duration::from_secs(5));
/// Whoever hangs up closes DTLS as well, and its BYE comes over another connection: as long as that
/// may take, also when TCP has to repeat it three times (RFC 6298: from a fifth of a second, doubling).
const FAREWELL: Duration = Duration::from_secs(2);
/// What DTLS sends before its path is known waits; nobody sends more than a flight.
const MAX_EARLY: usize = 4;

/// What both descriptions say, for the media thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Our name and password.
    pub local: Credentials,
    /// Our description says `a=ice-lite`.
    pub lite: bool,
    /// The peer's part of ICE.
    pub remote: Remote,
    /// The peer's certificate.
    pub fingerprint: Fingerprint,
    /// We begin the DTLS handshake (`a=setup:active`).
    pub active: bool,
    /// Who is there.
    pub peer: Peer,
}

/// Why a WebRTC leg has no audio.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebRtcError {
    /// ICE found nothing.
    #[error("no packet of the other side came through")]
    NoPath,
    /// DTLS did not end.
    #[error("the DTLS handshake was not finished in time")]
    Late,
    /// DTLS ended badly.
    #[error("the DTLS handshake failed: {0}")]
    Handshake(String),
    /// Somebody else's certificate.
    #[error("the certificate is not the one that signalling announced")]
    Stranger,
    /// RFC 7675: no consent any more.
    #[error("the other side went away")]
    Gone,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// No description of the peer yet.
    New,
    /// Until then audio must be able to flow.
    Connecting(Instant),
    Up,
    /// The peer closed DTLS. Then signalling ends the call, or nobody does until then.
    Leaving(Instant),
    Over,
}

/// Sends a datagram.
pub(crate) type Send<'a> = &'a mut dyn FnMut(SocketAddr, &[u8]);

/// ICE and DTLS of one leg.
pub(crate) struct Session {
    agent: Agent,
    terms: Option<Terms>,
    handshake: Option<OverIce>,
    keys: Option<SrtpKeys>,
    state: State,
    error: Option<WebRtcError>,
    /// Why a handshake came to nothing: told when no other comes to anything.
    doubt: Option<WebRtcError>,
    /// Datagrams of DTLS that came before the peer's certificate was known.
    early: Vec<Box<[u8]>>,
}

impl Session {
    pub(crate) fn new(now: Instant, local: Credentials) -> Self {
        Self {
            agent: Agent::new(now, local),
            terms: None,
            handshake: None,
            keys: None,
            state: State::New,
            error: None,
            doubt: None,
            early: Vec::new(),
        }
    }

    /// Our name, by which requests find this leg.
    pub(crate) fn ufrag(&self) -> &str {
        &self.agent.local().ufrag
    }

    /// Where packets go, once the peer chose.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.agent.selected().filter(|_| self.state != State::Over)
    }

    /// The keys of RTP, once the handshake is over.
    pub(crate) fn keys(&self) -> Option<&SrtpKeys> {
        self.keys.as_ref().filter(|_| self.state != State::Over)
    }

    /// Whom we ask by ourselves: answers come from there.
    pub(crate) fn asked(&self) -> impl Iterator<Item = SocketAddr> {
        self.agent.asked_paths()
    }

    /// Whether the peer proved to be there.
    pub(crate) fn knows(&self, remote: SocketAddr) -> bool {
        self.agent.knows(remote)
    }

    /// Whether a message only keeps a way of the peer's open.
    pub(crate) fn is_keepalive(&self, from: SocketAddr, message: &View<'_>) -> bool {
        self.agent.is_keepalive(from, message)
    }

    /// Why it came to nothing, once.
    pub(crate) fn take_error(&mut self) -> Option<WebRtcError> {
        self.error.take()
    }

    /// Takes what was agreed on. The same again changes nothing; other names are a restart of ICE,
    /// another certificate or role one of DTLS (RFC 8842 §4).
    pub(crate) fn set_terms(
        &mut self,
        now: Instant,
        terms: &Terms,
        identity: &Identity,
        send: Send<'_>,
    ) {
        if self.terms.as_ref() == Some(terms) || self.state == State::Over {
            return;
        }
        if self.agent.is_restart(&terms.remote) || *self.agent.local() != terms.local {
            // The old path serves until the new one is found: nobody hears a gap.
            self.agent = Agent::restarted(now, terms.local.clone(), &self.agent);
        }
        self.agent.set_remote(now, &terms.remote, terms.lite);
        let same =
            |old: &Terms| (&old.fingerprint, old.active) == (&terms.fingerprint, terms.active);
        if !self.terms.as_ref().is_some_and(same) {
            let expected = terms.fingerprint.clone();
            let begun = OverIce::begin(now, identity, terms.peer, expected, terms.active);
            self.handshake = Some(begun);
            (self.keys, self.doubt) = (None, None);
            self.state = State::Connecting(now + SET_UP);
        }
        self.terms = Some(terms.clone());
        for packet in std::mem::take(&mut self.early) {
            self.dtls(now, &packet, send);
        }
        self.flush(now, send);
    }

    /// Takes a STUN message. True: its source is the peer's.
    pub(crate) fn stun(
        &mut self,
        now: Instant,
        from: SocketAddr,
        message: &View<'_>,
        send: Send<'_>,
    ) -> bool {
        let authentic = self.state != State::Over && self.agent.receive(now, from, message);
        self.flush(now, send);
        authentic
    }

    /// Takes a datagram of DTLS from an address of the peer.
    pub(crate) fn dtls(&mut self, now: Instant, packet: &[u8], send: Send<'_>) {
        let Some(handshake) = &mut self.handshake else {
            if self.early.len() < MAX_EARLY {
                self.early.push(packet.into());
            }
            return;
        };
        let to = self.agent.selected();
        let news = handshake.receive(now, packet, &mut |packet| {
            if let Some(to) = to {
                send(to, packet);
            }
        });
        self.heed(now, news);
    }

    /// Lets time pass.
    pub(crate) fn handle_timeout(&mut self, now: Instant, send: Send<'_>) {
        self.agent.handle_timeout(now);
        self.flush(now, send);
        match self.state {
            State::Connecting(until) if now >= until => {
                let peer = self.agent.selected();
                let why = self.doubt.take().unwrap_or(WebRtcError::Late);
                self.fail(peer.map_or(WebRtcError::NoPath, |_| why));
            }
            State::Leaving(until) if now >= until => self.fail(WebRtcError::Gone),
            State::Connecting(_) | State::Up | State::Leaving(_) if self.is_lost(now) => {
                self.fail(WebRtcError::Gone);
            }
            _ => {}
        }
    }

    /// Whether nobody wants our packets any more. A phone that asks us may be older than consent
    /// (RFC 5245 §10 keeps a path open without an answer): whether it is there, its RTP says.
    fn is_lost(&self, now: Instant) -> bool {
        let shows = |terms: &Terms| terms.peer == Peer::Browser || !terms.lite;
        self.terms.as_ref().is_none_or(shows) && self.agent.lost(now)
    }

    /// Ends it, and tells a peer that is there.
    pub(crate) fn close(&mut self, send: Send<'_>) {
        if let (Some(handshake), Some(to)) = (&mut self.handshake, self.agent.selected()) {
            handshake.close(&mut |packet| send(to, packet));
        }
        self.state = State::Over;
    }

    /// Sends what ICE wants sent, and what DTLS wants once there is a path for it.
    fn flush(&mut self, now: Instant, send: Send<'_>) {
        while let Some(transmit) = self.agent.poll_transmit() {
            send(transmit.to, &transmit.bytes);
        }
        let (Some(to), Some(handshake)) = (self.agent.selected(), &mut self.handshake) else {
            return;
        };
        if handshake.wake().is_some_and(|wake| wake <= now) {
            let news = handshake.handle_timeout(now, &mut |packet| send(to, packet));
            self.heed(now, news);
        }
    }

    fn heed(&mut self, now: Instant, news: News) {
        match news {
            News::Waiting => {}
            News::Keys(keys) => {
                self.keys = Some(keys);
                self.state = State::Up;
            }
            News::Stranger => self.fail(WebRtcError::Stranger),
            News::Again(text) => self.doubt = Some(WebRtcError::Handshake(text)),
            News::Failed(_) if self.state == State::Up => {
                self.state = State::Leaving(now + FAREWELL);
            }
            News::Failed(_) if matches!(self.state, State::Leaving(_)) => {}
            News::Failed(text) => self.fail(WebRtcError::Handshake(text)),
        }
    }

    fn fail(&mut self, error: WebRtcError) {
        if self.state != State::Over {
            self.state = State::Over;
            self.error = Some(error);
        }
    }
}

#[cfg(test)]
mod tests;
