//! The sections that may stand any number of times: listen, trunk, extension, group, number.

use std::time::Duration;

use super::recording::record;
use super::section::Section;
use super::sections::{SRTP, dialable, extension_name};
use crate::dialplan::{is_e164, without_separators};
use crate::schema::{
    Extension, ExtensionCredentials, Group, Listen, NumberRule, Srtp, Strategy, TlsFiles, Transport,
};
use crate::secret::Secret;
use crate::target::{Pattern, RuleOrigin, Target};
use crate::trunk::{DialTemplate, HostPort, Register, Trunk, TrunkCredentials, TrunkKind};
use crate::voice_connector::Region;

const TRANSPORTS: [(&str, Transport); 3] =
    [("udp", Transport::Udp), ("tcp", Transport::Tcp), ("tls", Transport::Tls)];
const LISTENED: [(&str, Transport); 4] = [
    ("udp", Transport::Udp),
    ("tcp", Transport::Tcp),
    ("tls", Transport::Tls),
    ("wss", Transport::Wss),
];
const PASSWORD: [&str; 3] = ["password", "password_file", "password_env"];

/// Reads each section; those of which nothing can be made are dropped from both lists, so that
/// items and sections stay side by side.
pub(super) fn read_all<'d, 'i, T>(
    sections: &mut Vec<Section<'d, 'i>>,
    read: fn(&Section<'d, 'i>) -> Option<T>,
) -> Vec<T> {
    let mut items = Vec::with_capacity(sections.len());
    sections.retain(|section| {
        let item = read(section);
        section.finish();
        let kept = item.is_some();
        items.extend(item);
        kept
    });
    items
}

pub(super) fn listen(s: &Section<'_, '_>) -> Option<Listen> {
    let transport = s.word("transport", &LISTENED);
    if !s.has("transport") {
        s.missing("transport", "\"udp\"");
    }
    let address = s.parsed("address").map(|found| found.value);
    if !s.has("address") {
        s.missing("address", "\"0.0.0.0:5060\"");
    }
    let external_address = s.ip("external_address");
    let (certificate, key) = (s.file("certificate"), s.file("key"));
    let origins = origins(s);
    let transport = transport?;
    if transport != Transport::Wss && s.has("origins") {
        s.reader.add(s.at("origins"), "`origins` is for transport = \"wss\" only");
    }
    if matches!(transport, Transport::Tls | Transport::Wss) {
        for (name, file) in [("certificate", &certificate), ("key", &key)] {
            if file.is_none() && !s.has(name) {
                s.missing(name, "\"/etc/offhook/server.pem\"");
            }
        }
    } else if let Some(name) = ["certificate", "key"].into_iter().find(|name| s.has(name)) {
        let message = format!("`{name}` is for transport = \"tls\" and \"wss\" only");
        s.reader.add(s.at(name), message);
    }
    let tls = certificate.zip(key).map(|(certificate, key)| TlsFiles { certificate, key });
    Some(Listen { transport, address: address?, external_address, tls, origins })
}

/// Origins as browsers write them (RFC 6454 §6.2): scheme, host and a port that is not the usual.
fn origins(s: &Section<'_, '_>) -> Vec<String> {
    let mut origins = Vec::new();
    for (index, found) in s.texts("origins").unwrap_or_default().into_iter().enumerate() {
        let text = found.value.to_ascii_lowercase();
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        match host.filter(|host| !host.is_empty() && !host.contains(['/', ' '])) {
            Some(_) => origins.push(text),
            None => s.reader.suggest(
                s.at_item("origins", index),
                format!("`{}` is no origin of a web page", found.value),
                "write scheme and host without a path, like \"https://intranet.example.com\"",
            ),
        }
    }
    origins
}

#[derive(Clone, Copy, PartialEq)]
enum Profile {
    VoiceConnector,
    Generic,
}

