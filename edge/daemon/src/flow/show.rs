//! What an execution did: its path as text, as a picture, or all of it as JSON.

use std::path::Path;

use offhook_asl::history::Event;
use offhook_flows::audit::{path, picture};
use offhook_flows::secrets::Values;
use offhook_flows::store::{Definitions as _, ExecutionFilter, ExecutionRecord, Executions as _};
use offhook_store::Store;
use serde_json::{Value, json};

use crate::cli::Place;
use crate::output::{plain, print, reason};
use crate::place::{CommandError, block_on, existing_store, whereabouts};

/// Events that are read at a time.
const BATCH: usize = 1_000;

/// Which execution.
pub(super) struct Wanted<'a> {
    pub(super) execution: Option<&'a str>,
    pub(super) call: Option<&'a str>,
}

/// In which form.
pub(super) struct How<'a> {
    pub(super) svg: Option<&'a Path>,
    pub(super) json: bool,
    /// With the digits that callers gave.
    pub(super) digits: bool,
}

pub(super) fn show(place: &Place, wanted: &Wanted<'_>, how: &How<'_>) -> Result<(), CommandError> {
    let store = existing_store(&whereabouts(place)?)?;
    let mut record = block_on(find(&store, wanted))??;
    let history = block_on(history(&store, &record.arn))??;
    let events: Vec<Event> = history
        .iter()
        .map(|text| serde_json::from_str(text))
        .collect::<Result<_, _>>()
        .map_err(|error| CommandError::Words(format!("the history cannot be read: {error}")))?;
    let taken = path(&events);
    let digits = if how.digits { Values::default() } else { Values::digits_of(&events) };
    let hidden = |text: Option<String>| text.map(|text| digits.mask_text(&text));
    record.input = digits.mask_text(&record.input).into();
    record.output = hidden(record.output);
    record.cause = hidden(record.cause);
    if let Some(file) = how.svg {
        let version = block_on(store.get_version(record.machine.clone(), record.version))?;
        let version = version.map_err(failed)?.ok_or_else(|| {
            let (machine, version) = (&record.machine, record.version);
            CommandError::Words(format!("version {version} of {machine} is not there any more"))
        })?;
        std::fs::write(file, picture(&version.definition, Some(&taken)))
            .map_err(|error| CommandError::File { path: file.to_owned(), error })?;
        print(&format!("The picture is in {}.", file.display()));
    }
    if how.json {
        let events = history.iter().filter_map(|text| serde_json::from_str(text).ok());
        let history: Vec<Value> = events.map(|event| digits.mask(event)).collect();
        print(&json!({"execution": record, "history": history}).to_string());
    } else if how.svg.is_none() {
        print(&head(&record));
        print(&digits.mask_text(&taken.to_string()));
    }
    Ok(())
}

fn head(record: &ExecutionRecord) -> String {
    let mut lines = vec![
        format!("Execution {}", record.arn),
        format!("  workflow        {} version {}", record.machine, record.version),
    ];
    if let Some(alias) = &record.alias {
        lines.push(format!("  started by      {}@{alias}", record.machine));
    }
    if let Some(call) = &record.transaction_id {
        lines.push(format!("  call            {call}"));
    }
    lines.push(format!("  began           {}", record.started));
    lines.push(format!("  status          {:?}", record.status));
    if let Some(error) = &record.error {
        let cause = record.cause.as_deref().unwrap_or_default();
        lines.push(format!("  why             {}: {}", plain(error), reason(cause)));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn failed(error: offhook_flows::store::StoreError) -> CommandError {
    CommandError::Words(error.to_string())
}

async fn find(store: &Store, wanted: &Wanted<'_>) -> Result<ExecutionRecord, CommandError> {
    if let Some(arn) = wanted.execution.filter(|name| name.starts_with("arn:")) {
        let found = store.get_execution(arn.to_owned()).await.map_err(failed)?;
        return found.ok_or_else(|| CommandError::Words(format!("there is no execution {arn}")));
    }
    let filter = ExecutionFilter {
        transaction_id: wanted.call.map(str::to_owned),
        name: wanted.execution.map(str::to_owned),
        limit: 2,
        ..ExecutionFilter::default()
    };
    let mut found = store.list_executions(filter).await.map_err(failed)?.into_iter();
    let first = found.next().ok_or_else(|| {
        let what = match (wanted.call, wanted.execution) {
            (Some(call), _) => format!("no workflow ran a call {call}"),
            (None, Some(name)) => format!(
                "there is no execution {name} (without a name the newest is shown; `offhook flow list` \
                 has the workflows)"
            ),
            (None, None) => "no workflow has run yet".to_owned(),
        };
        CommandError::Words(what)
    })?;
    match (wanted.call, found.next()) {
        (Some(call), Some(_)) => {
            Err(CommandError::Words(format!("several calls begin with {call}: write more of it")))
        }
        _ => Ok(first),
    }
}

async fn history(store: &Store, arn: &str) -> Result<Vec<String>, CommandError> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let after = all.len() as u64;
        let more = store.execution_history(arn.to_owned(), after, BATCH).await.map_err(failed)?;
        let last = more.len() < BATCH;
        all.extend(more);
        if last {
            return Ok(all);
        }
    }
}
