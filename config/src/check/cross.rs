//! What only shows when all sections are read: references, duplicates, overlaps.

use std::collections::HashMap;

use super::section::Section;
use super::similar;
use crate::schema::{Config, Listen, Transport};
use crate::target::{Origin, Pattern, RuleOrigin, Target};

/// The workflow that is told `[business]`.
const BUSINESS_FLOW: &str = "business-number";

/// Where the items of a configuration stand: sections side by side with the items.
pub(super) struct Marks<'d, 'i> {
    pub(super) http: Section<'d, 'i>,
    pub(super) api: Section<'d, 'i>,
    pub(super) media: Section<'d, 'i>,
    pub(super) webrtc: Section<'d, 'i>,
    pub(super) voicemail: Section<'d, 'i>,
    pub(super) dialplan: Section<'d, 'i>,
    pub(super) cloud: Section<'d, 'i>,
    pub(super) dnis: Section<'d, 'i>,
    pub(super) take_back: Section<'d, 'i>,
    pub(super) listens: Vec<Section<'d, 'i>>,
    pub(super) trunks: Vec<Section<'d, 'i>>,
    pub(super) extensions: Vec<Section<'d, 'i>>,
    pub(super) groups: Vec<Section<'d, 'i>>,
    pub(super) supervisors: Vec<Section<'d, 'i>>,
    pub(super) numbers: Vec<Section<'d, 'i>>,
    pub(super) business: Section<'d, 'i>,
    pub(super) lambdas: Vec<Section<'d, 'i>>,
    pub(super) webhooks: Vec<Section<'d, 'i>>,
    pub(super) connections: Vec<Section<'d, 'i>>,
    pub(super) buckets: Vec<Section<'d, 'i>>,
}

/// Notes problems between sections. `config.trunks` must still be in the order of the file.
pub(super) fn cross_check(config: &Config, marks: &Marks<'_, '_>) {
    ports(config, marks);
    api_port(config, marks);
    media_address(config, marks);
    webrtc_port(config, marks);
    trunks(config, marks);
    own_numbers(config, marks);
    caller_ids(config, marks);
    groups(config, marks);
    rules(config, marks);
    applications(config, marks);
    let dnis = &config.dnis;
    for (key, number) in [("otherwise", &dnis.otherwise), ("voicemail", &dnis.voicemail)] {
        if let Some(number) = number.as_ref().filter(|number| !number.starts_with('+')) {
            extension_exists(config, &marks.dnis, marks.dnis.at(key), key, number);
        }
    }
    super::take_back::cross_check(config, marks);
}

fn ports(config: &Config, marks: &Marks<'_, '_>) {
    let listens: Vec<(&Listen, &Section<'_, '_>)> =
        config.listen.iter().zip(&marks.listens).collect();
    for (i, (listen, section)) in listens.iter().enumerate() {
        for (other, earlier) in listens.iter().take(i) {
            if overlap(listen, other) {
                let message = format!(
                    "{} is already listened on ({}, {})",
                    listen.address,
                    other.address,
                    section.reader.line(earlier.start)
                );
                section.reader.add(section.at("address"), message);
            }
        }
        let tcp_like = listen.transport != Transport::Udp;
        if tcp_like && same_socket(listen.address, config.http.address) {
            let message = format!("{} is [http]'s address", listen.address);
            section.reader.add(section.at("address"), message);
        }
    }
    let default_clash = marks.listens.is_empty()
        && config.listen.iter().any(|l| same_socket(l.address, config.http.address));
    if default_clash {
        let message = format!("{} is listened on for SIP by default", config.http.address);
        marks.http.reader.add(marks.http.at("address"), message);
    }
    for (i, listen) in config.listen.iter().enumerate() {
        let port = listen.address.port();
        if listen.transport != Transport::Udp || !config.media.ports.contains(port) {
            continue;
        }
        let message = format!("`ports`: {} holds the SIP port {port}", config.media.ports);
        // What stands in the file is pointed at: a default stands nowhere.
        match marks.listens.get(i) {
            Some(section) if !marks.media.has("ports") => {
                let message = format!("{} lies among the ports of [media]", listen.address);
                let remedy = format!("`ports` is {} when it is not written", config.media.ports);
                section.reader.suggest(section.at("address"), message, remedy);
            }
            _ => marks.media.reader.add(marks.media.at("ports"), message),
        }
        return;
    }
}

