//! A phone puts its call through (REFER, RFC 3515; the flows of RFC 5589).
//!
//! > Nobody outside is told to call anybody. The party that remains keeps its dialog with us, and
//! > becomes the caller of the application that the number would have had, had the phone dialled
//! > it: with the phone's rights, with its mailbox, its group, its trunk. Until somebody or
//! > something takes the call, the phone stays on the line, and gets the party back when nobody
//! > does.
//!
//! [`super::joining`] is the other kind, to a call that the phone has already.

use std::time::{Duration, Instant};

use offhook_sip::header::{HeaderName, Headers, Replaces};
use offhook_sip::message::{Method, Request, StatusCode};
use offhook_sip::refer::{self, Refer};
use offhook_sip::session::InboundToken;
use offhook_sip::subscription::Notifier;
use offhook_sma::action::LegTag;
use offhook_sma::digits::Collector;
use offhook_sma::event::{Direction, EventType, Participant, Status};
use offhook_sma::session::Transaction;
use tokio::sync::{mpsc, oneshot};

use super::begin::details;
use super::identity::{self, Caller, Source};
use super::joining::Partner;
use super::leg::{Leg, LegId, Part, Party};
use super::runner::Running;
use super::{Call, Control, epoch_ms};
use crate::app::Application;
use crate::office::user_of;

/// A phone that was told of the end of its transfer hangs up by itself (RFC 5589 §6.1); one that
/// does not is hung up after this.
const PATIENCE: Duration = Duration::from_secs(2);

/// A transfer under way.
pub(super) struct Transfer {
    pub(super) by: Transferor,
    /// Who stays.
    pub(super) remaining: LegId,
    /// The extension whose rights count.
    pub(super) extension: String,
    pub(super) stage: Stage,
}

/// Who asked for it.
pub(super) enum Transferor {
    /// A phone of this call.
    Leg {
        id: LegId,
        /// What it was before.
        part: Part,
        /// How it is told; `None`: it does not want to be.
        report: Option<Notifier>,
        gone: bool,
    },
    /// A phone of another call, whose other party is ours.
    Call { control: mpsc::Sender<Control>, gone: bool },
}

impl Transferor {
    fn is_gone(&self) -> bool {
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
    /// Another call was asked to take the party; dropped, the other call hears that we gave up.
    Joining { run: u64, number: String, life: oneshot::Sender<()> },
    /// The other call, which has the party, carries it out.
    Elsewhere,
}

/// What is gone back to when nobody takes the call.
pub(super) struct Before {
    app: Option<Box<dyn Application>>,
    app_name: &'static str,
    transaction: Transaction,
    caller: Caller,
    invoked_for: LegTag,
    listening: Option<(LegId, Collector)>,
    partner: Option<Box<Partner>>,
    part: Part,
    destination: Option<String>,
    /// A number that did not answer lifts no limit.
    emergency: bool,
    to_emergency: bool,
    ends_at: Option<Instant>,
}

/// An order to another call: its party is put through by the phone in this one.
#[derive(Debug)]
pub(crate) struct PutThrough {
    control: mpsc::Sender<Control>,
    extension: String,
    number: String,
    replaces: Option<Replaces>,
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
        let asked = self.may_refer(id, request);
        let mut headers = Headers::new();
        let status = match &asked {
            Ok((refer, _)) => {
                if refer.silent
                    && let Some(name) = HeaderName::parse(b"Refer-Sub")
                {
                    // RFC 4488 §4: no report will follow.
                    headers.push(name, "false");
                }
                StatusCode::ACCEPTED
            }
            Err(status) => *status,
        };
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
        let number = identity::number_of(&user_of(&refer.target.uri));
        let kind = if refer.replaces.is_some() { "to its other call" } else { "to" };
        self.timeline.note(now, Some(label), format!("puts the call through {kind} {number}"));
        let report = (!refer.silent).then(|| refer.subscription(now));
        let by = Transferor::Leg { id, part, report, gone: false };
        // Before anybody else is asked: a player silences what its port would hear.
        self.stop_music();
        let other = self.other(id).map(|leg| leg.id);
        let stage = if other.is_some() { Stage::Asked } else { Stage::Elsewhere };
        let remaining = other.unwrap_or(id);
        let transfer = Transfer { by, remaining, extension: extension.clone(), stage };
        self.transfer = Some(Box::new(transfer));
        // RFC 3515 §2.4.4: the first report follows at once.
        self.report(now, StatusCode::TRYING);
        if other.is_some() {
            if let Some(leg) = self.leg(id) {
                leg.part = Part::Leaving;
            }
            return self.carry_out(now, number, refer.replaces.as_ref());
        }
        let control = self.entry.control().clone();
        let order = PutThrough { control, extension, number, replaces: refer.replaces };
        let told = self
            .partner
            .as_ref()
            .map(|partner| partner.control.try_send(Control::PutThrough(Box::new(order))).is_ok());
        if told != Some(true) {
            self.transfer_failed(now, 503);
        }
    }

