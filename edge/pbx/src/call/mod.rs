//! Calls. A call is one task that owns its legs, timers and media by value.
//!
//! > The application decides; the call does. Events go in, actions come out ([`crate::app`]), and
//! > nothing here knows what a call is for.
//!
//! Every handler in here is synchronous and takes `now`; the one place that waits is [`run`]. What
//! takes time (the application, the disk, a name to be resolved) is a future in `work`, and its
//! outcome comes back as a [`Done`]. So a call that ends has nothing left: its futures go with it.
//!
//! * [`leg`]: one leg, its way and its media. [`signalling`]: what sessions say. [`asking`]: the
//!   application. [`bridge`], [`place`], [`answered`], [`refused`]: `CallAndBridge` with its forks
//!   and failover. [`runner`], [`play`], [`record`]: the other actions. [`ending`]: the end.
//! * [`identity`], [`best`]: pure rules. [`timeline`]: what happened.

mod answered;
mod asking;
pub(crate) mod best;
pub(crate) mod bridge;
mod ending;
pub(crate) mod identity;
pub(crate) mod leg;
mod place;
mod play;
mod record;
mod refused;
mod runner;
mod signalling;
pub(crate) mod sounds;
pub(crate) mod timeline;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use offhook_config::Config;
use offhook_media::clip::Clip;
use offhook_media::engine::{Engine, MediaPort, PortEvent};
use offhook_media::recorder::Recorder;
use offhook_sip::header::{HeaderName, Headers};
use offhook_sip::ids::Ids;
use offhook_sip::message::{Request, Response, StatusCode};
use offhook_sip::session::{Session, SessionConfig, SessionEvent};
use offhook_sip::uri::Uri;
use offhook_sma::action::LegTag;
use offhook_sma::digits::Collector;
use offhook_sma::event::{CallDetails, Direction, EventType, InvocationEvent, Participant};
use offhook_sma::reply::Reply;
use offhook_sma::session::{Script, Transaction};
use tokio::sync::mpsc;

use self::bridge::Bridging;
pub use self::identity::{Caller, Source};
use self::leg::{Leg, LegId, LegMedia, Part, Party, Way};
use self::record::{Recorded, Started};
use self::runner::Running;
pub use self::sounds::Sounds;
use self::timeline::Timeline;
use crate::app::{AppError, Application, Lamp};
use crate::event::CallEventKind;
use crate::failure::{self, Failure};
use crate::keep::{CallRecord, Keep};
use crate::office::Phonebook;
use crate::office::registry::Entry;
use crate::stack::{DialogKey, NewRequest, Owner, SendFailure, SipEvent, SipHandle};
use crate::trunk::CallSlot;

/// Events that may wait for a call: retransmissions are absorbed below, so that a peer would have
/// to try hard to fill it.
const MAILBOX: usize = 64;
/// Media events that may wait.
const MEDIA_EVENTS: usize = 32;
/// Events that may wait for a slow application.
const APP_QUEUE: usize = 32;
/// An application that does not answer within this has failed. A Lambda's own limits are shorter.
const APP_TIMEOUT: Duration = Duration::from_secs(30);
/// A call whose legs are gone waits this long for what is left to be written.
const CLOSING: Duration = Duration::from_secs(60);

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
}

/// A configuration and what is derived from it; a call keeps the one it began with.
pub struct Settings {
    /// The snapshot.
    pub config: Arc<Config>,
    /// For every leg without credentials.
    pub session: Arc<SessionConfig>,
    /// For legs over trunks with credentials.
    pub challenged: Arc<SessionConfig>,
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
    /// Why the application refuses, when it does.
    pub(crate) failure: Option<&'static Failure>,
    pub(crate) invite: NewRequest,
    /// Its place among the calls of the trunk it came over.
    pub(crate) slot: Option<CallSlot>,
}

/// Orders from outside.
#[derive(Debug)]
pub(crate) enum Control {
    /// Ends the call.
    HangUp,
}

/// What a future of the call came to.
enum Done {
    App { app: Box<dyn Application>, told: EventType, leg: LegTag, reply: Result<Reply, AppError> },
    Clips { load: u64, clips: Result<Vec<Arc<Clip>>, String> },
    Flow { attempt: Box<bridge::Attempt>, flow: Result<offhook_sip::flow::Flow, SendFailure> },
    Started { run: u64, started: Result<Started, String> },
    Recorded { run: u64, recorded: Recorded },
    Nothing,
}

/// How the call ended, as the first to end it had it.
struct Ending {
    by: &'static str,
    why: String,
}

/// One call.
pub(crate) struct Call {
    services: Arc<Services>,
    settings: Arc<Settings>,
    owner: Owner,
    ids: Ids,
    caller: Caller,
    emergency: bool,
    max_forwards: u32,