pub(super) fn trunk(s: &Section<'_, '_>) -> Option<Trunk> {
    let name = name(s);
    let words = [("voice_connector", Profile::VoiceConnector), ("generic", Profile::Generic)];
    let profile = s.word("type", &words);
    if !s.has("type") {
        s.missing("type", "\"voice_connector\"");
    }
    let dial = s.parsed::<DialTemplate>("dial");
    let host = s.parsed::<HostPort>("host").map(|found| found.value);
    let host = host.or_else(|| dial.as_ref().and_then(|dial| dial.value.host()));
    if host.is_none() && !s.has("host") && !s.has("dial") {
        s.missing("host", "\"abcdefghijklmnop1234.voiceconnector.chime.aws\"");
    }
    let transport = s.word("transport", &TRANSPORTS);
    let kind = match profile {
        // The keys of both profiles must be known, or they would be called unknown as well.
        None => {
            let _ = (region(s, false), register(s, host.as_ref()));
            None
        }
        Some(Profile::VoiceConnector) => voice_connector(s, host.as_ref()),
        Some(Profile::Generic) => generic(s, host.as_ref(), dial.map(|dial| dial.value)),
    };
    let transport = match profile {
        Some(Profile::VoiceConnector) => Some(transport.unwrap_or(Transport::Udp)),
        _ => transport,
    };
    let secure = transport == Some(Transport::Tls);
    let numbers = e164_list(s, "numbers");
    let outbound = s.flag("outbound").unwrap_or(true);
    let caller_id = e164(s, "caller_id").or_else(|| numbers.first().cloned());
    let needs_caller_id = outbound && profile == Some(Profile::VoiceConnector);
    if needs_caller_id && caller_id.is_none() && !s.has("caller_id") && !s.has("numbers") {
        let own = "\"+15551230000\"  (a number of the connector: it refuses calls from any other)";
        s.missing("caller_id", own);
    }
    let trunk = Trunk {
        name: name.unwrap_or_default(),
        kind: kind.unwrap_or(TrunkKind::Generic { register: None, dial: None }),
        host: host.unwrap_or(HostPort { host: String::new(), port: None }),
        transport,
        credentials: credentials(s),
        caller_id,
        keep_caller: s.flag("keep_caller").unwrap_or(false),
        numbers,
        order: s.number("order", 0..=1_000).and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
        max_calls: s.count("max_calls", 1..=100_000),
        strip: s.count("strip", 0..=20).unwrap_or(0),
        prepend: s.any_text("prepend").map_or_else(String::new, |text| text.value),
        plus: s.flag("plus").unwrap_or(true),
        srtp: s.word("srtp", &SRTP).unwrap_or(if secure { Srtp::Required } else { Srtp::Optional }),
        options: s
            .seconds_or_never("options_seconds", 5..=3_600)
            .unwrap_or(Some(Duration::from_secs(30))),
        peers: peers(s),
        outbound,
        record: record(s),
    };
    Some(trunk)
}

fn voice_connector(s: &Section<'_, '_>, host: Option<&HostPort>) -> Option<TrunkKind> {
    for key in ["register", "registrar", "register_expires", "dial"] {
        if s.has(key) {
            let message = format!("`{key}` is not for a Voice Connector: it takes no registration");
            s.reader.suggest(s.at(key), message, "leave it out, or write type = \"generic\"");
        }
    }
    let _ = register(s, host);
    region(s, true).map(|region| TrunkKind::VoiceConnector { region })
}

fn region(s: &Section<'_, '_>, needed: bool) -> Option<Region> {
    let all: Vec<(&str, Region)> = Region::all().map(|region| (region.as_str(), region)).collect();
    if needed && !s.has("region") {
        s.missing("region", "\"us-east-1\"  (it tells which addresses are the connector's)");
    }
    s.word("region", &all)
}

fn generic(
    s: &Section<'_, '_>,
    host: Option<&HostPort>,
    dial: Option<DialTemplate>,
) -> Option<TrunkKind> {
    if s.has("region") {
        s.reader.add(s.at("region"), "`region` is for type = \"voice_connector\" only");
    }
    let _ = region(s, false);
    let register = register(s, host);
    if register.is_some() && !s.has("username") {
        s.missing("username", "\"account\"  (because register = true)");
    }
    Some(TrunkKind::Generic { register, dial })
}

fn register(s: &Section<'_, '_>, host: Option<&HostPort>) -> Option<Register> {
    let wanted = s.flag("register").unwrap_or(false);
    let registrar = s.parsed::<HostPort>("registrar").map(|found| found.value);
    let expires = s.seconds("register_expires", 30..=86_400).unwrap_or(Duration::from_secs(600));
    if !wanted {
        return None;
    }
    Some(Register { registrar: registrar.or_else(|| host.cloned())?, expires })
}

fn credentials(s: &Section<'_, '_>) -> Option<TrunkCredentials> {
    let username = s.text("username");
    let password = s.secret(PASSWORD);
    let has_password = PASSWORD.iter().any(|key| s.has(key));
    match (s.has("username"), has_password) {
        (true, false) => s.missing("password", "\"…\"  (or password_file, password_env)"),
        (false, true) => s.missing("username", "\"account\""),
        _ => {}
    }
    let (username, password) = username.zip(password)?;
    Some(TrunkCredentials { username: username.value, password })
}

fn peers(s: &Section<'_, '_>) -> Vec<crate::IpNet> {
    let peers: Vec<crate::IpNet> = s.parsed_list("peers").unwrap_or_default();
    if let Some(wide) = peers.iter().find(|net| net.prefix() == 0) {
        let message = format!("`peers`: {wide} would take anybody for this trunk");
        s.reader.add(s.at("peers"), message);
    }
    peers
}

pub(super) fn extension(s: &Section<'_, '_>) -> Option<Extension> {
    let default = Extension::default();
    let number = extension_name(s, "number");
    if !s.has("number") {
        s.missing("number", "\"101\"");
    }
    Some(Extension {
        number: number.unwrap_or_default(),
        name: s.text("name").map(|text| text.value),
        voicemail: s.flag("voicemail").unwrap_or(default.voicemail),
        ring: s.seconds("ring_seconds", 1..=600),
        caller_id: e164(s, "caller_id"),
        do_not_disturb: s.flag("do_not_disturb").unwrap_or(default.do_not_disturb),
        outside_calls: s.flag("outside_calls").unwrap_or(default.outside_calls),
        greeting_text: s.spoken("greeting_text"),
        record: record(s),
        credentials: extension_credentials(s),
    })
}

