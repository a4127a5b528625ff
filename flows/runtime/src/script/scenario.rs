//! A call, written down.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A call and what its people do. Seconds are seconds of the virtual clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name, for reports.
    #[serde(default)]
    pub name: String,
    /// When it begins; none: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Timestamp>,
    /// Who calls whom.
    pub call: Caller,
    /// What the caller does, one after the other. Each is done at the next action that it is for.
    #[serde(default)]
    pub caller: Vec<Move>,
    /// Those whom the workflow calls, one after the other; whom it calls besides answers.
    #[serde(default)]
    pub callees: Vec<Callee>,
    /// More of the execution's input, beside `QueueUrl` and `Event`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub context: Map<String, Value>,
}

/// Who calls whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    /// Number calling.
    pub from: String,
    /// Number called.
    pub to: String,
    /// Whether the workflow is called, or calls by `CreateSipMediaApplicationCall`.
    #[serde(default)]
    pub direction: Direction,
    /// `ArgumentsMap` of an outbound call.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, String>,
    /// Custom headers of the caller's leg.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sip_headers: BTreeMap<String, String>,
}

/// Which way a call goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// `NEW_INBOUND_CALL`.
    #[default]
    Inbound,
    /// `NEW_OUTBOUND_CALL`: the first of the callees is who is called.
    Outbound,
}

/// Something that the caller does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Move {
    /// Presses keys, a fifth of a second apart: at the next prompt that collects digits, or at the
    /// next recording that they may end.
    Press {
        /// Which: `0`-`9`, `*`, `#`, `A`-`D`.
        keys: String,
        /// Seconds after the prompt began.
        #[serde(default = "a_second")]
        after: f64,
    },
    /// Presses nothing at the next prompt that collects digits.
    Wait,
    /// Speaks at the next recording, and is silent then.
    Say {
        /// For so many seconds.
        seconds: f64,
    },
    /// Hangs up.
    HangUp {
        /// During the next action of this type (`Speak`, `RecordAudio`, …), or during the next
        /// `Conversation`; none: during whatever comes next.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        during: Option<String>,
        /// Seconds after that began.
        #[serde(default = "a_second")]
        after: f64,
    },
    /// Somebody uses `UpdateSipMediaApplicationCall` while nothing plays.
    Update {
        /// Its arguments.
        arguments: BTreeMap<String, String>,
        /// Seconds after nothing more was to be done.
        #[serde(default = "a_second")]
        after: f64,
    },
}

fn a_second() -> f64 {
    1.0
}

/// Somebody who is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Callee {
    /// Answers.
    Answers {
        /// Seconds that it rings.
        #[serde(default = "five")]
        after: f64,
        /// Seconds after which this side hangs up; none: it does not.
        #[serde(default = "some_minute", skip_serializing_if = "Option::is_none")]
        talks: Option<f64>,
    },
    /// Is busy (486).
    Busy,
    /// Lets it ring.
    DoesNotAnswer,
    /// Another final status.
    Refuses {
        /// Which.
        status: u16,
    },
}

fn five() -> f64 {
    5.0
}

#[expect(clippy::unnecessary_wraps, reason = "serde's default has the field's type")]
fn some_minute() -> Option<f64> {
    Some(60.0)
}

impl Default for Callee {
    fn default() -> Self {
        Self::Answers { after: five(), talks: some_minute() }
    }
}
