//! Keeps executions: one save of each at a time, of everything that happened meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use offhook_asl::history::Event;
use tokio::time::Instant;

use super::live::{Ack, Key, Live, Saving, Snapshot, Stage};
use super::owner::Owner;
use crate::store::{ExecutionChange, ExecutionStatus, MachineType, Saved, StoreError};

/// Between two attempts to keep an execution.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// Attempts to keep an execution that has ended.
const ATTEMPTS: u32 = 5;

/// Changed executions in the row before they are kept ahead of what is asked.
const MOST_WAITING: usize = 64;
/// Rounds of questions that the row lets pass.
const MOST_PASSED: u32 = 8;
/// How long nothing of the row is kept at most, unless a round takes longer: a workflow that thinks hard
/// makes it one of a second.
const LONGEST: Duration = Duration::from_millis(250);
/// How long one of them waits at most, unless a round takes longer (docs/flows.md, "What survives").
const MOST_LOST: Duration = Duration::from_secs(1);
/// How often an execution goes back to the end of the row before all are kept.
const MOST_MOVED: u32 = 8;

/// Changed executions, in the order of their last change, to be kept when nobody waits for the
/// thread: writing one down takes longer than the next caller's first states.
///
/// > What one execution has told another is kept before what it went on to do: one that changes
/// > again goes back to the end. It waits since its first change all the same, and when that is
/// > [`MOST_LOST`] ago it is kept with all that stand before it: no more is lost with the power.
#[derive(Default)]
pub(super) struct ToKeep {
    /// By place: which, and since when it waits.
    row: BTreeMap<u64, (Key, Instant)>,
    last: u64,
    passed: u32,
    /// When the first came into the empty row, or the last one was kept.
    since: Option<Instant>,
    /// All that are in the row now are kept ahead of what is asked.
    flush: bool,
    /// Somebody waits for one of them.
    awaited: bool,
}

impl ToKeep {
    /// Its new place: the last one. `place` is the one it has.
    fn push(&mut self, key: Key, place: Option<u64>, now: Instant) -> u64 {
        if self.is_empty() {
            self.passed = 0;
            self.since = Some(now);
        }
        let before = place.and_then(|place| self.row.remove(&place));
        let since = before.map_or(now, |(_, since)| since);
        self.last += 1;
        self.row.insert(self.last, (key, since));
        self.last
    }

    /// The next of them. The others have a round's questions before them, and wait anew.
    fn pop(&mut self, now: Instant) -> Option<(Key, u64)> {
        self.passed = 0;
        self.since = Some(now);
        self.row.pop_first().map(|(place, (key, _))| (key, place))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.row.is_empty()
    }

    /// Whether somebody waits until one of them is kept.
    pub(super) fn is_awaited(&self) -> bool {
        self.awaited
    }

    /// Something else was done first.
    pub(super) fn let_pass(&mut self) {
        self.passed += 1;
    }

    /// Whether the first has waited enough, or one behind it too long.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let is_old = || self.since.is_some_and(|since| now.duration_since(since) >= LONGEST);
        let is_late = |since: &Instant| now.duration_since(*since) >= MOST_LOST;
        self.flush
            || self.row.len() > MOST_WAITING
            || (!self.is_empty() && (self.passed >= MOST_PASSED || is_old()))
            || self.row.values().any(|(_, since)| is_late(since))
    }
}

impl Owner {
    /// It is kept in its turn.
    pub(super) fn keep(&mut self, key: Key) {
        let Some(live) = self.live.get_mut(&key) else { return };
        if !live.dirty {
            return;
        }
        if live.place.is_some() {
            live.moved += 1;
            // Somebody waits for it, or it never stands still.
            self.to_keep.flush |= !live.acks.is_empty() || live.moved >= MOST_MOVED;
        }
        self.to_keep.awaited |= !live.acks.is_empty();
        live.place = Some(self.to_keep.push(key, live.place, Instant::now()));
    }

