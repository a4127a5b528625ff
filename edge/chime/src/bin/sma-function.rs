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
        let mut begun = false;
        Ok(async move |event: &[u8]| {
            if !std::mem::replace(&mut begun, true) {
                // Beside the first event, which does not wait for it any longer than for itself.
                return tokio::join!(answer(&application, event), sweep(&application)).0;
            }
            answer(&application, event).await
        })
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

/// Functions of AWS's sample see leases that have ended as leased: they are given back for them.
async fn sweep(application: &Application<DynamoDbPool>) {
    let (level, message) = match application.sweep().await {
        Ok(0) => return,
        Ok(count) => ("WARN", format!("{count} pairs were left claimed, and are free again")),
        Err(error) => ("WARN", error.to_string()),
    };
    function::log(&[("level", json!(level)), ("message", json!(message))]);
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