/// The port of the API is TCP like others.
fn api_port(config: &Config, marks: &Marks<'_, '_>) {
    let Some(address) = config.api.listen else { return };
    let tcp = |listen: &&Listen| listen.transport != Transport::Udp;
    let other = if same_socket(address, config.http.address) {
        "[http]'s address"
    } else if config.listen.iter().filter(tcp).any(|l| same_socket(l.address, address)) {
        "listened on for SIP"
    } else {
        return;
    };
    let section = &marks.api;
    section.reader.add(section.at("listen"), format!("`listen`: {address} is {other}"));
}

/// Media of a family that no listener has would be for nobody.
fn media_address(config: &Config, marks: &Marks<'_, '_>) {
    let Some(address) = config.media.address else { return };
    if !config.listen.iter().any(|l| l.address.is_ipv4() == address.is_ipv4()) {
        let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        let message =
            format!("`address`: no [[listen]] has {family}: nobody would be told {address}");
        marks.media.reader.add(marks.media.at("address"), message);
    }
}

/// The port of browsers' audio is UDP like others.
fn webrtc_port(config: &Config, marks: &Marks<'_, '_>) {
    let Some(address) = config.webrtc_address() else { return };
    let section = &marks.webrtc;
    if config.media.ports.contains(address.port()) {
        let message = format!("`address`: {address} lies among the ports of [media]");
        let remedy = format!("`ports` is {}; take a port outside", config.media.ports);
        section.reader.suggest(section.at("address"), message, remedy);
    }
    let udp = |listen: &&Listen| listen.transport == Transport::Udp;
    if config.listen.iter().filter(udp).any(|listen| same_socket(listen.address, address)) {
        let message = format!("`address`: {address} is listened on for SIP");
        section.reader.add(section.at("address"), message);
    }
}

/// TCP, TLS and WSS share the TCP ports.
fn overlap(a: &Listen, b: &Listen) -> bool {
    let udp = |listen: &Listen| listen.transport == Transport::Udp;
    udp(a) == udp(b) && same_socket(a.address, b.address)
}

fn same_socket(a: std::net::SocketAddr, b: std::net::SocketAddr) -> bool {
    let one_holds_other = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && a.port() != 0 && a.is_ipv4() == b.is_ipv4() && one_holds_other
}

fn trunks(config: &Config, marks: &Marks<'_, '_>) {
    let mut names: HashMap<&str, usize> = HashMap::new();
    let mut owners: HashMap<&str, usize> = HashMap::new();
    for (trunk, section) in config.trunks.iter().zip(&marks.trunks) {
        first_or_problem(&mut names, &trunk.name, section, "name", "trunk");
        for (i, number) in trunk.numbers.iter().enumerate() {
            let at = section.at_item("numbers", i);
            if let Some(earlier) = owners.insert(number, at) {
                let place = section.reader.line(earlier);
                section.reader.add(at, format!("{number} is already a trunk's ({place})"));
            }
        }
        if let Some(caller_id) = &trunk.caller_id
            && !trunk.numbers.is_empty()
            && !trunk.numbers.contains(caller_id)
        {
            let message = format!("`caller_id`: {caller_id} is not among this trunk's `numbers`");
            section.reader.add(section.at("caller_id"), message);
        }
    }
}

/// Extensions, groups and the voicemail menu share one numbering, and none may be an emergency
/// number.
fn own_numbers(config: &Config, marks: &Marks<'_, '_>) {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut names: HashMap<&str, usize> = HashMap::new();
    let emergency = |number: &str, section: &Section<'_, '_>, key: &str| {
        if config.dialplan.emergency_number(number).is_some() {
            let message = format!("`{key}`: {number} is dialled for emergencies");
            let remedy = "emergency numbers always go outside; take another number";
            section.reader.suggest(section.at(key), message, remedy);
        }
    };
    let menu = config.voicemail.menu_number.as_str();
    numbers.insert(menu, marks.voicemail.at("menu_number"));
    emergency(menu, &marks.voicemail, "menu_number");
    for (extension, section) in config.extensions.iter().zip(&marks.extensions) {
        first_or_problem(&mut numbers, &extension.number, section, "number", "number");
        emergency(&extension.number, section, "number");
    }
    for (group, section) in config.groups.iter().zip(&marks.groups) {
        first_or_problem(&mut names, &group.name, section, "name", "group");
        let Some(number) = &group.number else { continue };
        first_or_problem(&mut numbers, number, section, "number", "number");
        emergency(number, section, "number");
        if config.extension(number).is_none() && stored(config, section, number) == Some(true) {
            let message = format!("`number`: {number} is already an extension (phone add)");
            section.reader.add(section.at("number"), message);
        }
    }
    for (i, number) in config.dialplan.service.iter().enumerate() {
        if config.dialplan.emergency_number(number).is_some() {
            let message = format!("`service`: {number} is an emergency number already");
            marks.dialplan.reader.add(marks.dialplan.at_item("service", i), message);
        }
    }
}

