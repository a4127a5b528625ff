//! AES counter mode and HMAC-SHA1 on packets in place (RFC 3711 §3.1, §3.4, §4).

use aes::Aes192;
use aes::cipher::{BlockEncrypt as _, KeyInit as _};
use rtc_srtp::crypto::{
    CryptoError, HmacAlgorithm, Mac, RTCCrypto, StreamCipher, StreamCipherAlgorithm,
    constant_time_eq, default_provider,
};

use super::keys::{SALT_LEN, SrtpKey};
use crate::rtp;

/// HMAC-SHA1 before it is cut, and its key.
const HMAC_LEN: usize = 20;
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
pub(super) struct Ctr {
    rtp: Half,
    rtcp: Half,
    rtp_tag: usize,
    /// What stands before the tag of each packet (RFC 3711 §3.1); mostly nothing.
    mki: Box<[u8]>,
}

/// The part for RTP, or that for RTCP.
struct Half {
    stream: Box<dyn StreamCipher>,
    auth: Box<dyn Mac>,
    salt: [u8; SALT_LEN],
}

impl Ctr {
    /// `None` when the crypto provider refuses.
    pub(super) fn new(key: &SrtpKey) -> Option<Self> {
        let provider = default_provider().ok()?;
        Some(Self {
            rtp: Half::derive(provider.crypto(), key, 0)?,
            rtcp: Half::derive(provider.crypto(), key, 3)?,
            rtp_tag: key.suite().tag_len(),
            mki: key.mki().into(),
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
    pub(super) fn seal_rtp(&mut self, ssrc: u32, index: u64, packet: &mut [u8]) -> Option<()> {
        let length = packet.len().checked_sub(self.rtp_overhead())?;
        let (body, room) = packet.split_at_mut_checked(length)?;
        let start = rtp::payload_start(body)?;
        self.rtp.apply(ssrc, index, body.get_mut(start..)?)?;
        let tag = self.rtp.tag(&[body, &rollover(index)])?;
        put_tag(room, &self.mki, tag.get(..self.rtp_tag)?)
    }

    /// Checks and decrypts; the plain packet's length. What fails is left as it was.
    #[inline]
    pub(super) fn open_rtp(&mut self, ssrc: u32, index: u64, packet: &mut [u8]) -> Option<usize> {
        for length in self.body_lens(packet, self.rtp_tag).into_iter().flatten() {
            let (body, rest) = packet.split_at_mut_checked(length)?;
            let Some(start) = rtp::payload_start(body) else { continue };
            let tag = self.rtp.tag(&[body, &rollover(index)])?;
            let theirs = rest.get(rest.len().checked_sub(self.rtp_tag)?..)?;
            if constant_time_eq(tag.get(..self.rtp_tag)?, theirs) {
                self.rtp.apply(ssrc, index, body.get_mut(start..)?)?;
                return Some(length);
            }
        }
        None
    }

    /// Encrypts a compound, whose last [`Self::rtcp_overhead`] bytes are room.
    pub(super) fn seal_rtcp(&mut self, index: u32, packet: &mut [u8]) -> Option<()> {
        let length = packet.len().checked_sub(self.rtcp_overhead())?;
        let ssrc = u32::from_be_bytes(packet.get(4..8)?.try_into().ok()?);
        self.rtcp.apply(ssrc, index.into(), packet.get_mut(RTCP_CLEAR..length)?)?;
        let (body, room) = packet.split_at_mut_checked(length + RTCP_TRAILER)?;
        body.get_mut(length..)?.copy_from_slice(&(index | ENCRYPTED).to_be_bytes());
        let tag = self.rtcp.tag(&[body])?;
        put_tag(room, &self.mki, tag.get(..RTCP_TAG)?)
    }

    /// Checks and decrypts; the plain compound's length and the index it has.
    pub(super) fn open_rtcp(&mut self, ssrc: u32, packet: &mut [u8]) -> Option<(usize, u64)> {
        for body in self.body_lens(packet, RTCP_TAG).into_iter().flatten() {
            let Some(length) = body.checked_sub(RTCP_TRAILER).filter(|l| *l >= RTCP_CLEAR) else {
                continue;
            };
            let trailer = u32::from_be_bytes(packet.get(length..body)?.try_into().ok()?);
            let tag = self.rtcp.tag(&[packet.get(..body)?])?;
            let theirs = packet.get(packet.len().checked_sub(RTCP_TAG)?..)?;
            if constant_time_eq(tag.get(..RTCP_TAG)?, theirs) {
                let index = u64::from(trailer & !ENCRYPTED);
                if trailer & ENCRYPTED != 0 {
                    self.rtcp.apply(ssrc, index, packet.get_mut(RTCP_CLEAR..length)?)?;
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

/// AES in counter mode with a key of any of the three lengths.
fn stream_cipher(crypto: &dyn RTCCrypto, key: &[u8]) -> Option<Box<dyn StreamCipher>> {
    let algorithm = match key.len() {
        16 => StreamCipherAlgorithm::Aes128Ctr,
        24 => return Some(Box::new(Ctr192(Aes192::new_from_slice(key).ok()?))),
        _ => StreamCipherAlgorithm::Aes256Ctr,
    };
    crypto.new_stream_cipher(algorithm, key).ok()
}

/// The key length that the provider leaves out (RFC 6188 §2).
struct Ctr192(Aes192);

impl StreamCipher for Ctr192 {
    fn apply_keystream(&mut self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
        let wrong = CryptoError::InvalidNonceLength { expected: 16, actual: iv.len() };
        let mut counter = u128::from_be_bytes(iv.try_into().map_err(|_| wrong)?);
        for chunk in data.chunks_mut(16) {
            let mut block = aes::Block::from(counter.to_be_bytes());
            self.0.encrypt_block(&mut block);
            chunk.iter_mut().zip(block).for_each(|(byte, key)| *byte ^= key);
            counter = counter.wrapping_add(1);
        }
        Ok(())
    }
}

/// Makes session keys of a master key (RFC 3711 §4.3.1 with a derivation rate of 0; RFC 7714 §11
/// has the same for its shorter salts): the label meets the eighth byte of the salt.
pub(super) fn derivation(
    crypto: &dyn RTCCrypto,
    key: &SrtpKey,
    first_label: u8,
) -> Option<impl FnMut(u8, &mut [u8]) -> Option<()> + use<>> {
    let (master, master_salt) = key.parts()?;
    let mut source = stream_cipher(crypto, master)?;
    let mut salt = [0; 16];
    salt.iter_mut().zip(master_salt).for_each(|(to, from)| *to = *from);
    Some(move |label: u8, out: &mut [u8]| {
        let mut iv = salt;
        iv[7] ^= first_label + label;
        source.apply_keystream(&iv, out).ok()
    })
}

#[inline]
fn put_tag(room: &mut [u8], mki: &[u8], tag: &[u8]) -> Option<()> {
    let (first, second) = room.split_at_mut_checked(mki.len())?;
    first.copy_from_slice(mki);
    (second.len() == tag.len()).then(|| second.copy_from_slice(tag))
}

impl Half {
    fn derive(crypto: &dyn RTCCrypto, key: &SrtpKey, first_label: u8) -> Option<Self> {
        let mut make = derivation(crypto, key, first_label)?;
        let master = key.suite().key_len();
        let (mut session, mut auth, mut salt) = ([0; 32], [0; HMAC_LEN], [0; SALT_LEN]);
        let session = session.get_mut(..master)?;
        make(ENCRYPTION, session)?;
        make(AUTHENTICATION, &mut auth)?;
        make(SALT, &mut salt)?;
        Some(Self {
            stream: stream_cipher(crypto, session)?,
            auth: crypto.new_hmac(HmacAlgorithm::Sha1, &auth).ok()?,
            salt,
        })
    }

    /// Encrypts or decrypts (RFC 3711 §4.1.1): the IV is the salt, with SSRC and index on it.
    #[inline]
    fn apply(&mut self, ssrc: u32, index: u64, data: &mut [u8]) -> Option<()> {
        let mixed = (u128::from(ssrc) << 64) | (u128::from(index) << 16);
        let mut iv = mixed.to_be_bytes();
        iv.iter_mut().zip(self.salt).for_each(|(to, salt)| *to ^= salt);
        self.stream.apply_keystream(&iv, data).ok()
    }

    #[inline]
    fn tag(&mut self, parts: &[&[u8]]) -> Option<[u8; HMAC_LEN]> {
        let mut tag = [0; HMAC_LEN];
        self.auth.sign(parts, &mut tag).ok()?;
        Some(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::SrtpSuite;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
            .collect()
    }

    /// Holds session keys made of a master key against those of an RFC.
    fn assert_session_keys(suite: SrtpSuite, master: &str, cipher: &str, salt: &str, auth: &str) {
        let key = SrtpKey::new(suite, &hex(master)).unwrap();
        let provider = default_provider().unwrap();
        let mut half = Half::derive(provider.crypto(), &key, 0).unwrap();
        assert_eq!(half.salt.to_vec(), hex(salt));
        let mut other = provider.crypto().new_hmac(HmacAlgorithm::Sha1, &hex(auth)).unwrap();
        let mut tag = [0; HMAC_LEN];
        other.sign(&[b"packet"], &mut tag).unwrap();
        assert_eq!(half.tag(&[b"packet"]), Some(tag));
        let mut stream = stream_cipher(provider.crypto(), &hex(cipher)).unwrap();
        let (mut ours, mut theirs) = ([7; 40], [7; 40]);
        half.salt = [0; SALT_LEN];
        half.apply(0, 0, &mut ours).unwrap();
        stream.apply_keystream(&[0; 16], &mut theirs).unwrap();
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

    #[test]
    fn the_key_stream_of_192_bits_is_that_of_rfc_6188_7_3() {
        let provider = default_provider().unwrap();
        let key = hex("eab234764e517b2d3d160d587d8c86219740f65f99b6bcf7");
        let mut stream = stream_cipher(provider.crypto(), &key).unwrap();
        let mut keys = vec![0; 0xff02 * 16];
        stream.apply_keystream(&hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000"), &mut keys).unwrap();
        let block = |n: usize| keys[n * 16..][..16].to_vec();
        assert_eq!(block(0), hex("35096cba4610028dc1b57503804ce37c"));
        assert_eq!(block(1), hex("5de986291dcce161d5165ec4568f5c9a"));
        assert_eq!(block(0xfeff), hex("d108d1a31a00bad6367ec23eb044b415"));
        assert_eq!(block(0xff01), hex("a5dab625811034e8cebdfeb6dc158dd3"));
        assert!(stream.apply_keystream(&[0; 12], &mut keys).is_err());
    }
}
