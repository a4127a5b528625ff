//! Ogg Opus files (RFC 7845) that are right at every instant, even after `kill -9`.
//!
//! A page is written each second, whole, behind those that are there; nothing that was written is
//! changed but by the end. Two channels are two Opus streams without coupling, so that nothing one
//! party says is heard on the other's side: coding them as a stereo pair would mix them.

mod page;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use opus_pure::{Application, MAX_PACKET_BYTES, OpusEncoder, Repacketizer};

use self::page::{LAST, Page, Scan};
use crate::wav::RATE;

/// Samples of a packet: 20 ms.
const FRAME: usize = RATE as usize / 50;
/// Packets of a page: a second, the longest that RFC 7845 §6 wants.
const PACKETS: usize = 50;
/// Granule positions count at 48 kHz whatever the input was (RFC 7845 §4).
const TICKS: u64 = 48_000 / RATE as u64;
/// Of a voice: transparent for the telephone band.
const BITRATE: i32 = 16_000;
/// Half of the way to the best, as for calls.
const COMPLEXITY: i32 = 5;

/// An open recording.
pub(crate) struct OggWriter {
    file: File,
    channels: usize,
    encoders: Vec<OpusEncoder>,
    framer: Repacketizer,
    serial: u32,
    sequence: u32,
    /// Bytes of the file that are whole pages.
    length: u64,
    /// The last page with audio, and where it begins: the end is marked in it.
    last: Option<(u64, Page)>,
    /// What is in the file.
    coded: u64,
    /// The page that is being filled.
    page: Page,
    /// Samples that fill no packet yet, of the channels in turn.
    rest: Vec<i16>,
    /// Samples of each channel taken, and of those the ones in written pages.
    taken: u64,
    written: u64,
    pre_skip: u16,
    packet: Vec<u8>,
}

impl std::fmt::Debug for OggWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OggWriter").field("taken", &self.taken).finish_non_exhaustive()
    }
}

fn encoder() -> io::Result<OpusEncoder> {
    let mut encoder = OpusEncoder::new(RATE.cast_signed(), 1, Application::Voip)
        .map_err(|error| io::Error::other(error.to_string()))?;
    encoder.bitrate_bps = BITRATE;
    encoder.complexity = COMPLEXITY;
    Ok(encoder)
}

impl OggWriter {
    /// Creates the file, which must not exist, with the two headers.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn create(path: &Path, channels: u16) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        let encoders = (0..channels).map(|_| encoder()).collect::<io::Result<Vec<_>>>()?;
        let lookahead = encoders.first().map_or(0, OpusEncoder::lookahead) as u64 * TICKS;
        let pre_skip = u16::try_from(lookahead).unwrap_or(u16::MAX);
        let mut writer = Self {
            file,
            channels: usize::from(channels),
            encoders,
            framer: Repacketizer::new(),
            serial: rand::random(),
            sequence: 0,
            length: 0,
            last: None,
            coded: 0,
            page: Page::default(),
            rest: Vec::new(),
            taken: 0,
            written: 0,
            pre_skip,
            packet: vec![0; MAX_PACKET_BYTES],
        };
        // RFC 7845 §3: each header on pages of its own.
        writer.page.push(&head(channels, pre_skip));
        writer.write_page(0)?;
        writer.page.push(&tags());
        writer.write_page(0)?;
        writer.last = None;
        Ok(writer)
    }

    /// Samples of each channel that were taken; up to a second of them is not in the file yet.
    pub(crate) fn samples(&self) -> u64 {
        self.taken
    }

    /// Appends audio, samples of the channels in turn.
    ///
    /// # Errors
    /// What the file system says; the file stays as it was.
    pub(crate) fn append(&mut self, samples: &[i16]) -> io::Result<()> {
        self.rest.extend_from_slice(samples);
        self.taken += (samples.len() / self.channels) as u64;
        let mut rest = std::mem::take(&mut self.rest);
        let whole = rest.len() - rest.len() % (FRAME * self.channels);
        let mut result = Ok(());
        for frame in rest.get(..whole).unwrap_or_default().chunks(FRAME * self.channels) {
            result = result.and_then(|()| self.code(frame));
        }
        rest.drain(..whole);
        self.rest = rest;
        result
    }

    /// Codes 20 ms; a full page is written.
    fn code(&mut self, frame: &[i16]) -> io::Result<()> {
        let failed = |error: opus_pure::Error| io::Error::other(error.to_string());
        let mut whole = Vec::new();
        let last = self.channels - 1;
        for (channel, encoder) in self.encoders.iter_mut().enumerate() {
            let one: Vec<i16> =
                frame.iter().skip(channel).step_by(self.channels).copied().collect();
            let length = encoder.encode_s16(&one, FRAME, &mut self.packet).map_err(failed)?;
            let coded = self.packet.get(..length).unwrap_or_default();
            if channel == last {
                whole.extend_from_slice(coded);
            } else {
                // All but the last stream tell their length (RFC 6716 appendix B).
                self.framer.clear();
                self.framer.cat(coded).map_err(failed)?;
                self.framer.out_self_delimited_into(&mut whole).map_err(failed)?;
            }
        }
        self.page.push(&whole);
        self.coded += FRAME as u64;
        if self.page.packets() >= PACKETS {
            self.write_page(self.coded * TICKS)?;
            self.written = self.coded.saturating_sub(u64::from(self.pre_skip) / TICKS);
        }
        Ok(())
    }

    /// Writes the page behind the others. `granule`: samples at 48 kHz up to its end.
    fn write_page(&mut self, granule: u64) -> io::Result<()> {
        let mut page = std::mem::take(&mut self.page);
        page.number(self.serial, self.sequence, granule);
        self.file.write_all_at(&page.bytes(), self.length)?;
        self.sequence += 1;
        let at = self.length;
        self.length += page.length();
        self.last = Some((at, page));
        Ok(())
    }

    /// Writes what is left, marks the end and waits until the disk has it. Gives the samples of each
    /// channel that the file holds.
    ///
    /// # Errors
    /// What the file system says. A last page that finds no room leaves the pages before it, with
    /// the end marked in them.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        let total = self.taken;
        let rest = self.write_rest();
        if rest.is_ok() {
            self.written = total;
        }
        // A page that was cut by a full disk is none.
        self.file.set_len(self.length)?;
        if let Some((at, page)) = &mut self.last {
            page.mark_last(u64::from(self.pre_skip) + self.written * TICKS);
            // In place: needs no room.
            self.file.write_all_at(&page.bytes(), *at)?;
        }
        self.file.sync_all()?;
        rest.map(|()| self.written)
    }

    /// The encoder is behind its input: as much silence as that brings out the last words.
    fn write_rest(&mut self) -> io::Result<()> {
        let lag = u64::from(self.pre_skip) / TICKS;
        let whole = (self.taken + lag).div_ceil(FRAME as u64) * FRAME as u64;
        let silence = (whole - self.taken) as usize * self.channels;
        if self.taken == 0 {
            return Ok(());
        }
        self.append(&vec![0; silence])?;
        if self.page.packets() > 0 {
            self.write_page(self.coded * TICKS)?;
        }
        Ok(())
    }
}

