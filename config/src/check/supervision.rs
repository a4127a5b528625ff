//! `[supervision]`, `[[supervisor]]`, `[conference]`.

use super::cloud::{are_alike, is_feature_code};
use super::cross::{Marks, extension_exists, first_or_problem, named};
use super::section::Section;
use super::sections::{dialable, extension_name};
use crate::extension::is_extension;
use crate::schema::{
    Cloud, Conferences, Config, Notice, Supervised, Supervising, Supervision, Supervisor,
};

const MAY: [(&str, Supervising); 3] = [
    ("listen", Supervising::Listen),
    ("whisper", Supervising::Whisper),
    ("barge", Supervising::Barge),
];

pub(super) fn supervision(s: &Section<'_, '_>) -> Supervision {
    let default = Supervision::default();
    let words = [("none", Notice::Nothing), ("beep", Notice::Beep)];
    let supervision = Supervision {
        code: dialable(s, "code").unwrap_or(default.code),
        notice: s.word("notice", &words).unwrap_or(default.notice),
        announcement: s.spoken("announcement"),
    };
    s.finish();
    supervision
}

/// A code that nobody wrote makes way for that of `[cloud]`.
pub(super) fn conferences(s: &Section<'_, '_>, cloud: &Cloud) -> Conferences {
    let default = Conferences::default();
    let factory = dialable(s, "factory").unwrap_or(default.factory);
    let code = match dialable(s, "code") {
        Some(code) if code == "none" => String::new(),
        Some(code) if is_feature_code(s, &code) => code,
        None if cloud.transfers && are_alike(&cloud.code, &default.code) => String::new(),
        _ => default.code,
    };
    s.finish();
    Conferences { factory, code }
}

pub(super) fn supervisor(s: &Section<'_, '_>) -> Option<Supervisor> {
    let extension = extension_name(s, "extension");
    if !s.has("extension") {
        s.missing("extension", "\"100\"");
    }
    let of = s.texts("of");
    if !s.has("of") {
        s.missing("of", "[\"101\", \"group:sales\"]  (or [\"*\"] for all)");
    } else if of.as_ref().is_some_and(Vec::is_empty) {
        s.reader.add(s.at("of"), "`of` must name at least one extension or group");
    }
    let mut whom = Vec::new();
    for found in of.into_iter().flatten() {
        let text = found.value;
        whom.push(match text.strip_prefix("group:") {
            Some(name) => Supervised::Group(name.to_owned()),
            None if text == "*" => Supervised::Everybody,
            None => {
                if !is_extension(&text) {
                    let message = format!("`of`: \"{text}\" is no extension");
                    let remedy = "write \"101\", \"group:NAME\" or \"*\"";
                    s.reader.suggest(found.at, message, remedy);
                }
                Supervised::Extension(text)
            }
        });
    }
    let may = s.words("may", &MAY).map(|words| words.iter().map(|word| word.value).collect());
    let may = may.unwrap_or_else(|| MAY.map(|(_, way)| way).to_vec());
    Some(Supervisor { extension: extension.unwrap_or_default(), of: whom, may })
}

/// Whether those are there who are named.
pub(super) fn cross_check(config: &Config, marks: &Marks<'_, '_>) {
    let mut seen = std::collections::HashMap::new();
    for (supervisor, section) in config.supervisors.iter().zip(&marks.supervisors) {
        let number = &supervisor.extension;
        first_or_problem(&mut seen, number, section, "extension", "supervisor");
        if !number.is_empty() {
            extension_exists(config, section, section.at("extension"), "extension", number);
        }
        for (i, whom) in supervisor.of.iter().enumerate() {
            match whom {
                Supervised::Everybody => {}
                Supervised::Extension(number) => {
                    extension_exists(config, section, section.at_item("of", i), "of", number);
                }
                Supervised::Group(name) => {
                    let groups = config.groups.iter().map(|group| group.name.as_str());
                    named(section, "of", "group", name, groups);
                }
            }
        }
    }
}
