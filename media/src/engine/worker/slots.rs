//! The ports of a media thread, by number, and which two of them are one call.

use std::sync::Arc;

use super::Port;
use crate::engine::counters::Counters;
use crate::engine::leg::Goes;

/// A number for a port. All that a packet is about to touch is known from here, without a look at
/// the port: it can be fetched while the kernel takes the packet's way.
#[derive(Default)]
struct Place {
    port: Option<Box<Port>>,
    /// Number of the other port of a call; its own: an echo.
    partner: Option<u32>,
    /// Those of the port's leg.
    counters: Option<Arc<Counters>>,
}

/// The ports of a thread. A number is given anew when its port has gone.
#[derive(Default)]
pub(super) struct Slots {
    places: Vec<Place>,
    free: Vec<usize>,
}

impl Slots {
    /// Numbers there are, with those that no port has.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    #[inline]
    pub(super) fn get(&self, slot: usize) -> Option<&Port> {
        self.places.get(slot)?.port.as_deref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut Port> {
        self.places.get_mut(slot)?.port.as_deref_mut()
    }

    /// Gives a port a number.
    pub(super) fn add(&mut self, port: Box<Port>) -> usize {
        let counters = Some(Arc::clone(&port.leg.counters));
        let place = Place { port: Some(port), partner: None, counters };
        let free = self.free.pop();
        match free.and_then(|slot| Some((slot, self.places.get_mut(slot)?))) {
            Some((slot, there)) => {
                *there = place;
                slot
            }
            None => {
                self.places.push(place);
                self.places.len() - 1
            }
        }
    }

    /// Takes a port out; it has no partner any more.
    pub(super) fn remove(&mut self, slot: usize) -> Option<Box<Port>> {
        self.part(slot);
        let port = std::mem::take(self.places.get_mut(slot)?).port?;
        self.free.push(slot);
        Some(port)
    }

    /// The other port of a call.
    #[inline]
    pub(super) fn partner(&self, slot: usize) -> Option<usize> {
        self.places.get(slot)?.partner.map(|partner| partner as usize)
    }

    /// Makes a call of two ports that have no partner, or an echo of one.
    pub(super) fn join(&mut self, one: usize, other: usize) {
        for (slot, partner) in [(one, other), (other, one)] {
            if let Some(place) = self.places.get_mut(slot) {
                place.partner = u32::try_from(partner).ok();
            }
        }
    }

    /// Ends a call or an echo; whose partner the port was.
    pub(super) fn part(&mut self, slot: usize) -> Option<usize> {
        let partner = self.places.get_mut(slot)?.partner.take()? as usize;
        if let Some(place) = self.places.get_mut(partner) {
            place.partner = None;
        }
        Some(partner)
    }

    /// Has the processor fetch what a packet of this port will touch, here and at the other port of
    /// the call. A thousand calls are more than its nearer caches hold. Nothing waits for it.
    #[inline]
    pub(super) fn foresee(&self, slot: usize) {
        let Some(near) = self.places.get(slot) else { return };
        near.foresee(Goes::In);
        if let Some(far) = near.partner.and_then(|partner| self.places.get(partner as usize)) {
            far.foresee(Goes::Out);
        }
    }

    /// The same for the keys of secured legs, once the ports are there.
    #[inline]
    pub(super) fn foresee_keys(&self, slot: usize) {
        if let Some(near) = self.get(slot) {
            near.leg.foresee_keys(Goes::In);
        }
        if let Some(far) = self.partner(slot).and_then(|partner| self.get(partner)) {
            far.leg.foresee_keys(Goes::Out);
        }
    }

    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.free.len()
    }
}

impl Place {
    #[inline]
    fn foresee(&self, goes: Goes) {
        if let Some(port) = &self.port {
            port.foresee(goes);
        }
        if let Some(counters) = &self.counters {
            counters.foresee();
        }
    }
}
