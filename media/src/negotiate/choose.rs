//! Which stream of an offer is taken, and with which codec.

use super::bundle;
use super::remote::{Remote, codec_names};
use super::webrtc::has_ice;
use super::{CodecOrder, Local, NegotiateError, Ours, Profile, Slot, SrtpPolicy};
use crate::codec::Codec;
use crate::sdp::{Media, SessionDescription};

/// The best audio stream of the offer. One that was ours before is tried first, then the encrypted
/// ones if we may choose. When none will do, the error is that of the first.
pub(super) fn choose_stream(
    local: &Local,
    before: Option<&Ours>,
    offer: &SessionDescription,
) -> Result<(usize, Remote, (Codec, u8)), NegotiateError> {
    let ours_before = before.and_then(|ours| ours.slots.iter().position(|s| *s == Slot::Audio));
    // A port of its own serves no group.
    let is_there = |media: &Media| match local.webrtc {
        Some(_) => bundle::is_live(offer, media),
        None => media.port != 0,
    };
    let mut candidates: Vec<(usize, &Media)> = offer
        .media
        .iter()
        .enumerate()
        .filter(|(_, media)| media.kind.eq_ignore_ascii_case("audio") && is_there(media))
        .collect();
    let prefer_srtp = local.srtp != SrtpPolicy::Off;
    candidates.sort_by_key(|(index, media)| {
        let secure = media.has("crypto") || media.has("fingerprint");
        (Some(*index) != ours_before, prefer_srtp && !secure)
    });
    let mut first_fault = None;
    for (index, media) in candidates {
        match judge(local, offer, media) {
            Ok((remote, codec)) => return Ok((index, remote, codec)),
            Err(fault) => {
                first_fault.get_or_insert(fault);
            }
        }
    }
    Err(first_fault.unwrap_or(NegotiateError::NoAudio))
}

fn judge(
    local: &Local,
    offer: &SessionDescription,
    media: &Media,
) -> Result<(Remote, (Codec, u8)), NegotiateError> {
    // A port has ICE and DTLS, or it has not.
    if let Some(profile) = Profile::named(&media.proto) {
        let ice = has_ice(offer, media);
        let fits = match (&local.webrtc, &local.dtls) {
            (Some(_), _) => profile.dtls,
            (None, Some(_)) => !profile.dtls || !ice,
            (None, None) => !profile.dtls,
        };
        if !fits {
            return Err(NegotiateError::Transport(profile.name().to_owned()));
        }
        if profile.dtls && local.webrtc.is_none() && local.srtp == SrtpPolicy::Off {
            return Err(NegotiateError::SrtpOff);
        }
    }
    let remote = Remote::read(offer, media, local)?;
    let codec = choose_codec(local, &remote, media)?;
    if remote.profile.dtls || (remote.dtls.is_some() && local.srtp != SrtpPolicy::Off) {
        return Ok((remote, codec));
    }
    match local.srtp {
        SrtpPolicy::Off if remote.profile.secure => Err(NegotiateError::SrtpOff),
        SrtpPolicy::Required if !remote.profile.secure && !media.has("crypto") => {
            Err(NegotiateError::SrtpRequired)
        }
        SrtpPolicy::Optional if !remote.profile.secure => Ok((remote, codec)),
        SrtpPolicy::Optional | SrtpPolicy::Required if remote.cryptos.is_empty() => {
            Err(remote.crypto_fault())
        }
        SrtpPolicy::Off | SrtpPolicy::Optional | SrtpPolicy::Required => Ok((remote, codec)),
    }
}

fn choose_codec(
    local: &Local,
    remote: &Remote,
    media: &Media,
) -> Result<(Codec, u8), NegotiateError> {
    let chosen = match local.order {
        CodecOrder::Ours => local
            .codecs
            .iter()
            .find_map(|ours| remote.codecs.iter().find(|(theirs, _)| theirs == ours)),
        CodecOrder::Theirs => {
            remote.codecs.iter().find(|(theirs, _)| local.codecs.contains(theirs))
        }
    };
    chosen.copied().ok_or_else(|| no_common_codec(local, media))
}

pub(super) fn no_common_codec(local: &Local, media: &Media) -> NegotiateError {
    let ours: Vec<&str> = local.codecs.iter().map(|codec| codec.encoding_name()).collect();
    NegotiateError::NoCommonCodec { theirs: codec_names(media), ours: ours.join(", ") }
}
