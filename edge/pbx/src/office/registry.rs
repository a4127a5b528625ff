//! Which calls there are: ids and mailboxes, never the calls themselves.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::{mpsc, watch};

use crate::call::{Control, TapeOrder};
use crate::quality::QualityMetrics;

/// A call as `offhook status` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveCall {
    /// Its id.
    pub id: String,
    /// `extension:101`, `trunk:connect`.
    pub source: String,
    /// Caller's number.
    pub from: String,
    /// Number of who really calls, when a trunk said so.
    pub original_caller: Option<String>,
    /// Number dialled.
    pub to: String,
    /// When it came.
    pub started: SystemTime,
}

/// The table. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Registry(Arc<Shared>);

/// A dialog as Replaces names it (RFC 3891 §3): Call-ID and our tag.
type DialogName = (Box<str>, Box<str>);

#[derive(Debug)]
struct Shared {
    table: Mutex<HashMap<String, Live>>,
    /// Which call a phone's dialog belongs to, for a phone that puts one call through to another.
    dialogs: Mutex<HashMap<DialogName, Dialog>>,
    /// Tasks of calls, those included whose people have hung up.
    tasks: watch::Sender<usize>,
    /// Ended calls by disposition and code of the failure (or nothing). Both come from our own
    /// lists, so that it stays small.
    outcomes: Mutex<BTreeMap<(String, String), u64>>,
    quality: QualityMetrics,
}

/// A phone's dialog: its call, and the extension.
#[derive(Debug)]
struct Dialog {
    control: mpsc::Sender<Control>,
    extension: Box<str>,
}

