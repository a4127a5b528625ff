//! What the appliance wants kept, in maps: it survives everything except the end of the test.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use offhook_pbx::event::{CallEvent, CallEventKind};
use offhook_pbx::keep::{
    Backlog, Ban, Bans, Binding, BindingChange, Bindings, CallFilter, CallRecord, Calls, Extension,
    Extensions, KeepError, Kept, Recording, Recordings, Voicemail, Voicemails,
};

/// All of it. Every future is ready at once, so that the paused clock has nothing to wait for.
#[derive(Debug, Default)]
pub struct MemoryKeep(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    extensions: BTreeMap<String, Extension>,
    bindings: BTreeMap<(String, String), Binding>,
    /// In the order in which they began.
    calls: Vec<CallRecord>,
    events: HashMap<String, Vec<CallEvent>>,
    begun: Vec<Voicemail>,
    voicemails: Vec<Voicemail>,
    bans: HashMap<IpAddr, Ban>,
    /// In the order in which they began, and whether they ended.
    recordings: Vec<(Recording, bool)>,
    /// Events of those that an application is to hear of though its call does not live to tell.
    told: Vec<String>,
}

impl MemoryKeep {
    /// Call records as they are now, oldest first.
    pub fn records(&self) -> Vec<CallRecord> {
        self.tables().calls.clone()
    }

    /// The timeline of a call.
    pub fn timeline(&self, call: &str) -> Vec<CallEvent> {
        self.tables().events.get(call).cloned().unwrap_or_default()
    }

    /// What the timeline of a call says in words.
    pub fn notes(&self, call: &str) -> Vec<String> {
        let note = |event: CallEvent| match event.kind {
            CallEventKind::Note { text } => Some(text),
            _ => None,
        };
        self.timeline(call).into_iter().filter_map(note).collect()
    }

    /// What applications would be told of recordings whose calls did not live to tell them.
    pub fn told(&self) -> Vec<String> {
        self.tables().told.clone()
    }

    /// Whether a message for this mailbox has begun and not ended.
    pub fn is_taking_a_message(&self, mailbox: &str) -> bool {
        self.tables().begun.iter().any(|message| message.mailbox == mailbox)
    }

    /// Bindings as they are now.
    pub fn bindings(&self) -> Vec<Binding> {
        self.tables().bindings.values().cloned().collect()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ready<T: Send + 'static>(value: T) -> Kept<T> {
    Box::pin(std::future::ready(Ok(value)))
}

impl Extensions for MemoryKeep {
    fn load_extensions(&self) -> Kept<Vec<Extension>> {
        ready(self.tables().extensions.values().cloned().collect())
    }

    fn put_extension(&self, extension: Extension) -> Kept<()> {
        self.tables().extensions.insert(extension.number.clone(), extension);
        ready(())
    }

    fn remove_extension(&self, number: String) -> Kept<bool> {
        ready(self.tables().extensions.remove(&number).is_some())
    }
}

impl Bindings for MemoryKeep {
    fn load_bindings(&self) -> Kept<Vec<Binding>> {
        let now = SystemTime::now();
        let tables = self.tables();
        ready(tables.bindings.values().filter(|b| b.expires > now).cloned().collect())
    }

    fn change_bindings(&self, changes: Vec<BindingChange>) -> Kept<()> {
        let mut tables = self.tables();
        for change in changes {
            match change {
                BindingChange::Put(binding) => {
                    let key = (binding.aor.clone(), binding.contact.clone());
                    tables.bindings.insert(key, binding);
                }
                BindingChange::Remove { aor, contact } => {
                    tables.bindings.remove(&(aor, contact));
                }
            }
        }
        ready(())
    }
}

impl Calls for MemoryKeep {
    fn put_call(&self, record: CallRecord) -> Kept<()> {
        let mut tables = self.tables();
        match tables.calls.iter_mut().rev().find(|kept| kept.id == record.id) {
            Some(kept) => *kept = record,
            None => tables.calls.push(record),
        }
        ready(())
    }

    fn append_events(&self, call: String, events: Vec<CallEvent>) {
        self.tables().events.entry(call).or_default().extend(events);
    }

    fn list_calls(&self, limit: usize) -> Kept<Vec<CallRecord>> {
        ready(self.tables().calls.iter().rev().take(limit).cloned().collect())
    }

    fn find_calls(&self, filter: CallFilter, limit: usize) -> Kept<Vec<CallRecord>> {
        let tables = self.tables();
        let meant = tables.calls.iter().rev().filter(|call| filter.takes(call));
        ready(meant.take(limit).cloned().collect())
    }

    fn show_call(&self, id: String) -> Kept<Option<(CallRecord, Vec<CallEvent>)>> {
        let tables = self.tables();
        let record = tables.calls.iter().find(|record| record.id.starts_with(&id)).cloned();
        ready(record.map(|record| {
            let events = tables.events.get(&record.id).cloned().unwrap_or_default();
            (record, events)
        }))
    }
}

impl Voicemails for MemoryKeep {
    fn begin_voicemail(&self, message: Voicemail) -> Kept<()> {
        self.tables().begun.push(message);
        ready(())
    }