    /// Whether a phone may put this call through now.
    fn may_refer(&self, id: LegId, request: &Request) -> Result<(Refer, String), StatusCode> {
        let leg = self.leg_ref(id).ok_or(StatusCode::CALL_DOES_NOT_EXIST)?;
        // A trunk that could refer our calls could make us dial.
        let Party::Phone(extension) = &leg.party else { return Err(StatusCode::FORBIDDEN) };
        let refer = Refer::of(request).map_err(refer::ReferError::status)?;
        if !identity::is_plain(&user_of(&refer.target.uri)) {
            return Err(StatusCode::BAD_REQUEST);
        }
        if self.transfer.is_some() {
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
        let quiet = self.script.is_idle() && self.app_queue.is_empty() && !self.awaiting_reply;
        quiet
            && self.app.is_some()
            && self.bridging.is_none()
            && matches!(self.running, Running::Nothing)
    }

    /// Another call's phone puts our party through.
    pub(super) fn on_put_through(&mut self, now: Instant, order: PutThrough) {
        let PutThrough { control, extension, number, replaces } = order;
        let remaining = self.legs.iter().find(|leg| leg.tag().is_some() && leg.confirmed);
        let remaining = remaining.map(|leg| leg.id);
        // Whom our party talked to before has no say any more.
        let theirs = self.partner.as_ref().is_some_and(|p| p.control.same_channel(&control));
        let free = theirs && self.transfer.is_none() && self.is_settled();
        let Some(remaining) = remaining.filter(|_| free) else {
            let _ = control.try_send(Control::Progress(480));
            return;
        };
        let text = format!("{extension} puts the call through to {number}");
        self.timeline.note(now, None, text);
        let by = Transferor::Call { control, gone: false };
        self.transfer = Some(Box::new(Transfer { by, remaining, extension, stage: Stage::Asked }));
        self.stop_music();
        self.carry_out(now, number, replaces.as_ref());
    }

    fn carry_out(&mut self, now: Instant, number: String, replaces: Option<&Replaces>) {
        let remaining = self.transfer.as_ref().map(|t| t.remaining);
        if let Some(port) = remaining.and_then(|id| self.leg_ref(id)).and_then(Leg::port) {
            // Whatever played to it, also for the other call.
            port.stop_play();
        }
        match replaces {
            Some(replaces) => self.ask_to_join(now, replaces, number),
            None => self.call_target(now, &number),
        }
    }

    /// Hands the remaining party to the application of what was dialled.
    pub(super) fn call_target(&mut self, now: Instant, number: &str) {
        let Some(transfer) = &self.transfer else { return };
        let remaining = transfer.remaining;
        let dialler = Source::Phone(transfer.extension.clone());
        let caller = self.identity_of(remaining);
        let plan = self.router.plan(self.config(), &dialler, &caller, number);
        if let Some(failure) = plan.failure {
            self.timeline.failure(now, None, failure, Some(failure.sip_status), number);
            return self.transfer_failed(now, failure.sip_status);
        }
        let engine = &self.services.engine;
        let Some(leg) = self.legs.iter_mut().find(|leg| leg.id == remaining) else { return };
        if let Some(port) = leg.port() {
            engine.unbridge(port);
        }
        let part = std::mem::replace(&mut leg.part, Part::Caller);
        let participant = Participant {
            call_id: leg.call_id.clone(),
            participant_tag: LegTag::A,
            to: number.to_owned(),
            from: caller.shown().to_owned(),
            direction: Direction::Inbound,
            start_time_in_milliseconds: epoch_ms(self.record.started),
            status: Some(Status::Connected),
            sip_headers: caller.sip_headers(),
        };
        let app_name = plan.app.name();
        let transaction = Transaction::new(details(self.record.id.clone(), app_name, participant));
        let before = Before {
            app: self.app.replace(plan.app),
            app_name: std::mem::replace(&mut self.app_name, app_name),
            transaction: std::mem::replace(&mut self.transaction, transaction),
            caller: std::mem::replace(&mut self.caller, caller),
            invoked_for: std::mem::replace(&mut self.invoked_for, LegTag::A),
            listening: self.listening.take(),
            partner: self.partner.take(),
            part,
            destination: plan.destination,
            emergency: self.emergency,
            to_emergency: self.to_emergency,
            ends_at: self.ends_at,
        };
        self.app_run += 1;
        // What waited was for the application that had the call.
        self.app_queue.clear();
        self.to_emergency = plan.emergency;
        if plan.emergency {
            self.becomes_emergency();
        }
        if let Some(transfer) = &mut self.transfer {
            transfer.stage = Stage::Calling(Box::new(before));
        }
        self.tell(now, LegTag::A, EventType::NewInboundCall, None);
    }

    /// Who a leg's party is, for those that it is put through to.
    pub(super) fn identity_of(&self, id: LegId) -> Caller {
        let Some(leg) = self.leg_ref(id).filter(|leg| leg.tag() != Some(LegTag::A)) else {
            return self.caller.clone();
        };
        let (source, name) = match &leg.party {
            Party::Phone(number) => {
                let account = self.services.phonebook.account(number);
                let name = account.map(|a| a.name.clone()).filter(|name| !name.is_empty());
                (Source::Phone(number.clone()), name)
            }
            Party::Trunk(name) => (Source::Trunk(name.clone()), None),
        };
        Caller::known(source, &leg.number, name)
    }

    /// Tells whoever asked how it goes.
    pub(super) fn report(&mut self, now: Instant, status: StatusCode) {
        let Some(transfer) = &mut self.transfer else { return };
        match &mut transfer.by {
            Transferor::Call { control, .. } => {
                let _ = control.try_send(Control::Progress(status.code()));
            }
            Transferor::Leg { id, report: Some(report), gone: false, .. } => {
                let id = *id;
                let Some(leg) = self.legs.iter_mut().find(|leg| leg.id == id) else { return };
                let Some(dialog) = leg.session.dialog() else { return };
                let mut notify = Request::new(Method::Notify, dialog.remote_target().clone());
                refer::fill_report(now, report, &mut notify, status, None);
                notify.headers.remove(&HeaderName::ContentType);
                let body = Some((refer::SIPFRAG, notify.body));
                let _ = leg.session.send(now, Method::Notify, &notify.headers, body);
            }
            Transferor::Leg { .. } => {}
        }
    }

    /// The call that was asked to carry out our phone's transfer says how it goes.
    pub(super) fn on_progress(&mut self, now: Instant, status: u16) {
        let elsewhere = self.transfer.as_ref().is_some_and(|t| matches!(t.stage, Stage::Elsewhere));
        let Some(status) = StatusCode::new(status).filter(|_| elsewhere) else { return };
        self.report(now, status);
        if status.is_final() {
            self.transfer = None;
            if status.is_success()
                && let Some(partner) = &mut self.partner
            {
                // Our party is somebody else's: a hold of ours is none of its business any more.
                partner.over = true;
            }
            self.music_for_hold();
        }
    }

    /// Somebody rings for the remaining party.
    pub(super) fn transfer_rings(&mut self, now: Instant) {
        if self.transfer.as_ref().is_some_and(|t| matches!(t.stage, Stage::Calling(_))) {
            self.report(now, StatusCode::RINGING);
        }
    }

    /// Somebody or something took the call: the phone that put it through is out of it.
    pub(super) fn put_through(&mut self, now: Instant) {
        if !self.transfer.as_ref().is_some_and(|t| matches!(t.stage, Stage::Calling(_))) {
            return;
        }
        self.report(now, StatusCode::OK);
        let Some(transfer) = self.transfer.take() else { return };
        self.timeline.note(now, None, "the call is put through");
        if let Stage::Calling(before) = transfer.stage
            && before.destination.is_some()
        {
            self.record.destination = before.destination;
            self.keep_record();
        }
        if let Transferor::Leg { id, gone: false, .. } = transfer.by {
            self.leave(now, id);
        }
    }

    /// Nobody took the call: the phone has its party again. `false`: there is no such phone (any
    /// more), and the application's word holds.
    pub(super) fn back_to_transferor(&mut self, now: Instant, status: u16) -> bool {
        let calling = |t: &Transfer| matches!(t.stage, Stage::Calling(_));
        if !self.transfer.as_deref().is_some_and(calling) {
            return false;
        }
        if self.transfer.as_ref().is_some_and(|t| t.by.is_gone()) {
            self.transfer = None;
            return false;
        }
        let status = if (400..700).contains(&status) { status } else { 480 };
        let transfer = self.transfer.as_mut();
        let stage = transfer.map(|t| std::mem::replace(&mut t.stage, Stage::Asked));
        let Some(Stage::Calling(before)) = stage else { return false };
        self.stop_bridging(now, &[]);
        self.script.clear();
        self.app_queue.clear();
        self.app_run += 1;
        let Before {
            app,
            app_name,
            transaction,
            caller,
            invoked_for,
            listening,
            partner,
            part,
            emergency,
            to_emergency,
            ends_at,
            ..
        } = *before;
        (self.emergency, self.to_emergency, self.ends_at) = (emergency, to_emergency, ends_at);
        self.watch_for_silence(now);
        (self.app, self.app_name) = (app, app_name);
        (self.transaction, self.caller) = (transaction, caller);
        (self.invoked_for, self.listening, self.partner) = (invoked_for, listening, partner);
        (self.running, self.action_deadline) = (Running::Nothing, None);
        self.awaiting_reply = false;
        self.failure = None;
        let remaining = self.transfer.as_ref().map(|t| t.remaining);
        if let Some(leg) = remaining.and_then(|id| self.leg(id)) {
            leg.part = part;
            if let Some(port) = leg.port() {
                port.stop_play();
            }
        }
        self.transfer_failed(now, status);
        if let Some(id) = remaining {
            let ours = self.leg_ref(id).and_then(Leg::port);
            if let (Some(ours), Some(other)) = (ours, self.other_port(id)) {
                self.services.engine.bridge(ours, other);
            }
        }
        self.music_for_hold();
        true
    }

    /// Says that it came to nothing. The parties are as they were; without the phone that asked
    /// there is nobody left for the other one to talk to.
    pub(super) fn transfer_failed(&mut self, now: Instant, status: u16) {
        let code = StatusCode::new(status).unwrap_or(StatusCode::TEMPORARILY_UNAVAILABLE);
        self.report(now, code);
        let Some(transfer) = self.transfer.take() else { return };
        self.timeline.note(now, None, format!("the call could not be put through: {status}"));
        if transfer.by.is_gone() {
            return self.hang_up_all(now, "nobody is left to talk to");
        }
        if let Transferor::Leg { id, part, .. } = transfer.by
            && let Some(leg) = self.leg(id)
        {
            leg.part = part;
        }
        self.music_for_hold();
    }

    /// The phone has nothing more to do with the call; it hangs up, or we do.
    pub(super) fn leave(&mut self, now: Instant, id: LegId) {
        if let Some((before, _)) = self.leaving.replace((id, now + PATIENCE)) {
            self.hang_up_leg(now, before);
        }
    }

    pub(super) fn leave_in_time(&mut self, now: Instant) {
        if let Some((id, _)) = self.leaving.filter(|(_, at)| *at <= now) {
            self.leaving = None;
            self.hang_up_leg(now, id);
        }
    }

    fn hang_up_leg(&mut self, now: Instant, id: LegId) {
        if let Some(leg) = self.leg(id) {
            leg.session.hangup(now, Headers::new());
        }
    }

    /// The leg of a phone that puts the call through, or has done so, is over.
    pub(super) fn transferor_gone(&mut self, now: Instant, id: LegId) {
        if self.leaving.is_some_and(|(leaving, _)| leaving == id) {
            self.leaving = None;
        }
        if let Some(Transferor::Leg { id: by, gone, report, .. }) =
            self.transfer.as_mut().map(|t| &mut t.by)
            && *by == id
        {
            (*gone, *report) = (true, None);
            self.timeline.note(now, None, "the phone that puts the call through hung up");
        }
    }

    /// The remaining party is gone, or the whole call ends: the phone that asked is told and hung
    /// up.
    pub(super) fn end_transfer(&mut self, now: Instant) {
        self.report(now, StatusCode::REQUEST_TERMINATED);
        if let Some(Transferor::Leg { id, gone: false, .. }) = self.transfer.take().map(|t| t.by) {
            self.hang_up_leg(now, id);
        }
        if let Some((id, _)) = self.leaving.take() {
            self.hang_up_leg(now, id);
        }
    }
}

impl Transfer {
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
