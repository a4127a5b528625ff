//! What a peer's stream says, judged by what we allow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::dtls::TheirDtls;
use super::ice::TheirIce;
use super::sdes::CryptoLine;
use super::webrtc::TheirRtc;
use super::{COMFORT_NOISE_PT, Local, NegotiateError, Profile};
use crate::codec::{Codec, OpusWishes};
use crate::engine::MAX_PACKET_MS;
use crate::relay::CLOCK;
use crate::rtcp::Wishes;
use crate::sdp::{Direction, Line, Media, SessionDescription};

/// The parts of a peer's audio stream that matter.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    pub(super) rtp: SocketAddr,
    pub(super) rtcp: Option<SocketAddr>,
    pub(super) profile: Profile,
    /// Codecs of ours in the peer's order, each with the peer's number.
    pub(super) codecs: Vec<(Codec, u8)>,
    pub(super) opus: OpusWishes,
    /// Telephone events at 8000 Hz.
    pub(super) telephone_event: Option<u8>,
    /// The same at other clocks, in ticks a second.
    pub(super) wide_events: Vec<(u32, u8)>,
    pub(super) comfort_noise: bool,
    /// The usable lines, in the peer's order.
    pub(super) cryptos: Vec<CryptoLine>,
    /// Why the others are not usable.
    pub(super) crypto_faults: Vec<String>,
    /// The line that was chosen.
    pub(super) crypto: Option<CryptoLine>,
    /// ICE and DTLS.
    pub(super) webrtc: Option<TheirRtc>,
    /// DTLS alone.
    pub(super) dtls: Option<TheirDtls>,
    /// ICE alone.
    pub(super) ice: Option<TheirIce>,
    /// The peer's, with the old hold of address 0.0.0.0 taken into account.
    pub(super) direction: Direction,
    /// Extended reports it asks for, of those we have.
    pub(super) rtcp_xr: Wishes,
    ptime: Option<u16>,
    maxptime: Option<u16>,
}

impl Remote {
    /// Reads one audio stream whose port is not 0.
    pub(super) fn read(
        session: &SessionDescription,
        media: &Media,
        local: &Local,
    ) -> Result<Self, NegotiateError> {
        let profile = Profile::named(&media.proto)
            .ok_or_else(|| NegotiateError::Transport(shortened(&media.proto)))?;
        let ice = profile.dtls && local.webrtc.is_some();
        let webrtc = ice.then(|| TheirRtc::read(session, media)).transpose()?;
        // baresip names its certificate under RTP/SAVP as well.
        let unnamed = profile.secure
            && local.dtls.is_some()
            && !media.has("crypto")
            && TheirDtls::is_there(session, media);
        let alone = (profile.dtls || unnamed) && local.webrtc.is_none();
        let dtls = alone.then(|| TheirDtls::read(session, media)).transpose()?;
        // Where a browser is, ICE finds out; what stands here is a placeholder (RFC 8839 §4.3.1).
        let ip = match &webrtc {
            Some(_) => Ipv4Addr::UNSPECIFIED.into(),
            None => address(session, media, local)?,
        };
        let local = local.rtp.ip();
        let mut direction = session.direction_of(media);
        let placed = webrtc.is_none();
        if placed && ip.is_unspecified() {
            // Hold as RFC 2543 had it (RFC 3264 §8.4): nothing may be sent there.
            direction = direction.and(Direction::SendOnly);
        } else if placed && ip.is_ipv4() != local.to_canonical().is_ipv4() {
            return Err(NegotiateError::AddressFamily { remote: ip, local });
        }
        let (cryptos, crypto_faults) = crypto_lines(media);
        let named = session.connection_of(media).is_some_and(|line| line.ip().is_none());
        let said = SocketAddr::new(ip, media.port);
        let own = placed && !profile.dtls && dtls.is_none();
        let ice = own.then(|| TheirIce::read(session, media, Some(said).filter(|_| !named)));
        Ok(Self {
            rtp: SocketAddr::new(ip, media.port),
            rtcp: media.rtcp().map(|rtcp| SocketAddr::new(rtcp.ip.unwrap_or(ip), rtcp.port)),
            profile,
            codecs: codecs(media),
            opus: opus_wishes(media),
            telephone_event: telephone_events(media)
                .find(|(clock, _)| *clock == CLOCK)
                .map(|(_, pt)| pt),
            wide_events: telephone_events(media).filter(|(clock, _)| *clock != CLOCK).collect(),
            comfort_noise: media.payload_types().any(|pt| pt == COMFORT_NOISE_PT),
            cryptos,
            crypto_faults,
            crypto: None,
            webrtc,
            dtls,
            ice: ice.flatten(),
            direction,
            rtcp_xr: rtcp_xr(session, media),
            ptime: media.ptime(),
            maxptime: media.maxptime(),
        })
    }

    /// The peer does not listen.
    pub(super) fn hold(&self) -> bool {
        !self.direction.receives()
    }

    /// Milliseconds in the packets we send: what the peer asks for, else `ours`; never more than it
    /// takes (RFC 8866 §6.4-6.5). Only multiples of 10 up to 60 are made.
    pub(super) fn packet_time(&self, ours: u16) -> u16 {
        let usable = |ms: &u16| matches!(ms, 10 | 20 | 30 | 40 | 50 | 60);
        let wanted = self.ptime.filter(usable).unwrap_or(ours);
        self.maxptime.map_or(wanted, |most| wanted.min(most / 10 * 10).max(10))
    }

