//! A phone puts its call through (REFER, RFC 3515; the flows of RFC 5589).
//!
//! > Nobody outside is told to call anybody. The party that remains keeps its dialog with us, and
//! > becomes the caller of the application that the number would have had, had the phone dialled
//! > it: with the phone's rights, with its mailbox, its group, its trunk. Until somebody or
//! > something takes the call, the phone stays on the line, and gets the party back when nobody
//! > does.
//!
//! Here it is asked for, at once or when the call is settled ([`super::unsettled`]).
//! [`super::handover`] calls the number and gives the party back; [`super::reports`] tells the phone
//! how it goes; [`super::leaving`] sees the phone off.
//! [`super::joining`] is the other kind, to a call that the phone has already.

use std::collections::VecDeque;
use std::time::{Instant, SystemTime};

use offhook_sip::header::{HeaderName, Headers, Replaces};
use offhook_sip::message::{Request, StatusCode};
use offhook_sip::refer::{self, Refer};
use offhook_sip::session::InboundToken;
use offhook_sip::uri::Uri;
use offhook_sma::action::LegTag;
use offhook_sma::session::Transaction;
use tokio::sync::{mpsc, oneshot};

use super::asking::Tell;
use super::cloud::{InCloud, Stays};
use super::consultation::Consultation;
use super::held::Outcome;
use super::identity::{self, Caller};
use super::joining::Partner;
use super::leg::{Leg, LegId, Part, Party};
use super::news::Progress;
use super::reports::Report;
use super::runner::Running;
use super::three_way::Meets;
use super::{Call, Control, Listening};
use crate::app::Application;
use crate::event::CallEventKind;
use crate::keep::Transferred;
use crate::office::user_of;

/// The last transfers of a call that its record keeps.
const MAX_TRANSFERS: usize = 16;

/// A transfer under way.
pub(super) struct Transfer {
    pub(super) by: Transferor,
    /// Who stays.
    pub(super) remaining: LegId,
    /// The extension whose rights count.
    pub(super) extension: String,
    pub(super) stage: Stage,
    /// By keys in the call: the person hears what a display would say, and the phone does not hang
    /// up by itself.
    pub(super) by_keys: bool,
    /// Another call of the phone, which says what came of it ([`super::held`]).
    pub(super) orderer: Option<oneshot::Sender<Outcome>>,
    /// What is said of it next, where the status says too little.
    pub(super) words: Option<&'static str>,
    /// It leads to a room in which the phone stays.
    pub(super) meets: Option<Box<Meets>>,
    /// The other call of the phone that it leads to, until it is known what becomes of that.
    pub(super) consultation: Option<Box<Consultation>>,
}

/// Who asked for it.
pub(super) enum Transferor {
    /// A phone of this call.
    Leg {
        id: LegId,
        /// What it was before.
        part: Part,
        /// How it is told; `None`: it does not want to be.
        report: Option<Report>,
        gone: bool,
    },
    /// A phone of another call, whose other party is ours.
    Call {
        control: mpsc::Sender<Control>,
        /// It held our party when it asked.
        held: bool,
        gone: bool,
    },
}

impl Transferor {
    pub(super) fn is_gone(&self) -> bool {
        match self {
            Self::Leg { gone, .. } | Self::Call { gone, .. } => *gone,
        }
    }
}

/// How far it is.
pub(super) enum Stage {
    /// Nothing was done yet.
    Asked,
    /// The target's application runs the call.
    Calling(Box<Before>),
    /// Another call was asked to take the party.
    Joining {
        run: u64,
        number: String,
        /// The cloud did not take the party: why.
        instead: Option<Stays>,
    },
    /// The other call, which has the party, carries it out.
    Elsewhere,
    /// The cloud, which has the party's own leg, was asked to.
    Cloud(Box<InCloud>),
}

/// What is gone back to when nobody takes the call.
pub(super) struct Before {
    pub(super) app: Option<Box<dyn Application>>,
    pub(super) app_name: &'static str,
    pub(super) transaction: Transaction,
    pub(super) caller: Caller,
    pub(super) invoked_for: LegTag,
    pub(super) listening: Vec<Listening>,
    pub(super) partner: Option<Box<Partner>>,
    pub(super) part: Part,
    pub(super) destination: Option<String>,
    /// A number that did not answer lifts no limit.
    pub(super) emergency: bool,
    pub(super) to_emergency: bool,
    pub(super) ends_at: Option<Instant>,
    /// Names its answers; see [`Call::app_run`].
    pub(super) run: u64,
    /// What it was to be told.
    pub(super) waiting: VecDeque<Tell>,
    /// It is the phone itself that is called ([`super::called_back`]).
    pub(super) back: bool,
}

