//! Streams beside the audio that go from leg to leg untouched: video, text, fax (T.38).
//!
//! What one peer says of such a stream is told the other in the same words, but for addresses, ports
//! and keys, which are ours; so the numbers of formats mean the same on both legs and no packet needs
//! to be changed.

use std::net::SocketAddr;

use super::bundle::live_audio;
use super::remote::{address, crypto_lines};
use super::sdes::{self, CryptoLine};
use super::{Local, Ours, Profile, Refused, Slot, SrtpPolicy};
use crate::engine::{Carried, PipeConfig};
use crate::sdp::{Direction, Line, Media, SessionDescription};
use crate::srtp::SrtpKeys;

/// Attributes of a stream that are told the other side; those of T.38 besides.
const TOLD: [&str; 10] = [
    "rtpmap",
    "fmtp",
    "rtcp-fb",
    "framerate",
    "framesize",
    "imageattr",
    "content",
    "extmap",
    "quality",
    "lang",
];

/// What such a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BesideKind {
    /// `m=video`.
    Video,
    /// `m=text`: real-time text (RFC 4103).
    Text,
    /// `m=image` over UDPTL: T.38 (RFC 3362).
    Fax,
}

impl BesideKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Text => "text",
            Self::Fax => "image",
        }
    }

    fn of(media: &Media) -> Option<Self> {
        let is = |kind: Self| media.kind.eq_ignore_ascii_case(kind.name());
        let rtp = Profile::named(&media.proto).is_some_and(|profile| !profile.dtls);
        let udptl = media.proto.eq_ignore_ascii_case("udptl");
        match media.port {
            0 => None,
            _ if is(Self::Video) && rtp => Some(Self::Video),
            _ if is(Self::Text) && rtp => Some(Self::Text),
            _ if is(Self::Fax) && udptl => Some(Self::Fax),
            _ => None,
        }
    }
}

/// What a peer says of a stream, for the other one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// What it is.
    pub kind: BesideKind,
    /// RTCP feedback (RFC 4585).
    feedback: bool,
    formats: Vec<String>,
    lines: Vec<Line>,
    direction: Direction,
}

impl Beside {
    /// Whether two peers, neither of whom agreed to what the other said, mean the same by it: they
    /// can be joined without being asked.
    #[must_use]
    pub fn means_the_same(&self, other: &Self) -> bool {
        let formats = |of: &Self| {
            let map = |line: &Line| {
                let (name, value) = line.attribute()?;
                let value = value.unwrap_or_default().to_ascii_lowercase();
                name.eq_ignore_ascii_case("rtpmap").then_some(value)
            };
            let mut formats = of.formats.clone();
            formats.extend(of.lines.iter().filter_map(map));
            formats.sort();
            formats
        };
        self.kind == other.kind && formats(self) == formats(other)
    }

    fn read(session: &SessionDescription, media: &Media) -> Option<Self> {
        let kind = BesideKind::of(media)?;
        let is_told = |line: &&Line| match line.attribute() {
            Some((name, _)) => {
                let name = name.to_ascii_lowercase();
                TOLD.contains(&&*name) || (kind == BesideKind::Fax && name.starts_with("t38"))
            }
            None => line.letter == 'b',
        };
        Some(Self {
            kind,
            feedback: Profile::named(&media.proto).is_some_and(|profile| profile.feedback),
            formats: media.formats.clone(),
            lines: media.lines.iter().filter(is_told).cloned().collect(),
            direction: session.direction_of(media),
        })
    }
}

/// The streams of a description that could be passed on, each with its place.
#[must_use]
pub fn besides(sdp: &[u8]) -> Vec<(usize, Beside)> {
    let Ok(session) = SessionDescription::parse(sdp) else { return Vec::new() };
    of_session(&session).collect()
}

/// The same of one that was read.
pub(super) fn of_session(session: &SessionDescription) -> impl Iterator<Item = (usize, Beside)> {
    let streams = session.media.iter().enumerate();
    streams.filter_map(|(place, media)| Some((place, Beside::read(session, media)?)))
}

/// Whether a description has a stream of audio that is there.
#[must_use]
pub fn has_audio(sdp: &[u8]) -> bool {
    SessionDescription::parse(sdp).is_ok_and(|session| live_audio(&session).next().is_some())
}

