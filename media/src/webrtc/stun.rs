//! STUN as ICE uses it (RFC 8489, RFC 8445 §7): Binding requests and their answers, nothing else.

use std::net::{IpAddr, SocketAddr};

use rtc_srtp::crypto::{HmacAlgorithm, constant_time_eq, default_provider};

const HEADER: usize = 20;
const COOKIE: u32 = 0x2112_a442;
/// HMAC-SHA1.
const INTEGRITY_LEN: usize = 20;
/// Attributes looked at in one message; browsers send eight.
const MAX_ATTRIBUTES: usize = 24;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
const ICE_CONTROLLING: u16 = 0x802a;

/// Names a request and its answer.
pub(super) type Transaction = [u8; 12];

/// The kinds of message there are here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Request,
    Indication,
    Success,
    Error,
}

impl Class {
    /// The first two bytes with the method Binding (RFC 8489 §5).
    const fn word(self) -> u16 {
        match self {
            Self::Request => 0x0001,
            Self::Indication => 0x0011,
            Self::Success => 0x0101,
            Self::Error => 0x0111,
        }
    }
}

/// The side that an agent is on (RFC 8445 §7.1.3), with its tie-breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Controlling(u64),
    Controlled(u64),
}

/// A message as received.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    bytes: &'a [u8],
    pub(super) class: Class,
    pub(super) transaction: Transaction,
    /// `ours:theirs` in a request that we get.
    pub(super) username: Option<&'a str>,
    pub(super) priority: Option<u32>,
    pub(super) nominated: bool,
    pub(super) side: Option<Side>,
    pub(super) error: Option<u16>,
    /// Where MESSAGE-INTEGRITY begins.
    integrity: Option<usize>,
}

/// Reads a Binding message. `None` for anything else, and for what fails its own checks.
pub(super) fn parse(bytes: &[u8]) -> Option<View<'_>> {
    let (head, body) = bytes.split_at_checked(HEADER)?;
    let word = be16(head, 0)?;
    let classes = [Class::Request, Class::Indication, Class::Success, Class::Error];
    let class = classes.into_iter().find(|class| class.word() == word)?;
    let length = usize::from(be16(head, 2)?);
    if length != body.len() || length % 4 != 0 || be32(head, 4)? != COOKIE {
        return None;
    }
    let mut view = View {
        bytes,
        class,
        transaction: head.get(8..HEADER)?.try_into().ok()?,
        username: None,
        priority: None,
        nominated: false,
        side: None,
        error: None,
        integrity: None,
    };
    let mut at = HEADER;
    for _ in 0..MAX_ATTRIBUTES {
        if at == bytes.len() {
            return Some(view);
        }
        let (kind, length) = (be16(bytes, at)?, usize::from(be16(bytes, at + 2)?));
        let value = bytes.get(at + 4..at + 4 + length)?;
        if kind == FINGERPRINT {
            // It is the last one, and covers all before it (RFC 8489 §14.7).
            let whole = at + 8 == bytes.len() && be32(value, 0)? == fingerprint(bytes.get(..at)?);
            return whole.then_some(view);
        }
        // What follows the integrity is not covered by it (RFC 8489 §14.5).
        if view.integrity.is_none() {
            view.take(kind, at, value)?;
        }
        at += 4 + length.next_multiple_of(4);
    }
    None
}

impl<'a> View<'a> {
    fn take(&mut self, kind: u16, at: usize, value: &'a [u8]) -> Option<()> {
        match kind {
            USERNAME => self.username = Some(std::str::from_utf8(value).ok()?),
            PRIORITY => self.priority = Some(be32(value, 0)?),
            USE_CANDIDATE => self.nominated = true,
            ICE_CONTROLLED => self.side = Some(Side::Controlled(be64(value)?)),
            ICE_CONTROLLING => self.side = Some(Side::Controlling(be64(value)?)),
            ERROR_CODE => {
                let (class, number) = (*value.get(2)?, *value.get(3)?);
                self.error = Some(u16::from(class & 7) * 100 + u16::from(number));
            }
            MESSAGE_INTEGRITY => {
                (value.len() == INTEGRITY_LEN).then_some(())?;
                self.integrity = Some(at);
            }
            _ => {}
        }
        Some(())
    }

    /// Whether whoever made this knows the password. What has no integrity was made by nobody.
    pub(super) fn is_by(&self, password: &str) -> bool {
        self.checked(password).unwrap_or(false)
    }

