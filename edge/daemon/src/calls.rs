//! `offhook calls`: records, ladders, and in words why a call failed.

use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use offhook_config::Config;
use offhook_pbx::event::{CallEvent, CallEventKind};
use offhook_pbx::failure;
use offhook_pbx::keep::{CallFilter, CallRecord, Calls as _, Supervised, Transferred};
use serde_json::json;

use crate::cli::CallsCommand;
use crate::control;
use crate::ladder;
use crate::output::{plain, print, reason, table};
use crate::place::{CommandError, block_on, existing_store, whereabouts};

/// Runs `offhook calls …`.
pub fn run(command: &CallsCommand) -> Result<(), CommandError> {
    match command {
        CallsCommand::List { place, limit, contact, transaction, json } => {
            let config = whereabouts(place)?;
            let filter = CallFilter { contact: contact.clone(), transaction: transaction.clone() };
            let all = filter == CallFilter::default();
            let records = block_on(existing_store(&config)?.find_calls(filter, *limit))??;
            if *json {
                let list: Vec<_> = records.iter().map(record_json).collect();
                print(&serde_json::Value::from(list).to_string());
            } else {
                print(&list(&config, &records, all));
            }
            Ok(())
        }
        CallsCommand::Hangup { place, id } => {
            // An id is letters, digits and dashes; what is none would be another request.
            if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                return Err(CommandError::Words(format!("{id:?} is no call's id")));
            }
            let path = format!("/calls/{id}/hangup");
            control::ask(&whereabouts(place)?.server.data_dir, "POST", &path)?;
            print(&format!("Call {id} is being ended."));
            Ok(())
        }
        CallsCommand::Show { place, id, json } => {
            let config = whereabouts(place)?;
            let found = block_on(existing_store(&config)?.show_call(id.clone()))??;
            let Some((record, events)) = found else {
                return Err(CommandError::Words(format!(
                    "no single call begins with {id:?}; `offhook calls list` names them"
                )));
            };
            if *json {
                let mut value = record_json(&record);
                value["timeline"] = events.iter().map(event_json).collect();
                print(&value.to_string());
            } else {
                print(&show(&config, &record, &events));
            }
            Ok(())
        }
    }
}

pub(crate) fn time(config: &Config, at: SystemTime) -> String {
    let zone = config.server.time_zone.clone().unwrap_or_else(TimeZone::system);
    jiff::Timestamp::try_from(at).map_or_else(
        |_| "?".to_owned(),
        |t| t.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

fn talked(record: &CallRecord) -> Option<Duration> {
    record.ended?.duration_since(record.answered?).ok()
}

fn list(config: &Config, records: &[CallRecord], all: bool) -> String {
    if records.is_empty() {
        return if all { "No calls yet." } else { "No such call." }.to_owned();
    }
    let mut rows = vec![["ID", "TIME", "FROM", "TO", "WHERE", "HOW", "SECONDS"].map(str::to_owned)];
    for r in records {
        rows.push(
            [
                r.id.chars().take(8).collect(),
                time(config, r.started),
                r.original_caller.clone().unwrap_or_else(|| r.from.clone()),
                r.to.clone(),
                went_to(r),
                r.failure
                    .as_ref()
                    .map_or_else(|| r.disposition.clone(), |f| format!("{} ({f})", r.disposition)),
                talked(r).map(|d| d.as_secs().to_string()).unwrap_or_default(),
            ]
            .map(|cell| plain(&cell)),
        );
    }
    table(&rows)
}

/// Where a call went, and who sent it there.
fn went_to(record: &CallRecord) -> String {
    let place = record.destination.clone().unwrap_or_default();
    match record.transfers.iter().rfind(|transfer| transfer.succeeded()) {
        Some(transfer) => format!("{place} by {}", transfer.by),
        None => place,
    }
}

fn transfer_words(config: &Config, transfer: &Transferred) -> String {
    let Transferred { at, by, to, attended, status } = transfer;
    let kind = if *attended { " (to its other call)" } else { "" };
    let outcome = match status {
        Some(_) if transfer.succeeded() => "done".to_owned(),
        Some(status) => format!("not done: {status}"),
        None => "not decided".to_owned(),
    };
    format!("{by} to {to}{kind} at {}: {outcome}", time(config, *at))
}

fn supervised_words(config: &Config, supervised: &Supervised) -> String {
    let Supervised { at, until, by, how } = supervised;
    let until = until.map_or_else(|| "now".to_owned(), |until| time(config, until));
    format!("{by} from {} to {until} ({})", time(config, *at), how.as_str())
}

/// A call in full: record, ladder, and the remedy when it failed.
pub fn show(config: &Config, record: &CallRecord, events: &[CallEvent]) -> String {
    let mut out = format!("Call {}\n", record.id);
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            out += &format!("  {name:<16}{}\n", plain(&value));
        }
    };
    line("started", Some(time(config, record.started)));
    line("from", Some(format!("{} ({})", record.from, record.source)));
    line("original caller", record.original_caller.clone());
    line("to", Some(record.to.clone()));
    line("where", record.destination.clone());
    line("how", Some(record.disposition.clone()));
    for transfer in &record.transfers {
        line("put through by", Some(transfer_words(config, transfer)));
    }
    for one in &record.supervised {
        line("supervised by", Some(supervised_words(config, one)));
    }
    line("transaction", record.cloud.transaction_id.clone());
    line("application", record.cloud.sip_media_application_id.clone());
    line("contact", record.cloud.contact_id.clone());
    line("first contact", record.cloud.initial_contact_id.clone());
    line("talked", talked(record).map(|d| format!("{:.1} s", d.as_secs_f64())));
    line("hung up by", record.hung_up_by.clone());
    out.push('\n');
    out += &ladder::draw(record.started, events);
    let failed: Vec<String> = events
        .iter()
        .filter_map(|event| match &event.kind {
            CallEventKind::Failure { code, detail, .. } => Some(explain(code, detail)),
            _ => None,
        })
        .collect();
    // A timeline may have lost its events, or end before the failure: the record knows.
    let recorded = record.failure.as_ref().filter(|_| failed.is_empty());
    out += &recorded.map_or_else(|| failed.concat(), |code| explain(code, ""));
    out.trim_end().to_owned()
}

