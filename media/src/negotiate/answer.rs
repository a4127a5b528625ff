//! Judging an offer and making the answer; judging an answer to our offer.

use std::net::{Ipv4Addr, SocketAddr};

use super::beside::{self, BesideAgreed, OurBeside, Through};
use super::bundle::{self, Idle};
use super::choose::{choose_stream, no_common_codec};
use super::dtls::OurDtls;
use super::ice::OurIce;
use super::remote::Remote;
use super::sdes::CryptoLine;
use super::webrtc::OurRtc;
use super::{Agreed, Local, NegotiateError, Ours, Refused, Slot, SrtpPolicy, agree};
use crate::codec::Codec;
use crate::engine::StreamConfig;
use crate::sdp::{Direction, Media, SessionDescription};

/// What is to be answered, and how.
pub(super) struct Asked<'a> {
    pub(super) offer: &'a SessionDescription,
    /// Our direction, as far as the peer's allows it.
    pub(super) wish: Direction,
    /// Streams that are passed on, with their places.
    pub(super) beside: &'a [(usize, Through)],
}

/// Answers an offer. `before` is what was agreed last, `peer` where the peer last said it is.
pub(super) fn answer(
    local: &Local,
    before: Option<&(Ours, Agreed)>,
    peer: Option<SocketAddr>,
    asked: &Asked<'_>,
) -> Result<(Ours, Agreed), NegotiateError> {
    let Asked { offer, wish, .. } = *asked;
    let passed = passed_on(local, before, asked);
    let chosen = choose_stream(local, before.map(|(ours, _)| ours), offer);
    let (index, mut remote, codec) = match chosen {
        Ok(chosen) => chosen,
        Err(_) if !passed.is_empty() => return Ok(without_audio(local, before, offer, passed)),
        Err(error) => return Err(error),
    };
    let crypto = answer_crypto(local, before, peer, &mut remote)?;
    let (codec, pt) = codec;
    let (mut slots, beside) = slots(offer, Some(index), passed);
    if remote.webrtc.is_some() {
        keep_carrier(offer, index, &mut slots);
    }
    let ice = remote.ice.as_ref();
    let ice = ice.and_then(|theirs| OurIce::answering(theirs, before, beside.is_empty()));
    let ours = Ours {
        slots,
        profile: remote.profile,
        // One codec only: the peer cannot change it without asking (RFC 3264 §10.2 has the two-codec race).
        codecs: vec![(codec, pt)],
        // The same numbers as in the offer (RFC 3264 §6.1), so both directions are alike.
        telephone_event: remote.telephone_event,
        wide_events: events_at(&remote, codec.clock_rate()),
        comfort_noise: local.comfort_noise && remote.comfort_noise,
        crypto: crypto.into_iter().collect(),
        webrtc: local
            .webrtc
            .as_ref()
            .zip(remote.webrtc.as_ref())
            .map(|(local, theirs)| OurRtc::answering(local, theirs, before)),
        dtls: local
            .dtls
            .as_ref()
            .zip(remote.dtls.as_ref())
            .map(|(local, theirs)| OurDtls::answering(local, theirs, before)),
        ice,
        rtcp_mux: false,
        ptime_ms: remote.packet_time(local.ptime_ms),
        rtcp_xr: remote.rtcp_xr,
        // RFC 3264 §6.1: sendonly is answered with recvonly, inactive with inactive.
        direction: wish.and(remote.direction.reversed()),
        stopped: false,
    };
    let agreed = Agreed { beside, ..agree(&ours, &remote, (codec, pt, pt)) };
    Ok((ours, agreed))
}

/// Where a codec runs faster than 8000 Hz, its events do too (RFC 4733 §2.1).
fn events_at(remote: &Remote, clock: u32) -> Vec<(u32, u8)> {
    remote.wide_events.iter().copied().find(|(at, _)| *at == clock).into_iter().collect()
}

/// Streams of an offer that are passed on, with their places.
type PassedOn = Vec<(usize, OurBeside, BesideAgreed)>;

