//! AES in counter mode (RFC 3711 §4.1.1, RFC 6188 §3): a key is expanded once, not for each packet.

use aes::cipher::consts::U16;
use aes::cipher::{Block, BlockCipherEncrypt, KeyInit as _};
use aes::{Aes128Enc, Aes192Enc, Aes256Enc};

/// Blocks made at once: 20 ms of G.711 take ten.
const BLOCKS: usize = 16;
const BLOCK: usize = 16;

/// An AES key of any of the three lengths.
pub(super) enum KeyStream {
    Aes128(Aes128Enc),
    Aes192(Aes192Enc),
    Aes256(Aes256Enc),
}

impl KeyStream {
    /// `None` when no AES key has this length.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Aes128Enc::new_from_slice(key).ok().map(Self::Aes128),
            24 => Aes192Enc::new_from_slice(key).ok().map(Self::Aes192),
            32 => Aes256Enc::new_from_slice(key).ok().map(Self::Aes256),
            _ => None,
        }
    }

    /// Encrypts or decrypts: the first block is of this counter, each further one of the next.
    #[inline]
    pub(super) fn apply(&self, counter: u128, data: &mut [u8]) {
        match self {
            Self::Aes128(cipher) => apply(cipher, counter, data),
            Self::Aes192(cipher) => apply(cipher, counter, data),
            Self::Aes256(cipher) => apply(cipher, counter, data),
        }
    }
}

#[inline]
fn apply<C: BlockCipherEncrypt<BlockSize = U16>>(cipher: &C, mut counter: u128, data: &mut [u8]) {
    for part in data.chunks_mut(BLOCKS * BLOCK) {
        let mut room = [Block::<C>::default(); BLOCKS];
        // Not more than there is room for, by the size of the part.
        let Some(stream) = room.get_mut(..part.len().div_ceil(BLOCK)) else { return };
        for block in &mut *stream {
            *block = counter.to_be_bytes().into();
            counter = counter.wrapping_add(1);
        }
        cipher.encrypt_blocks(stream);
        let (whole, rest) = part.as_chunks_mut::<BLOCK>();
        for (bytes, key) in whole.iter_mut().zip(&*stream) {
            *bytes = (u128::from_ne_bytes(*bytes) ^ u128::from_ne_bytes(key.0)).to_ne_bytes();
        }
        if let Some(last) = stream.last() {
            rest.iter_mut().zip(last).for_each(|(byte, key)| *byte ^= key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    /// What a key makes of zeros.
    fn stream(key: &str, counter: &str, length: usize) -> Vec<u8> {
        let counter = u128::from_be_bytes(hex(counter).try_into().unwrap());
        let mut data = vec![0; length];
        KeyStream::new(&hex(key)).unwrap().apply(counter, &mut data);
        data
    }

    #[test]
    fn the_key_streams_are_those_of_rfc_3711_b_2_and_rfc_6188_7() {
        for (key, blocks) in [
            (
                "2b7e151628aed2a6abf7158809cf4f3c",
                [
                    "e03ead0935c95e80e166b16dd92b4eb4",
                    "d23513162b02d0f72a43a2fe4a5f97ab",
                    "ec8cdf7398607cb0f2d21675ea9ea1e4",
                    "6a2cc3787889374fbeb4c81b17ba6c44",
                ],
            ),
            (
                "eab234764e517b2d3d160d587d8c86219740f65f99b6bcf7",
                [
                    "35096cba4610028dc1b57503804ce37c",
                    "5de986291dcce161d5165ec4568f5c9a",
                    "d108d1a31a00bad6367ec23eb044b415",
                    "a5dab625811034e8cebdfeb6dc158dd3",
                ],
            ),
            (
                "57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98",
                [
                    "92bdd28a93c3f52511c677d08b5515a4",
                    "9da71b2378a854f67050756ded165bac",
                    "cea518c90fd91ced9cbb18c078a54711",
                    "6eb246913062a16891433e97dd01a57f",
                ],
            ),
        ] {
            let keys = stream(key, "f0f1f2f3f4f5f6f7f8f9fafbfcfd0000", 0xff02 * BLOCK);
            for (at, block) in [0, 1, 0xfeff, 0xff01].into_iter().zip(blocks) {
                assert_eq!(keys[at * BLOCK..][..BLOCK], hex(block), "{at:#x}");
            }
        }
    }

    #[test]
    fn any_length_gets_the_beginning_of_the_same_stream() {
        for key in [16, 24, 32].map(|length: u8| (0..length).collect::<Vec<_>>()) {
            let cipher = KeyStream::new(&key).unwrap();
            let mut whole = [0; 3 * BLOCKS * BLOCK + 5];
            cipher.apply(u128::MAX - 3, &mut whole);
            for length in 0..whole.len() {
                let mut part = vec![0; length];
                cipher.apply(u128::MAX - 3, &mut part);
                assert_eq!(part, whole[..length], "{length} with a key of {}", key.len());
            }
        }
        for length in [0, 15, 17, 23, 25, 33] {
            assert!(KeyStream::new(&vec![0; length]).is_none());
        }
    }
}
