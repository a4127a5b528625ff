//! SRTP with keys from SDES (RFC 3711, RFC 4568, RFC 6188).

use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::BytesMut;
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;

use crate::rtp;

/// The crypto suites of RFC 4568 §6.2 and RFC 6188 that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types)]
pub enum SrtpSuite {
    /// `AES_CM_128_HMAC_SHA1_80`
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`
    AesCm128HmacSha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`
    Aes256CmHmacSha1_80,
    /// `AES_256_CM_HMAC_SHA1_32`
    Aes256CmHmacSha1_32,
}

impl SrtpSuite {
    /// All suites, in the order we offer them.
    pub const ALL: [SrtpSuite; 4] = [
        SrtpSuite::AesCm128HmacSha1_80,
        SrtpSuite::AesCm128HmacSha1_32,
        SrtpSuite::Aes256CmHmacSha1_80,
        SrtpSuite::Aes256CmHmacSha1_32,
    ];

    /// The name in an `a=crypto` line.
    pub const fn name(self) -> &'static str {
        match self {
            SrtpSuite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            SrtpSuite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            SrtpSuite::Aes256CmHmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            SrtpSuite::Aes256CmHmacSha1_32 => "AES_256_CM_HMAC_SHA1_32",
        }
    }

    /// The suite of a name (RFC 4568 §9.1: names are case-insensitive tokens).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name().eq_ignore_ascii_case(name))
    }

    /// Master key length in bytes, without the salt.
    pub const fn key_len(self) -> usize {
        match self {
            SrtpSuite::AesCm128HmacSha1_80 | SrtpSuite::AesCm128HmacSha1_32 => 16,
            SrtpSuite::Aes256CmHmacSha1_80 | SrtpSuite::Aes256CmHmacSha1_32 => 32,
        }
    }

    /// Master salt length in bytes (RFC 3711 §8.2).
    pub const fn salt_len(self) -> usize {
        14
    }
}

impl fmt::Display for SrtpSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a key is unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SrtpKeyError {
    /// Not base64, or not as long as the suite wants.
    #[error("the key has {got} bytes, the suite wants {want}")]
    Length {
        /// Bytes of key and salt found.
        got: usize,
        /// Bytes of key and salt wanted.
        want: usize,
    },
    /// The `inline:` text is not base64.
    #[error("the key is not base64")]
    Base64,
}

/// Master key and salt of one direction. Its bytes cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SrtpKey {
    suite: SrtpSuite,
    key_and_salt: Box<[u8]>,
}

impl SrtpKey {
    /// Wraps key followed by salt, as SDES concatenates them (RFC 4568 §6.1).
    ///
    /// # Errors
    /// When the length is not the suite's.
    pub fn new(suite: SrtpSuite, key_and_salt: &[u8]) -> Result<Self, SrtpKeyError> {
        let want = suite.key_len() + suite.salt_len();
        if key_and_salt.len() != want {
            return Err(SrtpKeyError::Length { got: key_and_salt.len(), want });
        }
        Ok(Self { suite, key_and_salt: key_and_salt.into() })
    }

    /// A fresh random key.
    pub fn generate(suite: SrtpSuite) -> Self {
        let mut bytes = vec![0; suite.key_len() + suite.salt_len()];
        rand::RngCore::fill_bytes(&mut rand::rng(), &mut bytes);
        Self { suite, key_and_salt: bytes.into() }
    }

    /// The key in the base64 text after `inline:`, lifetime and MKI already cut off.
    ///
    /// # Errors
    /// When the text is no base64 or has the wrong length.
    pub fn from_base64(suite: SrtpSuite, text: &str) -> Result<Self, SrtpKeyError> {
        let bytes = BASE64.decode(text.trim()).map_err(|_| SrtpKeyError::Base64)?;
        Self::new(suite, &bytes)
    }

    /// The base64 text for `inline:`. A secret: for the SDP only.
    pub fn to_base64(&self) -> String {
        BASE64.encode(&self.key_and_salt)
    }

    /// The suite the key is for.
    pub const fn suite(&self) -> SrtpSuite {
        self.suite
    }
}