/// An order to another call: its party is put through by the phone in this one.
#[derive(Debug)]
pub(crate) struct PutThrough {
    control: mpsc::Sender<Control>,
    extension: String,
    number: String,
    replaces: Option<Replaces>,
    /// The phone holds the call.
    held: bool,
}

impl Call {
    /// A REFER in a call.
    pub(super) fn on_refer(
        &mut self,
        now: Instant,
        id: LegId,
        token: InboundToken,
        request: &Request,
    ) {
        let (status, _) = answer_to(&self.may_refer(id, request));
        if !self.keep_early_refer(now, id, token, request, status) {
            self.answer_refer(now, id, token, request);
        }
    }

    /// Answers a REFER as things are, and begins the transfer.
    pub(super) fn answer_refer(
        &mut self,
        now: Instant,
        id: LegId,
        token: InboundToken,
        request: &Request,
    ) {
        let asked = self.may_refer(id, request);
        let (status, headers) = answer_to(&asked);
        let Some(leg) = self.leg(id) else { return };
        let (label, part) = (leg.label, leg.part);
        let _ = leg.session.respond(now, token, status, &headers, None);
        let (refer, extension) = match asked {
            Ok(asked) => asked,
            Err(status) => {
                let text = format!("a transfer was refused: {}", status.code());
                return self.timeline.note(now, Some(label), text);
            }
        };
        let number = self.dialled(&refer.target.uri);
        let report = (!refer.silent).then(|| Report::of(now, &refer));
        let by = Transferor::Leg { id, part, report, gone: false };
        let transfer = Transfer::new(by, id, extension);
        self.begin_transfer(now, id, transfer, number, refer.replaces);
    }

    /// The phone of a leg puts the other party through, who may be in another call.
    pub(super) fn begin_transfer(
        &mut self,
        now: Instant,
        id: LegId,
        mut transfer: Transfer,
        number: String,
        replaces: Option<Replaces>,
    ) {
        let Some(label) = self.leg_ref(id).map(|leg| leg.label) else { return };
        let extension = transfer.extension.clone();
        self.transfer_ordered(now, Some(label), &extension, &number, replaces.is_some());
        // Before anybody else is asked: a player silences what its port would hear.
        self.stop_music();
        let other = self.other(id).map(|leg| leg.id);
        transfer.stage = if other.is_some() { Stage::Asked } else { Stage::Elsewhere };
        transfer.remaining = other.unwrap_or(id);
        self.transfer = Some(Box::new(transfer));
        // RFC 3515 §2.4.4: the first report follows at once.
        self.report(now, StatusCode::TRYING);
        if other.is_none() {
            let held = self.holds(id);
            let control = self.entry.control().clone();
            return self.pass_on(now, PutThrough { control, extension, number, replaces, held });
        }
        if let Some(leg) = self.leg(id) {
            leg.part = Part::Leaving;
        }
        self.carry_out(now, number, replaces.as_ref());
    }

    /// Our party is in another call: that one carries the transfer out.
    fn pass_on(&mut self, now: Instant, order: PutThrough) {
        let order = Control::PutThrough(Box::new(order));
        let told = self.partner.as_ref().is_some_and(|p| p.control.try_send(order).is_ok());
        if !told {
            self.transfer_failed(now, 503);
        }
    }

    /// Whether a phone may put this call through now.
    fn may_refer(&self, id: LegId, request: &Request) -> Result<(Refer, String), StatusCode> {
        let leg = self.leg_ref(id).ok_or(StatusCode::CALL_DOES_NOT_EXIST)?;
        // A trunk that could refer our calls could make us dial.
        let Party::Phone(extension) = &leg.party else { return Err(StatusCode::FORBIDDEN) };
        let refer = Refer::of(request).map_err(refer::ReferError::status)?;
        if matches!(refer.target.uri, Uri::Other(_)) {
            // RFC 3261 §21.4.14: neither sip nor tel.
            return Err(StatusCode::UNSUPPORTED_URI_SCHEME);
        }
        if !identity::is_plain(&user_of(&refer.target.uri)) {
            return Err(StatusCode::BAD_REQUEST);
        }
        if self.transfer.is_some() || self.has_early_refer() {
            return Err(StatusCode::REQUEST_PENDING);
        }
        let other = self.other(id).is_some_and(|leg| leg.confirmed && leg.port().is_some());
        if leg.tag().is_none() || !(other || self.partner.is_some()) || !self.is_settled() {
            return Err(StatusCode::DECLINE);
        }
        Ok((refer, extension.clone()))
    }

    /// Both parties talk, and the application has nothing on its mind.
    pub(super) fn is_settled(&self) -> bool {
        let quiet = self.app_queue.is_empty() && !self.awaiting_reply && self.app.is_some();
        quiet && self.does_nothing() && self.consulted.is_none()
    }