pub(super) fn first_or_problem<'c>(
    seen: &mut HashMap<&'c str, usize>,
    value: &'c str,
    section: &Section<'_, '_>,
    key: &str,
    what: &str,
) {
    if value.is_empty() {
        return;
    }
    let at = section.at(key);
    match seen.get(value) {
        None => {
            seen.insert(value, at);
        }
        Some(earlier) => {
            let place = section.reader.line(*earlier);
            section.reader.add(at, format!("the {what} {value} is already taken ({place})"));
        }
    }
}

/// An extension's caller ID must be a number that some trunk may show, when all say which.
fn caller_ids(config: &Config, marks: &Marks<'_, '_>) {
    let mut outbound = config.trunks.iter().filter(|trunk| trunk.outbound).peekable();
    if outbound.peek().is_none() || outbound.any(|trunk| trunk.numbers.is_empty()) {
        return;
    }
    for (extension, section) in config.extensions.iter().zip(&marks.extensions) {
        let Some(caller_id) = &extension.caller_id else { continue };
        if !config.trunks.iter().any(|trunk| trunk.numbers.contains(caller_id)) {
            let message = format!("`caller_id`: {caller_id} is no trunk's number");
            let remedy = "carriers refuse a caller's number that is not theirs (403)";
            section.reader.suggest(section.at("caller_id"), message, remedy);
        }
    }
}

fn groups(config: &Config, marks: &Marks<'_, '_>) {
    for (group, section) in config.groups.iter().zip(&marks.groups) {
        for (i, member) in group.members.iter().enumerate() {
            extension_exists(config, section, section.at_item("members", i), "members", member);
        }
        if let Some(mailbox) = &group.voicemail {
            extension_exists(config, section, section.at("voicemail"), "voicemail", mailbox);
        }
    }
}

/// What the store says of an extension: `None`, it cannot be asked.
fn stored(config: &Config, section: &Section<'_, '_>, number: &str) -> Option<bool> {
    section.reader.around.has_extension(config, number)
}

pub(super) fn extension_exists(
    config: &Config,
    s: &Section<'_, '_>,
    at: usize,
    key: &str,
    number: &str,
) {
    if config.extension(number).is_some() || stored(config, s, number) != Some(false) {
        return;
    }
    let message = format!("`{key}`: there is no extension {number}");
    let known = config.extensions.iter().map(|extension| extension.number.as_str());
    match similar(number, known) {
        Some(other) => s.reader.suggest(at, message, format!("did you mean {other}?")),
        None => s.reader.suggest(at, message, format!("make it: offhook phone add {number}")),
    }
}

fn rules(config: &Config, marks: &Marks<'_, '_>) {
    let mut seen: HashMap<(&Pattern, &RuleOrigin), usize> = HashMap::new();
    for (rule, section) in config.numbers.iter().zip(&marks.numbers) {
        let at = section.at("match");
        if let Some(earlier) = seen.insert((&rule.pattern, &rule.from), at) {
            let place = section.reader.line(earlier);
            let message =
                format!("{} from {} is already routed ({place})", rule.pattern, rule.from);
            section.reader.add(at, message);
        }
        if let Pattern::Exact(number) = &rule.pattern {
            exact_rule(config, section, number, rule.from.covers(Origin::Phone));
        }
        if let RuleOrigin::Trunk(name) = &rule.from {
            named(section, "from", "trunk", name, config.trunks.iter().map(|t| t.name.as_str()));
        }
        target(config, section, &rule.to);
        if matches!(rule.to, Target::Trunk(_)) && rule.from == RuleOrigin::Any {
            let message = "a rule that leads to a trunk must say from whom";
            let remedy = "write from = \"phones\": otherwise strangers call out at your cost";
            section.reader.suggest(section.at("to"), message, remedy);
        }
    }
}

