//! What we ask others for, against servers that answer as AWS and the web do. The servers are
//! those of the whole-program tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

#[path = "../../../../tests/src/killed.rs"]
#[allow(unreachable_pub)]
mod killed;
#[path = "../../../../tests/src/lambda.rs"]
#[allow(dead_code)]
mod lambda_server;
#[path = "../../../../tests/src/lex/mod.rs"]
#[allow(dead_code)]
mod lex_server;
#[path = "../../../../tests/src/tone.rs"]
#[allow(dead_code)]
mod tone;
#[path = "../../../../tests/src/web.rs"]
#[allow(dead_code)]
mod web;

mod credentials;
mod http_task;
mod lambda;
mod lex;
mod sdk;
mod webhook;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use offhook_chime::credentials::{Environment, Source};
use offhook_chime::sigv4::Credentials;
use offhook_chime::{Aws, AwsConfig, Trust};
use offhook_sma::InvocationEvent;

/// Any loopback port.
fn anywhere() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// An address where nothing listens.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind(anywhere()).unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// AWS at an address of a test.
fn aws(url: &str, key: &str, secret: &str) -> Aws {
    let config = AwsConfig {
        region: "eu-central-1".to_owned(),
        credentials: Source::Fixed(Credentials::new(key, secret)),
        endpoint: Some(url.to_owned()),
        endpoints: BTreeMap::new(),
    };
    Aws::new(config, Trust::system().unwrap(), Environment::of(HashMap::new())).unwrap()
}

/// A call that comes in.
fn event() -> InvocationEvent {
    serde_json::from_value(serde_json::json!({
        "SchemaVersion": "1.0", "Sequence": 1, "InvocationEventType": "NEW_INBOUND_CALL",
        "CallDetails": {
            "TransactionId": "23fe0cf1-fc36-4bdc-976d-3520c0a3ac86",
            "AwsAccountId": "111122223333", "AwsRegion": "us-east-1",
            "SipMediaApplicationId": "8a912ad2-67aa-4852-a892-34a454d370c7",
            "Participants": [{
                "CallId": "f06dd26d-fcaf-411e-9cdb-05ac726e1b9a", "ParticipantTag": "LEG-A",
                "To": "+18005551212", "From": "+12065550100", "Direction": "Inbound",
                "StartTimeInMilliseconds": "1648477951790"
            }]
        }
    }))
    .unwrap()
}
