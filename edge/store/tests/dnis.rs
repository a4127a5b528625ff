//! Pairs of numbers in SQLite: the common suite, and what a restart leaves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

#[path = "../../dnis/suite/mod.rs"]
mod suite;

use std::sync::Arc;
use std::time::Duration;

use offhook_dnis::{Claim, Clock, Count, DnisPool as _};
use offhook_store::{Options, SqlitePool, Store};
use tempfile::TempDir;

use crate::suite::{Hands, claim_of, pairs};

struct Folder(TempDir);

impl Folder {
    fn store(&self, name: &str) -> Store {
        let options = Options { linger: Duration::ZERO, ..Options::default() };
        Store::open(self.0.path().join(name), &options).unwrap()
    }
}

impl suite::Bench for Folder {
    type Pool = SqlitePool;

    async fn pool(&self, name: &str, clock: Clock) -> Arc<SqlitePool> {
        Arc::new(SqlitePool::new(self.store(name), clock))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_leases() {
    suite::run(&Folder(tempfile::tempdir().unwrap())).await;
}

#[tokio::test]
async fn leases_survive_a_restart_until_their_holder_starts_anew() {
    let folder = Folder(tempfile::tempdir().unwrap());
    let hands = Hands::new();
    let pool = SqlitePool::new(folder.store("office"), hands.clock());
    pool.add(pairs(3)).await.unwrap();
    pool.claim(claim_of("t1")).await.unwrap();
    drop(pool);
    let pool = SqlitePool::new(folder.store("office"), hands.clock());
    assert_eq!(pool.count().await.unwrap(), Count { free: 2, leased: 1 });
    assert_eq!(pool.release_holder("office").await.unwrap(), 1);
    assert_eq!(pool.count().await.unwrap(), Count { free: 3, leased: 0 });
}

#[tokio::test]
async fn a_reset_ends_all_leases_and_leaves_the_pairs_of_the_configuration() {
    let folder = Folder(tempfile::tempdir().unwrap());
    let hands = Hands::new();
    let pool = SqlitePool::new(folder.store("office"), hands.clock());
    pool.add(pairs(3)).await.unwrap();
    for call in ["t1", "t2", "t3"] {
        pool.claim(Claim { holder: call.to_owned(), ..claim_of(call) }).await.unwrap();
    }
    let configured: Vec<_> = pairs(4).split_off(1);
    pool.reset(configured.clone()).await.unwrap();
    assert_eq!(pool.count().await.unwrap(), Count { free: 3, leased: 0 });
    // The one that nobody has had comes first; the others were given back just now.
    let lease = pool.claim(claim_of("t4")).await.unwrap();
    assert_eq!(Some(&lease.pair), configured.last());
    assert_eq!(pool.release("t2", None).await.unwrap(), 0);
    pool.reset(Vec::new()).await.unwrap();
    assert_eq!(pool.count().await.unwrap(), Count::default());
}
