//! What descriptions say of ICE and DTLS: `a=setup`, `a=fingerprint`, `a=ice-…`, `a=candidate`,
//! `a=mid`, BUNDLE (RFC 8829, RFC 8839, RFC 8842, RFC 9143).

use std::net::SocketAddr;

use super::bundle::{carrier, is_bundled, live_audio};
use super::{Agreed, NegotiateError, Ours};
use crate::engine::StreamConfig;
use crate::sdp::{Line, Media, SessionDescription};
use crate::webrtc::{self, Credentials, Fingerprint, Terms};

/// Candidates read; browsers write a dozen.
const MAX_CANDIDATES: usize = 32;
/// RFC 8839 §5.4 has up to 256 characters.
const MAX_NAME: usize = 256;

/// Who begins the handshake (RFC 4145 §4, RFC 8842 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setup {
    Active,
    Passive,
    ActPass,
}

impl Setup {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
        }
    }
}

/// Our side of a WebRTC stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OurRtc {
    pub(super) local: webrtc::Local,
    /// We only answer checks: all are we reached at one address that is told. Toward a peer that
    /// only answers itself, we ask.
    pub(super) lite: bool,
    pub(super) setup: Setup,
    pub(super) mid: Option<String>,
    pub(super) bundle: bool,
}

/// The peer's side.
#[derive(Debug, Clone)]
pub(super) struct TheirRtc {
    remote: webrtc::Remote,
    fingerprint: Fingerprint,
    setup: Setup,
    pub(super) mid: Option<String>,
    bundle: bool,
}

/// Whether the first stream of audio that an offer has wants ICE and DTLS: what port it needs.
#[must_use]
pub fn wants_webrtc(sdp: &[u8]) -> bool {
    let Ok(session) = SessionDescription::parse(sdp) else { return false };
    live_audio(&session).next().is_some_and(|media| is_webrtc(&session, media))
}

/// Whether an offer has a live stream of audio that does not need both ICE and DTLS.
#[must_use]
pub fn offers_another(sdp: &[u8]) -> bool {
    let Ok(session) = SessionDescription::parse(sdp) else { return false };
    live_audio(&session).any(|media| !is_webrtc(&session, media))
}

fn is_webrtc(session: &SessionDescription, media: &Media) -> bool {
    let dtls = super::Profile::named(&media.proto).is_some_and(|profile| profile.dtls);
    dtls && has_ice(session, media)
}

/// Of the stream, or of the one that speaks for its group (RFC 9143 §9.3).
fn muxes(session: &SessionDescription, media: &Media) -> bool {
    let says = |media: &Media| media.has("rtcp-mux") || media.has("rtcp-mux-only");
    says(media) || says(carrier(session, media))
}

impl TheirRtc {
    pub(super) fn read(
        session: &SessionDescription,
        media: &Media,
    ) -> Result<Self, NegotiateError> {
        // In a group it is the tagged section that speaks of the transport, maybe it alone.
        let tagged = carrier(session, media);
        let own = |name| tagged.attribute(name).or_else(|| media.attribute(name));
        let either = |name| own(name).or_else(|| of_session(session, name));
        let text = |name, missing| {
            let text = either(name).filter(|text| !text.is_empty() && text.len() <= MAX_NAME);
            text.ok_or(NegotiateError::WebRtc(missing))
        };
        let credentials = Credentials {
            ufrag: text("ice-ufrag", "there is no a=ice-ufrag")?.into(),
            password: text("ice-pwd", "there is no a=ice-pwd")?.into(),
        };
        let fingerprint =
            certificates(session, tagged, media).ok_or(NegotiateError::WebRtc(NO_FINGERPRINT))?;
        if !muxes(session, media) {
            return Err(NegotiateError::WebRtc("RTP and RTCP must share a port (a=rtcp-mux)"));
        }
        let setup = setup_of(session, if tagged.has("setup") { tagged } else { media })
            .ok_or(NegotiateError::WebRtc("a=setup says neither active nor passive"))?;
        let candidates = tagged.attributes("candidate").take(MAX_CANDIDATES);
        let mut candidates: Vec<_> = candidates.filter_map(webrtc::read_candidate).collect();
        candidates.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
        let mid = media.attribute("mid").filter(|mid| mid.len() <= MAX_NAME).map(str::to_owned);
        let bundle = is_bundled(session, media);
        let lite = session.lines.iter().filter_map(Line::attribute);
        let lite = lite.into_iter().any(|(name, _)| name.eq_ignore_ascii_case("ice-lite"));
        let candidates = candidates.into_iter().map(|(_, address)| address).collect();
        let remote = webrtc::Remote { credentials, lite, candidates };
        Ok(Self { remote, fingerprint, setup, mid, bundle })
    }
}

