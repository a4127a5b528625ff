//! The packets we send.

use std::time::Instant;

use super::reception::Reception;
use super::xr::Extended;
use super::{EXTENDED_REPORT, GOODBYE, RECEIVER_REPORT, SENDER_REPORT, SOURCE_DESCRIPTION};

const CNAME: u8 = 1;

/// Room for the longest compound we send: SR with one block, CNAME, XR with three, BYE.
pub const MAX_REPORT: usize = 192;

/// What a sender report says of our own stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// Wall clock in NTP format, 32.32 bits.
    pub ntp: u64,
    /// Our RTP timestamp at the same moment.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload octets sent.
    pub octets: u32,
}

/// A buffer that is filled from its start. What does not fit is not written.
struct Room<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Room<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some(room) = self.out.get_mut(self.at..self.at + bytes.len()) {
            room.copy_from_slice(bytes);
            self.at += bytes.len();
        }
    }
}

/// Writes the beginning of a compound: SR when `sender` says what we sent, else RR, then SDES with
/// CNAME (RFC 3550 §6.1). Returns its length.
pub fn write_report(
    now: Instant,
    out: &mut [u8],
    ssrc: u32,
    cname: &[u8; 16],
    sender: Option<SenderInfo>,
    reception: &mut Reception,
) -> usize {
    let mut room = Room { out, at: 0 };
    let block = reception.block(now);
    let kind = if sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
    let words = 1 + if sender.is_some() { 5 } else { 0 } + if block.is_some() { 6 } else { 0 };
    room.put(&[0x80 | u8::from(block.is_some()), kind, 0, words]);
    room.put(&ssrc.to_be_bytes());
    if let Some(info) = sender {
        room.put(&info.ntp.to_be_bytes());
        room.put(&info.timestamp.to_be_bytes());
        room.put(&info.packets.to_be_bytes());
        room.put(&info.octets.to_be_bytes());
    }
    if let Some(block) = block {
        room.put(&block);
    }
    // SDES: SSRC, item header, 16 bytes of name, and zeros up to the word: 4 + 2 + 16 + 2.
    room.put(&[0x81, SOURCE_DESCRIPTION, 0, 6]);
    room.put(&ssrc.to_be_bytes());
    room.put(&[CNAME, 16]);
    room.put(cname);
    room.put(&[0, 0]);
    room.at
}

/// Writes that a source of ours is no more (RFC 3550 §6.6). Returns the length.
pub fn write_bye(out: &mut [u8], ssrc: u32) -> usize {
    let mut room = Room { out, at: 0 };
    room.put(&[0x81, GOODBYE, 0, 1]);
    room.put(&ssrc.to_be_bytes());
    room.at
}

/// Writes an extended report (RFC 3611 §2); nothing when there is nothing to say. Returns the length.
pub fn write_xr(out: &mut [u8], ssrc: u32, report: &Extended) -> usize {
    let length = report.blocks().map(|block| block.as_ref().len()).sum::<usize>();
    let Some(words) = u8::try_from(length / 4 + 1).ok().filter(|_| length > 0) else { return 0 };
    let mut room = Room { out, at: 0 };
    room.put(&[0x80, EXTENDED_REPORT, 0, words]);
    room.put(&ssrc.to_be_bytes());
    for block in report.blocks() {
        room.put(block.as_ref());
    }
    room.at
}
