//! SRTP with keys from SDES or DTLS (RFC 3711, RFC 4568, RFC 6188, RFC 7714), in place: no packet
//! is copied.

mod cipher;
mod ctr;
mod gcm;
mod hmac;
mod keys;
mod keystream;
#[cfg(test)]
mod tests;
mod window;

use std::mem::offset_of;
use std::ops::Range;

pub use keys::{MAX_MKI, SrtpKey, SrtpKeyError, SrtpKeys, SrtpSuite};

use crate::ahead::fetch;
use crate::rtp;
use cipher::Cipher;
use window::Window;

/// Sources kept per direction, each with its counters: those of the peer that proved themselves, and
/// our own.
const MAX_SOURCES: usize = 16;

/// Sources of which no more is kept than how far they came. A key that had more takes no new ones:
/// what looks new could be old.
const MAX_FORMER: usize = 256;

/// Packets that failed in a row, after which the key is called wrong.
const FAILURES_TOLD: u32 = 10;

/// Packets of a new key, a second of them, after which its former one is forgotten.
const STRAGGLERS: u32 = 50;

/// The last SRTCP index of a key (RFC 3711 §9.2).
const LAST_RTCP_INDEX: u32 = 0x7fff_ffff;

/// Protects and unprotects the packets of one leg. Its order is that in which a packet reads it: what
/// lies side by side is fetched together.
#[repr(C)]
pub struct SrtpSession {
    failures_in_a_row: u32,
    failure_told: bool,
    /// What the peer used before, until it has changed.
    former: Option<Box<Former>>,
    heard: Sources,
    rx: Cipher,
    rtcp_sent: u32,
    sent: Sources,
    tx: Cipher,
    keys: SrtpKeys,
}

/// A key that the peer may still use.
struct Former {
    rx: Cipher,
    heard: Sources,
    /// Packets of the new key after which nothing of this one is under way any more.
    left: u32,
}

/// What became of a protected packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unprotected {
    /// Authentic: the packet is now plain and this long.
    Plain(usize),
    /// Seen before, or too late to know that it was not (RFC 3711 §3.3.2).
    Replayed,
    /// Forged, broken, or made with another key.
    Forged,
}

impl SrtpSession {
    /// A session with fresh counters. `None` for keys that are not as long as their suites say, which
    /// there are none of.
    pub fn new(keys: SrtpKeys) -> Option<Self> {
        Some(Self {
            sent: Sources::default(),
            tx: Cipher::new(&keys.tx)?,
            failures_in_a_row: 0,
            failure_told: false,
            former: None,
            heard: Sources::default(),
            rx: Cipher::new(&keys.rx)?,
            rtcp_sent: 0,
            keys,
        })
    }

    /// Has the processor fetch what opening a packet of the peer takes.
    #[inline]
    pub(crate) fn foresee_opening(&self) {
        fetch(&self.failures_in_a_row, offset_of!(Self, rtcp_sent));
    }

    /// Has the processor fetch what sealing a packet of ours takes.
    #[inline]
    pub(crate) fn foresee_sealing(&self) {
        fetch(&self.rtcp_sent, offset_of!(Self, keys) - offset_of!(Self, rtcp_sent));
    }

    /// The keys in use.
    pub fn keys(&self) -> &SrtpKeys {
        &self.keys
    }

    /// Takes the keys of a new offer and answer. A direction whose key stays keeps its rollover
    /// counter and replay window (RFC 4568 §7.1.4). `None` as in [`Self::new`].
    ///
    /// With a new sending key the caller takes a new SSRC, too, and begins with a sequence number
    /// below 2^15: its rollover counter is zero, whatever the peer thinks of one that was used before.
    pub fn rekey(&mut self, keys: SrtpKeys) -> Option<()> {
        if keys.tx != self.keys.tx {
            self.tx = Cipher::new(&keys.tx)?;
            // RFC 3711 §3.4: the SRTCP index goes on after a re-keying.
            self.sent = Sources::default();
        }
        if keys.rx != self.keys.rx {
            let rx = std::mem::replace(&mut self.rx, Cipher::new(&keys.rx)?);
            // The peer goes on with its former key until our answer has come.
            self.former =
                Some(Box::new(Former { rx, heard: self.heard.clone(), left: STRAGGLERS }));
            if keys.rx.suite().is_aead() {
                // Which counter goes on cannot be tried out: opening destroys what it refuses.
                self.heard = Sources::default();
            } else {
                self.heard.rekeyed();
            }
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
        let window = self.sent.of(ssrc)?.rtp;
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
        if self.former.is_some() {
            let outcome = self.unprotect_either(packet);
            return self.heal(outcome);
        }
        let outcome = self.open_rtp(packet).unwrap_or(Unprotected::Forged);
        self.heal(outcome)
    }

    /// With the new key or, as long as the peer does not use that, with the former one.
    fn unprotect_either(&mut self, packet: &mut [u8]) -> Unprotected {
        let mut copy = [0; rtp::MAX_PACKET];
        let Some(copy) = copy.get_mut(..packet.len()) else { return Unprotected::Forged };
        copy.copy_from_slice(packet);
        let outcome = self.open_rtp(packet).unwrap_or(Unprotected::Forged);
        let Some(mut former) = self.former.take() else { return outcome };
        if outcome != Unprotected::Forged {
            former.left -= 1;
            self.former = Some(former).filter(|former| former.left > 0);
            return outcome;
        }
        packet.copy_from_slice(copy);
        former.exchange(self);
        let outcome = self.open_rtp(packet).unwrap_or(Unprotected::Forged);
        former.exchange(self);
        self.former = Some(former);
        outcome
    }

    #[inline]
    fn open_rtp(&mut self, packet: &mut [u8]) -> Option<Unprotected> {
        let (ssrc, sequence) = (rtp::peek_ssrc(packet)?, rtp::peek_sequence(packet)?);
        // Nothing is kept of a source before one of its packets was authentic.
        let source = self.heard.of(ssrc)?;
        if let Some(before) = source.before.filter(|_| source.rtp.newest().is_none()) {
            // The first packet of a new key: RFC 3711 §3.3.1 has the rollover counter go on, others
            // read RFC 4568 §7.1.4 so that it begins again. The tag decides.
            let goes_on = Window::after(before).index_of(sequence);
            if goes_on > 0xffff
                && let Some(length) = self.rx.open_rtp(ssrc, goes_on, packet)
            {
                self.heard.entry(ssrc).rtp.accept(goes_on);
                return Some(Unprotected::Plain(length));
            }
        }
        let index = source.rtp.index_of(sequence);
        if !source.rtp.admits(index) {
            return Some(Unprotected::Replayed);
        }
        let length = self.rx.open_rtp(ssrc, index, packet)?;
        self.heard.entry(ssrc).rtp.accept(index);
        Some(Unprotected::Plain(length))
    }

    /// Decrypts an RTCP compound of the peer in place.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Unprotected {
        let outcome = self.open_rtcp(packet).unwrap_or(Unprotected::Forged);
        self.heal(outcome)
    }

