//! Who may listen to whose calls: `[supervision]`, `[[supervisor]]`; and rooms that phones ask for:
//! `[conference]`.

use super::Config;

/// What those hear who are listened to, when somebody begins to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Notice {
    /// Nothing.
    #[default]
    Nothing,
    /// A short tone.
    Beep,
}

/// `[supervision]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supervision {
    /// Dialled before the extension that is to be listened to.
    pub code: String,
    /// What both parties hear.
    pub notice: Notice,
    /// What is spoken to both parties after that.
    pub announcement: Option<String>,
}

impl Default for Supervision {
    fn default() -> Self {
        Self { code: "*55".into(), notice: Notice::Nothing, announcement: None }
    }
}

/// How a supervisor takes part in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Supervising {
    /// Hears both and is heard by nobody.
    Listen,
    /// Is heard by the supervised extension alone.
    Whisper,
    /// Is heard by all.
    Barge,
}

impl Supervising {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Whisper => "whisper",
            Self::Barge => "barge",
        }
    }
}

/// Whose calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Supervised {
    /// `"*"`: of every extension.
    Everybody,
    /// `"101"`.
    Extension(String),
    /// `"group:sales"`: of its members.
    Group(String),
}

/// `[[supervisor]]`: an extension that may listen to the calls of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supervisor {
    /// Whose phone dials the code.
    pub extension: String,
    /// Whom it may listen to; never empty.
    pub of: Vec<Supervised>,
    /// What else than to listen, which all may.
    pub may: Vec<Supervising>,
}

impl Config {
    /// The right of one extension to supervise another; nobody supervises himself.
    pub fn supervisor(&self, by: &str, of: &str) -> Option<&Supervisor> {
        let supervisor = self.supervisors.iter().find(|s| s.extension == by)?;
        let covers = |whom: &Supervised| match whom {
            Supervised::Everybody => true,
            Supervised::Extension(number) => number == of,
            Supervised::Group(name) => {
                self.group(name).is_some_and(|group| group.members.iter().any(|m| m == of))
            }
        };
        (by != of && supervisor.of.iter().any(covers)).then_some(supervisor)
    }
}

/// `[conference]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conferences {
    /// User part of the URI at which a phone asks for a new room (RFC 4579 §5.4).
    pub factory: String,
    /// Keys in a call by which a phone brings it and the call that it holds together; empty: none.
    pub code: String,
}

impl Default for Conferences {
    fn default() -> Self {
        Self { factory: "conference".into(), code: "*3".into() }
    }
}
