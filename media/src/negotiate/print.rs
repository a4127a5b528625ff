//! Printing our descriptions.

use std::net::{IpAddr, SocketAddr};

use super::bundle::carrying;
use super::{COMFORT_NOISE_PT, Local, Negotiator, Ours, Refused, Slot};
use crate::codec::Codec;
use crate::relay::CLOCK;
use crate::sdp::{Line, Media, SessionDescription};

impl Negotiator {
    /// Prints `ours`; raises the version when it is not what was said last (RFC 3264 §8).
    pub(super) fn print(&mut self, ours: &Ours) -> String {
        let media: Vec<Media> = ours
            .slots
            .iter()
            .map(|slot| match slot {
                Slot::Audio if ours.stopped => stopped(ours),
                Slot::Audio => audio(ours, &self.local),
                Slot::Beside(beside) => beside.print(),
                Slot::Idle(idle) => idle.print(ours.webrtc.as_ref(), self.local.rtp),
                Slot::Refused(refused) => refusal(refused),
            })
            .collect();
        let ip = self.local.rtp.ip().to_canonical();
        // Nothing of the other leg shows: no user name, no session name, no foreign address.
        let mut lines = vec![
            Line::new('v', "0"),
            Line::new('o', ""),
            Line::new('s', "-"),
            Line::new('c', in_words(ip)),
            Line::new('t', "0 0"),
        ];
        if let Some(ice) = ours.ice.as_ref().filter(|_| !ours.stopped) {
            ice.push_session(&mut lines);
        }
        if let Some(webrtc) = &ours.webrtc {
            webrtc.push_session(&mut lines, carrying(&ours.slots), ours.stopped);
        }
        let mut description = SessionDescription { lines, media };
        if self.last.as_ref() != Some(&description) {
            self.version += 1;
            self.last = Some(description.clone());
        }
        if let Some(origin) = description.lines.iter_mut().find(|line| line.letter == 'o') {
            origin.value = format!("- {} {} {}", self.session_id, self.version, in_words(ip));
        }
        description.to_string()
    }
}

fn in_words(ip: IpAddr) -> String {
    format!("IN {} {ip}", if ip.is_ipv4() { "IP4" } else { "IP6" })
}

fn audio(ours: &Ours, local: &Local) -> Media {
    let (rtp, rtcp) = (local.rtp, local.rtcp);
    let mut media = Media::new("audio", rtp.port(), ours.profile.name(), Vec::new());
    for (codec, pt) in &ours.codecs {
        media.formats.push(pt.to_string());
        let channels = match codec.named_channels() {
            1 => String::new(),
            n => format!("/{n}"),
        };
        media.push_attribute(format!("rtpmap:{pt} {codec}/{}{channels}", codec.clock_rate()));
        if *codec == Codec::Opus {
            // Wideband is what we decode to (RFC 7587 §6.1); redundancy is used when packets are lost.
            let wishes = "maxplaybackrate=16000;sprop-maxcapturerate=16000;useinbandfec=1";
            media.push_attribute(format!("fmtp:{pt} {wishes}"));
        }
        if let Some((_, format)) = local.formats.iter().find(|(of, _)| of == codec) {
            media.push_attribute(format!("fmtp:{pt} {format}"));
        }
    }
    if ours.comfort_noise {
        media.formats.push(COMFORT_NOISE_PT.to_string());
        media.push_attribute(format!("rtpmap:{COMFORT_NOISE_PT} CN/8000"));
    }
    let events = ours.telephone_event.map(|pt| (CLOCK, pt)).into_iter();
    for (clock, pt) in events.chain(ours.wide_events.iter().copied()) {
        media.formats.push(pt.to_string());
        media.push_attribute(format!("rtpmap:{pt} telephone-event/{clock}"));
        // Digits, star, hash, A-D: all that a telephone has (RFC 4733 §3.2).
        media.push_attribute(format!("fmtp:{pt} 0-15"));
    }
    media.push_attribute(format!("ptime:{}", ours.ptime_ms));
    if ours.rtcp_xr.any() {
        media.push_attribute(format!("rtcp-xr:{}", ours.rtcp_xr.in_words()));
    }
    for line in &ours.crypto {
        media.push_attribute(line.to_attribute());
    }
    if let Some(dtls) = &ours.dtls {
        dtls.push(&mut media);
    }
    match &ours.webrtc {
        Some(webrtc) => webrtc.push(&mut media, rtp),
        None => push_rtcp(&mut media, rtp, rtcp),
    }
    if let Some(ice) = &ours.ice {
        ice.push(&mut media, rtp, rtcp);
    }
    media.push_attribute(ours.direction.name());
    media
}

/// RFC 3264 §6: the port is 0, the rest does not matter.
fn stopped(ours: &Ours) -> Media {
    let codecs = ours.codecs.iter().map(|(_, pt)| *pt);
    let formats = codecs.chain(ours.telephone_event).map(|pt| pt.to_string()).collect();
    let mut media = Media::new("audio", 0, ours.profile.name(), formats);
    if let Some(mid) = ours.webrtc.as_ref().and_then(|webrtc| webrtc.mid.as_ref()) {
        media.push_attribute(format!("mid:{mid}"));
    }
    media
}

/// RFC 3605: said only where the default, the next port, would be wrong.
fn push_rtcp(media: &mut Media, rtp: SocketAddr, rtcp: SocketAddr) {
    if rtcp.ip().to_canonical() != rtp.ip().to_canonical() {
        let address = in_words(rtcp.ip().to_canonical());
        media.push_attribute(format!("rtcp:{} {address}", rtcp.port()));
    } else if Some(rtcp.port()) != rtp.port().checked_add(1) {
        media.push_attribute(format!("rtcp:{}", rtcp.port()));
    }
}

fn refusal(refused: &Refused) -> Media {
    let mut formats = refused.formats.clone();
    if formats.is_empty() {
        // The grammar of RFC 8866 §5.14 wants one.
        formats.push("0".to_owned());
    }
    let mut media = Media::new(&refused.kind, 0, &refused.proto, formats);
    if let Some(mid) = &refused.mid {
        media.push_attribute(format!("mid:{mid}"));
    }
    media
}
