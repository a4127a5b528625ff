//! What we say in our description, and keep the same in the next one.

use super::beside::OurBeside;
use super::bundle::Idle;
use super::dtls::OurDtls;
use super::ice::OurIce;
use super::local::Local;
use super::sdes::{self, CryptoLine};
use super::webrtc::OurRtc;
use crate::codec::Codec;
use crate::relay::CLOCK;
use crate::rtcp::Wishes;
use crate::sdp::Direction;

/// The payload types we propose for telephone events: 101 is what nearly everybody uses, and beside
/// Opus one with its clock (RFC 4733 §2.1 wants one clock in a stream).
pub(super) const TELEPHONE_EVENT_PT: u8 = 101;
pub(super) const WIDE_EVENT_PT: u8 = 102;
/// Comfort noise has a static number (RFC 3389 §4).
pub(super) const COMFORT_NOISE_PT: u8 = 13;

/// Transport of a stream that carries RTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Profile {
    /// `S`: SRTP is a must.
    pub(super) secure: bool,
    /// `F`: RTCP feedback (RFC 4585); allowed, not used by us.
    pub(super) feedback: bool,
    /// Keys from DTLS (RFC 5764), after ICE.
    pub(super) dtls: bool,
}

impl Profile {
    /// `RTP/AVP`.
    pub(super) const PLAIN: Self = Self { secure: false, feedback: false, dtls: false };

    pub(super) fn named(proto: &str) -> Option<Self> {
        let (secure, feedback, dtls) = match proto.to_ascii_uppercase().as_str() {
            "RTP/AVP" => (false, false, false),
            "RTP/AVPF" => (false, true, false),
            "RTP/SAVP" => (true, false, false),
            "RTP/SAVPF" => (true, true, false),
            "UDP/TLS/RTP/SAVP" => (true, false, true),
            "UDP/TLS/RTP/SAVPF" => (true, true, true),
            _ => return None,
        };
        Some(Self { secure, feedback, dtls })
    }

    pub(super) const fn name(self) -> &'static str {
        match (self.secure, self.feedback, self.dtls) {
            (_, false, true) => "UDP/TLS/RTP/SAVP",
            (_, true, true) => "UDP/TLS/RTP/SAVPF",
            (false, false, _) => "RTP/AVP",
            (false, true, _) => "RTP/AVPF",
            (true, false, _) => "RTP/SAVP",
            (true, true, _) => "RTP/SAVPF",
        }
    }
}

/// A refused stream, which keeps its place in every later description (RFC 3264 §8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) kind: String,
    pub(super) proto: String,
    pub(super) formats: Vec<String>,
    /// A browser looks for its name (RFC 9143 §7.3).
    pub(super) mid: Option<String>,
}

/// A place in the list of streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Slot {
    /// Ours.
    Audio,
    /// Passed on.
    Beside(Box<OurBeside>),
    /// Accepted, for the transport it carries.
    Idle(Idle),
    Refused(Refused),
}

/// One side's view of the session: what we say in our description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ours {
    pub(super) slots: Vec<Slot>,
    pub(super) profile: Profile,
    /// Codecs with their payload types, the preferred first.
    pub(super) codecs: Vec<(Codec, u8)>,
    /// Telephone events at 8000 Hz.
    pub(super) telephone_event: Option<u8>,
    /// Telephone events at the clocks of codecs that run faster (RFC 4733 §2.1: Opus, AMR-WB), in
    /// ticks a second.
    pub(super) wide_events: Vec<(u32, u8)>,
    pub(super) comfort_noise: bool,
    /// Empty: RTP in clear.
    pub(super) crypto: Vec<CryptoLine>,
    /// ICE and DTLS, on a port that has them.
    pub(super) webrtc: Option<OurRtc>,
    /// DTLS alone.
    pub(super) dtls: Option<OurDtls>,
    /// ICE alone.
    pub(super) ice: Option<OurIce>,
    /// RTCP on the port of RTP, where keys are not of DTLS.
    pub(super) rtcp_mux: bool,
    pub(super) ptime_ms: u16,
    /// Extended reports (RFC 3611) the peer asked for.
    pub(super) rtcp_xr: Wishes,
    pub(super) direction: Direction,
    /// The peer stopped the stream with port 0, or it makes room for another one.
    pub(super) stopped: bool,
}

impl Ours {
    /// A first offer.
    pub(super) fn first(local: &Local, direction: Direction) -> Self {
        let webrtc = local.webrtc.as_ref().map(OurRtc::offered);
        let beside_sdes = local.dtls_beside_sdes && local.offers_srtp();
        let alone = local.dtls.as_ref().filter(|_| local.offer_dtls || beside_sdes);
        let alone = alone.filter(|_| webrtc.is_none()).map(OurDtls::offered);
        let dtls = webrtc.is_some() || (alone.is_some() && local.offer_dtls);
        let secure = dtls || local.offers_srtp();
        // A port of a leg's own has one of the two.
        let ice = local.offer_ice && webrtc.is_none() && alone.is_none();
        let opus = local.codecs.contains(&Codec::Opus);
        let mut ours = Self {
            slots: vec![Slot::Audio],
            profile: Profile { secure, feedback: dtls, dtls },
            codecs: Vec::new(),
            telephone_event: Some(TELEPHONE_EVENT_PT),
            wide_events: opus
                .then_some((Codec::Opus.clock_rate(), WIDE_EVENT_PT))
                .into_iter()
                .collect(),
            comfort_noise: local.comfort_noise,
            crypto: if secure && !dtls { sdes::fresh_lines() } else { Vec::new() },
            webrtc,
            dtls: alone,
            ice: ice.then(OurIce::offered),
            rtcp_mux: false,
            ptime_ms: local.ptime_ms,
            // Asked for by few, and understood by fewer when they are asked: only answered.
            rtcp_xr: Wishes::default(),
            direction,
            stopped: false,
        };
        ours.add_codecs(&local.codecs);
        ours.add_wide_events();
        ours
    }

    /// Adds those that are not there, each with a number of its own.
    pub(super) fn add_codecs(&mut self, codecs: &[Codec]) {
        for codec in codecs {
            if self.codecs.iter().all(|(known, _)| known != codec) {
                let usual = codec.payload_type();
                let free = if codec.is_static() {
                    self.is_free(usual).then_some(usual)
                } else {
                    self.free(usual)
                };
                self.codecs.extend(free.map(|pt| (*codec, pt)));
            }
        }
    }

    /// Adds events at the clock of every codec: who sends at one clock may have none at another.
    pub(super) fn add_wide_events(&mut self) {
        for at in 0..self.codecs.len() {
            let Some((codec, _)) = self.codecs.get(at) else { return };
            let clock = codec.clock_rate();
            if clock != CLOCK && self.wide_events.iter().all(|(known, _)| *known != clock) {
                self.wide_events.extend(self.free(WIDE_EVENT_PT).map(|pt| (clock, pt)));
            }
        }
    }

    pub(super) fn is_free(&self, pt: u8) -> bool {
        self.telephone_event != Some(pt)
            && self.wide_events.iter().all(|(_, used)| *used != pt)
            && self.codecs.iter().all(|(_, used)| *used != pt)
    }

    /// A dynamic payload type that means nothing yet, `wanted` if possible.
    pub(super) fn free(&self, wanted: u8) -> Option<u8> {
        (wanted..128).chain(96..wanted).find(|pt| self.is_free(*pt))
    }
}
