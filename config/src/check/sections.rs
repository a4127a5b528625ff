//! The sections that stand once in a file.

use jiff::tz::TimeZone;

use super::cross::{Marks, cross_check};
use super::recording::recording;
use super::section::{Found, Section};
use super::{applications, lists, similar};
use crate::dialplan::without_separators;
use crate::extension::{self, is_extension};
use crate::schema::{
    Bans, Codec, Config, DialPlan, Digest, Http, Journal, LogNumbers, Media, Registrar, Server,
    Sip, Srtp, Voicemail, WebRtc,
};

pub(super) const SRTP: [(&str, Srtp); 3] =
    [("off", Srtp::Off), ("optional", Srtp::Optional), ("required", Srtp::Required)];

const DAY: u64 = 86_400;

/// Reads a whole file.
pub(super) fn read(root: &Section<'_, '_>) -> Config {
    let server_section = root.table("server", "[server]");
    let http_section = root.table("http", "[http]");
    let api_section = root.table("api", "[api]");
    let voicemail_section = root.table("voicemail", "[voicemail]");
    let dialplan_section = root.table("dialplan", "[dialplan]");
    let cloud_section = root.table("cloud", "[cloud]");
    let dnis_section = root.table("dnis", "[dnis]");
    let take_back_section = root.table("take_back", "[take_back]");
    let media_section = root.table("media", "[media]");
    let webrtc_section = root.table("webrtc", "[webrtc]");
    let business_section = root.table("business", "[business]");
    let cloud = super::cloud::cloud(&cloud_section);
    let conference_section = root.table("conference", "[conference]");
    let mut config = Config {
        aws: applications::aws(&root.table("aws", "[aws]")),
        take_back: super::take_back::take_back(&take_back_section),
        dnis: super::take_back::dnis(&dnis_section),
        application_rules: applications::application_rules(
            &root.table("application_rules", "[application_rules]"),
        ),
        business: applications::business(&business_section),
        server: server(&server_section),
        http: http(&http_section),
        api: super::api::api(&api_section),
        sip: sip(&root.table("sip", "[sip]")),
        media: media(&media_section),
        webrtc: webrtc(&webrtc_section),
        registrar: registrar(&root.table("registrar", "[registrar]")),
        bans: bans(&root.table("bans", "[bans]")),
        voicemail: voicemail(&voicemail_section),
        speech: super::speech::speech(&root.table("speech", "[speech]")),
        recording: recording(&root.table("recording", "[recording]")),
        supervision: super::supervision::supervision(&root.table("supervision", "[supervision]")),
        conference: super::supervision::conferences(&conference_section, &cloud),
        cloud,
        dialplan: dialplan(&dialplan_section),
        screen_pop: super::screen::screen_pop(&root.table("screen_pop", "[screen_pop]")),
        journal: journal(&root.table("journal", "[journal]")),
        ..Config::default()
    };
    // Its numbers are read by the dial plan.
    let phonebook = root.table("phonebook", "[phonebook]");
    config.phonebook = super::screen::phonebook(&phonebook, &config.dialplan);
    let mut marks = Marks {
        http: http_section,
        api: api_section,
        media: media_section,
        webrtc: webrtc_section,
        voicemail: voicemail_section,
        dialplan: dialplan_section,
        cloud: cloud_section,
        dnis: dnis_section,
        take_back: take_back_section,
        listens: root.tables("listen", "[[listen]]").unwrap_or_default(),
        trunks: root.tables("trunk", "[[trunk]]").unwrap_or_default(),
        extensions: root.tables("extension", "[[extension]]").unwrap_or_default(),
        groups: root.tables("group", "[[group]]").unwrap_or_default(),
        supervisors: root.tables("supervisor", "[[supervisor]]").unwrap_or_default(),
        numbers: root.tables("number", "[[number]]").unwrap_or_default(),
        business: business_section,
        lambdas: root.tables("lambda", "[[lambda]]").unwrap_or_default(),
        webhooks: root.tables("webhook", "[[webhook]]").unwrap_or_default(),
        connections: root.tables("connection", "[[connection]]").unwrap_or_default(),
        buckets: root.tables("bucket", "[[bucket]]").unwrap_or_default(),
    };
    root.finish();
    if !marks.listens.is_empty() {
        config.listen.0 = lists::read_all(&mut marks.listens, lists::listen);
    }
    config.trunks = lists::read_all(&mut marks.trunks, lists::trunk);
    config.extensions = lists::read_all(&mut marks.extensions, lists::extension);
    config.groups = lists::read_all(&mut marks.groups, lists::group);
    config.supervisors = lists::read_all(&mut marks.supervisors, super::supervision::supervisor);
    config.numbers = lists::read_all(&mut marks.numbers, lists::number_rule);
    config.lambdas = lists::read_all(&mut marks.lambdas, applications::lambda);
    config.webhooks = lists::read_all(&mut marks.webhooks, applications::webhook);
    config.connections = lists::read_all(&mut marks.connections, super::connection::connection);
    config.buckets = lists::read_all(&mut marks.buckets, applications::bucket);
    if !root.reader.broken {
        cross_check(&config, &marks);
        super::speech::cross_check(&config, &marks);
        super::supervision::cross_check(&config, &marks);
        super::cloud::cross_check(&config, &marks);
    }
    config.trunks.sort_by_key(|trunk| trunk.order);
    config
}

