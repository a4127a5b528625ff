//! Reads single fields: numbers, paths, expressions, payload templates, variables.

use super::load::Loader;
use super::load_state::Place;
use super::model::{Language, Payload, ResultPath, Selector, Setting};
use super::problem::Code;
use super::reader::Object;
use crate::intrinsic::Intrinsic;
use crate::jsonata::{Expression, JsonataTemplate, TemplateProblem};
use crate::limits;
use crate::path::{Path, PathError, ReferencePath, Root};
use crate::template::Template;
use serde_json::Value;
use std::collections::BTreeSet;

/// The variable a path starts in.
fn variable_of(path: &Path) -> Option<&str> {
    match path.root() {
        Root::Variable(name) => Some(name),
        Root::Input | Root::Context => None,
    }
}

fn is_query(text: &str) -> bool {
    text.starts_with("{%") && text.ends_with("%}")
}

fn is_path_member(name: &str, value: &Value) -> bool {
    let is_path = |text: &str| text.starts_with('$') || Intrinsic::looks_like_one(text);
    name.ends_with(".$") && value.as_str().is_some_and(is_path)
}

impl Loader {
    /// A number of seconds from `least`, or what computes one.
    pub(super) fn seconds(
        &mut self,
        place: &Place<'_>,
        name: &'static str,
        path: &'static str,
        least: u64,
    ) -> Option<Setting> {
        self.number(place, &place.object, name, path, least..=limits::SECONDS)
    }

    /// An integer of `range` in the field `name` of `object`, or what computes one.
    pub(super) fn number(
        &mut self,
        place: &Place<'_>,
        object: &Object<'_>,
        name: &'static str,
        path: &'static str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<Setting> {
        object.at_most_one(&mut self.report, &[name, path]);
        if let Some(Value::String(text)) = object.get(name)
            && place.language == Language::Jsonata
        {
            return self.expression(&object.path(name), text, name, true);
        }
        if let Some(number) = object.integer(&mut self.report, name, range) {
            return Some(Setting::Fixed(number.into()));
        }
        self.path_setting(place, object, path)
    }

    /// A field that holds a path, or an intrinsic where AWS takes one.
    pub(super) fn path_setting(
        &mut self,
        place: &Place<'_>,
        object: &Object<'_>,
        field: &'static str,
    ) -> Option<Setting> {
        if place.language == Language::Jsonata {
            return None;
        }
        let text = object.text(&mut self.report, field)?;
        let at = object.path(field);
        self.no_reference(&at, text, field);
        if text.starts_with("States.") {
            return match Intrinsic::parse(text) {
                Ok(call) => {
                    self.miscounted(&at, &call);
                    Some(Setting::Call { call, field })
                }
                Err(error) => {
                    self.bad_path(&at, Code::InvalidIntrinsic, text, &error);
                    None
                }
            };
        }
        self.path(&at, text).map(|path| Setting::Path { path, field })
    }

    /// A text, or what computes one.
    pub(super) fn word(
        &mut self,
        place: &Place<'_>,
        name: &'static str,
        path: &'static str,
    ) -> Option<Setting> {
        let object = &place.object;
        if let Some(text) = object.text(&mut self.report, name) {
            if place.language == Language::Jsonata && text.trim_start().starts_with("{%") {
                return self.expression(&object.path(name), text, name, true);
            }
            return Some(Setting::Fixed(Value::String(text.to_owned())));
        }
        self.path_setting(place, object, path)
    }

    /// `{% … %}`; where `required`, a text without the marks is an error.
    pub(super) fn expression(
        &mut self,
        at: &str,
        text: &str,
        field: &'static str,
        required: bool,
    ) -> Option<Setting> {
        let inner = text.trim().strip_prefix("{%").and_then(|rest| rest.strip_suffix("%}"));
        let Some(inner) = inner else {
            if required {
                let message = format!("{field} must be a JSONata expression '{{% … %}}'.");
                self.report.error(at, Code::InvalidJsonata, message);
            }
            return None;
        };
        if text != text.trim() {
            let message =
                "An expression begins with `{%` and ends with `%}`, with no blanks around.";
            let suggestion = Some(format!("write \"{}\"", text.trim()));
            self.report.not_any_more(at, Code::InvalidJsonata, message.to_owned(), suggestion);
        }
        match Expression::parse_in(inner.trim(), &mut self.compiling) {
            Ok(expression) => {
                self.assigned_nowhere(at, expression.variable(), "");
                self.newer(at, &expression);
                Some(Setting::Query { expression, field })
            }
            Err(error) => {
                let message = format!("JSONata: {}.", error.message.trim_end_matches('.'));
                self.report.error(at, Code::InvalidJsonata, message);
                None
            }
        }
    }

