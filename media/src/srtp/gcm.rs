//! AES in Galois/counter mode on packets in place (RFC 7714): what browsers choose.

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};

use super::ctr::{ENCRYPTED, ENCRYPTION, RTCP_CLEAR, RTCP_TRAILER, SALT, derivation};
use super::keys::{GCM_SALT_LEN, SrtpKey};
use crate::rtp;

const TAG: usize = 16;

/// The session keys made of one master key.
#[repr(C)]
pub(super) struct Gcm {
    /// What ends each packet (RFC 7714 §8.2); mostly nothing.
    mki: Box<[u8]>,
    rtp: Half,
    rtcp: Box<Half>,
}

/// The part for RTP, or that for RTCP.
#[repr(C)]
struct Half {
    salt: [u8; GCM_SALT_LEN],
    aead: LessSafeKey,
}

impl Gcm {
    /// `None` for a key that is not as long as its suite says.
    pub(super) fn new(key: &SrtpKey) -> Option<Self> {
        Some(Self {
            mki: key.mki().into(),
            rtp: Half::derive(key, 0)?,
            rtcp: Box::new(Half::derive(key, 3)?),
        })
    }

    pub(super) fn rtp_overhead(&self) -> usize {
        TAG + self.mki.len()
    }

    pub(super) fn rtcp_overhead(&self) -> usize {
        TAG + RTCP_TRAILER + self.mki.len()
    }

    #[inline]
    pub(super) fn seal_rtp(&self, ssrc: u32, index: u64, packet: &mut [u8]) -> Option<()> {
        let length = packet.len().checked_sub(self.rtp_overhead())?;
        let start = rtp::payload_start(packet.get(..length)?)?;
        let (body, room) = packet.split_at_mut_checked(length)?;
        let (head, payload) = body.split_at_mut_checked(start)?;
        let (tag, mki) = room.split_at_mut_checked(TAG)?;
        mki.copy_from_slice(&self.mki);
        self.rtp.seal(ssrc, index, head, payload, tag)
    }

    #[inline]
    pub(super) fn open_rtp(&self, ssrc: u32, index: u64, packet: &mut [u8]) -> Option<usize> {
        let length = self.without_mki(packet).checked_sub(TAG)?;
        let start = rtp::payload_start(packet.get(..length)?)?;
        let (body, rest) = packet.split_at_mut_checked(length)?;
        let (head, payload) = body.split_at_mut_checked(start)?;
        self.rtp.open(ssrc, index, head, payload, rest.get(..TAG)?)?;
        Some(length)
    }

    pub(super) fn seal_rtcp(&self, index: u32, packet: &mut [u8]) -> Option<()> {
        let length = packet.len().checked_sub(self.rtcp_overhead())?;
        let ssrc = u32::from_be_bytes(packet.get(4..8)?.try_into().ok()?);
        let (body, room) = packet.split_at_mut_checked(length)?;
        let (head, content) = body.split_at_mut_checked(RTCP_CLEAR)?;
        let (tag, rest) = room.split_at_mut_checked(TAG)?;
        let (trailer, mki) = rest.split_at_mut_checked(RTCP_TRAILER)?;
        mki.copy_from_slice(&self.mki);
        trailer.copy_from_slice(&(index | ENCRYPTED).to_be_bytes());
        self.rtcp.seal(ssrc, index.into(), &associated(head, trailer)?, content, tag)
    }

    pub(super) fn open_rtcp(&self, ssrc: u32, packet: &mut [u8]) -> Option<(usize, u64)> {
        let end = self.without_mki(packet).checked_sub(RTCP_TRAILER)?;
        let length = end.checked_sub(TAG)?;
        let (body, rest) = packet.split_at_mut_checked(length)?;
        let (head, content) = body.split_at_mut_checked(RTCP_CLEAR)?;
        let (tag, trailer) = rest.split_at_checked(TAG)?;
        let trailer = trailer.get(..RTCP_TRAILER)?;
        let word = u32::from_be_bytes(trailer.try_into().ok()?);
        // What is authentic but in clear is nothing that anybody sends.
        let index = u64::from(word & !ENCRYPTED);
        if word & ENCRYPTED == 0 {
            return None;
        }
        self.rtcp.open(ssrc, index, &associated(head, trailer)?, content, tag)?;
        Some((length, index))
    }

    /// Bytes before the key identifier, which a peer may have announced and not send.
    #[inline]
    fn without_mki(&self, packet: &[u8]) -> usize {
        let named = !self.mki.is_empty() && packet.ends_with(&self.mki);
        if named { packet.len() - self.mki.len() } else { packet.len() }
    }
}

/// What SRTCP authenticates besides the ciphertext (RFC 7714 §9.2).
fn associated(head: &[u8], trailer: &[u8]) -> Option<[u8; RTCP_CLEAR + RTCP_TRAILER]> {
    let mut known = [0; RTCP_CLEAR + RTCP_TRAILER];
    let (first, second) = known.split_at_mut_checked(RTCP_CLEAR)?;
    first.copy_from_slice(head);
    second.copy_from_slice(trailer);
    Some(known)
}

impl Half {
    fn derive(key: &SrtpKey, first_label: u8) -> Option<Self> {
        let make = derivation(key, first_label)?;
        let (mut session, mut salt) = ([0; 32], [0; GCM_SALT_LEN]);
        let session = session.get_mut(..key.suite().key_len())?;
        make(ENCRYPTION, session);
        make(SALT, &mut salt);
        let algorithm = match session.len() {
            16 => &AES_128_GCM,
            _ => &AES_256_GCM,
        };
        Some(Self { aead: LessSafeKey::new(UnboundKey::new(algorithm, session).ok()?), salt })
    }

    /// Encrypts `content`; `known` is only authenticated.
    #[inline]
    fn seal(
        &self,
        ssrc: u32,
        index: u64,
        known: &[u8],
        content: &mut [u8],
        tag: &mut [u8],
    ) -> Option<()> {
        let (nonce, known) = (self.nonce(ssrc, index), Aad::from(known));
        let made = self.aead.seal_in_place_separate_tag(nonce, known, content).ok()?;
        (tag.len() == TAG).then(|| tag.copy_from_slice(made.as_ref()))
    }

    /// Checks and decrypts `content`.
    #[inline]
    fn open(
        &self,
        ssrc: u32,
        index: u64,
        known: &[u8],
        content: &mut [u8],
        tag: &[u8],
    ) -> Option<()> {
        let (nonce, known, tag) =
            (self.nonce(ssrc, index), Aad::from(known), Tag::try_from(tag).ok()?);
        self.aead.open_in_place_separate_tag(nonce, known, tag, content, 0..).ok().map(|_| ())
    }

    /// RFC 7714 §8.1 and §9.1: two zero bytes, SSRC, and the index in 48 bits, on the salt.
    #[inline]
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let mixed = (u128::from(ssrc) << 48) | u128::from(index & 0xffff_ffff_ffff);
        let mut nonce = self.salt;
        nonce.iter_mut().zip(&mixed.to_be_bytes()[4..]).for_each(|(to, from)| *to ^= from);
        // A sender counts, and a session refuses to use an index twice.
        Nonce::assume_unique_for_key(nonce)
    }
}
