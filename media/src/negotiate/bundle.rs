//! BUNDLE (RFC 9143): which streams share a transport, and which of them speaks for it.
//!
//! The first name of a group is that of the tagged section. It carries what is said of the transport
//! for all, and the others may have neither a port nor a word of it. A browser that means all to go
//! over one transport (`max-bundle`) has made only that of the tagged section, and takes no answer
//! that refuses it: where it is not the audio it is accepted, and nothing flows on it ([`Idle`]).

use std::net::SocketAddr;

use super::{OurRtc, Profile, Refused, Slot};
use crate::sdp::{Line, MAX_MEDIA, Media, SessionDescription};

/// What is no codec in itself: repeats, error correction, redundancy.
const HELPERS: [&str; 5] = ["rtx", "red", "ulpfec", "flexfec", "flexfec-03"];

/// The names of a stream's group in their order, if it is in one.
fn group_of<'a>(
    session: &'a SessionDescription,
    media: &'a Media,
) -> Option<impl Iterator<Item = &'a str>> {
    let mid = media.attribute("mid")?;
    let groups = session.lines.iter().filter_map(Line::attribute);
    let groups = groups.filter(|(name, _)| name.eq_ignore_ascii_case("group"));
    let names = groups.filter_map(|(_, value)| {
        let mut words = value.unwrap_or_default().split_ascii_whitespace();
        let is_bundle = words.next().is_some_and(|word| word.eq_ignore_ascii_case("BUNDLE"));
        is_bundle.then(|| words.take(MAX_MEDIA))
    });
    names.into_iter().find(|names| names.clone().any(|name| name == mid))
}

/// Whether a stream is one of a group.
pub(super) fn is_bundled(session: &SessionDescription, media: &Media) -> bool {
    group_of(session, media).is_some()
}

/// The section that says where and with what keys a stream goes: the tagged one of its group, which
/// is the first that has a port (RFC 9143 §7.3.1), else the stream itself.
pub(super) fn carrier<'a>(session: &'a SessionDescription, media: &'a Media) -> &'a Media {
    let named = |name| session.media.iter().find(|m| m.attribute("mid") == Some(name));
    let mut names = group_of(session, media).into_iter().flatten();
    names.find_map(|name| named(name).filter(|m| m.port != 0 && can_carry(m))).unwrap_or(media)
}

/// Whether a stream is there. Without a port it is disabled, unless it is there only as one of a
/// group (`a=bundle-only`, RFC 9143 §6) that somebody carries.
pub(super) fn is_live(session: &SessionDescription, media: &Media) -> bool {
    media.port != 0 || (media.has("bundle-only") && carrier(session, media).port != 0)
}

/// The streams of audio that are there.
pub(super) fn live_audio(session: &SessionDescription) -> impl Iterator<Item = &Media> {
    let audio = |media: &&Media| media.kind.eq_ignore_ascii_case("audio");
    session.media.iter().filter(audio).filter(|media| is_live(session, media))
}

/// Whether it is of DTLS: media, or the data of a page.
pub(super) fn can_carry(media: &Media) -> bool {
    is_data(media) || Profile::named(&media.proto).is_some_and(|profile| profile.dtls)
}

/// `UDP/DTLS/SCTP` and its like (RFC 8841 §4.1).
fn is_data(media: &Media) -> bool {
    media.proto.to_ascii_uppercase().ends_with("DTLS/SCTP")
}

/// A section that is accepted for the sake of its transport. Nothing is sent on it; what comes is no
/// packet of the audio, and thrown away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Idle(Media);

impl Idle {
    /// The answer to this section: one format of its own, as the peer describes it.
    pub(super) fn of(offered: &Media) -> Self {
        let is_codec = |format: &&String| {
            let map = format.parse().ok().and_then(|pt| offered.rtpmap(pt));
            map.is_none_or(|map| HELPERS.iter().all(|other| !map.name.eq_ignore_ascii_case(other)))
        };
        let format = offered.formats.iter().find(is_codec).or(offered.formats.first());
        let of_format = |line: &&Line| {
            let Some((name, value)) = line.attribute() else { return false };
            let first = value.unwrap_or_default().split_ascii_whitespace().next();
            match name.to_ascii_lowercase().as_str() {
                "rtpmap" | "fmtp" => first == format.map(String::as_str),
                "sctp-port" | "sctpmap" | "mid" => true,
                _ => false,
            }
        };
        let formats = format.cloned().into_iter().collect();
        let mut media = Media::new(&offered.kind, offered.port, &offered.proto, formats);
        media.lines.extend(offered.lines.iter().filter(of_format).cloned());
        Self(media)
    }

    fn mid(&self) -> Option<&str> {
        self.0.attribute("mid")
    }

    pub(super) fn print(&self, ours: Option<&OurRtc>, address: SocketAddr) -> Media {
        let mut media = Media { port: address.port(), ..self.0.clone() };
        if let Some(ours) = ours {
            ours.push_transport(&mut media, address);
        }
        if !is_data(&media) {
            media.push_attribute("rtcp-mux");
            media.push_attribute("inactive");
        }
        media
    }

    pub(super) fn refused(&self) -> Slot {
        let Self(media) = self;
        Slot::Refused(Refused {
            kind: media.kind.clone(),
            proto: media.proto.clone(),
            formats: media.formats.clone(),
            mid: self.mid().map(str::to_owned),
        })
    }
}

/// The name of the section that carries the transport of our audio, where it is another.
pub(super) fn carrying(slots: &[Slot]) -> Option<&str> {
    slots.iter().find_map(|slot| match slot {
        Slot::Idle(idle) => idle.mid(),
        _ => None,
    })
}
