//! SDES: SRTP keys carried in the description (RFC 4568, suites of RFC 6188 too).
//!
//! A key is never shown: `Debug` of everything here leaves it out, and the only way to text is
//! [`CryptoLine::to_attribute`], which is called where a description is printed for the peer.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::srtp::{MAX_MKI, SrtpKey, SrtpSuite};

/// Padding is written, and forgiven when it is missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The suites we offer, best understood first. `_32` has no 256-bit twin here: who asks for 256 bits
/// does not want the short tag.
pub(super) const OFFERED: [SrtpSuite; 3] = [
    SrtpSuite::AesCm128HmacSha1_80,
    SrtpSuite::AesCm128HmacSha1_32,
    SrtpSuite::Aes256CmHmacSha1_80,
];

/// The session parameter of RTCP that is only authenticated (RFC 4568 §6.3.2).
const CLEAR_RTCP: &str = "UNENCRYPTED_SRTCP";

/// Fresh lines for an offer, tagged from 1.
pub(super) fn fresh_lines() -> Vec<CryptoLine> {
    (1..).zip(OFFERED).map(|(tag, suite)| CryptoLine::fresh(tag, suite)).collect()
}

/// Names some peers write for the longer keys' suites (Voice Connector's manual among them).
const ALIASES: [(SrtpSuite, &str); 4] = [
    (SrtpSuite::Aes192CmHmacSha1_80, "AES_CM_192_HMAC_SHA1_80"),
    (SrtpSuite::Aes192CmHmacSha1_32, "AES_CM_192_HMAC_SHA1_32"),
    (SrtpSuite::Aes256CmHmacSha1_80, "AES_CM_256_HMAC_SHA1_80"),
    (SrtpSuite::Aes256CmHmacSha1_32, "AES_CM_256_HMAC_SHA1_32"),
];

/// The suite of this name or alias.
fn suite_named(name: &str) -> Option<SrtpSuite> {
    let alias = ALIASES.iter().find(|(_, alias)| alias.eq_ignore_ascii_case(name));
    SrtpSuite::from_name(name).or(alias.map(|(suite, _)| *suite))
}

/// Why a crypto line cannot be used. Never says anything of the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CryptoError {
    #[error("malformed a=crypto line")]
    Malformed,
    #[error("unknown suite {0}")]
    UnknownSuite(String),
    #[error("the key has the wrong length for {0}")]
    KeyLength(SrtpSuite),
    #[error("several keys in one a=crypto line are not supported")]
    SeveralKeys,
    #[error("the session parameter {0} is not supported")]
    Parameter(String),
}

/// One usable `a=crypto` line.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct CryptoLine {
    pub(super) tag: u32,
    /// The suite's name as the peer wrote it; the answer repeats it (RFC 4568 §5.1.2).
    pub(super) name: String,
    pub(super) key: SrtpKey,
}

impl fmt::Debug for CryptoLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CryptoLine {{ tag: {}, suite: {}, key: <secret> }}", self.tag, self.name)
    }
}

impl CryptoLine {
    /// The answer to a line: its tag, its name and its parameters, and `kept`, the key in use, where
    /// that is one for it, else a fresh one.
    pub(super) fn answering(theirs: &Self, kept: Option<&Self>) -> Self {
        let clear_rtcp = theirs.key.clear_rtcp();
        let suits =
            |key: &SrtpKey| (key.suite(), key.clear_rtcp()) == (theirs.key.suite(), clear_rtcp);
        let key = kept.map(|kept| kept.key.clone()).filter(suits);
        let fresh = || SrtpKey::generate(theirs.key.suite()).with_clear_rtcp(clear_rtcp);
        Self { tag: theirs.tag, name: theirs.name.clone(), key: key.unwrap_or_else(fresh) }
    }

    /// A line of ours with a fresh random key.
    pub(super) fn fresh(tag: u32, suite: SrtpSuite) -> Self {
        Self { tag, name: suite.name().to_owned(), key: SrtpKey::generate(suite) }
    }