/// What became of candidates that came later.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Trickled {
    /// New ones that will be asked.
    pub used: usize,
    /// Lines that are no candidate.
    pub malformed: usize,
    /// For the media port, when there is something new.
    pub stream: Option<Box<StreamConfig>>,
}

/// A fragment as it was read.
#[derive(Debug, Default)]
pub(super) struct Fragment {
    ufrag: Option<Box<str>>,
    candidates: Vec<(u32, SocketAddr)>,
    pub(super) malformed: usize,
}

impl Fragment {
    /// Of this generation of the peer's ICE: one without a name says nothing else (RFC 8840 §4.3).
    pub(super) fn is_for(&self, remote: &webrtc::Remote) -> bool {
        self.ufrag.as_ref().is_none_or(|ufrag| *ufrag == remote.credentials.ufrag)
    }

    /// Those that are not known, the best first, as many as there is room for.
    pub(super) fn take_new(&mut self, known: &[SocketAddr]) -> Vec<SocketAddr> {
        self.candidates.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
        let mut new: Vec<SocketAddr> = Vec::new();
        for (_, address) in self.candidates.drain(..) {
            let room = known.len() + new.len() < webrtc::ice::MAX_CANDIDATES;
            if room && !known.contains(&address) && !new.contains(&address) {
                new.push(address);
            }
        }
        new
    }
}

pub(super) fn read_fragment(fragment: &[u8]) -> Fragment {
    let mut read = Fragment::default();
    for line in String::from_utf8_lossy(fragment).lines() {
        let Some((name, value)) =
            line.trim_end().strip_prefix("a=").and_then(|l| l.split_once(':'))
        else {
            continue;
        };
        match name {
            "ice-ufrag" => read.ufrag = Some(value.into()),
            "candidate" if !webrtc::is_candidate(value) => read.malformed += 1,
            "candidate" if read.candidates.len() < MAX_CANDIDATES => {
                read.candidates.extend(webrtc::read_candidate(value));
            }
            _ => {}
        }
    }
    read
}

/// `a=setup` of a stream or of the session. `None`: it says something else.
pub(super) fn setup_of(session: &SessionDescription, media: &Media) -> Option<Setup> {
    let said = media.attribute("setup").or_else(|| of_session(session, "setup"));
    match said.unwrap_or("actpass").to_ascii_lowercase().as_str() {
        "active" => Some(Setup::Active),
        "passive" => Some(Setup::Passive),
        "actpass" => Some(Setup::ActPass),
        _ => None,
    }
}

/// Whether a stream has ICE: what tells a browser's DTLS from a desk phone's.
pub(super) fn has_ice(session: &SessionDescription, media: &Media) -> bool {
    let there = media.has("ice-ufrag") || carrier(session, media).has("ice-ufrag");
    there || of_session(session, "ice-ufrag").is_some()
}

/// Why a description with DTLS is refused.
pub(super) const NO_FINGERPRINT: &str =
    "there is no a=fingerprint with sha-1, sha-256, sha-384 or sha-512";

/// What a stream's own lines say of certificates, or those of the one that carries it; for want of
/// them what is said for all streams (RFC 8122 §5).
pub(super) fn certificates(
    session: &SessionDescription,
    tagged: &Media,
    media: &Media,
) -> Option<Fingerprint> {
    Fingerprint::strongest(tagged.attributes("fingerprint"))
        .or_else(|| Fingerprint::strongest(media.attributes("fingerprint")))
        .or_else(|| Fingerprint::strongest(all_of_session(session, "fingerprint")))
}

fn all_of_session<'a>(
    session: &'a SessionDescription,
    name: &str,
) -> impl Iterator<Item = &'a str> {
    let all = session.lines.iter().filter_map(Line::attribute);
    all.filter(move |(n, _)| n.eq_ignore_ascii_case(name)).filter_map(|(_, value)| value)
}

pub(super) fn of_session<'a>(session: &'a SessionDescription, name: &str) -> Option<&'a str> {
    all_of_session(session, name).next()
}

impl OurRtc {
    /// For a first offer.
    pub(super) fn offered(local: &webrtc::Local) -> Self {
        let mid = Some("0".to_owned());
        Self { local: local.clone(), lite: true, setup: Setup::ActPass, mid, bundle: true }
    }

    /// The same for an offer within the session: the roles may be chosen anew (RFC 8842 §5.5).
    pub(super) fn again(&self) -> Self {
        Self { setup: Setup::ActPass, ..self.clone() }
    }