fn server(s: &Section<'_, '_>) -> Server {
    let default = Server::default();
    let realm = s.text("realm").filter(|realm| {
        let bad = realm.value.contains(['"', '\\', ':']) || realm.value.contains(char::is_control);
        if bad {
            s.reader.add(realm.at, "`realm` must not hold quotes, backslashes or colons");
        }
        !bad
    });
    let server = Server {
        realm: realm.map_or(default.realm, |realm| realm.value),
        domains: values(s.texts("domains")),
        data_dir: s.path("data_dir").unwrap_or(default.data_dir),
        user_agent: s.text("user_agent").map_or(default.user_agent, |text| text.value),
        external_address: s.ip("external_address"),
        local_networks: s.parsed_list("local_networks").unwrap_or(default.local_networks),
        drain: s.seconds("drain_seconds", 0..=DAY).unwrap_or(default.drain),
        log_numbers: s
            .word("log_numbers", &[("masked", LogNumbers::Masked), ("full", LogNumbers::Full)])
            .unwrap_or_default(),
        time_zone: s.text("time_zone").and_then(|text| time_zone(s, &text)),
    };
    s.finish();
    server
}

/// A bad name is a problem, never silently UTC.
pub(super) fn time_zone(s: &Section<'_, '_>, text: &Found<String>) -> Option<TimeZone> {
    let Ok(zone) = TimeZone::get(&text.value) else {
        let message = format!("`time_zone`: there is no time zone \"{}\"", text.value);
        let names: Vec<String> = jiff::tz::db().available().map(|n| n.to_string()).collect();
        let meant = similar(&text.value, names.iter().map(String::as_str)).or_else(|| {
            let city = |name: &&String| name.rsplit('/').next() == Some(text.value.as_str());
            names.iter().find(city).map(String::as_str)
        });
        match meant {
            Some(name) => s.reader.suggest(text.at, message, format!("did you mean \"{name}\"?")),
            None => s.reader.suggest(text.at, message, "write it like \"America/New_York\""),
        }
        return None;
    };
    Some(zone)
}

fn http(s: &Section<'_, '_>) -> Http {
    let address = s.parsed("address").map_or(Http::default().address, |found| found.value);
    s.finish();
    Http { address }
}

fn webrtc(s: &Section<'_, '_>) -> WebRtc {
    let address = s.parsed("address").map_or(WebRtc::default().address, |found| found.value);
    s.finish();
    WebRtc { address }
}

fn sip(s: &Section<'_, '_>) -> Sip {
    let default = Sip::default();
    let sip = Sip {
        t1: s.millis("t1_ms", 50..=5_000).unwrap_or(default.t1),
        t2: s.millis("t2_ms", 100..=60_000).unwrap_or(default.t2),
        t4: s.millis("t4_ms", 100..=60_000).unwrap_or(default.t4),
        max_transactions: s
            .count("max_transactions", 10..=10_000_000)
            .unwrap_or(default.max_transactions),
        max_calls: s.count("max_calls", 1..=100_000).unwrap_or(default.max_calls),
        max_connections: s
            .count("max_connections", 1..=1_000_000)
            .unwrap_or(default.max_connections),
        max_message_bytes: s
            .count("max_message_bytes", 4_096..=1_048_576)
            .unwrap_or(default.max_message_bytes),
        session_expires: s
            .seconds_or_never("session_expires", 90..=DAY)
            .unwrap_or(default.session_expires),
        min_se: s.seconds("min_se", 90..=DAY).unwrap_or(default.min_se),
        reliable_provisional: s
            .flag("reliable_provisional")
            .unwrap_or(default.reliable_provisional),
        max_ring: s.seconds("max_ring_seconds", 5..=3_600).unwrap_or(default.max_ring),
        max_call: s.seconds_or_never("max_call_seconds", 60..=30 * DAY).unwrap_or(default.max_call),
        ca_files: s.certificates("ca_files").unwrap_or_default(),
    };
    if sip.t1 > sip.t2 {
        s.reader.add(s.at("t1_ms"), "`t1_ms` must not be above `t2_ms` (RFC 3261 §17.1.2.2)");
    }
    if sip.session_expires.is_some_and(|interval| interval < sip.min_se) {
        let message = "`session_expires` must not be below `min_se` (RFC 4028 §5)";
        s.reader.add(s.at("session_expires"), message);
    }
    s.finish();
    sip
}

