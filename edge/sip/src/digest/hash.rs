//! Hash functions and the response computation (RFC 7616 §3.4).

use std::fmt;

use md5::Md5;
use sha2::digest::Digest;
use sha2::{Sha256, Sha512_256};

/// A hash function, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hash {
    /// MD5: broken, and the only one that most phones know.
    Md5,
    /// SHA-256.
    Sha256,
    /// SHA-512/256.
    Sha512_256,
}

/// A hash function, and whether its HA1 is bound to one nonce (`-sess`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithm {
    /// The function.
    pub hash: Hash,
    /// `-sess`.
    pub session: bool,
}

impl Hash {
    /// As in the `algorithm` parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
        }
    }

    /// The lowercase hex of the hash over `parts` joined by colons.
    pub(super) fn of(self, parts: &[&[u8]]) -> String {
        match self {
            Self::Md5 => joined::<Md5>(parts),
            Self::Sha256 => joined::<Sha256>(parts),
            Self::Sha512_256 => joined::<Sha512_256>(parts),
        }
    }
}

fn joined<D: Digest>(parts: &[&[u8]]) -> String {
    let mut hasher = D::new();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            hasher.update(b":");
        }
        hasher.update(part);
    }
    hex(&hasher.finalize())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(*b)]).collect()
}

impl Algorithm {
    /// Reads an `algorithm` parameter; absent means MD5 (RFC 7616 §3.3). `None`: unknown to us.
    pub fn parse(param: Option<&str>) -> Option<Self> {
        let text = param.unwrap_or("MD5").to_ascii_uppercase();
        let (name, session) = match text.strip_suffix("-SESS") {
            Some(name) => (name, true),
            None => (&*text, false),
        };
        let hash = match name {
            "MD5" => Hash::Md5,
            "SHA-256" => Hash::Sha256,
            "SHA-512-256" => Hash::Sha512_256,
            _ => return None,
        };
        Some(Self { hash, session })
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hash.as_str())?;
        f.write_str(if self.session { "-sess" } else { "" })
    }
}

/// `H(user:realm:password)`. As good as the password within its realm, so it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    hash: Hash,
    hex: Box<str>,
}

impl Ha1 {
    /// Computes it.
    pub fn new(hash: Hash, user: &str, realm: &str, password: &str) -> Self {
        let hex = hash.of(&[user.as_bytes(), realm.as_bytes(), password.as_bytes()]);
        Self { hash, hex: hex.into() }
    }

    /// Reads stored hex. `None`: not the length of that hash, or no hex digits.
    pub fn from_hex(hash: Hash, hex: &str) -> Option<Self> {
        let length = if hash == Hash::Md5 { 32 } else { 64 };
        let valid = hex.len() == length && hex.bytes().all(|b| b.is_ascii_hexdigit());
        valid.then(|| Self { hash, hex: hex.to_ascii_lowercase().into() })
    }

    /// Which function made it.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// To be stored; a secret.
    pub fn as_hex(&self) -> &str {
        &self.hex
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ha1({}, secret)", self.hash.as_str())
    }
}

/// HA1 with MD5.
pub fn ha1_md5(user: &str, realm: &str, password: &str) -> Ha1 {
    Ha1::new(Hash::Md5, user, realm, password)
}

/// HA1 with SHA-256.
pub fn ha1_sha256(user: &str, realm: &str, password: &str) -> Ha1 {
    Ha1::new(Hash::Sha256, user, realm, password)
}

/// What goes into a response besides the HA1. Texts as they stand in the credentials.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) nonce: &'a str,
    pub(super) qop: Option<Qop<'a>>,
}

/// Quality of protection.
#[derive(Clone, Copy)]
pub(super) struct Qop<'a> {
    pub(super) nc: &'a str,
    pub(super) cnonce: &'a str,
    /// `Some`: `auth-int` over this body.
    pub(super) body: Option<&'a [u8]>,
}

/// The response (RFC 7616 §3.4.1; without qop RFC 2617 §3.2.2.1).
pub(super) fn response(hash: Hash, ha1: &str, terms: &Terms<'_>) -> String {
    let Terms { method, uri, nonce, qop } = *terms;
    let (method, uri) = (method.as_bytes(), uri.as_bytes());
    let (ha1, nonce) = (ha1.as_bytes(), nonce.as_bytes());
    let body_hash = qop.and_then(|q| q.body).map(|body| hash.of(&[body]));
    let ha2 = match &body_hash {
        Some(body) => hash.of(&[method, uri, body.as_bytes()]),
        None => hash.of(&[method, uri]),
    };
    match qop {
        Some(q) => {
            let name: &[u8] = if q.body.is_some() { b"auth-int" } else { b"auth" };
            let (nc, cnonce) = (q.nc.as_bytes(), q.cnonce.as_bytes());
            hash.of(&[ha1, nonce, nc, cnonce, name, ha2.as_bytes()])
        }
        None => hash.of(&[ha1, nonce, ha2.as_bytes()]),
    }
}

/// HA1 of a `-sess` algorithm (RFC 7616 §3.4.2).
pub(super) fn session_ha1(hash: Hash, ha1: &str, nonce: &str, cnonce: &str) -> String {
    hash.of(&[ha1.as_bytes(), nonce.as_bytes(), cnonce.as_bytes()])
}
