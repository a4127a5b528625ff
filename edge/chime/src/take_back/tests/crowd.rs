//! A hundred calls at once over nine pairs, with everything that may happen happening at random: no
//! caller in silence, no ghost call, no leg up that nobody uses, no pair left claimed.

use std::collections::VecDeque;

use offhook_sma::LegTag;
use offhook_sma::action::Action;
use serde_json::json;

use super::memory::Memory;
use super::service::{ARN, Service, rules, rules_with_office};
use crate::take_back::Turn;

/// A sequence that is the same each time (Numerical Recipes' constants).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

struct Call {
    service: Service,
    running: VecDeque<Action>,
    /// An empty list stops what runs: one of two readings of AWS's documentation.
    strict: bool,
    told: Vec<String>,
}

impl Call {
    fn other_is_up(&self) -> bool {
        self.service.others.iter().any(|(_, up)| *up)
    }

    /// Takes an answer as the service does.
    fn take(&mut self, turn: &Turn) {
        self.told.push(format!("{:?} {:?}", self.service.phase(), super::service::shown(turn)));
        match &turn.reply.actions {
            None => {}
            Some(list) if list.is_empty() && !self.strict => {}
            Some(list) => self.running = list.iter().cloned().collect(),
        }
    }

    fn run_next(&mut self, dice: &mut Dice) {
        let Some(action) = self.running.pop_front() else { return };
        let name = action.name();
        let well = dice.roll(10) > 1;
        match &action {
            Action::Hangup(hangup) => {
                let target = &hangup.target;
                let of_a = target.participant_tag == Some(LegTag::A)
                    || target.call_id.as_deref() == Some("leg-a");
                match of_a {
                    true => self.caller_goes(),
                    false if !self.other_is_up() => self.fail(name),
                    false => self.hang_up_other(dice),
                }
            }
            Action::CallAndBridge(_) => {
                assert!(!self.other_is_up(), "two at once: {:#?}", self.told);
                if !well {
                    return self.fail(name);
                }
                self.service.others.push((format!("leg-b{}", self.service.others.len() + 1), true));
                if dice.roll(12) == 0 {
                    // It hangs up before the success is told.
                    let id = self.service.other_down();
                    let turn = self.service.succeeded(name);
                    self.take(&turn);
                    let turn = self.service.tell_hangup("LEG-B", &id);
                    return self.take(&turn);
                }
                let turn = self.service.succeeded(name);
                self.take(&turn);
            }
            _ if !well => self.fail(name),
            _ if self.running.is_empty() => {
                let turn = self.service.succeeded(name);
                self.take(&turn);
            }
            _ => {}
        }
    }

    fn fail(&mut self, name: &str) {
        self.running.clear();
        let turn = self.service.failed(name, "SystemException");
        self.take(&turn);
    }

    fn hang_up_other(&mut self, dice: &mut Dice) {
        let id = self.service.other_down();
        let hangup_first = dice.roll(2) == 0;
        for hangup in [hangup_first, !hangup_first] {
            let turn = match hangup {
                true => self.service.tell_hangup("LEG-B", &id),
                false => self.service.succeeded("Hangup"),
            };
            self.take(&turn);
        }
    }

    /// The caller's leg ends; what the answer wants of the other leg is done.
    fn caller_goes(&mut self) {
        self.running.clear();
        let turn = self.service.caller_hangs_up();
        self.take(&turn);
        if self.other_is_up() {
            assert!(!self.running.is_empty(), "a leg that nobody uses: {:#?}", self.told);
            let id = self.service.other_down();
            self.service.tell_hangup("LEG-B", &id);
        }
        self.running.clear();
    }

    fn step(&mut self, dice: &mut Dice) {
        match dice.roll(20) {
            0 => self.caller_goes(),
            1 | 2 if self.other_is_up() && self.running.is_empty() => {
                let turn = self.service.other_hangs_up();
                self.take(&turn);
            }
            3..6 => {
                let arguments = match dice.roll(4) {
                    0 => json!({"TransferTarget": "connect"}),
                    1 => json!({"TransferTarget": "+12065550177"}),
                    2 => json!({"nonsense": "1"}),
                    _ => json!({"TransferTarget": "4711", "TransferTargetArn": ARN}),
                };
                let turn = self.service.update(arguments);
                // The action that runs is finished, or interrupted when it can be.
                let current = self.running.pop_front();
                let before = self.running.clone();
                self.take(&turn);
                if self.running == before {
                    self.running.extend(current.clone());
                    self.running.rotate_right(usize::from(current.is_some()));
                } else if let Some(current) = current
                    && !matches!(current, Action::Pause(_))
                {
                    self.running.push_front(current);
                }
            }
            // The service did not hear the answer, and asks again.
            6 | 7 => drop(self.service.again()),
            _ => self.run_next(dice),
        }
        let heard = !self.running.is_empty() || self.other_is_up();
        assert!(heard || !self.service.leg_a_up, "a caller in silence: {:#?}", self.told);
    }
}

fn run(seed: u64, strict: bool, office: bool) {
    let pool = Memory::of(9);
    let mut dice = Dice(seed);
    let mut calls: Vec<Call> = (0..100)
        .map(|n| {
            let rules = if office { rules_with_office() } else { rules() };
            let service = Service::new(&pool, rules, &format!("t{n}"));
            Call { service, running: VecDeque::new(), strict, told: Vec::new() }
        })
        .collect();
    for call in &mut calls {
        let turn = call.service.inbound();
        call.take(&turn);
    }
    for _ in 0..4_000 {
        let n = usize::try_from(dice.roll(100)).unwrap();
        let call = &mut calls[n];
        if call.service.leg_a_up {
            call.step(&mut dice);
        }
        let mut owners = pool.owners();
        owners.sort();
        owners.dedup();
        assert_eq!(owners.len(), pool.owners().len(), "one pair for each call");
    }
    for call in calls.iter_mut().filter(|call| call.service.leg_a_up) {
        call.caller_goes();
    }
    assert!(calls.iter().all(|call| !call.other_is_up()));
    assert_eq!(pool.owners(), Vec::<String>::new());
}

#[test]
fn a_hundred_calls_over_nine_pairs_lose_nobody_and_leave_nothing() {
    for seed in 0..20 {
        run(seed, seed % 2 == 0, seed % 4 < 2);
    }
}
