//! `[cloud]`.

use std::collections::BTreeMap;

use super::cross::{Marks, named};
use super::lists::e164;
use super::section::{Found, Section};
use super::sections::dialable;
use crate::schema::{Attended, AttributeText, Cloud, Config, Fact};
use crate::target::{Origin, Pattern};

/// Characters of an attribute's text: Connect keeps 32 KiB of a contact's attributes in all.
const MOST_TEXT: usize = 1_000;
/// Attributes.
const MOST: usize = 20;

pub(super) fn cloud(s: &Section<'_, '_>) -> Cloud {
    let default = Cloud::default();
    let trunks = s.texts("trunks").map(|names| names.into_iter().map(|n| n.value).collect());
    let transaction_header = custom_header(s, "transaction_header");
    let transaction_header = transaction_header.unwrap_or(default.transaction_header);
    let application_header = custom_header(s, "application_header");
    let application_header = application_header.unwrap_or(default.application_header);
    if transaction_header.eq_ignore_ascii_case(&application_header) {
        let message = "`transaction_header` and `application_header` are the same header";
        s.reader.add(s.at("application_header"), message);
    }
    let application = application(s);
    let from_number = e164(s, "from_number");
    if from_number.is_some() && !s.has("sip_media_application_id") {
        s.missing("sip_media_application_id", "\"0a1b2c3d-4e5f-6789-abcd-ef0123456789\"");
    }
    let voice_connector_arn = connector(s);
    if from_number.is_some() && !s.has("voice_connector_arn") {
        s.missing("voice_connector_arn", "\"arn:aws:chime:us-east-1:111122223333:vc/abcdefghij\"");
    }
    let code = dialable(s, "code").filter(|code| is_feature_code(s, code));
    let attended = s.word("attended", &[("join", Attended::Join), ("move", Attended::Move)]);
    let cloud = Cloud {
        trunks,
        transaction_header,
        application_header,
        application,
        transfers: s.flag("transfers").unwrap_or(default.transfers),
        code: code.unwrap_or(default.code),
        attended: attended.unwrap_or(default.attended),
        attended_words: s.spoken_or_nothing("attended_words").unwrap_or(default.attended_words),
        answer: s.seconds("answer_seconds", 1..=30).unwrap_or(default.answer),
        bye: s.seconds("bye_seconds", 2..=120).unwrap_or(default.bye),
        attributes: attributes(s),
        attributes_required: s.flag("attributes_required").unwrap_or(default.attributes_required),
        from_number,
        voice_connector_arn,
    };
    s.finish();
    cloud
}

/// An application's id.
fn application(s: &Section<'_, '_>) -> Option<String> {
    s.text("sip_media_application_id").and_then(|text| {
        let good = text.value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !good {
            let message = format!("`sip_media_application_id`: \"{}\" is no id", text.value);
            let remedy = "write it like \"0a1b2c3d-4e5f-6789-abcd-ef0123456789\"";
            s.reader.suggest(text.at, message, remedy);
        }
        good.then_some(text.value)
    })
}

/// The ARN of a Voice Connector.
fn connector(s: &Section<'_, '_>) -> Option<String> {
    s.text("voice_connector_arn").and_then(|text| {
        let good = text.value.starts_with("arn:") && text.value.contains(":vc/");
        if !good {
            let message = format!("`voice_connector_arn`: \"{}\" is no ARN of one", text.value);
            let remedy = "write it like \"arn:aws:chime:us-east-1:111122223333:vc/abcdefghij…\"";
            s.reader.suggest(text.at, message, remedy);
        }
        good.then_some(text.value)
    })
}

/// The name of a custom header: `X-` and letters, digits, `-`, `_` and `.` (of RFC 3261's token).
pub(super) fn custom_header(s: &Section<'_, '_>, key: &'static str) -> Option<String> {
    let text = s.text(key)?;
    let custom = text.value.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"));
    let token = text.value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let good = custom && token && text.value.len() > 2;
    if !good {
        let message = format!("`{key}`: \"{}\" is no name of a custom header", text.value);
        s.reader.suggest(text.at, message, "write it like \"X-Transaction-Id\"");
    }
    good.then_some(text.value)
}

/// Whether keys are such that no number begins with them.
pub(super) fn is_feature_code(s: &Section<'_, '_>, code: &str) -> bool {
    let good = code.starts_with('*') && code.len() > 1 && !code.contains('#');
    if !good {
        let message = format!("`code`: \"{code}\" must begin with `*` and have no `#`");
        s.reader.suggest(s.at("code"), message, "write it like \"*8\"");
    }
    good
}

