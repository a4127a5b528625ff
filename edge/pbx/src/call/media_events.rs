//! What the media thread says.

use std::time::{Duration, Instant};

use offhook_media::engine::{PlayEnd, PortEvent, PortEventKind};
use offhook_media::webrtc::{Peer, WebRtcError};

use super::Call;
use super::leg::{Leg, LegId, Part};
use super::runner::Running;
use crate::failure::{self, Failure};

impl Call {
    pub(super) fn on_media(&mut self, now: Instant, event: PortEvent) {
        let owner = self.legs.iter().find(|l| l.port().is_some_and(|p| p.id() == event.port));
        let leg = owner.map(|leg| (leg.id, leg.label));
        let PortEvent { kind, .. } = event;
        match kind {
            PortEventKind::KeyDown { digit } => {
                if let Some(leg) = leg.and_then(|(id, _)| self.leg(id)) {
                    leg.carriers.pressed(now, digit);
                }
            }
            PortEventKind::Digit { digit, .. } => {
                let new = |leg: &mut Leg| leg.carriers.released(now, digit);
                let leg = leg.filter(|(id, _)| self.leg(*id).is_some_and(new));
                if let Some((leg, _)) = leg {
                    self.pass_key_in_room(leg, digit);
                    self.on_digit(now, leg, digit);
                }
            }
            // Else an INFO of it would be a second press: the clock of the two ways runs from here.
            PortEventKind::KeyTaken { digit } => {
                if let Some(leg) = leg.and_then(|(id, _)| self.leg(id)) {
                    leg.carriers.released(now, digit);
                }
            }
            PortEventKind::KeyLeft { digit } => {
                if let Some((leg, _)) = leg {
                    self.pass_key_in_room(leg, digit);
                    self.on_digit(now, leg, digit);
                }
            }
            PortEventKind::PlayEnded { id, by, .. } => self.on_play_ended(now, id, by),
            PortEventKind::RecordEnded { id, by, speech, .. } => {
                self.on_record_ended(now, id, by, speech);
            }
            PortEventKind::DigitsSent => {
                if matches!(self.running, Running::Sending { .. }) {
                    self.action_deadline = None;
                    self.send_more(now);
                }
            }
            PortEventKind::FirstPacket { from } => {
                self.timeline.note(now, leg.map(|l| l.1), format!("audio comes from {from}"));
            }
            PortEventKind::SrtpFailed => self.on_deaf(now, leg, failure::WRONG_KEY),
            PortEventKind::Broken => self.on_deaf(now, leg, failure::MEDIA_BROKEN),
            PortEventKind::WebRtcUp { peer, suite } => {
                let who = if self.is_browser(leg) { "browser" } else { "phone" };
                let text = format!("the {who} is at {peer}, encrypted with {suite}");
                self.timeline.note(now, leg.map(|l| l.1), text);
            }
            PortEventKind::WebRtcFailed(error) => self.on_webrtc_failed(now, leg, &error),
            PortEventKind::DtlsUp { suite } => {
                let text = format!("encrypted with {suite}, with keys of DTLS");
                self.timeline.note(now, leg.map(|l| l.1), text);
            }
            PortEventKind::DtlsFailed(error) => {
                let Some((_, label)) = leg else { return };
                self.timeline.note(now, Some(label), error.to_string());
                self.on_deaf(now, leg, failure::DTLS_FAILED);
            }
            PortEventKind::NoMedia { silent_for } => {
                let text = format!("no audio for {} s", silent_for.as_secs());
                self.timeline.note(now, leg.map(|l| l.1), text);
            }
        }
    }

    fn on_webrtc_failed(&mut self, now: Instant, leg: Option<(LegId, char)>, error: &WebRtcError) {
        // A leg that is over already fails nothing.
        let Some((id, label)) = leg else { return };
        self.timeline.note(now, Some(label), error.to_string());
        // One that was only slow, or whose packets got lost, may do better next time.
        let keys = matches!(error, WebRtcError::Handshake(_) | WebRtcError::Stranger);
        let failure = match keys && !self.is_browser(leg) {
            true => failure::DTLS_FAILED,
            false => failure::BROWSER_UNREACHABLE,
        };
        if self.leg_ref(id).is_some_and(|leg| leg.part != Part::Gone) {
            self.on_deaf(now, leg, failure);
        }
    }

    /// Whether a page is at the other end of a leg.
    fn is_browser(&self, leg: Option<(LegId, char)>) -> bool {
        let media = leg.and_then(|(id, _)| self.leg_ref(id)?.media.as_ref());
        let rtc = media.and_then(|media| media.negotiator.local().webrtc.as_ref());
        rtc.is_some_and(|rtc| rtc.peer == Peer::Browser)
    }

