//! Who calls, what the called phone is shown, and which headers pass. Pure.

use std::collections::BTreeMap;

use offhook_config::dialplan::is_e164;
use offhook_config::{Config, Trunk};
use offhook_sip::header::{HeaderName, Headers, NameAddr};
use offhook_sip::message::Request;
use offhook_sip::uri::{Host, HostPort, SipUri, Uri, escape_user};

use super::origin::{CloudOrigin, unquoted};

/// Where Amazon Connect and our own trunks put the number of who really calls.
pub(crate) const ORIGINAL_CALLER: &str = "X-Original-Calling-Number";
/// Custom headers that pass a call.
const MAX_PASSED: usize = 32;
/// Octets of one such header (what AWS allows).
const MAX_PASSED_VALUE: usize = 2048;
/// Beginnings of names that Voice Connector keeps for itself and refuses from others.
const RESERVED: [&str; 5] = ["x-amzn", "x-vine", "x-vc", "x-canary", "x-voice"];
/// User part of somebody who does not say who it is (RFC 3323 §4.1.1.3).
const ANONYMOUS: &str = "anonymous";
/// Longest number that a phone may have us dial (octets).
const MAX_DIALLED: usize = 256;
/// Longest number that is shown.
const MAX_NUMBER: usize = 32;

/// Where a call came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An authenticated extension.
    Phone(String),
    /// A trunk's peer.
    Trunk(String),
    /// Nobody: an application began the call; as it is named, `flow:main`.
    Application(String),
}

impl Source {
    /// `extension:101`, `trunk:connect`, `flow:main`.
    pub fn label(&self) -> String {
        match self {
            Self::Application(name) => name.clone(),
            Self::Phone(number) => format!("extension:{number}"),
            Self::Trunk(name) => format!("trunk:{name}"),
        }
    }
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Where from.
    pub source: Source,
    /// From user; the authenticated number for a phone.
    pub number: String,
    /// Name to be shown with it.
    pub name: Option<String>,
    /// [`ORIGINAL_CALLER`], believed: only a trunk's.
    pub original: Option<String>,
    /// Does not want the number shown (RFC 3323, RFC 3325 §7). It stands in records all the same.
    pub private: bool,
    /// Headers that go on to the other leg, as they came.
    pub passed: Headers,
    /// What the cloud has of the call; only over a trunk that may be believed.
    pub cloud: Option<Box<CloudOrigin>>,
}

impl Caller {
    /// Reads an INVITE. `known_name`: the name in a phone's account, which comes before what the
    /// phone says of itself.
    pub fn of(request: &Request, source: Source, known_name: Option<&str>) -> Self {
        let from = request.headers.text(&HeaderName::From).and_then(|t| t.parse::<NameAddr>().ok());
        let said = from.as_ref().and_then(|f| f.display.as_deref()).map(str::to_owned);
        let user = from.as_ref().and_then(|f| f.uri.user_decoded());
        let user = user.map_or_else(|| ANONYMOUS.to_owned(), |u| number_of(&u));
        let private = wants_privacy(&request.headers) || user.eq_ignore_ascii_case(ANONYMOUS);
        let trusted = matches!(source, Source::Trunk(_));
        let private = private || (trusted && is_original_withheld(&request.headers));
        let (number, name) = match &source {
            Source::Phone(number) => (number.clone(), known_name.map(str::to_owned).or(said)),
            Source::Trunk(_) | Source::Application(_) => (user, said),
        };
        Self {
            number,
            name,
            original: if trusted { original_caller(&request.headers) } else { None },
            private,
            passed: passed_headers(&request.headers, trusted),
            cloud: None,
            source,
        }
    }

    /// With what the cloud has of the call, as its INVITE says.
    #[must_use]
    pub fn from_cloud(mut self, request: &Request, config: &Config) -> Self {
        if let Source::Trunk(trunk) = &self.source
            && config.believes_cloud(trunk)
        {
            self.cloud = CloudOrigin::of(&request.headers, &config.cloud).map(Box::new);
        }
        self
    }

    /// A party that we called, and that is put through now.
    pub(crate) fn known(source: Source, number: &str, name: Option<String>) -> Self {
        let number = number.to_owned();
        let passed = Headers::new();
        Self { source, number, name, original: None, private: false, passed, cloud: None }
    }

    /// What the person at the phone is to see.
    pub fn shown(&self) -> &str {
        match &self.original {
            Some(original) => original,
            None if self.private => ANONYMOUS,
            None => &self.number,
        }
    }

    /// Whether nothing at all of it is to be shown (RFC 3325 §7).
    pub(crate) fn is_hidden(&self) -> bool {
        self.private && self.original.is_none()
    }

    /// The name that stands with [`Caller::shown`] on a phone's display.
    pub(crate) fn shown_name(&self) -> Option<&str> {
        match &self.original {
            Some(original) => Some(original),
            None if self.private => None,
            None => self.name.as_deref(),
        }
    }

