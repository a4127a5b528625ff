//! What a branch of a `CallAndBridge` says: it rings, it has early media, it answers.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use offhook_sip::header::Headers;
use offhook_sip::message::StatusCode;
use offhook_sma::action::{Action, AudioSource, LegTag};
use offhook_sma::event::{Direction, Participant, Status};

use super::best::Outcome;
use super::leg::{Leg, LegId, LegMedia, Part, Party, media_fact};
use super::runner::{Play, Running, failure_of};
use super::{Call, epoch_ms};
use crate::failure;

impl Call {
    /// A provisional response on a branch.
    pub(super) fn on_ringing(
        &mut self,
        now: Instant,
        id: LegId,
        status: StatusCode,
        sdp: Option<Bytes>,
    ) {
        let Some(bridging) = &mut self.bridging else { return };
        if !bridging.branches.iter().any(|b| b.leg == id) {
            return;
        }
        bridging.goes_on(now);
        if matches!(status.code(), 180 | 183) {
            self.screen_rings(id);
        }
        let Some(bridging) = &mut self.bridging else { return };
        // Early media of several phones at once would be a babel: of a lone branch only.
        let lone = bridging.branches.iter().all(|b| b.leg == id || b.outcome.is_some());
        if let Some(sdp) = sdp
            && lone
            && self.creating.is_none()
            && bridging.early.is_none_or(|early| early == id)
            && matches!(self.running, Running::Bridging)
            && self.early_media(now, id, &sdp).is_ok()
        {
            return;
        }
        // 183 without media tells a caller nothing that 180 does not.
        let tells = matches!(status.code(), 180 | 183);
        let Some(bridging) = &mut self.bridging else { return };
        if !tells || bridging.rings || bridging.early.is_some() {
            return;
        }
        bridging.rings = true;
        let tone = bridging.tone;
        self.created_rings(now);
        self.transfer_rings(now);
        let Some(caller) = self.tagged(LegTag::A) else { return };
        if !caller.answered {
            let _ = caller.session.provisional(now, StatusCode::RINGING, None, Headers::new());
        } else if !tone && matches!(self.running, Running::Bridging) {
            // A caller that we have answered hears no ringing but ours.
            self.load(AudioSource::Builtin { name: "ringback".to_owned() }, now, Play::Ringback);
        }
    }

    /// Lets the caller hear what a branch sends before it answers (announcements, ringback of the
    /// network).
    pub(super) fn early_media(&mut self, now: Instant, id: LegId, sdp: &Bytes) -> Result<(), ()> {
        let again = self.bridging.as_ref().is_some_and(|b| b.early == Some(id));
        self.claim_port(id);
        let leg = self.leg(id).ok_or(())?;
        let label = leg.label;
        let media = leg.media.as_mut().ok_or(())?;
        let stream = media.accept(sdp).map_err(|_| ())?;
        self.timeline.add(now, Some(label), media_fact(&stream));
        if again {
            return Ok(());
        }
        self.early_media_to_caller(now)?;
        self.transfer_rings(now);
        if let Some(port) = self.tagged(LegTag::A).filter(|leg| leg.answered).and_then(|l| l.port())
        {
            port.stop_play();
        }
        if let Some(bridging) = &mut self.bridging {
            bridging.early = Some(id);
        }
        self.join(id);
        Ok(())
    }

    /// 183 with our description, unless the caller has one.
    pub(super) fn early_media_to_caller(&mut self, now: Instant) -> Result<(), ()> {
        let caller = self.tagged(LegTag::A).ok_or(())?;
        // An offer of ours may go only into a reliable response; then the caller has to wait.
        if caller.answered || caller.session.remote_sdp().is_none() {
            return if caller.answered { Ok(()) } else { Err(()) };
        }
        let said = caller.media.as_ref().is_some_and(|m| m.said.is_some());
        let sdp = self.caller_sdp(now, self.bridged_codec()).map_err(|_| ())?;
        if said {
            return Ok(());
        }
        let caller = self.tagged(LegTag::A).ok_or(())?;
        let status = StatusCode::SESSION_PROGRESS;
        caller.session.provisional(now, status, Some(sdp), Headers::new()).map_err(|_| ())
    }

    pub(super) fn bridged_codec(&self) -> Option<offhook_media::codec::Codec> {
        let agreed = |leg: &Leg| leg.media.as_ref().and_then(LegMedia::codec);
        self.legs.iter().filter(|leg| leg.part != Part::Caller).find_map(agreed)
    }

