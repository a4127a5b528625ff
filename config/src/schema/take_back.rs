//! `[take_back]` and `[dnis]`: calls that are bridged to Amazon Connect and taken back.

use std::time::Duration;

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
}

impl Default for TakeBack {
    fn default() -> Self {
        Self {
            queue: None,
            table: false,
            table_interval: Duration::from_millis(500),
            max_age: Duration::from_secs(60),
        }
    }
}

/// `[dnis]`: the pairs of numbers by which Connect finds a call again (`to = "flow:take-back"`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dnis {
    /// Numbers of ours that are shown to Connect, E.164. None: there is no such flow.
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
    /// The extension that takes calls which find no pair, or no Connect. `None`: an apology.
    pub otherwise: Option<String>,
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
            otherwise: None,
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
