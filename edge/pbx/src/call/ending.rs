//! How a call ends, and what is kept of it.

use std::time::{Instant, SystemTime};

use offhook_media::codec::Codec;
use offhook_media::engine::MediaPort;
use offhook_sip::header::{HeaderName, HeaderValue, Headers};
use offhook_sip::message::StatusCode;
use offhook_sip::session::EndedBy;
use offhook_sma::action::{Action, Hangup, LegTag, Target};
use offhook_sma::event::{ActionData, EventType, Status};

use super::leg::{LegId, LegMedia, Part, Party};
use super::runner::Running;
use super::{CLOSING, Call, Done, Ending, LastWords};
use crate::event::CallEventKind;
use crate::failure::{self, Failure};
use crate::quality;

impl Call {
    /// A leg is over.
    pub(super) fn on_ended(
        &mut self,
        now: Instant,
        id: LegId,
        by: EndedBy,
        status: Option<StatusCode>,
        reasons: Vec<HeaderValue>,
    ) {
        let Some(leg) = self.leg(id) else { return };
        let (part, label, answered) = (leg.part, leg.label, leg.answered);
        let trunk = matches!(leg.party, Party::Trunk(_));
        leg.part = Part::Gone;
        let media = leg.media.take();
        self.beside.take_if(|beside| beside.leg == id);
        if part == Part::Branch {
            self.branch_ended(now, id, by, status);
            return;
        }
        if let Some(media) = &media {
            self.sum_up_pipes(now, label, media);
        }
        let form = media.as_ref().and_then(LegMedia::form);
        if let Some(port) = media.and_then(|m| m.port) {
            self.sum_up_media(now, label, &port, form);
            self.keep_last_words(now, id, port);
        }
        let tag = match part {
            Part::Caller => LegTag::A,
            Part::Callee => LegTag::B,
            Part::Leaving => return self.transferor_gone(now, id),
            Part::Beside => return self.timeline.note(now, Some(label), "leaves the conference"),
            Part::Branch | Part::Gone => return,
        };
        if by == EndedBy::Remote && (self.rings_again(now, id, part) || self.lets_go(now, id)) {
            return;
        }
        if by == EndedBy::Remote {
            self.reasons = reasons;
        }
        if self.is_moved(id, by) {
            self.ends("callee", "gave the caller back to the cloud");
        }
        self.note_ending(now, tag, answered, trunk, by);
        self.transaction.set_status(tag, Status::Disconnected);
        self.listening.retain(|listening| listening.leg != id);
        if !self.left_for_cloud(now, id, by) {
            self.end_transfer(now);
        }
        if tag == LegTag::A {
            self.stop_bridging(now, &[]);
        }
        self.tell_of_end(now, tag, status);
    }

    /// What a leg heard and said, in numbers.
    fn sum_up_media(
        &mut self,
        now: Instant,
        label: char,
        port: &MediaPort,
        form: Option<(Codec, u16)>,
    ) {
        let c = port.counters();
        let dropped = c.dropped + c.strangers + c.srtp_failures;
        let (received, sent, lost) = (c.received, c.sent, c.lost);
        let kind = CallEventKind::MediaSummary { received, sent, lost, dropped };
        self.timeline.add(now, Some(label), kind);
        if let Some(kind) = form.and_then(|(codec, ptime)| quality::of_leg(&c, codec, ptime)) {
            self.entry.quality().note(&kind);
            self.timeline.add(now, Some(label), kind);
        }
    }

    /// Tells the application that a leg of its call is over.
    fn tell_of_end(&mut self, now: Instant, tag: LegTag, status: Option<StatusCode>) {
        let recording = self.abandon_action(now, tag);
        let code = status.map_or(0, |s| u64::from(s.code()));
        let mut hangup = Hangup { target: Target::tag(tag), sip_response_code: code };
        hangup.target.call_id = self.transaction.participant(tag).map(|p| p.call_id.clone());
        let data = ActionData::of(Action::Hangup(hangup));
        match recording {
            // It is told of first, with what was said until now ([`Call::on_recorded`]).
            Some((run, action)) => {
                let last = LastWords { run, action, leg: tag, hangup: data };
                self.last_words = Some(Box::new(last));
            }
            None => self.tell(now, tag, EventType::Hangup, Some(data)),
        }
    }

    /// Who hung up and why, in the record and in words.
    fn note_ending(&mut self, now: Instant, tag: LegTag, answered: bool, trunk: bool, by: EndedBy) {
        let side = if tag == LegTag::A { "caller" } else { "callee" };
        match by {
            EndedBy::Remote if !answered => {
                self.failure = Some(failure::CANCELLED);
                self.timeline.failure(now, None, failure::CANCELLED, None, "");
                self.ends("caller", "hung up before anybody answered");
            }
            EndedBy::Remote => self.ends(side, "hung up"),
            EndedBy::Local => self.ends("us", "ended by the application"),
            EndedBy::Rejected => self.ends(side, "refused"),
            EndedBy::SessionTimer => {
                self.fail(now, failure::SESSION_EXPIRED, None, side);
                self.ends("us", "the session was not refreshed");
            }
            EndedBy::AckTimeout | EndedBy::PrackTimeout => {
                self.fail(now, failure::ACK_MISSING, None, side);
                self.ends("us", "our answer was never confirmed");
            }
            EndedBy::Failure(_) | EndedBy::DialogLost => {
                let failure =
                    if trunk { failure::TRUNK_UNREACHABLE } else { failure::PHONE_UNREACHABLE };
                self.fail(now, failure, None, side);
                self.ends("us", "the other side no longer answers");
            }
            EndedBy::Protocol => {
                self.fail(now, failure::BAD_SDP, None, side);
                self.ends("us", "no media could be agreed on");
            }
        }
    }