    /// Nothing runs or waits to be run, whatever the application thinks about.
    pub(super) fn does_nothing(&self) -> bool {
        self.script.is_idle() && self.bridging.is_none() && matches!(self.running, Running::Nothing)
    }

    /// Another call's phone puts our party through.
    pub(super) fn on_put_through(&mut self, now: Instant, order: PutThrough) {
        let PutThrough { control, extension, number, replaces, held } = order;
        let remaining = self.legs.iter().find(|leg| leg.tag().is_some() && leg.confirmed);
        let remaining = remaining.map(|leg| leg.id);
        // Whom our party talked to before has no say any more.
        let theirs = self.partner.as_ref().is_some_and(|p| p.control.same_channel(&control));
        let free = theirs && self.transfer.is_none() && self.is_settled();
        let Some(remaining) = remaining.filter(|_| free) else {
            let status = StatusCode::TEMPORARILY_UNAVAILABLE;
            let _ = control.try_send(Control::Progress(Progress { status, words: None }));
            return;
        };
        self.transfer_ordered(now, None, &extension, &number, replaces.is_some());
        let by = Transferor::Call { control, held, gone: false };
        self.transfer = Some(Box::new(Transfer::new(by, remaining, extension)));
        self.stop_music();
        self.carry_out(now, number, replaces.as_ref());
    }

    /// Keeps who ordered a transfer and to whom.
    pub(super) fn transfer_ordered(
        &mut self,
        now: Instant,
        leg: Option<char>,
        extension: &str,
        to: &str,
        attended: bool,
    ) {
        let by = Party::Phone(extension.to_owned()).label();
        let kind = CallEventKind::Transfer { by: by.clone(), to: to.to_owned(), attended };
        self.timeline.add(now, leg, kind);
        let transfers = &mut self.record.transfers;
        if transfers.len() >= MAX_TRANSFERS {
            transfers.remove(0);
        }
        let at = SystemTime::now();
        transfers.push(Transferred { at, by, to: to.to_owned(), attended, status: None });
    }

    /// Asks the other call that has a phone's party to put it through, for keys that were pressed.
    pub(super) fn pass_on_to(&mut self, now: Instant, extension: String, number: String) {
        let control = self.entry.control().clone();
        let order = PutThrough { control, extension, number, replaces: None, held: false };
        self.pass_on(now, order);
    }

    /// Whatever plays to a leg, also for the other call.
    pub(super) fn stop_play_of(&self, id: LegId) {
        if let Some(port) = self.leg_ref(id).and_then(Leg::port) {
            port.stop_play();
        }
    }

    pub(super) fn carry_out(&mut self, now: Instant, number: String, replaces: Option<&Replaces>) {
        if let Some(remaining) = self.transfer.as_ref().map(|t| t.remaining) {
            self.stop_play_of(remaining);
        }
        match replaces {
            Some(replaces) => self.ask_to_join(now, replaces, number),
            None if self.ask_cloud(now, &number) => {}
            None => self.call_target(now, &number),
        }
    }
}

/// How a REFER is answered (RFC 3515 §2.4.2).
fn answer_to(asked: &Result<(Refer, String), StatusCode>) -> (StatusCode, Headers) {
    let mut headers = Headers::new();
    match asked {
        Ok((refer, _)) => {
            if refer.silent {
                // RFC 4488 §4: no report will follow.
                headers.push(HeaderName::ReferSub, "false");
            }
            (StatusCode::ACCEPTED, headers)
        }
        Err(status) => (*status, headers),
    }
}

impl Transfer {
    pub(super) fn new(by: Transferor, remaining: LegId, extension: String) -> Self {
        let stage = Stage::Asked;
        Self {
            by,
            remaining,
            extension,
            stage,
            by_keys: false,
            orderer: None,
            words: None,
            meets: None,
            consultation: None,
        }
    }

    /// Tells the call of the phone that ordered it how it ended.
    pub(super) fn tell_orderer(&mut self, status: StatusCode) {
        if let Some(orderer) = self.orderer.take_if(|_| status.is_final()) {
            let words = self.words.filter(|_| !status.is_success());
            let _ = orderer.send(Outcome { status: status.code(), words });
        }
    }

    /// Notes that the phone of the other call hung up.
    pub(super) fn other_call_ended(&mut self) -> bool {
        match &mut self.by {
            Transferor::Call { gone, .. } => {
                *gone = true;
                if let Stage::Calling(before) = &mut self.stage {
                    before.partner = None;
                }
                true
            }
            Transferor::Leg { .. } => false,
        }
    }

    /// The other call that would get the party back.
    pub(super) fn partner_before(&self) -> Option<&Partner> {
        match &self.stage {
            Stage::Calling(before) => before.partner.as_deref(),
            _ => None,
        }
    }
}
