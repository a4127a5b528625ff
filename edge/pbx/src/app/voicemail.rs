//! Voicemail: greeting, beep, recording.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use offhook_sma::action::{Action, AudioSource, LegTag, RecordAudio, RecordingDestination, Target};
use offhook_sma::event::{EventType, InvocationEvent};
use offhook_sma::reply::Reply;
use offhook_sma::speech::SpeechParameters;

use super::{AppError, Application, builtin, hang_up, hung_up_leg, play, subject};
use crate::keep::Keep;

/// What the caller hears first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// The one that came with the program.
    Default,
    /// The same for a box whose owner is on the phone.
    Busy,
    /// A sound file: the extension's own, or the office's.
    File(PathBuf),
    /// A text that is spoken: the extension's own, or the office's.
    Text(String),
}

impl Greeting {
    fn source(&self) -> AudioSource {
        match self {
            Self::Default => builtin("vm-greeting"),
            Self::Busy => builtin("vm-greeting-busy"),
            Self::Text(text) => AudioSource::Speech(Box::new(SpeechParameters::text(text))),
            Self::File(path) => AudioSource::File { path: path.to_string_lossy().into_owned() },
        }
    }
}

/// A mailbox and its rules, as the call's configuration has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The extension.
    pub extension: String,
    /// What the caller hears.
    pub greeting: Greeting,
    /// Longest message.
    pub longest: Duration,
    /// Silence that ends it.
    pub silence: Option<Duration>,
    /// What counts as silence: mean absolute sample.
    pub silence_threshold: u16,
    /// Messages it holds.
    pub capacity: usize,
    /// Where messages lie.
    pub folder: PathBuf,
}

/// Octets that stay free for everything else: the database, the journal, the messages under way.
const LEAST_FREE: u64 = 64 << 20;

/// Whether a disk has so many octets free for us. What cannot be asked is tried.
pub(super) fn disk_has_room(folder: &Path, least: u64) -> bool {
    // The folder of the first message is made with it.
    let disk = folder.ancestors().find_map(|at| rustix::fs::statvfs(at).ok());
    disk.is_none_or(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= least)
}

/// Takes a message.
pub struct Voicemail {
    mailbox: Mailbox,
    keep: Arc<dyn Keep>,
    /// Said sorry already: what fails after that ends the call.
    apologised: bool,
}

impl std::fmt::Debug for Voicemail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Voicemail").field("mailbox", &self.mailbox).finish_non_exhaustive()
    }
}

impl Voicemail {
    /// For a mailbox.
    pub fn new(mailbox: Mailbox, keep: Arc<dyn Keep>) -> Self {
        Self { mailbox, keep, apologised: false }
    }

    /// The owner is on the phone: the greeting says so, unless it is a file.
    pub(super) fn is_busy(&mut self) {
        if self.mailbox.greeting == Greeting::Default {
            self.mailbox.greeting = Greeting::Busy;
        }
    }

    /// Whether the mailbox takes another message. When the store cannot say, it tries to.
    async fn has_room(&self) -> bool {
        let kept = self.keep.list_voicemails(self.mailbox.extension.clone()).await;
        if !kept.map_or(true, |messages| messages.len() < self.mailbox.capacity) {
            return false;
        }
        let folder = self.mailbox.folder.clone();
        // A folder may lie on a disk that sleeps.
        let looked = tokio::task::spawn_blocking(move || disk_has_room(&folder, LEAST_FREE)).await;
        let has_room = looked.unwrap_or(true);
        if !has_room {
            tracing::error!("no message is taken: the disk is full");
        }
        has_room
    }

    fn script(&self, greeting: AudioSource) -> Reply {
        let box_ = &self.mailbox;
        Reply::actions(vec![
            play(greeting),
            play(builtin("beep")),
            Action::RecordAudio(RecordAudio {
                target: Target::tag(LegTag::A),
                duration_in_seconds: Some(box_.longest.as_secs().max(1)),
                silence_duration_in_seconds: box_.silence.map(|s| s.as_secs().max(1)),
                silence_threshold: u64::from(box_.silence_threshold),
                recording_terminators: vec!["#".to_owned()],
                recording_destination: RecordingDestination::Mailbox {
                    mailbox: box_.extension.clone(),
                },
            }),
        ])
    }

    async fn answer(&mut self, event: InvocationEvent) -> Result<Reply, AppError> {
        if hung_up_leg(&event).is_some() {
            return Ok(Reply::nothing());
        }
        let bye = hang_up(LegTag::A, 0);
        Ok(match (event.invocation_event_type, subject(&event)) {
            (EventType::ActionSuccessful, _) => Reply::actions(vec![bye]),
            (EventType::ActionFailed, _) if self.apologised => Reply::actions(vec![bye]),
            (EventType::ActionFailed, Some((_, Action::PlayAudio(done))))
                if !matches!(done.audio_source, AudioSource::Builtin { .. }) =>
            {
                // A greeting that cannot be played must not cost the caller the message.
                self.script(builtin("vm-greeting"))
            }
            (EventType::ActionFailed, Some((_, Action::PlayAudio(_) | Action::RecordAudio(_)))) => {
                self.apologised = true;
                Reply::actions(vec![play(builtin("error")), bye])
            }
            (EventType::NewInboundCall | EventType::ActionFailed, _) => {
                if self.has_room().await {
                    self.script(self.mailbox.greeting.source())
                } else {
                    Reply::actions(vec![play(builtin("vm-full")), bye])
                }
            }
            _ => Reply::nothing(),
        })
    }
}

impl Application for Voicemail {
    fn name(&self) -> &'static str {
        "voicemail"
    }

    fn handle(&mut self, event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>> {
        Box::pin(self.answer(event))
    }
}
