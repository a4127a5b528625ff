//! Offer and answer (RFC 3264) for one audio stream (G.711, G.722, Opus, telephone events, SDES) and
//! for what is passed on untouched: other codecs, video, text, fax.
//!
//! A [`Negotiator`] belongs to one leg and lives as long as its dialog. It prints our descriptions
//! with our own address only, remembers what both sides agreed on, and keeps payload types, stream
//! order and keys the same over re-INVITEs. It does no I/O and knows no SIP.

mod answer;
mod beside;
mod bundle;
mod choose;
mod dtls;
mod error;
mod ice;
mod local;
mod ours;
mod print;
mod remote;
mod sdes;
#[cfg(test)]
mod tests;
mod webrtc;

pub use beside::{Beside, BesideAgreed, BesideKind, Through, besides, has_audio};
pub use error::NegotiateError;
pub use local::{CodecOrder, Local, SrtpPolicy};
pub use webrtc::{Trickled, offers_another, wants_webrtc};

use std::net::SocketAddr;

use crate::codec::Codec;
use crate::engine::{StreamConfig, TelephoneEvent};
use crate::relay::CLOCK;
use crate::sdp::{Direction, SessionDescription};
use crate::srtp::{SrtpKey, SrtpKeys};
use bundle::live_audio;
use dtls::OurDtls;
use ice::OurIce;
use ours::{COMFORT_NOISE_PT, Ours, Profile, Refused, Slot, TELEPHONE_EVENT_PT};
use remote::Remote;
use webrtc::OurRtc;

/// What both sides agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// For the media port.
    pub stream: StreamConfig,
    /// Our direction.
    pub direction: Direction,
    /// The peer does not listen, whether it said `sendonly`, `inactive` or address 0.0.0.0.
    pub remote_hold: bool,
    /// Streams beside the audio that are passed on.
    pub beside: Vec<BesideAgreed>,
}

/// The codec that a description names first among those we know: what to prefer on the other leg,
/// so that packets are only passed on.
#[must_use]
pub fn first_codec(sdp: &[u8]) -> Option<Codec> {
    let session = SessionDescription::parse(sdp).ok()?;
    let audio = live_audio(&session).next()?;
    let understood = |(codec, _): &(Codec, u8)| codec.is_understood().then_some(*codec);
    remote::codecs(audio).iter().find_map(understood)
}

/// The codecs of a description that can only be passed on, each with its format parameters.
#[must_use]
pub fn passed_codecs(sdp: &[u8]) -> Vec<(Codec, Option<String>)> {
    SessionDescription::parse(sdp).map_or_else(|_| Vec::new(), |session| passed(&session))
}

fn passed(session: &SessionDescription) -> Vec<(Codec, Option<String>)> {
    let Some(audio) = live_audio(session).next() else { return Vec::new() };
    let passed = remote::codecs(audio).into_iter().filter(|(codec, _)| !codec.is_understood());
    passed.map(|(codec, pt)| (codec, audio.fmtp(pt).map(str::to_owned))).collect()
}

/// Whether a description names one of these codecs.
#[must_use]
pub fn names_any(sdp: &[u8], codecs: &[Codec]) -> bool {
    let Ok(session) = SessionDescription::parse(sdp) else { return false };
    let mut named = live_audio(&session).flat_map(remote::codecs);
    named.any(|(codec, _)| codecs.contains(&codec))
}

/// Offer and answer for one leg.
#[derive(Debug, Clone)]
pub struct Negotiator {
    local: Local,
    session_id: u64,
    /// The version last printed, 0 before the first description.
    version: u64,
    /// What was last printed; decides whether the version is raised (RFC 3264 §8).
    last: Option<SessionDescription>,
    /// Our offer that waits for its answer, or was the last to be answered: a 200 repeats the answer
    /// that a 183 gave.
    offered: Option<Ours>,
    /// The last state both sides agreed on.
    agreed: Option<(Ours, Agreed)>,
    /// Where the peer last said it is; an address of zeros says nothing.
    peer: Option<SocketAddr>,
}

impl Negotiator {
    /// For a new leg. `session_id` goes into `o=`: any number, unique enough.
    #[must_use]
    pub fn new(local: Local, session_id: u64) -> Self {
        Self { local, session_id, version: 0, last: None, offered: None, agreed: None, peer: None }
    }