    /// Reads the value of `a=crypto:` (RFC 4568 §9.1): `tag suite inline:key[|lifetime][|mki:len] params`.
    pub(super) fn parse(value: &str) -> Result<Self, CryptoError> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next().and_then(read_tag).ok_or(CryptoError::Malformed)?;
        let name = words.next().ok_or(CryptoError::Malformed)?;
        let keys = words.next().ok_or(CryptoError::Malformed)?;
        let suite = suite_named(name)
            .ok_or_else(|| CryptoError::UnknownSuite(name.chars().take(64).collect()))?;
        let key = read_key(keys, suite)?;
        let mut clear_rtcp = false;
        for word in words {
            // Reports may go unencrypted, which tells nobody what is said; Cisco's phones ask for it.
            if word.eq_ignore_ascii_case(CLEAR_RTCP) && !suite.is_aead() {
                clear_rtcp = true;
            } else if !word.starts_with('-') && !is_harmless(word) {
                // An unknown session parameter refuses the line unless it begins with '-' (RFC 4568
                // §6.3.7).
                return Err(CryptoError::Parameter(word.chars().take(64).collect()));
            }
        }
        Ok(Self { tag, name: name.to_owned(), key: key.with_clear_rtcp(clear_rtcp) })
    }

    /// The attribute text with the key in clear: for the peer's eyes only.
    pub(super) fn to_attribute(&self) -> String {
        // Such a parameter holds for both sides: the answer repeats it (RFC 4568 §6.3.2).
        let clear = if self.key.clear_rtcp() { format!(" {CLEAR_RTCP}") } else { String::new() };
        format!("crypto:{} {} inline:{}{clear}", self.tag, self.name, self.key.to_base64())
    }
}

