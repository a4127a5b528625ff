//! What the heart wants kept, as traits. `offhook-store` keeps it on SQLite; tests in memory.
//!
//! A future that resolves to `Ok` means: it survives `kill -9` from now on.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::SystemTime;

/// Re-exported for those who keep a [`Binding`] and have no other business with SIP.
pub use offhook_sip::flow::Transport;

pub use offhook_config::Supervising;

use crate::event::CallEvent;

/// A boxed future, so that the traits can be used as `Arc<dyn …>`.
pub type Kept<T> = Pin<Box<dyn Future<Output = Result<T, KeepError>> + Send>>;

/// Why something could not be kept or read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeepError {
    /// The store's queue is full: the caller answers 503 and goes on.
    #[error("the store is overloaded")]
    Overloaded,
    /// The disk is full or the file is damaged; the text says which.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// A desk phone's account. HA1 digests stand for the password, which is never kept (RFC 2617 §3.2.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Digits the office dials, also the digest user name.
    pub number: String,
    /// Shown to others.
    pub name: String,
    /// MD5(number:realm:password), lower-case hex.
    pub ha1_md5: String,
    /// SHA-256(number:realm:password), lower-case hex.
    pub ha1_sha256: String,
    /// Realm that the digests were made for.
    pub realm: String,
    /// Whether unanswered calls go to voicemail.
    pub voicemail: bool,
    /// Salted hash of the voicemail PIN; `None`: no PIN set, remote access refused.
    pub pin: Option<String>,
    /// Do not disturb: straight to voicemail.
    pub do_not_disturb: bool,
    /// Own greeting, a file under the voicemail folder.
    pub greeting: Option<PathBuf>,
}

/// One contact of one extension (RFC 3261 §10.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Extension number.
    pub aor: String,
    /// Contact URI as registered.
    pub contact: String,
    /// Call-ID of the REGISTER.
    pub call_id: String,
    /// CSeq of the REGISTER.
    pub cseq: u32,
    /// Absolute expiry.
    pub expires: SystemTime,
    /// Transport it came over.
    pub transport: Transport,
    /// Source address of the REGISTER: where requests go when the phone is behind NAT.
    pub received: SocketAddr,
    /// Our socket it came to.
    pub local: SocketAddr,
    /// User-Agent text, for `phone list`.
    pub user_agent: Option<String>,
    /// Path header values (RFC 3327), in order.
    pub path: Vec<String>,
    /// `+sip.instance`, when given (RFC 5626).
    pub instance: Option<String>,
    /// It has ICE: `+sip.ice` (RFC 5768 §5).
    pub ice: bool,
}

/// One change to bindings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindingChange {
    /// Insert or replace by (aor, contact).
    Put(Binding),
    /// Remove by (aor, contact).
    Remove {
        /// Extension number.
        aor: String,
        /// Contact URI.
        contact: String,
    },
}

/// How AWS knows a call: what ties its legs there to its record here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloudIds {
    /// `TransactionId` of the SIP media application's call; of a call that this box itself has
    /// bridged to Connect, the record's own id.
    pub transaction_id: Option<String>,
    /// `SipMediaApplicationId` of the application that has it.
    pub sip_media_application_id: Option<String>,
    /// `ContactId` of Amazon Connect.
    pub contact_id: Option<String>,
    /// `InitialContactId` of Amazon Connect.
    pub initial_contact_id: Option<String>,
}

/// Which calls are meant; all by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Of this contact of Connect, first or last.
    pub contact: Option<String>,
    /// Of this transaction: of AWS, or the call's own id.
    pub transaction: Option<String>,
}

impl CallFilter {
    /// Whether a call is meant.
    pub fn takes(&self, call: &CallRecord) -> bool {
        let cloud = &call.cloud;
        let is = |wanted: &Option<String>, all: [Option<&String>; 2]| {
            wanted.as_ref().is_none_or(|wanted| all.contains(&Some(wanted)))
        };
        is(&self.contact, [cloud.contact_id.as_ref(), cloud.initial_contact_id.as_ref()])
            && is(&self.transaction, [cloud.transaction_id.as_ref(), Some(&call.id)])
    }
}

