//! `offhook recordings`: what was recorded and where it is; recording a live call or not.

use offhook_config::Config;
use offhook_pbx::keep::{Recording, Recordings as _};
use serde_json::json;

use crate::calls::{millis, time};
use crate::cli::{Place, RecordingsCommand};
use crate::control;
use crate::output::{print, table};
use crate::place::{CommandError, block_on, existing_store, whereabouts};

/// Runs `offhook recordings …`.
pub fn run(command: &RecordingsCommand) -> Result<(), CommandError> {
    match command {
        RecordingsCommand::List { place, limit, json } => list(place, *limit, *json),
        RecordingsCommand::Start { place, call } => order(place, call, "start", "is recorded"),
        RecordingsCommand::Stop { place, call } => {
            order(place, call, "stop", "is not recorded any more")
        }
        RecordingsCommand::Pause { place, call } => {
            order(place, call, "pause", "has nothing but silence recorded until `resume`")
        }
        RecordingsCommand::Resume { place, call } => {
            order(place, call, "resume", "is not paused any more")
        }
    }
}

fn order(place: &Place, call: &str, order: &str, what: &str) -> Result<(), CommandError> {
    let config = whereabouts(place)?;
    let path = format!("/calls/{call}/recording/{order}");
    control::ask(&config.server.data_dir, "POST", &path)?;
    print(&format!("Call {call} {what}."));
    Ok(())
}

fn list(place: &Place, limit: usize, json: bool) -> Result<(), CommandError> {
    let config = whereabouts(place)?;
    let recordings = block_on(existing_store(&config)?.list_recordings(limit))??;
    if json {
        let list: serde_json::Value = recordings.iter().map(recording_json).collect();
        print(&list.to_string());
    } else if recordings.is_empty() {
        print("No recordings yet.");
    } else {
        let mut rows = vec![["CALL", "TIME", "SECONDS", "WHERE"].map(str::to_owned)];
        rows.extend(recordings.iter().map(|recording| row(&config, recording)));
        print(&table(&rows));
    }
    Ok(())
}

fn row(config: &Config, recording: &Recording) -> [String; 4] {
    let place = match (&recording.stored, &recording.error) {
        (Some(location), _) => location.clone(),
        (None, _) if recording.duration_ms == 0 => "being recorded".to_owned(),
        (None, None) => format!("waiting in {}", recording.file.display()),
        (None, Some(error)) => format!(
            "waiting in {} after {} attempts: {error}",
            recording.file.display(),
            recording.attempts
        ),
    };
    [
        recording.call_id.chars().take(8).collect(),
        time(config, recording.started),
        format!("{:.1}", recording.duration_ms as f64 / 1000.0),
        place,
    ]
}

fn recording_json(recording: &Recording) -> serde_json::Value {
    json!({
        "id": recording.id,
        "call": recording.call_id,
        "started_ms": millis(recording.started),
        "duration_ms": recording.duration_ms,
        "file": recording.file,
        "key": recording.key,
        "stored": recording.stored,
        "attempts": recording.attempts,
        "error": recording.error,
    })
}
