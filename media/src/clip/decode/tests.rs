use std::io::{self, Read, Seek, SeekFrom};

use super::*;
use crate::wav::{Format, to_bytes};

/// A file on a disk that can be read up to a place.
struct Failing {
    file: Cursor<Vec<u8>>,
    good: u64,
}

impl Read for Failing {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        const EIO: i32 = 5;
        let left = self.good.saturating_sub(self.file.position());
        match usize::try_from(left).unwrap().min(room.len()) {
            0 => Err(io::Error::from_raw_os_error(EIO)),
            count => self.file.read(&mut room[..count]),
        }
    }
}

impl Seek for Failing {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl MediaSource for Failing {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.file.get_ref().len() as u64)
    }
}

fn decode(bytes: &[u8], good: u64) -> Result<Clip, ClipError> {
    let file = Cursor::new(bytes.to_vec());
    whole(Decoding::of("a.wav", Box::new(Failing { file, good }), Some("wav"), 60)?)
}

#[test]
fn a_file_that_cannot_be_read_on_is_an_error_and_no_shorter_clip() {
    let bytes = to_bytes(Format::Pcm16, &[5; 100_000]);
    assert_eq!(decode(&bytes, 300_000).unwrap().samples().len(), 100_000);
    for good in [150_000, 60_000, 10, 0] {
        let error = decode(&bytes, good).unwrap_err();
        assert!(matches!(&error, ClipError::Io { source, .. } if source.raw_os_error() == Some(5)));
        assert!(error.to_string().starts_with("a.wav: "), "{error}");
    }
}

#[test]
fn a_file_that_was_cut_gives_what_there_is() {
    let bytes = to_bytes(Format::Pcm16, &[5; 100_000]);
    let clip = decode_bytes("a.wav", bytes[..100_044].to_vec()).unwrap();
    assert!((45_000..=50_000).contains(&clip.samples().len()), "{}", clip.samples().len());
}