impl fmt::Debug for SrtpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SrtpKey({}, <hidden>)", self.suite)
    }
}

/// The two keys of a leg. Both sides choose their own sending key (RFC 4568 §5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrtpKeys {
    /// The key we send with: the one in *our* SDP.
    pub tx: SrtpKey,
    /// The key the peer sends with: the one in *its* SDP.
    pub rx: SrtpKey,
}

/// Contexts kept per direction: one for each SSRC of the peer that proved itself.
const MAX_SENDERS: usize = 4;

/// Unknown SSRCs tried in one context before it is thrown away. `rtc-srtp` keeps state of each
/// SSRC it is shown, authentic or not.
const MAX_PROBES: u8 = 16;

/// Packets that failed in a row, after which the key is called wrong.
const FAILURES_TOLD: u32 = 10;

/// Replay window in packets (RFC 3711 §3.3.2 wants at least 64).
const REPLAY_WINDOW: usize = 128;

/// Protects and unprotects the packets of one leg.
pub struct SrtpSession {
    keys: SrtpKeys,
    tx: Context,
    senders: Vec<(u32, Context)>,
    probe: Option<(Context, u8)>,
    failures_in_a_row: u32,
    failure_told: bool,
}

/// What became of a protected packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unprotected {
    /// Authentic: the packet is now plain and this long.
    Plain(usize),
    /// Forged, replayed, or made with another key. `tell`: so many in a row that the key must be
    /// wrong, and this was not told before.
    Refused {
        /// Whether to tell the owner.
        tell: bool,
    },
}

fn context(key: &SrtpKey) -> Option<Context> {
    let profile = match key.suite {
        SrtpSuite::AesCm128HmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        SrtpSuite::AesCm128HmacSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
        SrtpSuite::Aes256CmHmacSha1_80 => ProtectionProfile::Aes256CmHmacSha1_80,
        SrtpSuite::Aes256CmHmacSha1_32 => ProtectionProfile::Aes256CmHmacSha1_32,
    };
    let (master, salt) = key.key_and_salt.split_at_checked(key.suite.key_len())?;
    let provider = rtc_srtp::crypto::default_provider().ok()?;
    Context::new(
        master,
        salt,
        profile,
        Some(srtp_replay_protection(REPLAY_WINDOW)),
        Some(srtcp_replay_protection(REPLAY_WINDOW)),
        provider.crypto(),
    )
    .ok()
}

impl SrtpSession {
    /// A session with fresh counters. `None` when the crypto provider refuses, which it does not
    /// for keys of the right length.
    pub fn new(keys: SrtpKeys) -> Option<Self> {
        let tx = context(&keys.tx)?;
        Some(Self {
            keys,
            tx,
            senders: Vec::new(),
            probe: None,
            failures_in_a_row: 0,
            failure_told: false,
        })
    }

    /// The keys in use.
    pub fn keys(&self) -> &SrtpKeys {
        &self.keys
    }

    /// Takes the keys of a new offer and answer. A direction whose key stays keeps its rollover
    /// counter and replay window (RFC 4568 §7.1.4). `None` as in [`Self::new`].
    pub fn rekey(&mut self, keys: SrtpKeys) -> Option<()> {
        if keys.tx != self.keys.tx {
            self.tx = context(&keys.tx)?;
        }
        if keys.rx != self.keys.rx {
            self.senders.clear();
            self.probe = None;
            self.failures_in_a_row = 0;
            self.failure_told = false;
        }
        self.keys = keys;
        Some(())
    }

    /// Encrypts an RTP packet of ours in `buffer[at]`. Returns where it lies now: same start, longer
    /// by the tag. `None` when there is no room or the key is used up.
    pub fn protect_rtp(&mut self, buffer: &mut [u8], at: Range<usize>) -> Option<Range<usize>> {
        let done = self.tx.encrypt_rtp(buffer.get(at.clone())?).ok()?;
        put_back(buffer, at.start, &done)
    }