    /// What was last agreed, if anything.
    #[must_use]
    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref().map(|(_, agreed)| agreed)
    }

    /// The local side.
    #[must_use]
    pub fn local(&self) -> &Local {
        &self.local
    }

    /// Changes the local side (another port, another address, other codecs) from the next
    /// description on.
    pub fn local_mut(&mut self) -> &mut Local {
        &mut self.local
    }

    /// Prints an offer. The version in `o=` rises when something differs from what was said last.
    pub fn offer(&mut self, direction: Direction) -> String {
        let ours = match &self.agreed {
            Some((ours, _)) => self.next_offer(ours.clone(), direction),
            None => Ours::first(&self.local, direction),
        };
        let text = self.print(&ours);
        self.offered = Some(ours);
        text
    }

    /// Prints an offer with these streams beside the audio, and no others; without `audio` that makes
    /// room for them. Not for a leg with ICE and DTLS.
    pub fn offer_with(&mut self, direction: Direction, beside: &[Through], audio: bool) -> String {
        let mut ours = match &self.agreed {
            Some((ours, _)) => self.next_offer(ours.clone(), direction),
            None => Ours::first(&self.local, direction),
        };
        if self.agreed.is_none() && !beside.is_empty() {
            // What is passed on has no ICE, and then nothing has (RFC 8839 §4.2.5).
            ours.ice = None;
        }
        beside::place(&mut ours, beside, audio);
        let text = self.print(&ours);
        self.offered = Some(ours);
        text
    }

    /// Prints an offer for a peer that asked for one within the session (a re-INVITE without a
    /// description, RFC 3261 §14.2). Whoever answers it may be somebody else than before, so our keys
    /// are fresh.
    pub fn offer_anew(&mut self, direction: Direction) -> String {
        let Some((ours, _)) = &self.agreed else { return self.offer(direction) };
        let mut ours = self.next_offer(ours.clone(), direction);
        for line in &mut ours.crypto {
            let clear_rtcp = line.key.clear_rtcp();
            line.key = SrtpKey::generate(line.key.suite()).with_clear_rtcp(clear_rtcp);
        }
        let text = self.print(&ours);
        self.offered = Some(ours);
        text
    }

    /// Reads the peer's offer and prints the answer. Nothing is changed when it is refused.
    ///
    /// # Errors
    /// What [`NegotiateError`] says, with the SIP status to refuse the request with.
    pub fn answer(
        &mut self,
        offer: &[u8],
        direction: Direction,
    ) -> Result<(String, Agreed), NegotiateError> {
        self.answer_with(offer, direction, &[])
    }

    /// The same, and passes on the streams of the offer at these places, beside the audio or in its
    /// stead. What becomes of them is in [`Agreed::beside`].
    ///
    /// # Errors
    /// As for [`Self::answer`].
    pub fn answer_with(
        &mut self,
        offer: &[u8],
        direction: Direction,
        beside: &[(usize, Through)],
    ) -> Result<(String, Agreed), NegotiateError> {
        let offer = SessionDescription::parse(offer)?;
        let before = self.agreed.as_ref();
        let asked = answer::Asked { offer: &offer, wish: direction, beside };
        let (ours, agreed) = answer::answer(&self.local, before, self.peer, &asked)
            .or_else(|error| before.and_then(|b| answer::stopped(b, &offer)).ok_or(error))?;
        let text = self.print(&ours);
        self.offered = None;
        self.keep(ours, &agreed);
        Ok((text, agreed))
    }

    /// Whether an offer can be answered: by what this side has, and where `pass_on` says so, by
    /// codecs and streams that somebody else may take.
    ///
    /// # Errors
    /// As for [`Self::answer`].
    pub fn check_offer(mut self, offer: &[u8], pass_on: bool) -> Result<(), NegotiateError> {
        let offer = SessionDescription::parse(offer)?;
        let mut beside = Vec::new();
        if pass_on {
            self.local.codecs.extend(passed(&offer).into_iter().map(|(codec, _)| codec));
            // Any port will do: it is told to nobody.
            let any = |(at, said)| (at, Through { said, port: 9 });
            beside.extend(beside::of_session(&offer).map(any));
        }
        let asked = answer::Asked { offer: &offer, wish: Direction::SendRecv, beside: &beside };
        answer::answer(&self.local, None, None, &asked).map(|_| ())
    }

    /// Reads the answer to our last offer. May be called again for the same offer (a 183, then a 200).
    ///
    /// # Errors
    /// What [`NegotiateError`] says; [`NegotiateError::NoOffer`] when we made none.
    pub fn accept_answer(&mut self, answer: &[u8]) -> Result<Agreed, NegotiateError> {
        let offered = self.offered.as_ref().ok_or(NegotiateError::NoOffer)?;
        let answer = SessionDescription::parse(answer)?;
        let (ours, agreed) =
            match (answer::accept(&self.local, self.agreed(), offered, &answer), &self.agreed) {
                // What the peer stopped stays so when our offer did not ask for anything else.
                (Err(NegotiateError::Refused), Some((ours, agreed))) if ours.stopped => {
                    return Ok(agreed.clone());
                }
                (result, _) => result?,
            };
        self.keep(ours, &agreed);
        Ok(agreed)
    }

    fn keep(&mut self, ours: Ours, agreed: &Agreed) {
        let said = Some(agreed.stream.remote_rtp).filter(|peer| !peer.ip().is_unspecified());
        self.peer = said.or(self.peer);
        self.agreed = Some((ours, agreed.clone()));
    }

    /// Takes candidates that the peer found after its description: the body of an INFO,
    /// `application/trickle-ice-sdpfrag` (RFC 8840 §9). Only who asks can use them: where we are
    /// lite, the peer's checks are how we learn of it.
    pub fn trickle(&mut self, fragment: &[u8]) -> Trickled {
        let terms = self.agreed.as_mut().and_then(|(_, agreed)| agreed.stream.webrtc.as_mut());
        let mut trickled = webrtc::read_fragment(fragment);
        let Some(terms) = terms.filter(|terms| !terms.lite && trickled.is_for(&terms.remote))
        else {
            return Trickled { malformed: trickled.malformed, ..Trickled::default() };
        };
        let known = &mut terms.remote.candidates;
        let new = trickled.take_new(known);
        known.extend(new.iter().copied());
        let stream = self.agreed().filter(|_| !new.is_empty()).map(|a| Box::new(a.stream.clone()));
        Trickled { used: new.len(), malformed: trickled.malformed, stream }
    }

    /// Our offer was refused or lost: what was agreed before holds on (RFC 3261 §14.1).
    pub fn offer_failed(&mut self) {
        self.offered = None;
    }

    /// An offer inside a session: same places, same payload types, same transport, same key; the
    /// agreed codec first, the operator's others behind it.
    fn next_offer(&self, mut ours: Ours, direction: Direction) -> Ours {
        ours.add_codecs(&self.local.codecs);
        ours.telephone_event = ours.telephone_event.or_else(|| ours.free(TELEPHONE_EVENT_PT));
        ours.add_wide_events();
        ours.webrtc = ours.webrtc.as_ref().map(OurRtc::again);
        ours.dtls = ours.dtls.as_ref().map(OurDtls::again);
        ours.ice = ours.ice.as_ref().and_then(OurIce::again);
        ours.direction = direction;
        ours.stopped = false;
        ours.rtcp_mux = false;
        ours
    }
}