/// A call's record (what `offhook calls` lists). Numbers are complete here; masking is for logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// Our id of the call; also the SMA transaction id (a GUID).
    pub id: String,
    /// When the INVITE came.
    pub started: SystemTime,
    /// When it was answered by a person or a voice application.
    pub answered: Option<SystemTime>,
    /// When it ended.
    pub ended: Option<SystemTime>,
    /// From user of the incoming leg, E.164 when it is one.
    pub from: String,
    /// Number dialled.
    pub to: String,
    /// `X-Original-Calling-Number`, when a trunk sent one.
    pub original_caller: Option<String>,
    /// `extension:101` or `trunk:NAME`.
    pub source: String,
    /// Who answered or where it ended: `extension:102`, `voicemail:101`, `trunk:NAME`.
    pub destination: Option<String>,
    /// `answered`, `voicemail`, `busy`, `no-answer`, `cancelled`, `failed`, `lost` (daemon killed).
    pub disposition: String,
    /// Code of the failure catalogue, when it failed.
    pub failure: Option<String>,
    /// Who hung up: `caller`, `callee`, `us`.
    pub hung_up_by: Option<String>,
    /// The (last) times that a phone put the call through, oldest first.
    pub transfers: Vec<Transferred>,
    /// Those who listened to the call (the last ones), oldest first.
    pub supervised: Vec<Supervised>,
    /// How AWS knows it.
    pub cloud: CloudIds,
}

/// Somebody of the office listened to a call (`[[supervisor]]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervised {
    /// Since when.
    pub at: SystemTime,
    /// Until when; `None`: to this moment.
    pub until: Option<SystemTime>,
    /// Who did: `extension:100`.
    pub by: String,
    /// The most that was done.
    pub how: Supervising,
}

/// A phone put a call through, or tried to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transferred {
    /// When it asked for it.
    pub at: SystemTime,
    /// Who did: `extension:101`.
    pub by: String,
    /// The number to which; for a call that another one was joined to, that one's party.
    pub to: String,
    /// To a call that there was already (REFER with Replaces, RFC 5589 §7).
    pub attended: bool,
    /// What came of it, as the phone was told: 200, or a SIP status that says why not. `None`: not
    /// decided (yet).
    pub status: Option<u16>,
}

impl Transferred {
    /// Whether the call went there.
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// A voicemail message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voicemail {
    /// Our id.
    pub id: String,
    /// Extension whose mailbox it is.
    pub mailbox: String,
    /// Caller as shown.
    pub caller: String,
    /// `X-Original-Calling-Number`.
    pub original_caller: Option<String>,
    /// Call it belongs to.
    pub call_id: String,
    /// When the recording began.
    pub received: SystemTime,
    /// Length of the audio in milliseconds.
    pub duration_ms: u64,
    /// WAV file.
    pub file: PathBuf,
    /// Heard (moves from new to old; both counted in MWI, RFC 3842).
    pub heard: bool,
    /// Saved by the user.
    pub saved: bool,
}

/// A recorded conversation, on its way to where recordings are kept or there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Our id.
    pub id: String,
    /// Call it belongs to.
    pub call_id: String,
    /// When it began.
    pub started: SystemTime,
    /// Length of the audio in milliseconds; 0 while it runs.
    pub duration_ms: u64,
    /// Where it was recorded to.
    pub file: PathBuf,
    /// Its name where it is kept.
    pub key: String,
    /// The bucket of an application that it is for; `None`: where recordings of calls are kept.
    pub bucket: Option<String>,
    /// Where it is, once it is there: a path, or `s3://bucket/key`.
    pub stored: Option<String>,
    /// Attempts to bring it there that failed.
    pub attempts: u32,
    /// Why the last one did.
    pub error: Option<String>,
}

/// What waits to be brought to where recordings are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Recordings that have ended and are not there.
    pub waiting: u64,
    /// Those of them that failed at least once.
    pub failing: u64,
    /// When the oldest of them began.
    pub oldest: Option<SystemTime>,
}

/// An address that is banned for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// Source.
    pub source: IpAddr,
    /// Why, in words.
    pub reason: String,
    /// Failures counted.
    pub failures: u32,
    /// When it began.
    pub since: SystemTime,
    /// When it ends.
    pub until: SystemTime,
}

/// Extensions.
pub trait Extensions: Send + Sync {
    /// All, at start and after `phone add`.
    fn load_extensions(&self) -> Kept<Vec<Extension>>;
    /// Insert or replace.
    fn put_extension(&self, extension: Extension) -> Kept<()>;
    /// `false` when there was none.
    fn remove_extension(&self, number: String) -> Kept<bool>;
}