    /// Reason headers of the leg that ended first (RFC 3326), for the others.
    pub(super) fn reason_headers(&self) -> Headers {
        let mut headers = Headers::new();
        for value in self.reasons.iter().take(4) {
            headers.push(HeaderName::Reason, value.clone());
        }
        headers
    }

    pub(super) fn keep_record(&mut self) {
        let kept = self.services.keep.put_call(self.record.clone());
        self.work.push(Box::pin(async move {
            if let Err(error) = kept.await {
                tracing::warn!(%error, "a call record could not be kept");
            }
            Done::Nothing
        }));
    }

    /// Somebody or something answered after all: what failed before is history.
    pub(super) fn answered_after_all(&mut self, now: Instant) {
        self.watch_for_silence(now);
        self.record.answered.get_or_insert_with(SystemTime::now);
        self.failure = None;
    }

    /// Notes a failure of the call. The first one stays.
    pub(super) fn fail(
        &mut self,
        now: Instant,
        failure: &'static Failure,
        status: Option<u16>,
        detail: &str,
    ) {
        self.timeline.failure(now, None, failure, status, detail);
        self.failure.get_or_insert(failure);
    }

    pub(super) fn ends(&mut self, by: &'static str, why: impl Into<String>) {
        if self.ending.is_none() {
            self.ending = Some(Ending { by, why: why.into() });
        }
    }

    /// `offhook calls`, or the end of the daemon.
    pub(super) fn end_by_operator(&mut self, now: Instant) {
        if self.record.answered.is_none() && self.record.ended.is_none() {
            self.failure = None;
            self.fail(now, failure::ENDED_BY_OPERATOR, None, "");
        }
        self.hang_up_all(now, "the operator hung up");
    }

    /// Ends every leg.
    pub(super) fn hang_up_all(&mut self, now: Instant, why: &str) {
        self.ends("us", why);
        self.script.clear();
        self.app_queue.clear();
        self.end_transfer(now);
        self.stop_bridging(now, &[]);
        self.end_created(now, 480);
        let headers = self.reason_headers();
        for leg in &mut self.legs {
            leg.session.hangup(now, headers.clone());
        }
    }

    /// The record is complete as soon as nobody is on the line; the task lives on until the last
    /// retransmission is absorbed and the last byte is written.
    pub(super) fn close_when_over(&mut self, now: Instant) {
        let live = self.legs.iter().any(|leg| leg.part != Part::Gone);
        let begins = self.bridging.is_some() || self.creating.is_some();
        if live || self.record.ended.is_some() || begins {
            return;
        }
        // The other call of a transfer hears of it by this.
        self.partner = None;
        self.record.ended = Some(SystemTime::now());
        self.keep_supervised(now);
        self.end_tape();
        let ending = self.how_it_ended();
        self.record.hung_up_by = Some(ending.by.to_owned());
        let kind = CallEventKind::HungUp { by: ending.by.to_owned(), why: ending.why };
        self.timeline.add(now, None, kind);
        if self.record.answered.is_none() {
            let failure = self.failure.unwrap_or(failure::INTERNAL);
            self.record.failure = Some(failure.code.to_owned());
            self.record.disposition = disposition(failure).to_owned();
        } else if let Some(failure) = self.failure {
            self.record.failure = Some(failure.code.to_owned());
        }
        self.keep_record();
        self.timeline.flush();
        self.entry.outcome(&self.record.disposition, self.record.failure.as_deref());
        self.entry.ended();
        self.ends_at = Some(now + CLOSING);
        tracing::info!(
            call = %self.record.id,
            from = %crate::mask::mask(&self.record.from),
            to = %crate::mask::mask(&self.record.to),
            disposition = %self.record.disposition,
            "call ended"
        );
    }

    /// Who ended it. A call that nobody answered was ended by whoever did not.
    pub(super) fn how_it_ended(&mut self) -> Ending {
        let ending = self.ending.take();
        match (self.failure, ending) {
            (Some(failure), ending)
                if self.record.answered.is_none() && failure != failure::CANCELLED =>
            {
                let by = if failure.side == failure::Side::Peer { "callee" } else { "us" };
                let by =
                    if ending.as_ref().is_some_and(|e| e.by == "caller") { "caller" } else { by };
                Ending { by, why: failure.meaning.to_owned() }
            }
            (_, Some(ending)) => ending,
            (_, None) => Ending { by: "us", why: String::new() },
        }
    }

    pub(super) fn is_closed(&mut self, now: Instant) -> bool {
        if self.record.ended.is_none() {
            return false;
        }
        // A recording whose leg is gone still waits for its last packets, and is nobody's work yet:
        // a call that closed before them would lose the message.
        let recording = matches!(&self.running, Running::Recording(r) if r.waits_for_last_words());
        let nothing =
            self.legs.is_empty() && self.work.is_empty() && self.app_queue.is_empty() && !recording;
        self.closed |= nothing || self.ends_at.is_none_or(|at| at <= now);
        self.closed
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