    /// For an answer. `before`: what was agreed last.
    pub(super) fn answering(
        local: &webrtc::Local,
        theirs: &TheirRtc,
        before: Option<&(Ours, Agreed)>,
    ) -> Self {
        let before = before
            .and_then(|(ours, agreed)| ours.webrtc.as_ref().zip(agreed.stream.webrtc.as_deref()));
        let known = before.filter(|(_, terms)| terms.fingerprint == theirs.fingerprint);
        let setup = match (theirs.setup, known) {
            (Setup::Active, _) => Setup::Passive,
            (Setup::Passive, _) => Setup::Active,
            // RFC 8842 §5.3: an association that stands keeps its roles.
            (Setup::ActPass, Some((_, terms))) if !terms.active => Setup::Passive,
            (Setup::ActPass, _) => Setup::Active,
        };
        let local = match before {
            // RFC 8839 §4.4.1.1.1: a restart of the peer's ICE is one of ours.
            Some((ours, terms)) if terms.remote.credentials != theirs.remote.credentials => {
                webrtc::Local { credentials: Credentials::fresh(), ..ours.local.clone() }
            }
            Some((ours, _)) => ours.local.clone(),
            None => local.clone(),
        };
        let lite = before.map_or(!theirs.remote.lite, |(ours, _)| ours.lite);
        let (mid, bundle) = (theirs.mid.clone(), theirs.bundle);
        Self { local, lite, setup, mid, bundle }
    }

    /// What the answer to our offer makes of it.
    pub(super) fn answered(&self, theirs: &TheirRtc) -> Self {
        // Actpass is no answer (RFC 8842 §5.3); who gives it all the same is most likely to begin.
        let setup = if theirs.setup == Setup::Passive { Setup::Active } else { Setup::Passive };
        Self { setup, ..self.clone() }
    }

    /// For the media port.
    pub(super) fn terms(&self, theirs: &TheirRtc) -> Box<Terms> {
        Box::new(Terms {
            local: self.local.credentials.clone(),
            lite: self.lite,
            remote: theirs.remote.clone(),
            fingerprint: theirs.fingerprint.clone(),
            active: self.setup == Setup::Active,
            peer: self.local.peer,
        })
    }

    /// The lines above all streams; `carrying`: the name of the section that speaks for the group, where
    /// it is not ours; `stopped`: ours has no port now.
    pub(super) fn push_session(
        &self,
        lines: &mut Vec<Line>,
        carrying: Option<&str>,
        stopped: bool,
    ) {
        let own = self.mid.as_deref().filter(|_| self.bundle);
        match (carrying, own) {
            // What has no port is in no group (RFC 9143 §7.3.3).
            (Some(first), _) if stopped => {
                lines.push(Line::new('a', format!("group:BUNDLE {first}")));
            }
            (Some(first), Some(mid)) => {
                lines.push(Line::new('a', format!("group:BUNDLE {first} {mid}")));
            }
            (None, Some(mid)) if !stopped => {
                lines.push(Line::new('a', format!("group:BUNDLE {mid}")));
            }
            _ => {}
        }
        if self.lite {
            lines.push(Line::new('a', "ice-lite"));
        }
    }

    /// The lines of the stream. Where another section speaks for the group, RFC 9143 §7.1.3 has those of
    /// the transport in that one only; browsers write them into each, and are counted on: Firefox 153
    /// dies of a section without a certificate, aiortc finds nobody without a candidate.
    pub(super) fn push(&self, media: &mut Media, address: SocketAddr) {
        if let Some(mid) = &self.mid {
            media.push_attribute(format!("mid:{mid}"));
        }
        // Pages expect a stream around the track.
        media.push_attribute("msid:offhook offhook");
        self.push_transport(media, address);
        // Browsers look for it in every stream all the same.
        media.push_attribute("rtcp-mux");
    }

    /// Where we are, and with which certificate.
    pub(super) fn push_transport(&self, media: &mut Media, address: SocketAddr) {
        let Self { local, setup, .. } = self;
        media.push_attribute(format!("ice-ufrag:{}", local.credentials.ufrag));
        media.push_attribute(format!("ice-pwd:{}", local.credentials.password));
        media.push_attribute(format!("fingerprint:{}", local.fingerprint));
        media.push_attribute(format!("setup:{}", setup.name()));
        let (ip, port) = (address.ip().to_canonical(), address.port());
        media.push_attribute(format!("candidate:1 1 udp 2130706431 {ip} {port} typ host"));
        media.push_attribute("end-of-candidates");
    }
}