    fn finish_voicemail(&self, id: String, duration_ms: u64) -> Kept<()> {
        let mut tables = self.tables();
        if let Some(at) = tables.begun.iter().position(|message| message.id == id) {
            let message = tables.begun.remove(at);
            if duration_ms > 0 {
                tables.voicemails.push(Voicemail { duration_ms, ..message });
            }
        }
        ready(())
    }

    fn unfinished_voicemails(&self) -> Kept<Vec<Voicemail>> {
        ready(self.tables().begun.clone())
    }

    fn list_voicemails(&self, mailbox: String) -> Kept<Vec<Voicemail>> {
        let tables = self.tables();
        ready(tables.voicemails.iter().filter(|m| m.mailbox == mailbox).cloned().collect())
    }

    fn used_mailboxes(&self) -> Kept<Vec<String>> {
        let filled: BTreeSet<_> =
            self.tables().voicemails.iter().map(|m| m.mailbox.clone()).collect();
        ready(filled.into_iter().collect())
    }

    fn mark_voicemail(&self, id: String, heard: bool, saved: bool) -> Kept<()> {
        if let Some(message) = self.tables().voicemails.iter_mut().find(|m| m.id == id) {
            (message.heard, message.saved) = (heard, saved);
        }
        ready(())
    }

    fn delete_voicemail(&self, id: String) -> Kept<()> {
        self.tables().voicemails.retain(|message| message.id != id);
        ready(())
    }
}

impl MemoryKeep {
    fn change_recording(
        &self,
        id: &str,
        change: impl FnOnce(&mut Recording, &mut bool),
    ) -> Kept<()> {
        let mut tables = self.tables();
        match tables.recordings.iter_mut().find(|(recording, _)| recording.id == id) {
            Some((recording, ended)) => {
                change(recording, ended);
                ready(())
            }
            None => Box::pin(std::future::ready(Err(KeepError::Failed(format!("no {id}"))))),
        }
    }

    fn recordings(&self, choose: impl Fn(&Recording, bool) -> bool) -> Vec<Recording> {
        let tables = self.tables();
        let chosen =
            tables.recordings.iter().filter(|(recording, ended)| choose(recording, *ended));
        chosen.map(|(recording, _)| recording.clone()).collect()
    }
}

impl Recordings for MemoryKeep {
    fn begin_recording(&self, recording: Recording) -> Kept<()> {
        self.tables().recordings.push((recording, false));
        ready(())
    }

    fn begin_told_recording(&self, recording: Recording, told: String) -> Kept<()> {
        self.tables().told.push(told);
        self.begin_recording(recording)
    }

    fn finish_recording(&self, id: String, duration_ms: u64) -> Kept<()> {
        if duration_ms == 0 {
            self.tables().recordings.retain(|(recording, _)| recording.id != id);
            return ready(());
        }
        self.change_recording(&id, |recording, ended| {
            (recording.duration_ms, *ended) = (duration_ms, true);
        })
    }

    fn unfinished_recordings(&self) -> Kept<Vec<Recording>> {
        ready(self.recordings(|_, ended| !ended))
    }

    fn waiting_recordings(&self, fresh: bool, limit: usize) -> Kept<Vec<Recording>> {
        let mut waiting = self.recordings(|recording, ended| {
            ended && recording.stored.is_none() && (!fresh || recording.attempts == 0)
        });
        waiting.sort_by_key(|recording| recording.attempts);
        waiting.truncate(limit);
        ready(waiting)
    }

    fn recording_stored(&self, id: String, location: String) -> Kept<()> {
        self.change_recording(&id, |recording, _| recording.stored = Some(location))
    }

    fn recording_delayed(&self, id: String, error: String) -> Kept<()> {
        self.change_recording(&id, |recording, _| {
            recording.attempts += 1;
            recording.error = Some(error);
        })
    }

    fn recordings_backlog(&self) -> Kept<Backlog> {
        let waiting = self.recordings(|recording, ended| ended && recording.stored.is_none());
        ready(Backlog {
            waiting: waiting.len() as u64,
            failing: waiting.iter().filter(|recording| recording.attempts > 0).count() as u64,
            oldest: waiting.iter().map(|recording| recording.started).min(),
        })
    }

    fn list_recordings(&self, limit: usize) -> Kept<Vec<Recording>> {
        ready(self.recordings(|_, _| true).into_iter().rev().take(limit).collect())
    }
}

impl Bans for MemoryKeep {
    fn load_bans(&self) -> Kept<Vec<Ban>> {
        ready(self.tables().bans.values().cloned().collect())
    }

    fn put_ban(&self, ban: Ban) -> Kept<()> {
        self.tables().bans.insert(ban.source, ban);
        ready(())
    }

    fn remove_ban(&self, source: IpAddr) -> Kept<()> {
        self.tables().bans.remove(&source);
        ready(())
    }
}