/// Registrations.
pub trait Bindings: Send + Sync {
    /// All that have not expired.
    fn load_bindings(&self) -> Kept<Vec<Binding>>;
    /// All or none of the changes.
    fn change_bindings(&self, changes: Vec<BindingChange>) -> Kept<()>;
}

/// Call records and their timelines.
pub trait Calls: Send + Sync {
    /// Insert or replace the record.
    fn put_call(&self, record: CallRecord) -> Kept<()>;
    /// Appends events to a call's timeline. Never blocks; what does not fit the queue is counted
    /// and reported as `events_lost` in the timeline.
    fn append_events(&self, call: String, events: Vec<CallEvent>);
    /// Newest first.
    fn list_calls(&self, limit: usize) -> Kept<Vec<CallRecord>>;
    /// Those that are meant, newest first.
    fn find_calls(&self, filter: CallFilter, limit: usize) -> Kept<Vec<CallRecord>>;
    /// A record by id or unique prefix of one, with its timeline.
    fn show_call(&self, id: String) -> Kept<Option<(CallRecord, Vec<CallEvent>)>>;
}

/// Voicemail.
pub trait Voicemails: Send + Sync {
    /// Says that a recording begins, so that a message survives `kill -9` while it is recorded.
    fn begin_voicemail(&self, message: Voicemail) -> Kept<()>;
    /// The recording ended; from now on it is listed. `duration_ms` 0 = nothing was said: dropped.
    fn finish_voicemail(&self, id: String, duration_ms: u64) -> Kept<()>;
    /// Those that a killed daemon left begun.
    fn unfinished_voicemails(&self) -> Kept<Vec<Voicemail>>;
    /// Of one mailbox, oldest first, finished ones only.
    fn list_voicemails(&self, mailbox: String) -> Kept<Vec<Voicemail>>;
    /// The mailboxes that hold any finished one, or ever did: a lamp may be lit for them.
    fn used_mailboxes(&self) -> Kept<Vec<String>>;
    /// Marks as heard or saved.
    fn mark_voicemail(&self, id: String, heard: bool, saved: bool) -> Kept<()>;
    /// Deletes the row, then the file.
    fn delete_voicemail(&self, id: String) -> Kept<()>;
}

/// Recorded conversations.
pub trait Recordings: Send + Sync {
    /// Says that one begins, so that it survives `kill -9` while it runs.
    fn begin_recording(&self, recording: Recording) -> Kept<()>;
    /// The same for what an application has recorded that outlives its call. `told`: the event, as
    /// JSON, by which it hears of the recording should the call not live to tell it.
    fn begin_told_recording(&self, recording: Recording, told: String) -> Kept<()>;
    /// It ended; from now on it waits to be stored. `duration_ms` 0 = there is nothing: forgotten,
    /// and its file with it.
    fn finish_recording(&self, id: String, duration_ms: u64) -> Kept<()>;
    /// Those that a killed daemon left begun.
    fn unfinished_recordings(&self) -> Kept<Vec<Recording>>;
    /// Those that wait, the ones with fewest failed attempts first, the oldest of these first;
    /// `fresh`: only those that were never tried.
    fn waiting_recordings(&self, fresh: bool, limit: usize) -> Kept<Vec<Recording>>;
    /// It is where it belongs, and no longer in the file it was recorded to.
    fn recording_stored(&self, id: String, location: String) -> Kept<()>;
    /// An attempt failed.
    fn recording_delayed(&self, id: String, error: String) -> Kept<()>;
    /// What waits, in numbers.
    fn recordings_backlog(&self) -> Kept<Backlog>;
    /// Newest first.
    fn list_recordings(&self, limit: usize) -> Kept<Vec<Recording>>;
}

/// Bans, so that a restart does not forgive a scanner.
pub trait Bans: Send + Sync {
    /// Those still in force.
    fn load_bans(&self) -> Kept<Vec<Ban>>;
    /// Insert or replace.
    fn put_ban(&self, ban: Ban) -> Kept<()>;
    /// Lifts one.
    fn remove_ban(&self, source: IpAddr) -> Kept<()>;
}

/// Everything the heart wants kept.
pub trait Keep: Extensions + Bindings + Calls + Voicemails + Recordings + Bans {}
impl<T: Extensions + Bindings + Calls + Voicemails + Recordings + Bans> Keep for T {}
