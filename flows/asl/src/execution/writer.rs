//! `ResultWriter`: what a distributed Map leaves in a bucket, or as its output.
//!
//! Source: developer guide, "ResultWriter (Map)".

use super::sight::time;
use super::state::{Call, Fault, Identity, Phase, StrandId};
use super::{Execution, ResultFile, ResultsCall};
use crate::machine::model::{State, Transformation, Writer};
use jiff::Timestamp;
use serde_json::{Value, json};

impl Execution {
    pub(super) fn write_results(
        &mut self,
        id: StrandId,
        state: &State,
        writer: &Writer,
        results: Vec<Value>,
    ) -> Result<(), Fault> {
        let Some(resource) = writer.resource.clone() else {
            return self.run_done(id, transformed(results, writer.transformation));
        };
        let (arguments, files, output) = {
            let Some(sight) = self.sight(id, state, None) else { return Ok(()) };
            let Phase::Map(run) = &sight.frame.phase else { return Ok(()) };
            let Some(distributed) = &run.distributed else { return Ok(()) };
            let arguments = match &writer.arguments {
                Some(payload) => sight.payload(payload, &run.input, "ResultWriter/Arguments")?,
                None => json!({}),
            };
            let text = |name: &str| {
                arguments.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let (bucket, prefix) = (text("Bucket"), text("Prefix"));
            let folder = match prefix.trim_end_matches('/') {
                "" => distributed.run.clone(),
                prefix => format!("{prefix}/{}", distributed.run),
            };
            let succeeded = match writer.transformation {
                Transformation::None => distributed.succeeded.clone(),
                other => match transformed(results, other) {
                    Value::Array(items) => items,
                    other => vec![other],
                },
            };
            let names = Names { folder: &folder, bucket: &bucket, run: &distributed.arn };
            let files = files(&names, &succeeded, &distributed.failed, writer.lines);
            let output = json!({
                "MapRunArn": distributed.arn,
                "ResultWriterDetails": {
                    "Bucket": bucket,
                    "Key": format!("{folder}/manifest.json"),
                },
            });
            (arguments, files, output)
        };
        self.map_call(id, |task| Call::Write {
            call: Box::new(ResultsCall { id: task, resource, arguments, files }),
            output,
        });
        Ok(())
    }
}

/// A child execution that has ended, as a Map run tells it: what `DescribeExecution` would say of
/// it, by names (results written by AWS: github.com/department-for-transport-BODS,
/// `map_results_models` tests).
pub(super) fn record(identity: &Identity, now: Timestamp, ended: Result<&Value, &Fault>) -> Value {
    let mut record = json!({
        "ExecutionArn": identity.arn,
        "Input": Value::clone(&identity.input).to_string(),
        "InputDetails": { "Included": true },
        "Name": identity.name,
        "OutputDetails": { "Included": true },
        "RedriveCount": 0,
        "StartDate": time(identity.started),
        "StateMachineArn": identity.machine_arn,
        "StopDate": time(now),
    });
    match ended {
        Ok(output) => {
            record["Output"] = output.to_string().into();
            record["RedriveStatus"] = "NOT_REDRIVABLE".into();
            record["RedriveStatusReason"] = "Execution is SUCCEEDED and cannot be redriven".into();
            record["Status"] = "SUCCEEDED".into();
        }
        Err(fault) => {
            for (name, text) in [("Cause", &fault.cause), ("Error", &fault.error)] {
                if let Some(text) = text {
                    record[name] = text.as_str().into();
                }
            }
            record["RedriveStatus"] = "REDRIVABLE_BY_MAP_RUN".into();
            record["Status"] = "FAILED".into();
        }
    }
    if let Some(members) = record.as_object_mut() {
        members.sort_keys();
    }
    record
}

/// Results without the executions they come from.
fn transformed(results: Vec<Value>, how: Transformation) -> Value {
    if how != Transformation::Flatten {
        return Value::Array(results);
    }
    let flat = results.into_iter().flat_map(|result| match result {
        Value::Array(items) => items,
        other => vec![other],
    });
    Value::Array(flat.collect())
}

struct Names<'a> {
    folder: &'a str,
    bucket: &'a str,
    run: &'a str,
}

fn files(names: &Names<'_>, succeeded: &[Value], failed: &[Value], lines: bool) -> Vec<ResultFile> {
    let extension = if lines { "jsonl" } else { "json" };
    let mut files = Vec::new();
    let mut list = |name: &str, items: &[Value]| -> Value {
        if items.is_empty() {
            return json!([]);
        }
        let key = format!("{}/{name}_0.{extension}", names.folder);
        let body = if lines {
            items.iter().map(|item| format!("{item}\n")).collect()
        } else {
            Value::Array(items.to_vec()).to_string()
        };
        let size = body.len();
        files.push(ResultFile { key: key.clone(), body });
        json!([{ "Key": key, "Size": size }])
    };
    let manifest = json!({
        "DestinationBucket": names.bucket,
        "MapRunArn": names.run,
        "ResultFiles": {
            "FAILED": list("FAILED", failed),
            "PENDING": [],
            "SUCCEEDED": list("SUCCEEDED", succeeded),
        },
    });
    let key = format!("{}/manifest.json", names.folder);
    files.push(ResultFile { key, body: manifest.to_string() });
    files
}