    /// Gives a branch the port that it offered.
    pub(super) fn claim_port(&mut self, id: LegId) {
        if self.leg_ref(id).is_some_and(|leg| leg.port().is_some()) {
            return;
        }
        let Some(bridging) = &mut self.bridging else { return };
        let Some(bind) = bridging.branches.iter().find(|b| b.leg == id).map(|b| b.bind) else {
            return;
        };
        let Some(at) = bridging.ports.iter().position(|(ip, _)| *ip == bind) else { return };
        let (_, port) = bridging.ports.swap_remove(at);
        if let Some(media) = self.leg(id).and_then(|leg| leg.media.as_mut()) {
            media.port = Some(Arc::new(port));
        }
    }

    /// Lets the caller and another leg hear each other.
    pub(super) fn join(&self, id: LegId) {
        let a = self.legs.iter().find(|leg| leg.tag() == Some(LegTag::A));
        let (Some(a), Some(b)) = (a, self.leg_ref(id)) else { return };
        if let (Some(a), Some(b)) = (a.port(), b.port()) {
            self.let_hear(a, b);
        }
        self.join_pipes(a, b);
    }

    /// Somebody answered.
    pub(super) fn on_answered(&mut self, now: Instant, id: LegId, sdp: Option<&Bytes>) {
        let known = self.bridging.as_ref().is_some_and(|b| b.branches.iter().any(|b| b.leg == id));
        if !known {
            // Answered in the moment when it was cancelled: the session said BYE to it already.
            if let Some(leg) = self.leg(id) {
                leg.session.hangup(now, Headers::new());
            }
            return;
        }
        if let Err(outcome) = self.agree(now, id, sdp) {
            self.set_outcome(id, outcome);
            if let Some(leg) = self.leg(id) {
                leg.session.hangup(now, Headers::new());
            }
            return;
        }
        if self.creating.is_some() {
            return self.created_answered(now, id);
        }
        let early = self.bridging.as_ref().and_then(|b| b.early);
        self.stop_bridging(now, &[id]);
        self.running = Running::Bridging;
        if let Some(port) = self.tagged(LegTag::A).and_then(|leg| leg.port()) {
            port.stop_play();
        }
        let codec = self.leg_ref(id).and_then(|l| l.media.as_ref()).and_then(LegMedia::codec);
        if let Err(error) = self.answer_caller(now, codec) {
            if let Some(leg) = self.leg(id) {
                leg.part = Part::Gone;
                leg.media = None;
                leg.session.hangup(now, Headers::new());
            }
            return self.action_failed(now, &error);
        }
        if early != Some(id) {
            self.join(id);
        }
        self.connected(now, id);
    }

    pub(super) fn agree(
        &mut self,
        now: Instant,
        id: LegId,
        sdp: Option<&Bytes>,
    ) -> Result<(), Outcome> {
        let Some(sdp) = sdp else { return Err(Outcome::of(failure::BAD_SDP, "no answer")) };
        self.claim_port(id);
        let Some(leg) = self.leg(id) else { return Err(Outcome::of(failure::INTERNAL, "")) };
        let label = leg.label;
        let Some(media) = &mut leg.media else { return Err(Outcome::of(failure::INTERNAL, "")) };
        match media.accept(sdp) {
            Ok(stream) => {
                self.timeline.add(now, Some(label), media_fact(&stream));
                Ok(())
            }
            Err(error) => Err(Outcome::of(failure_of(&error), error.to_string())),
        }
    }

    /// Both legs are up: the action is done.
    pub(super) fn connected(&mut self, now: Instant, id: LegId) {
        if self.has_caller_again(now, id) {
            return;
        }
        let put_through = self.put_through(now);
        let Some(leg) = self.leg(id) else { return };
        leg.part = Part::Callee;
        leg.answered = true;
        leg.confirmed = true;
        let (party, call_id) = (leg.party.clone(), leg.call_id.clone());
        let number = leg.number.to_string();
        let to = match &party {
            Party::Phone(number) => number.clone(),
            // After a transfer or a forward not what the caller dialled.
            Party::Trunk(_) => number,
        };
        // Who calls it is whom the application shows to it.
        let asked = match self.script.running() {
            Some(Action::CallAndBridge(a)) => a.caller_id_number.clone(),
            _ => None,
        };
        let from = asked.filter(|number| !number.is_empty());
        let answered = SystemTime::now();
        self.transaction.add_participant(Participant {
            call_id,
            participant_tag: LegTag::B,
            to,
            from: from.unwrap_or_else(|| self.caller.shown().to_owned()),
            direction: Direction::Outbound,
            start_time_in_milliseconds: epoch_ms(answered),
            status: Some(Status::Connected),
            sip_headers: Default::default(),
            other: Default::default(),
        });
        if let Some(remaining) = put_through {
            let who = self.shown(id);
            self.tell_who(now, remaining, &who);
        }
        self.answered_after_all(now);
        self.record.disposition = "answered".to_owned();
        self.record.destination = Some(party.label());
        self.keep_record();
        self.timeline.flush();
        self.action_done(now, |_| {});
    }
}
