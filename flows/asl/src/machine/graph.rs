//! Which states can be reached, and which can reach an end.

use super::model::{Flow, Kind, State, StateId};
use super::problem::Code;
use super::reader::Report;
use super::source::escape;
use std::collections::BTreeSet;

/// Where a state can lead, not counting the end.
fn targets(state: &State) -> Vec<StateId> {
    let mut to: Vec<StateId> = state.next.into_iter().collect();
    to.extend(state.catch.iter().map(|catcher| catcher.next));
    if let Kind::Choice { rules, default } = &state.kind {
        to.extend(rules.iter().map(|rule| rule.next));
        to.extend(*default);
    }
    to
}

fn is_end(state: &State) -> bool {
    match state.kind {
        Kind::Succeed | Kind::Fail { .. } => true,
        Kind::Choice { .. } => false,
        _ => state.next.is_none(),
    }
}

/// The states from which an end can be reached: from the ends back, each state once.
fn ending(flow: &Flow) -> BTreeSet<StateId> {
    let mut before: Vec<Vec<StateId>> = vec![Vec::new(); flow.states.len()];
    let mut open = Vec::new();
    for (id, state) in flow.states.iter().enumerate() {
        for next in targets(state) {
            if let Some(before) = before.get_mut(next) {
                before.push(id);
            }
        }
        if is_end(state) {
            open.push(id);
        }
    }
    let mut ending: BTreeSet<StateId> = open.iter().copied().collect();
    while let Some(id) = open.pop() {
        for from in before.get(id).into_iter().flatten() {
            if ending.insert(*from) {
                open.push(*from);
            }
        }
    }
    ending
}

/// Reports unreachable states, a flow without a terminal state, and states without a way to one.
///
/// AWS refuses the machine that has none at all ("Workflow has no terminal state":
/// tiny-asl-machine, `Validation.Structure` 001, recorded on AWS), but takes one of a Choice that
/// leads to itself (quoted in floci-io/floci#2734). Here it runs until its history is full, as one
/// of a Choice does, and is warned of.
pub(super) fn check(report: &mut Report, flow: &Flow, start: StateId, at: &str) {
    let mut reached = BTreeSet::from([start]);
    let mut open = vec![start];
    while let Some(state) = open.pop().and_then(|id| flow.states.get(id)) {
        for next in targets(state) {
            if reached.insert(next) {
                open.push(next);
            }
        }
    }
    for (id, state) in flow.states.iter().enumerate() {
        if !reached.contains(&id) {
            let place = format!("{at}/{}", escape(&state.name));
            let message = format!("State '{}' is not reachable.", state.name);
            report.error(&place, Code::UnreachableState, message);
        }
    }
    let may_end = |state: &State| is_end(state) || matches!(state.kind, Kind::Choice { .. });
    if at == "/States" && !flow.states.is_empty() && !flow.states.iter().any(may_end) {
        let message = "No state is terminal: nothing ends, and Step Functions refuses it.";
        return report.warn(at, Code::MissingEndState, message);
    }
    let ending = ending(flow);
    for id in reached.iter().filter(|id| !ending.contains(id)) {
        if let Some(state) = flow.states.get(*id) {
            let place = format!("{at}/{}", escape(&state.name));
            let message = format!("From state '{}' no end can be reached.", state.name);
            report.warn(&place, Code::MissingEndState, message);
        }
    }
}
