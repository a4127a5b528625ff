//! Expressions that take long are evaluated beside the thread that all executions share.

use std::collections::VecDeque;

use offhook_asl::jsonata::{Evaluated, Evaluation};
use tokio::task::JoinSet;

use super::live::Key;
use super::owner::Owner;

/// Expressions that are evaluated at a time beside the executions' own thread, each on one of
/// tokio's threads for what blocks; more wait. Each has its second from when it begins.
pub const EVALUATIONS: usize = 2;

/// Those that are evaluated, and those that wait for it.
#[derive(Default)]
pub(super) struct Evaluations {
    waiting: VecDeque<(Key, Evaluation)>,
    running: JoinSet<(Key, Evaluated)>,
}

impl Evaluations {
    pub(super) fn push(&mut self, key: Key, evaluation: Evaluation) {
        self.waiting.push_back((key, evaluation));
        self.begin();
    }

    fn begin(&mut self) {
        while self.running.len() < EVALUATIONS
            && let Some((key, evaluation)) = self.waiting.pop_front()
        {
            self.running.spawn_blocking(move || (key, evaluation.run()));
        }
    }

    /// What came of one; never, while there is none.
    pub(super) async fn next(&mut self) -> (Key, Evaluated) {
        loop {
            match self.running.join_next().await {
                Some(Ok(done)) => {
                    self.begin();
                    return done;
                }
                // The runtime is being shut down: a panic of the evaluator is a failed expression.
                Some(Err(error)) => {
                    tracing::error!(%error, "an expression was not evaluated");
                    self.begin();
                }
                None => return std::future::pending().await,
            }
        }
    }
}

impl Owner {
    pub(super) fn evaluated(&mut self, key: Key, evaluated: Evaluated) {
        let now = self.now();
        let Some(live) = self.live.get_mut(&key) else { return };
        live.execution.handle_evaluated(evaluated, now);
        self.touch(key);
    }
}