/// Joins our description and the peer's into what the media port needs.
fn agree(ours: &Ours, remote: &Remote, (codec, send_pt, recv_pt): (Codec, u8, u8)) -> Agreed {
    let keys = match (ours.crypto.first(), &remote.crypto) {
        (Some(tx), Some(rx)) => Some(SrtpKeys { tx: tx.key.clone(), rx: rx.key.clone() }),
        _ => None,
    };
    let events = |clock, ours: Option<u8>, theirs: Option<u8>| {
        ours.zip(theirs).map(|(recv_pt, send_pt)| TelephoneEvent { send_pt, recv_pt, clock })
    };
    let clock = codec.clock_rate();
    let at_clock = |all: &[(u32, u8)]| all.iter().find(|(at, _)| *at == clock).map(|(_, pt)| *pt);
    let wide = events(clock, at_clock(&ours.wide_events), at_clock(&remote.wide_events));
    let usual = events(CLOCK, ours.telephone_event, remote.telephone_event);
    // Many phones know only those at 8000 Hz, beside Opus too.
    let telephone_event = wide.or(usual);
    let stream = StreamConfig {
        remote_rtp: remote.rtp,
        remote_rtcp: remote.rtcp,
        codec,
        opus: remote.opus,
        send_pt,
        recv_pt,
        telephone_event,
        comfort_noise: ours.comfort_noise && remote.comfort_noise,
        ptime_ms: remote.packet_time(ours.ptime_ms),
        maxptime_ms: remote.longest_packet(),
        send: ours.direction.sends(),
        receive: ours.direction.receives(),
        srtp: keys,
        rtcp_mux: match (&ours.dtls, &ours.ice) {
            (Some(dtls), _) => dtls.mux,
            (None, Some(ice)) => ours.rtcp_mux || ice.muxes(),
            (None, None) => ours.rtcp_mux,
        },
        rtcp_xr: ours.rtcp_xr,
        webrtc: ours.webrtc.as_ref().zip(remote.webrtc.as_ref()).map(|(us, them)| us.terms(them)),
        dtls: ours.dtls.as_ref().zip(remote.dtls.as_ref()).map(|(us, them)| us.terms(them)),
        ice: ours.ice.as_ref().zip(remote.ice.as_ref()).and_then(|(us, them)| us.terms(them)),
    };
    let beside = Vec::new();
    Agreed { stream, direction: ours.direction, remote_hold: remote.hold(), beside }
}
