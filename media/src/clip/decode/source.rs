//! What a decoder reads from, which remembers whether the system could read on: decoders make an end
//! of the file, or an unknown format, of such an error.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use symphonia::core::io::MediaSource;

/// The number of the system's last error; 0: there was none.
#[derive(Debug, Clone, Default)]
pub(super) struct Failed(Arc<AtomicI32>);

impl Failed {
    pub(super) fn error(&self) -> Option<io::Error> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            number => Some(io::Error::from_raw_os_error(number)),
        }
    }

    fn note<T>(&self, done: io::Result<T>) -> io::Result<T> {
        done.inspect_err(|error| {
            let number =
                error.raw_os_error().filter(|_| error.kind() != io::ErrorKind::Interrupted);
            if let Some(number) = number {
                self.0.store(number, Ordering::Relaxed);
            }
        })
    }
}

/// A file, or what is like one.
pub(super) struct Source<'a> {
    pub(super) of: Box<dyn MediaSource + 'a>,
    pub(super) failed: Failed,
}

impl Read for Source<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.failed.note(self.of.read(room))
    }
}

impl Seek for Source<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        // Where a file cannot be sought in, it is read from its beginning.
        self.of.seek(to)
    }
}

impl MediaSource for Source<'_> {
    fn is_seekable(&self) -> bool {
        self.of.is_seekable()
    }

    fn byte_len(&self) -> Option<u64> {
        self.of.byte_len()
    }
}
