//! The typed events of a call: its timeline, as the store keeps it and `offhook calls show` prints
//! it. Journal and metrics are written beside them
//! (docs/decisions/0011-events-are-the-timeline.md). Nothing secret has a place in them.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::quality::PathQuality;

/// One entry of a call's timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallEvent {
    /// When, by the wall clock.
    pub at: SystemTime,
    /// Which leg (`A` the caller, `B`, `C`, … the others); `None`: the call as a whole.
    pub leg: Option<String>,
    /// What.
    pub kind: CallEventKind,
}

/// Direction of a signalling message as seen from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Direction {
    In,
    Out,
}

/// What happened in a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CallEventKind {
    /// A SIP message: an arrow of the ladder.
    Sip {
        /// In or out.
        direction: Direction,
        /// `INVITE`, or `180 Ringing`.
        line: String,
        /// `1 INVITE`.
        cseq: String,
        /// `UDP 192.0.2.1:5060`.
        peer: String,
        /// Whether it carried a body, and of what type.
        body: Option<String>,
    },
    /// A leg was created, and whom it is for (`extension:101`, `trunk:connect`).
    Leg {
        /// Whom it is for.
        party: String,
    },
    /// An application took the call (`ring`, `voicemail`, …) and asked for actions.
    Application {
        /// Its name.
        name: String,
        /// What it was told (`NEW_INBOUND_CALL`, …).
        told: String,
        /// Action types it answered with.
        actions: Vec<String>,
        /// Microseconds from the event to its answer; absent in calls of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        took_us: Option<u64>,
    },
    /// Media of a leg was agreed.
    Media {
        /// `PCMU`, …
        codec: String,
        /// `sendrecv`, …
        direction: String,
        /// `RTP/AVP` or `RTP/SAVP` with the suite's name; never a key.
        protection: String,
        /// Remote address.
        remote: String,
    },
    /// Packet counts of a leg when it ended.
    MediaSummary {
        /// Packets received.
        received: u64,
        /// Packets sent.
        sent: u64,
        /// Packets lost on the way to us.
        lost: u64,
        /// Packets from strangers or broken, dropped.
        dropped: u64,
    },
    /// How well a leg was heard, when it ended.
    MediaQuality {
        /// What its party said, as it came to us.
        received: Option<PathQuality>,
        /// What it heard of us, as its RTCP reports say; absent when it sent none.
        sent: Option<PathQuality>,
        /// To the party and back (RFC 3550 §6.4.1); absent when it was not measured.
        round_trip_ms: Option<f64>,
    },
    /// A digit pressed. The digit itself is kept out of the journal (PINs).
    Digit,
    /// A prompt began.
    Prompt {
        /// Its name.
        name: String,
    },
    /// A recording ended.
    Recorded {
        /// Milliseconds of audio.
        duration_ms: u64,
        /// `terminator`, `silence`, `length`, `hangup`.
        ended_by: String,
    },
    /// A phone puts the call through.
    Transfer {
        /// Which: `extension:101`.
        by: String,
        /// To which number.
        to: String,
        /// To a call that it has already.
        attended: bool,
    },
    /// Somebody of the office listens to the call from now on, or speaks in it.
    Supervised {
        /// Who: `extension:100`.
        by: String,
        /// `listen`, `whisper`, `barge`.
        how: String,
    },
    /// The conversation is being recorded from now on.
    Taped,
    /// A recording is where recordings are kept.
    Stored {
        /// A path, or `s3://bucket/key`.
        location: String,
    },
    /// Somebody hung up.
    HungUp {
        /// `caller`, `callee`, `us`.
        by: String,
        /// Why, in words.
        why: String,
    },
    /// The call or a leg failed, by the catalogue.
    Failure {
        /// Code of the catalogue.
        code: String,
        /// SIP status when there was one.
        sip_status: Option<u16>,
        /// Details that the catalogue cannot know.
        detail: String,
    },
    /// Something worth a note that is none of the above.
    Note {
        /// In words.
        text: String,
    },
}
