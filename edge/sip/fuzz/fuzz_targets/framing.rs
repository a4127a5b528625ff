//! The first octet says how the rest is cut; however it is, the same messages come out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_sip::framing::{FramingError, StreamItem, StreamParser};

fn read(octets: &[u8], size: usize) -> (Vec<StreamItem>, Option<FramingError>) {
    let mut parser = StreamParser::default();
    let mut found = Vec::new();
    for chunk in octets.chunks(size.max(1)) {
        parser.push(chunk);
        loop {
            match parser.next() {
                Ok(Some(StreamItem::KeepAlivePing | StreamItem::KeepAlivePong)) => {}
                Ok(Some(item)) => found.push(item),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

fuzz_target!(|octets: &[u8]| {
    if let Some((size, rest)) = octets.split_first() {
        assert_eq!(read(rest, rest.len()), read(rest, usize::from(*size)));
    }
});
