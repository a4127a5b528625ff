//! Everything a port does to packets. No socket, no clock: the worker hands in both.

mod dial;
mod form;
mod inband;
mod inbound;
mod kernel;
mod outbound;
mod piece;
mod report;
mod signalled;
mod taping;
mod voice;

use std::mem::offset_of;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use self::dial::Dialling;
use self::form::{Form, Stream};
use self::inband::Tones;
pub(super) use self::piece::Piece;
use self::report::Reporter;
pub(super) use self::voice::Speaks;
use self::voice::Way;
use super::api::{PortEvent, PortEventKind, PortId, StreamConfig};
use super::counters::Counters;
use super::key_span::KeySpan;
use super::play::Player;
use super::record::Recorder;
use super::sender::Sender;
use super::tape::Tapes;
use crate::ahead::fetch;
use crate::codec::Codec;
use crate::dtmf::{Carriers, Converter, Digit, EventReceiver, ToneMaker};
use crate::flood::Meter;
use crate::latch::Latch;
use crate::relay::OutStream;
use crate::rtcp::Reception;
use crate::srtp::SrtpSession;
use crate::voice::{Ear, Focus, Halver, Mouth};

/// A packet being worked on; longer than any packet by the room an SRTP tag needs.
pub(super) type Buffer = [u8; 2048];

/// Comfort noise (RFC 3389, static payload type of RFC 3551).
const COMFORT_NOISE: u8 = 13;

/// One side of a call: its peer, its streams in both directions, and what runs on it.
///
/// > In this order in memory: what every packet touches comes first, for a packet that comes in and
/// > for one that goes out, what few touch after it. A thousand calls are more than the processor's
/// > nearer caches hold, and relaying a packet costs less than to wait for ten places in memory.
#[repr(C, align(64))]
pub(super) struct Leg {
    /// Something happened that the worker looks after: `moved`, or a need for ticks.
    pub(super) attention: bool,
    /// The peer's address changed, or became certain.
    pub(super) moved: bool,
    silence_told: bool,
    /// The stream is encrypted; without `srtp` nothing of it goes in or out.
    secured: bool,
    /// The recording gets what `ear` hears, not the packets.
    taping: bool,
    /// Our stream takes over the numbers of whom it begins with, so that the kernel can relay it.
    passes_numbers: bool,
    /// Packets in a row of another length than the far leg's.
    odd_lengths: u8,
    /// A key of a peer that knows no telephone events, which the far leg is to get.
    to_pass: Option<Digit>,
    stream: Option<Stream>,
    pub(super) counters: Arc<Counters>,
    meter: Meter,
    sender: Sender,
    last_received: Instant,
    reception: Reception,
    /// Timestamp of the peer's last packet of audio.
    newest: Option<u32>,
    /// The audio of the peer's last key.
    key: Option<KeySpan>,
    /// Whether the far leg gets what `ear` hears, or the packets.
    way: Way,
    recorder: Option<Box<Recorder>>,
    /// Tapes, and a recording that ends when it has heard the ear's last.
    tapes: Tapes,
    /// Cleans what `ear` hears.
    focus: Option<Box<Focus>>,
    /// Listens for keys of a peer that knows no telephone events.
    inband: Option<Box<Tones>>,
    srtp: Option<Box<SrtpSession>>,
    player: Option<Box<Player>>,
    digits: Option<Box<Dialling>>,
    /// A key of the far leg that we pressed already: its sender, its timestamp, its code.
    pressed_before: Option<(u32, u32, u8)>,
    /// Keys of the far leg, as tones and in our clock.
    tones: ToneMaker,
    out: OutStream,
    latch: Latch,

    id: PortId,
    events: mpsc::Sender<PortEvent>,
    rtcp_latch: Latch,
    /// Since when nothing of the peer's could be decrypted.
    failing_since: Option<Instant>,
    keys: EventReceiver,
    /// Which keys came only in the media so far, or only by INFO.
    carriers: Carriers,
    /// Timestamps of the last two keys, where they had come by INFO before.
    known_events: [Option<u32>; 2],
    converter: Converter,
    /// A key that is down was for the playback alone.
    for_playback: bool,
    /// Decodes what the peer says, when the far leg or a recording needs it so.
    ear: Option<Box<Ear>>,
    /// Brings what a wideband ear hears to the rate of recordings.
    narrowed: Halver,
    /// Encodes what we say, where it is not packets already.
    mouth: Option<Box<Mouth>>,
    /// The last event passed on between audio of ours: its sender, its timestamp, and ours.
    passed_on: Option<(u32, u32, u32)>,
    runs: u32,
    no_media_after: Duration,
    reporter: Box<Reporter>,
    /// Of what the kernel sent to our peer, what our reports take into account.
    kernel_sent: u64,
}

/// Which way a packet goes at a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goes {
    In,
    Out,
}

/// What a payload type means on a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Audio(Codec),
    /// In a clock of so many ticks a second.
    Event(u32),
    Noise,
}

/// A packet that came in and may go out on the other side. The payload is still in the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Media {
    kind: Kind,
    marker: bool,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: Range<usize>,
    /// The audio of its sender goes through an ear.
    decoded: bool,
    /// It is, or begins like, the tone of a key, which who knows telephone events gets so.
    tone: bool,
    /// It is of a key that was passed on already, when it came by INFO: its events, and what was said
    /// meanwhile, which holds its tone for who listens for tones.
    known: bool,
}

