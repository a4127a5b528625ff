//! `[aws]`, `[[lambda]]`, `[[webhook]]`, `[[bucket]]`, `[business]`.

use std::time::Duration;

use super::lists::{e164, name};
use super::recording::{object_store, store, web_server};
use super::section::Section;
use super::sections::time_zone;
use crate::business::{Calendar, Holiday, Hours};
use crate::dialplan::{is_e164, without_separators};
use crate::extension::is_extension;
use crate::schema::{
    ApplicationRules, Aws, AwsKeys, Bucket, BucketPlace, BucketStore, Business, Lambda, Webhook,
};
use crate::secret::Secret;

const SECRET_KEY: [&str; 3] = ["secret_key", "secret_key_file", "secret_key_env"];
const SESSION: [&str; 3] = ["session_token", "session_token_file", "session_token_env"];
const SIGNING: [&str; 3] = ["secret", "secret_file", "secret_env"];
/// What a bucket keeps on this machine: prompts of an hour at 8 kHz, PCM of 16 bits, are 55 MiB.
const CACHE_MEGABYTES: u64 = 256;
const CACHE_TIME: Duration = Duration::from_secs(60);
/// A shorter secret can be guessed.
const SHORTEST_SECRET: usize = 16;

pub(super) fn aws(s: &Section<'_, '_>) -> Aws {
    let default = Aws::default();
    let aws = Aws {
        region: region(s).unwrap_or(default.region),
        account: account(s).unwrap_or(default.account),
        keys: keys(s),
        profile: s.text("profile").map(|text| text.value),
        endpoint: web_server(s, "endpoint"),
        pass_on: s.flag("pass_on").unwrap_or(default.pass_on),
    };
    if aws.profile.is_some() && aws.keys.is_some() {
        s.reader.add(s.at("profile"), "only one of `profile` and `access_key` may be given");
    }
    s.finish();
    aws
}

pub(super) fn application_rules(s: &Section<'_, '_>) -> ApplicationRules {
    let default = ApplicationRules::default();
    let rules = ApplicationRules {
        attributes_merge: s.flag("attributes_merge").unwrap_or(default.attributes_merge),
        max_attributes: s.count("max_attributes", 1..=100).unwrap_or(default.max_attributes),
        empty_list_stops: s.flag("empty_list_stops").unwrap_or(default.empty_list_stops),
        mid_list_reports: s.flag("mid_list_reports").unwrap_or(default.mid_list_reports),
        leg_b_hangup_reports: s
            .flag("leg_b_hangup_reports")
            .unwrap_or(default.leg_b_hangup_reports),
        sole_leg_hangup_reports: s
            .flag("sole_leg_hangup_reports")
            .unwrap_or(default.sole_leg_hangup_reports),
        no_action_ends_call: s.flag("no_action_ends_call").unwrap_or(default.no_action_ends_call),
        invalid_replies_told: s
            .flag("invalid_replies_told")
            .unwrap_or(default.invalid_replies_told),
        update_stops_speech: s.flag("update_stops_speech").unwrap_or(default.update_stops_speech),
        pause_answers: s.flag("pause_answers").unwrap_or(default.pause_answers),
    };
    s.finish();
    rules
}

fn region(s: &Section<'_, '_>) -> Option<String> {
    let text = s.text("region")?;
    let good =
        text.value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !good {
        let message = format!("`region`: \"{}\" is no region of AWS", text.value);
        s.reader.suggest(text.at, message, "write it like \"us-east-1\"");
    }
    good.then_some(text.value)
}

fn account(s: &Section<'_, '_>) -> Option<String> {
    let text = s.text("account")?;
    let good = text.value.len() == 12 && text.value.bytes().all(|b| b.is_ascii_digit());
    if !good {
        s.reader.add(text.at, "`account` must be the 12 digits of an AWS account, in quotes");
    }
    good.then_some(text.value)
}

fn keys(s: &Section<'_, '_>) -> Option<AwsKeys> {
    let id = s.text("access_key").map(|text| text.value);
    let (secret, session) = (s.secret(SECRET_KEY), s.secret(SESSION));
    let has_secret = SECRET_KEY.iter().any(|key| s.has(key));
    match (s.has("access_key"), has_secret) {
        (true, false) => s.missing("secret_key", "\"…\"  (or secret_key_file, secret_key_env)"),
        (false, true) => s.missing("access_key", "\"AKIA…\""),
        _ => {}
    }
    let (id, secret) = id.zip(secret)?;
    Some(AwsKeys { id, secret, session })
}

