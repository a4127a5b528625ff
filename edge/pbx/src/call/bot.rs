//! `StartBotConversation`: a bot listens to the caller and speaks to him ([`crate::bots`]).

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use offhook_media::dtmf::Digit;
use offhook_media::engine::{MediaPort, Playback};
use offhook_media::sound::{Growing, Part};
use offhook_sma::action::StartBotConversation;
use offhook_sma::event::ActionError;
use serde_json::{Map, Value};

use super::leg::LegId;
use super::runner::{Running, gone, not_decoded};
use super::{Call, Done};
use crate::bots::{self, Doings, Heard, Line, Said, Talk};

/// After a dialogue was closed the bot may begin its last words for so long ...
const LAST_WORDS: Duration = Duration::from_secs(2);
/// ... and for so long when it has said that it will.
const ANNOUNCED: Duration = Duration::from_secs(10);
/// Answers that wait to be heard.
const WAITING: usize = 4;
/// A conversation ends at the latest after this; Lex keeps a session for a day, and a caller does not
/// talk with a machine for an hour.
const LONGEST: Duration = Duration::from_secs(3600);
/// Tapes of recorders are numbered from the other end.
const TAPES: u64 = 1 << 63;

/// A conversation that runs. Dropped, it lets go of the caller, the bot is told so, and the call waits
/// for nothing more of it.
pub(super) struct Talking {
    run: u64,
    leg: LegId,
    port: Weak<MediaPort>,
    line: Line,
    /// What is heard now.
    playback: Option<u64>,
    waiting: VecDeque<Arc<Growing>>,
    understood: Option<Map<String, Value>>,
    /// The bot expects nothing more of the caller.
    over: bool,
    /// Its last words have begun since.
    parting: bool,
    /// It is gone.
    ended: bool,
    /// When last words are waited for no longer.
    by: Option<Instant>,
    longest: Instant,
}

impl Talking {
    pub(super) fn deadline(&self) -> Instant {
        self.by.map_or(self.longest, |by| by.min(self.longest))
    }

    fn is_silent(&self) -> bool {
        self.playback.is_none() && self.waiting.is_empty()
    }
}

impl Drop for Talking {
    fn drop(&mut self) {
        let Some(port) = self.port.upgrade() else { return };
        port.stop_tape(TAPES | self.run);
        if self.playback.is_some() {
            port.stop_play();
        }
    }
}

impl Call {
    pub(super) fn start_talking(
        &mut self,
        now: Instant,
        leg: LegId,
        action: &StartBotConversation,
    ) {
        let bots = self.services.bots.clone();
        let Some(bots) = bots else { return self.action_failed(now, &no_bot()) };
        if self.only_passes(leg) {
            return self.action_failed(now, &not_decoded());
        }
        let of = self.leg_ref(leg);
        let port = of.and_then(|leg| leg.media.as_ref()?.port.clone());
        let (Some(port), Some(session)) = (port, of.map(|leg| leg.call_id.clone())) else {
            return self.action_failed(now, &gone());
        };
        let run = self.run_id();
        let (line, tap, ears, voice, end, said) = bots::open();
        port.tape(TAPES | run, Box::new(tap));
        let talk = Talk {
            bot: action.bot_alias_arn.clone(),
            locale: action.locale_id.clone(),
            session,
            configuration: action.configuration.clone(),
        };
        let bot = action.bot_alias_arn.rsplit(':').next().unwrap_or_default();
        self.timeline.note(now, None, format!("Amazon Lex is asked for {bot} ({})", talk.locale));
        // Of its own: the bot is told of the end, which the call does not wait for.
        tokio::spawn(async move {
            let outcome = bots.talk(talk, ears, voice).await;
            // A call that is gone needs to know nothing.
            let _ = end.send(Said::Ended(outcome)).await;
        });
        self.running = Running::Talking(Box::new(Talking {
            run,
            leg,
            port: Arc::downgrade(&port),
            line,
            playback: None,
            waiting: VecDeque::new(),
            understood: None,
            over: false,
            parting: false,
            ended: false,
            by: None,
            longest: now + LONGEST,
        }));
        self.await_bot(run, said);
    }

    /// The work ends with its [`Talking`], be the bot still busy.
    fn await_bot(&mut self, run: u64, mut from: Doings) {
        self.work.push(Box::pin(async move {
            let said = from.next().await;
            Done::Bot { run, said, from }
        }));
    }

