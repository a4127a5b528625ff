//! The one task of a call: what it waits for, and in what order it does what came.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use offhook_media::engine::{self, PortEvent};
use offhook_sip::message::StatusCode;
use tokio::sync::mpsc;

use super::{Begins, Call, Control, Done, House, MAILBOX, MEDIA_EVENTS, NewCall, leg};
use crate::failure;
use crate::office::registry::Entry;
use crate::stack::{Owner, SipEvent};

/// Starts a call's task. A request that no session can be made of is answered at once.
pub(crate) fn spawn(new: NewCall, house: House, entry: Entry, control: mpsc::Receiver<Control>) {
    let (owner, mail) = Owner::channel(MAILBOX);
    let sip = house.services.sip.clone();
    let invite_tx = match &new.begins {
        Begins::Invite(invite) => Some(invite.tx),
        Begins::Created(_) => None,
    };
    if let Some(tx) = invite_tx {
        sip.claim(tx, &owner);
    }
    let (media_events, media) = mpsc::channel(MEDIA_EVENTS);
    let refused = entry.registry().clone();
    match Call::new(new, house, owner, media_events, entry) {
        Ok(call) => {
            tokio::spawn(run(call, mail, media, control));
        }
        Err(refusal) => {
            // 422 is how a session interval is agreed on: the caller asks again.
            if refusal.status != StatusCode::SESSION_INTERVAL_TOO_SMALL {
                refused.note_outcome("refused", failure::BAD_REQUEST.code);
            }
            if let Some(tx) = invite_tx {
                sip.respond(tx, *refusal);
            }
        }
    }
}

async fn run(
    mut call: Box<Call>,
    mut mail: mpsc::Receiver<SipEvent>,
    mut media: mpsc::Receiver<PortEvent>,
    mut control: mpsc::Receiver<Control>,
) {
    call.begin(now());
    loop {
        let ((), wakes) = engine::gather(|| call.settle(now()));
        if call.is_closed(now()) {
            break;
        }
        let deadline = call.deadline().unwrap_or_else(|| now() + Duration::from_secs(3600));
        let wait = tokio::time::sleep_until(deadline.into());
        // In this order, so that a seed decides everything in a simulation, and so that nobody's
        // flood of requests delays a timer: what a peer can send without end stands last.
        tokio::select! {
            biased;
            () = wait => call.on_time(now()),
            // Never closed: the call's own entry has a sender.
            Some(order) = control.recv() => call.on_control(now(), order),
            Some(done) = call.work.next(), if !call.work.is_empty() => call.on_done(now(), done),
            Some(event) = media.recv() => call.on_media(now(), event),
            Some(event) = mail.recv() => call.on_sip(now(), event),
            // What was said to phones is on its way now: a media thread that is woken may take the core.
            () = tokio::task::yield_now(), if !wakes.is_empty() => {}
        }
        drop(wakes);
    }
    // What came in the very moment of the end is answered too: an INVITE left without a final
    // response would keep its transaction for ever (RFC 3261 §17.2.1 knows no timer there).
    mail.close();
    while let Ok(event) = mail.try_recv() {
        call.on_sip(now(), event);
        call.drain(now());
    }
    call.timeline.end();
}

impl Call {
    /// Does everything that can be done without waiting.
    pub(super) fn settle(&mut self, now: Instant) {
        loop {
            self.drain(now);
            if let Some((leg, event)) = self.news.pop_front() {
                self.on_news(now, leg, event);
                continue;
            }
            self.legs.retain(|leg| !leg.session.is_finished());
            if !self.advance(now) && !self.take_up_early(now) {
                break;
            }
        }
        self.keep_supervised(now);
        self.keep_taping(now);
        self.keep_leg_tapes();
        self.keep_screens();
        self.run_app();
        self.run_app_before();
        self.close_when_over(now);
    }

