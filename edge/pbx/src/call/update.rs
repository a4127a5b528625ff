//! What comes to a call from outside while it goes on (`UpdateSipMediaApplicationCall`), and what
//! that stops half-way.

use std::collections::BTreeMap;
use std::time::Instant;

use offhook_sma::action::{Action, LegTag};
use offhook_sma::event::{ActionData, CALL_UPDATE_REQUEST, EventType};

use super::leg::Leg;
use super::origin::is_id;
use super::runner::Running;
use super::{APP_QUEUE, Call};

/// Of an update, in the timeline.
pub(super) const NOT_TOLD: &str = "an update from outside is not told: too many wait";

impl Call {
    /// Tells the application of it; what it answers takes the place of what runs.
    pub(super) fn on_update(&mut self, now: Instant, arguments: BTreeMap<String, String>) {
        if self.record.ended.is_some() {
            return;
        }
        if self.app_queue.len() >= APP_QUEUE {
            // The application is far behind, which is no reason to end its call.
            return self.timeline.note(now, None, NOT_TOLD);
        }
        self.timeline.note(now, None, "the call is updated from outside");
        self.learn_contact(&arguments);
        let data = ActionData::request(CALL_UPDATE_REQUEST, arguments);
        self.tell_update(now, data);
    }

    /// Connect's function says which contact the call has become there.
    fn learn_contact(&mut self, arguments: &BTreeMap<String, String>) {
        let named = |wanted: &str| {
            let mut all = arguments.iter();
            let found = all.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.trim()).filter(|id| is_id(id)).map(str::to_owned)
        };
        let application = self.updated_transaction().details().sip_media_application_id.clone();
        let cloud = &mut self.record.cloud;
        let before = cloud.clone();
        if let Some(contact) = named("X-Connect-Contact-Id") {
            cloud.contact_id = Some(contact);
            cloud.transaction_id.get_or_insert_with(|| self.record.id.clone());
            cloud.sip_media_application_id.get_or_insert(application);
        }
        if let Some(first) = named("X-Connect-Initial-Contact-Id") {
            cloud.initial_contact_id = Some(first);
        }
        if *cloud != before {
            self.keep_record();
        }
    }

    /// Stops the running action; the application is told, and what waits has its turn.
    pub(super) fn interrupt(&mut self, now: Instant) {
        let tag = self.script.running().and_then(|action| action.target().participant_tag);
        let port = self.legs.iter().find(|leg| leg.tag() == tag).and_then(Leg::port);
        match &self.running {
            // What was said is kept first: [`Call::on_recorded`] tells of it.
            Running::Recording(recording) if recording.is_open() => {
                self.interrupting = true;
                if let Some(port) = port {
                    port.stop_record();
                }
                return;
            }
            Running::Playing { .. } => {
                if let Some(port) = port {
                    port.stop_play();
                }
            }
            _ => {}
        }
        self.running = Running::Nothing;
        self.action_deadline = None;
        if let Some(action) = self.script.interrupted() {
            let tag = tag.unwrap_or(self.invoked_for);
            self.tell(now, tag, EventType::ActionInterrupted, Some(ActionData::of(action)));
        }
    }

    /// A `Hangup` of ours was carried out and its `HANGUP` was answered: where the caller stays, it
    /// is reported as an action too.
    pub(super) fn report_hangup_behind(&mut self, now: Instant, leg: LegTag, silent: bool) {
        let Some((tag, action)) = self.hung_up.take() else { return };
        let told = !self.script.has_waiting() || action.always_reports(&self.rules);
        if tag == leg && silent && told && matches!(self.running, Running::Nothing) {
            self.tell(now, tag, EventType::ActionSuccessful, Some(ActionData::of(action)));
        }
    }

    /// What is to be said of a `Hangup` that is carried out now.
    pub(super) fn note_hangup(&mut self, now: Instant, tag: LegTag, action: Action) {
        let sole = !self.transaction.other_connected(tag);
        if self.rules.hangup_reports_first(sole) {
            let data = ActionData::of(action);
            self.tell(now, tag, EventType::ActionSuccessful, Some(data));
        } else if !sole && self.rules.hangup_reports_behind(tag) {
            self.hung_up = Some((tag, action));
        }
    }
}
