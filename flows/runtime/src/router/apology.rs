//! How a call ends that its workflow does not end.

use offhook_sma::action::{Action, AudioSource, Hangup, LegTag, PlayAudio, Target};
use offhook_sma::event::{InvocationEvent, Participant, Status};
use offhook_sma::reply::Reply;

use super::event::legs;

/// The prompt that says it, of those that came with the program.
const PROMPT: &str = "error";
/// Final status of a call that nobody answered (AWS: 480 when a handler fails).
const UNAVAILABLE: u64 = 480;

/// Hangs all legs up.
pub(super) fn hang_up(event: &InvocationEvent) -> Reply {
    // The other party first, so that the caller's end is the last thing that happens.
    let mut actions: Vec<Action> = legs(event).map(end).collect();
    actions.reverse();
    Reply::actions(actions)
}

/// Says that something went wrong to whoever is there, and hangs all legs up. A call that was not
/// answered is not answered for that: its caller hears it from the network.
pub(super) fn apologise(event: &InvocationEvent) -> Reply {
    let caller = legs(event).find(|leg| leg.participant_tag == LegTag::A);
    let listener = caller.or_else(|| legs(event).next());
    let Some(listener) = listener.filter(|leg| leg.status == Some(Status::Connected)) else {
        return hang_up(event);
    };
    let others = legs(event).filter(|leg| leg.call_id != listener.call_id);
    let mut actions: Vec<Action> = others.map(end).collect();
    actions.push(Action::PlayAudio(PlayAudio {
        target: target(listener),
        audio_source: AudioSource::Builtin { name: PROMPT.to_owned() },
        repeat: 1,
        playback_terminators: Vec::new(),
    }));
    actions.push(end(listener));
    Reply::actions(actions)
}

fn end(leg: &Participant) -> Action {
    let answered = leg.status == Some(Status::Connected);
    let sip_response_code = if answered { 0 } else { UNAVAILABLE };
    Action::Hangup(Hangup { target: target(leg), sip_response_code })
}

fn target(leg: &Participant) -> Target {
    Target::tag(leg.participant_tag)
}
