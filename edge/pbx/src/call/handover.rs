//! A call is put through to a number: whoever remains becomes the caller of what the number leads
//! to, and goes back to the phone when nobody takes the call.

use std::time::Instant;

use offhook_sip::message::StatusCode;
use offhook_sma::action::LegTag;
use offhook_sma::event::{Direction, EventType, Participant, Status};
use offhook_sma::session::Transaction;

use super::begin::details;
use super::identity::{Caller, Source};
use super::leg::{Leg, LegId, Part, Party};
use super::runner::Running;
use super::transfer::{Before, Stage, Transfer, Transferor};
use super::{Call, epoch_ms};
use crate::office::route::Plan;

impl Call {
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
            other: Default::default(),
        };
        let before = self.hand_over(plan, caller, participant, part);
        if let Some(transfer) = &mut self.transfer {
            transfer.stage = Stage::Calling(Box::new(before));
        }
        self.tell(now, LegTag::A, EventType::NewInboundCall, None);
    }

    /// The application of `plan` has the call from now on; what it was before is given back.
    fn hand_over(
        &mut self,
        plan: Plan,
        caller: Caller,
        participant: Participant,
        part: Part,
    ) -> Before {
        let app_name = plan.app.name();
        let (id, label) = (self.record.id.clone(), plan.destination.as_deref().unwrap_or(app_name));
        let details = details(&self.config().aws, id, label, participant);
        self.entry.run_by(&details.sip_media_application_id);
        let transaction = Transaction::new(details);
        let before = Before {
            app: self.app.replace(plan.app),
            app_name: std::mem::replace(&mut self.app_name, app_name),
            transaction: std::mem::replace(&mut self.transaction, transaction),
            caller: std::mem::replace(&mut self.caller, caller),
            invoked_for: std::mem::replace(&mut self.invoked_for, LegTag::A),
            listening: std::mem::take(&mut self.listening),
            partner: self.partner.take(),
            part,
            destination: plan.destination,
            emergency: self.emergency,
            to_emergency: self.to_emergency,
            ends_at: self.ends_at,
            run: self.app_run,
            // It was for the application that had the call.
            waiting: std::mem::take(&mut self.app_queue),
            back: false,
        };
        self.app_run = self.run_id();
        self.to_emergency = plan.emergency;
        if plan.emergency {
            self.becomes_emergency();
        }
        before
    }

    /// Who a leg's party is, for those that it is put through to.
    pub(super) fn identity_of(&self, id: LegId) -> Caller {
        if self.leg_ref(id).is_none_or(|leg| leg.tag() == Some(LegTag::A)) {
            return self.caller.clone();
        }
        self.party_of(id)
    }

    /// Who is at the other end of a leg that we called.
    pub(super) fn party_of(&self, id: LegId) -> Caller {
        let Some(leg) = self.leg_ref(id) else { return self.caller.clone() };
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

    /// Somebody or something took the call: the phone that put it through is out of it. The party
    /// that was put through, when there is one.
    pub(super) fn put_through(&mut self, now: Instant) -> Option<LegId> {
        if !self.transfer.as_ref().is_some_and(|t| matches!(t.stage, Stage::Calling(_))) {
            return None;
        }
        self.report(now, StatusCode::OK);
        let transfer = self.transfer.take()?;
        self.timeline.note(now, None, "the call is put through");
        if let Stage::Calling(before) = transfer.stage {
            if before.back {
                // Its phone does not answer, something else does.
                self.entry.run_by(&self.transaction.details().sip_media_application_id);
            }
            for tell in before.waiting {
                let text =
                    format!("{} comes too late: the call is put through", tell.kind().as_str());
                self.timeline.note(now, None, text);
            }
            if before.destination.is_some() {
                self.record.destination = before.destination;
                self.keep_record();
            }
        }
        match (transfer.by, transfer.meets) {
            (Transferor::Leg { id, gone: false, .. }, Some(meets)) => {
                if let Some(leg) = self.leg(id) {
                    leg.part = Part::Beside;
                }
                self.stay_in_room(now, id, *meets);
            }
            // Nobody would be with who is left in the room.
            (_, Some(_)) => self.hang_up_all(now, "nobody is left to talk to"),
            (Transferor::Leg { id, gone: false, .. }, None) if transfer.by_keys => {
                self.hang_up_leg(now, id);
            }
            (Transferor::Leg { id, gone: false, .. }, None) => self.leave(now, id),
            _ => {}
        }
        Some(transfer.remaining)
    }

    /// Nobody took the call: the phone has its party again. `false`: there is no such phone (any
    /// more), and the application's word holds.
    pub(super) fn back_to_transferor(&mut self, now: Instant, status: u16) -> bool {
        let calling = |t: &Transfer| matches!(t.stage, Stage::Calling(_));
        if !self.transfer.as_deref().is_some_and(calling) {
            return false;
        }
        let status = if (400..700).contains(&status) { status } else { 480 };
        if let Some(mut transfer) = self.transfer.take_if(|t| t.by.is_gone()) {
            self.transfer_status(status);
            transfer.tell_orderer(code_of(status));
            return false;
        }
        let transfer = self.transfer.as_mut();
        let stage = transfer.map(|t| std::mem::replace(&mut t.stage, Stage::Asked));
        let Some(Stage::Calling(before)) = stage else { return false };
        let remaining = self.transfer.as_ref().map(|t| t.remaining);
        self.restore(now, *before, remaining);
        self.transfer_failed(now, status);
        if let Some(id) = remaining {
            let ours = self.leg_ref(id).and_then(Leg::port);
            if let (Some(ours), Some(other)) = (ours, self.other_port(id)) {
                self.let_hear(ours, other);
            }
        }
        self.music_for_hold();
        true
    }

    /// The application that had the call has it again.
    pub(super) fn restore(&mut self, now: Instant, before: Before, remaining: Option<LegId>) {
        self.stop_bridging(now, &[]);
        self.script.clear();
        (self.app_queue, self.app_run) = (before.waiting, before.run);
        let Before { emergency, to_emergency, ends_at, .. } = before;
        (self.emergency, self.to_emergency, self.ends_at) = (emergency, to_emergency, ends_at);
        self.watch_for_silence(now);
        (self.app, self.app_name) = (before.app, before.app_name);
        (self.transaction, self.caller) = (before.transaction, before.caller);
        self.entry.run_by(&self.transaction.details().sip_media_application_id);
        (self.invoked_for, self.listening) = (before.invoked_for, before.listening);
        self.partner = before.partner;
        (self.running, self.action_deadline) = (Running::Nothing, None);
        self.awaiting_reply = false;
        self.failure = None;
        if let Some(leg) = remaining.and_then(|id| self.leg(id)) {
            leg.part = before.part;
            if let Some(port) = leg.port() {
                port.stop_play();
            }
        }
    }

    /// Says that it came to nothing. The parties are as they were; without the phone that asked
    /// there is nobody left for the other one to talk to.
    pub(super) fn transfer_failed(&mut self, now: Instant, status: u16) {
        let code = code_of(status);
        let ordered = self.transfer.as_ref().is_some_and(|t| t.orderer.is_some());
        self.report(now, code);
        let Some(transfer) = self.transfer.take() else { return };
        self.timeline.note(now, None, format!("the call could not be put through: {status}"));
        if transfer.by.is_gone() {
            return self.hang_up_all(now, "nobody is left to talk to");
        }
        // Who ordered it in another call hears it there.
        if !ordered {
            self.tell_who_pressed(now, &transfer, code);
        }
        if let Transferor::Leg { id, part, .. } = transfer.by
            && let Some(leg) = self.leg(id)
        {
            leg.part = part;
        }
        self.music_for_hold();
    }
}

fn code_of(status: u16) -> StatusCode {
    StatusCode::new(status).unwrap_or(StatusCode::TEMPORARILY_UNAVAILABLE)
}