/// A stream that is passed on to this leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Through {
    /// What the other leg's peer says of it.
    pub said: Beside,
    /// Our port for it on this leg, at the address of the audio.
    pub port: u16,
}

/// A stream that both sides have agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BesideAgreed {
    /// [`Through::port`].
    pub port: u16,
    /// For that port.
    pub pipe: PipeConfig,
    /// What this peer says of it, for the other one.
    pub said: Beside,
}

/// Our side of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OurBeside {
    through: Through,
    profile: Profile,
    crypto: Vec<CryptoLine>,
    direction: Direction,
    mid: Option<String>,
}

impl OurBeside {
    /// For an offer. `known`: what there is of it already; `secure`: whether the audio is encrypted.
    fn offered(secure: bool, through: &Through, known: Option<&Self>) -> Self {
        let rtp = through.said.kind != BesideKind::Fax;
        let secure = known.map_or(secure && rtp, |known| known.profile.secure);
        let crypto = match known {
            Some(known) => known.crypto.clone(),
            None if secure => sdes::fresh_lines(),
            None => Vec::new(),
        };
        Self {
            through: through.clone(),
            profile: Profile { secure, feedback: through.said.feedback, dtls: false },
            crypto,
            direction: through.said.direction,
            mid: known.and_then(|known| known.mid.clone()),
        }
    }

    pub(super) fn print(&self) -> Media {
        let Through { said, port } = &self.through;
        let fax = said.kind == BesideKind::Fax;
        let proto = if fax { "udptl" } else { self.profile.name() };
        let mut media = Media::new(said.kind.name(), *port, proto, said.formats.clone());
        media.lines.extend(said.lines.iter().filter(|line| line.letter == 'b').cloned());
        media.lines.extend(said.lines.iter().filter(|line| line.letter != 'b').cloned());
        if let Some(mid) = &self.mid {
            media.push_attribute(format!("mid:{mid}"));
        }
        for line in &self.crypto {
            media.push_attribute(line.to_attribute());
        }
        media.push_attribute(self.direction.name());
        media
    }

    /// [`Through::port`].
    pub(super) fn port(&self) -> u16 {
        self.through.port
    }

    pub(super) fn refused(&self) -> Slot {
        let media = self.print();
        Slot::Refused(Refused {
            kind: media.kind,
            proto: media.proto,
            formats: media.formats,
            mid: self.mid.clone(),
        })
    }
}

/// A stream of an offer that is to be passed on: our answer to it. `None`: it cannot be.
pub(super) fn answer(
    local: &Local,
    before: Option<&(OurBeside, BesideAgreed)>,
    (offer, media): (&SessionDescription, &Media),
    through: &Through,
    wish: Direction,
) -> Option<(OurBeside, BesideAgreed)> {
    let theirs = Beside::read(offer, media).filter(|theirs| theirs.kind == through.said.kind)?;
    let profile = Profile::named(&media.proto).unwrap_or(Profile::PLAIN);
    let remote = remote(local, offer, media)?;
    let (cryptos, _) = crypto_lines(media);
    let refused = match local.srtp {
        _ if local.webrtc.is_some() => true,
        SrtpPolicy::Off => profile.secure,
        SrtpPolicy::Optional => false,
        SrtpPolicy::Required => cryptos.is_empty(),
    };
    if refused || (profile.secure && cryptos.is_empty()) {
        return None;
    }
    let theirs_line = cryptos.first().filter(|_| local.srtp != SrtpPolicy::Off);
    let crypto = theirs_line.map(|theirs| {
        let kept = before.filter(|(_, agreed)| agreed.pipe.remote == remote.0);
        CryptoLine::answering(theirs, kept.and_then(|(ours, _)| ours.crypto.first()))
    });
    let keys = crypto.as_ref().zip(theirs_line).map(|(tx, rx)| keys(tx, rx));
    // Neither more than the peer offered nor more than the one behind us wants.
    let direction = wish.and(through.said.direction).and(theirs.direction.reversed());
    let ours = OurBeside {
        through: through.clone(),
        profile,
        crypto: crypto.into_iter().collect(),
        direction,
        mid: media.attribute("mid").map(str::to_owned),
    };
    let agreed = agreed(&ours, theirs, remote, keys);
    Some((ours, agreed))
}

