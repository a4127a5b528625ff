//! The files of `RecordAudio`: a mailbox's message, an object of a bucket, a file of a folder. What
//! is a message or an object is announced to the keep before the first word, and survives `kill -9`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use offhook_media::recorder::{Format, RecordingDone, RecordingHandle};
use offhook_sma::action::{RecordAudio, RecordingDestination};
use offhook_sma::event::{ActionData, EventType, Outcome};
use tokio::sync::oneshot;

use super::leg::LegId;
use super::{Call, Services, guid};
use crate::keep::{self, Voicemail};

/// A file that is being written, and what it is for.
pub(super) struct File {
    pub(super) handle: RecordingHandle,
    pub(super) purpose: Purpose,
}

/// What a file is for, by its id in the keep.
pub(super) enum Purpose {
    Message { id: String, mailbox: String },
    Object { id: String, bucket: String, key: String },
    Folder,
}

/// What the keep is told before the first word.
pub(super) enum Announcement {
    Message(Voicemail),
    /// And the event by which an application that outlives its call hears of it.
    Object(Box<(keep::Recording, Option<String>)>),
    None,
}

/// The file is open, and what it is for is announced to the keep.
pub(super) struct Started(pub(super) File);

impl Call {
    /// The file, and what is told of it.
    pub(super) fn destination(
        &mut self,
        leg: LegId,
        run: u64,
        action: &RecordAudio,
    ) -> Option<(PathBuf, Announcement)> {
        let id = guid(&mut self.ids);
        match &action.recording_destination {
            RecordingDestination::Mailbox { mailbox } => {
                if !offhook_config::is_extension(mailbox) {
                    return None;
                }
                let folder = self.config().voicemail_folder().join(mailbox);
                let path = folder.join(format!("{id}.wav"));
                let message = self.message(id, mailbox.clone(), path.clone());
                Some((path, Announcement::Message(message)))
            }
            RecordingDestination::Folder { path } => {
                let name = format!("{}-{id}.wav", self.record.id);
                Some((PathBuf::from(path).join(name), Announcement::None))
            }
            RecordingDestination::S3 { bucket_name, prefix, .. } => {
                let call_id = self.leg_ref(leg).map(|leg| leg.call_id.clone()).unwrap_or_default();
                let prefix = prefix.as_deref().unwrap_or_default().trim_matches('/');
                let name = format!("{call_id}-recordings-{run}.wav");
                let key = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
                let path = self.config().bucket_folder(bucket_name).join(&key);
                let recording = keep::Recording {
                    id,
                    call_id: self.record.id.clone(),
                    started: SystemTime::now(),
                    duration_ms: 0,
                    file: path.clone(),
                    key,
                    bucket: Some(bucket_name.clone()),
                    stored: None,
                    attempts: 0,
                    error: None,
                };
                // One that is being asked something is away: what it needs not does no harm.
                let outlives = self.app.as_ref().is_none_or(|app| app.outlives_call());
                let told = outlives.then(|| self.told_without_call(bucket_name, &recording.key));
                Some((path, Announcement::Object(Box::new((recording, told)))))
            }
        }
    }

    /// What the application is told of a recording when the appliance dies while it runs: the same as
    /// when the caller hangs up meanwhile.
    fn told_without_call(&self, bucket: &str, key: &str) -> String {
        let destination = RecordingDestination::S3 {
            bucket_name: bucket.to_owned(),
            prefix: None,
            key: Some(key.to_owned()),
        };
        let recording_destination = Some(destination);
        let outcome = Outcome { recording_destination, ..Outcome::default() };
        let action = self.script.running().cloned();
        let data = action.map(|action| ActionData { outcome, ..ActionData::of(action) });
        serde_json::json!(self.transaction.last_event(EventType::ActionSuccessful, data))
            .to_string()
    }

    fn message(&self, id: String, mailbox: String, file: PathBuf) -> Voicemail {
        Voicemail {
            id,
            mailbox,
            caller: self.caller.number.clone(),
            original_caller: self.caller.original.clone(),
            call_id: self.record.id.clone(),
            received: SystemTime::now(),
            duration_ms: 0,
            file,
            heard: false,
            saved: false,
        }
    }
}

/// Opens the file and announces it, in this order: what was announced has a file, and a file that
/// was not is found by nobody.
pub(super) async fn begin(
    services: &Services,
    path: PathBuf,
    announcement: Announcement,
) -> Result<Started, String> {
    let recorder = Arc::clone(&services.recorder);
    let to = path.clone();
    let opened = tokio::task::spawn_blocking(move || {
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder)?;
        }
        recorder.create(&to, Format::Pcm16)
    })
    .await;
    let handle = match opened {
        Ok(Ok(handle)) => handle,
        Ok(Err(error)) => return Err(format!("{}: {error}", path.display())),
        Err(_) => return Err("the recorder failed".to_owned()),
    };
    let (announced, purpose) = match announcement {
        Announcement::None => return Ok(Started(File { handle, purpose: Purpose::Folder })),
        Announcement::Message(message) => {
            let purpose =
                Purpose::Message { id: message.id.clone(), mailbox: message.mailbox.clone() };
            (services.keep.begin_voicemail(message).await, purpose)
        }
        Announcement::Object(announced) => {
            let (recording, told) = *announced;
            let bucket = recording.bucket.clone().unwrap_or_default();
            let (id, key) = (recording.id.clone(), recording.key.clone());
            let purpose = Purpose::Object { id, bucket, key };
            let begun = match told {
                Some(told) => services.keep.begin_told_recording(recording, told),
                None => services.keep.begin_recording(recording),
            };
            (begun.await, purpose)
        }
    };
    announced.map_err(|error| error.to_string())?;
    Ok(Started(File { handle, purpose }))
}

/// Tells the keep that a file is whole. `worth`: whether it is one for a mailbox. Gives whether it
/// was kept.
pub(super) async fn kept(
    services: &Services,
    purpose: &Purpose,
    done: RecordingDone,
    worth: bool,
) -> Result<bool, String> {
    let millis = u64::try_from(done.duration().as_millis()).unwrap_or(u64::MAX);
    match purpose {
        Purpose::Message { id, mailbox } => {
            let millis = if worth { millis } else { 0 };
            let kept = services.keep.finish_voicemail(id.clone(), millis).await;
            (services.lamp)(mailbox);
            match (kept, done.error) {
                (Err(error), _) => Err(error.to_string()),
                (Ok(()), Some(error)) if !worth => Err(error.to_string()),
                (Ok(()), _) => Ok(worth),
            }
        }
        Purpose::Object { id, .. } => {
            // Of a full disk there is what was written before. Silence of no length is an object
            // as well: its key is told.
            let nothing = done.error.is_some() && millis == 0;
            let millis = if nothing { 0 } else { millis.max(1) };
            let kept = services.keep.finish_recording(id.clone(), millis).await;
            services.outbox.notify_one();
            match (kept, done.error) {
                (Err(error), _) => Err(error.to_string()),
                (Ok(()), Some(error)) => Err(error.to_string()),
                (Ok(()), None) => Ok(true),
            }
        }
        Purpose::Folder => done.error.map_or(Ok(true), |error| Err(error.to_string())),
    }
}

/// Everything pushed is on the disk when this returns.
pub(super) async fn close(handle: RecordingHandle) -> RecordingDone {
    let (tell, told) = oneshot::channel();
    let path = handle.path().to_owned();
    handle.finish(Box::new(move |done| {
        let _ = tell.send(done);
    }));
    told.await.unwrap_or(RecordingDone { path, samples: 0, dropped: 0, error: None })
}
