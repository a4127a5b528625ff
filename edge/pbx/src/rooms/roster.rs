//! Who is in a conference, for phones that want to know (RFC 4575): subscriptions to the address of
//! a room.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use offhook_config::dialplan::Route;
use offhook_config::{Config, Origin, Target};
use offhook_sip::flow::Transport;
use offhook_sip::header::Event;
use offhook_sip::message::{Request, Response, StatusCode};
use offhook_sip::subscription::Limits;
use offhook_sip::uri::{Host, Uri};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::Rooms;
use super::body::{CONTENT_TYPE, DATAGRAM, deleted, entity_of, full};
use crate::call::identity;
use crate::metrics::Metrics;
use crate::office::user_of;
use crate::registrar::{Authenticator, Directory};
use crate::stack::{NewRequest, SipEvent, SipHandle};
use crate::subscriptions::{About, Package, Subscriptions};

/// The package's name (RFC 4575 §3.1).
const PACKAGE: &str = "conference";
/// Orders that may wait.
const MAX_WAITING: usize = 1_024;
/// Subscriptions at a time; those of one extension to one conference.
const MOST: usize = 2_000;
const MOST_EACH: usize = 4;
/// RFC 4575 §3.9: no more often is a subscriber told of changes.
const PACE: Duration = Duration::from_secs(5);

/// What it is made of.
pub struct RosterParts {
    /// Signalling.
    pub sip: SipHandle,
    /// Who sends a SUBSCRIBE.
    pub auth: Authenticator,
    /// The conferences.
    pub rooms: Arc<Rooms>,
    /// Where conferences have numbers.
    pub config: watch::Receiver<Arc<Config>>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// The service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rosters {
    asks: mpsc::Sender<Box<NewRequest>>,
    sip: SipHandle,
}

impl Rosters {
    /// Starts its task on the current runtime. It ends when all handles are gone.
    pub fn spawn(parts: RosterParts) -> Self {
        let (asks, inbox) = mpsc::channel(MAX_WAITING);
        let sip = parts.sip.clone();
        let package = Package {
            name: PACKAGE,
            limits: Limits::default(),
            server: parts.config.borrow().server.user_agent.clone(),
            most: MOST,
            most_each: MOST_EACH,
        };
        let directory = parts.auth.directory().clone();
        let (subscriptions, mailbox) =
            Subscriptions::new(package, parts.sip, parts.auth, parts.metrics);
        let task = Task {
            rooms: parts.rooms,
            config: parts.config,
            directory,
            subscriptions,
            paces: HashMap::new(),
        };
        tokio::spawn(task.run(inbox, mailbox));
        Self { asks, sip }
    }

    /// Takes a SUBSCRIBE outside any dialog, when it is to this package; gives others back. Never
    /// waits.
    pub fn handle(&self, new: NewRequest) -> Option<NewRequest> {
        let event = new.request.headers.typed::<Event>().ok().flatten();
        if !event.is_some_and(|event| event.package.eq_ignore_ascii_case(PACKAGE)) {
            return Some(new);
        }
        if let Err(refused) = self.asks.try_send(Box::new(new)) {
            let new = refused.into_inner();
            let status = StatusCode::SERVICE_UNAVAILABLE;
            self.sip.respond_once(new.tx, Response::to_request(&new.request, status, None));
        }
        None
    }
}

/// When the subscribers of a room were told of a change.
struct Pace {
    told: Instant,
    /// There was another one since.
    again: bool,
}

struct Task {
    rooms: Arc<Rooms>,
    config: watch::Receiver<Arc<Config>>,
    directory: Directory,
    subscriptions: Subscriptions,
    /// Of rooms with subscribers.
    paces: HashMap<Box<str>, Pace>,
}

impl Task {
    async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Box<NewRequest>>,
        mut mailbox: mpsc::Receiver<SipEvent>,
    ) {
        let changes = Arc::clone(&self.rooms.changes);
        loop {
            let next = self.deadline();
            let sleep = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ask = inbox.recv() => match ask {
                    Some(new) => self.subscribe(*new),
                    None => return,
                },
                rooms = changes.take() => {
                    for room in rooms {
                        self.changed(&room);
                    }
                }
                Some(event) = mailbox.recv() => {
                    if let Some(refreshed) = self.subscriptions.event(event) {
                        self.tell(refreshed);
                    }
                }
                () = sleep => self.on_time(),
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let paces = self.paces.values().filter(|pace| pace.again).map(|pace| pace.told + PACE);
        paces.chain(self.subscriptions.deadline()).min()
    }

    fn subscribe(&mut self, new: NewRequest) {
        let (rooms, config) = (&self.rooms, Arc::clone(&self.config.borrow()));
        let directory = &self.directory;
        let about = |request: &Request, _: &crate::keep::Extension| {
            // As a phone's INVITE to it is read.
            let extension = |number: &str| directory.get(number).is_some();
            let user = identity::dialled(&user_of(&request.uri), extension);
            let named = || match config.route(Origin::Phone, &user, extension) {
                Route::To(Target::Conference(name)) => Some(name),
                _ => None,
            };
            let asked_for = rooms.is_asked_for(&user).then(|| user.clone());
            let room = asked_for.or_else(named).filter(|name| rooms.people(name).is_some());
            let topic = room.ok_or(StatusCode::NOT_FOUND)?.into();
            Ok(About { topic, contact: user.as_str().into() })
        };
        if let Some(id) = self.subscriptions.subscribe(new, about) {
            self.tell(id);
        }
    }

    /// Somebody came, went, or changed.
    fn changed(&mut self, room: &str) {
        let ended = self.rooms.people(room).is_none();
        if ended || self.subscriptions.to(room).is_empty() {
            self.paces.remove(room);
            return self.tell_all(room);
        }
        let now = Instant::now();
        match self.paces.get_mut(room) {
            Some(pace) if pace.told + PACE > now => pace.again = true,
            _ => {
                self.paces.insert(room.into(), Pace { told: now, again: false });
                self.tell_all(room);
            }
        }
    }

    fn on_time(&mut self) {
        for id in self.subscriptions.expire() {
            self.tell(id);
        }
        let now = Instant::now();
        let due = self.paces.iter().filter(|(_, pace)| pace.again && pace.told + PACE <= now);
        let due: Vec<Box<str>> = due.map(|(room, _)| room.clone()).collect();
        for room in due {
            self.paces.remove(&room);
            self.changed(&room);
        }
    }

    fn tell_all(&mut self, room: &str) {
        for id in self.subscriptions.to(room) {
            self.tell(id);
        }
    }

    /// The whole state (RFC 4575 §3.6); the last word when the conference is over.
    fn tell(&mut self, id: u64) {
        let Some(subscription) = self.subscriptions.get(id) else { return };
        let (entity, version) = (entity_of(subscription.target()), subscription.told());
        let body = match self.rooms.people(subscription.topic()) {
            Some(people) => {
                let datagram = subscription.flow().transport == Transport::Udp;
                let most = if datagram { DATAGRAM } else { usize::MAX };
                full(&entity, version, &host_of(subscription.target()), &people, most)
            }
            None => {
                let body = deleted(&entity, version);
                self.subscriptions.end(id);
                body
            }
        };
        self.subscriptions.notify(id, Some((CONTENT_TYPE, body)));
    }
}

/// Where those have their addresses who are in the conference: where it has its own.
fn host_of(uri: &Uri) -> Host {
    match uri {
        Uri::Sip(uri) => uri.host_port.host.clone(),
        _ => Host::Name("anonymous.invalid".into()),
    }
}