/// Names of lambdas, webhooks, connections and buckets are taken once; the business is whole where a flow of it
/// is run.
fn applications(config: &Config, marks: &Marks<'_, '_>) {
    let mut names: HashMap<&str, usize> = HashMap::new();
    for (lambda, section) in config.lambdas.iter().zip(&marks.lambdas) {
        first_or_problem(&mut names, &lambda.name, section, "name", "lambda");
    }
    names.clear();
    for (webhook, section) in config.webhooks.iter().zip(&marks.webhooks) {
        first_or_problem(&mut names, &webhook.name, section, "name", "webhook");
    }
    names.clear();
    for (connection, section) in config.connections.iter().zip(&marks.connections) {
        let named = connection.arn.as_ref().unwrap_or(&connection.name);
        first_or_problem(&mut names, named, section, "name", "connection");
    }
    names.clear();
    for (bucket, section) in config.buckets.iter().zip(&marks.buckets) {
        first_or_problem(&mut names, &bucket.name, section, "name", "bucket");
    }
    let (business, section) = (&config.business, &marks.business);
    for (key, number) in [("owner", Some(&business.owner)), ("pin_of", business.pin_of.as_ref())] {
        let Some(number) = number.filter(|n| !n.is_empty() && !n.starts_with('+')) else {
            continue;
        };
        extension_exists(config, section, section.at(key), key, number);
    }
}

fn exact_rule(config: &Config, section: &Section<'_, '_>, number: &str, from_phones: bool) {
    let at = section.at("match");
    if from_phones && config.dialplan.emergency_number(number).is_some() {
        let message = format!("`match`: {number} is dialled for emergencies and cannot be routed");
        section.reader.add(at, message);
    }
    let group = config.groups.iter().any(|group| group.number.as_deref() == Some(number));
    if config.extension(number).is_some() || group {
        let message = format!("`match`: {number} is an extension's or group's number already");
        section.reader.add(at, message);
    }
}

fn target(config: &Config, section: &Section<'_, '_>, target: &Target) {
    match target {
        Target::Extension(number) | Target::Voicemail(number) => {
            extension_exists(config, section, section.at("to"), "to", number);
        }
        Target::Group(name) => {
            named(section, "to", "group", name, config.groups.iter().map(|g| g.name.as_str()));
        }
        Target::Trunk(name) => {
            named(section, "to", "trunk", name, config.trunks.iter().map(|t| t.name.as_str()));
        }
        Target::Lambda(arn) if arn.starts_with("arn:") => {}
        Target::Lambda(name) => {
            named(section, "to", "lambda", name, config.lambdas.iter().map(|l| l.name.as_str()));
        }
        Target::Webhook(name) => {
            named(section, "to", "webhook", name, config.webhooks.iter().map(|w| w.name.as_str()));
        }
        Target::VoicemailMenu
        | Target::Play(_)
        | Target::Say(_)
        | Target::Record(_)
        | Target::Echo
        | Target::Conference(_) => {}
        // Which workflows are published only the store knows, and it changes without a reload.
        Target::Flow(name) => business_flow(config, section, name),
    }
}

/// The flow that comes with the program knows nobody to ring without its section.
fn business_flow(config: &Config, section: &Section<'_, '_>, name: &str) {
    if name.split('@').next() != Some(BUSINESS_FLOW) {
        return;
    }
    let business = &config.business;
    let said = [("name", &business.name), ("number", &business.number), ("owner", &business.owner)];
    let missing: Vec<&str> =
        said.iter().filter(|(_, value)| value.is_empty()).map(|(key, _)| *key).collect();
    if missing.is_empty() {
        return;
    }
    let message = format!("`to`: {BUSINESS_FLOW} lacks {} of [business]", missing.join(", "));
    let remedy = "write [business] with name = \"Flowers\", number = \"+15551230000\" and \
                  owner = \"101\"";
    section.reader.suggest(section.at("to"), message, remedy);
}

pub(super) fn named<'c>(
    section: &Section<'_, '_>,
    key: &str,
    what: &str,
    name: &str,
    mut names: impl Iterator<Item = &'c str> + Clone,
) {
    let known = names.clone();
    if names.any(|known| known == name) {
        return;
    }
    let message = format!("`{key}`: there is no {what} \"{name}\"");
    match similar(name, known) {
        Some(other) => {
            section.reader.suggest(section.at(key), message, format!("did you mean \"{other}\"?"));
        }
        None => {
            let remedy = format!("add a [[{what}]] with name = \"{name}\"");
            section.reader.suggest(section.at(key), message, remedy);
        }
    }
}