fn media(s: &Section<'_, '_>) -> Media {
    let default = Media::default();
    let known = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus].map(|c| (c.as_str(), c));
    let codecs = s.words("codecs", &known);
    if let Some([]) = codecs.as_deref() {
        s.reader.add(s.at("codecs"), "`codecs` must name at least one codec");
    }
    let mut unique: Vec<Codec> = Vec::new();
    for codec in codecs.iter().flatten() {
        if unique.contains(&codec.value) {
            s.reader.add(codec.at, format!("`codecs` names {} twice", codec.value.as_str()));
        } else {
            unique.push(codec.value);
        }
    }
    let media = Media {
        ports: s.parsed("ports").map_or(default.ports, |found| found.value),
        threads: s.count("threads", 1..=64).unwrap_or(default.threads),
        address: s.ip("address"),
        codecs: if unique.is_empty() { default.codecs } else { unique },
        pass_through: s.flag("pass_through").unwrap_or(default.pass_through),
        srtp_phones: s.word("srtp_phones", &SRTP).unwrap_or(default.srtp_phones),
        silence_hangup: s
            .seconds_or_never("silence_hangup_seconds", 5..=DAY)
            .unwrap_or(default.silence_hangup),
        hold_music: s.music("hold_music").unwrap_or(default.hold_music),
        kernel_relay: s.flag("kernel_relay").unwrap_or(default.kernel_relay),
    };
    s.finish();
    media
}

fn registrar(s: &Section<'_, '_>) -> Registrar {
    let default = Registrar::default();
    let min_expires = s.seconds("min_expires", 1..=DAY).unwrap_or(default.min_expires);
    let max_expires = s.seconds("max_expires", 1..=30 * DAY).unwrap_or(default.max_expires);
    // What is not written follows what is: `max_expires = 600` alone must be right.
    let middle = default.default_expires.clamp(min_expires, max_expires.max(min_expires));
    let default_expires = s.seconds("default_expires", 1..=30 * DAY).unwrap_or(middle);
    if min_expires > max_expires {
        s.reader.add(s.at("min_expires"), "`min_expires` must not be above `max_expires`");
    } else if !(min_expires..=max_expires).contains(&default_expires) {
        let message = "`default_expires` must lie between `min_expires` and `max_expires`";
        s.reader.add(s.at("default_expires"), message);
    }
    let max_contacts = s.count("max_contacts", 1..=100).unwrap_or(default.max_contacts);
    let words = [("SHA-256", Digest::Sha256), ("MD5", Digest::Md5)];
    let digest = s.words("digest", &words).map(|found| found.iter().map(|d| d.value).collect());
    if digest.as_ref().is_some_and(Vec::is_empty) {
        s.reader.add(s.at("digest"), "`digest` must name at least one of \"SHA-256\", \"MD5\"");
    }
    let digest = digest.unwrap_or(default.digest);
    s.finish();
    Registrar { min_expires, max_expires, default_expires, max_contacts, digest }
}

fn bans(s: &Section<'_, '_>) -> Bans {
    let default = Bans::default();
    let failures = s.number("failures", 0..=1_000_000).and_then(|n| u32::try_from(n).ok());
    let bans = Bans {
        failures: failures.unwrap_or(default.failures),
        window: s.seconds("window_seconds", 1..=DAY).unwrap_or(default.window),
        ban: s.seconds("ban_seconds", 1..=365 * DAY).unwrap_or(default.ban),
        never: s.parsed_list("never").unwrap_or(default.never),
    };
    s.finish();
    bans
}

