//! `[take_back]` and `[dnis]`.

use super::cloud::custom_header;
use super::cross::Marks;
use super::lists::{e164, e164_list};
use super::recording::web_server;
use super::section::Section;
use crate::dialplan::is_e164;
use crate::extension::is_extension;
use crate::schema::{Config, Dnis, Keeper, PassBy, TakeBack};

const POSTGRES: [&str; 3] = ["postgres", "postgres_file", "postgres_env"];
/// Pairs of numbers: each of ours with each of Connect's.
const MOST_PAIRS: usize = 5_000;

pub(super) fn take_back(s: &Section<'_, '_>) -> TakeBack {
    let default = TakeBack::default();
    let queue = web_server(s, "queue");
    // SQS names a queue `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`.
    if let Some(url) = &queue
        && url.split('/').skip(3).filter(|part| !part.is_empty()).count() < 2
    {
        let message = format!("`queue`: \"{url}\" names no queue");
        let remedy = "write it like \"https://sqs.us-east-1.amazonaws.com/111122223333/take-back\"";
        s.reader.suggest(s.at("queue"), message, remedy);
    }
    let table = s.flag("table").unwrap_or(default.table);
    let table_interval =
        s.millis("table_interval_ms", 100..=10_000).unwrap_or(default.table_interval);
    let max_age = s.seconds("max_age_seconds", 1..=3_600).unwrap_or(default.max_age);
    let connect = e164(s, "connect");
    let trunk = s.text("trunk").map(|text| text.value);
    let pass = s.word("pass", &[("header", PassBy::Header), ("user-to-user", PassBy::UserToUser)]);
    let header = custom_header(s, "header");
    if !s.has("connect") && ["trunk", "pass", "header"].iter().any(|key| s.has(key)) {
        s.missing("connect", "\"+12065550100\"  (Connect's number)");
    }
    s.finish();
    TakeBack {
        queue,
        table,
        table_interval,
        max_age,
        connect,
        trunk,
        pass: pass.unwrap_or_default(),
        header: header.unwrap_or(default.header),
    }
}

/// The table that is looked into is the one that keeps the pairs.
pub(super) fn cross_check(config: &Config, marks: &Marks<'_, '_>) {
    let kept_there = matches!(config.dnis.keeper, Keeper::DynamoDb(_));
    if let Some(trunk) = &config.take_back.trunk
        && config.trunk(trunk).is_none()
    {
        let message = format!("`trunk`: there is no [[trunk]] \"{trunk}\"");
        marks.take_back.reader.add(marks.take_back.at("trunk"), message);
    }
    let leases = kept_there && !config.dnis.our_numbers.is_empty();
    if config.take_back.table && !leases {
        let message = "`table`: [dnis] leases no pairs from a table that could be looked into";
        let remedy = "name it in [dnis] `table`, with `our_numbers` and `connect_numbers`";
        marks.take_back.reader.suggest(marks.take_back.at("table"), message, remedy);
    }
}

pub(super) fn dnis(s: &Section<'_, '_>) -> Dnis {
    let default = Dnis::default();
    let our_numbers = e164_list(s, "our_numbers");
    let connect_numbers = e164_list(s, "connect_numbers");
    for (name, other) in [("our_numbers", "connect_numbers"), ("connect_numbers", "our_numbers")] {
        if s.has(name) && !s.has(other) {
            s.missing(other, "[\"+15550100100\"]");
        }
    }
    if our_numbers.len().saturating_mul(connect_numbers.len()) > MOST_PAIRS {
        let message =
            format!("`our_numbers` and `connect_numbers` make more than {MOST_PAIRS} pairs");
        s.reader.add(s.at("our_numbers"), message);
    }
    let keeper = keeper(s);
    let name = s.text("name").map(|text| text.value);
    if keeper != Keeper::Here && !s.has("name") {
        // What a box of this name had leased is given back when it starts.
        s.missing("name", "\"office-1\"");
    }
    let otherwise = s.text("otherwise").and_then(|text| {
        let good = is_extension(&text.value) || is_e164(&text.value);
        if !good {
            let message =
                format!("`otherwise`: \"{}\" is no extension and no number in E.164", text.value);
            s.reader.add(text.at, message);
        }
        good.then_some(text.value)
    });
    let voicemail = s.text("voicemail").and_then(|text| {
        let good = is_extension(&text.value);
        if !good {
            let message = format!("`voicemail`: \"{}\" is no extension", text.value);
            s.reader.add(text.at, message);
        }
        good.then_some(text.value)
    });
    let seconds = |key, range, usual| s.seconds(key, range).unwrap_or(usual);
    let dnis = Dnis {
        // Connect is called for thirty seconds, after some words.
        ringing_lease: seconds("ringing_lease_seconds", 60..=3_600, default.ringing_lease),
        lease: seconds("lease_seconds", 60..=86_400, default.lease),
        wait: seconds("wait_seconds", 0..=600, default.wait),
        name: name.unwrap_or(default.name),
        our_numbers,
        connect_numbers,
        keeper,
        wait_music: s.flag("wait_music").unwrap_or(default.wait_music),
        otherwise,
        voicemail,
    };
    s.finish();
    dnis
}

fn keeper(s: &Section<'_, '_>) -> Keeper {
    let table = s.text("table");
    let postgres = s.secret(POSTGRES);
    match (table, postgres) {
        (Some(table), Some(_)) => {
            s.reader.add(table.at, "only one of `table` and `postgres` may be given");
            Keeper::DynamoDb(table.value)
        }
        (Some(table), None) => Keeper::DynamoDb(table.value),
        (None, Some(address)) => Keeper::Postgres(address),
        (None, None) => Keeper::Here,
    }
}
