//! The conferences of a media thread.

use std::time::Instant;

use super::super::api::{Playback, Role};
use super::super::conference::MixId;
use super::super::mixer::Mixer;
use super::super::play::Player;
use super::Worker;
use crate::voice::Rate;

/// Length of what an announcement is read in, in ms.
const READ_MS: u16 = 10;

/// Something to do for a conference.
pub(in crate::engine) enum MixOrder {
    Open,
    Announce(Playback),
    Close,
}

impl Worker {
    pub(super) fn mix_order(&mut self, now: Instant, id: MixId, order: MixOrder) {
        match order {
            MixOrder::Open => {
                self.mixes.insert(id, Mixer::new(now));
            }
            MixOrder::Announce(playback) => {
                if let Some(mixer) = self.mixes.get_mut(&id) {
                    mixer.announce(Player::new(now, playback, None, READ_MS, 0));
                }
            }
            MixOrder::Close => {
                let Some(mixer) = self.mixes.remove(&id) else { return };
                for member in mixer.members() {
                    let slot = self.by_id.get(&member).copied();
                    if let Some(port) = slot.and_then(|slot| self.port(slot)) {
                        port.mix = None;
                    }
                }
            }
        }
    }

    /// Lets a port into a conference, or changes its role there.
    pub(super) fn join_mix(&mut self, slot: usize, id: MixId, role: Role) {
        if !self.mixes.contains_key(&id) {
            return;
        }
        if self.port(slot).is_some_and(|port| port.mix != Some(id)) {
            self.unbridge(slot);
        }
        let Some(port) = self.slots.get_mut(slot) else { return };
        port.mix = Some(id);
        port.leg.be_mixed();
        if let Some(mixer) = self.mixes.get_mut(&id) {
            mixer.set(port.leg.id(), role);
            mixer.set_best(port.leg.id(), port.leg.best().unwrap_or(Rate::Narrow));
        }
    }

    pub(super) fn leave_mix(&mut self, slot: usize) {
        let Some(port) = self.slots.get_mut(slot) else { return };
        let Some(mixer) = port.mix.take().and_then(|id| self.mixes.get_mut(&id)) else { return };
        mixer.remove(port.leg.id());
    }

    /// A member speaks another codec from here on.
    pub(super) fn retune_mix(&mut self, slot: usize) {
        let Some(port) = self.slots.get_mut(slot) else { return };
        let Some(mixer) = port.mix.and_then(|id| self.mixes.get_mut(&id)) else { return };
        mixer.set_best(port.leg.id(), port.leg.best().unwrap_or(Rate::Narrow));
    }

    /// Says to everybody in a conference what he hears, as far as it is due.
    pub(super) fn mix(&mut self, now: Instant) {
        let mut mixes = std::mem::take(&mut self.mixes);
        for mixer in mixes.values_mut().filter(|mixer| !mixer.is_empty()) {
            while mixer.turn(now) {
                for id in mixer.members() {
                    if !self.piece.fill(mixer.rate(), |samples| mixer.hears(id, samples)) {
                        continue;
                    }
                    let slot = self.by_id.get(&id).copied();
                    let port = slot.and_then(|slot| self.slots.get_mut(slot));
                    if let Some(port) = port {
                        port.leg.say(now, &self.piece);
                        port.poll(now, &mut self.buffer);
                    }
                }
            }
        }
        self.mixes = mixes;
    }
}
