//! How a call ends, and what is kept of it.

use std::time::{Instant, SystemTime};

use super::leg::Part;
use super::runner::Running;
use super::{CLOSING, Call, Done, Ending, disposition};
use crate::event::CallEventKind;
use crate::failure::{self, Failure};

impl Call {
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
    pub(super) fn answered_after_all(&mut self) {
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

    /// Ends every leg.
    pub(super) fn hang_up_all(&mut self, now: Instant, why: &str) {
        self.ends("us", why);
        self.script.clear();
        self.app_queue.clear();
        self.stop_bridging(now, &[]);
        let headers = self.reason_headers();
        for leg in &mut self.legs {
            leg.session.hangup(now, headers.clone());
        }
    }

    /// The record is complete as soon as nobody is on the line; the task lives on until the last
    /// retransmission is absorbed and the last byte is written.
    pub(super) fn close_when_over(&mut self, now: Instant) {
        let live = self.legs.iter().any(|leg| leg.part != Part::Gone);
        if live || self.record.ended.is_some() || self.bridging.is_some() {
            return;
        }
        self.record.ended = Some(SystemTime::now());
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