    /// Encrypts an RTCP compound of ours in `buffer[..length]`. Returns its new length.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let done = self.tx.encrypt_rtcp(buffer.get(..length)?).ok()?;
        put_back(buffer, 0, &done).map(|r| r.end)
    }

    /// Decrypts an RTP packet of the peer in place.
    #[inline]
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Unprotected {
        let Some(ssrc) = rtp::peek_ssrc(packet) else {
            return Unprotected::Refused { tell: false };
        };
        self.unprotect(ssrc, packet, |context, bytes| context.decrypt_rtp(bytes).ok())
    }

    /// Decrypts an RTCP compound of the peer in place.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Unprotected {
        let Some(ssrc) = packet.get(4..8).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes)
        else {
            return Unprotected::Refused { tell: false };
        };
        self.unprotect(ssrc, packet, |context, bytes| context.decrypt_rtcp(bytes).ok())
    }

    fn unprotect(
        &mut self,
        ssrc: u32,
        packet: &mut [u8],
        decrypt: impl Fn(&mut Context, &[u8]) -> Option<BytesMut>,
    ) -> Unprotected {
        let plain = match self.senders.iter_mut().find(|(known, _)| *known == ssrc) {
            Some((_, context)) => decrypt(context, packet),
            None => self.probe(ssrc, packet, decrypt),
        };
        let Some(range) = plain.and_then(|plain| put_back(packet, 0, &plain)) else {
            self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
            let tell = self.failures_in_a_row >= FAILURES_TOLD && !self.failure_told;
            self.failure_told |= tell;
            return Unprotected::Refused { tell };
        };
        self.failures_in_a_row = 0;
        Unprotected::Plain(range.end)
    }

    /// Tries an SSRC that has not proved itself yet. When it does, its context is kept, at the cost
    /// of the oldest if there are too many.
    fn probe(
        &mut self,
        ssrc: u32,
        packet: &[u8],
        decrypt: impl Fn(&mut Context, &[u8]) -> Option<BytesMut>,
    ) -> Option<BytesMut> {
        let (mut probe, tries) = match self.probe.take() {
            Some(probe) => probe,
            None => (context(&self.keys.rx)?, 0),
        };
        let plain = decrypt(&mut probe, packet);
        if plain.is_some() {
            if self.senders.len() == MAX_SENDERS {
                self.senders.remove(0);
            }
            self.senders.push((ssrc, probe));
        } else if tries + 1 < MAX_PROBES {
            self.probe = Some((probe, tries + 1));
        }
        plain
    }
}