    /// A leg cannot be heard and will not be: its call ends, with words. An emergency call goes on
    /// with what is left of it.
    fn on_deaf(&mut self, now: Instant, leg: Option<(LegId, char)>, why: &'static Failure) {
        self.timeline.note(now, leg.map(|leg| leg.1), why.meaning);
        let Some((id, _)) = leg.filter(|_| !self.emergency && self.record.ended.is_none()) else {
            return;
        };
        self.leg_is_lost(now, id, (why, ""), why.meaning);
    }

    /// A leg's media is lost, and with it the call; but of a call in a conference, whose phone is
    /// there too, only that leg: the others talk with each other.
    fn leg_is_lost(
        &mut self,
        now: Instant,
        id: LegId,
        (failure, detail): (&'static Failure, &str),
        why: &str,
    ) {
        let Some(leg) = self.leg_ref(id) else { return };
        let (label, part) = (leg.label, leg.part);
        if self.beside.is_none() {
            self.fail(now, failure, None, detail);
            return self.hang_up_all(now, why);
        }
        if part == Part::Beside {
            // The call's own parties lose nothing by it.
            self.timeline.failure(now, Some(label), failure, None, detail);
        } else {
            self.fail(now, failure, None, detail);
            self.ends("us", why);
        }
        self.hang_up_leg(now, id);
    }

    /// Begins to look for silence, when the call's configuration says that silence ends it. Before
    /// the answer a caller need not send anything. An emergency call is never ended by a limit.
    pub(super) fn watch_for_silence(&mut self, now: Instant) {
        let most = self.config().media.silence_hangup.filter(|_| !self.emergency);
        if self.silence_check.is_none() {
            self.silence_check = most.map(|most| now + look_every(most));
        }
    }

    /// Ends a call of which a leg was silent for as long as its own configuration allows: counted
    /// here and not by the media threads, whose one threshold a reload does not reach.
    pub(super) fn look_for_silence(&mut self, now: Instant) {
        let Some(most) = self.config().media.silence_hangup else { return };
        if self.silence_check.is_none_or(|at| at > now) {
            return;
        }
        self.silence_check = None;
        if self.record.ended.is_some() || self.emergency {
            return;
        }
        self.silence_check = Some(now + look_every(most));
        let hold = self.on_hold();
        let mut silent = Vec::new();
        for leg in &mut self.legs {
            let talks = matches!(leg.part, Part::Caller | Part::Callee | Part::Beside);
            let speaks = leg.confirmed && talks;
            let Some(media) = &mut leg.media else { continue };
            let expected = media.negotiator.agreed().is_some_and(|a| a.stream.receive);
            let Some(port) = media.port.as_ref().filter(|_| speaks && expected && !hold) else {
                media.heard = None;
                continue;
            };
            let received = port.counters().received;
            match media.heard {
                Some((before, since)) if before == received => {
                    if now.saturating_duration_since(since) >= most {
                        silent.push((leg.id, leg.label));
                    }
                }
                _ => media.heard = Some((received, now)),
            }
        }
        for (id, label) in silent {
            let detail = format!("leg {label}, {} s", most.as_secs());
            let failure = (failure::NO_MEDIA, detail.as_str());
            let all = self.beside.is_none();
            self.leg_is_lost(now, id, failure, "no audio came for a long time");
            if all {
                // The call is over, for this reason.
                break;
            }
        }
    }

    pub(super) fn on_hold(&self) -> bool {
        self.legs.iter().any(|leg| leg.media.as_ref().is_some_and(|m| m.held))
    }

    pub(super) fn on_play_ended(&mut self, now: Instant, id: u64, by: PlayEnd) {
        self.parting_said(now, id);
        match &mut self.running {
            Running::Playing { playback } if *playback == id => {
                if self.script.running().is_none() {
                    self.running = Running::Nothing;
                    return self.hang_up_all(now, "the application failed");
                }
                self.action_done(now, |_| {});
            }
            Running::Talking(_) => self.bot_was_heard(now, id),
            Running::Digits(run) if run.playback == id => {
                // The digit that stopped it is reported when the key is released.
                let _ = by;
                let wait = Duration::from_millis(run.action.input.repeat_duration_in_milliseconds);
                run.collector.start(now, wait);
            }
            _ => {}
        }
    }
}

/// How often to look: a call is ended a quarter of the time late at most.
fn look_every(most: Duration) -> Duration {
    (most / 4).clamp(Duration::from_secs(1), Duration::from_secs(15))
}
