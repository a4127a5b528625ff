//! Writes events, and knows whose numbers they have.

use super::Execution;
use super::state::{ROOT, Strand, StrandId};
use crate::history::{Details, Event, EventId, EventType};
use crate::limits;
use jiff::{SignedDuration, Timestamp};

impl Execution {
    /// Writes an event that follows `previous`, without moving any strand.
    pub(super) fn record(
        &mut self,
        strand: StrandId,
        kind: EventType,
        previous: EventId,
        details: Option<Details>,
    ) -> EventId {
        let home = self.core.strands.get(&strand).map_or(ROOT, |strand| strand.home);
        if home != ROOT
            && let Some(child) =
                self.core.strands.get_mut(&home).and_then(|strand| strand.child.as_mut())
        {
            child.events += 1;
            return child.events;
        }
        let id = self.next_event();
        let timestamp = self.core.now;
        self.core.events.push(Event { id, previous_event_id: previous, timestamp, kind, details });
        self.core.recorded = id;
        id
    }

    /// Writes an event that follows the strand's last, and makes it the last.
    pub(super) fn advance(
        &mut self,
        strand: StrandId,
        kind: EventType,
        details: Option<Details>,
    ) -> EventId {
        let last = self.core.strands.get(&strand).map_or(0, |strand| strand.last);
        let id = self.record(strand, kind, last, details);
        if let Some(strand) = self.core.strands.get_mut(&strand) {
            strand.last = id;
        }
        id
    }

    fn next_event(&self) -> EventId {
        self.core.recorded + 1
    }

    /// Whether one more event would be the last that is allowed.
    pub(super) fn history_is_full(&self) -> bool {
        self.next_event() >= limits::HISTORY_EVENTS
    }

    /// Whether a child execution has used up its own numbers.
    pub(super) fn child_is_full(&self, strand: StrandId) -> Option<StrandId> {
        let home = self.core.strands.get(&strand)?.home;
        let child = self.core.strands.get(&home)?.child.as_ref()?;
        (child.events + 1 >= limits::HISTORY_EVENTS).then_some(home)
    }

    pub(super) fn strand(&self, id: StrandId) -> Option<&Strand> {
        self.core.strands.get(&id)
    }

    pub(super) fn strand_mut(&mut self, id: StrandId) -> Option<&mut Strand> {
        self.core.strands.get_mut(&id)
    }
}

/// `seconds` after `now`, or the end of time.
pub(super) fn after(now: Timestamp, seconds: f64) -> Timestamp {
    let millis = (seconds.max(0.0) * 1000.0).min(i64::MAX as f64 / 2.0) as i64;
    now.checked_add(SignedDuration::from_millis(millis)).unwrap_or(Timestamp::MAX)
}