/// What the answer to our offer makes of a stream. `None`: it was refused.
pub(super) fn accept(
    local: &Local,
    ours: &OurBeside,
    answer: &SessionDescription,
    media: &Media,
) -> Option<(OurBeside, BesideAgreed)> {
    let kind = ours.through.said.kind;
    let theirs = Beside::read(answer, media).filter(|theirs| theirs.kind == kind)?;
    let remote = remote(local, answer, media)?;
    let mut ours = ours.clone();
    let mut keys_agreed = None;
    if !ours.crypto.is_empty() {
        let (cryptos, _) = crypto_lines(media);
        let theirs = cryptos.first()?;
        ours.crypto.retain(|l| l.tag == theirs.tag && l.key.suite() == theirs.key.suite());
        keys_agreed = Some(keys(ours.crypto.first()?, theirs));
    }
    ours.direction = ours.direction.and(theirs.direction.reversed());
    let agreed = agreed(&ours, theirs, remote, keys_agreed);
    Some((ours, agreed))
}

fn keys(tx: &CryptoLine, rx: &CryptoLine) -> SrtpKeys {
    SrtpKeys { tx: tx.key.clone(), rx: rx.key.clone() }
}

type Remote = (SocketAddr, Option<SocketAddr>);

fn remote(local: &Local, session: &SessionDescription, media: &Media) -> Option<Remote> {
    let ip = address(session, media, local).ok()?;
    let fits = ip.is_unspecified() || ip.is_ipv4() == local.rtp.ip().to_canonical().is_ipv4();
    let rtcp = media.rtcp().map(|rtcp| SocketAddr::new(rtcp.ip.unwrap_or(ip), rtcp.port));
    fits.then_some((SocketAddr::new(ip, media.port), rtcp))
}

fn agreed(
    ours: &OurBeside,
    said: Beside,
    (remote, remote_rtcp): Remote,
    srtp: Option<SrtpKeys>,
) -> BesideAgreed {
    let fax = said.kind == BesideKind::Fax;
    let carried = if fax { Carried::Udptl } else { Carried::Rtp };
    let send = ours.direction.sends();
    let pipe = PipeConfig { carried, remote, remote_rtcp, srtp, send };
    BesideAgreed { port: ours.through.port, pipe, said }
}

/// Puts streams into an offer: in the places that they have, in place of the audio when that makes
/// room for them (RFC 3264 §8.3.3 recommends it for fax), else at the end. Those that are no more are
/// refused; audio that comes back takes the place of what it had made room for.
pub(super) fn place(ours: &mut Ours, through: &[Through], audio: bool) {
    let secure = ours.profile.secure && !ours.profile.dtls;
    for slot in &mut ours.slots {
        if let Slot::Beside(known) = slot {
            let wanted = through.iter().find(|t| t.said.kind == known.through.said.kind);
            *slot = match wanted {
                Some(wanted) => {
                    Slot::Beside(OurBeside::offered(secure, wanted, Some(known)).into())
                }
                None => known.refused(),
            };
        }
    }
    for wanted in through {
        let kind = wanted.said.kind;
        let known = |slot: &Slot| matches!(slot, Slot::Beside(b) if b.through.said.kind == kind);
        if ours.slots.iter().any(known) {
            continue;
        }
        let slot = Slot::Beside(OurBeside::offered(secure, wanted, None).into());
        let free = |slot: &Slot| match slot {
            Slot::Audio => !audio,
            Slot::Refused(refused) => refused.kind.eq_ignore_ascii_case(kind.name()),
            Slot::Beside(_) | Slot::Idle(_) => false,
        };
        match ours.slots.iter_mut().find(|slot| free(slot)) {
            Some(free) => *free = slot,
            None => ours.slots.push(slot),
        }
    }
    if audio && !ours.slots.contains(&Slot::Audio) {
        match ours.slots.iter_mut().find(|slot| matches!(slot, Slot::Refused(_))) {
            Some(free) => *free = Slot::Audio,
            None => ours.slots.push(Slot::Audio),
        }
    }
    ours.stopped = !audio;
}
