//! `[take_back]` and `[dnis]`: calls that are bridged to Amazon Connect and taken back.

use std::time::Duration;

use super::Config;
use crate::secret::Secret;

/// `[take_back]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeBack {
    /// URL of an SQS queue that is looked into for updates of calls: for an office that has no
    /// port open. `None`: none is.
    pub queue: Option<String>,
    /// The table of `[dnis]` is looked into for updates of the calls that have leased its rows.
    pub table: bool,
    /// Between two looks into it, while there are such calls.
    pub table_interval: Duration,
    /// An update that has waited longer moves nobody.
    pub max_age: Duration,
    /// Connect's number where the way to it keeps headers: no pair is needed. E.164.
    pub connect: Option<String>,
    /// The trunk of that way; `None`: the first that takes the number.
    pub trunk: Option<String>,
    /// How the transaction goes along there.
    pub pass: PassBy,
    /// The header that it goes along in.
    pub header: String,
}

/// How a transaction goes along to Connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PassBy {
    /// In a header of its own.
    #[default]
    Header,
    /// In User-to-User (RFC 7433).
    UserToUser,
}

impl Config {
    /// Whether `to = "flow:take-back"` is Offhook's own application.
    pub fn has_take_back(&self) -> bool {
        self.take_back.connect.is_some() || !self.dnis.our_numbers.is_empty()
    }
}

impl Default for TakeBack {
    fn default() -> Self {
        Self {
            queue: None,
            table: false,
            table_interval: Duration::from_millis(500),
            max_age: Duration::from_secs(60),
            connect: None,
            trunk: None,
            pass: PassBy::Header,
            header: "X-Transaction-Id".into(),
        }
    }
}

/// `[dnis]`: the pairs of numbers by which Connect finds a call again (`to = "flow:take-back"`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dnis {
    /// Numbers of ours that are shown to Connect, E.164. None: no pairs are leased; `[take_back]
    /// connect` has the flow without them.
    pub our_numbers: Vec<String>,
    /// Connect's numbers that lead to its contact flow, E.164.
    pub connect_numbers: Vec<String>,
    /// Who keeps the leases.
    pub keeper: Keeper,
    /// This box among those that share the pairs.
    pub name: String,
    /// How long a pair is leased while Connect rings.
    pub ringing_lease: Duration,
    /// And when it talks.
    pub lease: Duration,
    /// How long a caller waits for a pair when all are in use.
    pub wait: Duration,
    /// Whether the caller hears music meanwhile.
    pub wait_music: bool,
    /// The extension or the number (E.164) that takes calls which find no pair, or no Connect.
    /// `None`: an apology.
    pub otherwise: Option<String>,
    /// The mailbox that takes those which nobody took, in the place of an apology.
    pub voicemail: Option<String>,
}

impl Default for Dnis {
    fn default() -> Self {
        Self {
            our_numbers: Vec::new(),
            connect_numbers: Vec::new(),
            keeper: Keeper::Here,
            name: "office".into(),
            ringing_lease: Duration::from_secs(120),
            lease: Duration::from_secs(4 * 3_600),
            wait: Duration::from_secs(60),
            wait_music: true,
            otherwise: None,
            voicemail: None,
        }
    }
}

/// Who keeps leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// This box's own database.
    Here,
    /// A DynamoDB table of AWS's sample's layout, by its name.
    DynamoDb(String),
    /// A PostgreSQL database, by its address.
    Postgres(Secret),
}
