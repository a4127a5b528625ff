//! Audio: `[media]` and `[voicemail]`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::net::PortRange;

/// Codecs that we can offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Codec {
    Pcmu,
    Pcma,
    G722,
    Opus,
}

impl Codec {
    /// Encoding name of RFC 3551 §6, and of RFC 7587.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }
}

/// Whether media is encrypted with SRTP keys from SDES (RFC 4568).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Srtp {
    /// Plain RTP; offers of SRTP are refused.
    Off,
    /// Answered as offered; offered in plain.
    Optional,
    /// Plain RTP is refused.
    Required,
}

/// `[media]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// UDP ports for RTP (even) and RTCP (the next).
    pub ports: PortRange,
    /// Threads that move packets.
    pub threads: usize,
    /// Address to bind; `None`: that of the signalling interface.
    pub address: Option<IpAddr>,
    /// Codecs in order of preference, never empty.
    pub codecs: Vec<Codec>,
    /// Codecs that we do not have, video, text and fax go from leg to leg untouched where both have
    /// them.
    pub pass_through: bool,
    /// SRTP with desk phones.
    pub srtp_phones: Srtp,
    /// Hang up a call that has had no packet for this long, unless on hold; `None`: never.
    pub silence_hangup: Option<Duration>,
    /// What somebody hears who is put on hold by a phone.
    pub hold_music: HoldMusic,
    /// Let the kernel relay calls that need no look inside.
    pub kernel_relay: bool,
}

/// `[webrtc]`: audio of browsers. There is some when a `[[listen]]` is for WSS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebRtc {
    /// UDP address that all browsers' calls share.
    pub address: SocketAddr,
}

impl Default for WebRtc {
    fn default() -> Self {
        Self { address: SocketAddr::from(([0, 0, 0, 0], 30_000)) }
    }
}

/// `hold_music` of `[media]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldMusic {
    /// `"default"`: what came with the program.
    Builtin,
    /// `"silence"`.
    Silence,
    /// Sound files, one after the other, over and over.
    Files(Vec<PathBuf>),
}

impl Default for Media {
    fn default() -> Self {
        Self {
            ports: PortRange { first: 10_000, last: 29_999 },
            threads: 1,
            address: None,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            pass_through: true,
            srtp_phones: Srtp::Optional,
            silence_hangup: None,
            kernel_relay: false,
            hold_music: HoldMusic::Builtin,
        }
    }
}

/// `[voicemail]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voicemail {
    /// Where messages are; `None`: `voicemail` in the data folder. See [`crate::Config::voicemail_folder`].
    pub folder: Option<PathBuf>,
    /// Ring time before the box answers.
    pub after: Duration,
    /// Longest message.
    pub max: Duration,
    /// Shorter messages are thrown away.
    pub min: Duration,
    /// Silence that ends a message; `None`: silence does not.
    pub silence: Option<Duration>,
    /// Mean absolute sample (of 32,767) below which a frame is silent.
    pub silence_threshold: u16,
    /// Messages of one mailbox; a full one says so instead of recording.
    pub max_messages: usize,
    /// What a phone dials to hear its messages.
    pub menu_number: String,
    /// Greeting of boxes that have none of their own; `None`: the built-in one.
    pub greeting: Option<PathBuf>,
    /// The same as a text that is spoken.
    pub greeting_text: Option<String>,
    /// Folder with prompts that replace built-in ones.
    pub prompts: Option<PathBuf>,
}

impl Default for Voicemail {
    fn default() -> Self {
        Self {
            folder: None,
            after: Duration::from_secs(20),
            max: Duration::from_secs(180),
            min: Duration::from_secs(1),
            silence: Some(Duration::from_secs(5)),
            silence_threshold: 200,
            max_messages: 100,
            menu_number: "*97".into(),
            greeting: None,
            greeting_text: None,
            prompts: None,
        }
    }
}
