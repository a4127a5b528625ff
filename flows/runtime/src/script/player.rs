//! Plays a call: what pbx does with legs and sound, done with a virtual clock alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use offhook_sma::action::{Action, AudioSource, Hangup, LegTag, Target};
use offhook_sma::event::{
    ActionData, CALL_CREATE_REQUEST, CALL_UPDATE_REQUEST, CallDetails, EventType, Participant,
    Status,
};
use offhook_sma::reply::Reply;
use offhook_sma::rules::Rules;
use offhook_sma::session::{MAX_INVOCATIONS, Script, Transaction};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::ScriptError;
use super::report::{Line, Report, missing};
use super::scenario::{Callee, Direction, Move, Scenario};
use crate::audit;
use crate::router::{FlowCall, FlowError, WAKE_ARGUMENT};
use crate::runtime::{Runtime, new_name};
use crate::store::ExecutionStatus;

/// After so long a caller who hears nothing hangs up.
const SILENCE: Duration = Duration::from_secs(30);
/// After so long a caller whom nobody else ends a conversation with does.
const CONVERSATION: Duration = Duration::from_secs(120);
/// For an execution to end after its call has.
const AFTERWARDS: Duration = Duration::from_secs(3_600);

pub(super) struct Player<'a> {
    runtime: &'a Runtime,
    flow: FlowCall,
    pub(super) moves: VecDeque<Move>,
    pub(super) callees: VecDeque<Callee>,
    pub(super) transaction: Transaction,
    pub(super) script: Script,
    pub(super) rules: Rules,
    wakes: mpsc::UnboundedReceiver<()>,
    timeline: Vec<Line>,
    actions: Vec<Value>,
    pub(super) spoken: Vec<String>,
    problems: Vec<String>,
    /// When the other party hangs up.
    pub(super) talks_until: Option<Instant>,
    /// The leg that the last event was about.
    invoked_for: LegTag,
}

pub(super) async fn play(
    runtime: &Runtime,
    flow: FlowCall,
    scenario: &Scenario,
    wakes: mpsc::UnboundedReceiver<()>,
    definition: &str,
) -> Result<Report, ScriptError> {
    let details = CallDetails {
        transaction_id: new_name(),
        aws_account_id: runtime.place().account.clone(),
        aws_region: runtime.place().region.clone(),
        sip_media_application_id: "00000000-0000-4000-8000-0000000000aa".to_owned(),
        ..CallDetails::default()
    };
    let mut player = Player {
        runtime,
        flow,
        moves: scenario.caller.iter().cloned().collect(),
        callees: scenario.callees.iter().cloned().collect(),
        transaction: Transaction::new(details),
        script: Script::default(),
        rules: Rules::default(),
        wakes,
        timeline: Vec::new(),
        actions: Vec::new(),
        spoken: Vec::new(),
        problems: Vec::new(),
        talks_until: None,
        invoked_for: LegTag::A,
    };
    player.begin(scenario).await?;
    while player.is_up(LegTag::A) || player.is_up(LegTag::B) {
        if player.transaction.invocations() >= MAX_INVOCATIONS {
            player.problem(format!("the call has more than {MAX_INVOCATIONS} events"));
            break;
        }
        match player.script.start_next().cloned() {
            Some(action) => player.perform(action).await?,
            None => player.idle().await?,
        }
    }
    player.report(scenario, definition).await
}