fn passed_on(local: &Local, before: Option<&(Ours, Agreed)>, asked: &Asked<'_>) -> PassedOn {
    let known = |through: &Through| {
        let (ours, agreed) = before?;
        let agreed = agreed.beside.iter().find(|agreed| agreed.port == through.port)?;
        let slot = ours.slots.iter().find_map(|slot| match slot {
            Slot::Beside(ours) if ours.port() == through.port => Some(&**ours),
            _ => None,
        })?;
        Some((slot.clone(), agreed.clone()))
    };
    let answered = |(place, through): &(usize, Through)| {
        let media = asked.offer.media.get(*place)?;
        let before = known(through);
        let stream = (asked.offer, media);
        let (ours, agreed) = beside::answer(local, before.as_ref(), stream, through, asked.wish)?;
        Some((*place, ours, agreed))
    };
    asked.beside.iter().filter_map(answered).collect()
}

/// The answer to an offer in which the audio makes room for another stream, as at the beginning of a
/// fax. What was agreed of it is kept for when it comes back.
fn without_audio(
    local: &Local,
    before: Option<&(Ours, Agreed)>,
    offer: &SessionDescription,
    passed: PassedOn,
) -> (Ours, Agreed) {
    let direction = Direction::Inactive;
    let ours = before.map(|(ours, _)| ours.clone());
    let ours = ours.unwrap_or_else(|| Ours::first(local, direction));
    let audio = |media: &Media| media.kind.eq_ignore_ascii_case("audio");
    let place = offer.media.iter().position(audio);
    let (slots, beside) = slots(offer, place, passed);
    let stream = silent(local, before.map(|(_, agreed)| agreed));
    let ours = Ours { slots, stopped: true, direction, ..ours };
    (ours, Agreed { stream, direction, remote_hold: false, beside })
}

/// No audio either way.
fn silent(local: &Local, before: Option<&Agreed>) -> StreamConfig {
    let nowhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
    let codec = local.codecs.first().copied().unwrap_or(Codec::Pcmu);
    let stream = before.map(|agreed| agreed.stream.clone());
    let stream = stream.unwrap_or_else(|| StreamConfig::new(nowhere, codec));
    StreamConfig { send: false, receive: false, ..stream }
}

/// The answer to an offer inside a call that stops every stream (RFC 3264 §8.2), as some phones hold:
/// ours stops too, and keeps its place and all that was agreed for when it comes back. Of a page only
/// the audio counts: its camera may stay, and goes on carrying the transport.
pub(super) fn stopped(
    (ours, agreed): &(Ours, Agreed),
    offer: &SessionDescription,
) -> Option<(Ours, Agreed)> {
    let place = ours.slots.iter().position(|slot| *slot == Slot::Audio)?;
    let audio = offer.media.get(place)?;
    let page = ours.webrtc.is_some();
    let goes_on = |media: &Media| match page {
        true => media.kind.eq_ignore_ascii_case("audio") && bundle::is_live(offer, media),
        false => media.port != 0,
    };
    if offer.media.iter().any(goes_on) {
        return None;
    }
    let direction = Direction::Inactive;
    let (mut slots, beside) = slots(offer, Some(place), Vec::new());
    let bundled = |media: &&Media| media.port != 0 && bundle::is_bundled(offer, media);
    let live = offer.media.iter().find(bundled).filter(|_| page);
    let carrier = live.map(|live| bundle::carrier(offer, live));
    if let Some(carrier) = carrier.filter(|carrier| bundle::can_carry(carrier)) {
        accept_idle(offer, carrier, &mut slots);
    }
    let mut ours = Ours { slots, stopped: true, direction, ..ours.clone() };
    if let Some(webrtc) = &mut ours.webrtc {
        webrtc.mid = audio.attribute("mid").map(Into::into);
    }
    let stream = StreamConfig { send: false, receive: false, ..agreed.stream.clone() };
    Some((ours, Agreed { stream, direction, remote_hold: true, beside }))
}

/// Our line for the answer: tag and suite of the first offered line we know (RFC 4568 §5.1.2), our
/// own key, which stays the same over re-INVITEs as long as the suite does and the peer where it was.
fn answer_crypto(
    local: &Local,
    before: Option<&(Ours, Agreed)>,
    peer: Option<SocketAddr>,
    remote: &mut Remote,
) -> Result<Option<CryptoLine>, NegotiateError> {
    if local.srtp == SrtpPolicy::Off || remote.profile.dtls || remote.dtls.is_some() {
        return Ok(None);
    }
    // The suite in use is kept when it is offered again, wherever it stands in the list.
    let kept = before.and_then(|(ours, _)| ours.crypto.first());
    let same = kept.and_then(|k| remote.cryptos.iter().find(|c| c.key.suite() == k.key.suite()));
    let Some(theirs) = same.or(remote.cryptos.first()).cloned() else {
        return if remote.profile.secure { Err(remote.crypto_fault()) } else { Ok(None) };
    };
    // Somebody else may listen at another address, whom what was said before does not concern. (That
    // it knows nothing of our rollover counter either is what the port takes a new SSRC for.)
    let moved = peer.is_some_and(|was| was != remote.rtp && !remote.rtp.ip().is_unspecified());
    // With the names of its ICE it is the same one, and says now where its checks led (RFC 8839 §4.3.2).
    let known = remote.ice.as_ref().is_some_and(|theirs| theirs.goes_on(before));
    let line = CryptoLine::answering(&theirs, kept.filter(|_| !moved || known));
    remote.crypto = Some(theirs);
    Ok(Some(line))
}

