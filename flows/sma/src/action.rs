//! Actions: what an application asks of a call. Type and field names are AWS's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::lenient;
use crate::speech::{Speak, SpeakAndGetDigits, SpeechParameters};

/// Which leg of a call: the caller's, or the one that `CallAndBridge` made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LegTag {
    /// The leg that the call began with.
    #[serde(rename = "LEG-A")]
    A,
    /// The leg bridged to it.
    #[serde(rename = "LEG-B")]
    B,
}

/// The leg that an action is for. A `CallId` wins over a tag; neither: the leg that the
/// application was invoked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Target {
    /// A participant's `CallId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// Its tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participant_tag: Option<LegTag>,
}

impl Target {
    /// The leg with this tag.
    pub fn tag(tag: LegTag) -> Self {
        Self { call_id: None, participant_tag: Some(tag) }
    }
}

/// One action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "Type", content = "Parameters")]
pub enum Action {
    /// Calls somebody and connects both legs.
    CallAndBridge(CallAndBridge),
    /// Ends a leg.
    Hangup(Hangup),
    /// Plays audio.
    PlayAudio(PlayAudio),
    /// Plays audio and collects digits.
    PlayAudioAndGetDigits(PlayAudioAndGetDigits),
    /// Says a text.
    Speak(Box<Speak>),
    /// Says a text and collects digits.
    SpeakAndGetDigits(Box<SpeakAndGetDigits>),
    /// Records what a leg says.
    RecordAudio(RecordAudio),
    /// Listens for digits from now on, beside whatever else runs.
    ReceiveDigits(ReceiveDigits),
    /// Sends digits to a leg.
    SendDigits(SendDigits),
    /// Waits.
    Pause(Pause),
    /// Offhook: the leg hears itself until it ends.
    Echo(Echo),
    /// Offhook: the leg talks with others until it ends.
    JoinConference(JoinConference),
}

/// The type names of [`Action`], in its order.
pub const KNOWN_ACTIONS: [&str; 12] = [
    "CallAndBridge",
    "Hangup",
    "PlayAudio",
    "PlayAudioAndGetDigits",
    "Speak",
    "SpeakAndGetDigits",
    "RecordAudio",
    "ReceiveDigits",
    "SendDigits",
    "Pause",
    "Echo",
    "JoinConference",
];

impl Action {
    /// The type's name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CallAndBridge(_) => "CallAndBridge",
            Self::Hangup(_) => "Hangup",
            Self::PlayAudio(_) => "PlayAudio",
            Self::PlayAudioAndGetDigits(_) => "PlayAudioAndGetDigits",
            Self::Speak(_) => "Speak",
            Self::SpeakAndGetDigits(_) => "SpeakAndGetDigits",
            Self::RecordAudio(_) => "RecordAudio",
            Self::ReceiveDigits(_) => "ReceiveDigits",
            Self::SendDigits(_) => "SendDigits",
            Self::Pause(_) => "Pause",
            Self::Echo(_) => "Echo",
            Self::JoinConference(_) => "JoinConference",
        }
    }

    /// The leg it is for.
    pub fn target(&self) -> &Target {
        match self {
            Self::CallAndBridge(a) => &a.target,
            Self::Hangup(a) => &a.target,
            Self::PlayAudio(a) => &a.target,
            Self::PlayAudioAndGetDigits(a) => &a.target,
            Self::Speak(a) => &a.target,
            Self::SpeakAndGetDigits(a) => &a.target,
            Self::RecordAudio(a) => &a.target,
            Self::ReceiveDigits(a) => &a.target,
            Self::SendDigits(a) => &a.target,
            Self::Pause(a) => &a.target,
            Self::Echo(a) => &a.target,
            Self::JoinConference(a) => &a.target,
        }
    }

    /// The same, to fill in what was resolved before it is echoed in an event.
    pub fn target_mut(&mut self) -> &mut Target {
        match self {
            Self::CallAndBridge(a) => &mut a.target,
            Self::Hangup(a) => &mut a.target,
            Self::PlayAudio(a) => &mut a.target,
            Self::PlayAudioAndGetDigits(a) => &mut a.target,
            Self::Speak(a) => &mut a.target,
            Self::SpeakAndGetDigits(a) => &mut a.target,
            Self::RecordAudio(a) => &mut a.target,
            Self::ReceiveDigits(a) => &mut a.target,
            Self::SendDigits(a) => &mut a.target,
            Self::Pause(a) => &mut a.target,
            Self::Echo(a) => &mut a.target,
            Self::JoinConference(a) => &mut a.target,
        }
    }

    /// Whether a call update may stop it half-way (`facts`: exactly these three).
    pub fn is_interruptible(&self) -> bool {
        matches!(self, Self::PlayAudio(_) | Self::RecordAudio(_) | Self::Pause(_))
    }

    /// Whether running it answers a call that still rings. Only sound does: bridging leaves the
    /// caller ringing until the other side answers, hanging up rejects.
    pub fn answers(&self) -> bool {
        matches!(
            self,
            Self::PlayAudio(_)
                | Self::PlayAudioAndGetDigits(_)
                | Self::Speak(_)
                | Self::SpeakAndGetDigits(_)
                | Self::RecordAudio(_)
                | Self::SendDigits(_)
                | Self::Echo(_)
                | Self::JoinConference(_)
        )
    }

    /// Whether the application is told the outcome at once, even when actions are left.
    pub fn always_reports(&self) -> bool {
        matches!(self, Self::PlayAudioAndGetDigits(_) | Self::SpeakAndGetDigits(_))
    }
}

