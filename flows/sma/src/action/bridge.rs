//! `CallAndBridge` and whom it calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AudioSource, Target};
use crate::lenient;

/// Whom to call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Endpoint {
    /// What `uri` is.
    pub bridge_endpoint_type: EndpointType,
    /// A number, an extension, a group's name, or the user part that a Voice Connector gets.
    pub uri: String,
    /// A Voice Connector's ARN (`AWS`), or a trunk's name (`Trunk`; none: by the dial plan).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
}

/// Kinds of [`Endpoint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndpointType {
    /// A telephone number in E.164.
    #[serde(rename = "PSTN")]
    Pstn,
    /// Through a Voice Connector.
    #[serde(rename = "AWS")]
    Aws,
    /// Offhook: an extension of this office.
    Extension,
    /// Offhook: a ring group of this office.
    Group,
    /// Offhook: a number out over a trunk.
    Trunk,
}

/// `CallAndBridge`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallAndBridge {
    /// The leg to bridge.
    #[serde(flatten)]
    pub target: Target,
    /// Seconds to let it ring, 1 to 120.
    #[serde(default = "thirty", deserialize_with = "lenient::number")]
    pub call_timeout_seconds: u64,
    /// Number shown. AWS's types of endpoints demand it; for Offhook's its absence means the caller's
    /// own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id_number: Option<String>,
    /// Whom to call: one for AWS's types, several (first answer wins) for Offhook's.
    pub endpoints: Vec<Endpoint>,
    /// Played to the caller while the other side rings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ringback_tone: Option<AudioSource>,
    /// Headers for the new leg: `X-*`, `User-to-User`, `Diversion`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sip_headers: BTreeMap<String, String>,
}

fn thirty() -> u64 {
    30
}
