//! Reads a Choice state's rules.

use super::fields;
use super::load::Loader;
use super::load_state::Place;
use super::model::{Is, Kind, Language, Operand, Operator, Order, Rule, Setting, Test};
use super::problem::Code;
use super::reader::{Object, wrong};
use crate::limits;
use crate::path::Path;
use crate::value::moment;
use serde_json::Value;

const ORDERS: [(&str, Order); 5] = [
    ("Equals", Order::Equals),
    ("LessThanEquals", Order::LessThanEquals),
    ("GreaterThanEquals", Order::GreaterThanEquals),
    ("LessThan", Order::LessThan),
    ("GreaterThan", Order::GreaterThan),
];

const TESTS: [(&str, Is); 6] = [
    ("IsNull", Is::Null),
    ("IsPresent", Is::Present),
    ("IsNumeric", Is::Numeric),
    ("IsString", Is::String),
    ("IsBoolean", Is::Boolean),
    ("IsTimestamp", Is::Timestamp),
];

const AROUND: [&str; 5] = ["Variable", "Next", "Assign", "Comment", "Output"];

/// The operator called `name`, and whether it compares with what a path finds.
fn operator(name: &str) -> Option<(Operator, bool)> {
    let (base, by_path) = match name.strip_suffix("Path") {
        Some(base) => (base, true),
        None => (name, false),
    };
    let found = match base {
        "StringMatches" if !by_path => Operator::StringMatches,
        "BooleanEquals" => Operator::BooleanEquals,
        _ => {
            let (wrap, order): (fn(Order) -> Operator, &str) =
                if let Some(order) = base.strip_prefix("String") {
                    (Operator::String, order)
                } else if let Some(order) = base.strip_prefix("Numeric") {
                    (Operator::Numeric, order)
                } else {
                    (Operator::Timestamp, base.strip_prefix("Timestamp")?)
                };
            wrap(ORDERS.iter().find(|(name, _)| *name == order)?.1)
        }
    };
    Some((found, by_path))
}

fn operator_names() -> Vec<String> {
    let mut names: Vec<String> = ["StringMatches", "BooleanEquals", "BooleanEqualsPath"]
        .into_iter()
        .chain(["And", "Or", "Not"])
        .chain(TESTS.iter().map(|(name, _)| *name))
        .map(str::to_owned)
        .collect();
    for kind in ["String", "Numeric", "Timestamp"] {
        for (order, _) in ORDERS {
            names.push(format!("{kind}{order}"));
            names.push(format!("{kind}{order}Path"));
        }
    }
    names
}

impl Loader {
    pub(super) fn choice(&mut self, place: &Place<'_>) -> Kind {
        let object = &place.object;
        if !object.has("Choices") {
            self.report.schema(object.at, "Required field 'Choices' is missing.");
        }
        let list = object.array(&mut self.report, "Choices").unwrap_or_default();
        if list.is_empty() && object.has("Choices") {
            self.report.schema(&object.path("Choices"), "Choices must have at least one rule.");
        }
        let mut rules = Vec::new();
        for (index, rule) in list.iter().enumerate() {
            let at = format!("{}/{index}", object.path("Choices"));
            let Value::Object(members) = rule else {
                self.report.schema(&at, wrong("A choice rule", "an object", rule));
                continue;
            };
            rules.extend(self.rule(place, &Object { fields: members, at: &at }));
        }
        let default = object.text(&mut self.report, "Default");
        let default =
            default.and_then(|name| self.target(place.names, name, &object.path("Default")));
        Kind::Choice { rules, default }
    }

    fn rule(&mut self, place: &Place<'_>, rule: &Object<'_>) -> Option<Rule> {
        if !rule.has("Next") {
            self.report.schema(rule.at, "Required field 'Next' is missing.");
        }
        rule.text(&mut self.report, "Comment");
        let assign = self.assign(rule, place.language);
        let next = rule.text(&mut self.report, "Next");
        let next = next.and_then(|name| self.target(place.names, name, &rule.path("Next")));
        let (test, output) = match place.language {
            Language::JsonPath => {
                if rule.has("Output") {
                    let message = "Field 'Output' is of JSONata and cannot be used with JSONPath.";
                    self.report.schema(&rule.path("Output"), message);
                }
                (self.test(rule, true, 0), None)
            }
            Language::Jsonata => (self.condition(rule), self.jsonata(rule, "Output")),
        };
        // A test that cannot be read was told; where the rule leads is known all the same.
        let test = test.unwrap_or(Test::And(Vec::new()));
        Some(Rule { test, next: next?, assign, output })
    }

    fn condition(&mut self, rule: &Object<'_>) -> Option<Test> {
        let known = ["Condition", "Next", "Assign", "Comment", "Output"];
        let ours = |name: &&String| {
            let name = name.as_str();
            matches!(name, "Variable" | "And" | "Or" | "Not")
                || TESTS.iter().any(|test| test.0 == name)
                || operator(name).is_some()
        };
        let others: Vec<&String> = rule.fields.keys().filter(ours).collect();
        if let [first, ..] = others.as_slice() {
            self.of_other_language(rule, first, "JSONPath", "JSONata");
            return None;
        }
        rule.only(&mut self.report, "a JSONata choice rule", &known);
        match rule.get("Condition") {
            None => {
                self.report.schema(rule.at, "Required field 'Condition' is missing.");
                None
            }
            Some(Value::Bool(constant)) => {
                Some(Test::Condition(Setting::Fixed(Value::Bool(*constant))))
            }
            Some(Value::String(text)) => self
                .expression(&rule.path("Condition"), text, "Condition", true)
                .map(Test::Condition),
            Some(other) => {
                let message = wrong("Condition", "a boolean or a JSONata expression", other);
                self.report.schema(&rule.path("Condition"), message);
                None
            }
        }
    }

