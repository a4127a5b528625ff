//! Lists of actions, and the states that they lead to.

use std::collections::BTreeMap;

use offhook_dnis::Pair;
use offhook_sma::action::{
    Action, AudioSource, CallAndBridge, EndpointType, Hangup, Pause, PlayAudio, Target as Leg,
};
use offhook_sma::speech::{Speak, SpeechParameters};
use offhook_sma::{LegTag, Reply};

use super::carried::{Carried, Direct, Pass};
use super::decide::{Decision, Turn};
use super::rules::Rules;
use super::state::{Phase, State};
use super::target::Target;
use super::view::View;

/// The header by which the target learns who called.
const ORIGINAL: &str = "X-Original-Calling-Number";
/// The longest pause that the service takes, in milliseconds.
const MOST_PAUSE: u128 = 30_000;

/// What the caller hears while a target is called: words, and the ringing tone, again and again.
fn while_ringing(say: Option<Action>) -> AudioSource {
    let tone = AudioSource::Builtin { name: "ringback".to_owned() };
    match say {
        Some(Action::Speak(speak)) => {
            AudioSource::List { parts: vec![AudioSource::Speech(Box::new(speak.speech)), tone] }
        }
        _ => tone,
    }
}

/// One event being decided.
pub(super) struct Move<'a> {
    pub(super) rules: &'a Rules,
    pub(super) view: View<'a>,
    pub(super) state: State,
    pub(super) note: Option<String>,
    pub(super) release: bool,
    pub(super) extend: bool,
    pub(super) without_pair: bool,
    pub(super) apologizes: bool,
    /// Neither has the call a pair, nor can one have been claimed for it.
    pub(super) never_claimed: bool,
}

impl<'a> Move<'a> {
    pub(super) fn new(rules: &'a Rules, view: View<'a>, state: State) -> Self {
        let (release, extend, without_pair, apologizes) = (false, false, false, false);
        // A claim follows the failure of the direct way, and its answer may have been lost.
        let behind = rules.direct.as_ref().is_none_or(|direct| direct.pairs_behind);
        let may_have_failed = state.direct_failed || (behind && state.phase == Phase::Connecting);
        let has_one = state.leased || state.owed || state.pair.is_some();
        let never_claimed = state.direct && !may_have_failed && !has_one;
        Self {
            rules,
            view,
            state,
            note: None,
            release,
            extend,
            without_pair,
            apologizes,
            never_claimed,
        }
    }

