//! What is read must print, and read again as the same.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use offhook_sip::parse::datagram;

fuzz_target!(|octets: &[u8]| {
    match datagram(Bytes::copy_from_slice(octets)) {
        Ok(message) => assert_eq!(datagram(message.to_bytes()), Ok(message)),
        Err(rejected) => drop(rejected.reply.map(|reply| reply.to_bytes())),
    }
});