    fn open_rtcp(&mut self, packet: &mut [u8]) -> Option<Unprotected> {
        let ssrc = u32::from_be_bytes(packet.get(4..8)?.try_into().ok()?);
        let window = self.heard.of(ssrc)?.rtcp;
        let (length, index) = self.rx.open_rtcp(ssrc, packet)?;
        if !window.admits(index) {
            return Some(Unprotected::Replayed);
        }
        self.heard.entry(ssrc).rtcp.accept(index);
        Some(Unprotected::Plain(length))
    }

    #[inline]
    fn heal(&mut self, outcome: Unprotected) -> Unprotected {
        if matches!(outcome, Unprotected::Plain(_)) {
            (self.failures_in_a_row, self.failure_told) = (0, false);
        }
        outcome
    }

    /// Counts a packet that was [`Unprotected::Forged`] although it came from the peer's address.
    /// True when it is the last of so many in a row that the key must be wrong; once, until a packet
    /// is authentic again.
    pub fn failed(&mut self) -> bool {
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        let tell = self.failures_in_a_row >= FAILURES_TOLD && !self.failure_told;
        self.failure_told |= tell;
        tell
    }
}

impl Former {
    fn exchange(&mut self, session: &mut SrtpSession) {
        std::mem::swap(&mut self.rx, &mut session.rx);
        std::mem::swap(&mut self.heard, &mut session.heard);
    }
}

/// The counters of the SSRCs that one key is used with. The one not heard for longest makes room.
#[derive(Debug, Clone, Default)]
#[repr(C)]
struct Sources {
    /// The one heard last: mostly the only one.
    newest: Option<Source>,
    /// Others; the one heard last of them is the last.
    live: Vec<Source>,
    /// Those that made room: what they sent stays refused (RFC 3711 §3.3.2).
    former: Vec<Source>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Source {
    ssrc: u32,
    rtp: Window,
    rtcp: Window,
    /// How far it came under the key before.
    before: Option<u64>,
}

impl Sources {
    /// What is known of a source; `None` when it must not be taken for a new one.
    #[inline]
    fn of(&self, ssrc: u32) -> Option<Source> {
        match self.newest {
            Some(newest) if newest.ssrc == ssrc => Some(newest),
            _ => self.other(ssrc),
        }
    }

    fn other(&self, ssrc: u32) -> Option<Source> {
        let known = |source: &&Source| source.ssrc == ssrc;
        if let Some(source) = self.live.iter().chain(&self.former).find(known) {
            return Some(*source);
        }
        (self.former.len() < MAX_FORMER).then(|| Source { ssrc, ..Source::default() })
    }

    /// The place of a source that [`Self::of`] knew, and that was heard now.
    #[inline]
    fn entry(&mut self, ssrc: u32) -> &mut Source {
        if self.newest.is_none_or(|newest| newest.ssrc != ssrc) {
            self.make_newest(ssrc);
        }
        self.newest.get_or_insert_default()
    }

    fn make_newest(&mut self, ssrc: u32) {
        let known = |source: &Source| source.ssrc == ssrc;
        let source = if let Some(at) = self.live.iter().rposition(known) {
            self.live.remove(at)
        } else if let Some(at) = self.former.iter().position(known) {
            self.former.swap_remove(at)
        } else {
            Source { ssrc, ..Source::default() }
        };
        self.live.extend(self.newest.replace(source));
        if self.live.len() >= MAX_SOURCES {
            self.former.push(self.live.remove(0).parted());
        }
    }

    /// A new key: nothing was seen of anybody, but how far they came may still count.
    fn rekeyed(&mut self) {
        self.former.clear();
        for source in self.live.iter_mut().chain(&mut self.newest) {
            let before = source.rtp.newest().or(source.before);
            *source = Source { ssrc: source.ssrc, before, ..Source::default() };
        }
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        self.live.len() + usize::from(self.newest.is_some())
    }
}

impl Source {
    /// What is late of it later on is too late.
    fn parted(self) -> Self {
        let seal = |window: Window| window.newest().map_or(window, Window::after);
        Self { rtp: seal(self.rtp), rtcp: seal(self.rtcp), ..self }
    }
}
