//! The function of the SIP media application, for AWS Lambda (`provided.al2023`).

use std::io::Write as _;
use std::process::ExitCode;

use offhook_chime::dnis::DynamoDbPool;
use offhook_chime::function;
use offhook_chime::take_back::Application;
use offhook_chime::take_back::settings::{Settings, SettingsError};
use offhook_sma::InvocationEvent;
use serde_json::{Value, json};

fn main() -> ExitCode {
    let make = |settings: &Settings| {
        let application = application(settings)?;
        Ok(async move |event: &[u8]| answer(&application, event).await)
    };
    match function::run(make) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn application(settings: &Settings) -> Result<Application<DynamoDbPool>, SettingsError> {
    Ok(Application::new(settings.rules()?, settings.pool(settings.sdk()?)?))
}

async fn answer(
    application: &Application<DynamoDbPool>,
    event: &[u8],
) -> Result<Value, (String, String)> {
    let broken = |error: serde_json::Error| ("InvalidEvent".to_owned(), error.to_string());
    let event: InvocationEvent = serde_json::from_slice(event).map_err(broken)?;
    let turn = application.handle(&event).await;
    let level = if turn.note.is_some() { "WARN" } else { "INFO" };
    let actions = turn.reply.actions.iter().flatten();
    function::log(&[
        ("level", json!(level)),
        ("transactionId", json!(event.call_details.transaction_id)),
        ("sequence", json!(event.sequence)),
        ("event", json!(event.invocation_event_type.as_str())),
        ("actions", actions.map(offhook_sma::Action::name).collect()),
        ("message", json!(turn.note.unwrap_or_default())),
    ]);
    if turn.without_pair {
        function::count("sma-function", "DnisExhausted");
    }
    serde_json::to_value(&turn.reply).map_err(broken)
}