fn voicemail(s: &Section<'_, '_>) -> Voicemail {
    let default = Voicemail::default();
    let threshold = s.number("silence_threshold", 1..=32_767).and_then(|n| u16::try_from(n).ok());
    let voicemail = Voicemail {
        folder: s.path("folder"),
        after: s.seconds("after_seconds", 1..=300).unwrap_or(default.after),
        max: s.seconds("max_seconds", 1..=3_600).unwrap_or(default.max),
        min: s.seconds("min_seconds", 0..=60).unwrap_or(default.min),
        silence: s.seconds_or_never("silence_seconds", 1..=600).unwrap_or(default.silence),
        silence_threshold: threshold.unwrap_or(default.silence_threshold),
        max_messages: s.count("max_messages", 1..=100_000).unwrap_or(default.max_messages),
        menu_number: dialable(s, "menu_number").unwrap_or(default.menu_number),
        greeting: s.file("greeting"),
        greeting_text: s.spoken("greeting_text"),
        prompts: s.path("prompts"),
    };
    if voicemail.min >= voicemail.max {
        s.reader.add(s.at("min_seconds"), "`min_seconds` must be below `max_seconds`");
    }
    s.finish();
    voicemail
}

fn dialplan(s: &Section<'_, '_>) -> DialPlan {
    let default = DialPlan::default();
    let country_code = digits(s, "country_code", 1..=3);
    // Defaults of one country make no sense in another.
    let abroad = country_code.as_deref().is_some_and(|code| code != "1");
    let (national, international) = if abroad { ("0", "00") } else { ("1", "011") };
    let plan = DialPlan {
        country_code: country_code.unwrap_or(default.country_code),
        national_prefix: digits(s, "national_prefix", 0..=4).unwrap_or_else(|| national.to_owned()),
        international_prefix: digits(s, "international_prefix", 0..=5)
            .unwrap_or_else(|| international.to_owned()),
        area_code: digits(s, "area_code", 0..=6).unwrap_or_default(),
        emergency: short_numbers(s, "emergency").unwrap_or(default.emergency),
        service: short_numbers(s, "service").unwrap_or_default(),
        outside_prefix: digits(s, "outside_prefix", 0..=3).unwrap_or_default(),
    };
    if !plan.national_prefix.is_empty() && plan.national_prefix == plan.international_prefix {
        let message = "`national_prefix` and `international_prefix` must differ";
        s.reader.add(s.at("international_prefix"), message);
    }
    s.finish();
    plan
}

fn journal(s: &Section<'_, '_>) -> Journal {
    let default = Journal::default();
    let days = s.number("keep_days", 0..=36_500).and_then(|n| u32::try_from(n).ok());
    let journal = Journal {
        keep_days: days.unwrap_or(default.keep_days),
        keep_calls: s.number("keep_calls", 0..=1_000_000_000).unwrap_or(default.keep_calls),
    };
    s.finish();
    journal
}

/// A text of so many digits.
fn digits(
    s: &Section<'_, '_>,
    key: &'static str,
    length: std::ops::RangeInclusive<usize>,
) -> Option<String> {
    let text = s.any_text(key)?;
    let good = length.contains(&text.value.len()) && text.value.bytes().all(|b| b.is_ascii_digit());
    if !good {
        let (low, high) = length.into_inner();
        s.reader.add(text.at, format!("`{key}` must be {low} to {high} digits"));
    }
    good.then_some(text.value)
}

/// A list of numbers that are sent as dialled, without duplicates.
fn short_numbers(s: &Section<'_, '_>, key: &'static str) -> Option<Vec<String>> {
    let mut numbers: Vec<String> = Vec::new();
    for text in s.texts(key)? {
        let number = without_separators(&text.value);
        if !(2..=15).contains(&number.len()) || !number.bytes().all(|b| b.is_ascii_digit()) {
            let message = format!("`{key}`: \"{}\" must be 2 to 15 digits", text.value);
            s.reader.add(text.at, message);
        } else if numbers.contains(&number) {
            s.reader.add(text.at, format!("`{key}` names {number} twice"));
        } else {
            numbers.push(number);
        }
    }
    Some(numbers)
}

/// A number that a phone can dial.
pub(super) fn dialable(s: &Section<'_, '_>, key: &'static str) -> Option<String> {
    let text = s.text(key)?;
    let good = text.value.chars().all(crate::target::is_dialable) && text.value.len() <= 64;
    if !good {
        let message =
            format!("`{key}`: \"{}\" may hold only digits, letters, `*`, `#`", text.value);
        s.reader.add(text.at, message);
    }
    good.then_some(text.value)
}

/// An extension's name, or a reference to one.
pub(super) fn extension_name(s: &Section<'_, '_>, key: &'static str) -> Option<String> {
    let text = s.text(key)?;
    let good = is_extension(&text.value);
    if !good {
        s.reader.add(text.at, format!("`{key}`: \"{}\" {}", text.value, extension::RULE));
    }
    good.then_some(text.value)
}

fn values(found: Option<Vec<Found<String>>>) -> Vec<String> {
    found.into_iter().flatten().map(|found| found.value).collect()
}