/// Where audio comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "Type")]
pub enum AudioSource {
    /// An object in a bucket, as in AWS.
    S3 {
        /// Bucket.
        #[serde(rename = "BucketName")]
        bucket_name: String,
        /// Key.
        #[serde(rename = "Key")]
        key: String,
    },
    /// Offhook: prompts that came with the program (`beep`, `vm-greeting`, …).
    Builtin {
        /// Its name, or several with spaces between them: one after the other.
        #[serde(rename = "Name")]
        name: String,
    },
    /// Offhook: a sound file on this machine.
    File {
        /// Its path.
        #[serde(rename = "Path")]
        path: String,
    },
    /// Offhook: a text that is spoken.
    Speech(Box<SpeechParameters>),
    /// Offhook: several, one after the other without a gap.
    List {
        /// They.
        #[serde(rename = "Parts")]
        parts: Vec<AudioSource>,
    },
}

/// Offhook: a digit that goes about in the audio while it plays, and is not among the digits that
/// are collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PlaybackControl {
    /// Which.
    pub digit: String,
    /// So much further, or (negative) back; 0: pauses, and goes on when pressed again.
    pub seek_milliseconds: i64,
}

/// Whom to call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Endpoint {
    /// What `uri` is.
    pub bridge_endpoint_type: EndpointType,
    /// A number, an extension, a group's name, or the user part that a Voice Connector gets.
    pub uri: String,
    /// A Voice Connector's ARN (`AWS`), or a trunk's name (`Trunk`; none: by the dial plan).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
}

/// `Echo`: for the test call of whoever sets up a phone. Ends with its leg.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// The leg.
    #[serde(flatten)]
    pub target: Target,
}

/// `JoinConference`: everybody whose call is in the same one hears the others. Ends with its leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct JoinConference {
    /// The leg.
    #[serde(flatten)]
    pub target: Target,
    /// Which one. It begins with the first who comes and ends with the last who goes.
    pub conference: String,
}

/// Kinds of [`Endpoint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndpointType {
    /// A telephone number in E.164.
    #[serde(rename = "PSTN")]
    Pstn,
    /// Through a Voice Connector.
    #[serde(rename = "AWS")]
    Aws,
    /// Offhook: an extension of this office.
    Extension,
    /// Offhook: a ring group of this office.
    Group,
    /// Offhook: a number out over a trunk.
    Trunk,
}

/// `CallAndBridge`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallAndBridge {
    /// The leg to bridge.
    #[serde(flatten)]
    pub target: Target,
    /// Seconds to let it ring, 1 to 120.
    #[serde(default = "thirty", deserialize_with = "lenient::number")]
    pub call_timeout_seconds: u64,
    /// Number shown. AWS demands it; here its absence means the caller's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id_number: Option<String>,
    /// Whom to call: one for AWS's types, several (first answer wins) for Offhook's.
    pub endpoints: Vec<Endpoint>,
    /// Played to the caller while the other side rings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ringback_tone: Option<AudioSource>,
    /// Headers for the new leg: `X-*`, `User-to-User`, `Diversion`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sip_headers: BTreeMap<String, String>,
}

fn thirty() -> u64 {
    30
}

/// `Hangup`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Hangup {
    /// The leg to end.
    #[serde(flatten)]
    pub target: Target,
    /// 0 (normal), 480 or 486 in AWS; any final status here, for a call that was not answered.
    #[serde(default, deserialize_with = "lenient::number")]
    pub sip_response_code: u64,
}

/// `PlayAudio`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PlayAudio {
    /// The leg that hears it.
    #[serde(flatten)]
    pub target: Target,
    /// What to play.
    pub audio_source: AudioSource,
    /// How many times; 0 (Offhook): until it is stopped.
    #[serde(default = "one", deserialize_with = "lenient::number")]
    pub repeat: u64,
    /// Digits that stop it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub playback_terminators: Vec<String>,
}

