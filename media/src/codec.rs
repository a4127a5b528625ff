//! The audio codecs, as SDP names them and RTP counts them.

use std::fmt;

use crate::g711::Law;

/// The audio codecs the engine can decode and encode, all in one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 mu-law, static payload type 0 (RFC 3551 §6).
    Pcmu,
    /// G.711 A-law, static payload type 8 (RFC 3551 §6).
    Pcma,
    /// G.722 at 64 kbit/s, static payload type 9 (RFC 3551 §4.5.2): 16 kHz, eight bits for two samples.
    G722,
    /// Opus (RFC 7587).
    Opus,
}

impl Codec {
    /// Every codec.
    pub const ALL: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

    /// The static payload type (RFC 3551 Table 4), or the dynamic one that we propose.
    pub const fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
            Codec::G722 => 9,
            // What browsers use too.
            Codec::Opus => 111,
        }
    }

    /// The codec of a static payload type, if it is one of ours.
    pub const fn from_static_payload_type(pt: u8) -> Option<Self> {
        match pt {
            0 => Some(Codec::Pcmu),
            8 => Some(Codec::Pcma),
            9 => Some(Codec::G722),
            _ => None,
        }
    }

    /// The encoding name in an `a=rtpmap` line.
    pub const fn encoding_name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::Opus => "opus",
        }
    }

    /// The codec of an encoding name, in any case.
    pub fn from_encoding_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.encoding_name().eq_ignore_ascii_case(name))
    }

    /// RTP clock rate in hertz. G.722's is 8000 by an old mistake that stays (RFC 3551 §4.5.2).
    pub const fn clock_rate(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 8000,
            Codec::Opus => 48_000,
        }
    }

    /// Channels in an `a=rtpmap` line: Opus says 2 whatever it carries (RFC 7587 §7).
    pub const fn named_channels(self) -> u8 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 1,
            Codec::Opus => 2,
        }
    }

    /// The law of a G.711 codec, whose packets can be read byte by byte.
    #[inline]
    pub const fn law(self) -> Option<Law> {
        match self {
            Codec::Pcmu => Some(Law::Mu),
            Codec::Pcma => Some(Law::A),
            Codec::G722 | Codec::Opus => None,
        }
    }

    /// Bytes in a millisecond where that is fixed.
    #[inline]
    pub const fn bytes_per_ms(self) -> Option<usize> {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => Some(8),
            Codec::Opus => None,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encoding_name())
    }
}

/// What a peer that takes Opus asks of who sends to it (RFC 7587 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusWishes {
    /// `useinbandfec=1`: it makes use of redundancy when packets are lost.
    pub fec: bool,
    /// `maxplaybackrate`: no use in more than this, in Hz.
    pub max_playback_hz: u32,
    /// `maxaveragebitrate` in bit/s.
    pub max_bitrate: u32,
    /// `cbr=1`: packets of one size, which tell nothing of what is said in them.
    pub constant_rate: bool,
}

impl Default for OpusWishes {
    fn default() -> Self {
        Self { fec: false, max_playback_hz: 48_000, max_bitrate: 510_000, constant_rate: false }
    }
}
