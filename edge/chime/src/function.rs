//! What both functions have in common as programs: how they begin, and what they log.

use std::io::Write as _;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::Trust;
use crate::credentials::Environment;
use crate::runtime::{Runtime, RuntimeError};
use crate::take_back::settings::{Settings, SettingsError};

/// Begins a function: `make` gives what answers events.
///
/// # Errors
/// In words: what kept it from beginning, or from going on. Lambda was told.
pub fn run<M, F>(make: M) -> Result<(), String>
where
    M: FnOnce(&Settings) -> Result<F, SettingsError>,
    F: AsyncFnMut(&[u8]) -> Result<Value, (String, String)>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(begin(make)).map_err(|error| error.to_string())
}

async fn begin<M, F>(make: M) -> Result<(), RuntimeError>
where
    M: FnOnce(&Settings) -> Result<F, SettingsError>,
    F: AsyncFnMut(&[u8]) -> Result<Value, (String, String)>,
{
    let settings = Settings::new(Environment::of_process());
    let trust = Trust::system().map_err(RuntimeError::Broken)?;
    let api = Runtime::new(settings.runtime_api().as_deref(), trust)?;
    match make(&settings) {
        Ok(handler) => api.serve(handler).await,
        Err(error) => {
            log(&[("level", json!("ERROR")), ("message", json!(error.to_string()))]);
            api.cannot_begin(&error).await?;
            Err(RuntimeError::Broken(error.to_string()))
        }
    }
}

/// Writes a line to the log of the function, which CloudWatch reads as JSON. Numbers of telephones
/// are masked.
pub fn log(fields: &[(&str, Value)]) {
    let mut line = Map::new();
    line.insert("timestamp".to_owned(), json!(Timestamp::now().to_string()));
    for (name, value) in fields {
        let value = match value {
            Value::String(text) => Value::String(masked(text)),
            other => other.clone(),
        };
        line.insert((*name).to_owned(), value);
    }
    print(&Value::Object(line));
}

/// Counts something in CloudWatch, for an alarm (embedded metric format).
pub fn count(function: &str, metric: &str) {
    print(&json!({
        "_aws": {
            "Timestamp": Timestamp::now().as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": "Offhook", "Dimensions": [["Function"]],
                "Metrics": [{"Name": metric, "Unit": "Count"}]
            }]
        },
        "Function": function, (metric): 1
    }));
}

fn print(line: &Value) {
    // A log that is gone is no reason to leave a caller.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A text in which of each telephone number the last three digits are left.
fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(plus) = rest.find('+') {
        let (before, number) = rest.split_at(plus + 1);
        let digits = number.bytes().take_while(u8::is_ascii_digit).count();
        masked.push_str(before);
        let (digits, after) = number.split_at(digits);
        let shown = digits.len().saturating_sub(3);
        match digits.len() {
            0..7 => masked.push_str(digits),
            _ => {
                masked.push('…');
                masked.push_str(digits.get(shown..).unwrap_or_default());
            }
        }
        rest = after;
    }
    masked + rest
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn numbers_are_masked_and_other_words_are_not() {
        assert_eq!(masked("from +12065550142 to +12065550100."), "from +…142 to +…100.");
        assert_eq!(masked("23fe0cf1-fc36 + 1 = +12"), "23fe0cf1-fc36 + 1 = +12");
        assert_eq!(masked("at the end +"), "at the end +");
    }
}