impl Player<'_> {
    async fn begin(&mut self, scenario: &Scenario) -> Result<(), FlowError> {
        let inbound = scenario.call.direction == Direction::Inbound;
        let leg = Participant {
            from: scenario.call.from.clone(),
            to: scenario.call.to.clone(),
            sip_headers: scenario.call.sip_headers.clone(),
            ..self.participant(LegTag::A, if inbound { "Inbound" } else { "Outbound" })
        };
        self.transaction.add_participant(leg);
        if inbound {
            self.tell(LegTag::A, EventType::NewInboundCall, None).await?;
            return Ok(());
        }
        let arguments = scenario.call.arguments.clone();
        let data = ActionData::request(CALL_CREATE_REQUEST, arguments);
        self.tell(LegTag::A, EventType::NewOutboundCall, Some(data)).await?;
        self.tell(LegTag::A, EventType::Ringing, None).await?;
        let (rings, status) = match self.callees.pop_front().unwrap_or_default() {
            Callee::Answers { after, .. } => (after, 0),
            Callee::Busy => (1.0, 486),
            Callee::DoesNotAnswer => (60.0, 480),
            Callee::Refuses { status } => (1.0, status),
        };
        tokio::time::sleep(seconds(rings)).await;
        if status != 0 {
            self.line(format!("the party called does not answer ({status})"));
            self.leg_ended(LegTag::A, status).await?;
            return Ok(());
        }
        self.transaction.set_status(LegTag::A, Status::Connected);
        self.tell(LegTag::A, EventType::CallAnswered, None).await?;
        Ok(())
    }

    /// A leg of this call, begun now.
    pub(super) fn participant(&self, tag: LegTag, direction: &str) -> Participant {
        let id = if tag == LegTag::A { "a" } else { "b" };
        let leg = json!({
            "CallId": format!("00000000-0000-4000-8000-00000000000{id}"),
            "ParticipantTag": tag,
            "Direction": direction,
            "StartTimeInMilliseconds": self.runtime.clock().now().as_millisecond().to_string(),
        });
        serde_json::from_value(leg).unwrap_or_else(|_| Participant {
            call_id: id.to_owned(),
            participant_tag: tag,
            to: String::new(),
            from: String::new(),
            direction: offhook_sma::event::Direction::Inbound,
            start_time_in_milliseconds: String::new(),
            status: None,
            sip_headers: BTreeMap::new(),
            other: serde_json::Map::new(),
        })
    }

    pub(super) fn is_up(&self, tag: LegTag) -> bool {
        let leg = self.transaction.participant(tag);
        leg.is_some_and(|leg| leg.status != Some(Status::Disconnected))
    }

    /// Tells the workflow, and takes what it answers; `true`: it wants something done.
    pub(super) async fn tell(
        &mut self,
        leg: LegTag,
        kind: EventType,
        data: Option<ActionData>,
    ) -> Result<bool, FlowError> {
        let about = data.as_ref().and_then(ActionData::action).map(Action::name);
        let about = about.map(|name| format!(" {name}")).unwrap_or_default();
        let digits = data.as_ref().and_then(|data| data.received_digits.clone());
        let digits = digits.map(|digits| format!(" ReceivedDigits {digits}")).unwrap_or_default();
        self.line(format!("event {}{about}{digits}", kind.as_str()));
        let event = self.transaction.event(kind, data);
        let begun = Instant::now();
        let reply = self.flow.handle(event).await;
        let notes = self.flow.take_notes();
        let reply = reply?;
        if begun.elapsed() >= Duration::from_secs(5) {
            let waited = begun.elapsed().as_secs();
            self.problem(format!("the workflow took {waited} s to answer {}", kind.as_str()));
        }
        for note in &notes {
            self.line(format!("note {note}"));
        }
        self.invoked_for = leg;
        Ok(self.take(leg, kind, reply, &notes))
    }

    fn take(&mut self, leg: LegTag, kind: EventType, reply: Reply, notes: &[String]) -> bool {
        for action in reply.actions.iter().flatten() {
            let about = about(action);
            self.line(format!("action {}{about}", action.name()));
            self.actions.push(json!(action));
            if is_apology(action) {
                let why = notes.last().map(String::as_str).unwrap_or_default();
                self.problem(format!("the caller hears an apology: {why}"));
            }
        }
        self.transaction.keep_attributes(&reply, &self.rules);
        let silent = reply.actions.as_ref().is_none_or(Vec::is_empty);
        if self.transaction.acts_on(kind, leg, &self.rules) {
            // Nothing runs while an event is told: there is nothing to interrupt.
            self.script.take(reply, kind, &self.rules);
        }
        !silent
    }

    pub(super) fn line(&mut self, what: String) {
        self.timeline.push(Line { at: self.runtime.clock().now(), what });
    }

    fn problem(&mut self, what: String) {
        self.problems.push(what);
    }

    pub(super) fn say(&mut self, text: String) {
        self.line(format!("the caller hears \"{text}\""));
        self.spoken.push(text);
    }

    /// Nothing is to be done.
    async fn idle(&mut self) -> Result<(), FlowError> {
        let bridged = self.is_up(LegTag::A) && self.is_up(LegTag::B);
        let now = Instant::now();
        let own = self.idle_move(bridged).map(|(after, own)| (now + seconds(after), own));
        let patience = now + if bridged { CONVERSATION } else { SILENCE };
        let theirs = self.talks_until.filter(|_| bridged);
        let until = [own.as_ref().map(|(at, _)| *at), theirs].into_iter().flatten().min();
        let woken = tokio::select! {
            biased;
            woken = self.wakes.recv() => woken.is_some(),
            () = tokio::time::sleep_until(until.unwrap_or(patience)) => false,
        };
        if woken {
            if let Some((_, own)) = own {
                self.moves.push_front(own);
            }
            let arguments = BTreeMap::from([(WAKE_ARGUMENT.to_owned(), "1".to_owned())]);
            return self.update(arguments).await;
        }
        match own {
            Some((at, own)) if until == Some(at) => match own {
                Move::Update { arguments, .. } => self.update(arguments).await,
                _ => {
                    self.line("the caller hangs up".to_owned());
                    self.leg_ended(LegTag::A, 0).await
                }
            },
            Some((_, own)) => {
                self.moves.push_front(own);
                self.other_party_ends().await
            }
            None if theirs.is_some() => self.other_party_ends().await,
            None => self.nothing_more(bridged).await,
        }
    }

    async fn other_party_ends(&mut self) -> Result<(), FlowError> {
        self.line("the other party hangs up".to_owned());
        self.leg_ended(LegTag::B, 0).await
    }

    async fn nothing_more(&mut self, bridged: bool) -> Result<(), FlowError> {
        if !bridged {
            let left = if self.is_up(LegTag::A) { "the caller" } else { "the other party" };
            self.problem(format!("{left} is left in silence"));
        }
        let leg = if self.is_up(LegTag::A) { LegTag::A } else { LegTag::B };
        self.line(format!(
            "{} hangs up",
            if leg == LegTag::A { "the caller" } else { "the other party" }
        ));
        self.leg_ended(leg, 0).await
    }

    /// What the caller does while nothing plays, if that is next.
    fn idle_move(&mut self, bridged: bool) -> Option<(f64, Move)> {
        let after = match self.moves.front()? {
            Move::Update { after, .. } => *after,
            Move::HangUp { during: None, after } => *after,
            Move::HangUp { during: Some(when), after } if bridged && when == "Conversation" => {
                *after
            }
            _ => return None,
        };
        Some((after, self.moves.pop_front()?))
    }

    async fn update(&mut self, arguments: BTreeMap<String, String>) -> Result<(), FlowError> {
        let data = ActionData::request(CALL_UPDATE_REQUEST, arguments);
        self.tell(self.invoked_for, EventType::CallUpdateRequested, Some(data)).await?;
        Ok(())
    }

    /// A leg is gone. `status`: the SIP status behind it, 0 for a normal end.
    pub(super) async fn leg_ended(&mut self, tag: LegTag, status: u16) -> Result<(), FlowError> {
        self.transaction.set_status(tag, Status::Disconnected);
        self.script.leg_gone(tag);
        if tag == LegTag::B {
            self.talks_until = None;
        }
        let call_id = self.transaction.participant(tag).map(|leg| leg.call_id.clone());
        let target = Target { call_id, ..Target::tag(tag) };
        let data = Action::Hangup(Hangup { target, sip_response_code: status.into() });
        self.tell(tag, EventType::Hangup, Some(ActionData::of(data))).await?;
        Ok(())
    }

    async fn report(self, scenario: &Scenario, definition: &str) -> Result<Report, ScriptError> {
        let failed = |error: &dyn std::fmt::Display| ScriptError::Runtime(error.to_string());
        let Self { runtime, flow, timeline, actions, spoken, mut problems, .. } = self;
        let arn = flow.execution_arn().unwrap_or_default().to_owned();
        drop(flow);
        let end = tokio::time::timeout(AFTERWARDS, runtime.wait_for_end(&arn)).await;
        let record = match end {
            Ok(record) => record.map_err(|error| failed(&error))?,
            Err(_) => {
                problems.push("the workflow runs on an hour after its call".to_owned());
                runtime.describe_execution(&arn).await.map_err(|error| failed(&error))?
            }
        };
        let events = runtime.execution_history(&arn).await.map_err(|error| failed(&error))?;
        let path = audit::path(&events);
        let states: Vec<String> = path.steps.iter().map(|step| step.state.clone()).collect();
        let entered: BTreeSet<&str> = states.iter().map(String::as_str).collect();
        Ok(Report {
            scenario: scenario.name.clone(),
            status: record.status,
            error: record.error.filter(|_| record.status != ExecutionStatus::Succeeded),
            cause: record.cause,
            timeline,
            actions,
            spoken,
            problems,
            never_reached: missing(definition, &entered),
            states,
            path,
        })
    }
}

pub(super) fn seconds(seconds: f64) -> Duration {
    // Negative, endless and absurd ones are no time at all.
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn is_apology(action: &Action) -> bool {
    let Action::PlayAudio(play) = action else { return false };
    matches!(&play.audio_source, AudioSource::Builtin { name } if name == "error")
}

/// What a line of the timeline says of an action besides its name.
fn about(action: &Action) -> String {
    match action {
        Action::CallAndBridge(bridge) => {
            let to: Vec<&str> = bridge.endpoints.iter().map(|to| to.uri.as_str()).collect();
            format!(" to {}", to.join(", "))
        }
        Action::Hangup(hangup) => match hangup.target.participant_tag {
            Some(LegTag::B) => " LEG-B".to_owned(),
            _ => String::new(),
        },
        _ => String::new(),
    }
}
