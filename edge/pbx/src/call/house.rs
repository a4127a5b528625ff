//! What a call is made of: what it uses of the house, and what is known when it begins.

use std::sync::Arc;

use offhook_config::Config;
use offhook_media::engine::Engine;
use offhook_media::recorder::Recorder;
use offhook_sip::ids::Ids;
use offhook_sip::session::SessionConfig;
use tokio::sync::Notify;

use super::{Caller, Created, Sounds};
use crate::app::{Application, Lamp};
use crate::bots::Bots;
use crate::cloud::Cloud;
use crate::failure::Failure;
use crate::keep::Keep;
use crate::metrics::Metrics;
use crate::office::Phonebook;
use crate::office::route::Router;
use crate::rooms::Rooms;
use crate::screen::Screens;
use crate::stack::{NewRequest, SipHandle};
use crate::trunk::CallSlot;

/// What every call uses of the house.
pub struct Services {
    /// Signalling.
    pub sip: SipHandle,
    /// Media.
    pub engine: Engine,
    /// Recordings.
    pub recorder: Arc<Recorder>,
    /// What is kept.
    pub keep: Arc<dyn Keep>,
    /// Phones and trunks.
    pub phonebook: Arc<dyn Phonebook>,
    /// Prompts and files.
    pub sounds: Arc<Sounds>,
    /// Message lamps.
    pub lamp: Lamp,
    /// Told when a recording waits to be stored.
    pub outbox: Arc<Notify>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Conferences that go on.
    pub rooms: Arc<Rooms>,
    /// Has the callers' own legs; `None`: nobody is asked.
    pub cloud: Option<Arc<dyn Cloud>>,
    /// Has bots that talk with callers.
    pub bots: Option<Arc<dyn Bots>>,
    /// Who wants to know what phones do.
    pub screens: Arc<dyn Screens>,
}

/// A configuration and what is derived from it; a call keeps the one it began with.
pub struct Settings {
    /// The snapshot.
    pub config: Arc<Config>,
    /// For legs of phones: they may put calls through to each other (RFC 3891 in a REFER).
    pub phones: Arc<SessionConfig>,
    /// For legs over trunks without credentials.
    pub trunks: Arc<SessionConfig>,
    /// For legs over trunks with credentials.
    pub challenged: Arc<SessionConfig>,
}

/// What a call takes from the office that starts it.
pub(crate) struct House {
    pub(crate) services: Arc<Services>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) router: Arc<Router>,
    pub(crate) ids: Ids,
}

/// A call to be run.
pub(crate) struct NewCall {
    pub(crate) id: String,
    pub(crate) caller: Caller,
    /// Number dialled.
    pub(crate) dialled: String,
    /// Where the record says it went, unless somebody else answers.
    pub(crate) destination: Option<String>,
    pub(crate) app: Box<dyn Application>,
    pub(crate) emergency: bool,
    /// The user part of the conference's address, when the call is to one: its Contact
    /// (RFC 4579 §5.1).
    pub(crate) focus: Option<String>,
    /// It orders a held call to be put through: to what this says, the code before it.
    pub(crate) order: Option<String>,
    /// Why the application refuses, when it does.
    pub(crate) failure: Option<&'static Failure>,
    pub(crate) begins: Begins,
    /// Its place among the calls of the trunk it came over.
    pub(crate) slot: Option<CallSlot>,
}

/// What begins a call.
pub(crate) enum Begins {
    /// Somebody calls.
    Invite(Box<NewRequest>),
    /// An application does.
    Created(Box<Created>),
}
