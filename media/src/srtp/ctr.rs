//! AES counter mode and HMAC-SHA1 on packets in place (RFC 3711 §3.1, §3.4, §4).

use rtc_srtp::crypto::constant_time_eq;

use super::hmac::{HMAC_LEN, HmacSha1};
use super::keys::{SALT_LEN, SrtpKey};
use super::keystream::KeyStream;
use crate::rtp;

/// The tag of SRTCP, which has 80 bits in every suite (RFC 4568 §6.2.2).
const RTCP_TAG: usize = 10;
/// The E bit and the index behind an RTCP compound (RFC 3711 §3.4).
pub(super) const RTCP_TRAILER: usize = 4;
pub(super) const ENCRYPTED: u32 = 1 << 31;
/// What of an RTCP compound stays readable: the first header and the sender's SSRC.
pub(super) const RTCP_CLEAR: usize = 8;

/// Labels of the key derivation (RFC 3711 §4.3.2); those of SRTCP are three higher.
pub(super) const ENCRYPTION: u8 = 0;
const AUTHENTICATION: u8 = 1;
pub(super) const SALT: u8 = 2;

/// The session keys made of one master key.
#[repr(C)]
pub(super) struct Ctr {
    /// What stands before the tag of each packet (RFC 3711 §3.1); mostly nothing.
    mki: Box<[u8]>,
    rtp_tag: usize,
    rtp: Half,
    rtcp: Box<Half>,
    clear_rtcp: bool,
}

/// The part for RTP, or that for RTCP. An expanded key has room for the longest one behind it: what a
/// packet needs stands before it, side by side.
#[repr(C)]
struct Half {
    salt: [u8; SALT_LEN],
    auth: HmacSha1,
    stream: KeyStream,
}

impl Ctr {
    /// `None` for a key that is not as long as its suite says.
    pub(super) fn new(key: &SrtpKey) -> Option<Self> {
        Some(Self {
            mki: key.mki().into(),
            rtp_tag: key.suite().tag_len(),
            rtp: Half::derive(key, 0)?,
            rtcp: Box::new(Half::derive(key, 3)?),
            clear_rtcp: key.clear_rtcp(),
        })
    }

    /// Bytes an RTP packet grows by.
    pub(super) fn rtp_overhead(&self) -> usize {
        self.rtp_tag + self.mki.len()
    }

    /// Bytes an RTCP compound grows by.
    pub(super) fn rtcp_overhead(&self) -> usize {
        RTCP_TRAILER + RTCP_TAG + self.mki.len()
    }

    /// Encrypts `packet`, whose last [`Self::rtp_overhead`] bytes are room.
    #[inline]
    pub(super) fn seal_rtp(&self, ssrc: u32, index: u64, packet: &mut [u8]) -> Option<()> {
        let length = packet.len().checked_sub(self.rtp_overhead())?;
        let (body, room) = packet.split_at_mut_checked(length)?;
        let start = rtp::payload_start(body)?;
        self.rtp.apply(ssrc, index, body.get_mut(start..)?);
        let tag = self.rtp.auth.sign(body, &rollover(index))?;
        put_tag(room, &self.mki, tag.get(..self.rtp_tag)?)
    }

    /// Checks and decrypts; the plain packet's length. What fails is left as it was.
    #[inline]
    pub(super) fn open_rtp(&self, ssrc: u32, index: u64, packet: &mut [u8]) -> Option<usize> {
        for length in self.body_lens(packet, self.rtp_tag).into_iter().flatten() {
            let (body, rest) = packet.split_at_mut_checked(length)?;
            let Some(start) = rtp::payload_start(body) else { continue };
            let tag = self.rtp.auth.sign(body, &rollover(index))?;
            let theirs = rest.get(rest.len().checked_sub(self.rtp_tag)?..)?;
            if constant_time_eq(tag.get(..self.rtp_tag)?, theirs) {
                self.rtp.apply(ssrc, index, body.get_mut(start..)?);
                return Some(length);
            }
        }
        None
    }

    /// Encrypts a compound, whose last [`Self::rtcp_overhead`] bytes are room.
    pub(super) fn seal_rtcp(&self, index: u32, packet: &mut [u8]) -> Option<()> {
        let length = packet.len().checked_sub(self.rtcp_overhead())?;
        let ssrc = u32::from_be_bytes(packet.get(4..8)?.try_into().ok()?);
        let mut trailer = index;
        if !self.clear_rtcp {
            self.rtcp.apply(ssrc, index.into(), packet.get_mut(RTCP_CLEAR..length)?);
            trailer |= ENCRYPTED;
        }
        let (body, room) = packet.split_at_mut_checked(length + RTCP_TRAILER)?;
        body.get_mut(length..)?.copy_from_slice(&trailer.to_be_bytes());
        let tag = self.rtcp.auth.sign(body, &[])?;
        put_tag(room, &self.mki, tag.get(..RTCP_TAG)?)
    }

    /// Checks and decrypts; the plain compound's length and the index it has.
    pub(super) fn open_rtcp(&self, ssrc: u32, packet: &mut [u8]) -> Option<(usize, u64)> {
        for body in self.body_lens(packet, RTCP_TAG).into_iter().flatten() {
            let Some(length) = body.checked_sub(RTCP_TRAILER).filter(|l| *l >= RTCP_CLEAR) else {
                continue;
            };
            let trailer = u32::from_be_bytes(packet.get(length..body)?.try_into().ok()?);
            let tag = self.rtcp.auth.sign(packet.get(..body)?, &[])?;
            let theirs = packet.get(packet.len().checked_sub(RTCP_TAG)?..)?;
            if constant_time_eq(tag.get(..RTCP_TAG)?, theirs) {
                let index = u64::from(trailer & !ENCRYPTED);
                if trailer & ENCRYPTED != 0 {
                    self.rtcp.apply(ssrc, index, packet.get_mut(RTCP_CLEAR..length)?);
                }
                return Some((length, index));
            }
        }
        None
    }

