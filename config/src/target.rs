//! Where calls go, and who may send them there.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a number leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// `extension:101`.
    Extension(String),
    /// `group:sales`.
    Group(String),
    /// `voicemail:101`: leaves a message.
    Voicemail(String),
    /// `voicemail-menu`: hears messages.
    VoicemailMenu,
    /// `trunk:NAME`, the number as dialled (after the dial plan, when it is one).
    Trunk(String),
    /// `play:FILE`, then hang up.
    Play(PathBuf),
    /// `say:TEXT`, then hang up.
    Say(String),
    /// `record:FOLDER`, until hang-up.
    Record(PathBuf),
    /// `echo`: hears itself.
    Echo,
    /// `conference:NAME`: talks with all others who are there.
    Conference(String),
    /// `flow:NAME` or `flow:NAME@ALIAS`: a published workflow.
    Flow(String),
    /// `lambda:NAME` of a `[[lambda]]`, or `lambda:ARN`.
    Lambda(String),
    /// `webhook:NAME` of a `[[webhook]]`.
    Webhook(String),
}

impl Target {
    /// How the kinds are written, for messages.
    pub const KINDS: [&str; 13] = [
        "extension:",
        "group:",
        "voicemail:",
        "voicemail-menu",
        "trunk:",
        "play:",
        "say:",
        "record:",
        "echo",
        "conference:",
        "flow:",
        "lambda:",
        "webhook:",
    ];
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Extension(number) => write!(f, "extension:{number}"),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::Voicemail(number) => write!(f, "voicemail:{number}"),
            Self::VoicemailMenu => f.write_str("voicemail-menu"),
            Self::Trunk(name) => write!(f, "trunk:{name}"),
            Self::Play(file) => write!(f, "play:{}", file.display()),
            Self::Say(text) => write!(f, "say:{text}"),
            Self::Record(folder) => write!(f, "record:{}", folder.display()),
            Self::Echo => f.write_str("echo"),
            Self::Conference(name) => write!(f, "conference:{name}"),
            Self::Flow(name) => write!(f, "flow:{name}"),
            Self::Lambda(name) => write!(f, "lambda:{name}"),
            Self::Webhook(name) => write!(f, "webhook:{name}"),
        }
    }
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let named = |make: fn(String) -> Self| match rest.trim() {
            "" => Err("lacks what comes after the colon"),
            name => Ok(make(name.to_owned())),
        };
        match kind {
            "voicemail-menu" | "echo" if text.contains(':') => Err("takes nothing after a colon"),
            "voicemail-menu" => Ok(Self::VoicemailMenu),
            "echo" => Ok(Self::Echo),
            "extension" => named(Self::Extension),
            "group" => named(Self::Group),
            "voicemail" => named(Self::Voicemail),
            "trunk" => named(Self::Trunk),
            "play" => named(|path| Self::Play(path.into())),
            "say" => named(Self::Say),
            "record" => named(|path| Self::Record(path.into())),
            "conference" => named(Self::Conference),
            "flow" => named(Self::Flow),
            "lambda" => named(Self::Lambda),
            "webhook" => named(Self::Webhook),
            _ => Err("is no target"),
        }
    }
}

/// Which dialled numbers a rule is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// The whole number.
    Exact(String),
    /// Numbers that begin so: written with a `*` at the end (`9*`). A number that is itself a star
    /// code ends without one (`*97`).
    Prefix(String),
}

impl Pattern {
    /// `None`: no match. Larger is more specific: exact before prefix, long before short.
    pub fn rank(&self, dialled: &str) -> Option<usize> {
        match self {
            Self::Exact(number) => (number == dialled).then_some(usize::MAX),
            Self::Prefix(start) => dialled.starts_with(start.as_str()).then_some(start.len()),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(number) => f.write_str(number),
            Self::Prefix(start) => write!(f, "{start}*"),
        }
    }
}

impl FromStr for Pattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (start, prefix) = match text.strip_suffix('*') {
            Some(start) => (start, true),
            None => (text, false),
        };
        // `*` alone is every number; `**` would be a prefix of star codes.
        if text.is_empty() {
            return Err("must not be empty");
        }
        let start = start.replace([' ', '-', '(', ')', '.'], "");
        if !start.chars().all(is_dialable) {
            return Err("may hold digits, letters, `+`, `*`, `#`, `_` and a last `*`");
        }
        Ok(if prefix { Self::Prefix(start) } else { Self::Exact(start) })
    }
}

/// Characters of a number or an alphanumeric extension.
pub(crate) fn is_dialable(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '*' | '#' | '_')
}

/// Whose calls a rule is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum RuleOrigin {
    /// `any`: phones and trunks. A rule that leads to a trunk must not be this: it would let
    /// strangers call out at our cost.
    #[default]
    Any,
    /// `phones`.
    Phones,
    /// `trunks`: every trunk.
    Trunks,
    /// `trunk:NAME`.
    Trunk(String),
}

impl RuleOrigin {
    /// Whether the rule is for a call that comes from there.
    pub fn covers(&self, origin: Origin<'_>) -> bool {
        match (self, origin) {
            (Self::Any, _) | (Self::Phones, Origin::Phone) | (Self::Trunks, Origin::Trunk(_)) => {
                true
            }
            (Self::Trunk(name), Origin::Trunk(origin)) => name == origin,
            _ => false,
        }
    }

    /// More specific rules win over others of the same pattern.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Any => 0,
            Self::Phones | Self::Trunks => 1,
            Self::Trunk(_) => 2,
        }
    }
}

impl fmt::Display for RuleOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Phones => f.write_str("phones"),
            Self::Trunks => f.write_str("trunks"),
            Self::Trunk(name) => write!(f, "trunk:{name}"),
        }
    }
}

impl FromStr for RuleOrigin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "any" => Ok(Self::Any),
            "phones" => Ok(Self::Phones),
            "trunks" => Ok(Self::Trunks),
            _ => match text.strip_prefix("trunk:").map(str::trim) {
                Some(name) if !name.is_empty() => Ok(Self::Trunk(name.to_owned())),
                _ => Err("must be \"any\", \"phones\", \"trunks\" or \"trunk:NAME\""),
            },
        }
    }
}

/// Where a call comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// An authenticated extension.
    Phone,
    /// A trunk, by name.
    Trunk(&'a str),
}
