//! `${Name}` in a definition: what SAM, CloudFormation, the CDK and Terraform fill in when they
//! deploy it. Step Functions itself knows no such thing, and takes the text as it stands.

use super::problem::{Code, Severity};
use super::reader::Report;
use super::source::escape;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Adds to the report that such a text has not been filled in: what to do to a mistake at its place,
/// a warning where there is none.
pub(super) fn tell(document: &Map<String, Value>, report: &mut Report) {
    let placeholders = placeholders(document);
    if placeholders.is_empty() {
        return;
    }
    let fill_in =
        |name: &str| Some(format!("write what `{name}` is filled in with when it is deployed"));
    let mut told = BTreeSet::new();
    for problem in report.problems.iter_mut().filter(|one| one.severity == Severity::Error) {
        if let Some((at, name)) = placeholders.get_key_value(&problem.path) {
            problem.suggestion = fill_in(name);
            told.insert(at);
        }
    }
    for (at, name) in placeholders.iter().filter(|(at, _)| !told.contains(at)) {
        let message = format!("`{name}` is not filled in, and stands as it is.");
        report.warn_with(at, Code::Suspicious, message, fill_in(name));
    }
}

/// The first placeholder of each text that has one, by the text's place.
fn placeholders(document: &Map<String, Value>) -> BTreeMap<String, &str> {
    let mut found = BTreeMap::new();
    let mut todo: Vec<(String, &Value)> = members("", document).collect();
    while let Some((at, value)) = todo.pop() {
        match value {
            Value::String(text) => found.extend(placeholder(text).map(|name| (at, name))),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                todo.extend(items.map(|(index, item)| (format!("{at}/{index}"), item)));
            }
            Value::Object(object) => todo.extend(members(&at, object)),
            _ => {}
        }
    }
    found
}

fn members<'a>(
    at: &str,
    object: &'a Map<String, Value>,
) -> impl Iterator<Item = (String, &'a Value)> {
    let others = object.iter().filter(|(name, _)| *name != "Comment");
    others.map(move |(name, value)| (format!("{at}/{}", escape(name)), value))
}

/// The first `${Name}`, `${Name.Attribute}` or `${AWS::Region}` of a text that is no expression.
#[must_use]
pub fn placeholder(text: &str) -> Option<&str> {
    if text.trim_start().starts_with("{%") {
        return None;
    }
    text.match_indices("${").find_map(|(start, _)| {
        let rest = text.get(start + 2..)?;
        let name = rest.split_once('}')?.0;
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-'));
        is_name.then(|| text.get(start..start + name.len() + 3))?
    })
}
