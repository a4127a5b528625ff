//! A phone gave its caller to the cloud, which did not take him, and has hung up: it is rung again.
//!
//! > Who had the call has it again when the phone answers, as if the phone had never gone. What
//! > comes from outside meanwhile is told to that application while it rings, in its order; when it
//! > has something to do with the caller, the ringing ends for that.

use std::time::{Duration, Instant};

use offhook_sma::action::{Action, LegTag};
use offhook_sma::event::{ActionData, Direction, EventType, Participant, Status};
use offhook_sma::session::{MAX_INVOCATIONS, Transaction};

use super::asking::{Answer, Tell};
use super::leg::{Leg, LegId, Part};
use super::transfer::{Before, Stage, Transfer, Transferor};
use super::update::NOT_TOLD;
use super::{APP_QUEUE, Call, epoch_ms};

/// A phone that hangs up within this after it was told that the caller stays did not know it yet,
/// or hangs up by itself whatever it is told.
const CROSSING: Duration = Duration::from_secs(2);

/// A phone that has its caller again.
pub(super) struct GivenBack {
    phone: Phone,
    remaining: LegId,
    extension: String,
    until: Instant,
}

impl GivenBack {
    pub(super) fn new(now: Instant, phone: Phone, remaining: LegId, extension: String) -> Self {
        Self { phone, remaining, extension, until: now + CROSSING }
    }
}

/// Where it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phone {
    /// In this call.
    Leg(LegId),
    /// In the other call, which is joined to this one.
    Partner { run: u64 },
}

impl Call {
    /// A leg was hung up: `true`, it was a phone's that had just got its caller back, and it rings
    /// again.
    pub(super) fn rings_again(&mut self, now: Instant, id: LegId, part: Part) -> bool {
        let by = Transferor::Leg { id, part, report: None, gone: true };
        self.call_back(now, Phone::Leg(id), by)
    }

    /// The other call is over: `true`, it was that of a phone that had just got its caller back,
    /// and that rings again.
    pub(super) fn partner_rings_again(&mut self, now: Instant, run: u64) -> bool {
        let Some(partner) = self.partner.as_ref().filter(|partner| partner.run == run) else {
            return false;
        };
        let control = partner.control.clone();
        let by = Transferor::Call { control, held: false, gone: true };
        self.call_back(now, Phone::Partner { run }, by)
    }

    fn call_back(&mut self, now: Instant, phone: Phone, by: Transferor) -> bool {
        let Some(back) = self.given_back.take_if(|back| back.phone == phone) else { return false };
        let GivenBack { remaining, extension, until, .. } = *back;
        let there = self.leg_ref(remaining).is_some_and(|leg| leg.tag().is_some());
        // The application may be busy with what waited for it.
        if now > until || !there || self.transfer.is_some() || !self.does_nothing() {
            return false;
        }
        self.timeline.note(now, None, "the phone has hung up meanwhile: it rings again");
        self.stop_music();
        if let Phone::Partner { .. } = phone {
            self.partner = None;
            // Perhaps the other call's music.
            if let Some(port) = self.leg_ref(remaining).and_then(Leg::port) {
                port.stop_play();
            }
        }
        let number = extension.clone();
        self.transfer = Some(Box::new(Transfer::new(by, remaining, extension)));
        self.ring_desk_again(now, &number);
        true
    }

    /// Rings the phone that has hung up.
    pub(super) fn ring_desk_again(&mut self, now: Instant, extension: &str) {
        self.call_target(now, extension);
        let Some(before) = self.called_back_from(false) else { return };
        before.back = true;
        let application = before.transaction.details().sip_media_application_id.clone();
        // An update is still for whoever had the call.
        self.entry.run_by(&application);
    }

    /// Who had the call, while its phone rings again.
    pub(super) fn called_back(&mut self) -> Option<&mut Before> {
        self.called_back_from(true)
    }

    fn called_back_from(&mut self, back: bool) -> Option<&mut Before> {
        match &mut self.transfer.as_mut()?.stage {
            Stage::Calling(before) if before.back == back => Some(before),
            _ => None,
        }
    }

    /// The call as who is told of updates has it.
    pub(super) fn updated_transaction(&mut self) -> &Transaction {
        if self.called_back().is_none() {
            return &self.transaction;
        }
        match self.transfer.as_deref() {
            Some(Transfer { stage: Stage::Calling(before), .. }) => &before.transaction,
            _ => &self.transaction,
        }
    }

    /// Tells whoever has the call of an update from outside; while a phone rings again that is the
    /// application that had it.
    pub(super) fn tell_update(&mut self, now: Instant, data: ActionData) {
        let (kind, data) = (EventType::CallUpdateRequested, Some(data));
        let Some(before) = self.called_back() else {
            return self.tell(now, self.invoked_for, kind, data);
        };
        let told = before.transaction.invocations() as usize + before.waiting.len();
        if before.waiting.len() >= APP_QUEUE || told >= MAX_INVOCATIONS as usize {
            return self.timeline.note(now, None, NOT_TOLD);
        }
        before.waiting.push_back(Tell::new(kind, before.invoked_for, data));
    }

