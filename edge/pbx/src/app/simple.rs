//! Small applications: play a file, record, refuse.

use offhook_sma::action::{
    Action, AudioSource, Echo as EchoAction, JoinConference, LegTag, PlayAudio, RecordAudio,
    RecordingDestination, SuperviseCall, Target,
};
use offhook_sma::event::{EventType, InvocationEvent};
use offhook_sma::reply::Reply;
use offhook_sma::speech::{Speak, SpeechParameters};

use super::{Immediate, hang_up};

/// Plays a file to the caller, then hangs up.
#[derive(Debug)]
pub struct Play {
    path: String,
    /// How many times; 0: until the caller hangs up.
    repeat: u64,
}

impl Play {
    /// A file that symphonia understands.
    pub fn new(path: impl Into<String>, repeat: u64) -> Self {
        Self { path: path.into(), repeat }
    }
}

impl Immediate for Play {
    fn name(&self) -> &'static str {
        "play"
    }

    fn reply(&mut self, event: &InvocationEvent) -> Reply {
        match event.invocation_event_type {
            EventType::NewInboundCall => Reply::actions(vec![
                Action::PlayAudio(PlayAudio {
                    target: Target::tag(LegTag::A),
                    audio_source: AudioSource::File { path: self.path.clone() },
                    repeat: self.repeat,
                    playback_terminators: Vec::new(),
                }),
                hang_up(LegTag::A, 0),
            ]),
            EventType::ActionFailed => Reply::actions(vec![hang_up(LegTag::A, 500)]),
            _ => Reply::nothing(),
        }
    }
}

/// Says a text to the caller, then hangs up.
#[derive(Debug)]
pub struct Say {
    text: String,
    /// Said sorry already.
    apologised: bool,
}

impl Say {
    /// Plain text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), apologised: false }
    }
}

impl Immediate for Say {
    fn name(&self) -> &'static str {
        "say"
    }

    fn reply(&mut self, event: &InvocationEvent) -> Reply {
        match event.invocation_event_type {
            EventType::NewInboundCall => Reply::actions(vec![
                Action::Speak(Box::new(Speak {
                    target: Target::tag(LegTag::A),
                    speech: SpeechParameters::text(self.text.as_str()),
                })),
                hang_up(LegTag::A, 0),
            ]),
            EventType::ActionFailed if self.apologised => {
                Reply::actions(vec![hang_up(LegTag::A, 500)])
            }
            EventType::ActionFailed => {
                self.apologised = true;
                Reply::actions(vec![super::play(super::builtin("error")), hang_up(LegTag::A, 500)])
            }
            _ => Reply::nothing(),
        }
    }
}

/// Records the caller into a folder until the caller hangs up or presses `#`.
#[derive(Debug)]
pub struct Record {
    folder: String,
}

impl Record {
    /// Into this folder.
    pub fn new(folder: impl Into<String>) -> Self {
        Self { folder: folder.into() }
    }
}

impl Immediate for Record {
    fn name(&self) -> &'static str {
        "record"
    }

    fn reply(&mut self, event: &InvocationEvent) -> Reply {
        match event.invocation_event_type {
            EventType::NewInboundCall => Reply::actions(vec![
                super::play(super::builtin("beep")),
                Action::RecordAudio(RecordAudio {
                    target: Target::tag(LegTag::A),
                    duration_in_seconds: None,
                    silence_duration_in_seconds: None,
                    silence_threshold: 200,
                    recording_terminators: vec!["#".to_owned()],
                    recording_destination: RecordingDestination::Folder {
                        path: self.folder.clone(),
                    },
                }),
                hang_up(LegTag::A, 0),
            ]),
            EventType::ActionFailed => Reply::actions(vec![hang_up(LegTag::A, 500)]),
            _ => Reply::nothing(),
        }
    }
}

/// Refuses the call with a status.
#[derive(Debug)]
pub struct Refuse(pub u16);

