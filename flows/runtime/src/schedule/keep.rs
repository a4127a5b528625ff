//! Keeps the time: asks for what is due, fires it, and takes down what came of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::services::Services;
use crate::store::StoreError;

use super::engine::{Missed, Schedules};
use super::fire::{Targets, fire};

/// Invocations under way at a time; more wait.
const MOST: usize = 64;
/// How long a store that failed is left alone.
const PAUSE: Duration = Duration::from_secs(5);

/// What the keeper of schedules works with.
pub struct Keeper {
    /// The schedules.
    pub schedules: Schedules,
    /// The time.
    pub clock: Clock,
    /// Notified when a schedule may come earlier than was thought.
    pub wake: Arc<Notify>,
    /// What schedules call on this machine.
    pub targets: Arc<dyn Targets>,
    /// What else they call.
    pub services: Services,
    /// Told of what was not done.
    pub tell: Box<dyn Fn(Missed) + Send + Sync>,
}

impl Keeper {
    /// Goes on until it is dropped; what is then under way is made again by the next one.
    pub async fn run(self) {
        self.run_at_most(u64::MAX).await;
    }

    /// As [`Keeper::run`], until `most` invocations were made, attempts included.
    pub async fn run_at_most(self, most: u64) {
        let keeper = Arc::new(self);
        let mut under_way = JoinSet::new();
        let mut left = most;
        while left > 0 {
            if let Err(error) = keeper.step(&mut under_way, &mut left).await {
                tracing::error!(%error, "schedules cannot be read");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    async fn step(
        self: &Arc<Self>,
        under_way: &mut JoinSet<()>,
        left: &mut u64,
    ) -> Result<(), StoreError> {
        let deadline = self.schedules.next_deadline().await?;
        if deadline.is_none_or(|deadline| deadline > self.clock.now()) {
            tokio::select! {
                () = self.clock.sleep_towards(deadline) => {}
                () = self.wake.notified() => {}
                // An attempt that failed may be due before what was waited for.
                Some(_) = under_way.join_next() => {}
            }
            return Ok(());
        }
        let due = self.schedules.due(self.clock.now()).await?;
        due.missed.into_iter().for_each(&self.tell);
        for invocation in due.invocations {
            let Some(less) = left.checked_sub(1) else { break };
            *left = less;
            while under_way.len() >= MOST {
                under_way.join_next().await;
            }
            let keeper = Arc::clone(self);
            under_way.spawn(async move {
                let now = keeper.clock.now();
                let outcome = fire(&invocation, now, &keeper.targets, &keeper.services).await;
                let now = keeper.clock.now();
                match keeper.schedules.finish(&invocation, outcome, now).await {
                    Ok(missed) => missed.into_iter().for_each(&keeper.tell),
                    Err(error) => tracing::error!(%error, "what came of a schedule is not kept"),
                }
            });
        }
        Ok(())
    }
}
