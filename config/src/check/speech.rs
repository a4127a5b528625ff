//! `[speech]`, and what needs it.

use super::cross::Marks;
use super::section::Section;
use crate::schema::{Config, Speech, SpeechEngine};
use crate::target::Target;

const SECRET: [&str; 3] = ["polly_secret", "polly_secret_file", "polly_secret_env"];

pub(super) fn speech(s: &Section<'_, '_>) -> Speech {
    let default = Speech::default();
    let engines = [
        ("off", SpeechEngine::Off),
        ("local", SpeechEngine::Local),
        ("polly", SpeechEngine::Polly),
    ];
    let word = |key: &'static str, what: &str| {
        let text = s.text(key)?;
        let good = text.value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !good {
            s.reader.add(text.at, format!("`{key}`: \"{}\" is no {what}", text.value));
        }
        good.then_some(text.value)
    };
    let speech = Speech {
        engine: s.word("engine", &engines).unwrap_or(default.engine),
        voice: word("voice", "voice of Amazon Polly").unwrap_or(default.voice),
        patience: s.seconds("timeout_seconds", 1..=60).unwrap_or(default.patience),
        at_once: s.count("at_once", 1..=64).unwrap_or(default.at_once),
        cache_megabytes: s
            .number("cache_megabytes", 0..=100_000)
            .unwrap_or(default.cache_megabytes),
        polly_region: word("polly_region", "region of AWS").unwrap_or(default.polly_region),
        polly_endpoint: endpoint(s),
        polly_key: s.text("polly_key").map(|text| text.value),
        polly_secret: s.secret(SECRET),
    };
    if speech.engine == SpeechEngine::Polly {
        if !s.has("polly_key") {
            s.missing("polly_key", "\"AKIA…\"");
        }
        if !SECRET.iter().any(|key| s.has(key)) {
            s.missing("polly_secret_file", "\"polly-secret\"  (or polly_secret_env, polly_secret)");
        }
    }
    s.finish();
    speech
}

fn endpoint(s: &Section<'_, '_>) -> Option<String> {
    let text = s.text("polly_endpoint")?;
    let host = ["https://", "http://"].iter().find_map(|scheme| text.value.strip_prefix(scheme));
    let good = host.is_some_and(|host| {
        let host = host.strip_suffix('/').unwrap_or(host);
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && !b"/?#@".contains(&b))
    });
    if !good {
        let message = format!("`polly_endpoint`: \"{}\" is no address of a service", text.value);
        let remedy = "for example: https://polly.eu-central-1.amazonaws.com";
        s.reader.suggest(text.at, message, remedy);
    }
    good.then_some(text.value)
}

/// Texts are told that nothing speaks, and greetings that are given twice.
pub(super) fn cross_check(config: &Config, marks: &Marks<'_, '_>) {
    let mut texts: Vec<(&Section<'_, '_>, &str)> = Vec::new();
    if config.voicemail.greeting_text.is_some() {
        texts.push((&marks.voicemail, "greeting_text"));
        if marks.voicemail.has("greeting") {
            let message = "only one of `greeting` and `greeting_text` may be given";
            marks.voicemail.reader.add(marks.voicemail.at("greeting_text"), message);
        }
    }
    for (extension, section) in config.extensions.iter().zip(&marks.extensions) {
        if extension.greeting_text.is_some() {
            texts.push((section, "greeting_text"));
        }
    }
    for (rule, section) in config.numbers.iter().zip(&marks.numbers) {
        if matches!(rule.to, Target::Say(_)) {
            texts.push((section, "to"));
        }
    }
    if config.speech.engine != SpeechEngine::Off {
        return;
    }
    for (section, key) in texts {
        let message = format!("`{key}`: nothing speaks, since [speech] engine is \"off\"");
        section.reader.suggest(section.at(key), message, "write engine = \"local\" there");
    }
}
