//! Calls. A call is one task that owns its legs, timers and media by value.
//!
//! > The application decides; the call does. Events go in, actions come out ([`crate::app`]), and
//! > nothing here knows what a call is for.
//!
//! Every handler in here is synchronous and takes `now`; the one place that waits is [`task`]. What
//! takes time (the application, the disk, a name to be resolved) is a future in `work`, and its
//! outcome comes back as a [`Done`]. So a call that ends has nothing left: its futures go with it.
//!
//! * [`house`], [`news`]: what a call is made of, and what comes to it.
//! * [`begin`], [`task`], [`ending`]: the life of a call. [`leg`], [`legs`]: one leg, its way and
//!   its media. [`signalling`]: what sessions say; [`hold`] and [`info`]: changes and requests
//!   within a dialog. [`media_events`]: what the media thread says.
//! * [`asking`]: the application; [`runner`]: its actions one by one; [`answering`], [`play`],
//!   [`record`]: those that need sound. [`bridge`], [`place`], [`answered`], [`refused`],
//!   [`redirect`]: `CallAndBridge` with its forks, forwards and failover.
//! * [`taping`]: the conversation on tape; [`leg_tape`]: one leg of it, for an application.
//! * [`created`]: calls that an application begins; [`update`]: what comes to one from outside;
//!   [`meeting`], [`bot`]: what needs a service of AWS.
//! * [`passing`]: what goes from leg to leg untouched.
//! * [`transfer`]: a phone puts its call through (REFER): [`handover`] to a number, [`joining`] to
//!   another call of its own ([`consultation`]), [`cloud`] to where the caller came from ([`homeward`], [`held`],
//!   [`consulted`]), by keys ([`code`]), [`called_back`] when that does not take him; [`unsettled`]:
//!   an order before the time; [`reports`] and [`leaving`]: what becomes of the phone.
//! * [`conference`]: legs in a room; [`three_way`]: a phone brings two of its calls into one.
//! * [`supervised`]: somebody listens to the call; [`supervising`]: the leg of who does.
//! * [`identity`], [`best`], [`origin`], [`context`]: pure rules. [`screens`]: what a screen
//!   beside a phone shows. [`timeline`]: what happened.

mod answered;
mod answering;
mod asking;
mod begin;
pub(crate) mod best;
mod bot;
pub(crate) mod bridge;
mod browser;
mod called_back;
mod cloud;
mod code;
mod conference;
mod consultation;
mod consulted;
mod context;
mod created;
mod ending;
mod handover;
mod held;
mod hold;
mod holder;
mod homeward;
mod house;
pub(crate) mod identity;
mod info;
mod joining;
mod lately;
mod leaving;
pub(crate) mod leg;
mod leg_tape;
mod legs;
mod media_events;
mod meeting;
mod music;
mod news;
mod origin;
mod passing;
mod place;
mod play;
mod record;
mod record_file;
mod redirect;
mod refused;
mod reports;
mod runner;
mod screens;
mod signalling;
pub(crate) mod sounds;
mod supervised;
mod supervising;
mod taping;
mod task;
mod three_way;
pub(crate) mod timeline;
mod transfer;
mod unsettled;
mod update;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use offhook_config::Config;
use offhook_media::engine::PortEvent;
use offhook_sip::ids::Ids;
use offhook_sip::session::SessionEvent;
use offhook_sma::action::{Action, LegTag};
use offhook_sma::digits::Collector;
use offhook_sma::event::ActionData;
use offhook_sma::rules::Rules;
use offhook_sma::session::{Script, Transaction};
use tokio::sync::mpsc;

use self::asking::Tell;
pub(crate) use self::begin::hops_left;
use self::bridge::Bridging;
use self::called_back::GivenBack;
use self::code::Keys;
use self::conference::Conferring;
use self::consulted::Consulted;
pub(crate) use self::created::Created;
pub(crate) use self::house::{Begins, House, NewCall};
pub use self::house::{Services, Settings};
pub use self::identity::{Caller, Source};
use self::joining::Partner;
use self::leg::{Leg, LegId};
use self::leg_tape::LegTape;
pub(crate) use self::news::Control;
use self::news::Done;
pub use self::origin::CloudOrigin;
use self::passing::Passing;
use self::runner::Running;
use self::screens::Shown;
pub use self::sounds::Sounds;
use self::supervised::Supervision;
pub use self::taping::TapeOrder;
use self::taping::Taping;
pub(crate) use self::task::spawn;
use self::timeline::Timeline;
use self::transfer::Transfer;
use self::unsettled::Early;
use crate::app::Application;
use crate::failure::Failure;
use crate::keep::CallRecord;
use crate::office::registry::Entry;
use crate::office::route::Router;
use crate::screen::Pop;
use crate::stack::Owner;

