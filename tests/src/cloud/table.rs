//! The table of AWS's sample in moto's DynamoDB.

use std::collections::{BTreeMap, HashMap};

use offhook_chime::credentials::{Environment, Source};
use offhook_chime::dnis::{DynamoDbConfig, DynamoDbPool};
use offhook_chime::sdk::Sdk;
use offhook_chime::sigv4::Credentials;
use offhook_chime::{Aws, AwsConfig, Trust};
use serde_json::{Value, json};

/// Its name.
pub const NAME: &str = "integration";
/// Credentials, which moto takes unseen.
pub const KEY: &str = "AKIATESTOFTABLES";
/// Its secret.
pub const SECRET: &str = "secret-of-the-tables";

/// A way to a server of AWS's services.
///
/// # Panics
/// When the address is none.
pub fn sdk(url: &str) -> Sdk {
    let config = AwsConfig {
        region: "us-east-1".to_owned(),
        credentials: Source::Fixed(Credentials::new(KEY, SECRET)),
        endpoint: Some(url.to_owned()),
        endpoints: BTreeMap::new(),
    };
    let trust = Trust::system().expect("certificates");
    let aws = Aws::new(config, trust, Environment::of(HashMap::new())).expect("an address");
    Sdk::new(aws)
}

/// Makes the table, without pairs.
///
/// # Panics
/// When there is one.
pub async fn make(sdk: &Sdk) -> DynamoDbPool {
    let text = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let what = json!({
        "TableName": NAME, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [text("sma_number"), text("connect_number"), text("in_use")],
        "KeySchema": [key("sma_number", "HASH"), key("connect_number", "RANGE")],
        "GlobalSecondaryIndexes": [{
            "IndexName": "in_use", "KeySchema": [key("in_use", "HASH")],
            "Projection": {"ProjectionType": "ALL"}
        }]
    });
    sdk.call("dynamodb", "createTable", &what).await.expect("a table");
    pool(sdk)
}

/// The pairs in it.
pub fn pool(sdk: &Sdk) -> DynamoDbPool {
    DynamoDbPool::new(sdk.clone(), DynamoDbConfig::new(NAME))
}

/// Rows that say that they are in use.
///
/// # Panics
/// When the table cannot be read.
pub async fn in_use(sdk: &Sdk) -> Vec<Value> {
    let read = sdk.call("dynamodb", "scan", &json!({"TableName": NAME})).await.expect("rows");
    let rows = read["Items"].as_array().cloned().unwrap_or_default();
    rows.into_iter().filter(|row| row["in_use"]["S"] == "true").collect()
}

/// What a function finds around it on Lambda, with these services at `url`.
pub fn variables<'a>(url: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all: HashMap<&str, &str> = HashMap::from([
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_ENDPOINT_URL", url),
        ("INTEGRATION_TABLE", NAME),
    ]);
    all.extend(more.iter().copied());
    all.into_iter().collect()
}