/// RFC 4568 §9.1: 1 to 9 digits. A tag of 0 is written by some devices and does no harm.
fn read_tag(text: &str) -> Option<u32> {
    (text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// Parameters that change nothing for us: the key derivation rate 0 and the window hint.
fn is_harmless(parameter: &str) -> bool {
    let upper = parameter.to_ascii_uppercase();
    upper == "KDR=0" || upper.starts_with("WSH=")
}

/// `inline:key||salt[|lifetime][|mki:length]` (RFC 4568 §6.1).
fn read_key(text: &str, suite: SrtpSuite) -> Result<SrtpKey, CryptoError> {
    if text.contains(';') {
        return Err(CryptoError::SeveralKeys);
    }
    let (method, rest) = text.split_once(':').ok_or(CryptoError::Malformed)?;
    if !method.eq_ignore_ascii_case("inline") {
        return Err(CryptoError::Malformed);
    }
    let mut parts = rest.split('|');
    let encoded = parts.next().unwrap_or_default();
    // What holds a colon is an MKI, what holds none is a lifetime, which a telephone call never reaches.
    let mki = parts.find_map(|part| part.split_once(':')).map(read_mki).transpose()?;
    let secret = BASE64.decode(encoded).map_err(|_| CryptoError::Malformed)?;
    let key = SrtpKey::new(suite, &secret).map_err(|_| CryptoError::KeyLength(suite))?;
    Ok(key.with_mki(&mki.unwrap_or_default()))
}

/// `value:length`, a decimal number and the bytes it has in each packet of this key. Ours have none:
/// the identifier belongs to the sender's key (RFC 4568 §6.1).
fn read_mki((value, length): (&str, &str)) -> Result<Vec<u8>, CryptoError> {
    let value: u128 = value.parse().map_err(|_| CryptoError::Malformed)?;
    let length: usize = length.parse().map_err(|_| CryptoError::Malformed)?;
    let bytes = value.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    if length == 0 || length > MAX_MKI || bytes.len() - zeros > length {
        return Err(CryptoError::Malformed);
    }
    let mut mki = vec![0; length];
    for (to, from) in mki.iter_mut().rev().zip(bytes.iter().rev()) {
        *to = *from;
    }
    Ok(mki)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    #[test]
    fn a_crypto_line_is_read_with_lifetime_and_printed_back() {
        let line =
            CryptoLine::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20")).unwrap();
        assert_eq!((line.tag, line.key.suite()), (1, SrtpSuite::AesCm128HmacSha1_80));
        assert_eq!(line.to_attribute(), format!("crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"));
    }

    #[test]
    fn a_key_identifier_is_read_with_its_length() {
        for (text, mki) in [
            ("|2^31|1:1", &[1][..]),
            ("|1:4", &[0, 0, 0, 1]),
            ("|66051:3|2^20", &[1, 2, 3]),
            ("|2^48", &[]),
        ] {
            let line = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}{text}");
            let line = CryptoLine::parse(&line).unwrap();
            assert_eq!((line.key.mki(), line.key.to_base64().as_str()), (mki, KEY), "{text}");
        }
    }

    #[test]
    fn every_suite_makes_a_key_that_reads_back_the_same() {
        for suite in SrtpSuite::ALL {
            let ours = CryptoLine::fresh(7, suite);
            let text = ours.to_attribute();
            assert!(text.contains(suite.name()));
            assert_eq!(CryptoLine::parse(text.strip_prefix("crypto:").unwrap()).unwrap(), ours);
        }
    }

    #[test]
    fn missing_base64_padding_is_forgiven() {
        let full = CryptoLine::fresh(1, SrtpSuite::Aes256CmHmacSha1_80).to_attribute();
        let bare = full.trim_end_matches('=').strip_prefix("crypto:").unwrap().to_owned();
        assert!(CryptoLine::parse(&bare).is_ok());
    }

    #[test]
    fn a_line_that_cannot_be_used_says_why_and_never_the_key() {
        for (line, error) in [
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|256:1"), CryptoError::Malformed),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|x:1"), CryptoError::Malformed),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:0"), CryptoError::Malformed),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:129"), CryptoError::Malformed),
            (
                format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{KEY}"),
                CryptoError::SeveralKeys,
            ),
            (
                format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}"),
                CryptoError::UnknownSuite("F8_128_HMAC_SHA1_80".into()),
            ),
            (format!("x AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), CryptoError::Malformed),
            (format!("1 AES_CM_128_HMAC_SHA1_80 outline:{KEY}"), CryptoError::Malformed),
            (
                format!("1 AES_256_CM_HMAC_SHA1_80 inline:{KEY}"),
                CryptoError::KeyLength(SrtpSuite::Aes256CmHmacSha1_80),
            ),
            (
                format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP"),
                CryptoError::Parameter("UNENCRYPTED_SRTP".into()),
            ),
        ] {
            let refusal = CryptoLine::parse(&line).unwrap_err();
            assert_eq!(refusal, error);
            assert!(!format!("{refusal} {refusal:?}").contains(KEY));
        }
    }

    #[test]
    fn reports_in_clear_are_agreed_to_where_the_peer_asks_and_audio_in_clear_is_not() {
        let line = format!("3 AES_CM_128_HMAC_SHA1_32 inline:{KEY} WSH=64 UNENCRYPTED_SRTCP");
        let theirs = CryptoLine::parse(&line).unwrap();
        let ours = CryptoLine::answering(&theirs, None);
        let text = ours.to_attribute();
        assert!(text.starts_with("crypto:3 AES_CM_128_HMAC_SHA1_32 inline:"), "{text}");
        assert!(text.ends_with(" UNENCRYPTED_SRTCP") && !text.contains(KEY), "{text}");
        assert_eq!(CryptoLine::answering(&theirs, Some(&ours)), ours);
        let usual = CryptoLine { key: theirs.key.clone().with_clear_rtcp(false), ..theirs };
        let other = CryptoLine::answering(&usual, Some(&ours));
        assert!(other.key != ours.key && !other.to_attribute().contains("UNENCRYPTED"));
        let line =
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTCP UNENCRYPTED_SRTP");
        assert!(CryptoLine::parse(&line).is_err());
    }

    #[test]
    fn harmless_session_parameters_are_accepted() {
        for parameter in ["KDR=0", "WSH=128", "-experimental"] {
            let line = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} {parameter}");
            assert!(CryptoLine::parse(&line).is_ok(), "{parameter}");
        }
    }
}
