//! Pairs of numbers on a real PostgreSQL, which the test starts itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

#[path = "../../../tests/src/postgres.rs"]
mod postgres;
#[path = "../../dnis/suite/mod.rs"]
mod suite;

use std::sync::Arc;

use offhook_dnis::{Clock, Count, DnisPool as _};
use offhook_postgres::{Database, DatabaseError, PostgresPool};
use rustls::{ClientConfig, RootCertStore};

use crate::postgres::Server;
use crate::suite::{claim_of, pairs};

fn nobody() -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Arc::new(config.unwrap().with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

impl suite::Bench for Server {
    type Pool = PostgresPool;

    async fn pool(&self, name: &str, clock: Clock) -> Arc<PostgresPool> {
        let database = Database::new(&self.database(name), nobody()).unwrap();
        Arc::new(PostgresPool::open(database, Some(clock)).await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_keeps_leases() {
    suite::run(&Server::start()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boxes_share_a_pool_by_the_servers_clock_and_come_back_after_a_break() {
    let mut server = Server::start();
    let address = server.database("shared");
    let open = async || {
        PostgresPool::open(Database::new(&address, nobody()).unwrap(), None).await.unwrap()
    };
    let (one, two) = tokio::join!(open(), open());
    one.add(pairs(200)).await.unwrap();
    let claims = (0..200).map(|n| {
        let pool = if n % 2 == 0 { one.clone() } else { two.clone() };
        tokio::spawn(async move { pool.claim(claim_of(&format!("t{n}"))).await.unwrap().pair })
    });
    let claims: Vec<_> = claims.collect();
    let mut leased = Vec::new();
    for claim in claims {
        leased.push(claim.await.unwrap());
    }
    leased.sort();
    leased.dedup();
    assert_eq!(leased.len(), 200);
    assert_eq!(two.count().await.unwrap(), Count { free: 0, leased: 200 });

    server.restart();
    // The break is noticed by a request, at the latest; the next one has a connection.
    let _ = one.count().await;
    assert_eq!(one.count().await.unwrap(), Count { free: 0, leased: 200 });
    assert_eq!(one.release_holder("office").await.unwrap(), 200);
}

#[test]
fn a_database_elsewhere_is_spoken_to_with_tls_and_no_address_is_told_with_its_password() {
    let error = Database::new("mysql://office", nobody()).unwrap_err();
    assert!(matches!(error, DatabaseError::Address(_)), "{error}");
    let database = Database::new("postgresql://me:secret@db.example.com/office", nobody()).unwrap();
    assert_eq!(format!("{database:?}"), r#"Database { name: Some("office"), .. }"#);
}
