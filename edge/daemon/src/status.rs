//! `offhook status`.

use serde_json::Value;

use crate::cli::Place;
use crate::control;
use crate::output::{print, span};
use crate::place::{CommandError, whereabouts};

/// Asks the running daemon and prints.
pub fn run(place: &Place, json: bool) -> Result<(), CommandError> {
    let config = whereabouts(place)?;
    let status = control::ask(&config.server.data_dir, "GET", "/status")?;
    print(&if json { status.to_string() } else { words(&status) });
    Ok(())
}

fn words(status: &Value) -> String {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let mut lines = vec![format!(
        "Offhook {} has been running for {}",
        text(&status["version"]),
        span(status["uptime_seconds"].as_u64().unwrap_or(0))
    )];
    for listener in list(&status["listeners"]) {
        lines.push(format!("  listens on {}", text(&listener)));
    }
    let problems = list(&status["listen_problems"]);
    let metrics = Some(&status["metrics_problem"]).filter(|problem| problem.is_string());
    for problem in problems.iter().chain(metrics) {
        lines.push(format!("  PROBLEM: {}", text(problem)));
    }
    let phones = &status["phones"];
    lines.push(format!(
        "  phones: {} known, {} registered contacts",
        phones["known"], phones["contacts"]
    ));
    if let Some(unkept @ 1..) = phones["unkept"].as_u64() {
        lines.push(format!(
            "  PROBLEM: {unkept} registrations are not on the disk (is it full?); phones work, \
             and are reached again after a restart when they register anew"
        ));
    }
    for disk in list(&status["disks"]) {
        lines.extend(disk_words(&disk));
    }
    lines.extend(recording_words(&status["recordings"]));
    lines.extend(kernel_words(&status["kernel_relay"]));
    for trunk in list(&status["trunks"]) {
        lines.push(format!("  trunk {}: {}", text(&trunk["name"]), trunk_words(&trunk)));
    }
    lines.push(format!("  banned addresses: {}", status["bans"]));
    let calls = list(&status["calls"]);
    lines.push(format!("  calls: {}", calls.len()));
    for call in calls {
        let id = text(&call["id"]);
        lines.push(format!("    {id}  {} -> {}", text(&call["from"]), text(&call["to"])));
    }
    lines.join("\n")
}

/// Nothing of a disk that has room.
fn disk_words(disk: &Value) -> Option<String> {
    let (folder, free) = (disk["folder"].as_str()?, disk["free"].as_u64()? >> 20);
    let what = match disk["level"].as_str()? {
        "low" => "is nearly full: soon nothing is recorded",
        "full" => "is full: NOTHING IS RECORDED",
        _ => return None,
    };
    Some(format!("  PROBLEM: the disk of {folder} {what} ({free} MiB are free)"))
}

/// Nothing when nobody asked for it.
fn kernel_words(relay: &Value) -> Option<String> {
    if let Some(why) = relay["refused"].as_str() {
        return Some(format!(
            "  PROBLEM: [media] kernel_relay: calls are relayed in userspace: {why}"
        ));
    }
    let directions = relay["directions"].as_u64()?;
    Some(format!("  relayed by the kernel: {directions} directions of calls"))
}

/// Nothing when none waits.
fn recording_words(recordings: &Value) -> Option<String> {
    let waiting = recordings["waiting"].as_u64().filter(|waiting| *waiting > 0)?;
    let oldest = span(recordings["oldest_seconds"].as_u64().unwrap_or(0));
    Some(match recordings["failing"].as_u64() {
        Some(failing @ 1..) => format!(
            "  PROBLEM: {failing} of {waiting} recordings could not be stored yet, the oldest is of \
             {oldest} ago (`offhook recordings list` says why)"
        ),
        _ => format!("  recordings: {waiting} are being stored"),
    })
}

fn trunk_words(trunk: &Value) -> String {
    let last = trunk["last"].as_str().unwrap_or("");
    let mut words = match trunk["up"].as_bool() {
        Some(true) => format!("answers ({last})"),
        Some(false) => format!("DOES NOT ANSWER ({last})"),
        None => "not asked".to_owned(),
    };
    match trunk["registered"].as_bool() {
        Some(true) => words += ", registered",
        Some(false) => {
            words +=
                &format!(", NOT REGISTERED ({})", trunk["registration"].as_str().unwrap_or(""));
        }
        None => {}
    }
    words
}
