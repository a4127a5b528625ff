//! Both functions as they are deployed: the real binaries, started as Lambda starts them, against
//! the runtime API, moto's DynamoDB and SQS, and a server that answers as chime-sdk-voice does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

#[path = "../../../../tests/src/killed.rs"]
#[allow(unreachable_pub)]
mod killed;
#[path = "../../../../tests/src/moto.rs"]
mod moto;
#[path = "../../../../tests/src/python.rs"]
#[allow(dead_code)]
mod python;
#[path = "../../../../tests/src/web.rs"]
#[allow(dead_code)]
mod web;

mod call;
mod deploy;
mod notes;
mod queue;
mod runtime;
mod voice;

use std::collections::{BTreeMap, HashMap};

use offhook_chime::credentials::{Environment, Source};
use offhook_chime::dnis::{DynamoDbConfig, DynamoDbPool};
use offhook_chime::sdk::Sdk;
use offhook_chime::sigv4::Credentials;
use offhook_chime::{Aws, AwsConfig, Trust};
use offhook_dnis::{DnisPool as _, Pair};
use serde_json::{Value, json};

use crate::moto::Moto;

pub const KEY: &str = "AKIATESTOFFUNCTIONS";
pub const SECRET: &str = "secret-of-the-functions";
pub const SMA: &str = env!("CARGO_BIN_EXE_sma-function");
pub const CONNECT: &str = env!("CARGO_BIN_EXE_connect-function");

/// DynamoDB and SQS, with the sample's table and as many pairs in it.
pub struct Cloud {
    moto: Moto,
    pub sdk: Sdk,
    pub pool: DynamoDbPool,
}

impl Cloud {
    pub async fn start(pairs: usize) -> Self {
        let moto = Moto::start(python::with_moto());
        let config = AwsConfig {
            region: "us-east-1".to_owned(),
            credentials: Source::Fixed(Credentials::new(KEY, SECRET)),
            endpoint: Some(moto.url()),
            endpoints: BTreeMap::new(),
        };
        let nothing = Environment::of(HashMap::new());
        let sdk = Sdk::new(Aws::new(config, Trust::system().unwrap(), nothing).unwrap());
        let pool = DynamoDbPool::new(sdk.clone(), DynamoDbConfig::new("integration"));
        let cloud = Self { moto, sdk, pool };
        // The table of the template that is deployed, as CloudFormation would make it.
        let mut table = template_table();
        table["TableName"] = json!("integration");
        cloud.ask("dynamodb", "createTable", table).await;
        let pair = |n| Pair::new(format!("+1800555{n:04}"), "+12065550100");
        cloud.pool.add((0..pairs).map(pair).collect()).await.unwrap();
        cloud
    }

    pub fn url(&self) -> String {
        self.moto.url()
    }

    pub async fn ask(&self, service: &str, action: &str, what: Value) -> Value {
        self.sdk.call(service, action, &what).await.unwrap()
    }
}

/// The properties of the table in the template that the API knows.
fn template_table() -> Value {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/take-back.template.json");
    let template: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut table = template["Resources"]["IntegrationTable"]["Properties"].clone();
    table.as_object_mut().unwrap().retain(|name, _| {
        ["AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode"]
            .contains(&name.as_str())
    });
    table
}