    /// Milliseconds of the longest packet that the peer takes (RFC 8866 §6.4).
    pub(super) fn longest_packet(&self) -> u16 {
        self.maxptime.map_or(MAX_PACKET_MS, |most| most.clamp(10, MAX_PACKET_MS))
    }

    /// Why no crypto line can be used, in words.
    pub(super) fn crypto_fault(&self) -> NegotiateError {
        let faults = if self.crypto_faults.is_empty() {
            "there is none; DTLS-SRTP needs UDP/TLS/RTP/SAVPF".to_owned()
        } else {
            self.crypto_faults.join("; ")
        };
        NegotiateError::Crypto(faults)
    }
}

/// The codecs of the peer's list, in words, for a refusal.
pub(super) fn codec_names(media: &Media) -> String {
    let names: Vec<String> = media
        .payload_types()
        .filter_map(|pt| match media.rtpmap(pt) {
            Some(map) if is_no_codec(map.name) => None,
            Some(map) => Some(format!("{}/{}", shortened(map.name), map.clock)),
            None => Some(format!("payload type {pt}")),
        })
        .take(16)
        .collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn is_no_codec(name: &str) -> bool {
    ["telephone-event", "CN"].iter().any(|other| other.eq_ignore_ascii_case(name))
}

/// Cuts a peer's word so that it may go into a header of ours.
pub(super) fn shortened(word: &str) -> String {
    word.chars().filter(|c| c.is_ascii_graphic() && *c != '"' && *c != '\\').take(32).collect()
}

/// The stream's address; unspecified when the peer wrote that nothing may be sent.
pub(super) fn address(
    session: &SessionDescription,
    media: &Media,
    local: &Local,
) -> Result<IpAddr, NegotiateError> {
    let connection = session
        .connection_of(media)
        .ok_or_else(|| NegotiateError::Address("there is no c= line".to_owned()))?;
    if connection.address.to_ascii_lowercase().ends_with(".invalid") {
        // What IPv6 has in place of 0.0.0.0 (RFC 6157).
        return Ok(match local.rtp.ip().to_canonical() {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        });
    }
    let ip = connection.ip().or(local.named_host).ok_or_else(|| {
        NegotiateError::Address(format!("{} is a name", shortened(connection.address)))
    })?;
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    if ip.is_multicast() || broadcast {
        return Err(NegotiateError::Address(format!("{ip} is more than one host")));
    }
    Ok(ip)
}

pub(super) fn codecs(media: &Media) -> Vec<(Codec, u8)> {
    let mut found: Vec<(Codec, u8)> = Vec::new();
    for pt in media.payload_types() {
        let Some(map) = media.rtpmap(pt) else { continue };
        let Some(codec) = Codec::named(map.name, map.clock, map.channels) else { continue };
        if found.iter().all(|(known, _)| *known != codec) {
            found.push((codec, pt));
        }
    }
    found
}

/// Of the stream, or of the whole session (RFC 3611 §5.1).
fn rtcp_xr(session: &SessionDescription, media: &Media) -> Wishes {
    let of_all = session.lines.iter().filter_map(Line::attribute);
    let of_all = of_all.filter(|(name, _)| name.eq_ignore_ascii_case("rtcp-xr"));
    let value = media.attribute("rtcp-xr").or_else(|| of_all.filter_map(|(_, v)| v).next());
    value.map(Wishes::read).unwrap_or_default()
}

/// Clock and payload type of every kind of telephone events.
fn telephone_events(media: &Media) -> impl Iterator<Item = (u32, u8)> {
    media.payload_types().filter_map(|pt| {
        let map = media.rtpmap(pt)?;
        map.name.eq_ignore_ascii_case("telephone-event").then_some((map.clock, pt))
    })
}

/// What the peer asks of an Opus sender (RFC 7587 §6.1).
fn opus_wishes(media: &Media) -> OpusWishes {
    let mut wishes = OpusWishes::default();
    let opus = codecs(media).into_iter().find(|(codec, _)| *codec == Codec::Opus);
    let parameters = opus.and_then(|(_, pt)| media.fmtp(pt)).unwrap_or_default();
    for (name, value) in parameters.split(';').filter_map(|p| p.split_once('=')) {
        let number = value.trim().parse().ok();
        match (name.trim().to_ascii_lowercase().as_str(), number) {
            ("useinbandfec", Some(on)) => wishes.fec = on == 1,
            ("cbr", Some(on)) => wishes.constant_rate = on == 1,
            ("maxplaybackrate", Some(rate)) => wishes.max_playback_hz = rate,
            ("maxaveragebitrate", Some(rate)) => wishes.max_bitrate = rate,
            _ => {}
        }
    }
    wishes
}

pub(super) fn crypto_lines(media: &Media) -> (Vec<CryptoLine>, Vec<String>) {
    let mut usable = Vec::new();
    let mut faults = Vec::new();
    for value in media.attributes("crypto").take(16) {
        match CryptoLine::parse(value) {
            Ok(line) => usable.push(line),
            Err(fault) => faults.push(shortened_text(&fault.to_string())),
        }
    }
    // What encrypts all goes before what leaves the reports readable.
    usable.sort_by_key(|line: &CryptoLine| line.key.clear_rtcp());
    (usable, faults)
}

fn shortened_text(text: &str) -> String {
    text.chars().filter(|c| (' '..='~').contains(c) && *c != '"' && *c != '\\').take(120).collect()
}
