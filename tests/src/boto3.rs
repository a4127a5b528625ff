//! AWS's own client, boto3, as a program that directs calls.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::appliance::Appliance;
use crate::{lambda, python};

/// Asks with boto3 and prints what came of each request: its answer, or its error.
const ASK: &str = r#"
import json, sys, boto3, botocore.config, botocore.exceptions
url, key, secret, requests, ca = sys.argv[1:6]
client = boto3.client(
    "chime-sdk-voice", endpoint_url=url, region_name="eu-central-1",
    aws_access_key_id=key, aws_secret_access_key=secret, verify=ca or None,
    # What the model would refuse is sent, too: the server has to see to it.
    config=botocore.config.Config(retries={"total_max_attempts": 1}, parameter_validation=False))
for operation, parameters in json.loads(requests):
    try:
        answer = getattr(client, operation)(**parameters)
        status = answer.pop("ResponseMetadata")["HTTPStatusCode"]
        print(json.dumps({"status": status, "answer": answer}))
    except botocore.exceptions.ClientError as error:
        told = error.response["Error"]
        print(json.dumps({
            "status": error.response["ResponseMetadata"]["HTTPStatusCode"],
            "id": error.response["ResponseMetadata"].get("RequestId", ""),
            "error": type(error).__name__, "code": told["Code"],
            "message": told.get("Message") or error.response.get("Message")}))
"#;

/// An access key, and where it is good.
#[derive(Debug, Clone)]
pub struct Client {
    /// `http://127.0.0.1:9481`.
    pub url: String,
    /// Access key id.
    pub key: String,
    /// Secret access key.
    pub secret: String,
    /// Whose certificates are believed, beside the system's.
    pub ca: Option<PathBuf>,
}

impl Client {
    /// One with a new key of an appliance whose `[api]` is there.
    pub fn of(appliance: &Appliance, address: SocketAddr) -> Self {
        let told = appliance.cli(&["api-key", "add", "--name", "test"]);
        let word = |label: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(label));
            line.unwrap_or_else(|| panic!("{told}")).trim().to_owned()
        };
        assert!(told.contains(&format!("--endpoint-url http://{address}")), "{told}");
        let (key, secret) = (word("Access key id"), word("Secret access key"));
        Self { url: format!("http://{address}"), key, secret, ca: None }
    }

    /// Makes these requests (name and parameters of each), one after the other: what came of each,
    /// as `{"status", "answer"}` or `{"status", "id", "error", "code", "message"}`.
    pub fn ask(&self, requests: &Value) -> Vec<Value> {
        let output = Command::new(python::with_boto3())
            .args(["-c", ASK, &self.url, &self.key, &self.secret, &requests.to_string()])
            .arg(self.ca.as_deref().unwrap_or(Path::new("")))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env_remove("AWS_PROFILE")
            .output()
            .expect("python runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// `UpdateSipMediaApplicationCall`.
    pub fn update(&self, application: &str, transaction: &str, arguments: &Value) -> Value {
        self.one(
            "update_sip_media_application_call",
            &json!({"SipMediaApplicationId": application, "TransactionId": transaction,
                "Arguments": arguments}),
        )
    }

    /// `CreateSipMediaApplicationCall`.
    pub fn create(&self, application: &str, from: &str, to: &str, arguments: &Value) -> Value {
        self.one(
            "create_sip_media_application_call",
            &json!({"SipMediaApplicationId": application, "FromPhoneNumber": from,
                "ToPhoneNumber": to, "ArgumentsMap": arguments}),
        )
    }

    fn one(&self, operation: &str, parameters: &Value) -> Value {
        self.ask(&json!([[operation, parameters]])).remove(0)
    }
}

/// Invokes a function as Amazon Connect does.
const INVOKE: &str = r#"
import json, sys, boto3
url, key, secret, function, payload = sys.argv[1:6]
client = boto3.client("lambda", endpoint_url=url, region_name="us-east-1",
    aws_access_key_id=key, aws_secret_access_key=secret)
answer = client.invoke(FunctionName=function, Payload=payload.encode())
print(json.dumps({"error": answer.get("FunctionError"), "payload": json.load(answer["Payload"])}))
"#;

/// What a function of a [`crate::lambda::LambdaServer`] answers to a program that invokes it.
///
/// # Errors
/// What the function says of its error.
pub fn invoke(url: &str, function: &str, payload: &Value) -> Result<Value, Value> {
    let output = Command::new(python::with_boto3())
        .args(["-c", INVOKE, url, lambda::KEY, lambda::SECRET, function, &payload.to_string()])
        .env_remove("AWS_PROFILE")
        .output()
        .expect("python runs");
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    let payload = told["payload"].clone();
    if told["error"].is_null() { Ok(payload) } else { Err(payload) }
}