    pub(super) fn on_bot(&mut self, now: Instant, run: u64, said: Option<Said>, from: Doings) {
        let Running::Talking(talking) = &mut self.running else { return };
        if talking.run != run {
            return;
        }
        let said = said.unwrap_or_else(|| Said::Ended(Err(no_bot())));
        let listens = !matches!(said, Said::Ended(_));
        match said {
            Said::Announced if talking.over => talking.by = Some(now + ANNOUNCED),
            Said::Announced => {}
            Said::Speaks(growing) if talking.waiting.len() < WAITING => {
                talking.waiting.push_back(growing);
                talking.parting = talking.over;
                self.let_bot_speak();
            }
            Said::Speaks(_) => self.timeline.note(now, None, "the bot says too much at once"),
            Said::Interrupted => {
                talking.waiting.clear();
                if talking.playback.take().is_some()
                    && let Some(port) = talking.port.upgrade()
                {
                    port.stop_play();
                }
            }
            Said::Understood { result, intent, over } => {
                talking.understood = Some(result);
                talking.over = over;
                talking.parting = false;
                talking.by = over.then(|| now + LAST_WORDS);
                if let Some(intent) = intent {
                    self.timeline.note(now, None, format!("the bot is at {intent}"));
                }
            }
            Said::Ended(outcome) => return self.bot_is_gone(now, outcome),
        }
        if listens {
            self.await_bot(run, from);
        }
        self.end_talk_if_over(now);
    }

    /// The next answer, when none is heard.
    fn let_bot_speak(&mut self) {
        let id = self.run_id();
        let Running::Talking(talking) = &mut self.running else { return };
        if talking.playback.is_some() {
            return;
        }
        let (Some(growing), Some(port)) = (talking.waiting.pop_front(), talking.port.upgrade())
        else {
            return;
        };
        talking.playback = Some(id);
        let parts = vec![Part::Growing(growing)];
        port.play(Playback { parts, ..Playback::of(id, Vec::new()) });
    }

    /// The caller has heard what the bot said.
    pub(super) fn bot_was_heard(&mut self, now: Instant, id: u64) {
        let Running::Talking(talking) = &mut self.running else { return };
        if talking.playback != Some(id) {
            return;
        }
        talking.playback = None;
        // A bot that takes nothing is about to be gone.
        let _ = talking.line.keys.try_send(Heard::Played);
        self.let_bot_speak();
        self.end_talk_if_over(now);
    }

    /// A key of the caller's is the bot's. `false`: no bot listens to this leg.
    pub(super) fn bot_hears_key(&mut self, leg: LegId, digit: Digit) -> bool {
        let Running::Talking(talking) = &self.running else { return false };
        if talking.leg != leg {
            return false;
        }
        if talking.line.keys.try_send(Heard::Key(digit.as_char())).is_err() {
            talking.line.lost.key();
        }
        true
    }

    /// What was understood is told when the caller has heard the bot's last words, or when it has
    /// none.
    fn end_talk_if_over(&mut self, now: Instant) {
        let Running::Talking(talking) = &self.running else { return };
        let no_more = talking.parting || talking.ended || talking.by.is_some_and(|by| by <= now);
        if talking.over && talking.is_silent() && no_more {
            self.end_talk(now, Ok(()));
        }
    }

    fn bot_is_gone(&mut self, now: Instant, outcome: Result<(), ActionError>) {
        let Running::Talking(talking) = &mut self.running else { return };
        talking.ended = true;
        if talking.over {
            // It said all that it had to, and the caller hears the rest of it.
            return self.end_talk_if_over(now);
        }
        let early = || ActionError::system("the bot ended the conversation without a result");
        self.end_talk(now, Err(outcome.err().unwrap_or_else(early)));
    }

    pub(super) fn talk_timeout(&mut self, now: Instant) {
        let Running::Talking(talking) = &mut self.running else { return };
        if talking.longest <= now {
            return self.end_talk(now, Err(ActionError::system("the conversation was too long")));
        }
        if talking.by.is_some_and(|by| by <= now) {
            self.end_talk_if_over(now);
            if let Running::Talking(talking) = &mut self.running {
                // Something is still to be heard: its end is waited for.
                (talking.by, talking.parting) = (None, true);
            }
        }
    }

    /// What did not reach the bot, at the end of a conversation.
    pub(super) fn note_lost(&mut self, now: Instant, talking: &Talking) {
        if let Some(words) = talking.line.lost.words() {
            self.timeline.note(now, None, words);
        }
    }

    fn end_talk(&mut self, now: Instant, outcome: Result<(), ActionError>) {
        let Running::Talking(mut talking) = std::mem::replace(&mut self.running, Running::Nothing)
        else {
            return;
        };
        self.note_lost(now, &talking);
        let understood = talking.understood.take();
        drop(talking);
        match outcome {
            Ok(()) => self.action_done(now, |data| data.intent_result = understood),
            Err(error) => self.action_failed(now, &error),
        }
    }
}

fn no_bot() -> ActionError {
    ActionError::system("No Amazon Lex is there to talk to.")
}