    /// Keeps the next one; `false`: there was none.
    pub(super) fn keep_next(&mut self, now: Instant) -> bool {
        while let Some((key, place)) = self.to_keep.pop(now) {
            if let Some(live) = self.live.get_mut(&key)
                && live.place == Some(place)
            {
                live.place = None;
                live.moved = 0;
                self.save(key);
                return true;
            }
        }
        (self.to_keep.flush, self.to_keep.awaited) = (false, false);
        false
    }

    /// Begins to keep it, unless that is under way.
    fn save(&mut self, key: Key) {
        let Some(live) = self.live.get_mut(&key) else { return };
        let ended = live.record.status != ExecutionStatus::Running;
        let wanted = live.dirty && live.saving.is_none() && live.save_again.is_none();
        if !wanted || (live.kind == MachineType::Express && !ended) {
            return;
        }
        live.collect(self.options.masks);
        let change = match change(live, ended) {
            Ok(change) => change,
            Err(error) => {
                // What cannot be written now cannot be written later either.
                tracing::error!(arn = live.record.arn, %error, "an execution cannot be kept");
                live.dirty = false;
                let kept = StoreError::Failed(error.to_string());
                return live.acks.drain(..).for_each(|ack| ack.tell(Err(kept.clone())));
            }
        };
        let events = std::mem::take(&mut live.unsaved);
        let acks = std::mem::take(&mut live.acks);
        live.saving = Some(Saving { events, acks, last: ended });
        live.dirty = false;
        let kept = self.options.store.save_execution(change);
        self.saves.push(Box::pin(async move { (key, kept.await) }));
    }

    pub(super) fn saved(&mut self, key: Key, saved: Result<Saved, StoreError>) {
        let Some(live) = self.live.get_mut(&key) else { return };
        let Some(Saving { events, acks, last }) = live.saving.take() else { return };
        match saved {
            Ok(Saved::Yes) => {
                live.new = false;
                live.failures = 0;
                acks.into_iter().for_each(|ack| ack.tell(Ok(())));
                if live.stage == Stage::Naming {
                    live.stage = Stage::Running;
                    return self.begin(key);
                }
                if last {
                    return self.forget(key);
                }
            }
            Ok(Saved::NameTaken) => return self.name_taken(key, acks),
            Err(error) => {
                let again = self.now().checked_add(AGAIN).unwrap_or(jiff::Timestamp::MAX);
                let Some(live) = self.live.get_mut(&key) else { return };
                not_saved(live, events, again);
                acks.into_iter().for_each(|ack| ack.tell(Err(error.clone())));
                let arn = &live.record.arn;
                tracing::warn!(arn, %error, failures = live.failures, "an execution is not kept");
                if live.stage == Stage::Naming || (last && live.failures >= ATTEMPTS) {
                    return self.forget(key);
                }
            }
        }
        self.keep(key);
        self.plan(key);
    }

    /// An execution of that name ended a while ago.
    fn name_taken(&mut self, key: Key, acks: Vec<Ack>) {
        let Some(live) = self.live.get_mut(&key) else { return };
        let arn = live.record.arn.clone();
        if live.stage == Stage::Naming {
            for ack in acks {
                ack.name_taken(&arn);
            }
        } else {
            // It was begun for a call, whose id does not come twice: somebody used its name.
            tracing::error!(arn, "an execution's name was taken; it runs without being kept");
            acks.into_iter().for_each(|ack| ack.tell(Ok(())));
            if live.stage != Stage::Ended {
                live.kind = MachineType::Express;
                return;
            }
        }
        self.forget(key);
    }

    fn forget(&mut self, key: Key) {
        let Some(live) = self.live.remove(&key) else { return };
        self.by_arn.remove(&live.record.arn);
        for waiter in live.waiters {
            // Whoever waited may be gone.
            drop(waiter.send(live.record.clone()));
        }
    }
}

impl Ack {
    fn name_taken(self, arn: &str) {
        match self {
            Self::Start(reply, _) => {
                drop(reply.send(Err(super::StartError::AlreadyExists(arn.to_owned()))));
            }
            Self::Other(tell) => tell(Ok(())),
        }
    }
}

