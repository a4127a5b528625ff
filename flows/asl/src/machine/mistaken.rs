//! A file that is no definition, though a definition may be in it: what it seems to be instead.

use super::fields;
use serde_json::{Map, Value};

/// What is said of it: the message, and what to do.
pub(super) type Told = (String, Option<String>);

const TAKE_OUT: &str = "take the text out: `aws stepfunctions describe-state-machine \
    --state-machine-arn ARN --query definition --output text`";

/// A text that is no JSON, and what the reader of JSON said of it; `line` and `column` begin with 1.
pub(super) fn text(text: &str, words: &str, line: usize, column: usize) -> Told {
    if text.trim().is_empty() {
        return ("The definition is empty.".to_owned(), None);
    }
    let suggestion = if text.trim_start().starts_with('<') {
        Some("this is HTML or XML: was a page saved in place of the file?")
    } else if is_yaml(text) {
        Some("this looks like YAML: Workflow Studio exports JSON too")
    } else if is_in_text(words) {
        in_text(text, words, line, column)
    } else {
        at(text, line, column)
    };
    (format!("The definition is not JSON: {words}."), suggestion.map(str::to_owned))
}

/// Whether the reader stopped inside a text, where nothing else means anything.
fn is_in_text(words: &str) -> bool {
    let in_text = [
        "invalid escape",
        "control character",
        "EOF while parsing a string",
        "lone leading surrogate",
        "unexpected end of hex escape",
        "invalid unicode code point",
    ];
    in_text.iter().any(|begin| words.starts_with(begin))
}

/// What to do to a text that cannot be read.
fn in_text(text: &str, words: &str, line: usize, column: usize) -> Option<&'static str> {
    if words.starts_with("control character") {
        return Some(
            "a text ends on the line it begins on: write a line break as `\\n`, a tab as `\\t`",
        );
    }
    if !words.starts_with("invalid escape") {
        return None;
    }
    let rest = near(text, line, column)?;
    Some(if rest.iter().any(|rest| rest.starts_with('\'')) {
        "write `\\\\'`: JSON reads backslashes first, so that one for a function stands twice"
    } else {
        "write `\\\\` for a backslash"
    })
}

/// The rest of a line from where the reader stopped, and from just before it.
fn near(text: &str, line: usize, column: usize) -> Option<[&str; 2]> {
    let line = text.split('\n').nth(line - 1)?;
    // Its columns are bytes.
    let near = |back: usize| line.get((column - 1).checked_sub(back)?..);
    Some([near(0)?, near(1).unwrap_or_default()])
}

/// What stands where the reader stopped, which is at or just behind it.
fn at(text: &str, line: usize, column: usize) -> Option<&'static str> {
    let rest = near(text, line, column)?;
    let begins = |with: &str| rest.iter().any(|rest| rest.starts_with(with));
    if ["//", "/*", "#"].iter().any(|mark| begins(mark)) {
        return Some("JSON has no comments: write a `Comment` into the state");
    }
    if begins("${") {
        return Some("write what this is filled in with when it is deployed");
    }
    begins("'").then_some("JSON has double quotes only")
}

/// Whether the first line that says anything is `Key: …`, with a key of a definition.
fn is_yaml(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_end);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(['#', '-', '%']));
    let key = first.and_then(|line| line.split_once(':')).map(|(key, _)| key);
    key.is_some_and(|key| fields::MACHINE.contains(&key))
}

/// JSON that is no object.
pub(super) fn value(value: &Value) -> Told {
    let inner = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    if inner.is_some_and(|inner| inner.is_object()) {
        let message = "The definition must be a JSON object, and this is one in a text.";
        return (message.to_owned(), Some(TAKE_OUT.to_owned()));
    }
    ("The definition must be a JSON object.".to_owned(), None)
}

/// An object of another kind: nothing for what is a definition, or may have been meant as one.
pub(super) fn object(document: &Map<String, Value>) -> Option<Told> {
    if document.contains_key("StartAt") || document.contains_key("States") {
        return None;
    }
    if document.get("definition").is_some_and(Value::is_string) {
        let message = "This is what AWS says of a state machine: its definition is the text of \
                       'definition'.";
        return Some((message.to_owned(), Some(TAKE_OUT.to_owned())));
    }
    if document.get("Resources").is_some_and(Value::is_object) {
        let message = "This is a template of CloudFormation or SAM, and not a definition.";
        let todo = "take out what is in Definition, DefinitionString or DefinitionUri of the state \
                    machine";
        return Some((message.to_owned(), Some(todo.to_owned())));
    }
    None
}
