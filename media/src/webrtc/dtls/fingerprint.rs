//! `a=fingerprint` (RFC 8122 §5): by what the certificate of a peer is known.

use std::fmt;
use std::sync::Arc;

use ring::digest;
use rtc_srtp::crypto::constant_time_eq;

/// Certificates that one description may name.
const MAX_NAMED: usize = 8;

/// Hash functions, the weakest first. SHA-1 is what phones name that are older than RFC 8122; a
/// certificate that fits a given one cannot be made for it either. MD5 and MD2 are forbidden there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn of(self, certificate: &[u8]) -> Box<[u8]> {
        digest::digest(self.algorithm(), certificate).as_ref().into()
    }

    /// Reads `sha-256 AB:CD:…`.
    fn read(line: &str) -> Option<(Self, Box<[u8]>)> {
        let (name, text) = line.trim().split_once(' ')?;
        let hash = Self::ALL.into_iter().find(|hash| name.eq_ignore_ascii_case(hash.name()))?;
        let byte = |pair: &str| u8::from_str_radix(pair, 16).ok().filter(|_| pair.len() == 2);
        let bytes = text.trim().split(':').map(byte).collect::<Option<Box<[u8]>>>()?;
        (bytes.len() == hash.algorithm().output_len()).then_some((hash, bytes))
    }
}

/// What a description says of its writer's certificate: its hash, or those of several of which it
/// will show one.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint(Arc<Named>);

#[derive(PartialEq, Eq)]
struct Named {
    hash: Hash,
    values: Vec<Box<[u8]>>,
}

impl Fingerprint {
    /// The SHA-256 of a certificate, which is what we write: everybody reads it.
    pub(super) fn of(certificate: &[u8]) -> Self {
        let hash = Hash::Sha256;
        Self(Arc::new(Named { hash, values: vec![hash.of(certificate)] }))
    }

    /// Reads the values of the attribute in a description. Only the strongest hash counts (RFC 8122
    /// §5.1): all lines of one hash are of different certificates. `None`: none of a hash that we
    /// know.
    #[must_use]
    pub fn strongest<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let named: Vec<_> = lines.into_iter().filter_map(Hash::read).take(MAX_NAMED).collect();
        let hash = named.iter().map(|(hash, _)| *hash).max()?;
        let values = named.into_iter().filter(|(of, _)| *of == hash).map(|(_, value)| value);
        Some(Self(Arc::new(Named { hash, values: values.collect() })))
    }

    /// Whether the certificate is one of those.
    pub(super) fn fits(&self, certificate: &[u8]) -> bool {
        let theirs = self.0.hash.of(certificate);
        self.0.values.iter().any(|value| constant_time_eq(&theirs, value))
    }
}

/// The first of them, as it stands in a description.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.hash.name())?;
        let mut between = ' ';
        for byte in self.0.values.first().into_iter().flatten() {
            write!(f, "{between}{byte:02X}")?;
            between = ':';
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webrtc::Identity;

    fn printed(hash: Hash, certificate: &[u8]) -> String {
        Fingerprint(Arc::new(Named { hash, values: vec![hash.of(certificate)] })).to_string()
    }

    #[test]
    fn a_fingerprint_is_read_as_it_is_printed() {
        let identity = Identity::fresh().unwrap();
        let printed = identity.fingerprint().to_string();
        assert_eq!(printed.len(), "sha-256 ".len() + 32 * 3 - 1);
        for same in [printed.clone(), printed.to_lowercase(), printed.replace("sha", "SHA")] {
            assert_eq!(Fingerprint::strongest([&*same]).as_ref(), Some(identity.fingerprint()));
        }
        let md5 = format!("md5 {}", ["AA"; 16].join(":"));
        let bad = ["sha-1 AA:BB", "sha-256 AA", "sha-256", &printed.replace(':', ""), &md5];
        for bad in bad.into_iter().chain([&printed[..90]]) {
            assert_eq!(Fingerprint::strongest([bad]), None, "{bad}");
        }
        assert_ne!(identity.fingerprint(), Identity::fresh().unwrap().fingerprint());
    }

    #[test]
    fn a_certificate_is_known_by_the_hash_of_fips_180_4() {
        // The examples of FIPS 180-4 for "abc".
        for (hash, begin) in [
            (Hash::Sha1, "sha-1 A9:99:3E:36:47:06:81:6A"),
            (Hash::Sha256, "sha-256 BA:78:16:BF:8F:01:CF:EA"),
            (Hash::Sha384, "sha-384 CB:00:75:3F:45:A3:5E:8B"),
            (Hash::Sha512, "sha-512 DD:AF:35:A1:93:61:7A:BA"),
        ] {
            let line = printed(hash, b"abc");
            assert!(line.starts_with(begin), "{line}");
            let read = Fingerprint::strongest([&*line]).unwrap();
            assert!(read.fits(b"abc") && !read.fits(b"abd"), "{line}");
        }
    }

    #[test]
    fn the_strongest_hash_decides_and_any_of_its_certificates_may_come() {
        let weak = printed(Hash::Sha1, b"c");
        let lines = [printed(Hash::Sha384, b"a"), weak.clone(), printed(Hash::Sha384, b"b")];
        let read = Fingerprint::strongest(lines.iter().map(String::as_str)).unwrap();
        assert!(read.fits(b"a") && read.fits(b"b") && !read.fits(b"c"));
        // Of a hash that we do not know nothing can be asked for.
        let lines = ["sha-3 AA", &*weak];
        assert!(Fingerprint::strongest(lines).unwrap().fits(b"c"));
        let flood = vec![&*weak; 1_000];
        assert_eq!(Fingerprint::strongest(flood).unwrap().0.values.len(), MAX_NAMED);
    }
}
