//! The `ETag` of an object. S3 gives the MD5 of what was written in one piece; of what came in parts the
//! tag is another, told by its `-` and the number of parts (API Reference, "Object"). A large object is
//! taken for one in parts: reading all of it for its tag would keep a disk busy, and whoever asks for a
//! part of it would pay for all. The line is where the AWS CLI has it (`multipart_threshold`, 8 MB), and
//! lies above what a state can put (256 KiB).

use std::io::{self, Read};

use jiff::Timestamp;
use md5::{Digest as _, Md5};

use super::blobs::BlobInfo;

/// Objects below this were written in one piece, and parts have as much.
pub(super) const ONE_PIECE: u64 = 8 * 1024 * 1024;

/// Of an object with these bytes, which are all of it.
pub(super) fn of(info: BlobInfo, bytes: &[u8]) -> String {
    match info.size >= ONE_PIECE {
        true => of_parts(info),
        false => format!("\"{}\"", hex(&Md5::digest(bytes))),
    }
}

/// The same of what is read from its beginning, without holding it.
pub(super) fn of_read(info: BlobInfo, from: &mut impl Read) -> io::Result<String> {
    if info.size >= ONE_PIECE {
        return Ok(of_parts(info));
    }
    let mut digest = Md5::new();
    let mut piece = vec![0; 64 * 1024];
    let mut from = from.take(info.size);
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(format!("\"{}\"", hex(&digest.finalize()))),
            read => digest.update(&piece[..read]),
        }
    }
}

pub(super) fn of_parts(BlobInfo { size, modified }: BlobInfo) -> String {
    let told = format!("{size}/{}", Timestamp::as_nanosecond(modified));
    format!("\"{}-{}\"", hex(&Md5::digest(told)), size.div_ceil(ONE_PIECE))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