impl Media {
    /// Whether this is a part of a key.
    pub(super) fn is_event(&self) -> bool {
        matches!(self.kind, Kind::Event(_))
    }
}

fn random_stream() -> OutStream {
    OutStream::new(rand::random(), rand::random(), rand::random())
}

impl Leg {
    pub(super) fn new(
        now: Instant,
        id: PortId,
        events: mpsc::Sender<PortEvent>,
        counters: Arc<Counters>,
        no_media_after: Duration,
    ) -> Self {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Self {
            id,
            events,
            counters,
            attention: false,
            moved: false,
            stream: None,
            latch: Latch::new(nowhere),
            rtcp_latch: Latch::new(nowhere),
            out: random_stream(),
            meter: Meter::new(now),
            reception: Reception::default(),
            sender: Sender::default(),
            failing_since: None,
            keys: EventReceiver::default(),
            carriers: Carriers::with_room(),
            known_events: [None; 2],
            tones: ToneMaker::default(),
            converter: Converter::default(),
            inband: None,
            to_pass: None,
            for_playback: false,
            secured: false,
            srtp: None,
            player: None,
            digits: None,
            recorder: None,
            tapes: Tapes::default(),
            ear: None,
            focus: None,
            way: Way::Relay,
            taping: false,
            narrowed: Halver::default(),
            odd_lengths: 0,
            mouth: None,
            key: None,
            newest: None,
            pressed_before: None,
            passed_on: None,
            runs: 0,
            last_received: now,
            silence_told: false,
            no_media_after,
            reporter: Box::new(Reporter::new(now)),
            passes_numbers: false,
            kernel_sent: 0,
        }
    }

    /// Has the processor fetch what a packet touches that comes in, or one that goes out.
    #[inline]
    pub(super) fn foresee(&self, goes: Goes) {
        match goes {
            Goes::In => fetch(&self.attention, offset_of!(Self, pressed_before)),
            Goes::Out => {
                fetch(&self.attention, offset_of!(Self, meter));
                fetch(&self.srtp, offset_of!(Self, latch) - offset_of!(Self, srtp));
            }
        }
    }

    /// The same of a secured leg's keys, which lie by themselves.
    #[inline]
    pub(super) fn foresee_keys(&self, goes: Goes) {
        match (self.srtp.as_ref().filter(|_| self.secured), goes) {
            (Some(srtp), Goes::In) => srtp.foresee_opening(),
            (Some(srtp), Goes::Out) => srtp.foresee_sealing(),
            (None, _) => {}
        }
    }

    pub(super) fn id(&self) -> PortId {
        self.id
    }

    /// Where RTP goes; `None` before the first answer, and for a peer that gave no address.
    pub(super) fn target(&self) -> Option<SocketAddr> {
        self.reachable()?;
        Some(self.latch.target()).filter(is_somewhere)
    }

    /// The stream, unless the peer holds us with an address of zeros: neither RTP nor RTCP goes to it
    /// then (RFC 3264 §8.4), wherever it is known to be.
    fn reachable(&self) -> Option<&StreamConfig> {
        self.stream.as_deref().filter(|stream| !stream.remote_rtp.ip().is_unspecified())
    }

    /// Who sent what only the peer can have sent.
    pub(super) fn latched(&self) -> SocketAddr {
        self.latch.target()
    }

    /// What every packet asks of the stream; `None` before an answer.
    #[inline]
    fn form(&self) -> Option<Form> {
        self.stream.as_ref().map(|stream| stream.form)
    }

    /// The only address RTP can ever come from, once that is certain.
    pub(super) fn only_peer(&self) -> Option<SocketAddr> {
        self.target().filter(|_| self.latch.is_final())
    }

    /// Where RTCP goes, and whether through the RTP socket.
    pub(super) fn rtcp_target(&self) -> Option<(SocketAddr, bool)> {
        let mux = self.reachable()?.rtcp_mux;
        let target = if mux { self.latch.target() } else { self.rtcp_latch.target() };
        Some((target, mux)).filter(|(target, _)| is_somewhere(target))
    }

    /// Whether the worker must call [`Self::poll`] by its clock.
    pub(super) fn wants_ticks(&self) -> bool {
        self.player.is_some() || self.wants_grid()
    }

    /// The same for more than packets of a playback.
    fn wants_grid(&self) -> bool {
        self.digits.is_some()
            || self.recorder.is_some()
            || self.ear.is_some()
            || self.keys.is_down()
    }

    /// When the next packet of a leg is due that only plays. Not for others.
    pub(super) fn next_packet(&self) -> Option<Instant> {
        self.player.as_ref().filter(|_| !self.wants_grid()).map(|player| player.poll_timeout())
    }

    /// Whether what the peer says is being kept.
    pub(super) fn is_recording(&self) -> bool {
        self.recorder.is_some() || self.tapes.any()
    }

    /// Whether the clock is about to end a recording.
    pub(super) fn recording_is_due(&self, now: Instant) -> bool {
        self.recorder.as_ref().is_some_and(|recorder| recorder.rule(now).is_some())
    }

    pub(super) fn tell(&self, kind: PortEventKind) {
        if self.events.try_send(PortEvent { port: self.id, kind }).is_err() {
            self.counters.events_dropped.bump();
        }
    }

    /// Tells the owner that this leg is out.
    pub(super) fn tell_broken(&self) {
        self.tell(PortEventKind::Broken);
    }
}

fn is_somewhere(addr: &SocketAddr) -> bool {
    addr.port() != 0 && !addr.ip().is_unspecified()
}

#[cfg(test)]
mod tests;
