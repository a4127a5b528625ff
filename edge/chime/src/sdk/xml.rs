//! XML as the services answer it: elements and texts, of a bounded depth.

use quick_xml::events::Event;
use quick_xml::reader::Reader;
use serde_json::{Map, Value};

/// Deeper ones are no answers.
const MOST_DEPTH: usize = 64;

/// An element.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Node {
    name: String,
    text: String,
    children: Vec<Node>,
}

impl Node {
    /// A child by name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// As JSON. What is there more than once, or is named in `lists`, is an array; so are the
    /// `member`s of a list of AWS Query, and its `entry`s are an object.
    pub(super) fn value(&self, lists: &[&str]) -> Value {
        let all = |name: &str| self.children.iter().all(|child| child.name == name);
        if self.children.is_empty() {
            return Value::from(self.text.as_str());
        }
        if all("member") {
            return self.children.iter().map(|child| child.value(lists)).collect();
        }
        if all("entry") {
            let entry = |child: &Self| {
                let (key, value) = (child.child("key")?, child.child("value")?);
                Some((key.text.clone(), value.value(lists)))
            };
            return self.children.iter().filter_map(entry).collect();
        }
        let mut members = Map::new();
        for child in &self.children {
            let value = child.value(lists);
            match members.get_mut(&child.name) {
                None if lists.contains(&child.name.as_str()) => {
                    members.insert(child.name.clone(), Value::Array(vec![value]));
                }
                None => {
                    members.insert(child.name.clone(), value);
                }
                Some(Value::Array(several)) => several.push(value),
                Some(one) => *one = Value::Array(vec![one.take(), value]),
            }
        }
        Value::Object(members)
    }
}

/// Reads a document and gives its root.
pub(super) fn read(body: &[u8]) -> Result<Node, String> {
    let bad = |why: &dyn std::fmt::Display| format!("the service answered no XML: {why}");
    let text = std::str::from_utf8(body).map_err(|error| bad(&error))?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Node> = vec![Node::default()];
    loop {
        let event = reader.read_event().map_err(|error| bad(&error))?;
        match event {
            Event::Eof => break,
            Event::Start(start) => {
                if open.len() > MOST_DEPTH {
                    return Err(bad(&"it is too deep"));
                }
                open.push(named(start.local_name().as_ref()));
            }
            Event::Empty(start) => {
                let node = named(start.local_name().as_ref());
                open.last_mut().ok_or_else(|| bad(&"it has no root"))?.children.push(node);
            }
            Event::End(_) => {
                let node = open.pop().unwrap_or_default();
                open.last_mut().ok_or_else(|| bad(&"it has no root"))?.children.push(node);
            }
            other => {
                if let (Some(text), Some(node)) = (words(&other), open.last_mut()) {
                    node.text.push_str(&text);
                }
            }
        }
    }
    let mut root = open.pop().filter(|_| open.is_empty()).ok_or_else(|| bad(&"it is cut off"))?;
    root.children.pop().ok_or_else(|| bad(&"it is empty"))
}

fn named(name: &[u8]) -> Node {
    Node { name: String::from_utf8_lossy(name).into_owned(), ..Node::default() }
}

/// The text that an event stands for.
fn words(event: &Event<'_>) -> Option<String> {
    match event {
        Event::Text(text) => text.decode().ok().map(|text| text.trim_matches('\n').to_owned()),
        Event::CData(text) => text.decode().ok().map(std::borrow::Cow::into_owned),
        Event::GeneralRef(reference) => {
            if let Ok(Some(letter)) = reference.resolve_char_ref() {
                return Some(letter.to_string());
            }
            let name = reference.decode().ok()?;
            quick_xml::escape::resolve_predefined_entity(&name).map(str::to_owned)
        }
        _ => None,
    }
}

/// The code and the message of an error in XML: of S3, or of AWS Query.
pub(crate) fn error(body: &[u8]) -> Option<(String, String)> {
    let root = read(body).ok()?;
    let error = if root.name == "Error" { &root } else { root.child("Error")? };
    let code = error.child("Code")?.text.clone();
    let message = error.child("Message").map(|message| message.text.clone());
    Some((code, message.unwrap_or_default()))
}
