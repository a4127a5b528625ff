//! WAV files that players take and the decoder does not: G.711 in a short or an extensible `fmt `
//! chunk, lengths that a writer to a pipe never filled in, RF64, notes with wrong lengths inside,
//! `data` before `fmt `.
//!
//! > Where one of these is met the decoder is given a plain header and the samples behind it; every
//! > other file it reads as it is.

use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

/// Chunks that are looked at.
const MOST_CHUNKS: usize = 64;
/// Octets of `fmt `; the extensible form has 40.
const MOST_FORMAT: u64 = 64;
/// A length that stands in `ds64` (EBU Tech 3306), or that a writer to a pipe did not know.
const ELSEWHERE: u32 = u32::MAX;
/// Octets of `ds64` up to the length of `data`, its second one.
const LENGTHS: u64 = 16;
/// Samples that a header can announce: `RIFF`'s length has 32 bits.
const MOST_DATA: u64 = 0xffff_ff00;

const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const EXTENSIBLE: u16 = 0xfffe;
/// What follows the tag in the sub-format of an extensible header (`KSDATAFORMAT_SUBTYPE_…`).
const SUBTYPE: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

/// The source as the decoder can read it, from its beginning.
pub(super) fn readable<'a>(
    mut source: Box<dyn MediaSource + 'a>,
) -> io::Result<Box<dyn MediaSource + 'a>> {
    if !source.is_seekable() {
        return Ok(source);
    }
    // What cannot be read is found out by who decodes.
    let form = Form::of(&mut source).ok().flatten();
    if let Some(form) = form.filter(|form| form.odd) {
        return Ok(Box::new(Plain::new(source, &form)?));
    }
    source.seek(SeekFrom::Start(0))?;
    Ok(source)
}

/// Where things are in a WAV file.
#[derive(Debug, Default)]
struct Form {
    format: Vec<u8>,
    from: u64,
    length: u64,
    odd: bool,
}

impl Form {
    /// `None`: it is none, or it lacks something.
    fn of(source: &mut Box<dyn MediaSource + '_>) -> io::Result<Option<Self>> {
        let end = source.seek(SeekFrom::End(0))?;
        source.seek(SeekFrom::Start(0))?;
        let mut head = [0; 12];
        source.read_exact(&mut head)?;
        let [a, b, c, d, l0, l1, l2, l3, kind @ ..] = head;
        let large = matches!(&[a, b, c, d], b"RF64" | b"BW64");
        if !(large || &[a, b, c, d] == b"RIFF") || &kind != b"WAVE" {
            return Ok(None);
        }
        let whole = u32::from_le_bytes([l0, l1, l2, l3]);
        let unknown = matches!(whole, 0 | ELSEWHERE);
        let mut form = Self { odd: large || whole == 0, ..Self::default() };
        let (mut at, mut data, mut long) = (12, false, None);
        for _ in 0..MOST_CHUNKS {
            let mut chunk = [0; 8];
            source.seek(SeekFrom::Start(at))?;
            source.read_exact(&mut chunk)?;
            let [n0, n1, n2, n3, length @ ..] = chunk;
            let mut length = u64::from(u32::from_le_bytes(length));
            let (from, left) = (at + 8, end.saturating_sub(at + 8));
            match &[n0, n1, n2, n3] {
                b"fmt " if length <= MOST_FORMAT => {
                    form.odd |= data;
                    form.format.resize(usize::try_from(length).unwrap_or(0), 0);
                    source.read_exact(&mut form.format)?;
                }
                b"ds64" if large && length >= LENGTHS => {
                    let mut lengths = [0; LENGTHS as usize];
                    source.read_exact(&mut lengths)?;
                    let [.., d0, d1, d2, d3, d4, d5, d6, d7] = lengths;
                    let told = u64::from_le_bytes([d0, d1, d2, d3, d4, d5, d6, d7]);
                    // A writer to a pipe leaves zeros here.
                    long = Some(told).filter(|told| *told > 0);
                }
                b"data" if !data => {
                    data = true;
                    if large && length == u64::from(ELSEWHERE) {
                        length = long.unwrap_or(left);
                    } else if length == 0 && unknown {
                        form.odd = true;
                        length = left;
                    }
                    form.from = from;
                    form.length = length.min(left);
                }
                // Who made it, and when: nothing that is heard.
                b"LIST" if !data => form.odd = true,
                _ => {}
            }
            if data && !form.format.is_empty() {
                form.simplify();
                return Ok(Some(form));
            }
            // Chunks begin at even places.
            at = from.saturating_add(length).saturating_add(length % 2);
        }
        Ok(None)
    }

    /// G.711 as the decoder has it.
    fn simplify(&mut self) {
        let word = |at: usize| {
            let bytes = self.format.get(at..at + 2)?.try_into().ok()?;
            Some(u16::from_le_bytes(bytes))
        };
        let extended = word(0) == Some(EXTENSIBLE) && self.format.get(26..40) == Some(&SUBTYPE);
        let tag = if extended { word(24) } else { word(0) };
        let short = self.format.len() < 18;
        let Some(tag @ (A_LAW | MU_LAW)) = tag.filter(|_| extended || short) else { return };
        self.format.truncate(16);
        self.format.splice(0..2, tag.to_le_bytes());
        self.format.extend([0, 0]);
        self.odd = true;
    }
}

/// A plain header, and samples of another file.
struct Plain<'a> {
    head: Vec<u8>,
    of: Box<dyn MediaSource + 'a>,
    from: u64,
    end: u64,
    at: u64,
}

impl<'a> Plain<'a> {
    fn new(mut of: Box<dyn MediaSource + 'a>, form: &Form) -> io::Result<Self> {
        let data = form.length.min(MOST_DATA) as u32;
        let format = form.format.len() as u32;
        let mut head = Vec::with_capacity(form.format.len() + 28);
        head.extend(b"RIFF");
        head.extend((20 + format).saturating_add(data).to_le_bytes());
        head.extend(b"WAVEfmt ");
        head.extend(format.to_le_bytes());
        head.extend(&form.format);
        head.extend(b"data");
        head.extend(data.to_le_bytes());
        of.seek(SeekFrom::Start(form.from))?;
        let end = head.len() as u64 + u64::from(data);
        Ok(Self { head, of, from: form.from, end, at: 0 })
    }
}

impl Read for Plain<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = room.len().min(left);
        let room = room.get_mut(..most).unwrap_or_default();
        let begun = usize::try_from(self.at).unwrap_or(usize::MAX);
        let count = match self.head.get(begun..).filter(|head| !head.is_empty()) {
            Some(mut head) => head.read(room)?,
            None => self.of.read(room)?,
        };
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Plain<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let behind = at.saturating_sub(self.head.len() as u64);
        self.of.seek(SeekFrom::Start(self.from.saturating_add(behind)))?;
        self.at = at;
        Ok(at)
    }
}

impl MediaSource for Plain<'_> {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.end)
    }
}