/// The identification header (RFC 7845 §5.1).
fn head(channels: u16, pre_skip: u16) -> Vec<u8> {
    let mut head = b"OpusHead\x01".to_vec();
    // A channel each, 1 or 2 of them.
    let count = channels as u8;
    head.push(count);
    head.extend(pre_skip.to_le_bytes());
    head.extend(RATE.to_le_bytes());
    head.extend(0u16.to_le_bytes());
    if count == 1 {
        head.push(0);
    } else {
        // Family 1 (§5.1.1.2): left and right; as many streams, none coupled, each to its channel.
        head.extend([1, count, 0]);
        head.extend(0..count);
    }
    head
}

/// The comment header (RFC 7845 §5.2): who wrote it, and nothing more.
fn tags() -> Vec<u8> {
    let vendor = b"Offhook";
    let mut tags = b"OpusTags".to_vec();
    tags.extend((vendor.len() as u32).to_le_bytes());
    tags.extend(vendor);
    tags.extend(0u32.to_le_bytes());
    tags
}

/// Cuts the file after its last whole page and marks the end there. Gives the samples of each
/// channel, 8000 a second.
///
/// # Errors
/// `InvalidData` when the file is no recording of ours; else what the file system says.
pub(crate) fn repair(path: &Path) -> io::Result<u64> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut scan = Scan::new(&file)?;
    let foreign = || io::Error::new(io::ErrorKind::InvalidData, "not a recording of ours");
    let first = scan.next_page()?.ok_or_else(foreign)?;
    let head = first.body();
    let pre_skip = match (head.get(..9), head.get(10..12)) {
        (Some(b"OpusHead\x01"), Some(&[low, high])) => u16::from_le_bytes([low, high]),
        _ => return Err(foreign()),
    };
    let mut last = None;
    let mut at = scan.position();
    while let Some(page) = scan.next_page()? {
        if page.granule() > 0 {
            last = Some((at, page));
        }
        at = scan.position();
    }
    file.set_len(at)?;
    let Some((at, mut page)) = last else { return Ok(0) };
    let granule = page.granule();
    page.flags |= LAST;
    file.write_all_at(&page.bytes(), at)?;
    file.sync_all()?;
    Ok(granule.saturating_sub(u64::from(pre_skip)) / TICKS)
}

#[cfg(test)]
mod tests;