    /// When [`Call::on_time`] is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let sessions = self.legs.iter().filter_map(|leg| leg.session.poll_timeout());
        let listening = self.listening.iter().filter_map(|l| l.collector.deadline()).min();
        let bridging = self.bridging.as_ref().map(|b| b.due());
        let others = [
            self.action_deadline,
            self.running.deadline(),
            listening,
            bridging,
            self.ends_at,
            self.timeline.deadline(),
            self.leaving.map(|(_, at)| at),
            self.silence_check,
            self.report_deadline(),
            self.first_action_by,
            self.cloud_deadline(),
            self.code_deadline(),
            self.parting_deadline(),
            self.early_deadline(),
        ];
        sessions.chain(others.into_iter().flatten()).min()
    }

    pub(super) fn on_time(&mut self, now: Instant) {
        for leg in &mut self.legs {
            leg::tick(&mut leg.session, now);
        }
        self.timeline.flush_if_due(now);
        if self.ends_at.is_some_and(|at| at <= now) {
            self.ends_at = None;
            if self.record.ended.is_none() {
                if self.record.answered.is_none() {
                    self.fail(now, failure::NO_ANSWER, None, "until the longest time of a call");
                }
                self.hang_up_all(now, "the call was as long as a call may be");
            }
        }
        self.look_for_silence(now);
        self.leave_in_time(now);
        self.report_expired(now);
        self.ring_timeout(now);
        self.action_timeout(now);
        self.listen_timeout(now);
        self.first_action_timeout(now);
        self.cloud_timeout(now);
        self.code_timeout(now);
        self.parting_timeout(now);
    }

    pub(super) fn on_done(&mut self, now: Instant, done: Done) {
        match done {
            Done::App { run, answer } if self.is_from_before(run) => {
                self.on_reply_before(now, answer);
            }
            Done::App { run, .. } if run != self.app_run => {}
            Done::App { answer, .. } => self.on_reply(now, answer),
            Done::Clips { load, clips } => self.on_clips(now, load, clips),
            Done::Flow { attempt, flow } => self.on_flow(now, *attempt, flow),
            Done::Started { run, started } => self.on_recording_started(now, run, started),
            Done::Recorded { run, recorded } => self.on_recorded(now, run, recorded),
            Done::TapeOpened { run, opened } => {
                if let Some(opened) = self.on_leg_tape_opened(now, run, opened) {
                    self.on_tape_opened(now, run, opened);
                }
            }
            Done::Taped(taped) => self.on_taped(now, taped),
            Done::Joined { run, joined } => self.on_joined(now, run, joined),
            Done::PartnerGone { run } => self.on_partner_gone(now, run),
            Done::Music { clips } => self.on_music(now, clips),
            Done::Notice { clips } => self.on_notice(now, clips),
            Done::Watching { run, outcome } => self.on_watching(now, run, outcome),
            Done::WatchedGone { run } => self.on_watched_gone(now, run),
            Done::SupervisorGone { run } => self.on_supervisor_gone(now, run),
            Done::Cloud { run, answer } => self.on_cloud(now, run, answer),
            Done::Bot { run, said, from } => self.on_bot(now, run, said, from),
            Done::WaitingMusic { leg, clips } => self.on_waiting_music(now, leg, clips),
            Done::NotAwaited { run, freed } => self.on_not_awaited(now, run, freed),
            Done::Parting { run, leg, clips } => self.on_parting_words(now, run, leg, clips),
            Done::Ordered(outcome) => self.on_ordered(now, outcome),
            Done::Found { run, leg, found } => self.on_found(now, run, leg, found),
            Done::Brought { leg, outcome } => self.on_brought(now, leg, outcome),
            Done::Alone { leg, alone } => self.on_alone(now, leg, alone),
            Done::StayedAlone { leg } => self.on_stayed_alone(now, leg),
            Done::Words { leg, clips } => self.on_words(now, leg, clips),
            Done::Nothing => {}
        }
    }

    fn on_control(&mut self, now: Instant, order: Control) {
        match order {
            Control::HangUp => self.end_by_operator(now),
            Control::Tape(order) => self.on_tape_order(now, order),
            Control::Update(arguments) => self.on_update(now, arguments),
            Control::AskMeeting(ask) => self.on_ask_meeting(*ask),
            Control::Bring(bring) => self.on_bring(now, *bring),
            Control::Join(join) => self.on_join(now, *join),
            Control::PutThrough(order) => self.on_put_through(now, *order),
            Control::AskHeld(ask) => self.on_ask_held(*ask),
            Control::MoveHeld(order) => self.on_move_held(now, *order),
            Control::NotJoined => self.music_for_hold(),
            Control::Progress(progress) => self.on_progress(now, progress),
            Control::Watch(watch) => self.on_watch(now, *watch),
            Control::Supervises { control, how } => self.on_supervises(now, &control, how),
        }
    }
}

/// The clock of a call; the paused one in simulations.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