impl Immediate for Refuse {
    fn name(&self) -> &'static str {
        "refuse"
    }

    fn reply(&mut self, event: &InvocationEvent) -> Reply {
        match event.invocation_event_type {
            EventType::NewInboundCall => Reply::actions(vec![hang_up(LegTag::A, self.0)]),
            _ => Reply::nothing(),
        }
    }
}

/// The echo test: the caller hears itself until it hangs up.
#[derive(Debug)]
pub struct Echo;

impl Immediate for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn reply(&mut self, event: &InvocationEvent) -> Reply {
        match event.invocation_event_type {
            EventType::NewInboundCall => Reply::actions(vec![
                super::play(super::builtin("beep")),
                Action::Echo(EchoAction { target: Target::tag(LegTag::A) }),
            ]),
            EventType::ActionFailed => Reply::actions(vec![hang_up(LegTag::A, 500)]),
            _ => Reply::nothing(),
        }
    }
}

/// The caller talks with all others who are in the same conference.
#[derive(Debug)]
pub struct Conference(pub String);

/// A room of its own for a phone that asks for one (RFC 4579 §5.4). It is silent until others come.
#[derive(Debug)]
pub struct NewConference;

impl Immediate for NewConference {
    fn name(&self) -> &'static str {
        "conference"
    }

    fn reply(&mut self, event: &InvocationEvent) -> Reply {
        match event.invocation_event_type {
            EventType::NewInboundCall => {
                let conference = crate::rooms::room_of(&event.call_details.transaction_id);
                let target = Target::tag(LegTag::A);
                let join = JoinConference { target, conference };
                Reply::actions(vec![Action::JoinConference(join)])
            }
            EventType::ActionFailed => Reply::actions(vec![hang_up(LegTag::A, 500)]),
            _ => Reply::nothing(),
        }
    }
}

/// The caller listens to the call of an extension. Why it cannot is spoken.
#[derive(Debug)]
pub struct Supervise {
    extension: String,
    failures: u8,
}

impl Supervise {
    /// Of this extension.
    pub fn new(extension: impl Into<String>) -> Self {
        Self { extension: extension.into(), failures: 0 }
    }
}

impl Immediate for Supervise {
    fn name(&self) -> &'static str {
        "supervise"
    }

    fn reply(&mut self, event: &InvocationEvent) -> Reply {
        match event.invocation_event_type {
            EventType::NewInboundCall => {
                Reply::actions(vec![Action::SuperviseCall(SuperviseCall {
                    target: Target::tag(LegTag::A),
                    extension: self.extension.clone(),
                })])
            }
            EventType::ActionSuccessful => Reply::actions(vec![hang_up(LegTag::A, 0)]),
            EventType::ActionFailed if self.failures > 1 => {
                Reply::actions(vec![hang_up(LegTag::A, 500)])
            }
            // Nobody is there who could speak.
            EventType::ActionFailed if self.failures == 1 => {
                self.failures = 2;
                Reply::actions(vec![super::play(super::builtin("error")), hang_up(LegTag::A, 0)])
            }
            EventType::ActionFailed => {
                self.failures = 1;
                let why = event.action_data.as_ref().and_then(|data| data.error_message.clone());
                let speak = Speak {
                    target: Target::tag(LegTag::A),
                    speech: SpeechParameters::text(why.unwrap_or_default()),
                };
                Reply::actions(vec![Action::Speak(Box::new(speak)), hang_up(LegTag::A, 0)])
            }
            _ => Reply::nothing(),
        }
    }
}

impl Immediate for Conference {
    fn name(&self) -> &'static str {
        "conference"
    }

    fn reply(&mut self, event: &InvocationEvent) -> Reply {
        match event.invocation_event_type {
            EventType::NewInboundCall => Reply::actions(vec![
                super::play(super::builtin("beep")),
                Action::JoinConference(JoinConference {
                    target: Target::tag(LegTag::A),
                    conference: self.0.clone(),
                }),
            ]),
            EventType::ActionFailed => Reply::actions(vec![hang_up(LegTag::A, 500)]),
            _ => Reply::nothing(),
        }
    }
}