/// The failure in words, and what to do.
fn explain(code: &str, detail: &str) -> String {
    let Some(failure) = failure::by_code(code) else {
        return format!("\n{code}: {}\n", reason(detail));
    };
    let detail = if detail.is_empty() { String::new() } else { format!(" ({})", reason(detail)) };
    format!("\nWhy: {}{detail}\nWhat to do: {}\n", failure.meaning, failure.remedy)
}

pub(crate) fn millis(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

fn record_json(r: &CallRecord) -> serde_json::Value {
    json!({
        "id": r.id,
        "started_ms": millis(r.started),
        "answered_ms": r.answered.map(millis),
        "ended_ms": r.ended.map(millis),
        "from": r.from,
        "to": r.to,
        "original_caller": r.original_caller,
        "source": r.source,
        "destination": r.destination,
        "disposition": r.disposition,
        "failure": r.failure,
        "hung_up_by": r.hung_up_by,
        "transaction_id": r.cloud.transaction_id,
        "sip_media_application_id": r.cloud.sip_media_application_id,
        "contact_id": r.cloud.contact_id,
        "initial_contact_id": r.cloud.initial_contact_id,
        "supervised": r.supervised.iter().map(supervised_json).collect::<Vec<_>>(),
        "transfers": r.transfers.iter().map(transfer_json).collect::<Vec<_>>(),
    })
}

fn transfer_json(t: &Transferred) -> serde_json::Value {
    json!({
        "at_ms": millis(t.at),
        "by": t.by,
        "to": t.to,
        "attended": t.attended,
        "status": t.status,
    })
}

fn supervised_json(s: &Supervised) -> serde_json::Value {
    json!({
        "at_ms": millis(s.at),
        "until_ms": s.until.map(millis),
        "by": s.by,
        "how": s.how.as_str(),
    })
}

fn event_json(event: &CallEvent) -> serde_json::Value {
    let mut value = serde_json::to_value(&event.kind).unwrap_or_default();
    value["at_ms"] = millis(event.at).into();
    value["leg"] = event.leg.clone().into();
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_failed_says_why_and_what_to_do_even_without_a_timeline() {
        let record = CallRecord {
            id: "1".into(),
            started: SystemTime::UNIX_EPOCH,
            answered: None,
            ended: Some(SystemTime::UNIX_EPOCH),
            from: "101".into(),
            to: "5".into(),
            original_caller: None,
            source: "extension:101".into(),
            destination: None,
            disposition: "failed".into(),
            failure: Some("unknown-number".into()),
            hung_up_by: None,
            transfers: Vec::new(),
            supervised: Vec::new(),
            cloud: Default::default(),
        };
        let shown = show(&Config::default(), &record, &[]);
        assert!(
            shown.contains("Why: The number dialled") && shown.contains("What to do: "),
            "{shown}"
        );
    }
}
