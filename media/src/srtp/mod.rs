//! SRTP with keys from SDES (RFC 3711, RFC 4568, RFC 6188), in place: no packet is copied.

mod cipher;
mod keys;
#[cfg(test)]
mod tests;
mod window;

use std::ops::Range;

pub use keys::{MAX_MKI, SrtpKey, SrtpKeyError, SrtpKeys, SrtpSuite};

use crate::rtp;
use cipher::Cipher;
use window::Window;

/// Sources kept per direction, each with its counters: those of the peer that proved themselves, and
/// our own.
const MAX_SOURCES: usize = 4;

/// Packets that failed in a row, after which the key is called wrong.
const FAILURES_TOLD: u32 = 10;

/// The last SRTCP index of a key (RFC 3711 §9.2).
const LAST_RTCP_INDEX: u32 = 0x7fff_ffff;

/// Protects and unprotects the packets of one leg.
pub struct SrtpSession {
    keys: SrtpKeys,
    tx: Cipher,
    sent: Sources,
    rtcp_sent: u32,
    rx: Cipher,
    heard: Sources,
    failures_in_a_row: u32,
    failure_told: bool,
}

/// What became of a protected packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unprotected {
    /// Authentic: the packet is now plain and this long.
    Plain(usize),
    /// Forged, replayed, or made with another key. `tell`: so many in a row that the key must be
    /// wrong, and this was not told before.
    Refused {
        /// Whether to tell the owner.
        tell: bool,
    },
}

impl SrtpSession {
    /// A session with fresh counters. `None` when the crypto provider refuses, which it does not
    /// for keys of the right length.
    pub fn new(keys: SrtpKeys) -> Option<Self> {
        Some(Self {
            tx: Cipher::new(&keys.tx)?,
            sent: Sources::default(),
            rtcp_sent: 0,
            rx: Cipher::new(&keys.rx)?,
            heard: Sources::default(),
            keys,
            failures_in_a_row: 0,
            failure_told: false,
        })
    }

    /// The keys in use.
    pub fn keys(&self) -> &SrtpKeys {
        &self.keys
    }

    /// Takes the keys of a new offer and answer. A direction whose key stays keeps its rollover
    /// counter and replay window (RFC 4568 §7.1.4). `None` as in [`Self::new`].
    pub fn rekey(&mut self, keys: SrtpKeys) -> Option<()> {
        if keys.tx != self.keys.tx {
            self.tx = Cipher::new(&keys.tx)?;
            self.sent = Sources::default();
            self.rtcp_sent = 0;
        }
        if keys.rx != self.keys.rx {
            self.rx = Cipher::new(&keys.rx)?;
            self.heard = Sources::default();
            self.failures_in_a_row = 0;
            self.failure_told = false;
        }
        self.keys = keys;
        Some(())
    }

    /// Encrypts an RTP packet of ours in `buffer[at]`. Returns where it lies now: same start, longer
    /// by the tag. `None` when there is no room, or when the number was used before: a keystream is
    /// never used twice (RFC 3711 §9.1).
    #[inline]
    pub fn protect_rtp(&mut self, buffer: &mut [u8], at: Range<usize>) -> Option<Range<usize>> {
        let packet = buffer.get(at.clone())?;
        let (ssrc, sequence) = (rtp::peek_ssrc(packet)?, rtp::peek_sequence(packet)?);
        let window = self.sent.of(ssrc).rtp;
        let index = window.index_of(sequence);
        if !window.admits(index) {
            return None;
        }
        let end = at.end + self.tx.rtp_overhead();
        self.tx.seal_rtp(ssrc, index, buffer.get_mut(at.start..end)?)?;
        self.sent.entry(ssrc).rtp.accept(index);
        Some(at.start..end)
    }

    /// Encrypts an RTCP compound of ours in `buffer[..length]`. Returns its new length.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        if self.rtcp_sent >= LAST_RTCP_INDEX {
            return None;
        }
        let end = length + self.tx.rtcp_overhead();
        self.tx.seal_rtcp(self.rtcp_sent + 1, buffer.get_mut(..end)?)?;
        self.rtcp_sent += 1;
        Some(end)
    }

    /// Decrypts an RTP packet of the peer in place.
    #[inline]
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Unprotected {
        let length = self.open_rtp(packet);
        self.judge(length)
    }

    #[inline]
    fn open_rtp(&mut self, packet: &mut [u8]) -> Option<usize> {
        let (ssrc, sequence) = (rtp::peek_ssrc(packet)?, rtp::peek_sequence(packet)?);
        // Nothing is kept of a source before one of its packets was authentic.
        let window = self.heard.of(ssrc).rtp;
        let index = window.index_of(sequence);
        if !window.admits(index) {
            return None;
        }
        let length = self.rx.open_rtp(ssrc, index, packet)?;
        self.heard.entry(ssrc).rtp.accept(index);
        Some(length)
    }

    /// Decrypts an RTCP compound of the peer in place.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Unprotected {
        let length = self.open_rtcp(packet);
        self.judge(length)
    }

    fn open_rtcp(&mut self, packet: &mut [u8]) -> Option<usize> {
        let ssrc = u32::from_be_bytes(packet.get(4..8)?.try_into().ok()?);
        let index = self.rx.rtcp_index(packet)?;
        if !self.heard.of(ssrc).rtcp.admits(index) {
            return None;
        }
        let length = self.rx.open_rtcp(ssrc, packet)?;
        self.heard.entry(ssrc).rtcp.accept(index);
        Some(length)
    }

    #[inline]
    fn judge(&mut self, length: Option<usize>) -> Unprotected {
        if let Some(length) = length {
            self.failures_in_a_row = 0;
            return Unprotected::Plain(length);
        }
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        let tell = self.failures_in_a_row >= FAILURES_TOLD && !self.failure_told;
        self.failure_told |= tell;
        Unprotected::Refused { tell }
    }
}

/// The counters of a few SSRCs; the one met first makes room.
#[derive(Debug, Default)]
struct Sources(Vec<Source>);

#[derive(Debug, Clone, Copy, Default)]
struct Source {
    ssrc: u32,
    rtp: Window,
    rtcp: Window,
}

impl Sources {
    #[inline]
    fn of(&self, ssrc: u32) -> Source {
        let known = self.0.iter().find(|source| source.ssrc == ssrc);
        known.copied().unwrap_or(Source { ssrc, ..Source::default() })
    }

    #[inline]
    fn entry(&mut self, ssrc: u32) -> &mut Source {
        let at = self.0.iter().position(|source| source.ssrc == ssrc).unwrap_or_else(|| {
            if self.0.len() >= MAX_SOURCES {
                self.0.remove(0);
            }
            self.0.push(Source { ssrc, ..Source::default() });
            self.0.len() - 1
        });
        // The place was found or made just now.
        &mut self.0[at]
    }
}
