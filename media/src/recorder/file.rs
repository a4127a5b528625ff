//! The file of a recording, whatever its format.

use std::io;
use std::path::Path;

use crate::ogg::{self, OggWriter};
use crate::wav::{self, Format, Layout, WavWriter};

/// What file a recording becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// WAV with samples kept so.
    Wav(Format),
    /// Opus in Ogg (RFC 7845): 2 kB a second and channel.
    OggOpus,
}

impl FileKind {
    /// How names of such files end.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Wav(_) => "wav",
            Self::OggOpus => "ogg",
        }
    }
}

impl From<Format> for FileKind {
    fn from(format: Format) -> Self {
        Self::Wav(format)
    }
}

/// An open file.
#[derive(Debug)]
pub(super) enum AudioFile {
    Wav(WavWriter),
    Ogg(Box<OggWriter>),
}

impl AudioFile {
    pub(super) fn create(path: &Path, kind: FileKind, channels: u16) -> io::Result<Self> {
        Ok(match kind {
            FileKind::Wav(format) => {
                Self::Wav(WavWriter::create(path, Layout { format, channels })?)
            }
            FileKind::OggOpus => Self::Ogg(Box::new(OggWriter::create(path, channels)?)),
        })
    }

    /// Samples of each channel.
    pub(super) fn samples(&self) -> u64 {
        match self {
            Self::Wav(file) => file.samples(),
            Self::Ogg(file) => file.samples(),
        }
    }

    pub(super) fn append(&mut self, samples: &[i16]) -> io::Result<()> {
        match self {
            Self::Wav(file) => file.append(samples),
            Self::Ogg(file) => file.append(samples),
        }
    }

    /// Completes the file and waits until the disk has it; gives the samples of each channel.
    pub(super) fn finish(self) -> io::Result<u64> {
        match self {
            Self::Wav(file) => file.finish(),
            Self::Ogg(file) => file.finish(),
        }
    }
}

/// Makes a file whole that a killed program left: see [`wav::repair`]. Of Opus in Ogg a second and a
/// half may be lost, of WAV half a second. Gives the samples of each channel, 8000 a second.
///
/// # Errors
/// `InvalidData` when the file is no recording of ours; else what the file system says.
pub fn repair(path: &Path) -> io::Result<u64> {
    match wav::repair(path) {
        Ok(info) => Ok(info.samples),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => ogg::repair(path),
        Err(error) => Err(error),
    }
}
