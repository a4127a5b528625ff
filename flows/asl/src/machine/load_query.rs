//! What an expression or a template names that is not there where it stands.

use super::fields::nearest;
use super::load::{Here, Loader};
use super::problem::Code;
use super::source::escape;
use crate::intrinsic::Intrinsic;
use crate::jsonata::Expression;
use serde_json::Value;

/// The members of `$states` (developer guide, "Reserved variable: $states").
const MEMBERS: [&str; 4] = ["input", "context", "result", "errorOutput"];

impl Here {
    /// Where `member` of `$states` is to be had, if it is not at the pointer `at`. "Attempting to
    /// access `$states.result` or `$states.errorOutput` from fields and states where they are not
    /// accessible will be caught at creation, update, or validation" (developer guide, same page).
    fn elsewhere(&self, at: &str, member: &str) -> Option<&'static str> {
        let inside = at.strip_prefix(self.at.as_str()).unwrap_or(at);
        let mut steps = inside.trim_start_matches('/').split('/');
        let (first, third) = (steps.next().unwrap_or_default(), steps.nth(1));
        let gives_out = |field| matches!(field, "Output" | "Assign");
        match member {
            "result" => {
                let has_result = matches!(self.kind.as_str(), "Task" | "Parallel" | "Map");
                (!has_result || !gives_out(first))
                    .then_some("'Output' and 'Assign' of a Task, Parallel or Map state")
            }
            "errorOutput" => (first != "Catch" || !third.is_some_and(gives_out))
                .then_some("'Output' and 'Assign' of a catcher"),
            _ => None,
        }
    }
}

impl Loader {
    /// Tells of members of `$states` that there are not, and of calls of what is no function.
    pub(super) fn reads(&mut self, at: &str, expression: &Expression) {
        for member in expression.reads_of_states() {
            if !MEMBERS.contains(&member) {
                let message = format!("There is no '$states.{member}'.");
                let near = nearest(member, MEMBERS);
                let suggestion = near.map(|near| format!("did you mean '$states.{near}'?"));
                self.report.warn_with(at, Code::Suspicious, message, suggestion);
            } else if let Some(place) = self.here.elsewhere(at, member) {
                let message =
                    format!("'$states.{member}' is not to be had here: it is in {place} only.");
                let suggestion = Some("the state's input is '$states.input'".to_owned());
                self.report.not_any_more(at, Code::InvalidJsonata, message, suggestion);
            }
        }
        for (name, near) in expression.foreign_calls() {
            if self.variables.iter().any(|scope| scope.contains(name)) {
                continue;
            }
            let message = match name {
                "eval" => "Step Functions has no '$eval'.".to_owned(),
                name => format!("There is no function '${name}'."),
            };
            let suggestion = match name {
                "eval" => Some("'$parse' reads JSON".to_owned()),
                _ => near.map(|near| format!("did you mean '${near}'?")),
            };
            self.report.warn_with(at, Code::Suspicious, message, suggestion);
        }
    }

    /// Warns of paths in a template of JSONPath whose key does not say so: they are plain text.
    pub(super) fn plain_paths(&mut self, at: &str, value: &Value) {
        let mut todo = vec![(at.to_owned(), value)];
        while let Some((at, value)) = todo.pop() {
            match value {
                Value::Object(members) => {
                    for (name, member) in members {
                        let place = format!("{at}/{}", escape(name));
                        match member.as_str() {
                            Some(text) if !name.ends_with(".$") && is_path(text) => {
                                let message = "A path is plain text where its key does not end \
                                               in '.$'.";
                                let suggestion = Some(format!("write \"{name}.$\": \"{text}\""));
                                self.report.warn_with(
                                    &place,
                                    Code::Suspicious,
                                    message,
                                    suggestion,
                                );
                            }
                            _ => todo.push((place, member)),
                        }
                    }
                }
                Value::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        let place = format!("{at}/{index}");
                        match item.as_str() {
                            Some(text) if is_path(text) => {
                                let message = "A path is plain text in an array.";
                                let suggestion =
                                    Some(format!("'States.Array({text})', with a key in '.$'"));
                                self.report.warn_with(
                                    &place,
                                    Code::Suspicious,
                                    message,
                                    suggestion,
                                );
                            }
                            _ => todo.push((place, item)),
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

fn is_path(text: &str) -> bool {
    let path = text.starts_with("$.") || text.starts_with("$$.") || text.starts_with("$[");
    path && crate::path::Path::parse(text).is_ok()
        || Intrinsic::looks_like_one(text) && Intrinsic::parse(text).is_ok()
}