    pub(super) fn path(&mut self, at: &str, text: &str) -> Option<Path> {
        match Path::parse(text) {
            Ok(path) => {
                self.assigned_nowhere(at, variable_of(&path), "$.");
                self.refused_path(at, &path);
                Some(path)
            }
            Err(error) => {
                self.bad_path(at, Code::InvalidPath, text, &error);
                None
            }
        }
    }

    /// Warns of a variable that no state here or around assigns. `$.` is what a path may have meant.
    fn assigned_nowhere(&mut self, at: &str, name: Option<&str>, meant: &str) {
        let Some(name) = name else { return };
        if self.variables.iter().any(|scope| scope.contains(name)) {
            return;
        }
        // In JSONata there is one more, which nobody assigns.
        let states = meant.is_empty().then_some("states");
        let near = if self.may_suggest() {
            let known = self.variables.iter().flatten().map(String::as_str).chain(states);
            super::fields::nearest(name, known)
        } else {
            None
        };
        let suggestion = match (near, meant) {
            (Some(near), _) => Some(format!("did you mean '${near}'?")),
            (None, "") => None,
            (None, meant) => Some(format!("did you mean '{meant}{name}'?")),
        };
        let message = format!("Variable '${name}' is assigned nowhere.");
        self.report.warn_with(at, Code::Suspicious, message, suggestion);
    }

    /// Tells of a path that was taken here once.
    fn refused_path(&mut self, at: &str, path: &Path) {
        if let Some(error) = path.refused_since() {
            let (text, said, place) = (path.source(), &error.message, error.position + 1);
            let message = format!("'{text}': {said} (at character {place}).");
            self.report.not_any_more(at, Code::InvalidPath, message, None);
        }
    }

    pub(super) fn bad_path(&mut self, at: &str, code: Code, text: &str, error: &PathError) {
        let message = format!("'{text}': {} (at character {}).", error.message, error.position + 1);
        let suggestion = error.suggestion.as_ref().map(|meant| format!("did you mean `{meant}`?"));
        self.report.error_with(at, code, message, suggestion);
    }

    pub(super) fn selector(&mut self, object: &Object<'_>, name: &str) -> Selector {
        match object.get(name) {
            None => Selector::Whole,
            Some(Value::Null) => Selector::Nothing,
            Some(Value::String(text)) if text == "$" => Selector::Whole,
            Some(_) => {
                let text = object.text(&mut self.report, name);
                let path = text.and_then(|text| self.path(&object.path(name), text));
                path.map_or(Selector::Whole, Selector::Path)
            }
        }
    }

    pub(super) fn result_path(&mut self, object: &Object<'_>) -> ResultPath {
        let name = "ResultPath";
        match object.get(name) {
            None => ResultPath::Whole,
            Some(Value::Null) => ResultPath::Discard,
            Some(Value::String(text)) if text == "$" => ResultPath::Whole,
            Some(_) => {
                let Some(text) = object.text(&mut self.report, name) else {
                    return ResultPath::Whole;
                };
                match ReferencePath::parse(text) {
                    Ok(path) if !path.is_in_input() => {
                        let message = format!("'{text}': a result is put into the state's input.");
                        let suggestion = Some("a path that begins with `$.`".to_owned());
                        let at = object.path(name);
                        self.report.error_with(&at, Code::InvalidPath, message, suggestion);
                        ResultPath::Whole
                    }
                    Ok(path) => ResultPath::At(path),
                    Err(error) => {
                        self.bad_path(&object.path(name), Code::InvalidPath, text, &error);
                        ResultPath::Whole
                    }
                }
            }
        }
    }

    /// A payload template of the field `name`. In JSONPath it must be an object.
    pub(super) fn payload(
        &mut self,
        object: &Object<'_>,
        name: &str,
        language: Language,
    ) -> Option<Payload> {
        let value = object.get(name)?;
        self.other_language(&object.path(name), value, language);
        match language {
            Language::Jsonata => self.jsonata(object, name).map(Payload::Query),
            Language::JsonPath => match Template::parse(value) {
                Ok(template) => {
                    self.plain_paths(&object.path(name), value);
                    let names: BTreeSet<&str> =
                        template.paths().into_iter().filter_map(variable_of).collect();
                    for variable in names {
                        self.assigned_nowhere(&object.path(name), Some(variable), "$.");
                    }
                    let at = object.path(name);
                    template.paths().into_iter().for_each(|path| self.refused_path(&at, path));
                    for call in template.calls() {
                        self.miscounted(&object.path(name), call);
                    }
                    Some(Payload::Paths(template))
                }
                Err(problems) => {
                    self.bad_template(&object.path(name), Code::InvalidPath, problems);
                    None
                }
            },
        }
    }

    /// Warns of calls that can only fail, or take no notice of what they are given.
    fn miscounted(&mut self, at: &str, call: &Intrinsic) {
        for message in call.miscounted() {
            self.report.warn(at, Code::InvalidIntrinsic, message);
        }
    }

