//! Pages of an Ogg stream (RFC 3533 §6).

use std::fs::File;
use std::io;

/// Flags of a page: the stream's first, and its last.
const FIRST: u8 = 2;
pub(super) const LAST: u8 = 4;
/// Bytes before the segment table.
const HEAD: usize = 27;
/// The longest page: every segment full.
const MAX_PAGE: usize = HEAD + 255 + 255 * 255;

/// One page. Packets end in the page in which they begin.
#[derive(Debug, Default, Clone)]
pub(super) struct Page {
    pub(super) flags: u8,
    granule: u64,
    serial: u32,
    sequence: u32,
    segments: Vec<u8>,
    body: Vec<u8>,
    packets: usize,
}

impl Page {
    /// Adds a packet: its length in segments of 255 bytes and a shorter one.
    pub(super) fn push(&mut self, packet: &[u8]) {
        self.segments.extend(std::iter::repeat_n(255, packet.len() / 255));
        self.segments.push((packet.len() % 255) as u8);
        self.body.extend_from_slice(packet);
        self.packets += 1;
    }

    /// Packets in it.
    pub(super) fn packets(&self) -> usize {
        self.packets
    }

    /// Gives it its place in the stream.
    pub(super) fn number(&mut self, serial: u32, sequence: u32, granule: u64) {
        self.flags = if sequence == 0 { FIRST } else { 0 };
        (self.serial, self.sequence, self.granule) = (serial, sequence, granule);
    }

    /// The stream ends here, at this position.
    pub(super) fn mark_last(&mut self, granule: u64) {
        self.flags |= LAST;
        self.granule = granule;
    }

    /// Samples at 48 kHz up to its end.
    pub(super) fn granule(&self) -> u64 {
        self.granule
    }

    /// The packets, one after the other.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Its length in the file.
    pub(super) fn length(&self) -> u64 {
        (HEAD + self.segments.len() + self.body.len()) as u64
    }

    /// As it stands in the file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.segments.len() + self.body.len());
        bytes.extend(b"OggS\0");
        bytes.push(self.flags);
        bytes.extend(self.granule.to_le_bytes());
        bytes.extend(self.serial.to_le_bytes());
        bytes.extend(self.sequence.to_le_bytes());
        bytes.extend([0; 4]);
        // At most 255: a second of packets.
        bytes.push(self.segments.len() as u8);
        bytes.extend(&self.segments);
        bytes.extend(&self.body);
        let sum = checksum(&bytes).to_le_bytes();
        if let Some(place) = bytes.get_mut(22..26) {
            place.copy_from_slice(&sum);
        }
        bytes
    }

    /// The page at the beginning of these bytes, if it is whole.
    fn read(bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(..HEAD)?;
        let table = bytes.get(HEAD..HEAD + usize::from(*head.get(26)?))?;
        let start = HEAD + table.len();
        let length: usize = table.iter().map(|n| usize::from(*n)).sum();
        let page = Self {
            flags: *head.get(5)?,
            granule: u64::from_le_bytes(head.get(6..14)?.try_into().ok()?),
            serial: u32::from_le_bytes(head.get(14..18)?.try_into().ok()?),
            sequence: u32::from_le_bytes(head.get(18..22)?.try_into().ok()?),
            segments: table.to_vec(),
            body: bytes.get(start..start + length)?.to_vec(),
            packets: table.iter().filter(|n| **n < 255).count(),
        };
        // The checksum is over everything, so that all is as we wrote it.
        bytes.starts_with(&page.bytes()).then_some(page)
    }
}

/// Reads whole pages from the beginning of a file.
pub(super) struct Scan<'a> {
    file: &'a File,
    at: u64,
}

impl<'a> Scan<'a> {
    pub(super) fn new(file: &'a File) -> io::Result<Self> {
        Ok(Self { file, at: 0 })
    }

    /// Where the next page begins.
    pub(super) fn position(&self) -> u64 {
        self.at
    }

    /// `None`: there is no whole page any more.
    pub(super) fn next_page(&mut self) -> io::Result<Option<Page>> {
        let mut bytes = vec![0; MAX_PAGE];
        let had = crate::wav::read_at_most(self.file, &mut bytes, self.at)?;
        bytes.truncate(had);
        let page = Page::read(&bytes);
        if let Some(page) = &page {
            self.at += page.length();
        }
        Ok(page)
    }
}

/// The sum of RFC 3533 §6: polynomial 0x04c11db7, nothing reflected, begins and ends with zero.
fn checksum(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut sum = (i as u32) << 24;
            let mut bit = 0;
            while bit < 8 {
                sum = if sum & 0x8000_0000 != 0 { (sum << 1) ^ 0x04c1_1db7 } else { sum << 1 };
                bit += 1;
            }
            table[i] = sum;
            i += 1;
        }
        table
    };
    bytes.iter().fold(0, |sum, byte| {
        let index = ((sum >> 24) ^ u32::from(*byte)) & 0xff;
        (sum << 8) ^ TABLE.get(index as usize).copied().unwrap_or_default()
    })
}
