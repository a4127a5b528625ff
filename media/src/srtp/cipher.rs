//! The ciphers of a key, whichever family its suite is of.

use super::ctr::Ctr;
use super::gcm::Gcm;
use super::keys::SrtpKey;

/// The session keys made of one master key. What RTP packets need of them lies here, and not behind a
/// pointer of its own: a leg's next packet finds the cache cold.
#[expect(clippy::large_enum_variant, reason = "a box costs each packet more than it saves")]
pub(super) enum Cipher {
    Ctr(Ctr),
    Gcm(Gcm),
}

impl Cipher {
    /// `None` for a key that is not as long as its suite says, which there is none of.
    pub(super) fn new(key: &SrtpKey) -> Option<Self> {
        if key.suite().is_aead() {
            Gcm::new(key).map(Self::Gcm)
        } else {
            Ctr::new(key).map(Self::Ctr)
        }
    }

    /// Bytes an RTP packet grows by.
    #[inline]
    pub(super) fn rtp_overhead(&self) -> usize {
        match self {
            Self::Ctr(ctr) => ctr.rtp_overhead(),
            Self::Gcm(gcm) => gcm.rtp_overhead(),
        }
    }

    /// Bytes an RTCP compound grows by.
    pub(super) fn rtcp_overhead(&self) -> usize {
        match self {
            Self::Ctr(ctr) => ctr.rtcp_overhead(),
            Self::Gcm(gcm) => gcm.rtcp_overhead(),
        }
    }

    /// Encrypts `packet`, whose last [`Self::rtp_overhead`] bytes are room.
    #[inline]
    pub(super) fn seal_rtp(&self, ssrc: u32, index: u64, packet: &mut [u8]) -> Option<()> {
        match self {
            Self::Ctr(ctr) => ctr.seal_rtp(ssrc, index, packet),
            Self::Gcm(gcm) => gcm.seal_rtp(ssrc, index, packet),
        }
    }

    /// Checks and decrypts; the plain packet's length. What fails is lost.
    #[inline]
    pub(super) fn open_rtp(&self, ssrc: u32, index: u64, packet: &mut [u8]) -> Option<usize> {
        match self {
            Self::Ctr(ctr) => ctr.open_rtp(ssrc, index, packet),
            Self::Gcm(gcm) => gcm.open_rtp(ssrc, index, packet),
        }
    }

    /// Encrypts a compound, whose last [`Self::rtcp_overhead`] bytes are room.
    pub(super) fn seal_rtcp(&self, index: u32, packet: &mut [u8]) -> Option<()> {
        match self {
            Self::Ctr(ctr) => ctr.seal_rtcp(index, packet),
            Self::Gcm(gcm) => gcm.seal_rtcp(index, packet),
        }
    }

    /// Checks and decrypts; the plain compound's length and the index it has.
    pub(super) fn open_rtcp(&self, ssrc: u32, packet: &mut [u8]) -> Option<(usize, u64)> {
        match self {
            Self::Ctr(ctr) => ctr.open_rtcp(ssrc, packet),
            Self::Gcm(gcm) => gcm.open_rtcp(ssrc, packet),
        }
    }
}
