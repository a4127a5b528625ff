//! One behaviour each. `us` is at 192.0.2.1:10000.

mod beside;
mod bundle;
mod codecs;
mod dtls;
mod hold;
mod ice;
mod offers;
mod random;
mod secure;
mod webrtc;

use super::*;
use crate::sdp::Media;

fn local() -> Local {
    Local::new("192.0.2.1:10000".parse().unwrap(), vec![Codec::Pcmu, Codec::Pcma])
}

fn us(local: Local) -> Negotiator {
    Negotiator::new(local, 4711)
}

/// A peer's description with these lines in and below its `m=audio 4000` line.
fn theirs(profile_and_formats: &str, lines: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 198.51.100.2\r\ns=-\r\nc=IN IP4 198.51.100.2\r\nt=0 0\r\n\
         m=audio 4000 {profile_and_formats}\r\n{lines}"
    )
}

const EVENTS: &str = "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n";

fn parse(text: &str) -> SessionDescription {
    SessionDescription::parse(text.as_bytes()).unwrap()
}

fn version(text: &str) -> u64 {
    parse(text).origin().unwrap().version.parse().unwrap()
}

fn direction(text: &str) -> Direction {
    let sdp = parse(text);
    let audio: Vec<&Media> = sdp.media.iter().filter(|m| m.port != 0).collect();
    sdp.direction_of(audio[0])
}

fn answer(local: Local, offer: &str) -> (String, Agreed) {
    us(local).answer(offer.as_bytes(), Direction::SendRecv).unwrap()
}

fn refusal(local: Local, offer: &str) -> NegotiateError {
    us(local).answer(offer.as_bytes(), Direction::SendRecv).unwrap_err()
}
