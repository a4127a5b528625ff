//! A definition as a graph: states, and where they lead.

use serde_json::{Map, Value};

/// One `States` object.
#[derive(Debug, Clone, Default)]
pub(super) struct Flow {
    pub(super) start: usize,
    pub(super) nodes: Vec<Node>,
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) edges: Vec<Edge>,
    /// Branches of a Parallel, or the processor of a Map.
    pub(super) inner: Vec<Flow>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) to: usize,
    pub(super) kind: EdgeKind,
    /// What it is taken for.
    pub(super) label: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum EdgeKind {
    Next,
    Choice,
    Catch,
}

/// How deep flows may stand in one another; the interpreter allows no more.
const DEEPEST: usize = offhook_asl::limits::NESTING;

impl Flow {
    /// Of a definition's text. States that lead nowhere known keep the edges that are known.
    pub(super) fn read(definition: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(definition).ok()?;
        Self::of(&value, 0)
    }

    fn of(value: &Value, depth: usize) -> Option<Self> {
        let states = value.get("States")?.as_object().filter(|_| depth <= DEEPEST)?;
        let names: Vec<&String> = states.keys().collect();
        let index = |name: &Value| {
            let name = name.as_str()?;
            names.iter().position(|known| *known == name)
        };
        let nodes = states.iter().map(|(name, state)| node(name, state, &index, depth));
        let nodes = nodes.collect();
        let start = value.get("StartAt").and_then(index).unwrap_or(0);
        Some(Self { start, nodes })
    }
}

fn node(name: &str, state: &Value, index: &impl Fn(&Value) -> Option<usize>, depth: usize) -> Node {
    let mut edges = Vec::new();
    let mut add = |to: Option<&Value>, kind: EdgeKind, label: String| {
        if let Some(to) = to.and_then(index) {
            edges.push(Edge { to, kind, label });
        }
    };
    add(state.get("Next"), EdgeKind::Next, String::new());
    for rule in list(state, "Choices") {
        add(rule.get("Next"), EdgeKind::Choice, condition(rule));
    }
    add(state.get("Default"), EdgeKind::Choice, "Default".to_owned());
    for catcher in list(state, "Catch") {
        let errors = list(catcher, "ErrorEquals").filter_map(Value::as_str);
        add(catcher.get("Next"), EdgeKind::Catch, errors.collect::<Vec<_>>().join(", "));
    }
    let processor = state.get("ItemProcessor").or_else(|| state.get("Iterator"));
    let inner = list(state, "Branches").chain(processor);
    let inner = inner.filter_map(|flow| Flow::of(flow, depth + 1)).collect();
    let kind = state.get("Type").and_then(Value::as_str).unwrap_or_default().to_owned();
    Node { name: name.to_owned(), kind, edges, inner }
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// A rule in words, for whoever points at its line.
fn condition(rule: &Value) -> String {
    match rule.get("Condition") {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => rule.as_object().map(test).unwrap_or_default(),
    }
}

fn test(rule: &Map<String, Value>) -> String {
    for (word, joint) in [("And", " and "), ("Or", " or ")] {
        if let Some(Value::Array(tests)) = rule.get(word) {
            let tests = tests.iter().filter_map(Value::as_object).map(test);
            return format!("({})", tests.collect::<Vec<_>>().join(joint));
        }
    }
    if let Some(Value::Object(inner)) = rule.get("Not") {
        return format!("not {}", test(inner));
    }
    let variable = rule.get("Variable").and_then(Value::as_str).unwrap_or_default();
    let known = ["Variable", "Next", "Assign", "Output", "Comment"];
    let operator = rule.iter().find(|(key, _)| !known.contains(&key.as_str()));
    match operator {
        Some((operator, operand)) => format!("{variable} {operator} {operand}"),
        None => variable.to_owned(),
    }
}
