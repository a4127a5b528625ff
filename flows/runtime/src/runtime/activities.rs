//! Tasks for workers of activities.

use std::collections::{HashMap, VecDeque};

use offhook_asl::execution::{TaskEvent, TaskId};
use serde_json::Value;
use tokio::sync::oneshot;

use super::ActivityTask;
use super::live::{Key, What};
use super::owner::Owner;

/// Tasks that wait for workers, and workers that wait for tasks.
#[derive(Default)]
pub(super) struct Activities(HashMap<String, Activity>);

#[derive(Default)]
struct Activity {
    tasks: VecDeque<(Key, TaskId)>,
    workers: VecDeque<(Option<String>, oneshot::Sender<ActivityTask>)>,
}

impl Owner {
    /// The task waits for a worker from now on.
    pub(super) fn offer(&mut self, arn: &str, key: Key, id: TaskId) {
        self.activities.0.entry(arn.to_owned()).or_default().tasks.push_back((key, id));
        self.match_workers(arn);
    }

    pub(super) fn take_activity(
        &mut self,
        arn: String,
        worker: Option<String>,
        reply: oneshot::Sender<ActivityTask>,
    ) {
        let activity = self.activities.0.entry(arn.clone()).or_default();
        activity.workers.retain(|(_, worker)| !worker.is_closed());
        activity.workers.push_back((worker, reply));
        self.match_workers(&arn);
    }

    fn match_workers(&mut self, arn: &str) {
        loop {
            let Some(activity) = self.activities.0.get_mut(arn) else { return };
            activity.workers.retain(|(_, worker)| !worker.is_closed());
            if activity.workers.is_empty() {
                break;
            }
            let Some((key, id)) = activity.tasks.pop_front() else { break };
            let Some(live) = self.live.get_mut(&key) else { continue };
            let Some(open) = live.open.get_mut(&id) else { continue };
            let (What::Activity { input, taken, .. }, Some(token)) = (&mut open.what, &open.token)
            else {
                continue;
            };
            let Some((worker_name, worker)) = activity.workers.pop_front() else { break };
            let input = serde_json::from_str(input).unwrap_or(Value::Null);
            if worker.send(ActivityTask { token: token.clone(), input }).is_err() {
                activity.tasks.push_front((key, id));
                continue;
            }
            *taken = true;
            self.answer(key, id, TaskEvent::Started { worker_name });
            self.touch(key);
        }
        if self.activities.0.get(arn).is_some_and(|a| a.tasks.is_empty() && a.workers.is_empty()) {
            self.activities.0.remove(arn);
        }
    }
}