    legs: Vec<Leg>,
    next_leg: u32,
    news: VecDeque<(LegId, SessionEvent)>,
    media_events: mpsc::Sender<PortEvent>,
    /// Reason header values of the leg that ended first, for the others.
    reasons: Vec<offhook_sip::header::HeaderValue>,

    app: Option<Box<dyn Application>>,
    app_name: &'static str,
    app_queue: VecDeque<(InvocationEvent, LegTag)>,
    /// The application was told of an action and decides what is next.
    awaiting_reply: bool,
    transaction: Transaction,
    script: Script,
    running: Running,
    /// When the running action is to be looked at.
    action_deadline: Option<Instant>,
    invoked_for: LegTag,
    listening: Option<(LegId, Collector)>,
    bridging: Option<Box<Bridging>>,
    next_run: u64,

    work: FuturesUnordered<BoxFuture<'static, Done>>,
    timeline: Timeline,
    record: CallRecord,
    failure: Option<&'static Failure>,
    ending: Option<Ending>,
    ends_at: Option<Instant>,
    closed: bool,
    entry: Entry,
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Milliseconds since 1970, as AWS writes them.
fn epoch_ms(at: SystemTime) -> String {
    at.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis()).to_string()
}

/// A random GUID (RFC 9562 §5.4).
pub(crate) fn guid(ids: &mut Ids) -> String {
    let mut b = ids.bytes::<16>();
    b[6] = b[6] & 0x0f | 0x40;
    b[8] = b[8] & 0x3f | 0x80;
    let n = u128::from_be_bytes(b);
    let (a, b, c) = (n >> 96, n >> 80 & 0xffff, n >> 64 & 0xffff);
    format!("{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", n >> 48 & 0xffff, n & 0xffff_ffff_ffff)
}

/// Starts a call's task. A request that no session can be made of is answered at once.
pub(crate) fn spawn(
    new: NewCall,
    services: &Arc<Services>,
    settings: Arc<Settings>,
    entry: Entry,
    control: mpsc::Receiver<Control>,
) {
    let (owner, mail) = Owner::channel(MAILBOX);
    services.sip.claim(new.invite.tx, &owner);
    let (media_events, media) = mpsc::channel(MEDIA_EVENTS);
    let invite_tx = new.invite.tx;
    match Call::new(new, Arc::clone(services), settings, owner, media_events, entry) {
        Ok(call) => {
            tokio::spawn(run(call, mail, media, control));
        }
        Err(refusal) => services.sip.respond(invite_tx, *refusal),
    }
}

async fn run(
    mut call: Box<Call>,
    mut mail: mpsc::Receiver<SipEvent>,
    mut media: mpsc::Receiver<PortEvent>,
    mut control: mpsc::Receiver<Control>,
) {
    call.begin(now());
    let mut controlled = true;
    loop {
        call.settle(now());
        if call.is_closed(now()) {
            break;
        }
        let deadline = call.deadline().unwrap_or_else(|| now() + Duration::from_secs(3600));
        let wait = tokio::time::sleep_until(deadline.into());
        tokio::select! {
            Some(event) = mail.recv() => call.on_sip(now(), event),
            Some(event) = media.recv() => call.on_media(now(), event),
            Some(done) = call.work.next(), if !call.work.is_empty() => call.on_done(now(), done),
            order = control.recv(), if controlled => match order {
                Some(Control::HangUp) => call.hang_up_all(now(), "the operator hung up"),
                None => controlled = false,
            },
            () = wait => call.on_time(now()),
        }
    }
    // What came in the very moment of the end is answered too: an INVITE left without a final
    // response would keep its transaction for ever (RFC 3261 §17.2.1 knows no timer there).
    mail.close();
    while let Ok(event) = mail.try_recv() {
        call.on_sip(now(), event);
        call.drain(now());
    }
    call.timeline.end();
}