    /// Custom headers as an application sees them.
    pub fn sip_headers(&self) -> BTreeMap<String, String> {
        let pair = |(name, value): (String, String)| {
            (value.len() <= MAX_PASSED_VALUE).then_some((name, value))
        };
        let all = self
            .passed
            .iter()
            .map(|h| (h.name.as_str().to_owned(), h.value.to_text().into_owned()));
        all.filter_map(pair).collect()
    }
}

/// Whether a Privacy header asks to hide who calls: `id`, `user` or `header` (RFC 3323 §4.2,
/// RFC 3325 §9.3). Both may be in one header, after semicolons.
fn wants_privacy(headers: &Headers) -> bool {
    headers.get_all(&HeaderName::Privacy).any(|value| {
        let value = value.to_text().to_ascii_lowercase();
        value.split([';', ',']).any(|word| matches!(word.trim(), "id" | "user" | "header"))
    })
}

/// The value may be a number, a URI, or a name and an address; whatever else is no number. A Voice
/// Connector may bring a number in quotes (captured trace of AWS's sample).
pub(super) fn original_caller(headers: &Headers) -> Option<String> {
    let number = said_original(headers)?;
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let fits = !digits.is_empty()
        && number.len() <= MAX_NUMBER
        && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#'));
    fits.then_some(number)
}

/// Whether who really calls did not say it (`anonymous`, as AWS has it): the number in From is then
/// one of those that calls are passed on with, and nobody's who calls.
pub(super) fn is_original_withheld(headers: &Headers) -> bool {
    let words = ["anonymous", "restricted", "private", "unavailable", "unknown"];
    let said = said_original(headers);
    said.is_some_and(|said| words.iter().any(|word| said.eq_ignore_ascii_case(word)))
}

/// Who is shown to phones: the caller, or the number that the application asked for; before both the
/// original caller's, when the application says it in the header that a Voice Connector would have
/// carried to us. `headers`: the application's.
pub(super) fn shown_as(
    caller: &Caller,
    config: &Config,
    asked: Option<&str>,
    headers: Option<&Headers>,
) -> Caller {
    let original = headers.and_then(original_caller);
    if original.is_some() {
        return Caller { original, ..caller.clone() };
    }
    let private = headers.is_some_and(is_original_withheld);
    // The caller's own number, given back, says nothing: who is withheld stays so.
    match asked.filter(|number| !is_callers(caller, config, number)) {
        Some(number) => {
            let number = number.to_owned();
            Caller { number, name: None, original, private, ..caller.clone() }
        }
        None if private => Caller { original, private, ..caller.clone() },
        None => caller.clone(),
    }
}

fn said_original(headers: &Headers) -> Option<String> {
    let value = headers.text(&HeaderName::Other(ORIGINAL_CALLER.into()))?;
    let value = unquoted(&value);
    let addr: Option<NameAddr> = value.parse().ok();
    let user = addr.as_ref().and_then(|a| match &a.uri {
        Uri::Other(_) => None,
        uri => uri.user_decoded(),
    });
    Some(number_of(user.as_deref().unwrap_or(value)))
}

/// Whether a number or name from a phone may be dialled: bounded, and nothing in it that a terminal
/// would obey when the call's timeline is printed.
pub(crate) fn is_plain(number: &str) -> bool {
    number.len() <= MAX_DIALLED && !number.chars().any(char::is_control)
}

/// The number in a user part: visual separators and telephone-subscriber parameters
/// (`;phone-context=…`, RFC 3261 §19.1.6) taken off.
pub(crate) fn number_of(user: &str) -> String {
    let bare = user.split(';').next().unwrap_or_default().trim();
    if bare.bytes().any(|b| b.is_ascii_alphabetic()) {
        return bare.to_owned();
    }
    bare.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')' | ' ')).collect()
}

/// What was dialled: an extension as its phone is called, which may hold what separates elsewhere
/// (`10.1`), else the number.
pub(crate) fn dialled(user: &str, is_extension: impl Fn(&str) -> bool) -> String {
    let bare = user.split(';').next().unwrap_or_default();
    if is_extension(bare) { bare.to_owned() } else { number_of(user) }
}

/// Custom headers, `User-to-User`, and who sent the call on before (`Diversion`, `History-Info`);
/// nothing else of one leg is shown to another.
fn passed_headers(headers: &Headers, trusted: bool) -> Headers {
    let mut out = Headers::new();
    let passes = |name: &HeaderName| match name {
        // RFC 7433, RFC 5806, RFC 7044.
        HeaderName::UserToUser | HeaderName::Diversion | HeaderName::HistoryInfo => true,
        HeaderName::Other(name) => {
            starts_with(name, "x-") && (trusted || !name.eq_ignore_ascii_case(ORIGINAL_CALLER))
        }
        _ => false,
    };
    let fitting = headers.iter().filter(|h| passes(&h.name));
    for header in fitting.filter(|h| h.value.as_bytes().len() <= MAX_PASSED_VALUE).take(MAX_PASSED)
    {
        out.push(header.name.clone(), header.value.clone());
    }
    out
}

fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|r| starts_with(name, r))
}

fn starts_with(name: &str, lower: &str) -> bool {
    name.get(..lower.len()).is_some_and(|start| start.eq_ignore_ascii_case(lower))
}