    /// The caller is gone to the cloud: what was asked for him comes too late.
    pub(super) fn forget_updates(&mut self, now: Instant) {
        let before = self.app_queue.len();
        self.app_queue.retain(|tell| tell.kind() != EventType::CallUpdateRequested);
        let forgotten = before - self.app_queue.len();
        if forgotten > 0 {
            let text =
                format!("{forgotten} updates from outside come too late: the caller is gone");
            self.timeline.note(now, None, text);
        }
    }

    /// Tells it what waits, one after the other.
    pub(super) fn run_app_before(&mut self) {
        let Some(before) = self.called_back() else { return };
        if before.waiting.is_empty() {
            return;
        }
        let Some(app) = before.app.take() else { return };
        let Some(tell) = before.waiting.pop_front() else { return };
        let (run, told, leg) = (before.run, tell.kind(), tell.leg());
        let event = tell.event(&mut before.transaction);
        self.ask(app, run, (told, leg), event);
    }

    /// Whether an answer is that of the application that had the call.
    pub(super) fn is_from_before(&mut self, run: u64) -> bool {
        self.called_back().is_some_and(|before| before.run == run)
    }

    /// It has answered.
    pub(super) fn on_reply_before(&mut self, now: Instant, answer: Answer) {
        let rules = self.rules;
        let Some(before) = self.called_back() else { return };
        let (told, leg) = (answer.told, answer.leg);
        let acts = answer.reply.as_ref().is_ok_and(|reply| {
            let some = reply.actions.as_deref().is_some_and(|list: &[Action]| !list.is_empty());
            some && reply.check(&rules).is_ok() && before.transaction.acts_on(told, leg, &rules)
        });
        if acts {
            self.caller_goes_elsewhere(now);
            return self.on_reply(now, answer);
        }
        before.app = Some(answer.app);
        match &answer.reply {
            Ok(reply) => before.transaction.keep_attributes(reply, &rules),
            Err(error) => {
                let text = format!("{} was told in vain: {error}", told.as_str());
                return self.timeline.note(now, None, text);
            }
        }
        self.timeline.note(now, None, format!("{} changes nothing", told.as_str()));
    }

    /// The application has something to do with the caller: nobody is rung for him any more.
    fn caller_goes_elsewhere(&mut self, now: Instant) {
        let Some(transfer) = self.transfer.take() else { return };
        let remaining = transfer.remaining;
        let Stage::Calling(before) = transfer.stage else { return };
        self.timeline.note(now, None, "an update from outside ends the ringing");
        self.restore(now, *before, Some(remaining));
        // No HANGUP is told of the leg that has gone: it would take the place of what the update
        // ordered. CallDetails say so.
        if let Some(gone) = self.tag_beside(remaining) {
            self.transaction.set_status(gone, Status::Disconnected);
        }
        self.listening.retain(|listening| listening.leg == remaining);
    }

    /// The phone that was rung again has answered, or the one that it forwards to: everything is as
    /// it was, with another leg in the place of the one that hung up. `false`: nobody was.
    pub(super) fn has_caller_again(&mut self, now: Instant, id: LegId) -> bool {
        if self.called_back().is_none() {
            return false;
        }
        let Some(transfer) = self.transfer.take() else { return false };
        let remaining = transfer.remaining;
        let Stage::Calling(before) = transfer.stage else { return false };
        self.timeline.note(now, None, "the phone has the caller again");
        self.restore(now, *before, Some(remaining));
        let Some(tag) = self.tag_beside(remaining) else { return true };
        let from = self.caller.shown().to_owned();
        let known = self.transaction.participant(tag).map(|p| p.call_id.clone());
        let Some(leg) = self.leg(id) else { return true };
        leg.part = if tag == LegTag::A { Part::Caller } else { Part::Callee };
        (leg.answered, leg.confirmed) = (true, true);
        let label = leg.party.label();
        let mut listening = self.listening.iter_mut();
        if let Some(listening) = listening.find(|known| known.leg != remaining) {
            listening.leg = id;
        }
        // A phone that had called is where the call came from.
        if tag != LegTag::A {
            self.record.destination = Some(label);
            self.keep_record();
        }
        match known {
            // The application was never told that it went.
            Some(call_id) => {
                if let Some(leg) = self.leg(id) {
                    leg.call_id = call_id;
                }
                self.transaction.set_status(tag, Status::Connected);
            }
            None => {
                let Some(leg) = self.leg_ref(id) else { return true };
                let (call_id, to) = (leg.call_id.clone(), leg.number.to_string());
                let start_time_in_milliseconds = epoch_ms(std::time::SystemTime::now());
                self.transaction.add_participant(Participant {
                    call_id,
                    participant_tag: tag,
                    to,
                    from,
                    direction: Direction::Outbound,
                    start_time_in_milliseconds,
                    status: Some(Status::Connected),
                    sip_headers: Default::default(),
                    other: Default::default(),
                });
            }
        }
        self.answered_after_all(now);
        self.timeline.flush();
        true
    }

    /// The other one of two legs.
    fn tag_beside(&self, id: LegId) -> Option<LegTag> {
        let tag = self.leg_ref(id)?.tag()?;
        Some(if tag == LegTag::A { LegTag::B } else { LegTag::A })
    }
}
