//! The shape of a configuration: one immutable snapshot, with defaults for everything.
//!
//! A key's unit stands in its TOML name (`ring_seconds`); here the field is a
//! [`Duration`](std::time::Duration) without it (`ring`).

mod application_rules;
mod applications;
mod cloud;
mod media;
mod numbers;
mod recording;
mod screen;
mod server;
mod signalling;
mod speech;
mod supervision;
mod take_back;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

pub use self::application_rules::*;
pub use self::applications::*;
pub use self::cloud::*;
pub use self::media::*;
pub use self::numbers::*;
pub use self::recording::*;
pub(crate) use self::screen::comparable;
pub use self::screen::*;
pub use self::server::*;
pub use self::signalling::*;
pub use self::speech::*;
pub use self::supervision::*;
pub use self::take_back::*;
use crate::trunk::Trunk;

/// Everything the operator may write. Made by [`crate::check()`], or [`Config::default`] for the
/// embedded defaults; never changed afterwards: a reload makes another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `[server]`.
    pub server: Server,
    /// `[[listen]]`; never empty.
    pub listen: Listens,
    /// `[http]`.
    pub http: Http,
    /// `[api]`.
    pub api: Api,
    /// `[sip]`.
    pub sip: Sip,
    /// `[media]`.
    pub media: Media,
    /// `[webrtc]`.
    pub webrtc: WebRtc,
    /// `[registrar]`.
    pub registrar: Registrar,
    /// `[bans]`.
    pub bans: Bans,
    /// `[voicemail]`.
    pub voicemail: Voicemail,
    /// `[speech]`.
    pub speech: Speech,
    /// `[recording]`.
    pub recording: Recording,
    /// `[supervision]`.
    pub supervision: Supervision,
    /// `[conference]`.
    pub conference: Conferences,
    /// `[dialplan]`.
    pub dialplan: DialPlan,
    /// `[phonebook]`.
    pub phonebook: Phonebook,
    /// `[screen_pop]`.
    pub screen_pop: ScreenPop,
    /// `[journal]`.
    pub journal: Journal,
    /// `[aws]`.
    pub aws: Aws,
    /// `[take_back]`.
    pub take_back: TakeBack,
    /// `[cloud]`.
    pub cloud: Cloud,
    /// `[dnis]`.
    pub dnis: Dnis,
    /// `[application_rules]`.
    pub application_rules: ApplicationRules,
    /// `[business]`.
    pub business: Business,
    /// `[[trunk]]`, in the order they are tried (by `order`, then as written).
    pub trunks: Vec<Trunk>,
    /// `[[extension]]`, as written. Others live in the store (`offhook phone add`).
    pub extensions: Vec<Extension>,
    /// `[[group]]`, as written.
    pub groups: Vec<Group>,
    /// `[[supervisor]]`, as written.
    pub supervisors: Vec<Supervisor>,
    /// `[[number]]`, as written.
    pub numbers: Vec<NumberRule>,
    /// `[[lambda]]`, as written.
    pub lambdas: Vec<Lambda>,
    /// `[[webhook]]`, as written.
    pub webhooks: Vec<Webhook>,
    /// `[[connection]]`, as written.
    pub connections: Vec<Connection>,
    /// `[[bucket]]`, as written.
    pub buckets: Vec<Bucket>,
}

impl Config {
    /// Where voicemail messages are.
    pub fn voicemail_folder(&self) -> PathBuf {
        self.voicemail.folder.clone().unwrap_or_else(|| self.server.data_dir.join("voicemail"))
    }

    /// Where recordings of calls are kept on this machine, when they are.
    pub fn recordings_folder(&self) -> PathBuf {
        match &self.recording.place {
            RecordingPlace::Folder(Some(folder)) => folder.clone(),
            _ => self.server.data_dir.join("recordings"),
        }
    }

    /// Where recordings are until they are where they belong.
    pub fn recordings_outbox(&self) -> PathBuf {
        self.server.data_dir.join("outbox")
    }

    /// Where the objects of a bucket are that no `[[bucket]]` names.
    pub fn buckets_folder(&self) -> PathBuf {
        self.server.data_dir.join("buckets")
    }

    /// The folder of a bucket's objects; of one in an object store, those that are not there yet.
    pub fn bucket_folder(&self, bucket: &str) -> PathBuf {
        match self.bucket(bucket).map(|bucket| &bucket.place) {
            None => self.buckets_folder().join(bucket),
            Some(BucketPlace::Folder(folder)) => folder.clone(),
            Some(BucketPlace::S3(_)) => self.recordings_outbox().join("buckets").join(bucket),
        }
    }

    /// A `[[bucket]]` by name.
    pub fn bucket(&self, name: &str) -> Option<&Bucket> {
        self.buckets.iter().find(|bucket| bucket.name == name)
    }

    /// Where fetched objects of buckets are kept.
    pub fn bucket_cache(&self) -> PathBuf {
        self.server.data_dir.join("cache").join("buckets")
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.server.data_dir.join("offhook.db")
    }

    /// The UDP address of browsers' audio, when browsers can come.
    pub fn webrtc_address(&self) -> Option<SocketAddr> {
        let wss = self.listen.iter().any(|listen| listen.transport == Transport::Wss);
        wss.then_some(self.webrtc.address)
    }

    /// A trunk by name.
    pub fn trunk(&self, name: &str) -> Option<&Trunk> {
        self.trunks.iter().find(|t| t.name == name)
    }

    /// Trunks that claim a source address as a peer of theirs. Several may: two connectors of one
    /// region share their ranges.
    pub fn trunks_of(&self, source: IpAddr) -> impl Iterator<Item = &Trunk> {
        self.trunks.iter().filter(move |t| t.is_peer(source))
    }

    /// A group by name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|g| g.name == name)
    }

    /// A `[[lambda]]` by name.
    pub fn lambda(&self, name: &str) -> Option<&Lambda> {
        self.lambdas.iter().find(|l| l.name == name)
    }

    /// A `[[webhook]]` by name.
    pub fn webhook(&self, name: &str) -> Option<&Webhook> {
        self.webhooks.iter().find(|w| w.name == name)
    }

    /// A configured extension by number.
    pub fn extension(&self, number: &str) -> Option<&Extension> {
        self.extensions.iter().find(|e| e.number == number)
    }
}
