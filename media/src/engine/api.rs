//! What callers say to a port and hear from it.

mod playback;
mod recording;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

pub use self::playback::{Control, Playback, Repeat};
pub use self::recording::{Recording, SampleSink, SilenceRule, TapeSink};
use crate::codec::{Codec, OpusWishes};
use crate::dtmf::Digit;
use crate::rtcp::Wishes;
use crate::srtp::{SrtpKeys, SrtpSuite};
use crate::webrtc::{DtlsTerms, IceTerms, Terms, WebRtcError};

/// Names a port for the life of the process; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortId(pub(crate) u64);

impl fmt::Display for PortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port-{}", self.0)
    }
}

/// Dynamic payload types of `telephone-event` (RFC 4733), which may differ by direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// The number the peer chose: we send with it.
    pub send_pt: u8,
    /// The number we announced: the peer sends with it.
    pub recv_pt: u8,
    /// Its clock, in which durations are told: 8000, or 48000 beside Opus.
    pub clock: u32,
}

/// What offer and answer agreed on for one leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamConfig {
    /// Where the peer said it listens for RTP.
    pub remote_rtp: SocketAddr,
    /// Where the peer said it listens for RTCP (`a=rtcp`, RFC 3605); `None` = RTP port + 1.
    pub remote_rtcp: Option<SocketAddr>,
    /// The codec we send. G.711 and G.722 are understood besides when received.
    pub codec: Codec,
    /// What the peer asks of an Opus sender.
    pub opus: OpusWishes,
    /// Payload type we send the codec with.
    pub send_pt: u8,
    /// Payload type the peer sends the codec with.
    pub recv_pt: u8,
    /// Digits as events, when agreed.
    pub telephone_event: Option<TelephoneEvent>,
    /// Whether the peer takes comfort noise, payload type 13 (RFC 3389).
    pub comfort_noise: bool,
    /// Length of the packets we send, in ms: 10-60.
    pub ptime_ms: u16,
    /// The longest packet that the peer takes, in ms (`a=maxptime`, RFC 8866 §6.4; of Opus 120 when
    /// it says nothing, RFC 7587 §7). Packets passed on from the far leg may be as long.
    pub maxptime_ms: u16,
    /// Whether we may send (false: the peer holds us, or said inactive).
    pub send: bool,
    /// Whether we listen (false: we hold the peer).
    pub receive: bool,
    /// Keys, when the leg is RTP/SAVP.
    pub srtp: Option<SrtpKeys>,
    /// RTCP on the RTP port (RFC 5761), when agreed.
    pub rtcp_mux: bool,
    /// Extended reports (RFC 3611) that were agreed on.
    pub rtcp_xr: Wishes,
    /// ICE and DTLS, on a port of [`super::Engine::open_webrtc`]: they find address and keys.
    pub webrtc: Option<Box<Terms>>,
    /// DTLS on a port of the leg's own: its handshake makes the keys.
    pub dtls: Option<Box<DtlsTerms>>,
    /// ICE on ports of the leg's own, without DTLS: the peer chooses where media goes.
    pub ice: Option<Box<IceTerms>>,
}

/// The longest packet of Opus (RFC 6716 §3.2.5), in ms.
pub(crate) const MAX_PACKET_MS: u16 = 120;

impl StreamConfig {
    /// A plain two-way stream of `codec` at its usual payload type, 20 ms, no digits.
    pub fn new(remote_rtp: SocketAddr, codec: Codec) -> Self {
        Self {
            remote_rtp,
            remote_rtcp: None,
            codec,
            opus: OpusWishes::default(),
            send_pt: codec.payload_type(),
            recv_pt: codec.payload_type(),
            telephone_event: None,
            comfort_noise: false,
            ptime_ms: 20,
            maxptime_ms: MAX_PACKET_MS,
            send: true,
            receive: true,
            srtp: None,
            rtcp_mux: false,
            rtcp_xr: Wishes::default(),
            webrtc: None,
            dtls: None,
            ice: None,
        }
    }
}

/// What somebody does in a [`super::Conference`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// Who hears him.
    pub speaks: Speaks,
    /// Whether he hears the others.
    pub hears: bool,
}

impl Role {
    /// Hears all and is heard by all.
    pub const TALKS: Self = Self { speaks: Speaks::ToAll, hears: true };
    /// Only hears: muted, or a supervisor who listens in.
    pub const LISTENS: Self = Self { speaks: Speaks::ToNobody, hears: true };
    /// Hears all and is heard by one alone: a coach.
    pub const fn whispers_to(port: PortId) -> Self {
        Self { speaks: Speaks::ToOne(port), hears: true }
    }
}

/// Who hears somebody in a conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// Everybody, while he is one of the three loudest.
    ToAll,
    /// This member alone, however many speak.
    ToOne(PortId),
    /// Nobody.
    ToNobody,
}

/// Something a port tells its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortEvent {
    /// Whose.
    pub port: PortId,
    /// What.
    pub kind: PortEventKind,
}

