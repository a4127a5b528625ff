//! What the operator allows on a leg.

use std::net::{IpAddr, SocketAddr};

use crate::codec::Codec;

/// Whether media is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SrtpPolicy {
    /// Never.
    Off,
    /// When the peer offers it.
    #[default]
    Optional,
    /// Always; a peer without SRTP is refused.
    Required,
}

/// Whose order of codecs counts in our answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CodecOrder {
    /// The operator's.
    #[default]
    Ours,
    /// The peer's.
    Theirs,
}

/// Our side of a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// Where the peer shall send RTP: the advertised address, not the bound one.
    pub rtp: SocketAddr,
    /// Where the peer shall send RTCP.
    pub rtcp: SocketAddr,
    /// Allowed codecs, the preferred first.
    pub codecs: Vec<Codec>,
    /// Format parameters of codecs that are only passed on: what the other leg's peer says of them.
    pub formats: Vec<(Codec, String)>,
    /// Whose order counts.
    pub order: CodecOrder,
    /// Encryption.
    pub srtp: SrtpPolicy,
    /// With [`SrtpPolicy::Optional`]: whether our own offers are encrypted. A peer without SRTP
    /// refuses such an offer.
    pub offer_secure: bool,
    /// Whether the peer may send comfort noise instead of silence. Off unless a peer insists: an
    /// even stream of packets is easier on every device behind.
    pub comfort_noise: bool,
    /// Milliseconds of audio in a packet.
    pub ptime_ms: u16,
    /// Where a peer that names its host by a domain name (RFC 8866 §5.7) is taken to be until it
    /// speaks: the address that its signalling comes from. Nobody waits for a name to be resolved.
    /// `None`: such a peer is refused.
    pub named_host: Option<IpAddr>,
    /// The leg is on the port that WebRTC legs share: `rtp` is its one candidate, and nothing but
    /// ICE and DTLS is agreed on.
    pub webrtc: Option<crate::webrtc::Local>,
    /// Our certificate's, for desk phones with DTLS-SRTP on a port of their own. `None`: they are
    /// refused.
    pub dtls: Option<crate::webrtc::Fingerprint>,
    /// Whether our own offers are for those.
    pub offer_dtls: bool,
    /// Whether our own first offers have ICE, where they have no DTLS: for a phone that said it has.
    /// An answer has it whenever the offer has.
    pub offer_ice: bool,
    /// An offer of SRTP says both how keys of SDES and keys of DTLS are made; the peer takes one.
    pub dtls_beside_sdes: bool,
}

impl Local {
    /// RTCP on the next port, 20 ms, SRTP when the peer offers it.
    #[must_use]
    pub fn new(rtp: SocketAddr, codecs: Vec<Codec>) -> Self {
        Self {
            rtp,
            rtcp: SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1)),
            codecs,
            formats: Vec::new(),
            order: CodecOrder::Ours,
            srtp: SrtpPolicy::Optional,
            offer_secure: false,
            comfort_noise: false,
            ptime_ms: 20,
            named_host: None,
            webrtc: None,
            dtls: None,
            offer_dtls: false,
            offer_ice: false,
            dtls_beside_sdes: false,
        }
    }

    pub(super) fn offers_srtp(&self) -> bool {
        match self.srtp {
            SrtpPolicy::Off => false,
            SrtpPolicy::Optional => self.offer_secure,
            SrtpPolicy::Required => true,
        }
    }
}
