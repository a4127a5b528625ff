//! Which fields a state may have, by its type and query language (States Language specification,
//! "State types"; developer guide, "Transforming data with JSONata").

use super::model::Language;

/// Fields of the document itself.
pub(super) const MACHINE: &[&str] =
    &["Comment", "StartAt", "States", "TimeoutSeconds", "Version", "QueryLanguage"];
/// Fields of a branch.
pub(super) const BRANCH: &[&str] = &["Comment", "StartAt", "States", "QueryLanguage"];
/// Fields of `ItemProcessor` and `Iterator`.
pub(super) const PROCESSOR: &[&str] =
    &["Comment", "StartAt", "States", "ProcessorConfig", "QueryLanguage"];
pub(super) const TYPES: &[&str] =
    &["Pass", "Task", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"];

pub(super) const COMMON: &[&str] = &["Type", "Comment", "QueryLanguage"];
const FLOW: &[&str] = &["Next", "End", "Assign"];

/// The fields of each type that do not depend on the language.
fn of_type(kind: &str) -> &'static [&'static str] {
    match kind {
        "Task" => {
            &["Resource", "TimeoutSeconds", "HeartbeatSeconds", "Credentials", "Retry", "Catch"]
        }
        "Choice" => &["Choices", "Default", "Assign"],
        "Wait" => &["Seconds", "Timestamp"],
        "Fail" => &["Error", "Cause"],
        "Parallel" => &["Branches", "Retry", "Catch"],
        "Map" => &[
            "ItemProcessor",
            "Iterator",
            "ItemSelector",
            "MaxConcurrency",
            "ToleratedFailureCount",
            "ToleratedFailurePercentage",
            "ItemReader",
            "ItemBatcher",
            "ResultWriter",
            "Label",
            "Retry",
            "Catch",
        ],
        _ => &[],
    }
}

/// The fields of each type that JSONPath alone has.
pub(super) fn json_path_only(kind: &str) -> &'static [&'static str] {
    match kind {
        "Pass" => &["InputPath", "OutputPath", "Parameters", "Result", "ResultPath"],
        "Task" => &[
            "InputPath",
            "OutputPath",
            "Parameters",
            "ResultSelector",
            "ResultPath",
            "TimeoutSecondsPath",
            "HeartbeatSecondsPath",
        ],
        "Choice" | "Succeed" => &["InputPath", "OutputPath"],
        "Wait" => &["InputPath", "OutputPath", "SecondsPath", "TimestampPath"],
        "Fail" => &["ErrorPath", "CausePath"],
        "Parallel" => &["InputPath", "OutputPath", "Parameters", "ResultSelector", "ResultPath"],
        "Map" => &[
            "InputPath",
            "OutputPath",
            "Parameters",
            "ResultSelector",
            "ResultPath",
            "ItemsPath",
            "MaxConcurrencyPath",
            "ToleratedFailureCountPath",
            "ToleratedFailurePercentagePath",
        ],
        _ => &[],
    }
}

/// The fields of each type that JSONata alone has.
pub(super) fn jsonata_only(kind: &str) -> &'static [&'static str] {
    match kind {
        "Pass" | "Choice" | "Wait" | "Succeed" => &["Output"],
        "Task" | "Parallel" => &["Arguments", "Output"],
        "Map" => &["Items", "Output"],
        _ => &[],
    }
}

/// Every field a state of `kind` in `language` may have.
pub(super) fn allowed(kind: &str, language: Language) -> Vec<&'static str> {
    let flow: &[&str] = if matches!(kind, "Choice" | "Succeed" | "Fail") { &[] } else { FLOW };
    let own = match language {
        Language::JsonPath => json_path_only(kind),
        Language::Jsonata => jsonata_only(kind),
    };
    [COMMON, flow, of_type(kind), own].concat()
}

/// A longer word is no slip of the pen: to compare two words takes the product of their lengths.
const LONGEST_WORD: usize = 128;

/// The name of `known` that `word` was probably meant to be.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let length = lower.chars().count();
    if length > LONGEST_WORD {
        return None;
    }
    let distance = |name: &'a str| {
        let chars = name.chars().count();
        // Of two letters one is half of the word.
        let most = match chars {
            0..=2 => 0,
            3 => 1,
            _ => 2.max(chars / 3),
        };
        // At least as many letters have to be put in or taken out.
        if chars.abs_diff(length) > most {
            return None;
        }
        let distance = strsim::damerau_levenshtein(&lower, &name.to_lowercase());
        (distance <= most).then_some((distance, name))
    };
    let known: Vec<&'a str> = known.into_iter().collect();
    let near = known.iter().copied().filter_map(distance).min_by_key(|(distance, _)| *distance);
    near.map(|(_, name)| name).or_else(|| with_another_end(&lower, &known))
}

/// A longer or a shorter end than `lower` has: `NextState` for `Next`, `Timeout` for `TimeoutSeconds`.
fn with_another_end<'a>(lower: &str, known: &[&'a str]) -> Option<&'a str> {
    let beginning = |name: &&&'a str| {
        let name = name.to_lowercase();
        name.len().min(lower.len()) >= 4 && (name.starts_with(lower) || lower.starts_with(&name))
    };
    let apart = |name: &&&'a str| name.len().abs_diff(lower.len());
    known.iter().filter(beginning).min_by_key(apart).copied()
}

/// What a state of JSONata has for a `field` that is of JSONPath.
pub(super) fn in_jsonata(kind: &str, field: &str) -> &'static str {
    match (kind, field) {
        ("Task" | "Parallel", "InputPath" | "Parameters") => "Arguments",
        ("Map", "Parameters") => "ItemSelector",
        ("Map", "InputPath") | (_, "ItemsPath") => "Items",
        (_, "SecondsPath") => "Seconds",
        (_, "TimestampPath") => "Timestamp",
        (_, "ErrorPath") => "Error",
        (_, "CausePath") => "Cause",
        (_, "TimeoutSecondsPath") => "TimeoutSeconds",
        (_, "HeartbeatSecondsPath") => "HeartbeatSeconds",
        (_, "MaxConcurrencyPath") => "MaxConcurrency",
        (_, "ToleratedFailureCountPath") => "ToleratedFailureCount",
        (_, "ToleratedFailurePercentagePath") => "ToleratedFailurePercentage",
        _ => "Output",
    }
}