    fn checked(&self, password: &str) -> Option<bool> {
        let at = self.integrity?;
        let tag = integrity(self.bytes.get(..at)?, password)?;
        let theirs = self.bytes.get(at + 4..at + 4 + INTEGRITY_LEN)?;
        Some(constant_time_eq(&tag, theirs))
    }
}

/// A message being written.
#[derive(Debug)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn new(class: Class, transaction: Transaction) -> Self {
        let mut bytes = Vec::with_capacity(160);
        bytes.extend_from_slice(&class.word().to_be_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&COOKIE.to_be_bytes());
        bytes.extend_from_slice(&transaction);
        Self { bytes }
    }

    pub(super) fn username(&mut self, name: &str) {
        self.attribute(USERNAME, name.as_bytes());
    }

    pub(super) fn priority(&mut self, priority: u32) {
        self.attribute(PRIORITY, &priority.to_be_bytes());
    }

    pub(super) fn nominate(&mut self) {
        self.attribute(USE_CANDIDATE, &[]);
    }

    pub(super) fn side(&mut self, side: Side) {
        match side {
            Side::Controlling(tie) => self.attribute(ICE_CONTROLLING, &tie.to_be_bytes()),
            Side::Controlled(tie) => self.attribute(ICE_CONTROLLED, &tie.to_be_bytes()),
        }
    }

    /// RFC 8489 §14.2: address and port under the cookie, an IPv6 one under the transaction too.
    pub(super) fn mapped_address(&mut self, address: SocketAddr) {
        let port = address.port() ^ (COOKIE >> 16) as u16;
        let mut value = [0; 20];
        let mask: [u8; 16] = std::array::from_fn(|i| self.bytes.get(4 + i).copied().unwrap_or(0));
        let (family, octets) = match address.ip().to_canonical() {
            IpAddr::V4(ip) => (1, ip.octets().to_vec()),
            IpAddr::V6(ip) => (2, ip.octets().to_vec()),
        };
        value[1] = family;
        value[2..4].copy_from_slice(&port.to_be_bytes());
        for (to, (octet, mask)) in value[4..].iter_mut().zip(octets.iter().zip(mask)) {
            *to = octet ^ mask;
        }
        self.attribute(XOR_MAPPED_ADDRESS, value.get(..4 + octets.len()).unwrap_or_default());
    }

    /// The code with no reason: nobody reads it.
    pub(super) fn error(&mut self, code: u16) {
        let (class, number) = ((code / 100) as u8, (code % 100) as u8);
        self.attribute(ERROR_CODE, &[0, 0, class, number]);
    }

    /// Signs and seals.
    pub(super) fn finish(mut self, password: &str) -> Option<Vec<u8>> {
        let tag = integrity(&self.bytes, password)?;
        self.attribute(MESSAGE_INTEGRITY, &tag);
        Some(self.seal())
    }

    /// Only seals. The length covers the fingerprint when it is made.
    pub(super) fn seal(mut self) -> Vec<u8> {
        self.set_length(8);
        self.attribute(FINGERPRINT, &fingerprint(&self.bytes).to_be_bytes());
        self.bytes
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        // Values here have at most some hundred bytes.
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&kind.to_be_bytes());
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.set_length(0);
    }

    fn set_length(&mut self, more: usize) {
        let length = u16::try_from(self.bytes.len() - HEADER + more).unwrap_or(u16::MAX);
        if let Some(place) = self.bytes.get_mut(2..4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }
}

/// HMAC-SHA1 over what stands before MESSAGE-INTEGRITY, with the length as if it ended there
/// (RFC 8489 §14.5).
fn integrity(before: &[u8], password: &str) -> Option<[u8; INTEGRITY_LEN]> {
    let provider = default_provider().ok()?;
    let mut hmac = provider.crypto().new_hmac(HmacAlgorithm::Sha1, password.as_bytes()).ok()?;
    let length = u16::try_from(before.len() - HEADER + 4 + INTEGRITY_LEN).ok()?;
    let mut tag = [0; INTEGRITY_LEN];
    hmac.sign(&[before.get(..2)?, &length.to_be_bytes(), before.get(4..)?], &mut tag).ok()?;
    Some(tag)
}

fn fingerprint(before: &[u8]) -> u32 {
    crc32(before) ^ 0x5354_554e
}

