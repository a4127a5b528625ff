//! A call's timeline: typed events, handed to the store in batches.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use offhook_sip::flow::Flow;
use offhook_sip::header::{HeaderName, Headers};
use offhook_sip::message::{Request, Response};

use crate::event::{CallEvent, CallEventKind, Direction};
use crate::failure::Failure;
use crate::keep::Keep;

/// As many events wait at most.
const BATCH: usize = 48;
/// And so long: what a `kill -9` may cost.
const DELAY: Duration = Duration::from_secs(1);
/// Characters of a peer's words that are kept: a reason phrase may be as long as a message.
const MAX_WORDS: usize = 500;
/// Events of one call; more are counted and the count is noted at the end. A peer that sends INFO
/// without end must not fill the disk.
const MAX_EVENTS: usize = 2_000;

/// Collects the events of one call.
pub(crate) struct Timeline {
    call: String,
    keep: Arc<dyn Keep>,
    waiting: Vec<CallEvent>,
    since: Option<Instant>,
    total: usize,
    lost: usize,
}

impl Timeline {
    pub(crate) fn new(call: String, keep: Arc<dyn Keep>) -> Self {
        Self { call, keep, waiting: Vec::new(), since: None, total: 0, lost: 0 }
    }

    pub(crate) fn add(&mut self, now: Instant, leg: Option<char>, kind: CallEventKind) {
        self.total += 1;
        if self.total > MAX_EVENTS {
            self.lost += 1;
            return;
        }
        let leg = leg.map(|l| l.to_string());
        self.waiting.push(CallEvent { at: SystemTime::now(), leg, kind });
        self.since.get_or_insert(now);
        if self.waiting.len() >= BATCH {
            self.flush();
        }
    }

    pub(crate) fn note(&mut self, now: Instant, leg: Option<char>, text: impl Into<String>) {
        self.add(now, leg, CallEventKind::Note { text: plain(text.into()) });
    }

    pub(crate) fn failure(
        &mut self,
        now: Instant,
        leg: Option<char>,
        failure: &Failure,
        status: Option<u16>,
        detail: &str,
    ) {
        let kind = CallEventKind::Failure {
            code: failure.code.to_owned(),
            sip_status: status,
            detail: plain(detail.to_owned()),
        };
        self.add(now, leg, kind);
    }

    pub(crate) fn request(
        &mut self,
        now: Instant,
        leg: char,
        direction: Direction,
        request: &Request,
        peer: String,
    ) {
        let line = request.method.as_str().to_owned();
        self.sip(now, leg, direction, line, &request.headers, !request.body.is_empty(), peer);
    }

    pub(crate) fn response(
        &mut self,
        now: Instant,
        leg: char,
        direction: Direction,
        response: &Response,
        peer: String,
    ) {
        let reason = String::from_utf8_lossy(&response.reason);
        let line = format!("{} {reason}", response.status.code());
        self.sip(now, leg, direction, line, &response.headers, !response.body.is_empty(), peer);
    }

    #[allow(clippy::too_many_arguments)]
    fn sip(
        &mut self,
        now: Instant,
        leg: char,
        direction: Direction,
        line: String,
        headers: &Headers,
        has_body: bool,
        peer: String,
    ) {
        let text = |name| headers.text(&name).map(|text| plain(text.into_owned()));
        let cseq = text(HeaderName::CSeq).unwrap_or_default();
        let body = if has_body { text(HeaderName::ContentType) } else { None };
        let line = plain(line);
        self.add(now, Some(leg), CallEventKind::Sip { direction, line, cseq, peer, body });
    }

    /// When [`Timeline::flush`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + DELAY)
    }

    pub(crate) fn flush_if_due(&mut self, now: Instant) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.flush();
        }
    }

    pub(crate) fn flush(&mut self) {
        self.since = None;
        if !self.waiting.is_empty() {
            // A fresh vector: a long call must not keep the capacity of its busiest second.
            self.keep.append_events(self.call.clone(), std::mem::take(&mut self.waiting));
        }
    }

    /// The last batch.
    pub(crate) fn end(&mut self) {
        if self.lost > 0 {
            let text = format!("{} further events were not kept", self.lost);
            let at = SystemTime::now();
            self.waiting.push(CallEvent { at, leg: None, kind: CallEventKind::Note { text } });
        }
        self.flush();
    }
}

/// Words of a peer may be in it: nothing that a terminal would obey is kept, and no more of it than
/// anybody reads.
fn plain(text: String) -> String {
    if text.len() <= MAX_WORDS && !text.chars().any(char::is_control) {
        return text;
    }
    let kept = text.chars().take(MAX_WORDS).map(|c| if c.is_control() { ' ' } else { c });
    let mut kept: String = kept.collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}

/// `UDP 192.0.2.1:5060`.
pub(crate) fn peer_of(flow: &Flow) -> String {
    format!("{} {}", flow.transport, flow.remote)
}
