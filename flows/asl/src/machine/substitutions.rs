//! `${Name}` in a definition: what SAM, CloudFormation, the CDK and Terraform fill in when they
//! deploy it. Step Functions itself knows no such thing, and takes the text as it stands.

use super::problem::{Code, Severity};
use super::reader::Report;
use super::source::{escape, unescape};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Adds to the report that such a text has not been filled in: what to do to a mistake at its place,
/// a warning where there is none.
pub(super) fn tell(document: &Map<String, Value>, report: &mut Report) {
    let mut told = BTreeSet::new();
    for problem in report.problems.iter_mut().filter(|one| one.severity == Severity::Error) {
        if let Some(name) = text_at(document, &problem.path).and_then(placeholder) {
            problem.suggestion = fill_in(name);
            told.insert(problem.path.clone());
        }
    }
    let mut walk = Walk { report, told, at: String::new() };
    walk.members(document);
}

fn fill_in(name: &str) -> Option<String> {
    Some(format!("write what `{name}` is filled in with when it is deployed"))
}

/// What is said to a reader is filled in or not as may be.
fn is_comment(name: &str) -> bool {
    name == "Comment"
}

fn text_at<'a>(document: &'a Map<String, Value>, path: &str) -> Option<&'a str> {
    let mut tokens = path.split('/').skip(1).map(unescape);
    let first = tokens.next().filter(|name| !is_comment(name))?;
    let text = tokens.try_fold(document.get(&first)?, |value, token| match value {
        Value::Object(members) if !is_comment(&token) => members.get(&token),
        Value::Array(items) => items.get(token.parse::<usize>().ok()?),
        _ => None,
    });
    text?.as_str()
}

/// Warns of what has not been told. There is one pointer, which grows and shrinks on the way.
struct Walk<'r> {
    report: &'r mut Report,
    /// Pointers of mistakes that are told what to do.
    told: BTreeSet<String>,
    at: String,
}

impl Walk<'_> {
    /// Recursion is bounded: `serde_json` refused what is deeper than 128.
    fn value(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                if let Some(name) = placeholder(text).filter(|_| !self.told.contains(&self.at)) {
                    let message = format!("`{name}` is not filled in, and stands as it is.");
                    self.report.warn_with(&self.at, Code::Suspicious, message, fill_in(name));
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.inside(index, item);
                }
            }
            Value::Object(members) => self.members(members),
            _ => {}
        }
    }

    fn members(&mut self, members: &Map<String, Value>) {
        for (name, value) in members.iter().filter(|(name, _)| !is_comment(name)) {
            self.inside(escape(name), value);
        }
    }

    fn inside(&mut self, token: impl std::fmt::Display, value: &Value) {
        let length = self.at.len();
        // Writing to a text does not fail.
        let _ = write!(self.at, "/{token}");
        self.value(value);
        self.at.truncate(length);
    }
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
