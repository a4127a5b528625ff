//! WAV files that are right at every instant, even after `kill -9`.
//!
//! The header is written first, audio is appended, and only then the lengths in the header are
//! raised: what the header promises is always there. What came after the last raise is won back by
//! [`repair`].

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::g711::Law;

/// Samples in a second; all our files are telephone audio.
pub const RATE: u32 = 8000;
/// Bytes of audio that fit a RIFF file with its 32-bit lengths.
const MAX_DATA: u64 = u32::MAX as u64 - 1024;

/// How samples are kept in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// 16-bit linear, 16 kB a second.
    Pcm16,
    /// G.711 µ-law, 8 kB a second.
    Pcmu,
    /// G.711 A-law, 8 kB a second.
    Pcma,
}

impl Format {
    /// The tag of the `fmt ` chunk.
    const fn tag(self) -> u16 {
        match self {
            Self::Pcm16 => 1,
            Self::Pcma => 6,
            Self::Pcmu => 7,
        }
    }

    /// Bytes of one sample.
    const fn sample_bytes(self) -> u16 {
        match self {
            Self::Pcm16 => 2,
            Self::Pcmu | Self::Pcma => 1,
        }
    }

    /// The format with this `fmt ` tag and width.
    fn of(tag: u16, bits: u16) -> Option<Self> {
        match (tag, bits) {
            (1, 16) => Some(Self::Pcm16),
            (6, 8) => Some(Self::Pcma),
            (7, 8) => Some(Self::Pcmu),
            _ => None,
        }
    }

    fn encode(self, samples: &[i16], into: &mut Vec<u8>) {
        match self {
            Self::Pcm16 => into.extend(samples.iter().flat_map(|sample| sample.to_le_bytes())),
            Self::Pcmu => into.extend(samples.iter().map(|s| Law::Mu.encode(*s))),
            Self::Pcma => into.extend(samples.iter().map(|s| Law::A.encode(*s))),
        }
    }
}

/// Samples of so many channels side by side: what a header says of the audio after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Layout {
    /// How samples are kept.
    pub format: Format,
    /// 1, or 2: left and right.
    pub channels: u16,
}

impl From<Format> for Layout {
    fn from(format: Format) -> Self {
        Self { format, channels: 1 }
    }
}

impl Layout {
    /// Every file that we write.
    fn all() -> impl Iterator<Item = Self> {
        let formats = [Format::Pcm16, Format::Pcmu, Format::Pcma];
        formats.into_iter().flat_map(|format| [1, 2].map(|channels| Self { format, channels }))
    }

    /// Bytes before the first sample.
    const fn header_len(self) -> usize {
        match self.format {
            Format::Pcm16 => 44,
            Format::Pcmu | Format::Pcma => 58,
        }
    }

    /// Bytes of one sample of every channel.
    const fn block(self) -> u16 {
        self.format.sample_bytes() * self.channels
    }

    /// The whole header for `data` bytes of audio.
    fn header(self, data: u32) -> Vec<u8> {
        self.header_at(RATE, data)
    }

    fn header_at(self, rate: u32, data: u32) -> Vec<u8> {
        let (width, block) = (self.format.sample_bytes(), self.block());
        let mut header = Vec::with_capacity(self.header_len());
        let riff = self.header_len() as u32 - 8 + data + (data & 1);
        header.extend(b"RIFF");
        header.extend(riff.to_le_bytes());
        header.extend(b"WAVEfmt ");
        // A format other than PCM has an extension length in `fmt ` and a `fact` chunk.
        header.extend(if width == 2 { 16u32 } else { 18 }.to_le_bytes());
        header.extend(self.format.tag().to_le_bytes());
        header.extend(self.channels.to_le_bytes());
        header.extend(rate.to_le_bytes());
        header.extend((rate * u32::from(block)).to_le_bytes());
        header.extend(block.to_le_bytes());
        header.extend((width * 8).to_le_bytes());
        if width == 1 {
            header.extend(0u16.to_le_bytes());
            header.extend(b"fact");
            header.extend(4u32.to_le_bytes());
            // Samples of one channel.
            header.extend((data / u32::from(block)).to_le_bytes());
        }
        header.extend(b"data");
        header.extend(data.to_le_bytes());
        header
    }
}

/// A whole WAV file of one channel in memory.
#[must_use]
pub fn to_bytes(format: Format, samples: &[i16]) -> Vec<u8> {
    to_bytes_at(RATE, format, samples)
}

/// The same for audio of another rate.
#[must_use]
pub fn to_bytes_at(rate: u32, format: Format, samples: &[i16]) -> Vec<u8> {
    let mut audio = Vec::new();
    format.encode(samples, &mut audio);
    let data = u32::try_from(audio.len()).unwrap_or(u32::MAX);
    let mut file = Layout::from(format).header_at(rate, data);
    file.append(&mut audio);
    if file.len() % 2 == 1 {
        file.push(0);
    }
    file
}

/// An open recording.
#[derive(Debug)]
pub struct WavWriter {
    file: File,
    layout: Layout,
    /// Bytes of audio in the file.
    data: u64,
    scratch: Vec<u8>,
}