/// Events that may wait for a call: retransmissions are absorbed below, so that a peer would have
/// to try hard to fill it.
const MAILBOX: usize = 64;
/// Media events that may wait. A key is two of them, and a leg may press many at once: the end of what
/// is played is not to be lost behind them.
const MEDIA_EVENTS: usize = 64;
/// Events that may wait for a slow application.
const APP_QUEUE: usize = 32;
/// A call whose legs are gone waits this long for what is left to be written.
const CLOSING: Duration = Duration::from_secs(60);

/// How the call ended, as the first to end it had it.
struct Ending {
    by: &'static str,
    why: String,
}

/// A recording that outlives its leg.
struct LastWords {
    run: u64,
    action: Action,
    leg: LegTag,
    hangup: ActionData,
}

/// `ReceiveDigits`.
struct Listening {
    leg: LegId,
    action: Action,
    collector: Collector,
}

/// One call.
pub(crate) struct Call {
    services: Arc<Services>,
    settings: Arc<Settings>,
    router: Arc<Router>,
    owner: Owner,
    ids: Ids,
    caller: Caller,
    /// Somebody in it talks, or is to talk, to an emergency service: no limit ends it.
    emergency: bool,
    /// What is called now is an emergency number: it goes over any trunk, full or not.
    to_emergency: bool,
    max_forwards: u32,

    legs: Vec<Leg>,
    next_leg: u32,
    news: VecDeque<(LegId, SessionEvent)>,
    media_events: mpsc::Sender<PortEvent>,
    /// Reason header values of the leg that ended first, for the others.
    reasons: Vec<offhook_sip::header::HeaderValue>,

    app: Option<Box<dyn Application>>,
    app_name: &'static str,
    /// Another one when another application takes the call: what the one before still answers is
    /// void, unless it gets the call back.
    app_run: u64,
    app_queue: VecDeque<Tell>,
    /// It had too many events: it is told of nothing any more.
    muted: bool,
    rules: Rules,
    /// The application was told of an action and decides what is next.
    awaiting_reply: bool,
    transaction: Transaction,
    script: Script,
    running: Running,
    /// When the running action is to be looked at.
    action_deadline: Option<Instant>,
    invoked_for: LegTag,
    /// The running recording is to end for a call update.
    interrupting: bool,
    /// A `Hangup` whose `HANGUP` is not answered yet.
    hung_up: Option<(LegTag, Action)>,
    /// When a call is ended that no action came for.
    first_action_by: Option<Instant>,
    /// `HANGUP` of the leg whose recording is still being written.
    last_words: Option<Box<LastWords>>,
    /// What is to be done before the application hears of the call.
    order: Option<String>,
    /// What the application began this call with, until somebody answers.
    creating: Option<Box<Created>>,
    /// One for each leg at the most.
    listening: Vec<Listening>,
    leg_tapes: Vec<LegTape>,
    bridging: Option<Box<Bridging>>,
    /// A phone puts the call through.
    transfer: Option<Box<Transfer>>,
    /// An order of a phone that came before the call was settled.
    early: Option<Box<Early>>,
    /// A phone that has just got its caller back from the cloud.
    given_back: Option<Box<GivenBack>>,
    /// Its phone puts a caller of the cloud's through to it.
    consulted: Option<Box<Consulted>>,
    /// Keys that may become a code.
    code_keys: Option<Keys>,
    /// The phone's other calls are asked which it holds.
    meeting: Option<u64>,
    /// The phone that brought the call into a conference, and stays there itself.
    beside: Option<Conferring>,
    /// The other call that has our other party, after a transfer.
    partner: Option<Box<Partner>>,
    /// Those who listen to the call.
    supervision: Option<Box<Supervision>>,
    /// A change of what is passed on that waits for the other side.
    passing: Option<Box<Passing>>,
    /// A phone that put the call through: when its leg is ended, should it not do so itself.
    leaving: Option<(LegId, Instant)>,
    /// The leg that holds the call, while the other party hears music for it.
    music: Option<LegId>,
    /// When legs are looked at for silence, and the packets they had the last time.
    silence_check: Option<Instant>,
    /// The conversation on tape.
    taping: Taping,
    /// The operator wants silence on it, also on one that begins later.
    tape_paused: bool,
    /// Phones whose owners' screens show the call.
    shown_on: Vec<Shown>,
    /// What was known when the last of them began to ring.
    popped: Option<Box<Pop>>,
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

impl Call {
    fn config(&self) -> &Config {
        &self.settings.config
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::SipEvent;

    /// Of the 80 kB that a call may take, what its own structures need.
    #[test]
    fn a_call_of_two_legs_is_small() {
        let fixed = size_of::<Call>() + 2 * size_of::<Leg>();
        // One block of each channel (tokio allocates 32 places at a time).
        let channels = 32 * (size_of::<SipEvent>() + size_of::<PortEvent>() + size_of::<Control>());
        assert!(fixed + channels < 40_000, "{fixed} + {channels}");
    }
}
