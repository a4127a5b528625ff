//! The function of Connect's contact flow, for AWS Lambda (`provided.al2023`).

use std::io::Write as _;
use std::process::ExitCode;

use offhook_chime::dnis::DynamoDbPool;
use offhook_chime::function;
use offhook_chime::take_back::settings::{Settings, SettingsError};
use offhook_chime::take_back::{Switch, Way};
use serde_json::{Value, json};

fn main() -> ExitCode {
    let make = |settings: &Settings| {
        let switch = switch(settings)?;
        Ok(async move |event: &[u8]| answer(&switch, event).await)
    };
    match function::run(make) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn switch(settings: &Settings) -> Result<Switch<DynamoDbPool, Way>, SettingsError> {
    let sdk = settings.sdk()?;
    let pool = settings.pool(sdk.clone())?;
    let way = settings.way(sdk, &pool)?;
    Ok(Switch::new(settings.switch_rules()?, pool, way))
}

async fn answer(
    switch: &Switch<DynamoDbPool, Way>,
    event: &[u8],
) -> Result<Value, (String, String)> {
    let broken = |error: serde_json::Error| ("InvalidEvent".to_owned(), error.to_string());
    let event: Value = serde_json::from_slice(event).map_err(broken)?;
    let told = switch.handle(&event).await;
    let of = |name: &str| told.get(name).cloned().unwrap_or_default();
    let at = |path: &str| event.pointer(path).cloned().unwrap_or_default();
    function::log(&[
        ("level", json!("INFO")),
        ("contactId", at("/Details/ContactData/ContactId")),
        ("purpose", at("/Details/Parameters/Purpose")),
        ("status", of("status")),
        ("transactionId", of("transaction_id")),
        ("message", of("message")),
    ]);
    Ok(Value::Object(told))
}
