//! Pairs of numbers in DynamoDB, on moto's server: the common suite, and functions of AWS's sample
//! beside ours at one table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

#[path = "../../../../tests/src/killed.rs"]
#[allow(unreachable_pub)]
mod killed;
#[path = "../../../../tests/src/moto.rs"]
mod moto;
#[path = "../../../../tests/src/python.rs"]
#[allow(dead_code)]
mod python;
#[path = "../../../dnis/suite/mod.rs"]
mod suite;

mod sample;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use offhook_chime::credentials::{Environment, Source};
use offhook_chime::dnis::{DynamoDbConfig, DynamoDbPool};
use offhook_chime::sdk::Sdk;
use offhook_chime::sigv4::Credentials;
use offhook_chime::{Aws, AwsConfig, Trust};
use offhook_dnis::Clock;
use serde_json::{Value, json};

use crate::moto::Moto;

/// A server with tables.
pub struct Tables {
    moto: Moto,
    sdk: Sdk,
}

impl Tables {
    pub fn start() -> Self {
        let moto = Moto::start(python::with_moto());
        let config = AwsConfig {
            region: "us-east-1".to_owned(),
            credentials: Source::Fixed(Credentials::new("AKIATEST", "secret")),
            endpoint: Some(moto.url()),
            endpoints: BTreeMap::new(),
        };
        let nothing = Environment::of(HashMap::new());
        let sdk = Sdk::new(Aws::new(config, Trust::system().unwrap(), nothing).unwrap());
        Self { moto, sdk }
    }

    /// The sample's table, empty.
    pub async fn table(&self, name: &str) {
        let text = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
        let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
        let what = json!({
            "TableName": name, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [text("sma_number"), text("connect_number"), text("in_use")],
            "KeySchema": [key("sma_number", "HASH"), key("connect_number", "RANGE")],
            "GlobalSecondaryIndexes": [{
                "IndexName": "in_use", "KeySchema": [key("in_use", "HASH")],
                "Projection": {"ProjectionType": "ALL"}
            }]
        });
        self.sdk.call("dynamodb", "createTable", &what).await.unwrap();
    }

    pub fn pool_of(&self, table: &str, clock: Clock) -> Arc<DynamoDbPool> {
        let config = DynamoDbConfig {
            clock: Some(clock),
            // A thousand wait for a server that answers one after the other.
            patience: std::time::Duration::from_secs(120),
            ..DynamoDbConfig::new(table)
        };
        Arc::new(DynamoDbPool::new(self.sdk.clone(), config))
    }

    pub async fn ask(&self, action: &str, what: Value) -> Value {
        self.sdk.call("dynamodb", action, &what).await.unwrap()
    }

    pub fn url(&self) -> String {
        self.moto.url()
    }
}

impl suite::Bench for Tables {
    type Pool = DynamoDbPool;
    // The server of the test answers one after the other; twice as many as there are pairs.
    const AT_ONCE: usize = 18;
    const PAIRS: usize = 9;

    async fn pool(&self, name: &str, clock: Clock) -> Arc<DynamoDbPool> {
        self.table(name).await;
        self.pool_of(name, clock)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_samples_table_keeps_leases() {
    suite::run(&Tables::start()).await;
}