    /// Bytes before tag and key identifier. A peer that announced an identifier and does not send
    /// it is forgiven. Where its packet happens to end as if it did, the second length is right:
    /// the tag, which does not cover the identifier, decides.
    #[inline]
    fn body_lens(&self, packet: &[u8], tag: usize) -> [Option<usize>; 2] {
        let Some(length) = packet.len().checked_sub(tag) else { return [None; 2] };
        let before = length.checked_sub(self.mki.len()).filter(|_| !self.mki.is_empty());
        let named = before.filter(|before| packet.get(*before..length) == Some(&*self.mki));
        [named, Some(length)]
    }
}

/// RFC 3711 §4.2: the rollover counter is authenticated behind the packet.
#[inline]
fn rollover(index: u64) -> [u8; 4] {
    // An index has 48 bits.
    ((index >> 16) as u32).to_be_bytes()
}

/// Makes session keys of a master key (RFC 3711 §4.3.1 with a derivation rate of 0; RFC 7714 §11
/// has the same for its shorter salts): the label meets the eighth byte of the salt.
pub(super) fn derivation(key: &SrtpKey, first_label: u8) -> Option<impl Fn(u8, &mut [u8]) + use<>> {
    let (master, master_salt) = key.parts()?;
    let source = KeyStream::new(master)?;
    let mut salt = [0; 16];
    salt.iter_mut().zip(master_salt).for_each(|(to, from)| *to = *from);
    Some(move |label: u8, out: &mut [u8]| {
        let mut iv = salt;
        iv[7] ^= first_label + label;
        source.apply(u128::from_be_bytes(iv), out);
    })
}

#[inline]
fn put_tag(room: &mut [u8], mki: &[u8], tag: &[u8]) -> Option<()> {
    let (first, second) = room.split_at_mut_checked(mki.len())?;
    first.copy_from_slice(mki);
    (second.len() == tag.len()).then(|| second.copy_from_slice(tag))
}

impl Half {
    fn derive(key: &SrtpKey, first_label: u8) -> Option<Self> {
        let make = derivation(key, first_label)?;
        let master = key.suite().key_len();
        let (mut session, mut auth, mut salt) = ([0; 32], [0; HMAC_LEN], [0; SALT_LEN]);
        let session = session.get_mut(..master)?;
        make(ENCRYPTION, session);
        make(AUTHENTICATION, &mut auth);
        make(SALT, &mut salt);
        Some(Self { salt, auth: HmacSha1::new(&auth), stream: KeyStream::new(session)? })
    }

    /// Encrypts or decrypts (RFC 3711 §4.1.1): the IV is the salt, with SSRC and index on it.
    #[inline]
    fn apply(&self, ssrc: u32, index: u64, data: &mut [u8]) {
        let mut salt = [0; 16];
        salt.iter_mut().zip(self.salt).for_each(|(to, salt)| *to = salt);
        let mixed = (u128::from(ssrc) << 64) | (u128::from(index) << 16);
        self.stream.apply(mixed ^ u128::from_be_bytes(salt), data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::SrtpSuite;
    use crate::srtp::tests::hex;

    /// Holds session keys made of a master key against those of an RFC.
    fn assert_session_keys(suite: SrtpSuite, master: &str, cipher: &str, salt: &str, auth: &str) {
        let key = SrtpKey::new(suite, &hex(master)).unwrap();
        let mut half = Half::derive(&key, 0).unwrap();
        assert_eq!(half.salt.to_vec(), hex(salt));
        let other = HmacSha1::new(&hex(auth).try_into().unwrap());
        assert_eq!(half.auth.sign(b"packet", &[]), other.sign(b"packet", &[]));
        let (mut ours, mut theirs) = ([7; 40], [7; 40]);
        half.salt = [0; SALT_LEN];
        half.apply(0, 0, &mut ours);
        KeyStream::new(&hex(cipher)).unwrap().apply(0, &mut theirs);
        assert_eq!(ours, theirs);
    }

    #[test]
    fn session_keys_are_those_of_rfc_3711_appendix_b_3() {
        assert_session_keys(
            SrtpSuite::AesCm128HmacSha1_80,
            "E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6",
            "C61E7A93744F39EE10734AFE3FF7A087",
            "30CBBC08863D8C85D49DB34A9AE1",
            "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4",
        );
    }

    #[test]
    fn session_keys_are_those_of_rfc_6188() {
        assert_session_keys(
            SrtpSuite::Aes256CmHmacSha1_80,
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6\
             3b04803de51ee7c96423ab5b78d2",
            "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
            "fa31791685ca444a9e07c6c64e93",
            "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05",
        );
        assert_session_keys(
            SrtpSuite::Aes192CmHmacSha1_80,
            "73edc66c4fa15776fb57f9505c17136550ffda71f3e8e5f1c8522f3acd4ce86d5add78edbb11",
            "31874736a8f1143870c26e4857d8a5b2c4a354407faadabb",
            "2372b82d639b6d8503a47adc0a6c",
            "355b10973cd95b9eacf4061c7e1a7151e7cfbfcb",
        );
    }
}
