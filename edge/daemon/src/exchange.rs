//! Wiring of the rooms in which calls live: phonebook, lamps, prompts, recorder, office.

use std::sync::Arc;

use offhook_config::Config;
use offhook_media::engine::Engine;
use offhook_media::recorder::Recorder;
use offhook_pbx::bots::Bots;
use offhook_pbx::call::{Services, Sounds};
use offhook_pbx::cloud::Cloud;
use offhook_pbx::keep::{Keep, Voicemails as _};
use offhook_pbx::metrics::Metrics;
use offhook_pbx::mwi::{CountMessages, MessageCounts, Mwi, MwiConfig};
use offhook_pbx::objects::Objects;
use offhook_pbx::office::{self, Desk as Book, Office, OfficeHandle};
use offhook_pbx::registrar::{Authenticator, Registrar};
use offhook_pbx::rooms::{Rooms, RosterParts, Rosters};
use offhook_pbx::stack::{NewRequest, SipHandle};
use offhook_pbx::trunk::Trunks;
use offhook_sip::ids::Ids;
use offhook_sip::message::Method;
use offhook_store::Store;
use tokio::sync::{Notify, mpsc, watch};

use crate::applications::Applications;
use crate::place::CommandError;

/// Decoded prompts that are kept, bytes.
const SOUNDS: usize = 64 << 20;

/// What an exchange is made of.
pub struct Parts {
    /// The configuration in force.
    pub config: watch::Receiver<Arc<Config>>,
    /// Signalling.
    pub sip: SipHandle,
    /// Requests outside of dialogs.
    pub requests: mpsc::Receiver<NewRequest>,
    /// Who may.
    pub auth: Authenticator,
    /// Phones.
    pub registrar: Registrar,
    /// Ways out.
    pub trunks: Trunks,
    /// Media.
    pub engine: Engine,
    /// What is kept.
    pub store: Store,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Applications that are not built in.
    pub applications: Arc<Applications>,
    /// Told when a recording waits to be stored.
    pub outbox: Arc<Notify>,
    /// Objects of buckets.
    pub buckets: Arc<dyn Objects>,
    /// Has the callers' own legs.
    pub cloud: Option<Arc<dyn Cloud>>,
    /// Has bots that talk with callers.
    pub bots: Option<Arc<dyn Bots>>,
}

/// Opens the exchange: from now on calls are taken.
pub fn open(parts: Parts) -> Result<(OfficeHandle, Mwi), CommandError> {
    let config = Arc::clone(&parts.config.borrow());
    let recorder = Recorder::start()
        .map_err(|e| CommandError::Words(format!("no thread for recordings: {e}")))?;
    let mwi = Mwi::spawn(
        MwiConfig::from(&*config),
        parts.sip.clone(),
        parts.auth.clone(),
        parts.registrar.clone(),
        counts(parts.store.clone()),
        Arc::clone(&parts.metrics),
    );
    let lamp = mwi.clone();
    let used = parts.store.used_mailboxes();
    let keep: Arc<dyn Keep> = Arc::new(parts.store);
    let screens = crate::screens::Sender::start(Arc::clone(&parts.metrics))
        .map_err(|e| CommandError::Words(format!("no thread for [screen_pop]: {e}")))?;
    let rooms = Arc::<Rooms>::default();
    let rosters = Rosters::spawn(RosterParts {
        sip: parts.sip.clone(),
        auth: parts.auth.clone(),
        rooms: Arc::clone(&rooms),
        config: parts.config.clone(),
        metrics: Arc::clone(&parts.metrics),
    });
    let services = Services {
        sip: parts.sip,
        engine: parts.engine,
        recorder: Arc::new(recorder),
        keep,
        phonebook: Arc::new(Book {
            authenticator: parts.auth,
            registrar: parts.registrar.clone(),
            trunks: parts.trunks,
        }),
        sounds: Arc::new(sounds(&parts.config.borrow().clone(), parts.buckets)?),
        lamp: Arc::new(move |mailbox: &str| lamp.mailbox_changed(mailbox)),
        outbox: parts.outbox,
        metrics: parts.metrics,
        rooms,
        cloud: parts.cloud,
        bots: parts.bots,
        screens: Arc::new(screens),
    };
    let office = Office::spawn(office::Parts {
        config: parts.config,
        services: Arc::new(services),
        requests: parts.requests,
        elsewhere: elsewhere(parts.registrar, rosters, mwi.clone()),
        pins: parts.applications.pins(),
        applications: Some(parts.applications),
        ids: Ids::from_os(),
    });
    let lamps = mwi.clone();
    tokio::spawn(async move {
        match used.await {
            Ok(used) => lamps.announce(used),
            Err(error) => tracing::warn!(%error, "message lamps may be dark until a change"),
        }
    });
    Ok((office, mwi))
}

/// Who takes requests outside of calls.
fn elsewhere(registrar: Registrar, rosters: Rosters, mwi: Mwi) -> office::Elsewhere {
    Box::new(move |new| match new.request.method {
        Method::Register => {
            registrar.handle(new);
            None
        }
        Method::Subscribe => {
            if let Some(new) = rosters.handle(new) {
                mwi.handle(new);
            }
            None
        }
        _ => Some(new),
    })
}

/// Prompts, files, and what speaks.
fn sounds(config: &Config, buckets: Arc<dyn Objects>) -> Result<Sounds, CommandError> {
    let sounds = Sounds::new(SOUNDS, config.voicemail.prompts.clone()).with_objects(buckets);
    Ok(match crate::speech::start(config)? {
        Some(speech) => sounds.with_speech(speech, config.speech.voice.clone()),
        None => sounds,
    })
}

/// Counts what a mailbox holds, for the lamp. A store that fails leaves the lamp as it is.
fn counts(store: Store) -> CountMessages {
    Arc::new(move |mailbox| {
        let listed = store.list_voicemails(mailbox);
        Box::pin(async move {
            let messages = listed.await.ok()?;
            let old = messages.iter().filter(|m| m.heard).count();
            let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            Some(MessageCounts { new: number(messages.len() - old), old: number(old) })
        })
    })
}