fn not_saved(live: &mut Live, events: Vec<Event>, again: jiff::Timestamp) {
    live.failures += 1;
    live.dirty = true;
    let newer = std::mem::replace(&mut live.unsaved, events);
    live.unsaved.extend(newer);
    live.save_again = Some(again);
}

fn change(live: &Live, ended: bool) -> Result<ExecutionChange, serde_json::Error> {
    let mut history = Vec::with_capacity(live.unsaved.len());
    let secrets = live.secrets.values();
    for event in &live.unsaved {
        let text = serde_json::to_string(event)?;
        let text = if secrets.is_empty() { text } else { secrets.mask_text(&text) };
        history.push((event.id, text));
    }
    let open = live.open.iter();
    let open = open.map(|(id, o)| (*id, o.submitted, o.token.as_deref(), &o.what)).collect();
    let snapshot = Snapshot { execution: &live.execution, open, secrets: &live.secrets };
    let snapshot = (!ended).then(|| serde_json::to_vec(&snapshot)).transpose()?;
    let new = live.new && live.kind == MachineType::Standard;
    let mut record = live.record.clone();
    if !secrets.is_empty() {
        let masked = |text: Option<String>| text.map(|text| secrets.mask_text(&text));
        record.input = secrets.mask_text(&record.input).into();
        record.output = masked(record.output);
        record.error = masked(record.error);
        record.cause = masked(record.cause);
    }
    Ok(ExecutionChange { record, snapshot, history, new })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_lets_a_few_questions_pass_and_does_not_grow_without_bound() {
        let now = Instant::now();
        let mut row = ToKeep::default();
        row.let_pass();
        assert!(!row.is_due(now) && row.is_empty());
        row.push(1, None, now);
        (0..MOST_PASSED).for_each(|_| row.let_pass());
        assert!(row.is_due(now));
        row.passed = 0;
        assert!(!row.is_due(now));
        for key in 0..=MOST_WAITING {
            row.push(key as Key, None, now);
        }
        assert!(row.is_due(now));
    }

    #[test]
    fn the_first_of_the_row_waits_a_quarter_of_a_second_and_the_next_one_another_round() {
        let begun = Instant::now();
        let mut row = ToKeep::default();
        row.push(1, None, begun);
        row.push(2, None, begun);
        assert!(!row.is_due(begun + LONGEST / 2));
        // The round took half a second.
        let late = begun + 2 * LONGEST;
        assert!(row.is_due(late));
        assert_eq!(row.pop(late), Some((1, 1)));
        assert!(!row.is_due(late), "whoever asks goes before the second");
        assert!(row.is_due(late + LONGEST));
        assert_eq!(row.pop(late + LONGEST), Some((2, 2)));
        let later = late + 9 * LONGEST;
        assert!(!row.is_due(later) && row.is_empty());
        row.push(3, None, later);
        assert!(!row.is_due(later), "it has only come");
    }

    #[test]
    fn one_that_waits_for_a_second_is_kept_at_once_though_it_has_changed_again_and_with_it_who_stands_before_it()
     {
        let begun = Instant::now();
        let mut row = ToKeep::default();
        let place = row.push(1, None, begun);
        let now = begun + MOST_LOST - LONGEST;
        row.push(2, None, now);
        row.push(3, None, now);
        assert_eq!(row.pop(now), Some((1, place)));
        assert!(!row.is_due(now), "no one is old");

        let place = row.push(1, None, begun);
        row.push(4, None, now);
        let place = row.push(1, Some(place), now);
        row.push(5, None, now);
        let now = begun + MOST_LOST;
        let mut kept = Vec::new();
        while row.is_due(now) {
            kept.push(row.pop(now).unwrap());
        }
        assert_eq!(kept, [(2, 2), (3, 3), (4, 5), (1, place)], "the old one is the last of them");
        assert_eq!(row.row.into_values().map(|(key, _)| key).collect::<Vec<_>>(), [5]);
    }
}