fn one() -> u64 {
    1
}

/// `PlayAudioAndGetDigits`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PlayAudioAndGetDigits {
    /// The leg that hears it and dials.
    #[serde(flatten)]
    pub target: Target,
    /// What to play.
    pub audio_source: AudioSource,
    /// Played after digits that do not fit, before the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_audio_source: Option<AudioSource>,
    /// What fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_digits_regex: Option<String>,
    /// Fewest digits.
    #[serde(default, deserialize_with = "lenient::number")]
    pub min_number_of_digits: u64,
    /// Most digits.
    #[serde(default = "most_digits", deserialize_with = "lenient::number")]
    pub max_number_of_digits: u64,
    /// Digits that end the input.
    #[serde(default = "hash")]
    pub terminator_digits: Vec<String>,
    /// Longest pause between digits; none: as `repeat_duration_in_milliseconds`.
    #[serde(default, deserialize_with = "lenient::maybe", skip_serializing_if = "Option::is_none")]
    pub in_between_digits_duration_in_milliseconds: Option<u64>,
    /// Attempts in all.
    #[serde(default = "one", deserialize_with = "lenient::number")]
    pub repeat: u64,
    /// How long an attempt waits for the first digit after the prompt.
    #[serde(deserialize_with = "lenient::number")]
    pub repeat_duration_in_milliseconds: u64,
    /// Offhook: digits that go about in the audio.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub playback_controls: Vec<PlaybackControl>,
}

fn most_digits() -> u64 {
    128
}

fn hash() -> Vec<String> {
    vec!["#".to_owned()]
}

/// Where a recording goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "Type")]
pub enum RecordingDestination {
    /// A bucket, as in AWS.
    S3 {
        /// Bucket.
        #[serde(rename = "BucketName")]
        bucket_name: String,
        /// What the key begins with.
        #[serde(rename = "Prefix", default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
        /// Filled in when it is done.
        #[serde(rename = "Key", default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// Offhook: a voice mailbox of this office.
    Mailbox {
        /// The extension.
        #[serde(rename = "Mailbox")]
        mailbox: String,
    },
    /// Offhook: a folder on this machine.
    Folder {
        /// Its path.
        #[serde(rename = "Path")]
        path: String,
    },
}

/// `RecordAudio`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RecordAudio {
    /// The leg that is recorded.
    #[serde(flatten)]
    pub target: Target,
    /// Longest recording; none: no limit but the house's own.
    #[serde(default, deserialize_with = "lenient::maybe", skip_serializing_if = "Option::is_none")]
    pub duration_in_seconds: Option<u64>,
    /// Silence that ends it; none: silence does not.
    #[serde(default, deserialize_with = "lenient::maybe", skip_serializing_if = "Option::is_none")]
    pub silence_duration_in_seconds: Option<u64>,
    /// What counts as silence, 1 to 1000.
    #[serde(default = "two_hundred", deserialize_with = "lenient::number")]
    pub silence_threshold: u64,
    /// Digits that end it.
    #[serde(default)]
    pub recording_terminators: Vec<String>,
    /// Where it goes.
    pub recording_destination: RecordingDestination,
}

fn two_hundred() -> u64 {
    200
}

/// `ReceiveDigits`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReceiveDigits {
    /// The leg that dials.
    #[serde(flatten)]
    pub target: Target,
    /// What is to be reported.
    pub input_digits_regex: String,
    /// Pause after which the digits so far are held against the expression.
    #[serde(deserialize_with = "lenient::number")]
    pub in_between_digits_duration_in_milliseconds: u64,
    /// Time after the first digit when whatever there is goes to the application.
    #[serde(deserialize_with = "lenient::number")]
    pub flush_digits_duration_in_milliseconds: u64,
}

/// `SendDigits`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendDigits {
    /// The leg that gets them.
    #[serde(flatten)]
    pub target: Target,
    /// `0-9*#ABCD`, and `,` for half a second's pause.
    pub digits: String,
    /// Length of each tone, 50 to 24000.
    #[serde(default = "quarter_second", deserialize_with = "lenient::number")]
    pub tone_duration_in_milliseconds: u64,
}

fn quarter_second() -> u64 {
    250
}

/// `Pause`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Pause {
    /// The leg that waits.
    #[serde(flatten)]
    pub target: Target,
    /// How long.
    #[serde(deserialize_with = "lenient::number")]
    pub duration_in_milliseconds: u64,
}

/// An action as JSON, for those whose type is not known here.
pub type RawAction = Map<String, Value>;