/// Whether one code is the beginning of the other; an empty one is none.
pub(super) fn are_alike(code: &str, other: &str) -> bool {
    let none = code.is_empty() || other.is_empty();
    !none && (code.starts_with(other) || other.starts_with(code))
}

fn attributes(s: &Section<'_, '_>) -> BTreeMap<String, AttributeText> {
    let mut attributes = BTreeMap::new();
    let texts = s.texts_by_name("attributes");
    if texts.len() > MOST {
        let message = format!("`attributes`: more than {MOST}");
        s.reader.add(s.at("attributes"), message);
    }
    for (name, text) in texts {
        let named = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if name.is_empty() || !named {
            let message = format!("`attributes`: \"{name}\" is no name of an attribute");
            s.reader.suggest(text.at, message, "letters, digits, `-` and `_`");
        } else if let Some(text) = attribute(s, &name, text) {
            attributes.insert(name, text);
        }
    }
    attributes
}

fn attribute(s: &Section<'_, '_>, name: &str, text: Found<String>) -> Option<AttributeText> {
    if text.value.chars().count() > MOST_TEXT {
        let message = format!("`attributes`: {name} is longer than {MOST_TEXT} characters");
        s.reader.add(text.at, message);
        return None;
    }
    let mut rest = text.value.as_str();
    while let Some((_, from)) = rest.split_once('{') {
        let word = from.split_once('}').map(|(word, _)| format!("{{{word}}}"));
        let known = word.as_ref().is_some_and(|w| Fact::ALL.iter().any(|(fact, _)| fact == w));
        if !known {
            let word = word.unwrap_or_else(|| "{".to_owned());
            let all: Vec<&str> = Fact::ALL.iter().map(|(fact, _)| *fact).collect();
            let message = format!("`attributes`: {name}: nothing is called {word}");
            s.reader.suggest(text.at, message, format!("there are {}", all.join(", ")));
            return None;
        }
        rest = from;
    }
    Some(AttributeText(text.value))
}

/// Whether those are there who are named, and whether anybody is.
pub(super) fn cross_check(config: &Config, marks: &Marks<'_, '_>) {
    let section = &marks.cloud;
    for name in config.cloud.trunks.iter().flatten() {
        named(section, "trunks", "trunk", name, config.trunks.iter().map(|t| t.name.as_str()));
    }
    if config.cloud.transfers && !config.trunks.iter().any(|t| config.believes_cloud(&t.name)) {
        let message = "`transfers`: no trunk brings calls that the cloud has";
        let remedy = "have a [[trunk]] with type = \"voice_connector\", or name some in `trunks`";
        section.reader.suggest(section.at("transfers"), message, remedy);
    }
    if config.cloud.transfers {
        code_is_no_number(config, section);
    }
}

/// Nothing that a phone may dial begins with the code: it would be one thing or the other.
fn code_is_no_number(config: &Config, section: &Section<'_, '_>) {
    let code = config.cloud.code.as_str();
    let clash = |what: String| {
        let message = format!("`code`: {code} cannot be told from {what}");
        section.reader.suggest(section.at("code"), message, "take another code");
    };
    let codes = [
        (&config.supervision.code, "[supervision]'s"),
        (&config.voicemail.menu_number, "[voicemail]'s"),
        (&config.conference.code, "[conference]'s"),
    ];
    for (other, what) in codes.into_iter().filter(|(other, _)| are_alike(code, other)) {
        clash(format!("{what} {other}"));
    }
    let extensions = config.extensions.iter().map(|e| ("extension", e.number.as_str()));
    let groups = config.groups.iter().filter_map(|g| Some(("group", g.number.as_deref()?)));
    let factory = [("[conference] factory", config.conference.factory.as_str())];
    let service = config.dialplan.service.iter().map(|n| ("[dialplan] service", n.as_str()));
    let outside = [("[dialplan] outside_prefix", config.dialplan.outside_prefix.as_str())];
    let dialled = config.numbers.iter().filter(|rule| rule.from.covers(Origin::Phone));
    let rules = dialled.map(|rule| match &rule.pattern {
        Pattern::Exact(number) | Pattern::Prefix(number) => ("[[number]]", number.as_str()),
    });
    let all = extensions.chain(groups).chain(factory).chain(service).chain(outside).chain(rules);
    for (what, number) in all.filter(|(_, number)| number.starts_with(code)) {
        clash(format!("{what} {number}"));
    }
}