/// What stands in an INVITE of ours.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Identity {
    pub(crate) from: NameAddr,
    pub(crate) headers: Headers,
}

/// For a desk phone: it shows the original caller's number where there is one.
/// `name`: what the display says beside the number.
pub(crate) fn toward_phone(caller: &Caller, name: Option<&str>, host: &Host) -> Identity {
    if caller.is_hidden() {
        // No P-Asserted-Identity: the phone would show it, whatever Privacy says.
        let mut headers = caller.passed.clone();
        headers.push(HeaderName::Privacy, "id");
        return Identity { from: anonymous(), headers };
    }
    let number = caller.shown();
    let uri = address(number, host);
    let mut headers = caller.passed.clone();
    // RFC 3325 §9.1: we are the trusted domain that the phone belongs to.
    let mut asserted = NameAddr::new(uri.clone());
    let mut from = NameAddr::new(uri);
    if let Some(name) = name {
        from = from.with_display(name);
        asserted = asserted.with_display(name);
    }
    headers.push(HeaderName::PAssertedIdentity, asserted.to_string());
    Identity { from, headers }
}

/// For a trunk. The number shown is one that we own, since carriers refuse others; the original
/// one goes along in a header. `asked`: what the application wants to be shown, before anything
/// else; `extension`: the number of whoever calls or puts through. `config`: the dial plan, and the
/// headers that name a transaction. Another call's is none of this one's: whoever believes it would
/// move the wrong call.
pub(crate) fn toward_trunk(
    caller: &Caller,
    (trunk, config): (&Trunk, &Config),
    (asked, extension): (Option<&str>, Option<&str>),
    host: &Host,
) -> Identity {
    let passed_on = matches!(caller.source, Source::Trunk(_));
    // Every handler gives back the number it was told: that is no wish. It is none of ours, and a
    // Voice Connector refuses it (403); who keeps the caller's knows better whose call it is.
    // Where an application calls, nobody told it one: `FromPhoneNumber` is what it wants.
    let told = !matches!(caller.source, Source::Application(_));
    let decided = told && (trunk.keep_caller || trunk.caller_id.is_some());
    let asked = asked.filter(|number| !decided || !is_callers(caller, config, number));
    let keep = passed_on && trunk.keep_caller && asked.is_none();
    let owned = asked.or(extension).or(trunk.caller_id.as_deref());
    let own_number = caller.original.as_deref().unwrap_or(&caller.number);
    let number = match owned {
        Some(owned) if !keep => owned,
        _ => own_number,
    };
    let mut headers = Headers::new();
    let original = HeaderName::Other(ORIGINAL_CALLER.into());
    let cloud = &config.cloud;
    let names = [cloud.transaction_header.as_str(), cloud.application_header.as_str()];
    let passes =
        |name: &str| !is_reserved(name) && !names.iter().any(|n| n.eq_ignore_ascii_case(name));
    for header in caller.passed.iter().filter(|h| passes(h.name.as_str()) && h.name != original) {
        headers.push(header.name.clone(), header.value.clone());
    }
    if passed_on && number != own_number && (caller.original.is_some() || !caller.private) {
        headers.push(original, own_number.to_owned());
    }
    // An extension's number and name are nobody's business outside.
    let from = NameAddr::new(address(number, host));
    if caller.private && caller.original.is_none() {
        // RFC 3325 §6: the trunk is told who is billed, the called party is not.
        headers.push(HeaderName::PAssertedIdentity, from.to_string());
        headers.push(HeaderName::Privacy, "id");
        return Identity { from: anonymous(), headers };
    }
    Identity { from, headers }
}

/// RFC 3323 §4.1.1.3.
pub(super) fn anonymous() -> NameAddr {
    NameAddr::new(address(ANONYMOUS, &Host::Name("anonymous.invalid".into())))
        .with_display("Anonymous")
}

/// `sip:number@host`.
pub(crate) fn address(number: &str, host: &Host) -> Uri {
    let host = HostPort { host: host.clone(), port: None };
    Uri::Sip(SipUri::new(host).with_user(&escape_user(number)))
}

/// The host for From, To and P-Asserted-Identity: the office's domain, or our address.
pub(crate) fn our_host(config: &Config, local: &HostPort) -> Host {
    match config.server.domains.first().and_then(|d| d.parse().ok()) {
        Some(host) => host,
        None => local.host.clone(),
    }
}

/// Whether a number is the one that who calls came with: as it came, or as applications are told it.
fn is_callers(caller: &Caller, config: &Config, number: &str) -> bool {
    let recorded = |number| recorded_number(config, number);
    number == caller.number || recorded(number) == recorded(&caller.number)
}

/// E.164 where the dial plan can make it so; what a record keeps, and an application is told.
pub(crate) fn recorded_number(config: &Config, number: &str) -> String {
    if is_e164(number) || number.len() < 7 {
        return number.to_owned();
    }
    config.dialplan.to_e164(number).unwrap_or_else(|| number.to_owned())
}

#[cfg(test)]
mod tests;