#[derive(Debug)]
struct Live {
    call: LiveCall,
    /// `SipMediaApplicationId` of who runs it.
    application: String,
    control: mpsc::Sender<Control>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared {
            table: Mutex::default(),
            dialogs: Mutex::default(),
            tasks: watch::Sender::new(0),
            outcomes: Mutex::default(),
            quality: QualityMetrics::default(),
        }))
    }

    /// Notes a call and the `SipMediaApplicationId` of who runs it. Its task holds the entry for as
    /// long as it lives.
    pub(crate) fn enter(
        &self,
        call: LiveCall,
        application: String,
        control: mpsc::Sender<Control>,
    ) -> Entry {
        let id = call.id.clone();
        let entry = Entry { registry: self.clone(), id: id.clone(), control: control.clone() };
        self.table().insert(id, Live { call, application, control });
        self.0.tasks.send_modify(|count| *count += 1);
        entry
    }

    /// Calls with somebody on the line, the oldest first.
    pub(crate) fn calls(&self) -> Vec<LiveCall> {
        let mut calls: Vec<_> = self.table().values().map(|live| live.call.clone()).collect();
        calls.sort_by(|a, b| (a.started, &a.id).cmp(&(b.started, &b.id)));
        calls
    }

    pub(crate) fn count(&self) -> usize {
        self.table().len()
    }

    /// Counts the end of a call, or of one that was turned away at the door.
    pub(crate) fn note_outcome(&self, disposition: &str, failure: &str) {
        let key = (disposition.to_owned(), failure.to_owned());
        *self.outcomes_table().entry(key).or_default() += 1;
    }

    /// Ended calls by disposition and failure.
    pub(crate) fn outcomes(&self) -> Vec<(String, String, u64)> {
        let table = self.outcomes_table();
        table.iter().map(|((how, why), count)| (how.clone(), why.clone(), *count)).collect()
    }

    /// How the legs of ended calls sounded.
    pub(crate) fn quality(&self) -> &QualityMetrics {
        &self.0.quality
    }

    fn outcomes_table(&self) -> MutexGuard<'_, BTreeMap<(String, String), u64>> {
        self.0.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tasks(&self) -> usize {
        *self.0.tasks.borrow()
    }

    /// Resolves when the last task of a call has ended.
    pub(crate) async fn idle(&self) {
        // Cannot fail: the sender is held by `self`.
        let _ = self.0.tasks.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Ends one call, by id or unique beginning of one.
    pub(crate) fn hang_up(&self, id: &str) -> bool {
        self.tell(id, Control::HangUp)
    }

    /// Records one call, or no longer.
    pub(crate) fn tape(&self, id: &str, order: TapeOrder) -> bool {
        self.tell(id, Control::Tape(order))
    }

    /// Tells one call's application of an update, by the call's whole id; `application`: only when
    /// that one (a `SipMediaApplicationId`) runs it. `None`: there is no such call; `false`: it has
    /// more orders than it can take.
    pub(crate) fn update(
        &self,
        id: &str,
        application: Option<&str>,
        arguments: BTreeMap<String, String>,
    ) -> Option<bool> {
        let table = self.table();
        let live = table.get(id)?;
        if application.is_some_and(|application| live.application != application) {
            return None;
        }
        match live.control.try_send(Control::Update(arguments)) {
            Ok(()) => Some(true),
            Err(mpsc::error::TrySendError::Full(_)) => Some(false),
            Err(mpsc::error::TrySendError::Closed(_)) => None,
        }
    }

    /// Gives an order to one call, by id or unique beginning of one.
    fn tell(&self, id: &str, order: Control) -> bool {
        let table = self.table();
        let mut fitting = table.values().filter(|live| live.call.id.starts_with(id));
        match (fitting.next(), fitting.next()) {
            (Some(live), None) => live.control.try_send(order).is_ok(),
            _ => false,
        }
    }

    pub(crate) fn hang_up_all(&self) {
        for live in self.table().values() {
            let _ = live.control.try_send(Control::HangUp);
        }
    }

    fn dialogs(&self) -> MutexGuard<'_, HashMap<DialogName, Dialog>> {
        self.0.dialogs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, Live>> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call's place in the table.
#[derive(Debug)]
pub(crate) struct Entry {
    registry: Registry,
    id: String,
    control: mpsc::Sender<Control>,
}

impl Entry {
    /// How it ended, for the metrics; once.
    pub(crate) fn outcome(&self, disposition: &str, failure: Option<&str>) {
        self.registry.note_outcome(disposition, failure.unwrap_or(""));
    }

    /// Where the sound of its legs is counted.
    pub(crate) fn quality(&self) -> &QualityMetrics {
        self.registry.quality()
    }

    /// The table.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Another application runs the call from now on: its `SipMediaApplicationId`.
    pub(crate) fn run_by(&self, application: &str) {
        if let Some(live) = self.registry.table().get_mut(&self.id) {
            application.clone_into(&mut live.application);
        }
    }

    /// The way to give this call orders.
    pub(crate) fn control(&self) -> &mpsc::Sender<Control> {
        &self.control
    }

    /// Lists a phone's dialog as one of this call's, for as long as the answer lives.
    pub(crate) fn list(&self, call_id: &str, local_tag: &str, extension: &str) -> Listed {
        let name = (call_id.into(), local_tag.into());
        let listed = Listed { registry: self.registry.clone(), name };
        let dialog = Dialog { control: self.control.clone(), extension: extension.into() };
        self.registry.dialogs().insert(listed.name.clone(), dialog);
        listed
    }

    /// The call that a dialog belongs to.
    pub(crate) fn call_of(&self, call_id: &str, local_tag: &str) -> Option<mpsc::Sender<Control>> {
        let dialogs = self.registry.dialogs();
        dialogs.get(&(call_id.into(), local_tag.into())).map(|dialog| dialog.control.clone())
    }

    /// The calls that phones of an extension are in, ringing ones included.
    pub(crate) fn calls_of(&self, extension: &str) -> Vec<mpsc::Sender<Control>> {
        let mut calls: Vec<mpsc::Sender<Control>> = Vec::new();
        for dialog in self.registry.dialogs().values().filter(|d| *d.extension == *extension) {
            if !calls.iter().any(|known| known.same_channel(&dialog.control)) {
                calls.push(dialog.control.clone());
            }
        }
        calls
    }

    /// Nobody is on the line any more.
    pub(crate) fn ended(&self) {
        self.registry.table().remove(&self.id);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.ended();
        self.registry.0.tasks.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// A dialog's place in the list. Dropping it takes it out.
#[derive(Debug)]
pub(crate) struct Listed {
    registry: Registry,
    name: DialogName,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.registry.dialogs().remove(&self.name);
    }
}