/// The places of the answer: ours is the chosen one, some are passed on, the others are refused
/// (RFC 3264 §6).
fn slots(
    offer: &SessionDescription,
    chosen: Option<usize>,
    passed: PassedOn,
) -> (Vec<Slot>, Vec<BesideAgreed>) {
    let mut slots: Vec<Slot> = offer.media.iter().map(refused).collect();
    if let Some(slot) = chosen.and_then(|chosen| slots.get_mut(chosen)) {
        *slot = Slot::Audio;
    }
    let mut beside = Vec::new();
    for (place, ours, agreed) in passed {
        if let Some(slot) = slots.get_mut(place).filter(|slot| **slot != Slot::Audio) {
            *slot = Slot::Beside(Box::new(ours));
            beside.push(agreed);
        }
    }
    (slots, beside)
}

/// Accepts the section that carries the transport of the chosen one, if that is another.
fn keep_carrier(offer: &SessionDescription, chosen: usize, slots: &mut [Slot]) {
    let Some(media) = offer.media.get(chosen) else { return };
    let carrier = bundle::carrier(offer, media);
    if !std::ptr::eq(media, carrier) {
        accept_idle(offer, carrier, slots);
    }
}

fn accept_idle(offer: &SessionDescription, carrier: &Media, slots: &mut [Slot]) {
    let place = offer.media.iter().position(|other| std::ptr::eq(other, carrier));
    if let Some(slot) = place.and_then(|place| slots.get_mut(place)) {
        *slot = Slot::Idle(Idle::of(carrier));
    }
}

fn refused(media: &Media) -> Slot {
    Slot::Refused(Refused {
        kind: media.kind.clone(),
        proto: media.proto.clone(),
        formats: media.formats.clone(),
        mid: media.attribute("mid").map(str::to_owned),
    })
}

/// Judges the answer to what we offered.
pub(super) fn accept(
    local: &Local,
    before: Option<&Agreed>,
    offered: &Ours,
    answer: &SessionDescription,
) -> Result<(Ours, Agreed), NegotiateError> {
    let mut ours = offered.clone();
    let beside = accept_beside(local, &mut ours, answer);
    if offered.stopped || !offered.slots.contains(&Slot::Audio) {
        // Only what it made room for was offered.
        if beside.is_empty() {
            return Err(NegotiateError::Refused);
        }
        let (direction, stream) = (Direction::Inactive, silent(local, before));
        let ours = Ours { stopped: true, direction, ..ours };
        return Ok((ours, Agreed { stream, direction, remote_hold: false, beside }));
    }
    let media = answered_stream(offered, answer)?;
    let mut remote = Remote::read(answer, media, local)?;
    let codec = accept_codec(&ours, &remote)
        .ok_or_else(|| no_common_codec(&with_codecs(local, &ours), media))?;
    if remote.profile.dtls != ours.profile.dtls {
        return Err(NegotiateError::Mismatch("DTLS on one side only"));
    }
    let rtc = ours.webrtc.as_ref().zip(remote.webrtc.as_ref());
    let dtls = ours.dtls.as_ref().zip(remote.dtls.as_ref());
    match (rtc, dtls) {
        (Some((us, them)), _) => ours.webrtc = Some(us.answered(them)),
        (None, Some((us, them))) => {
            ours.dtls = Some(us.answered(them));
            ours.crypto.clear();
        }
        (None, None) => {
            let muxed = ours.dtls.take().is_some_and(|dtls| dtls.mux);
            let muxed = muxed || ours.ice.as_ref().is_some_and(OurIce::muxes);
            ours.rtcp_mux = muxed && media.has("rtcp-mux");
            let answered = |ice: OurIce| ice.answered(remote.ice.as_ref(), ours.rtcp_mux);
            ours.ice = ours.ice.take().and_then(answered);
            accept_crypto(&mut ours, &mut remote)?;
        }
    }
    // The answerer's direction may only take away from ours, whatever it wrote.
    ours.direction = ours.direction.and(remote.direction.reversed());
    let agreed = agree(&ours, &remote, codec);
    let agreed = Agreed {
        // Who listens no more although we wanted to send is holding us; who answers our own hold is not.
        remote_hold: offered.direction.sends() && remote.hold(),
        beside,
        ..agreed
    };
    // The direction is what is agreed now; the next offer says its own. The agreed codec leads.
    ours.codecs.sort_by_key(|(c, _)| *c != codec.0);
    Ok((ours, agreed))
}

