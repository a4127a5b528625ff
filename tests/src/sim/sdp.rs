//! The little of SDP that a phone without media needs.

use bytes::Bytes;

/// The direction attribute (RFC 4566 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    /// As written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// What a description says; `sendrecv` when it says nothing (RFC 4566 §6).
    pub fn of(sdp: &[u8]) -> Self {
        let text = String::from_utf8_lossy(sdp);
        let says = |d: &Self| text.lines().any(|l| l.trim_end() == format!("a={}", d.as_str()));
        [Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(says)
            .unwrap_or(Self::SendRecv)
    }

    /// What an obliging answer says to an offer of this direction (RFC 3264 §6.1).
    pub fn answer(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            same => same,
        }
    }
}

/// A description with PCMU and digits at `host:port`. `version` is that of the origin line.
pub fn audio(host: &str, port: u16, version: u32, direction: Direction) -> Bytes {
    let direction = direction.as_str();
    Bytes::from(format!(
        "v=0\r\no=- 4711 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
         a=fmtp:101 0-15\r\na=ptime:20\r\na={direction}\r\n"
    ))
}

/// Address and port of the (first) audio stream.
pub fn audio_address(sdp: &[u8]) -> Option<(String, u16)> {
    let text = String::from_utf8_lossy(sdp);
    let line = |start: &str| text.lines().find_map(|l| l.strip_prefix(start).map(str::to_owned));
    let host = line("c=IN IP4 ")?.trim().to_owned();
    let port = line("m=audio ")?.split_whitespace().next()?.parse().ok()?;
    Some((host, port))
}