    pub(super) fn noting(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    fn speak(&self, text: &str) -> Option<Action> {
        let speech = SpeechParameters { text: Some(text.to_owned()), ..self.rules.voice.clone() };
        let target = Leg::tag(LegTag::A);
        (!text.is_empty()).then(|| Action::Speak(Box::new(Speak { speech, target })))
    }

    fn pause(duration: std::time::Duration) -> Action {
        let milliseconds = duration.as_millis().clamp(1, MOST_PAUSE);
        let duration_in_milliseconds = u64::try_from(milliseconds).unwrap_or(1);
        Action::Pause(Pause { target: Leg::tag(LegTag::A), duration_in_milliseconds })
    }

    fn hang_up(tag: LegTag, id: Option<String>) -> Action {
        // An id wins over a tag, and a tag is understood when the id is not known (any more).
        let target = match id {
            Some(id) => Leg { call_id: Some(id), ..Leg::default() },
            None => Leg::tag(tag),
        };
        Action::Hangup(Hangup { target, sip_response_code: 0 })
    }

    fn turn(self, actions: Option<Vec<Action>>) -> Turn {
        let mut state = self.state;
        let extend = self.extend.then(|| state.pair.clone()).flatten();
        if self.release {
            (state.leased, state.owed) = (false, false);
        }
        let mut reply = actions.map_or_else(Reply::nothing, Reply::actions);
        // An event that came without attributes says nothing about those that are kept.
        reply.transaction_attributes = (state.phase != Phase::New)
            .then(|| state.written(self.view.0.call_details.transaction_attributes.as_ref()));
        let (without_pair, apologizes) = (self.without_pair, self.apologizes);
        // Whoever never had a pair has none to give back, which is dear to find out.
        let release = self.release && !self.never_claimed;
        Turn { reply, release, extend, without_pair, apologizes, note: self.note }
    }

    /// Nothing runs, nothing is to be run.
    pub(super) fn idle(self) -> Turn {
        self.turn(Some(Vec::new()))
    }

    /// What runs goes on: "if the application receives a NULL action set, it keeps the existing
    /// actions" (invoke-on-call-leg).
    pub(super) fn go_on(self) -> Turn {
        self.turn(None)
    }

    /// Bridges the caller to Connect by a pair.
    pub(super) fn connect(mut self, pair: Pair, words: bool) -> Turn {
        let returning = self.state.returns > 0;
        self.state.phase = Phase::Connecting;
        (self.state.leased, self.state.owed) = (true, false);
        self.state.leg_b = None;
        // What the last transfer brought does not belong to the next one.
        self.state.target = None;
        self.state.headers = BTreeMap::new();
        let text = if returning { &self.rules.words.returning } else { &self.rules.words.greeting };
        let say = self.speak(text).filter(|_| words);
        let bridge = Action::CallAndBridge(CallAndBridge {
            target: Leg::default(),
            call_timeout_seconds: self.rules.connect_timeout,
            caller_id_number: Some(pair.our_number.clone()),
            endpoints: vec![
                Target { number: pair.connect_number.clone(), arn: None }.endpoint(false),
            ],
            ringback_tone: None,
            sip_headers: BTreeMap::new(),
        });
        self.state.pair = Some(pair);
        self.turn(Some(say.into_iter().chain([bridge]).collect()))
    }

    /// Bridges the caller to Connect by a way that keeps headers: the transaction goes along.
    pub(super) fn connect_directly(mut self, direct: &Direct, words: bool) -> Turn {
        let returning = self.state.returns > 0;
        self.state.phase = Phase::Connecting;
        (self.state.direct, self.state.leased, self.state.pair) = (true, false, None);
        self.state.leg_b = None;
        self.state.target = None;
        self.state.headers = BTreeMap::new();
        let text = if returning { &self.rules.words.returning } else { &self.rules.words.greeting };
        let say = self.speak(text).filter(|_| words);
        let caller = Some(self.state.caller.clone()).filter(|caller| !caller.is_empty());
        let carried = self.carried(caller.clone());
        let mut headers = BTreeMap::from([direct.header(&carried)]);
        // User-to-User has it already.
        let application = carried.application.filter(|_| matches!(direct.pass, Pass::Header(_)));
        if let Some(application) = application.filter(|_| !self.rules.application_header.is_empty())
        {
            headers.insert(self.rules.application_header.clone(), application);
        }
        headers.extend(caller.map(|caller| (ORIGINAL.to_owned(), caller)));
        let bridge = Action::CallAndBridge(CallAndBridge {
            target: Leg::default(),
            call_timeout_seconds: self.rules.connect_timeout,
            caller_id_number: Some(self.shown_number().to_owned()),
            endpoints: vec![direct.endpoint()],
            ringback_tone: None,
            sip_headers: headers,
        });
        self.turn(Some(say.into_iter().chain([bridge]).collect()))
    }

    fn carried(&self, caller: Option<String>) -> Carried {
        let details = &self.view.0.call_details;
        let application = details.sip_media_application_id.clone();
        Carried {
            transaction: details.transaction_id.clone(),
            application: (!application.is_empty()).then_some(application),
            caller,
        }
    }

    /// The number that whoever is called sees.
    fn shown_number(&self) -> &str {
        let ours = self.state.pair.as_ref().map_or(self.view.own_number(), |p| &p.our_number);
        let from = self.view.caller();
        if self.rules.show_caller && from.starts_with('+') { from } else { ours }
    }

    /// The call to Connect again, without words: saying them failed.
    pub(super) fn connect_again(self) -> Turn {
        let rules = self.rules;
        if let (Some(direct), true, false) =
            (&rules.direct, self.state.direct, self.state.direct_failed)
        {
            return self.connect_directly(direct, false);
        }
        match self.state.pair.clone() {
            Some(pair) => self.connect(pair, false),
            None => self.apologize(),
        }
    }

    /// The call to the target.
    pub(super) fn bridge_action(&self, target: &Target) -> Action {
        let caller = match self.state.caller.as_str() {
            "" => self.view.caller(),
            caller => caller,
        };
        let shown = self.shown_number();
        let mut headers = BTreeMap::new();
        // The telephone network would drop them.
        let endpoint = target.endpoint(self.rules.extensions);
        if endpoint.bridge_endpoint_type != EndpointType::Pstn {
            headers.clone_from(&self.state.headers);
            if !caller.is_empty() {
                headers.insert(ORIGINAL.to_owned(), caller.to_owned());
            }
        }
        if endpoint.bridge_endpoint_type == EndpointType::Aws {
            headers.extend(self.own_names());
        }
        Action::CallAndBridge(CallAndBridge {
            target: Leg::default(),
            call_timeout_seconds: self.rules.target_timeout,
            caller_id_number: Some(shown.to_owned()),
            endpoints: vec![endpoint],
            ringback_tone: None,
            sip_headers: headers,
        })
    }

    /// By what the office can have the caller moved on, and its record names the call: this call and
    /// this application.
    fn own_names(&self) -> impl Iterator<Item = (String, String)> {
        let details = &self.view.0.call_details;
        let names = [
            (&self.rules.transaction_header, &details.transaction_id),
            (&self.rules.application_header, &details.sip_media_application_id),
        ];
        let given = names.into_iter().filter(|(name, id)| !name.is_empty() && !id.is_empty());
        given.map(|(name, id)| (name.clone(), id.clone()))
    }

    /// Bridges the caller to whom he was asked for: nobody else has him.
    pub(super) fn bridge_or_claim(self) -> Decision {
        if self.state.target.as_ref().is_some_and(Target::is_connect) {
            return Decision::Claim;
        }
        Decision::Turn(self.bridge(true))
    }

    /// Bridges the caller to the target.
    pub(super) fn bridge(mut self, words: bool) -> Turn {
        let Some(target) = self.state.target.clone().or(self.rules.default_target.clone()) else {
            return self.apologize();
        };
        let mut bridge = self.bridge_action(&target);
        let mut say = self.speak(&self.rules.words.hold).filter(|_| words);
        if self.rules.words_while_ringing
            && let Action::CallAndBridge(bridge) = &mut bridge
        {
            bridge.ringback_tone = Some(while_ringing(say.take()));
        }
        self.state.phase = Phase::Bridging;
        self.state.target = Some(target);
        self.release = true;
        self.turn(Some(say.into_iter().chain([bridge]).collect()))
    }

    /// Hangs up the leg that has the caller, for the target.
    pub(super) fn take_back(mut self) -> Turn {
        let leg = self.view.other_leg().map(|leg| leg.call_id.clone());
        self.state.phase = Phase::TakingBack;
        self.state.leg_b.clone_from(&leg);
        self.turn(Some(vec![Self::hang_up(LegTag::B, leg)]))
    }

    /// The caller waits for a pair.
    pub(super) fn wait(mut self) -> Turn {
        let first = self.state.phase != Phase::Waiting;
        self.state.phase = Phase::Waiting;
        self.state.waits += 1;
        let say = self.speak(&self.rules.words.wait).filter(|_| first);
        let exhausted = &self.rules.exhausted;
        let pause = match &exhausted.music {
            Some(music) if !self.state.mute => Action::PlayAudio(PlayAudio {
                target: Leg::tag(LegTag::A),
                audio_source: music.clone(),
                repeat: 1,
                playback_terminators: Vec::new(),
            }),
            _ => Self::pause(exhausted.step),
        };
        self.turn(Some(say.into_iter().chain([pause]).collect()))
    }

    /// Connect hung up: the caller is held for a moment.
    pub(super) fn hold(mut self) -> Turn {
        if self.rules.grace.is_zero() {
            return self.end();
        }
        self.state.phase = Phase::Grace;
        let pause = Self::pause(self.rules.grace);
        self.turn(Some(vec![pause]))
    }

    /// The caller is told that it failed, and hung up on.
    pub(super) fn apologize(mut self) -> Turn {
        self.release = true;
        self.apologizes = true;
        self.state.phase = Phase::Ending;
        let say = self.speak(&self.rules.words.apology);
        let hang_up = Self::hang_up(LegTag::A, None);
        self.turn(Some(say.into_iter().chain([hang_up]).collect()))
    }

    /// The caller is hung up on: whoever had him has hung up.
    pub(super) fn end(mut self) -> Turn {
        self.release = true;
        self.state.phase = Phase::Ending;
        let hang_up = Self::hang_up(LegTag::A, None);
        self.turn(Some(vec![hang_up]))
    }

    /// Whether something is to be given back when it ends. An invocation whose answer was lost may
    /// have claimed a pair that the call does not know of, but not since somebody answered.
    pub(super) fn may_have_a_pair(&self) -> bool {
        let has_one = self.state.leased || self.state.owed;
        has_one || !matches!(self.state.phase, Phase::Bridged | Phase::Over)
    }

    /// The caller is gone: nobody talks on without him.
    pub(super) fn over(mut self) -> Turn {
        // What was given back is not asked for again: whoever talked with him would wait for it.
        self.release = self.may_have_a_pair();
        self.state.phase = Phase::Over;
        let other = self.view.other_leg().map(|leg| leg.call_id.clone());
        let actions = other.map(|id| Self::hang_up(LegTag::B, Some(id)));
        self.turn(Some(actions.into_iter().collect()))
    }
}
