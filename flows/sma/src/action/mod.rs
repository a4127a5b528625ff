//! Actions: what an application asks of a call. Type and field names are AWS's.

mod bot;
mod bridge;
mod check;
mod input;
pub(crate) mod kinds;
mod malformed;
mod meeting;
mod names;
mod recording;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::bot::{BotAlias, StartBotConversation};
pub use self::bridge::{CallAndBridge, Endpoint, EndpointType};
pub use self::check::{MAX_BRANCHES, may_set_header};
pub use self::input::DigitInput;
pub use self::malformed::Malformed;
pub use self::meeting::{
    JoinChimeMeeting, MEETING_NUMBER, ModifyChimeMeetingAttendees, VoiceFocus,
};
pub use self::names::parameters;
pub use self::recording::{
    CallRecordingControl, CallRecordingDestination, RecordAudio, RecordingDestination,
    StartCallRecording, Track,
};
use crate::lenient;
use crate::rules::{Interruptible, MidList, Rules};
use crate::speech::{Speak, SpeakAndGetDigits, SpeechParameters};

/// Which leg of a call: the caller's, or the one that `CallAndBridge` made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LegTag {
    /// The leg that the call began with.
    #[serde(rename = "LEG-A", alias = "Leg-A")]
    A,
    /// The leg bridged to it.
    #[serde(rename = "LEG-B", alias = "Leg-B")]
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
    /// Parameters that are not known here: they are passed on with the action.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Target {
    /// The leg with this tag.
    pub fn tag(tag: LegTag) -> Self {
        Self { participant_tag: Some(tag), ..Self::default() }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident($kind:ty)),+ $(,)?) => {
        /// One action.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "Type", content = "Parameters")]
        pub enum Action {
            $($(#[$doc])* $name($kind),)+
            /// One of these whose parameters cannot be read: it fails when its turn comes.
            #[serde(untagged)]
            Malformed(Box<Malformed>),
        }

        /// The type names of [`Action`].
        pub const KNOWN_ACTIONS: &[&str] = &[$(stringify!($name)),+];

        impl Action {
            /// The type's name on the wire.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)+
                    Self::Malformed(action) => action.name(),
                }
            }

            /// The leg it is for.
            pub fn target(&self) -> &Target {
                match self {
                    $(Self::$name(action) => &action.target,)+
                    Self::Malformed(action) => action.target(),
                }
            }

            /// The same, to fill in what was resolved before it is echoed in an event.
            pub fn target_mut(&mut self) -> &mut Target {
                match self {
                    $(Self::$name(action) => &mut action.target,)+
                    Self::Malformed(action) => action.target_mut(),
                }
            }
        }
    };
}

actions! {
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
    /// Takes a call that rings, and nothing else. In no page of AWS; its samples expect to be told of
    /// it, and handlers in use begin with it.
    Answer(Answer),
    /// Records a leg in the background.
    StartCallRecording(StartCallRecording),
    /// Ends that recording.
    StopCallRecording(CallRecordingControl),
    /// Silence is recorded.
    PauseCallRecording(CallRecordingControl),
    /// What is said is recorded again.
    ResumeCallRecording(CallRecordingControl),
    /// Suppresses noise.
    VoiceFocus(VoiceFocus),
    /// Brings the caller into a Chime meeting.
    JoinChimeMeeting(JoinChimeMeeting),
    /// Mutes attendees of that meeting.
    ModifyChimeMeetingAttendees(ModifyChimeMeetingAttendees),
    /// Lets a Lex bot talk with the caller.
    StartBotConversation(Box<StartBotConversation>),
    /// Offhook: the leg hears itself until it ends.
    Echo(Echo),
    /// Offhook: the leg talks with others until it ends.
    JoinConference(JoinConference),
    /// Offhook: the leg listens to the call of an extension, until either ends.
    SuperviseCall(SuperviseCall),
}

impl Action {
    /// Whether a call update may stop it half-way: `PlayAudio`, `RecordAudio` and `Pause`
    /// (update-sip-call).
    pub fn is_interruptible(&self, rules: &Rules) -> bool {
        match self {
            Self::PlayAudio(_) | Self::RecordAudio(_) | Self::Pause(_) => true,
            Self::Speak(_) => rules.interruptible == Interruptible::SpeechToo,
            _ => false,
        }
    }

    /// Whether running it answers a call that still rings. What concerns sound does: bridging leaves
    /// the caller ringing until the other side answers, hanging up rejects.
    pub fn answers(&self, rules: &Rules) -> bool {
        if matches!(self, Self::Pause(_)) {
            return rules.pause_answers;
        }
        matches!(
            self,
            Self::PlayAudio(_)
                | Self::PlayAudioAndGetDigits(_)
                | Self::Speak(_)
                | Self::SpeakAndGetDigits(_)
                | Self::RecordAudio(_)
                | Self::SendDigits(_)
                | Self::Answer(_)
                | Self::StartBotConversation(_)
                | Self::Echo(_)
                | Self::JoinConference(_)
                | Self::SuperviseCall(_)
        )
    }

    /// Whether the application is told the outcome at once, even when actions are left.
    pub fn always_reports(&self, rules: &Rules) -> bool {
        match self {
            Self::PlayAudioAndGetDigits(_)
            | Self::SpeakAndGetDigits(_)
            | Self::JoinChimeMeeting(_)
            | Self::ModifyChimeMeetingAttendees(_)
            // start-bot-conversation: "Once the conversation ends", with what the bot gathered.
            | Self::StartBotConversation(_) => true,
            Self::CallAndBridge(_) | Self::Hangup(_) | Self::RecordAudio(_) => {
                rules.mid_list == MidList::Workshop
            }
            _ => false,
        }
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

/// `Answer`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The leg.
    #[serde(flatten)]
    pub target: Target,
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

/// `SuperviseCall`: hears both parties of the call that an extension is in, and by its keys speaks to
/// the extension (5) or to both (6); 4 listens again. For callers with the right to do so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SuperviseCall {
    /// The leg.
    #[serde(flatten)]
    pub target: Target,
    /// Whose call.
    pub extension: String,
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
    #[serde(default = "input::one", deserialize_with = "lenient::number")]
    pub repeat: u64,
    /// Digits that stop it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub playback_terminators: Vec<String>,
}

/// `PlayAudioAndGetDigits`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PlayAudioAndGetDigits {
    /// What is asked of the digits. Stands before the leg: [`Target`] takes what is left.
    #[serde(flatten)]
    pub input: DigitInput,
    /// The leg that hears it and dials.
    #[serde(flatten)]
    pub target: Target,
    /// What to play.
    pub audio_source: AudioSource,
    /// Played after digits that do not fit, before the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_audio_source: Option<AudioSource>,
    /// Offhook: digits that go about in the audio.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub playback_controls: Vec<PlaybackControl>,
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
