//! Goes on after a restart.

use std::collections::HashMap;
use std::sync::Arc;

use offhook_asl::Machine;
use offhook_asl::execution::{Execution, TaskId, TokenEvent};
use serde_json::Value;
use tokio::sync::mpsc;

use super::live::{Key, Live, Open, Restored, What};
use super::owner::Owner;
use super::{Command, Options, WeakRuntime};
use crate::router::{self, CALL_ENDED, HANGUP};
use crate::store::{ExecutionRecord, MachineType, StoreError};

impl Owner {
    /// Reads what was kept, goes on with it and begins to take commands.
    pub(super) async fn restore(
        options: Options,
        runtime: WeakRuntime,
        mailbox: mpsc::Receiver<Command>,
    ) -> Result<(), StoreError> {
        let unfinished = options.store.unfinished_executions().await?;
        let mut owner = Self::new(options, runtime);
        let mut restored = Vec::new();
        for (record, body) in unfinished {
            let arn = record.arn.clone();
            match owner.read(record, &body).await {
                Ok(key) => {
                    let recorded = owner.recorded(key).await;
                    restored.push((key, recorded));
                }
                // It stays in the store for whoever knows better.
                Err(why) => tracing::error!(arn, why, "an execution cannot go on"),
            }
        }
        tracing::info!(executions = restored.len(), "executions go on after the restart");
        let task = async move {
            restored.into_iter().for_each(|(key, recorded)| owner.resume(key, recorded));
            owner.run(mailbox).await;
        };
        tokio::spawn(task);
        Ok(())
    }

    async fn read(&mut self, record: ExecutionRecord, body: &[u8]) -> Result<Key, String> {
        let Restored { execution, open, secrets } =
            serde_json::from_slice(body).map_err(|e| format!("its snapshot is damaged: {e}"))?;
        let machine = self.machine(&record, execution.digest()).await?;
        let execution =
            Execution::restore(machine, execution).map_err(|other| other.to_string())?;
        let execution = execution.with_pace(self.watch.pace());
        let key = self.next_key;
        self.next_key += 1;
        self.by_arn.insert(record.arn.clone(), key);
        let mut live = Live::new(execution, record, MachineType::Standard);
        live.secrets = secrets;
        for (id, submitted, token, what) in open {
            if let Some(token) = &token {
                self.tokens.open(token.clone(), key);
            }
            live.open.insert(id, Open { token, what, submitted, request: None });
        }
        self.live.insert(key, live);
        Ok(key)
    }

    async fn machine(
        &mut self,
        record: &ExecutionRecord,
        digest: &str,
    ) -> Result<Arc<Machine>, String> {
        let runtime = self.runtime.upgrade().ok_or("the runtime has ended")?;
        let found = runtime.versions().machine(&record.machine, record.version).await;
        let machine = found.map_err(|error| error.to_string())?;
        if machine.digest() != digest {
            return Err("it began with another definition".to_owned());
        }
        Ok(machine)
    }

    /// What an execution's call had recorded when it was cut off, by the token that waits for it. A
    /// caller who hangs up leaves the message as well.
    ///
    /// > One that was told of is not waited for any more: its token is closed.
    async fn recorded(&mut self, key: Key) -> HashMap<String, Value> {
        let Some(call) = self.waits_for_call(key) else { return HashMap::new() };
        let told = self.options.store.recorded(call.clone()).await.unwrap_or_else(|error| {
            tracing::error!(call, %error, "what was recorded cannot be told to the workflow");
            Vec::new()
        });
        let events = told.iter().filter_map(|event| serde_json::from_str::<Value>(event).ok());
        let by_token = |event: Value| {
            let token = event.pointer("/CallDetails/TransactionAttributes/WaitToken")?;
            Some((token.as_str()?.to_owned(), event))
        };
        events.filter_map(by_token).collect()
    }

    /// The call whose word an execution waits for.
    fn waits_for_call(&self, key: Key) -> Option<String> {
        let live = self.live.get(&key)?;
        let waits = live.open.values().any(|open| matches!(open.what, What::Queue));
        live.record.transaction_id.clone().filter(|_| waits)
    }

    fn resume(&mut self, key: Key, mut recorded: HashMap<String, Value>) {
        let Some(live) = self.live.get(&key) else { return };
        let again = |(id, open): (&TaskId, &Open)| match &open.what {
            What::Queue | What::Token => None,
            What::Activity { taken, .. } if *taken => None,
            _ => Some(*id),
        };
        let again: Vec<TaskId> = live.open.iter().filter_map(again).collect();
        let listened = |open: &Open| match &open.what {
            What::Queue => open.token.clone(),
            _ => None,
        };
        let to_call: Vec<String> = live.open.values().filter_map(listened).collect();
        for id in again {
            self.ask_again(key, id);
        }
        let now = self.now();
        let call = self.live.get(&key).and_then(|live| live.record.transaction_id.clone());
        if let (Some(call), Some(runtime)) = (call, self.runtime.upgrade()) {
            // Nobody is there any more for what it may still say.
            let (messages, receiver) = mpsc::channel(router::ROOM);
            self.queues.open(router::queue_url(&self.options.place, &call), messages);
            let arn = self.live.get(&key).map(|live| live.record.arn.clone()).unwrap_or_default();
            tokio::spawn(router::see_off(runtime, call, arn, receiver));
        }
        for token in to_call {
            let Some(live) = self.live.get_mut(&key) else { return };
            let outcome = match recorded.remove(&token) {
                Some(output) => TokenEvent::Success { output },
                None => TokenEvent::Failure {
                    error: Some(HANGUP.to_owned()),
                    cause: Some(CALL_ENDED.to_owned()),
                },
            };
            // One that the first of them ended is not open any more.
            let _ = live.execution.handle_token(&token, outcome, now);
            live.open.retain(|_, open| open.token.as_ref() != Some(&token));
            self.tokens.close(&token);
        }
        self.touch(key);
    }
}