impl Call {
    fn new(
        new: NewCall,
        services: Arc<Services>,
        settings: Arc<Settings>,
        owner: Owner,
        media_events: mpsc::Sender<PortEvent>,
        entry: Entry,
    ) -> Result<Box<Self>, Box<Response>> {
        let now = now();
        let mut ids = Ids::from_os();
        let NewRequest { tx, request, flow } = new.invite;
        let contact = Uri::Sip(services.sip.contact_uri(&flow, None));
        let session =
            Session::incoming(now, Arc::clone(&settings.session), &mut ids, &request, tx, contact)
                .map_err(Box::new)?;
        let started = SystemTime::now();
        let (party, way) = match &new.caller.source {
            Source::Phone(number) => (Party::Phone(number.clone()), Way::Flow(flow)),
            Source::Trunk(name) => (Party::Trunk(name.clone()), Way::ByUri { seen: Some(flow) }),
        };
        let record = CallRecord {
            id: new.id.clone(),
            started,
            answered: None,
            ended: None,
            from: identity::recorded_number(&settings.config, &new.caller.number),
            to: new.dialled.clone(),
            original_caller: new.caller.original.clone(),
            source: new.caller.source.label(),
            destination: new.destination,
            disposition: "failed".to_owned(),
            failure: None,
            hung_up_by: None,
        };
        let mut timeline = Timeline::new(new.id.clone(), Arc::clone(&services.keep));
        timeline.add(now, Some('A'), CallEventKind::Leg { party: party.label() });
        timeline.request(now, 'A', crate::event::Direction::In, &request, timeline::peer_of(&flow));
        let call_id = guid(&mut ids);
        let participant = Participant {
            call_id: call_id.clone(),
            participant_tag: LegTag::A,
            to: new.dialled,
            from: record.from.clone(),
            direction: Direction::Inbound,
            start_time_in_milliseconds: epoch_ms(started),
            status: None,
            sip_headers: new.caller.sip_headers(),
        };
        let dialog = services
            .sip
            .register_dialog(DialogKey::new(session.call_id(), session.local_tag()), &owner);
        let caller_leg = Leg {
            id: LegId(0),
            label: 'A',
            part: Part::Caller,
            party,
            call_id,
            session,
            way,
            media: None,
            answered: false,
            confirmed: false,
            digest: None,
            _dialog: dialog,
            first: None,
            _slot: new.slot,
        };
        let app_name = new.app.name();
        Ok(Box::new(Self {
            owner,
            ids,
            caller: new.caller,
            emergency: new.emergency,
            max_forwards: hops_left(&request).saturating_sub(1),
            legs: vec![caller_leg],
            next_leg: 1,
            news: VecDeque::new(),
            media_events,
            reasons: Vec::new(),
            app: Some(new.app),
            app_name,
            app_queue: VecDeque::new(),
            awaiting_reply: false,
            transaction: Transaction::new(details(new.id, app_name, participant)),
            script: Script::default(),
            running: Running::Nothing,
            action_deadline: None,
            invoked_for: LegTag::A,
            listening: None,
            bridging: None,
            next_run: 1,
            work: FuturesUnordered::new(),
            timeline,
            record,
            failure: new.failure,
            ending: None,
            // An emergency call is never ended by a limit of ours.
            ends_at: settings.config.sip.max_call.filter(|_| !new.emergency).map(|most| now + most),
            closed: false,
            entry,
            services,
            settings,
        }))
    }

    fn begin(&mut self, now: Instant) {
        self.keep_record();
        if self.offer_fits(now) {
            self.tell(now, LegTag::A, EventType::NewInboundCall, None);
        }
    }

    /// An offer that nothing can be agreed on with is refused before a phone rings for it.
    fn offer_fits(&mut self, now: Instant) -> bool {
        let Some(leg) = self.legs.first() else { return false };
        let (Way::Flow(flow) | Way::ByUri { seen: Some(flow) }, Some(offer)) =
            (leg.way, leg.session.remote_sdp())
        else {
            return true;
        };
        let local = self.services.sip.media_address(&flow).advertised;
        let Err(error) = leg::check_offer(self.config(), &leg.party, local, offer) else {
            return true;
        };
        let text = error.text();
        self.fail(now, runner::failure_of(&error), Some(error.sip_status()), &text);
        let mut headers = Headers::new();
        // RFC 3261 §20.43: says to the other side's operator what was wrong.
        let text = text.replace(['"', '\\'], "'");
        headers.push(HeaderName::Warning, format!("{} offhook \"{text}\"", error.warn_code()));
        let status = StatusCode::new(error.sip_status()).unwrap_or(StatusCode::NOT_ACCEPTABLE_HERE);
        if let Some(leg) = self.legs.first_mut() {
            let _ = leg.session.reject(now, status, None, headers);
        }
        false
    }

    fn config(&self) -> &Config {
        &self.settings.config
    }

    /// Does everything that can be done without waiting.
    fn settle(&mut self, now: Instant) {
        loop {
            self.drain(now);
            if let Some((leg, event)) = self.news.pop_front() {
                self.on_news(now, leg, event);
                continue;
            }
            self.legs.retain(|leg| !leg.session.is_finished());
            if !self.advance(now) {
                break;
            }
        }
        self.run_app();
        self.close_when_over(now);
    }

