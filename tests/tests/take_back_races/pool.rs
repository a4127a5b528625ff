//! The pool of the simulation is one: the suite of all backends says so.

use std::sync::Arc;

use offhook_dnis::Clock;
use offhook_tests::cloud::pool::MemoryPool;

use crate::suite;

struct InMemory;

impl suite::Bench for InMemory {
    type Pool = MemoryPool;

    async fn pool(&self, _: &str, clock: Clock) -> Arc<MemoryPool> {
        Arc::new(MemoryPool::of(Vec::new(), clock))
    }
}

#[tokio::test]
async fn pairs_in_memory_are_leased_as_those_of_every_backend() {
    suite::run(&InMemory).await;
}
