//! The keys of SDES: suite, master key and salt, master key identifier.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Length of master and session salts in bytes (RFC 3711 §8.2), and for GCM (RFC 7714 §12).
pub(super) const SALT_LEN: usize = 14;
pub(super) const GCM_SALT_LEN: usize = 12;

/// The longest master key identifier (RFC 3711 §8.2).
pub const MAX_MKI: usize = 128;

/// The crypto suites of RFC 4568 §6.2, RFC 6188 and RFC 7714 that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types)]
pub enum SrtpSuite {
    /// `AES_CM_128_HMAC_SHA1_80`
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`
    AesCm128HmacSha1_32,
    /// `AES_192_CM_HMAC_SHA1_80`
    Aes192CmHmacSha1_80,
    /// `AES_192_CM_HMAC_SHA1_32`
    Aes192CmHmacSha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`
    Aes256CmHmacSha1_80,
    /// `AES_256_CM_HMAC_SHA1_32`
    Aes256CmHmacSha1_32,
    /// `AEAD_AES_128_GCM`
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM`
    AeadAes256Gcm,
}

impl SrtpSuite {
    /// All suites.
    pub const ALL: [SrtpSuite; 8] = [
        SrtpSuite::AesCm128HmacSha1_80,
        SrtpSuite::AesCm128HmacSha1_32,
        SrtpSuite::Aes192CmHmacSha1_80,
        SrtpSuite::Aes192CmHmacSha1_32,
        SrtpSuite::Aes256CmHmacSha1_80,
        SrtpSuite::Aes256CmHmacSha1_32,
        SrtpSuite::AeadAes128Gcm,
        SrtpSuite::AeadAes256Gcm,
    ];

    /// The name in an `a=crypto` line.
    pub const fn name(self) -> &'static str {
        match self {
            SrtpSuite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            SrtpSuite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            SrtpSuite::Aes192CmHmacSha1_80 => "AES_192_CM_HMAC_SHA1_80",
            SrtpSuite::Aes192CmHmacSha1_32 => "AES_192_CM_HMAC_SHA1_32",
            SrtpSuite::Aes256CmHmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            SrtpSuite::Aes256CmHmacSha1_32 => "AES_256_CM_HMAC_SHA1_32",
            SrtpSuite::AeadAes128Gcm => "AEAD_AES_128_GCM",
            SrtpSuite::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// The suite of a name (RFC 4568 §9.1: names are case-insensitive tokens).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name().eq_ignore_ascii_case(name))
    }

    /// Master key length in bytes, without the salt.
    pub const fn key_len(self) -> usize {
        match self {
            SrtpSuite::AesCm128HmacSha1_80
            | SrtpSuite::AesCm128HmacSha1_32
            | SrtpSuite::AeadAes128Gcm => 16,
            SrtpSuite::Aes192CmHmacSha1_80 | SrtpSuite::Aes192CmHmacSha1_32 => 24,
            SrtpSuite::Aes256CmHmacSha1_80
            | SrtpSuite::Aes256CmHmacSha1_32
            | SrtpSuite::AeadAes256Gcm => 32,
        }
    }

    /// Master salt length in bytes (RFC 3711 §8.2).
    pub const fn salt_len(self) -> usize {
        if self.is_aead() { GCM_SALT_LEN } else { SALT_LEN }
    }

    /// Whether one algorithm encrypts and authenticates (RFC 7714).
    pub const fn is_aead(self) -> bool {
        matches!(self, SrtpSuite::AeadAes128Gcm | SrtpSuite::AeadAes256Gcm)
    }

    /// Length of the tag behind an RTP packet in bytes.
    pub const fn tag_len(self) -> usize {
        match self {
            SrtpSuite::AesCm128HmacSha1_80
            | SrtpSuite::Aes192CmHmacSha1_80
            | SrtpSuite::Aes256CmHmacSha1_80 => 10,
            SrtpSuite::AesCm128HmacSha1_32
            | SrtpSuite::Aes192CmHmacSha1_32
            | SrtpSuite::Aes256CmHmacSha1_32 => 4,
            SrtpSuite::AeadAes128Gcm | SrtpSuite::AeadAes256Gcm => 16,
        }
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
    /// Not as long as the suite wants.
    #[error("the key has {got} bytes, the suite wants {want}")]
    Length {
        /// Bytes of key and salt found.
        got: usize,
        /// Bytes of key and salt wanted.
        want: usize,
    },
}

/// Master key and salt of one direction. Its bytes cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SrtpKey {
    suite: SrtpSuite,
    key_and_salt: Box<[u8]>,
    mki: Box<[u8]>,
    clear_rtcp: bool,
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
        let mki = Box::default();
        Ok(Self { suite, key_and_salt: key_and_salt.into(), mki, clear_rtcp: false })
    }

    /// A fresh random key.
    pub fn generate(suite: SrtpSuite) -> Self {
        let mut bytes = vec![0; suite.key_len() + suite.salt_len()];
        rand::RngCore::fill_bytes(&mut rand::rng(), &mut bytes);
        Self { suite, key_and_salt: bytes.into(), mki: Box::default(), clear_rtcp: false }
    }

    /// The base64 text for `inline:`. A secret: for the SDP only.
    pub fn to_base64(&self) -> String {
        BASE64.encode(&self.key_and_salt)
    }

    /// The suite the key is for.
    pub const fn suite(&self) -> SrtpSuite {
        self.suite
    }

    /// The same key, named in each of its packets by a master key identifier of at most [`MAX_MKI`]
    /// bytes; what is longer is cut.
    #[must_use]
    pub fn with_mki(self, mki: &[u8]) -> Self {
        Self { mki: mki.iter().copied().take(MAX_MKI).collect(), ..self }
    }

    /// What stands before the tag of each packet of this key; empty for nearly every peer.
    pub fn mki(&self) -> &[u8] {
        &self.mki
    }

    /// The same key, whose RTCP is authenticated and not encrypted, or is both.
    #[must_use]
    pub fn with_clear_rtcp(self, clear_rtcp: bool) -> Self {
        Self { clear_rtcp, ..self }
    }

    /// Whether RTCP goes in clear (RFC 3711 §3.4, the E bit): only where both sides said so.
    pub const fn clear_rtcp(&self) -> bool {
        self.clear_rtcp
    }

    /// Master key and master salt.
    pub(super) fn parts(&self) -> Option<(&[u8], &[u8])> {
        self.key_and_salt.split_at_checked(self.suite.key_len())
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
