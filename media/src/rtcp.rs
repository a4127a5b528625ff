//! RTCP (RFC 3550 §6): our own reports to each leg, and what the peer's say of us; and the extended
//! reports of RFC 3611 for a peer that asks for them.

mod losses;
mod read;
mod reception;
mod schedule;
#[cfg(test)]
mod tests;
mod write;
mod xr;

pub use self::losses::Losses;
pub use self::read::{Feedback, receive};
pub use self::reception::Reception;
pub use self::schedule::Schedule;
pub use self::write::{MAX_REPORT, SenderInfo, write_bye, write_report, write_xr};
pub use self::xr::{Extended, VoipMetrics, Wishes};

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const EXTENDED_REPORT: u8 = 207;

/// A duration in units of 1/65536 s, as in LSR and DLSR.
pub(crate) fn short_ntp(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_micros() * 65_536 / 1_000_000).unwrap_or(u32::MAX)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}