/// Which of the streams beside the audio the answer takes; the others are refused from here on.
fn accept_beside(local: &Local, ours: &mut Ours, answer: &SessionDescription) -> Vec<BesideAgreed> {
    let mut beside = Vec::new();
    for (place, slot) in ours.slots.iter_mut().enumerate() {
        let media = answer.media.get(place);
        if let Slot::Idle(idle) = slot
            && !media.is_some_and(|media| bundle::is_live(answer, media))
        {
            *slot = idle.refused();
        }
        let Slot::Beside(offered) = slot else { continue };
        let taken = media.and_then(|media| beside::accept(local, offered, answer, media));
        *slot = match taken {
            Some((ours, agreed)) => {
                beside.push(agreed);
                Slot::Beside(Box::new(ours))
            }
            None => offered.refused(),
        };
    }
    beside
}

/// The stream at our place; a peer that lost count is given the benefit of its first audio stream.
fn answered_stream<'a>(
    offered: &Ours,
    answer: &'a SessionDescription,
) -> Result<&'a Media, NegotiateError> {
    let place = offered.slots.iter().position(|slot| *slot == Slot::Audio).unwrap_or(0);
    let is_audio = |media: &&Media| media.kind.eq_ignore_ascii_case("audio");
    let media = answer
        .media
        .get(place)
        .filter(is_audio)
        .or_else(|| answer.media.iter().find(is_audio))
        .ok_or(NegotiateError::NoAudio)?;
    if bundle::is_live(answer, media) { Ok(media) } else { Err(NegotiateError::Refused) }
}

/// The answer's first codec that we offered: codec, the peer's number, ours.
fn accept_codec(ours: &Ours, remote: &Remote) -> Option<(Codec, u8, u8)> {
    remote.codecs.iter().find_map(|(codec, send_pt)| {
        let (_, recv_pt) = ours.codecs.iter().find(|(offered, _)| offered == codec)?;
        Some((*codec, *send_pt, *recv_pt))
    })
}

fn with_codecs(local: &Local, ours: &Ours) -> Local {
    Local { codecs: ours.codecs.iter().map(|(codec, _)| *codec).collect(), ..local.clone() }
}

/// Leaves in `ours` the line that the answer chose (RFC 4568 §5.1.3).
fn accept_crypto(ours: &mut Ours, remote: &mut Remote) -> Result<(), NegotiateError> {
    if ours.crypto.is_empty() {
        return if remote.profile.secure {
            Err(NegotiateError::Mismatch("RTP/SAVP in answer to RTP/AVP"))
        } else {
            Ok(())
        };
    }
    if !remote.profile.secure && remote.cryptos.is_empty() {
        return Err(NegotiateError::Mismatch("RTP in clear in answer to SRTP"));
    }
    let theirs = remote.cryptos.first().cloned().ok_or_else(|| remote.crypto_fault())?;
    ours.crypto.retain(|line| line.tag == theirs.tag && line.key.suite() == theirs.key.suite());
    if ours.crypto.is_empty() {
        return Err(NegotiateError::Mismatch("its a=crypto line was not offered"));
    }
    // A parameter that was not offered may not be in the answer: both sides would have another idea of
    // what is sent (RFC 4568 §5.1.3, §6.3).
    ours.crypto.retain(|line| line.key.clear_rtcp() == theirs.key.clear_rtcp());
    if ours.crypto.is_empty() {
        return Err(NegotiateError::Mismatch("UNENCRYPTED_SRTCP on one side of a=crypto only"));
    }
    remote.crypto = Some(theirs);
    Ok(())
}
