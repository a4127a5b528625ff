//! HMAC-SHA1 (RFC 2104), the part that its key makes done once and not for each packet.

use sha1_blocks::block_api::compress;

/// Bytes of a key (RFC 3711 §5.2), and of what comes out before it is cut.
pub(super) const HMAC_LEN: usize = 20;
/// Bytes of a block of SHA-1, and what its padding takes at least: a bit and a length.
const BLOCK: usize = 64;
const PADDING: usize = 9;
/// What SHA-1 begins with (FIPS 180-4 §5.3.1).
const BEGIN: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// A key: the two states behind the block that it makes.
pub(super) struct HmacSha1 {
    inner: [u32; 5],
    outer: [u32; 5],
}

impl HmacSha1 {
    pub(super) fn new(key: &[u8; HMAC_LEN]) -> Self {
        let behind = |pad: u8| {
            let mut block = [pad; BLOCK];
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            let mut state = BEGIN;
            compress(&mut state, &[block]);
            state
        };
        Self { inner: behind(0x36), outer: behind(0x5c) }
    }

    /// Of `body` and the few bytes behind it; `None` when those do not fit in a block with their
    /// padding.
    #[inline]
    pub(super) fn sign(&self, body: &[u8], behind: &[u8]) -> Option<[u8; HMAC_LEN]> {
        let mut state = self.inner;
        let (whole, rest) = body.as_chunks::<BLOCK>();
        compress(&mut state, whole);
        let end = rest.len() + behind.len();
        let mut last = [[0; BLOCK]; 2];
        let bytes = last.as_flattened_mut();
        bytes.get_mut(..rest.len())?.copy_from_slice(rest);
        bytes.get_mut(rest.len()..end)?.copy_from_slice(behind);
        *bytes.get_mut(end)? = 0x80;
        let blocks = (end + PADDING).div_ceil(BLOCK);
        let last = last.get_mut(..blocks)?;
        // The block of the key counts.
        put_bits(last.last_mut()?, BLOCK + body.len() + behind.len());
        compress(&mut state, last);

        let mut block = [0; BLOCK];
        let (words, _) = block.as_chunks_mut::<4>();
        words.iter_mut().zip(state).for_each(|(to, word)| *to = word.to_be_bytes());
        *block.get_mut(HMAC_LEN)? = 0x80;
        put_bits(&mut block, BLOCK + HMAC_LEN);
        let mut state = self.outer;
        compress(&mut state, &[block]);
        let mut tag = [0; HMAC_LEN];
        let (words, _) = tag.as_chunks_mut::<4>();
        words.iter_mut().zip(state).for_each(|(to, word)| *to = word.to_be_bytes());
        Some(tag)
    }
}

/// Ends the last block with the length of all, in bits.
#[inline]
fn put_bits(block: &mut [u8; BLOCK], bytes: usize) {
    let (_, end) = block.as_rchunks_mut::<8>();
    if let Some(end) = end.last_mut() {
        *end = (bytes as u64 * 8).to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    #[test]
    fn the_tags_are_those_of_rfc_2202() {
        for (key, data, tag) in [
            (vec![0x0b; 20], b"Hi There".to_vec(), "b617318655057264e28bc0b6fb378c8ef146be00"),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?".to_vec(),
                "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            ),
            (vec![0xaa; 20], vec![0xdd; 50], "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
        ] {
            // A shorter key is one that ends in zeros (RFC 2104 §2).
            let mut whole = [0; HMAC_LEN];
            whole[..key.len()].copy_from_slice(&key);
            let hmac = HmacSha1::new(&whole);
            for cut in 0..5.min(data.len()) {
                let (body, behind) = data.split_at(data.len() - cut);
                assert_eq!(hmac.sign(body, behind).unwrap().to_vec(), hex(tag));
            }
        }
    }

    #[test]
    fn a_tag_of_any_length_is_that_of_the_provider() {
        use rtc_srtp::crypto::{HmacAlgorithm, default_provider};
        let key = [7; HMAC_LEN];
        let ours = HmacSha1::new(&key);
        let provider = default_provider().unwrap();
        let mut theirs = provider.crypto().new_hmac(HmacAlgorithm::Sha1, &key).unwrap();
        for length in 0..400 {
            let data: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let mut tag = [0; HMAC_LEN];
            theirs.sign(&[&data, &[1, 2, 3, 4]], &mut tag).unwrap();
            assert_eq!(ours.sign(&data, &[1, 2, 3, 4]), Some(tag), "{length}");
        }
        assert_eq!(ours.sign(&[0; 63], &[0; 64]), None);
    }
}
