//! One object of a definition under the loader's eyes: typed access that reports what is wrong.

use super::fields::nearest;
use super::problem::{Code, Problem, Severity};
use super::source::{Positions, escape};
use serde_json::{Map, Value};

/// Collects problems and knows where things stand.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) positions: Positions,
    pub(super) problems: Vec<Problem>,
    /// What an Express workflow cannot have.
    pub(super) express: Vec<Problem>,
    /// Which of them have been told of a Map's Express executions.
    pub(super) express_told: Vec<bool>,
    /// What was not refused always.
    pub(super) refused_since: Vec<Problem>,
    /// Bytes of the paths of all problems.
    pub(super) paths: usize,
}

/// Bytes that the paths of all problems may have: with a long key around many mistakes they would
/// take the square of the definition's size.
const PATHS: usize = 16 * 1024 * 1024;

impl Report {
    /// Notes what a Standard workflow can have and an Express one cannot.
    pub(super) fn not_express(&mut self, at: &str, message: String) {
        let (line, column) = self.positions.place(at);
        let (severity, code) = (Severity::Error, Code::SchemaValidationFailed);
        let (path, suggestion) = (self.path(at), None);
        self.express.push(Problem { severity, code, path, line, column, message, suggestion });
    }

    /// Warns of what is in the way of an Express workflow, from the one numbered `from` on: it
    /// stands in a processor whose executions are such.
    pub(super) fn express_child(&mut self, from: usize) {
        self.express_told.resize(self.express.len(), false);
        for (problem, told) in self.express.iter().zip(&mut self.express_told).skip(from) {
            // A Map in this one has told of its own.
            if !std::mem::replace(told, true) {
                let severity = Severity::Warning;
                self.problems.push(Problem { severity, ..problem.clone() });
            }
        }
    }

    /// Notes a mistake that was not told always: definitions with it may be published and running.
    pub(super) fn not_any_more(
        &mut self,
        at: &str,
        code: Code,
        message: String,
        suggestion: Option<String>,
    ) {
        let (line, column) = self.positions.place(at);
        let (severity, path) = (Severity::Error, self.path(at));
        self.refused_since.push(Problem {
            severity,
            code,
            path,
            line,
            column,
            message,
            suggestion,
        });
    }

    pub(super) fn error(&mut self, at: &str, code: Code, message: impl Into<String>) {
        self.add(Severity::Error, at, code, message.into(), None);
    }

    pub(super) fn error_with(
        &mut self,
        at: &str,
        code: Code,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        self.add(Severity::Error, at, code, message.into(), suggestion);
    }

    pub(super) fn schema(&mut self, at: &str, message: impl Into<String>) {
        self.error(at, Code::SchemaValidationFailed, message);
    }

    pub(super) fn warn(&mut self, at: &str, code: Code, message: impl Into<String>) {
        self.warn_with(at, code, message, None);
    }

    pub(super) fn warn_with(
        &mut self,
        at: &str,
        code: Code,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        self.add(Severity::Warning, at, code, message.into(), suggestion);
    }

    /// The path that a problem has: none when there are too many, but its line and column.
    pub(super) fn path(&mut self, at: &str) -> String {
        self.paths += at.len();
        if self.paths > PATHS { String::new() } else { at.to_owned() }
    }

    fn add(
        &mut self,
        severity: Severity,
        at: &str,
        code: Code,
        message: String,
        suggestion: Option<String>,
    ) {
        let (line, column) = self.positions.place(at);
        let path = self.path(at);
        self.problems.push(Problem { severity, code, path, line, column, message, suggestion });
    }
}

/// An object and its pointer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object<'a> {
    pub(super) fields: &'a Map<String, Value>,
    pub(super) at: &'a str,
}

impl<'a> Object<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// The pointer of the field `name`.
    pub(super) fn path(&self, name: &str) -> String {
        format!("{}/{}", self.at, escape(name))
    }

    pub(super) fn text(&self, report: &mut Report, name: &str) -> Option<&'a str> {
        match self.get(name)? {
            Value::String(text) => Some(text),
            other => {
                report.schema(&self.path(name), wrong(name, "a string", other));
                None
            }
        }
    }

    pub(super) fn boolean(&self, report: &mut Report, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(value) => Some(*value),
            other => {
                report.schema(&self.path(name), wrong(name, "a boolean", other));
                None
            }
        }
    }

    /// An integer of `range`.
    pub(super) fn integer(
        &self,
        report: &mut Report,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<u64> {
        let value = self.get(name)?;
        match whole(value) {
            Some(number) if range.contains(&number) => Some(number),
            _ => {
                report.schema(
                    &self.path(name),
                    format!(
                        "{name} must be an integer from {} to {}, but is {value}.",
                        range.start(),
                        range.end()
                    ),
                );
                None
            }
        }
    }

    pub(super) fn array(&self, report: &mut Report, name: &str) -> Option<&'a [Value]> {
        match self.get(name)? {
            Value::Array(items) => Some(items),
            other => {
                report.schema(&self.path(name), wrong(name, "an array", other));
                None
            }
        }
    }

    pub(super) fn object(&self, report: &mut Report, name: &str) -> Option<&'a Map<String, Value>> {
        match self.get(name)? {
            Value::Object(fields) => Some(fields),
            other => {
                report.schema(&self.path(name), wrong(name, "an object", other));
                None
            }
        }
    }

    /// Reports fields that are not among `known`.
    pub(super) fn only(&self, report: &mut Report, what: &str, known: &[&str]) {
        for name in self.fields.keys().filter(|name| !known.contains(&name.as_str())) {
            let suggestion =
                nearest(name, known.iter().copied()).map(|near| format!("did you mean '{near}'?"));
            report.error_with(
                &self.path(name),
                Code::SchemaValidationFailed,
                format!("Field '{name}' is not supported in {what}."),
                suggestion,
            );
        }
    }

    /// Reports all but the first of `names` that are there.
    pub(super) fn at_most_one(&self, report: &mut Report, names: &[&str]) {
        let there: Vec<&&str> = names.iter().filter(|name| self.has(name)).collect();
        if let [first, rest @ ..] = there.as_slice() {
            for name in rest {
                report
                    .schema(&self.path(name), format!("{first} and {name} cannot stand together."));
            }
        }
    }
}

/// A whole number, also when it is written `3.0`.
pub(super) fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64)
    })
}

/// `Foo must be a string, but is a number.`
pub(super) fn wrong(name: &str, expected: &str, value: &Value) -> String {
    format!("{name} must be {expected}, but is {}.", type_name(value))
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