/// What happened on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortEventKind {
    /// The peer pressed a key. That counts when it is told as [`Self::Digit`].
    KeyDown {
        /// Which key.
        digit: Digit,
    },
    /// The peer pressed and released a key; once per press. When the key stopped a playback or a
    /// recording, that was told earlier, at the press.
    Digit {
        /// Which key.
        digit: Digit,
        /// How long it was held.
        duration: Duration,
    },
    /// A key in the media that went about in what plays, and did nothing else, was released.
    KeyTaken {
        /// Which key.
        digit: Digit,
    },
    /// A key by INFO, which its owner took for such a one, was none: nothing that plays had a use for
    /// it. Told only to who asked.
    KeyLeft {
        /// Which key.
        digit: Digit,
    },
    /// A playback is over.
    PlayEnded {
        /// Of [`Playback::id`].
        id: u64,
        /// Why.
        by: PlayEnd,
        /// How far the list was heard, in its last run.
        position: Duration,
    },
    /// A recording is over; its sink is finished. Not sent when the port was dropped.
    RecordEnded {
        /// Of [`Recording::id`].
        id: u64,
        /// Why.
        by: RecordEnd,
        /// Length of what the sink got.
        duration: Duration,
        /// How much of it was louder than the silence threshold.
        speech: Duration,
    },
    /// All of [`super::MediaPort::send_digits`] has been sent.
    DigitsSent,
    /// The first acceptable packet since the last `set_stream` that changed the peer.
    FirstPacket {
        /// Its source: the peer's address from here on.
        from: SocketAddr,
    },
    /// A fault of ours in the work for this port: it is closed. Others are not concerned.
    Broken,
    /// For three seconds no packet of the peer's was authentic: wrong key. Told once per key.
    SrtpFailed,
    /// A browser is reached, and who it is has been proved: audio flows.
    WebRtcUp {
        /// Where it is.
        peer: SocketAddr,
        /// How audio is encrypted.
        suite: SrtpSuite,
    },
    /// A browser cannot be reached, or no more. Nothing is sent on this port again.
    WebRtcFailed(WebRtcError),
    /// A desk phone's DTLS handshake is over: audio flows.
    DtlsUp {
        /// How audio is encrypted.
        suite: SrtpSuite,
    },
    /// It came to nothing. Nothing is sent on this port again.
    DtlsFailed(WebRtcError),
    /// Nothing was heard for a while although the peer should be sending. Told once per silence.
    NoMedia {
        /// How long.
        silent_for: Duration,
    },
}

/// Why a playback ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayEnd {
    /// Played to its end.
    End,
    /// A digit of `stop_on` was pressed.
    Digit(Digit),
    /// `stop_play`, or replaced by another playback.
    Stopped,
}

/// Why a recording ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordEnd {
    /// A digit of `terminators` was pressed.
    Terminator(Digit),
    /// The silence rule.
    Silence,
    /// The longest length.
    Length,
    /// `stop_record`, or replaced by another recording.
    Stopped,
}

/// A snapshot of what came to the port that WebRTC legs share, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WebRtcCounters {
    /// Datagrams.
    pub received: u64,
    /// Of those: from sources that proved nothing, or with a wrong password.
    pub strangers: u64,
    /// Of those: neither STUN nor DTLS nor RTP.
    pub malformed: u64,
}

/// A snapshot of a port's counters since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortCounters {
    /// RTP packets accepted.
    pub received: u64,
    /// RTP packets sent.
    pub sent: u64,
    /// Of those received, the ones that the kernel relayed.
    pub received_in_kernel: u64,
    /// RTP packets the peer sent that never came (RFC 3550 A.3). May fall when late ones arrive.
    pub lost: u64,
    /// RTP packets the peer sent, as far as their numbers tell.
    pub expected: u64,
    /// Stretches of packets lost one after another, and the packets in them. One that came late
    /// stays counted here.
    pub loss_runs: u64,
    /// See there.
    pub losses: u64,
    /// Packets refused: malformed, unknown payload type, or not wanted in this direction.
    pub dropped: u64,
    /// Packets refused for their source address.
    pub strangers: u64,
    /// Packets that failed SRTP authentication or replay check.
    pub srtp_failures: u64,
    /// Packets we could not send (socket full, peer unreachable).
    pub send_errors: u64,
    /// Events dropped because their receiver was full.
    pub events_dropped: u64,
    /// RTCP packets accepted.
    pub rtcp_received: u64,
    /// RTCP packets sent.
    pub rtcp_sent: u64,
    /// Interarrival jitter in microseconds (RFC 3550 A.8), its mean over the whole time.
    pub jitter_us: u64,
    /// Packets we had sent when the peer last reported; 0 when it never did.
    pub remote_expected: u64,
    /// Packets the peer says it did not get from us, from its RTCP.
    pub remote_lost: u64,
    /// Packets the peer says came too late for it (RFC 3611 §4.7.1).
    pub remote_discarded: u64,
    /// Jitter of our packets at the peer in microseconds, the mean of its reports.
    pub remote_jitter_us: u64,
    /// From the peer's interface to its ear in ms (RFC 3611 §4.7.3); 0 while unknown.
    pub remote_delay_ms: u64,
    /// Round trip in microseconds from RTCP (RFC 3550 §6.4.1), the mean of what was measured; 0
    /// while unknown.
    pub round_trip_us: u64,
}
