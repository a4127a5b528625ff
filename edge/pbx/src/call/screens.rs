//! Tells programs beside the desk phones what their phones do ([`crate::screen`]).
//!
//! A phone is told of when it begins to ring; what became of it is seen from the call's legs, so
//! that no way in which a leg ends can be forgotten.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::identity::Source;
use super::leg::{Leg, LegId, Part, Party};
use super::transfer::Transferor;
use super::{Call, context};
use crate::screen::{Moment, Pop};

/// A phone that was told of.
pub(super) struct Shown {
    extension: String,
    answered: bool,
}

impl Call {
    /// A leg rings. Several phones of an extension are one.
    pub(super) fn screen_rings(&mut self, id: LegId) {
        if self.config().screen_pop.url.is_none() {
            return;
        }
        let Some(extension) = self.leg_ref(id).and_then(|leg| phone(&leg.party)) else { return };
        let extension = extension.to_owned();
        if self.shown_on.iter().all(|shown| shown.extension != extension) {
            self.pop(&extension, Moment::Ringing, false);
            self.shown_on.push(Shown { extension, answered: false });
        }
    }

    /// Who has answered, and who has nothing to do with the call any more.
    pub(super) fn keep_screens(&mut self) {
        if self.config().screen_pop.url.is_none() {
            return;
        }
        let mut talks: Vec<String> = Vec::new();
        let mut rings: Vec<String> = Vec::new();
        for leg in &self.legs {
            let Some(extension) = phone(&leg.party) else { continue };
            match leg.part {
                Part::Callee => talks.push(extension.to_owned()),
                Part::Branch => rings.push(extension.to_owned()),
                // Whoever was called by a click, or was put through, is the caller now; a phone
                // that puts the call through may get it back.
                Part::Caller | Part::Beside if was_called(leg) => talks.push(extension.to_owned()),
                Part::Leaving if was_called(leg) && self.may_get_back(leg.id) => {
                    talks.push(extension.to_owned());
                }
                Part::Caller | Part::Beside | Part::Leaving | Part::Gone => {}
            }
        }
        for extension in &talks {
            match self.shown_on.iter_mut().find(|shown| shown.extension == *extension) {
                Some(Shown { answered: true, .. }) => continue,
                Some(shown) => shown.answered = true,
                None => {
                    self.shown_on.push(Shown { extension: extension.clone(), answered: true });
                }
            }
            self.pop(extension, Moment::Answered, true);
        }
        for shown in std::mem::take(&mut self.shown_on) {
            let here = talks.contains(&shown.extension)
                || (!shown.answered && rings.contains(&shown.extension));
            if here {
                self.shown_on.push(shown);
            } else {
                self.pop(&shown.extension, Moment::Ended, shown.answered);
            }
        }
    }

    /// Whether a phone is still putting the call through.
    fn may_get_back(&self, leg: LegId) -> bool {
        let by = self.transfer.as_ref().map(|transfer| &transfer.by);
        matches!(by, Some(Transferor::Leg { id, .. }) if *id == leg)
    }

    /// What was sent along: with the call, when its trunk may be believed, and by the application
    /// that bridges it.
    pub(super) fn attributes(&self) -> BTreeMap<String, String> {
        let bridging = self.bridging.as_ref().map(|bridging| &bridging.headers);
        // Anybody else could call himself a customer of any queue.
        let believed = match &self.caller.source {
            Source::Trunk(trunk) => self.config().believes_cloud(trunk),
            Source::Phone(_) | Source::Application(_) => false,
        };
        let said = believed.then_some(&self.caller.passed);
        context::attributes([said, bridging].into_iter().flatten())
    }

    fn pop(&mut self, extension: &str, moment: Moment, answered: bool) {
        // What the application says of the caller goes with the bridging.
        let known = self.popped.take().filter(|_| moment != Moment::Ringing);
        let known = known.unwrap_or_else(|| Box::new(self.first_pop()));
        let pop = Pop {
            moment,
            at: SystemTime::now(),
            extension: extension.to_owned(),
            cloud: self.record.cloud.clone(),
            answered,
            ..(*known).clone()
        };
        self.popped = Some(known);
        self.services.screens.show(&self.settings.config, pop);
    }

    /// What is known of the call while it rings.
    fn first_pop(&self) -> Pop {
        let attributes = self.attributes();
        let caller = self.shown_caller();
        let queue = context::queue(&attributes).map(str::to_owned);
        let hidden = caller.is_hidden();
        Pop {
            moment: Moment::Ringing,
            at: SystemTime::now(),
            call: self.record.id.clone(),
            extension: String::new(),
            name: context::display(self.config(), &caller, queue.as_deref()),
            caller: if hidden { caller.shown().to_owned() } else { caller.number.clone() },
            original_caller: caller.original.clone(),
            queue,
            cloud: self.record.cloud.clone(),
            attributes,
            answered: false,
        }
    }
}

/// Whether we called it: no program is told of a phone that calls.
fn was_called(leg: &Leg) -> bool {
    leg.session.invite_token().is_some()
}

fn phone(party: &Party) -> Option<&str> {
    match party {
        Party::Phone(number) => Some(number),
        Party::Trunk(_) => None,
    }
}