pub(super) fn lambda(s: &Section<'_, '_>) -> Option<Lambda> {
    let name = name(s);
    let function = s.text("function").map(|text| text.value);
    if !s.has("function") {
        s.missing("function", "\"arn:aws:lambda:us-east-1:111122223333:function:menu\"");
    }
    Some(Lambda {
        name: name.unwrap_or_default(),
        function: function.unwrap_or_default(),
        qualifier: s.text("qualifier").map(|text| text.value),
        endpoint: web_server(s, "endpoint"),
    })
}

/// `url` of a web server that is told of calls. `needed`: it has to be there.
pub(super) fn protected_url(s: &Section<'_, '_>, like: &str, needed: bool) -> Option<String> {
    let text = s.text("url");
    if needed && !s.has("url") {
        s.missing("url", &format!("\"{like}\""));
    }
    let text = text?;
    let https = text.value.starts_with("https://");
    // Without TLS only where nobody can listen.
    let here = ["http://127.", "http://localhost", "http://[::1]"];
    let good = https || here.iter().any(|start| text.value.starts_with(start));
    if !good {
        let message = format!("`url`: \"{}\" is not https", text.value);
        s.reader.suggest(text.at, message, "http is for 127.0.0.1 only");
    }
    good.then_some(text.value)
}

/// The secret that what is sent is signed with; it has to be there.
pub(super) fn signing_secret(s: &Section<'_, '_>) -> Option<Secret> {
    let secret = s.secret(SIGNING);
    let given = SIGNING.into_iter().find(|key| s.has(key));
    if given.is_none() {
        s.missing("secret_file", "\"webhook-secret\"  (or secret_env, secret)");
    }
    if let (Some(secret), Some(key)) = (&secret, given)
        && secret.expose().len() < SHORTEST_SECRET
    {
        let message = format!("`{key}` must be {SHORTEST_SECRET} characters or longer");
        s.reader.suggest(s.at(key), message, "openssl rand -hex 32 makes a good one");
    }
    secret
}

pub(super) fn webhook(s: &Section<'_, '_>) -> Option<Webhook> {
    let name = name(s);
    let url = protected_url(s, "https://example.com/calls", true);
    let secret = signing_secret(s);
    Some(Webhook {
        name: name.unwrap_or_default(),
        url: url.unwrap_or_default(),
        secret: secret.unwrap_or_else(|| Secret::new(String::new())),
        ca_file: s.file("ca_file"),
    })
}

pub(super) fn bucket(s: &Section<'_, '_>) -> Option<Bucket> {
    let name = name(s).unwrap_or_default();
    let store = store(s);
    let folder = s.path("folder");
    let objects = object_store(s, store, &["cache_megabytes", "cache_seconds"], Some(name.clone()));
    let megabytes = s.number("cache_megabytes", 1..=1 << 20).unwrap_or(CACHE_MEGABYTES);
    let cache_time = s.seconds("cache_seconds", 0..=86_400).unwrap_or(CACHE_TIME);
    let place = match objects {
        Some(store) => {
            if s.has("folder") {
                s.reader.add(s.at("folder"), "`folder` is for store = \"folder\" only");
            }
            BucketPlace::S3(BucketStore { store, cache_bytes: megabytes << 20, cache_time })
        }
        None => {
            if !s.has("folder") {
                s.missing("folder", "\"/srv/prompts\"  (or store = \"s3\")");
            }
            BucketPlace::Folder(folder.unwrap_or_default())
        }
    };
    Some(Bucket { name, place })
}

pub(super) fn business(s: &Section<'_, '_>) -> Business {
    let business = Business {
        name: s.spoken("name").unwrap_or_default(),
        number: e164(s, "number").unwrap_or_default(),
        owner: owner(s).unwrap_or_default(),
        pin_of: s.text("pin_of").map(|text| text.value),
        calendar: Calendar {
            hours: s.parsed_list::<Hours>("hours").unwrap_or_default(),
            holidays: s.parsed_list::<Holiday>("holidays").unwrap_or_default(),
        },
        time_zone: s.text("time_zone").and_then(|text| time_zone(s, &text)),
    };
    s.finish();
    business
}

/// An extension of the office, or a number outside.
fn owner(s: &Section<'_, '_>) -> Option<String> {
    let text = s.text("owner")?;
    let number = without_separators(&text.value);
    if is_e164(&number) {
        return Some(number);
    }
    if !is_extension(&text.value) {
        let message = format!("`owner`: \"{}\" is no extension and no number in E.164", text.value);
        s.reader.suggest(text.at, message, "write it like \"101\" or \"+15551230000\"");
        return None;
    }
    Some(text.value)
}