fn extension_credentials(s: &Section<'_, '_>) -> Option<ExtensionCredentials> {
    let md5 = ha1(s, "ha1_md5", 32);
    let sha256 = ha1(s, "ha1_sha256", 64);
    let password = s.secret(PASSWORD);
    if let (Some(_), Some(key)) =
        (&password, ["ha1_md5", "ha1_sha256"].into_iter().find(|key| s.has(key)))
    {
        s.reader.add(s.at(key), "a password and HA1 digests are given: one of them is enough");
    }
    match password {
        Some(password) => Some(ExtensionCredentials::Password(password)),
        None if md5.is_some() || sha256.is_some() => {
            Some(ExtensionCredentials::Ha1 { md5, sha256 })
        }
        None => None,
    }
}

fn ha1(s: &Section<'_, '_>, key: &'static str, length: usize) -> Option<Secret> {
    let text = s.text(key)?;
    if text.value.len() != length || !text.value.bytes().all(|b| b.is_ascii_hexdigit()) {
        // The value itself must not be shown.
        s.reader.add(text.at, format!("`{key}` must be {length} hexadecimal digits"));
        return None;
    }
    Some(Secret::new(text.value.to_ascii_lowercase()))
}

pub(super) fn group(s: &Section<'_, '_>) -> Option<Group> {
    let name = name(s);
    let members = s.texts("members");
    if !s.has("members") {
        s.missing("members", "[\"101\", \"102\"]");
    } else if members.as_ref().is_some_and(Vec::is_empty) {
        s.reader.add(s.at("members"), "`members` must name at least one extension");
    }
    let mut unique: Vec<String> = Vec::new();
    for member in members.into_iter().flatten() {
        if unique.contains(&member.value) {
            s.reader.add(member.at, format!("`members` names {} twice", member.value));
        }
        // Kept all the same: offsets are found by index.
        unique.push(member.value);
    }
    Some(Group {
        name: name.unwrap_or_default(),
        number: dialable(s, "number"),
        members: unique,
        strategy: s
            .word("strategy", &[("all", Strategy::All), ("sequence", Strategy::Sequence)])
            .unwrap_or_default(),
        ring: s.seconds("ring_seconds", 1..=600).unwrap_or(Duration::from_secs(20)),
        voicemail: extension_name(s, "voicemail"),
    })
}

pub(super) fn number_rule(s: &Section<'_, '_>) -> Option<NumberRule> {
    let pattern = s.parsed::<Pattern>("match");
    if !s.has("match") {
        s.missing("match", "\"+15551230000\"");
    }
    let from = s.parsed::<RuleOrigin>("from").map(|found| found.value).unwrap_or_default();
    let to = s.text("to");
    if !s.has("to") {
        s.missing("to", "\"extension:101\"");
    }
    let to = to.and_then(|text| match text.value.parse::<Target>() {
        Ok(Target::Play(path)) => {
            let path = s.reader.folder.join(path);
            if !s.reader.around.is_file(&path) {
                s.reader.add(text.at, format!("`to`: there is no file {}", path.display()));
            }
            Some(Target::Play(path))
        }
        Ok(Target::Record(path)) => Some(Target::Record(s.reader.folder.join(path))),
        Ok(target) => Some(target),
        Err(why) => {
            let message = format!("`to`: \"{}\" {why}", text.value);
            let kinds = Target::KINDS.join(" ");
            s.reader.suggest(text.at, message, format!("a target is one of: {kinds}"));
            None
        }
    });
    Some(NumberRule { pattern: pattern?.value, from, to: to? })
}

/// The name of a trunk or group.
pub(super) fn name(s: &Section<'_, '_>) -> Option<String> {
    if !s.has("name") {
        s.missing("name", "\"connect\"");
    }
    let text = s.text("name")?;
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.value.len() > 64 || !text.value.chars().all(good) {
        let message = "`name` may hold only letters, digits, `-`, `_` and `.`";
        s.reader.add(text.at, message);
        return None;
    }
    Some(text.value)
}

pub(super) fn e164(s: &Section<'_, '_>, key: &'static str) -> Option<String> {
    let text = s.text(key)?;
    let number = without_separators(&text.value);
    if !is_e164(&number) {
        let message = format!("`{key}`: \"{}\" is no number in E.164", text.value);
        s.reader.suggest(text.at, message, "write it like \"+15551230000\"");
        return None;
    }
    Some(number)
}

pub(super) fn e164_list(s: &Section<'_, '_>, key: &'static str) -> Vec<String> {
    let mut numbers = Vec::new();
    for text in s.texts(key).into_iter().flatten() {
        let number = without_separators(&text.value);
        if is_e164(&number) {
            numbers.push(number);
        } else {
            let message = format!("`{key}`: \"{}\" is no number in E.164", text.value);
            s.reader.suggest(text.at, message, "write it like \"+15551230000\"");
        }
    }
    numbers
}