/// CRC-32 of ITU-T V.42.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut crc = i as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
                bit += 1;
            }
            table[i] = crc;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, byte| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn be64(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    /// The address that an answer says we have.
    fn mapped_address(bytes: &[u8]) -> Option<SocketAddr> {
        let mut at = HEADER;
        loop {
            let (kind, length) = (be16(bytes, at)?, usize::from(be16(bytes, at + 2)?));
            let value = bytes.get(at + 4..at + 4 + length)?;
            if kind == XOR_MAPPED_ADDRESS {
                let port = be16(value, 2)? ^ (COOKIE >> 16) as u16;
                let octets: Vec<u8> = value[4..]
                    .iter()
                    .zip(&bytes[4..20])
                    .map(|(octet, mask)| octet ^ mask)
                    .collect();
                let ip = match <[u8; 4]>::try_from(&octets[..]) {
                    Ok(four) => IpAddr::V4(Ipv4Addr::from(four)),
                    Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(&octets[..]).ok()?).into(),
                };
                return Some(SocketAddr::new(ip, port));
            }
            at += 4 + length.next_multiple_of(4);
        }
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.chunks(2).map(|pair| byte(pair).unwrap()).collect()
    }

    /// RFC 5769 §2.1 and §2.2: made by others, with a password of theirs.
    const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

    #[test]
    fn the_sample_request_of_rfc_5769_is_read_and_believed() {
        let bytes = hex("000100582112a442b7e7a701bc34d686fa87dfae802200105354554e20746573\
             7420636c69656e74002400046e0001ff80290008932ff9b151263b36000600096576746a3a6836765920202000\
             0800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf");
        let view = parse(&bytes).unwrap();
        assert_eq!((view.class, view.username), (Class::Request, Some("evtj:h6vY")));
        assert_eq!(view.priority, Some(0x6e00_01ff));
        assert_eq!(view.side, Some(Side::Controlled(0x932f_f9b1_5126_3b36)));
        assert!(view.is_by(PASSWORD) && !view.is_by("another"));
        let mut broken = bytes.clone();
        broken[30] ^= 1;
        assert!(parse(&broken).is_none(), "the fingerprint tells");
    }

    #[test]
    fn the_sample_response_of_rfc_5769_is_read_and_believed() {
        let bytes = hex(
            "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001\
             a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96",
        );
        let view = parse(&bytes).unwrap();
        assert!(view.class == Class::Success && view.is_by(PASSWORD));
        assert_eq!(mapped_address(&bytes), Some("192.0.2.1:32853".parse().unwrap()));
    }

    #[test]
    fn what_is_written_reads_back_and_convinces_only_who_has_the_password() {
        let mut writer = Writer::new(Class::Request, [7; 12]);
        writer.username("abcd:efgh12");
        writer.priority(99);
        writer.side(Side::Controlling(5));
        writer.nominate();
        let bytes = writer.finish("secret").unwrap();
        let view = parse(&bytes).unwrap();
        assert_eq!((view.username, view.priority), (Some("abcd:efgh12"), Some(99)));
        assert_eq!((view.side, view.nominated), (Some(Side::Controlling(5)), true));
        assert!(view.is_by("secret") && !view.is_by("Secret"));
        for address in ["192.0.2.9:4000", "[2001:db8::9]:4000"] {
            let address = address.parse().unwrap();
            let mut writer = Writer::new(Class::Success, [7; 12]);
            writer.mapped_address(address);
            assert_eq!(mapped_address(&writer.finish("p").unwrap()), Some(address));
        }
        let mut refusal = Writer::new(Class::Error, [7; 12]);
        refusal.error(487);
        assert_eq!(parse(&refusal.finish("p").unwrap()).unwrap().error, Some(487));
    }

    #[test]
    fn a_change_of_any_signed_byte_is_seen() {
        let mut writer = Writer::new(Class::Request, [7; 12]);
        writer.username("a:b");
        let bytes = writer.finish("secret").unwrap();
        // Behind the signature stands only the fingerprint.
        for at in 0..bytes.len() - 8 {
            let mut changed = bytes.clone();
            changed[at] ^= 4;
            assert!(!parse(&changed).is_some_and(|view| view.is_by("secret")), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_the_reader_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes).map(|view| view.is_by("x"));
            if bytes.len() >= HEADER {
                let length = (bytes.len() - HEADER) as u16;
                bytes[..2].copy_from_slice(&[0, 1]);
                bytes[2..4].copy_from_slice(&length.to_be_bytes());
                bytes[4..8].copy_from_slice(&COOKIE.to_be_bytes());
                let _ = parse(&bytes).map(|view| view.is_by("x"));
            }
        }
    }
}