impl WavWriter {
    /// Creates the file, which must not exist, with a header that promises nothing yet.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(path: &Path, layout: impl Into<Layout>) -> io::Result<Self> {
        Self::on(OpenOptions::new().read(true).write(true).create_new(true).open(path)?, layout)
    }

    pub(crate) fn on(file: File, layout: impl Into<Layout>) -> io::Result<Self> {
        let layout = layout.into();
        file.write_all_at(&layout.header(0), 0)?;
        Ok(Self { file, layout, data: 0, scratch: Vec::new() })
    }

    /// A writer whose every append fails.
    #[cfg(test)]
    pub(crate) fn failing_after_header(path: &Path, format: Format) -> io::Result<Self> {
        let writer = Self::create(path, format)?;
        Ok(Self { file: File::open(path)?, ..writer })
    }

    /// Samples of each channel in the file.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.data / u64::from(self.layout.block())
    }

    /// Appends audio, samples of the channels in turn, then raises the lengths in the header.
    ///
    /// # Errors
    /// What the file system says; the file stays as it was before. A file of 4 GB is full.
    pub fn append(&mut self, samples: &[i16]) -> io::Result<()> {
        self.scratch.clear();
        self.layout.format.encode(samples, &mut self.scratch);
        let end = self.data + self.scratch.len() as u64;
        if end > MAX_DATA {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the WAV file is full"));
        }
        self.file.write_all_at(&self.scratch, self.layout.header_len() as u64 + self.data)?;
        self.file.write_all_at(&self.layout.header(end as u32), 0)?;
        self.data = end;
        Ok(())
    }

    /// Pads the file to an even length and waits until the disk has it. Gives the number of samples.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(self) -> io::Result<u64> {
        let end = self.layout.header_len() as u64 + self.data;
        if self.data % 2 == 1 {
            self.file.write_all_at(&[0], end)?;
        }
        // A failed append may have left audio behind that the header does not promise.
        self.file.set_len(end + self.data % 2)?;
        self.file.sync_all()?;
        Ok(self.samples())
    }
}

/// What a header of ours says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WavInfo {
    /// How samples are kept.
    pub layout: Layout,
    /// Number of samples of each channel, 8000 a second.
    pub samples: u64,
}

/// Makes the lengths in the header fit the audio that is there: after `kill -9` some audio may lie
/// behind the promised end, and a broken disk may have cut the file. A file cut inside its header
/// becomes an empty recording. Only files of this module are touched.
///
/// # Errors
/// `InvalidData` when the file is no recording of ours; else what the file system says.
pub fn repair(path: &Path) -> io::Result<WavInfo> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let len = file.metadata()?.len();
    let mut head = [0; 58];
    let had = read_at_most(&file, &mut head, 0)?;
    let head = head.get(..had).unwrap_or_default();
    let Some((layout, promised)) = read_header(head) else {
        return repair_cut_header(&file, head);
    };
    let start = layout.header_len() as u64;
    let mut data = len.saturating_sub(start).min(MAX_DATA);
    data -= data % u64::from(layout.block());
    if data == promised + 1 && promised % 2 == 1 {
        // One byte more than an odd length is the padding of a finished file.
        data = promised;
    }
    file.set_len(start + data)?;
    file.write_all_at(&layout.header(data as u32), 0)?;
    let writer = WavWriter { file, layout, data, scratch: Vec::new() };
    Ok(WavInfo { layout, samples: writer.finish()? })
}

/// The file ends before its first sample: no audio is lost by writing the header anew.
fn repair_cut_header(file: &File, head: &[u8]) -> io::Result<WavInfo> {
    let layout = Layout::all()
        .find(|layout| is_beginning(head, &layout.header(0)))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a recording of ours"))?;
    let writer = WavWriter::on(file.try_clone()?, layout)?;
    Ok(WavInfo { layout, samples: writer.finish()? })
}

/// Compares but for the length of the RIFF chunk.
fn is_beginning(head: &[u8], header: &[u8]) -> bool {
    head.len() < header.len()
        && head
            .iter()
            .zip(header)
            .enumerate()
            .all(|(i, (a, b))| a == b || (4..8).contains(&i) || i >= 40)
}

/// Fills `into` from the file as far as there is something at and behind `from`.
pub(crate) fn read_at_most(file: &File, into: &mut [u8], from: u64) -> io::Result<usize> {
    let mut had = 0;
    while let Some(rest) = into.get_mut(had..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, from + had as u64) {
            Ok(0) => break,
            Ok(n) => had += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(had)
}

/// What the header says and promised bytes of audio, when `head` begins with a whole one of ours.
fn read_header(head: &[u8]) -> Option<(Layout, u64)> {
    let tag = u16::from_le_bytes(head.get(20..22)?.try_into().ok()?);
    let channels = u16::from_le_bytes(head.get(22..24)?.try_into().ok()?);
    let bits = u16::from_le_bytes(head.get(34..36)?.try_into().ok()?);
    let format = Format::of(tag, bits).filter(|_| matches!(channels, 1 | 2))?;
    let layout = Layout { format, channels };
    let head = head.get(..layout.header_len())?;
    let length = head.get(layout.header_len() - 4..)?;
    let data = u32::from_le_bytes(length.try_into().ok()?);
    // All but the three lengths must be as we write them.
    let mut same = layout.header(data);
    same.get_mut(4..8)?.copy_from_slice(head.get(4..8)?);
    if format.sample_bytes() == 1 {
        same.get_mut(46..50)?.copy_from_slice(head.get(46..50)?);
    }
    (same == head).then_some((layout, u64::from(data)))
}

#[cfg(test)]
#[path = "wav/tests.rs"]
mod tests;
