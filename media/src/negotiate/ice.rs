//! What descriptions say of ICE where there is no DTLS and a leg has ports of its own (RFC 8839). We
//! are the lite side: each port has one address that is told.

use std::net::SocketAddr;

use super::webrtc::of_session;
use super::{Agreed, Ours};
use crate::sdp::{Line, Media, SessionDescription};
use crate::webrtc::{Credentials, IceTerms, read_candidate};

/// Candidates looked at.
const MAX_CANDIDATES: usize = 64;
/// RFC 8839 §5.4: how long names and passwords are.
const NAME: std::ops::RangeInclusive<usize> = 4..=256;
const PASSWORD: std::ops::RangeInclusive<usize> = 22..=256;
/// RFC 8445 §5.1.2.1: of a host candidate with the one address there is; less the component.
const PRIORITY: u32 = (126 << 24) + (65_535 << 8) + 256;

/// Our side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OurIce {
    Lite {
        local: Credentials,
        /// RTCP on the port of RTP (RFC 5761): the other port is no component.
        mux: bool,
    },
    /// The peer has ICE, but somebody on the way put himself between.
    Mismatch,
}

/// The peer's side.
#[derive(Debug, Clone)]
pub(super) struct TheirIce {
    credentials: Credentials,
    lite: bool,
    mux: bool,
    /// Its media is not expected at any of its candidates.
    mismatch: bool,
}

impl TheirIce {
    /// Reads what there is. `rtp`: where `c=` and `m=` expect media, unless a name stands there. What
    /// is not written as it should be is no ICE: the call goes on without.
    pub(super) fn read(
        session: &SessionDescription,
        media: &Media,
        rtp: Option<SocketAddr>,
    ) -> Option<Self> {
        let text = |name, lengths: std::ops::RangeInclusive<usize>| {
            let said = media.attribute(name).or_else(|| of_session(session, name));
            said.filter(|text| lengths.contains(&text.len()))
        };
        let (ufrag, password) = (text("ice-ufrag", NAME)?, text("ice-pwd", PASSWORD)?);
        if media.has("ice-mismatch") {
            return None;
        }
        let candidates: Vec<SocketAddr> = media
            .attributes("candidate")
            .take(MAX_CANDIDATES)
            .filter_map(read_candidate)
            .map(|(_, address)| address)
            .collect();
        // Zeros are no address that anybody could have changed (RFC 8839 §4.2.5, RFC 8840 §4.1.1).
        let said = rtp.filter(|rtp| !rtp.ip().is_unspecified());
        // Who names no candidate at all has not finished its ICE, or tells them later.
        let trickles = text("ice-options", 0..=256).is_some_and(|o| o.contains("trickle"));
        if !media.has("candidate") && said.is_some() && !trickles {
            return None;
        }
        // Of the two components RTP's decides: who changes one changes both, and some leave the
        // `a=rtcp` of the phone as it was. Names are candidates that we cannot compare.
        let mismatch = said.is_some_and(|rtp| {
            let rtp = SocketAddr::new(rtp.ip().to_canonical(), rtp.port());
            !candidates.is_empty() && !candidates.contains(&rtp)
        });
        let session = session.lines.iter().filter_map(Line::attribute);
        let lite = session.into_iter().any(|(name, _)| name.eq_ignore_ascii_case("ice-lite"));
        let credentials = Credentials { ufrag: ufrag.into(), password: password.into() };
        Some(Self { credentials, lite, mux: media.has("rtcp-mux"), mismatch })
    }

    /// Whether it is the ICE that runs already, and no restart.
    pub(super) fn goes_on(&self, before: Option<&(Ours, Agreed)>) -> bool {
        let terms = before.and_then(|(_, agreed)| agreed.stream.ice.as_deref());
        terms.is_some_and(|terms| terms.remote == self.credentials)
    }
}

impl OurIce {
    /// For a first offer.
    pub(super) fn offered() -> Self {
        Self::Lite { local: Credentials::fresh(), mux: false }
    }

    /// For an answer; `before`: what was agreed last, `alone`: nothing beside the audio is taken.
    pub(super) fn answering(
        theirs: &TheirIce,
        before: Option<&(Ours, Agreed)>,
        alone: bool,
    ) -> Option<Self> {
        let before = before.and_then(|(ours, agreed)| match &ours.ice {
            Some(Self::Lite { local, .. }) => Some((local, agreed.stream.ice.as_deref())),
            Some(Self::Mismatch) | None => None,
        });
        // RFC 8839 §4.2.5 has ICE for all streams or for none; what is passed on has none.
        if before.is_none() && !alone {
            return None;
        }
        if theirs.mismatch {
            return Some(Self::Mismatch);
        }
        // RFC 8839 §4.4.1.1.1: a restart of the peer's ICE is one of ours.
        let kept = before
            .filter(|(_, terms)| terms.is_none_or(|terms| terms.remote == theirs.credentials));
        let local = kept.map_or_else(Credentials::fresh, |(local, _)| local.clone());
        Some(Self::Lite { local, mux: theirs.mux })
    }

    /// The same for an offer within the session.
    pub(super) fn again(&self) -> Option<Self> {
        matches!(self, Self::Lite { .. }).then(|| self.clone())
    }

    /// What the answer to our offer makes of it. `None`: the call goes on without. That its media is
    /// expected elsewhere than at a candidate is no matter here: we could not say so any more.
    pub(super) fn answered(self, theirs: Option<&TheirIce>, muxed: bool) -> Option<Self> {
        match (self, theirs) {
            (Self::Lite { local, .. }, Some(_)) => Some(Self::Lite { local, mux: muxed }),
            _ => None,
        }
    }

    /// Whether RTCP goes over the port of RTP.
    pub(super) fn muxes(&self) -> bool {
        matches!(self, Self::Lite { mux: true, .. })
    }

    /// For the media port. Of two lite sides neither asks: each sends where the other says it is
    /// (RFC 8445 §6.1.1, §8.1.2), as without ICE.
    pub(super) fn terms(&self, theirs: &TheirIce) -> Option<Box<IceTerms>> {
        let Self::Lite { local, .. } = self else { return None };
        let remote = theirs.credentials.clone();
        (!theirs.lite).then(|| Box::new(IceTerms { local: local.clone(), remote }))
    }

    /// The lines above all streams.
    pub(super) fn push_session(&self, lines: &mut Vec<Line>) {
        if matches!(self, Self::Lite { .. }) {
            lines.push(Line::new('a', "ice-lite"));
            // RFC 8445 §10: one nomination, and no further offer only to tell of it.
            lines.push(Line::new('a', "ice-options:ice2"));
        }
    }

    /// The lines of the stream.
    pub(super) fn push(&self, media: &mut Media, rtp: SocketAddr, rtcp: SocketAddr) {
        let Self::Lite { local, mux } = self else {
            return media.push_attribute("ice-mismatch");
        };
        media.push_attribute(format!("ice-ufrag:{}", local.ufrag));
        media.push_attribute(format!("ice-pwd:{}", local.password));
        let components = if *mux { &[(1, rtp)][..] } else { &[(1, rtp), (2, rtcp)][..] };
        for (component, address) in components {
            let (ip, port, priority) =
                (address.ip().to_canonical(), address.port(), PRIORITY - component);
            media.push_attribute(format!(
                "candidate:1 {component} udp {priority} {ip} {port} typ host"
            ));
        }
        if *mux {
            media.push_attribute("rtcp-mux");
        }
    }
}