    /// Reports a rule that is written in the other query language.
    fn of_other_language(&mut self, rule: &Object<'_>, field: &str, theirs: &str, here: &str) {
        let message =
            format!("Field '{field}' is of {theirs} and cannot be used with QueryLanguage {here}.");
        let suggestion = match theirs {
            "JSONata" => "set \"QueryLanguage\": \"JSONata\" for this state",
            _ => "write the rule as \"Condition\": \"{% … %}\"",
        };
        let (at, code) = (rule.path(field), Code::SchemaValidationFailed);
        self.report.error_with(&at, code, message, Some(suggestion.to_owned()));
    }

    fn test(&mut self, rule: &Object<'_>, top: bool, depth: usize) -> Option<Test> {
        if depth > limits::NESTING {
            self.report.error(rule.at, Code::LimitExceeded, "Choice rules are nested too deep.");
            return None;
        }
        if rule.has("Condition") {
            self.of_other_language(rule, "Condition", "JSONata", "JSONPath");
            return None;
        }
        if !top {
            for name in ["Next", "Assign", "Output"].iter().filter(|name| rule.has(name)) {
                let message = format!("{name} may only stand in the outermost rule.");
                self.report.schema(&rule.path(name), message);
            }
        }
        let tests: Vec<&String> =
            rule.fields.keys().filter(|name| !AROUND.contains(&name.as_str())).collect();
        let [name] = tests.as_slice() else {
            let message = if tests.is_empty() {
                "A choice rule needs a comparison operator.".to_owned()
            } else {
                let names: Vec<&str> = tests.iter().map(|name| name.as_str()).collect();
                format!(
                    "A choice rule has one operator, not {}: {}.",
                    names.len(),
                    names.join(", ")
                )
            };
            self.report.schema(rule.at, message);
            return None;
        };
        match name.as_str() {
            "And" | "Or" => self.composite(rule, name, depth),
            "Not" => {
                let members = rule.object(&mut self.report, "Not")?;
                let at = rule.path("Not");
                let inner = self.test(&Object { fields: members, at: &at }, false, depth + 1)?;
                Some(Test::Not(Box::new(inner)))
            }
            _ => self.comparison(rule, name),
        }
    }

    fn composite(&mut self, rule: &Object<'_>, name: &str, depth: usize) -> Option<Test> {
        let list = rule.array(&mut self.report, name)?;
        if list.is_empty() {
            self.report.schema(&rule.path(name), format!("{name} must have at least one rule."));
        }
        let mut tests = Vec::new();
        for (index, inner) in list.iter().enumerate() {
            let at = format!("{}/{index}", rule.path(name));
            let Value::Object(members) = inner else {
                self.report.schema(&at, wrong("A choice rule", "an object", inner));
                continue;
            };
            tests.extend(self.test(&Object { fields: members, at: &at }, false, depth + 1));
        }
        Some(if name == "And" { Test::And(tests) } else { Test::Or(tests) })
    }

    fn comparison(&mut self, rule: &Object<'_>, name: &str) -> Option<Test> {
        let variable = self.rule_variable(rule);
        let at = rule.path(name);
        let value = rule.get(name)?;
        if let Some((_, what)) = TESTS.iter().find(|(test, _)| *test == name) {
            let expected = rule.boolean(&mut self.report, name)?;
            return Some(Test::Is { variable: variable?, what: *what, expected });
        }
        let Some((operator, by_path)) = operator(name) else {
            let names = operator_names();
            let suggestion = fields::nearest(name, names.iter().map(String::as_str))
                .map(|near| format!("did you mean '{near}'?"));
            let message = format!("'{name}' is not a comparison operator.");
            self.report.error_with(&at, Code::SchemaValidationFailed, message, suggestion);
            return None;
        };
        let operand = if by_path {
            let text = rule.text(&mut self.report, name)?;
            Operand::Path(self.path(&at, text)?)
        } else {
            if let Some(message) = unfit(operator, name, value) {
                self.report.schema(&at, message);
                return None;
            }
            Operand::Literal(value.clone())
        };
        Some(Test::Compare { variable: variable?, operator, operand })
    }

    fn rule_variable(&mut self, rule: &Object<'_>) -> Option<Path> {
        if !rule.has("Variable") {
            self.report.schema(rule.at, "Required field 'Variable' is missing.");
        }
        let text = rule.text(&mut self.report, "Variable")?;
        self.path(&rule.path("Variable"), text)
    }
}

/// Why `value` cannot stand beside `operator`.
fn unfit(operator: Operator, name: &str, value: &Value) -> Option<String> {
    match operator {
        Operator::String(_) | Operator::StringMatches if !value.is_string() => {
            Some(wrong(name, "a string", value))
        }
        Operator::Numeric(_) if !value.is_number() => Some(wrong(name, "a number", value)),
        Operator::BooleanEquals if !value.is_boolean() => Some(wrong(name, "a boolean", value)),
        Operator::Timestamp(_) => match value.as_str() {
            Some(text) if moment(text).is_some() => None,
            Some(text) => Some(format!("'{text}' is not a timestamp of RFC 3339.")),
            None => Some(wrong(name, "a timestamp", value)),
        },
        _ => None,
    }
}
