//! A call that an application begins (`CreateSipMediaApplicationCall`): LEG-A is who is called.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use offhook_config::dialplan::Dialled;
use offhook_sip::header::{HeaderName, Headers};
use offhook_sma::action::{Action, Hangup, LegTag, Target};
use offhook_sma::event::{
    ActionData, CALL_CREATE_REQUEST, Direction, EventType, Participant, Status,
};

use super::begin::sip_rule;
use super::best::{Outcome, status_for_caller};
use super::bridge::Begins;
use super::identity::Source;
use super::leg::{LegId, Part, Party};
use super::runner::Running;
use super::{Call, epoch_ms};
use crate::failure;

/// A call of ours rings so long, as far as the configuration lets any ring.
const RING: Duration = Duration::from_secs(60);

/// What a call is begun with.
pub(crate) struct Created {
    /// Number to be called.
    pub(crate) to: String,
    /// Number shown.
    pub(crate) from: String,
    /// For the INVITE.
    pub(crate) headers: BTreeMap<String, String>,
    /// For the application.
    pub(crate) arguments: BTreeMap<String, String>,
}

impl Created {
    pub(super) fn participant(&self, call_id: String, at: SystemTime) -> Participant {
        Participant {
            call_id,
            participant_tag: LegTag::A,
            to: self.to.clone(),
            from: self.from.clone(),
            direction: Direction::Outbound,
            start_time_in_milliseconds: epoch_ms(at),
            status: None,
            sip_headers: self.headers.clone(),
            other: Default::default(),
        }
    }
}

impl Call {
    /// The application hears of its call first; its answer has it placed.
    pub(super) fn begin_created(&mut self, now: Instant) {
        let Some(created) = &mut self.creating else { return };
        let arguments = std::mem::take(&mut created.arguments);
        let request = |arguments| ActionData::request(CALL_CREATE_REQUEST, arguments);
        let data = (!arguments.is_empty()).then(|| request(arguments));
        self.tell(now, LegTag::A, EventType::NewOutboundCall, data);
    }

    /// Calls.
    pub(super) fn place_created(&mut self, now: Instant) {
        let Some(created) = &self.creating else { return };
        let mut headers = Headers::new();
        for (name, value) in &created.headers {
            if let Some(name) = HeaderName::parse(name.as_bytes()) {
                headers.push(name, value.clone());
            }
        }
        let (to, from) = (created.to.clone(), created.from.clone());
        let caller_id = Some(from);
        let begins = Begins { ring: RING, patient: false, tone: false, headers, caller_id };
        self.begin_bridging(now, begins);
        if self.services.phonebook.account(&to).is_some() {
            self.call_extension(now, &to, &[]);
        } else {
            match self.config().dialplan.dialled(&to) {
                Dialled::Outside(number) => self.call_out(now, &number, None, &[]),
                // An application is no person in need.
                Dialled::Emergency(_) => {
                    self.missed(now, Outcome::of(failure::NOT_ALLOWED, to));
                }
                Dialled::Invalid(why) => {
                    self.missed(now, Outcome::of(failure::UNKNOWN_NUMBER, why));
                }
            }
        }
        self.go_on(now);
    }

    /// It rings.
    pub(super) fn created_rings(&mut self, now: Instant) {
        if self.creating.is_some() {
            self.tell(now, LegTag::A, EventType::Ringing, None);
        }
    }

    /// Somebody answered: from now on this is a call like any other.
    pub(super) fn created_answered(&mut self, now: Instant, id: LegId) {
        self.stop_bridging(now, &[id]);
        self.running = Running::Nothing;
        self.creating = None;
        let call_id = self.transaction.participant(LegTag::A).map(|p| p.call_id.clone());
        let Some(leg) = self.leg(id) else { return };
        (leg.part, leg.answered, leg.confirmed) = (Part::Caller, true, true);
        if let Some(call_id) = call_id {
            leg.call_id = call_id;
        }
        let party: Party = leg.party.clone();
        let by_phone = matches!(self.caller.source, Source::Phone(_));
        self.caller = self.party_of(id);
        self.transaction.set_status(LegTag::A, Status::Connected);
        if by_phone {
            // As if the phone had dialled.
            self.transaction.set_inbound(LegTag::A, sip_rule);
        }
        self.answered_after_all(now);
        self.record.disposition = "answered".to_owned();
        // A phone that called by a click is no destination: it goes on to one.
        if !by_phone {
            self.record.destination = Some(party.label());
        }
        self.keep_record();
        self.timeline.flush();
        self.tell(now, LegTag::A, EventType::CallAnswered, None);
    }

    /// Nobody did.
    pub(super) fn created_missed(&mut self, now: Instant, outcome: &Outcome) {
        self.failure = Some(outcome.failure);
        self.end_created(now, status_for_caller(outcome));
    }

    /// It ends before anybody answered.
    pub(super) fn end_created(&mut self, now: Instant, status: u16) {
        if self.creating.take().is_none() {
            return;
        }
        self.stop_bridging(now, &[]);
        self.transaction.set_status(LegTag::A, Status::Disconnected);
        let mut hangup =
            Hangup { target: Target::tag(LegTag::A), sip_response_code: u64::from(status) };
        hangup.target.call_id = self.transaction.participant(LegTag::A).map(|p| p.call_id.clone());
        let data = ActionData::of(Action::Hangup(hangup));
        self.tell(now, LegTag::A, EventType::Hangup, Some(data));
    }
}
