//! Hashes by the names AWS gives them, for `States.Hash` and `$hash`.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The digest of `text` in lower-case hexadecimal; `None` for an algorithm whose name, in upper case
/// and with the hyphen, is another.
pub(crate) fn hex(algorithm: &str, text: &str) -> Option<String> {
    fn of<D: Digest>(text: &str) -> Vec<u8> {
        D::digest(text.as_bytes()).to_vec()
    }
    let bytes = match algorithm {
        "MD5" => of::<Md5>(text),
        "SHA-1" => of::<Sha1>(text),
        "SHA-256" => of::<Sha256>(text),
        "SHA-384" => of::<Sha384>(text),
        "SHA-512" => of::<Sha512>(text),
        _ => return None,
    };
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
