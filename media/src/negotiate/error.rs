//! Why no agreement was reached, in words for the peer's operator.

use std::net::IpAddr;

use crate::sdp::SdpError;

/// Why an offer or an answer cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NegotiateError {
    /// The body cannot be read.
    #[error(transparent)]
    Sdp(#[from] SdpError),
    /// No audio stream with a port.
    #[error("there is no active audio stream")]
    NoAudio,
    /// Only transports we do not speak.
    #[error(
        "the transport {0} is not supported here; RTP/AVP, RTP/SAVP and UDP/TLS/RTP/SAVP(F) are, with ICE where WebRTC is switched on"
    )]
    Transport(String),
    /// Both lists have no codec in common.
    #[error("no common codec: the peer has {theirs}; this side allows {ours}")]
    NoCommonCodec {
        /// What the peer listed.
        theirs: String,
        /// What the operator allows.
        ours: String,
    },
    /// No usable `c=` address.
    #[error("no usable media address: {0}")]
    Address(String),
    /// IPv6 where the leg runs on IPv4, or the other way round.
    #[error("media address {remote} and local address {local} are of different families")]
    AddressFamily {
        /// The peer's.
        remote: IpAddr,
        /// Ours.
        local: IpAddr,
    },
    /// The peer has no SRTP and the operator demands it.
    #[error("SRTP is required here and the peer does not offer it")]
    SrtpRequired,
    /// The peer demands SRTP and the operator switched it off.
    #[error("SRTP is switched off here and the peer demands it")]
    SrtpOff,
    /// SRTP is wanted on both sides, but no `a=crypto` line can be used.
    #[error("no usable a=crypto line: {0}")]
    Crypto(String),
    /// An offer of a browser that lacks something.
    #[error("no WebRTC: {0}")]
    WebRtc(&'static str),
    /// An offer of a desk phone with DTLS-SRTP that lacks something.
    #[error("no DTLS-SRTP: {0}")]
    Dtls(&'static str),
    /// The peer refused our stream with port 0.
    #[error("the peer refused the audio stream")]
    Refused,
    /// The answer breaks RFC 3264.
    #[error("the answer does not fit the offer: {0}")]
    Mismatch(&'static str),
    /// An answer without an offer of ours.
    #[error("there is no offer to answer")]
    NoOffer,
}

impl NegotiateError {
    /// The SIP status to refuse the peer's request with. For a fault in an *answer* there is no
    /// response left to give: the call is acknowledged and ended.
    #[must_use]
    pub fn sip_status(&self) -> u16 {
        match self {
            Self::Sdp(_) => 400,
            Self::NoOffer => 500,
            // RFC 3261 §21.4.26
            _ => 488,
        }
    }

    /// The code of a Warning header (RFC 3261 §20.43).
    #[must_use]
    pub fn warn_code(&self) -> u16 {
        match self {
            Self::AddressFamily { .. } => 300,
            Self::Address(_) => 301,
            Self::Transport(_)
            | Self::WebRtc(_)
            | Self::Dtls(_)
            | Self::SrtpRequired
            | Self::SrtpOff => 302,
            Self::NoAudio | Self::Refused => 304,
            Self::NoCommonCodec { .. } => 305,
            Self::Crypto(_) => 306,
            Self::Sdp(_) | Self::Mismatch(_) | Self::NoOffer => 399,
        }
    }

    /// What happened, for a Warning header and the log. Holds no key.
    #[must_use]
    pub fn text(&self) -> String {
        self.to_string()
    }
}