    /// Warns of what is an expression in the other query language only.
    fn other_language(&mut self, at: &str, value: &Value, language: Language) {
        let mut todo = vec![(at.to_owned(), value)];
        while let Some((at, value)) = todo.pop() {
            match value {
                Value::String(text) if language == Language::JsonPath && is_query(text) => {
                    let message = "A JSONata expression is plain text in a state of JSONPath.";
                    let suggestion = "set \"QueryLanguage\": \"JSONata\" for this state".to_owned();
                    self.report.warn_with(&at, Code::Suspicious, message, Some(suggestion));
                }
                Value::Array(items) => {
                    let place = |(index, item)| (format!("{at}/{index}"), item);
                    todo.extend(items.iter().enumerate().map(place));
                }
                Value::Object(members) => {
                    for (name, member) in members {
                        let place = format!("{at}/{}", super::source::escape(name));
                        if language == Language::Jsonata && is_path_member(name, member) {
                            let message = "A path is plain text in a state of JSONata.";
                            let bare = name.trim_end_matches(".$");
                            let suggestion =
                                Some(format!("\"{bare}\": \"{{% $states.input… %}}\""));
                            self.report.warn_with(&place, Code::Suspicious, message, suggestion);
                        }
                        todo.push((place, member));
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn jsonata(&mut self, object: &Object<'_>, name: &str) -> Option<JsonataTemplate> {
        let value = object.get(name)?;
        if name == "Output" {
            self.other_language(&object.path(name), value, Language::Jsonata);
        }
        match JsonataTemplate::parse_in(value, &mut self.compiling) {
            Ok(template) => {
                let expressions = template.expressions();
                for (place, expression) in &expressions {
                    self.newer(&format!("{}{place}", object.path(name)), expression);
                }
                let names: BTreeSet<&str> =
                    expressions.iter().filter_map(|(_, one)| one.variable()).collect();
                for variable in names {
                    self.assigned_nowhere(&object.path(name), Some(variable), "");
                }
                Some(template)
            }
            Err(problems) => {
                self.bad_template(&object.path(name), Code::InvalidJsonata, problems);
                None
            }
        }
    }

    /// Tells of an operator that Step Functions does not have yet, and of a regular expression that
    /// is none.
    fn newer(&mut self, at: &str, expression: &Expression) {
        self.reads(at, expression);
        if let Some(newer) = expression.newer() {
            let message = format!("JSONata: {}", newer.message());
            let instead = Some(format!("write `{}`", newer.instead));
            self.report.not_any_more(at, Code::InvalidJsonata, message, instead);
        }
        if let Some(wrong) = expression.bad_regex() {
            let message = format!("JSONata: {wrong}");
            self.report.not_any_more(at, Code::InvalidJsonata, message, None);
        }
    }

    pub(super) fn bad_template(&mut self, at: &str, code: Code, problems: Vec<TemplateProblem>) {
        for problem in problems {
            // `/a/b[0]/c.$` in the template's words is `/a/b/0/c.$` as a pointer.
            let inner = problem.path.trim_start_matches('/').replace('[', "/").replace(']', "");
            let place = if inner.is_empty() { at.to_owned() } else { format!("{at}/{inner}") };
            self.report.error(&place, code, problem.message);
        }
    }

    /// `Assign`, with the rules for variables' names and scope.
    pub(super) fn assign(&mut self, object: &Object<'_>, language: Language) -> Option<Payload> {
        let members = object.object(&mut self.report, "Assign")?;
        let at = object.path("Assign");
        for key in members.keys() {
            let name = match language {
                Language::JsonPath => key.strip_suffix(".$").unwrap_or(key),
                Language::Jsonata => key,
            };
            self.variable(name, &format!("{at}/{}", super::source::escape(key)));
        }
        self.payload(object, "Assign", language)
    }

    pub(super) fn variable(&mut self, name: &str, at: &str) {
        let mut chars = name.chars();
        let named = chars.next().is_some_and(|first| first.is_alphabetic() || first == '_')
            && chars.all(|char| char.is_alphanumeric() || char == '_');
        if !named || name.chars().count() > limits::VARIABLE_NAME_CHARS {
            let message = format!(
                "'{name}' is not a variable's name: letters, digits and '_', not a digit first, at \
                 most {} characters.",
                limits::VARIABLE_NAME_CHARS
            );
            self.report.error(at, Code::InvalidVariable, message);
        } else if name == "states" {
            let message = "'states' is reserved and cannot be assigned.";
            self.report.error(at, Code::InvalidVariable, message);
        }
        let outer = self.variables.len().saturating_sub(1);
        if self.variables.iter().take(outer).any(|scope| scope.contains(name)) {
            let message = format!(
                "Variable '{name}' is assigned in a scope around this one, where it cannot be \
                 changed from here."
            );
            self.report.error(at, Code::InvalidVariable, message);
        }
    }
}