    /// When [`Call::on_time`] is due.
    fn deadline(&self) -> Option<Instant> {
        let sessions = self.legs.iter().filter_map(|leg| leg.session.poll_timeout());
        let listening = self.listening.as_ref().and_then(|(_, c)| c.deadline());
        let bridging = self.bridging.as_ref().map(|b| b.due());
        let others = [
            self.action_deadline,
            self.running.deadline(),
            listening,
            bridging,
            self.ends_at,
            self.timeline.deadline(),
        ];
        sessions.chain(others.into_iter().flatten()).min()
    }

    fn on_time(&mut self, now: Instant) {
        for leg in &mut self.legs {
            leg::tick(&mut leg.session, now);
        }
        self.timeline.flush_if_due(now);
        if self.ends_at.is_some_and(|at| at <= now) {
            self.ends_at = None;
            if self.record.ended.is_none() {
                self.hang_up_all(now, "the call was as long as a call may be");
            }
        }
        self.ring_timeout(now);
        self.action_timeout(now);
        self.listen_timeout(now);
    }

    fn on_done(&mut self, now: Instant, done: Done) {
        match done {
            Done::App { app, told, leg, reply } => self.on_reply(now, app, told, leg, reply),
            Done::Clips { load, clips } => self.on_clips(now, load, clips),
            Done::Flow { attempt, flow } => self.on_flow(now, *attempt, flow),
            Done::Started { run, started } => self.on_recording_started(now, run, started),
            Done::Recorded { run, recorded } => self.on_recorded(now, run, recorded),
            Done::Nothing => {}
        }
    }

    fn leg(&mut self, id: LegId) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.id == id)
    }

    fn leg_ref(&self, id: LegId) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.id == id)
    }

    fn tagged(&mut self, tag: LegTag) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.tag() == Some(tag))
    }

    /// A new port on an interface.
    fn open_port(&self, bind: IpAddr) -> Result<MediaPort, String> {
        let opened = self.services.engine.open(bind, self.media_events.clone());
        opened.map_err(|error| error.to_string())
    }

    fn session_id(&mut self) -> u64 {
        u64::from(self.ids.sequence())
    }

    /// Gives a leg its media, when it has none.
    fn ensure_media(&mut self, id: LegId) -> Result<(), String> {
        let Some(leg) = self.leg_ref(id) else { return Err("the leg is gone".to_owned()) };
        if leg.media.is_some() {
            return Ok(());
        }
        let flow = match leg.way {
            Way::Flow(flow) | Way::ByUri { seen: Some(flow) } => flow,
            Way::ByUri { seen: None } => return Err("no way to the leg is known".to_owned()),
        };
        let address = self.services.sip.media_address(&flow);
        let port = self.open_port(leg::media_bind(self.config(), address))?;
        let rtp = (address.advertised, port.rtp_addr().port()).into();
        let session_id = self.session_id();
        let settings = Arc::clone(&self.settings);
        if let Some(leg) = self.leg(id) {
            let mut media = LegMedia::new(&settings.config, &leg.party, rtp, session_id);
            media.port = Some(port);
            leg.media = Some(media);
        }
        Ok(())
    }

    fn run_id(&mut self) -> u64 {
        self.next_run += 1;
        self.next_run
    }
}

/// Max-Forwards of a request; 70 when it says nothing (RFC 3261 §20.22).
pub(crate) fn hops_left(request: &Request) -> u32 {
    let text = request.headers.text(&offhook_sip::header::HeaderName::MaxForwards);
    text.and_then(|t| t.trim().parse().ok()).unwrap_or(70)
}

fn details(id: String, app: &str, participant: Participant) -> CallDetails {
    CallDetails {
        transaction_id: id,
        transaction_attributes: None,
        aws_account_id: "000000000000".to_owned(),
        aws_region: "local".to_owned(),
        sip_rule_id: None,
        sip_media_application_id: app.to_owned(),
        participants: vec![participant],
    }
}

/// The record's word for a call that was never answered.
fn disposition(failure: &Failure) -> &'static str {
    if failure == failure::CANCELLED {
        "cancelled"
    } else if failure == failure::BUSY || failure == failure::BUSY_EVERYWHERE {
        "busy"
    } else if failure == failure::NO_ANSWER {
        "no-answer"
    } else {
        "failed"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the 80 kB that a call may take, what its own structures need.
    #[test]
    fn a_call_of_two_legs_is_small() {
        let fixed = size_of::<Call>() + 2 * size_of::<Leg>();
        // One block of each channel (tokio allocates 32 places at a time).
        let channels = 32 * (size_of::<SipEvent>() + size_of::<PortEvent>() + size_of::<Control>());
        assert!(fixed + channels < 40_000, "{fixed} + {channels}");
    }
}
