//! Reads `Retry` and `Catch`.

use super::load::Loader;
use super::load_state::Place;
use super::model::{Catcher, Language, ResultPath, Retrier};
use super::problem::Code;
use super::reader::{Object, wrong};
use crate::limits;
use serde_json::Value;

/// The reserved error names (States Language specification, appendix A, and the developer guide).
const RESERVED: &[&str] = &[
    "States.ALL",
    "States.BranchFailed",
    "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.Http.Socket",
    "States.IntrinsicFailure",
    "States.ItemReaderFailed",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.QueryEvaluationError",
    "States.ResultPathMatchFailure",
    "States.ResultWriterFailed",
    "States.Runtime",
    "States.TaskFailed",
    "States.Timeout",
];

/// What an HTTP Task raises with the status of the answer (developer guide, "Call HTTPS APIs": errors
/// of an HTTP Task).
fn is_http_status(name: &str) -> bool {
    let status = name.strip_prefix("States.Http.StatusCode.");
    status.is_some_and(|s| s.len() == 3 && s.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Loader {
    pub(super) fn retry(&mut self, state: &Object<'_>) -> Vec<Retrier> {
        let list = state.array(&mut self.report, "Retry").unwrap_or_default();
        let mut retriers = Vec::new();
        for (index, one) in list.iter().enumerate() {
            let at = format!("{}/{index}", state.path("Retry"));
            let Value::Object(members) = one else {
                self.report.schema(&at, wrong("A retrier", "an object", one));
                continue;
            };
            let object = Object { fields: members, at: &at };
            object.only(
                &mut self.report,
                "a retrier",
                &[
                    "ErrorEquals",
                    "IntervalSeconds",
                    "MaxAttempts",
                    "BackoffRate",
                    "MaxDelaySeconds",
                    "JitterStrategy",
                    "Comment",
                ],
            );
            let errors = self.errors(&object, index + 1 == list.len());
            retriers.push(self.retrier(&object, errors));
        }
        retriers
    }

    fn retrier(&mut self, object: &Object<'_>, errors: Vec<String>) -> Retrier {
        let report = &mut self.report;
        // AWS takes an interval of 0, though the specification says positive.
        let interval = object.integer(report, "IntervalSeconds", 0..=limits::SECONDS);
        let attempts = object.integer(report, "MaxAttempts", 0..=limits::RETRY_ATTEMPTS);
        let longest = object.integer(report, "MaxDelaySeconds", 1..=limits::RETRY_DELAY_SECONDS);
        let rate = match object.get("BackoffRate") {
            None => None,
            Some(value) => match value.as_f64() {
                Some(rate) if rate >= 1.0 => Some(rate),
                _ => {
                    let message = format!("BackoffRate must be at least 1.0, but is {value}.");
                    report.schema(&object.path("BackoffRate"), message);
                    None
                }
            },
        };
        if let (Some(longest), Some(interval)) = (longest, interval)
            && longest <= interval
        {
            let message = "MaxDelaySeconds must be greater than IntervalSeconds.";
            report.schema(&object.path("MaxDelaySeconds"), message);
        }
        let jitter = match object.text(report, "JitterStrategy") {
            None | Some("NONE") => false,
            Some("FULL") => true,
            Some(other) => {
                let message = format!("JitterStrategy must be FULL or NONE, but is '{other}'.");
                report.schema(&object.path("JitterStrategy"), message);
                false
            }
        };
        Retrier {
            errors,
            interval_seconds: interval.map_or(1.0, |seconds| seconds as f64),
            max_attempts: attempts.unwrap_or(3),
            backoff_rate: rate.unwrap_or(2.0),
            max_delay_seconds: longest.map(|seconds| seconds as f64),
            jitter,
        }
    }

    pub(super) fn catch(&mut self, place: &Place<'_>) -> Vec<Catcher> {
        let state = &place.object;
        let list = state.array(&mut self.report, "Catch").unwrap_or_default();
        let mut catchers = Vec::new();
        for (index, one) in list.iter().enumerate() {
            let at = format!("{}/{index}", state.path("Catch"));
            let Value::Object(members) = one else {
                self.report.schema(&at, wrong("A catcher", "an object", one));
                continue;
            };
            let object = Object { fields: members, at: &at };
            let known: &[&str] = match place.language {
                Language::JsonPath => &["ErrorEquals", "Next", "ResultPath", "Assign", "Comment"],
                Language::Jsonata => &["ErrorEquals", "Next", "Output", "Assign", "Comment"],
            };
            object.only(&mut self.report, "a catcher of this query language", known);
            let errors = self.errors(&object, index + 1 == list.len());
            catchers.extend(self.catcher(place, &object, errors));
        }
        catchers
    }

    fn catcher(
        &mut self,
        place: &Place<'_>,
        object: &Object<'_>,
        errors: Vec<String>,
    ) -> Option<Catcher> {
        if !object.has("Next") {
            self.report.schema(object.at, "Required field 'Next' is missing.");
        }
        let next = object.text(&mut self.report, "Next");
        let next = next.and_then(|name| self.target(place.names, name, &object.path("Next")));
        let assign = self.assign(object, place.language);
        let (result_path, output) = match place.language {
            Language::JsonPath => (self.result_path(object), None),
            Language::Jsonata => (ResultPath::Whole, self.jsonata(object, "Output")),
        };
        Some(Catcher { errors, next: next?, result_path, assign, output })
    }

    fn errors(&mut self, object: &Object<'_>, last: bool) -> Vec<String> {
        let at = object.path("ErrorEquals");
        if !object.has("ErrorEquals") {
            self.report.schema(object.at, "Required field 'ErrorEquals' is missing.");
        }
        let list = object.array(&mut self.report, "ErrorEquals").unwrap_or_default();
        if list.is_empty() && object.has("ErrorEquals") {
            self.report.schema(&at, "ErrorEquals must have at least one error name.");
        }
        let mut errors = Vec::new();
        for (index, name) in list.iter().enumerate() {
            match name {
                Value::String(name) => errors.push(name.clone()),
                other => {
                    let message = wrong("An error name", "a string", other);
                    self.report.schema(&format!("{at}/{index}"), message);
                }
            }
        }
        if errors.iter().any(|name| name == "States.ALL") {
            if errors.len() > 1 {
                let message = "States.ALL must stand alone in its ErrorEquals.";
                self.report.error(&at, Code::InvalidErrorHandling, message);
            }
            if !last {
                let message = "States.ALL must be in the last entry.";
                self.report.error(&at, Code::InvalidErrorHandling, message);
            }
        }
        for name in errors.iter().filter(|name| name.starts_with("States.")) {
            let is_known = RESERVED.contains(&name.as_str()) || is_http_status(name);
            if !is_known && !self.raised.contains(name) {
                let near = super::fields::nearest(name, RESERVED.iter().copied());
                let hint = near.map(|near| format!(" Did you mean '{near}'?")).unwrap_or_default();
                let message = format!("'{name}' is not an error that Step Functions raises.{hint}");
                self.report.warn(&at, Code::Suspicious, message);
            }
        }
        errors
    }
}