fn put_back(buffer: &mut [u8], start: usize, bytes: &[u8]) -> Option<Range<usize>> {
    let range = start..start + bytes.len();
    buffer.get_mut(range.clone())?.copy_from_slice(bytes);
    Some(range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Header;

    fn pair(suite: SrtpSuite) -> (SrtpSession, SrtpSession) {
        let (ours, theirs) = (SrtpKey::generate(suite), SrtpKey::generate(suite));
        let us = SrtpKeys { tx: ours.clone(), rx: theirs.clone() };
        let them = SrtpKeys { tx: theirs, rx: ours };
        (SrtpSession::new(us).unwrap(), SrtpSession::new(them).unwrap())
    }

    fn packet(ssrc: u32, sequence: u16) -> Vec<u8> {
        let header = Header {
            marker: false,
            payload_type: 0,
            sequence,
            timestamp: u32::from(sequence),
            ssrc,
        };
        [&header.to_bytes()[..], &[0x55; 160]].concat()
    }

    fn protect(session: &mut SrtpSession, plain: &[u8]) -> Vec<u8> {
        let mut buffer = plain.to_vec();
        buffer.resize(plain.len() + 32, 0);
        let at = session.protect_rtp(&mut buffer, 0..plain.len()).unwrap();
        buffer[at].to_vec()
    }

    #[test]
    fn every_suite_carries_rtp_and_rtcp_both_ways() {
        for suite in SrtpSuite::ALL {
            let (mut us, mut them) = pair(suite);
            for sequence in 0..200 {
                let plain = packet(7, sequence);
                let mut wire = protect(&mut us, &plain);
                assert_ne!(wire[12..172], plain[12..]);
                assert_eq!(them.unprotect_rtp(&mut wire), Unprotected::Plain(plain.len()));
                assert_eq!(wire[..plain.len()], plain);
            }
            let plain = [0x80, 201, 0, 1, 0, 0, 0, 9];
            let mut wire = [0; 64];
            wire[..8].copy_from_slice(&plain);
            let n = them.protect_rtcp(&mut wire, 8).unwrap();
            assert_eq!(us.unprotect_rtcp(&mut wire[..n]), Unprotected::Plain(8));
            assert_eq!(wire[..8], plain);
        }
    }

    #[test]
    fn a_replayed_packet_and_a_forged_one_are_refused() {
        let (mut us, mut them) = pair(SrtpSuite::AesCm128HmacSha1_80);
        let wire = protect(&mut us, &packet(7, 1));
        assert!(matches!(them.unprotect_rtp(&mut wire.clone()), Unprotected::Plain(_)));
        assert!(matches!(them.unprotect_rtp(&mut wire.clone()), Unprotected::Refused { .. }));
        let mut forged = protect(&mut us, &packet(7, 2));
        forged[50] ^= 1;
        assert!(matches!(them.unprotect_rtp(&mut forged), Unprotected::Refused { .. }));
    }

    #[test]
    fn the_rollover_counter_follows_a_long_call() {
        let (mut us, mut them) = pair(SrtpSuite::AesCm128HmacSha1_32);
        for i in (0..140_000u32).step_by(100) {
            let mut wire = protect(&mut us, &packet(7, i as u16));
            assert!(matches!(them.unprotect_rtp(&mut wire), Unprotected::Plain(_)), "packet {i}");
        }
    }

    #[test]
    fn a_wrong_key_is_told_once() {
        let (mut us, _) = pair(SrtpSuite::AesCm128HmacSha1_80);
        let (_, mut stranger) = pair(SrtpSuite::AesCm128HmacSha1_80);
        let told = (0..100)
            .filter(|&s| {
                let mut wire = protect(&mut us, &packet(7, s));
                stranger.unprotect_rtp(&mut wire) == Unprotected::Refused { tell: true }
            })
            .count();
        assert_eq!(told, 1);
    }

    #[test]
    fn a_flood_of_forged_ssrcs_neither_grows_nor_hurts_the_real_one() {
        let (mut us, mut them) = pair(SrtpSuite::AesCm128HmacSha1_80);
        let mut first = protect(&mut us, &packet(7, 1));
        assert!(matches!(them.unprotect_rtp(&mut first), Unprotected::Plain(_)));
        for ssrc in 1000..2000 {
            let mut forged = packet(ssrc, 1);
            forged.extend([0; 10]);
            assert!(matches!(them.unprotect_rtp(&mut forged), Unprotected::Refused { .. }));
            assert!(them.probe.as_ref().is_none_or(|(_, tries)| *tries < MAX_PROBES));
        }
        assert_eq!(them.senders.len(), 1);
        let mut next = protect(&mut us, &packet(7, 2));
        assert!(matches!(them.unprotect_rtp(&mut next), Unprotected::Plain(_)));
    }

    #[test]
    fn a_key_that_stays_keeps_its_replay_window() {
        let (mut us, mut them) = pair(SrtpSuite::AesCm128HmacSha1_80);
        let wire = protect(&mut us, &packet(7, 1));
        assert!(matches!(them.unprotect_rtp(&mut wire.clone()), Unprotected::Plain(_)));
        them.rekey(them.keys().clone()).unwrap();
        assert!(matches!(them.unprotect_rtp(&mut wire.clone()), Unprotected::Refused { .. }));
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = SrtpKey::generate(SrtpSuite::AesCm128HmacSha1_80);
        let shown = format!("{key:?}");
        assert_eq!(shown, "SrtpKey(AES_CM_128_HMAC_SHA1_80, <hidden>)");
        let again = SrtpKey::from_base64(key.suite(), &key.to_base64()).unwrap();
        assert!(again == key);
        assert_eq!(
            SrtpKey::from_base64(key.suite(), "AAAA").unwrap_err(),
            SrtpKeyError::Length { got: 3, want: 30 }
        );
    }
}
