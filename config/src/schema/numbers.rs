//! Who is called how: `[dialplan]`, `[[extension]]`, `[[group]]`, `[[number]]`.

use std::time::Duration;

use super::recording::Record;
use crate::secret::Secret;
use crate::target::{Pattern, RuleOrigin, Target};

/// `[dialplan]`: how dialled digits become E.164. Functions in [`crate::dialplan`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialPlan {
    /// Our country, without plus.
    pub country_code: String,
    /// Digits before a number of another area: `1`, `0`, or empty.
    pub national_prefix: String,
    /// Digits before a number of another country: `011`, `00`.
    pub international_prefix: String,
    /// Our area, for numbers dialled without one.
    pub area_code: String,
    /// Emergency numbers: matched whole, before anything else, never blocked.
    pub emergency: Vec<String>,
    /// Numbers that go to the trunk as dialled (`411`).
    pub service: Vec<String>,
    /// Digits for an outside line (`9`), or empty.
    pub outside_prefix: String,
}

impl Default for DialPlan {
    fn default() -> Self {
        Self {
            country_code: "1".into(),
            national_prefix: "1".into(),
            international_prefix: "011".into(),
            area_code: String::new(),
            emergency: vec!["911".into(), "112".into()],
            service: Vec::new(),
            outside_prefix: String::new(),
        }
    }
}

/// What a configured extension authenticates with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtensionCredentials {
    /// The password itself, from `password`, `password_file` or `password_env`.
    Password(Secret),
    /// HA1 digests of `number:realm:password`, lower-case hex; at least one is there.
    Ha1 {
        /// MD5 (RFC 2617 §3.2.2.2).
        md5: Option<Secret>,
        /// SHA-256 (RFC 7616 §3.4.2).
        sha256: Option<Secret>,
    },
}

/// `[[extension]]`: overrides for a phone's account, or (with credentials) a whole account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// What the office dials, and the digest user name. May hold letters.
    pub number: String,
    /// Shown to others.
    pub name: Option<String>,
    /// Whether unanswered calls go to voicemail.
    pub voicemail: bool,
    /// Ring time, instead of `voicemail.after`.
    pub ring: Option<Duration>,
    /// Caller's number on trunks, E.164.
    pub caller_id: Option<String>,
    /// Straight to voicemail.
    pub do_not_disturb: bool,
    /// Whether it may call numbers outside. Emergency numbers it always may.
    pub outside_calls: bool,
    /// What its mailbox says first, spoken; instead of another greeting.
    pub greeting_text: Option<String>,
    /// Whether its calls are recorded; `None`: whatever the other party or `[recording]` says.
    pub record: Option<Record>,
    /// `None`: the store's (made by `offhook phone add`).
    pub credentials: Option<ExtensionCredentials>,
}

impl Default for Extension {
    fn default() -> Self {
        Self {
            number: String::new(),
            name: None,
            voicemail: true,
            ring: None,
            caller_id: None,
            do_not_disturb: false,
            outside_calls: true,
            greeting_text: None,
            record: None,
            credentials: None,
        }
    }
}

/// How a group rings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// All phones at once.
    #[default]
    All,
    /// One member after the other, as listed.
    Sequence,
}

/// `[[group]]`: extensions that ring together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Named in `group:NAME`.
    pub name: String,
    /// What the office dials for it.
    pub number: Option<String>,
    /// Extensions, never empty.
    pub members: Vec<String>,
    /// How it rings.
    pub strategy: Strategy,
    /// Ring time (of each member in a sequence).
    pub ring: Duration,
    /// Mailbox that answers when nobody does; `None`: the caller hears that nobody answers.
    pub voicemail: Option<String>,
}

/// `[[number]]`: where a dialled number goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberRule {
    /// Dialled number, whole or beginning.
    pub pattern: Pattern,
    /// Who may dial it.
    pub from: RuleOrigin,
    /// Where it goes.
    pub to: Target,
}
