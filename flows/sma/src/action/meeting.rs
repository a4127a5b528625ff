//! Actions for Amazon Chime SDK meetings, and noise suppression.

use serde::{Deserialize, Serialize};

use super::Target;

/// The number that a Voice Connector takes meeting calls at.
pub const MEETING_NUMBER: &str = "+17035550122";

/// `JoinChimeMeeting`: LEG-A only, and not on a bridged call. LEG-B is the meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct JoinChimeMeeting {
    /// The leg.
    #[serde(flatten)]
    pub target: Target,
    /// The attendee's join token.
    pub join_token: String,
    /// The meeting; needed for those made in the SDK's own namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meeting_id: Option<String>,
}

/// `ModifyChimeMeetingAttendees`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifyChimeMeetingAttendees {
    /// The leg that is in the meeting.
    #[serde(flatten)]
    pub target: Target,
    /// `Mute` or `Unmute`.
    pub operation: String,
    /// Which meeting.
    pub meeting_id: String,
    /// Attendee ids, 1 to 100.
    pub attendee_list: Vec<String>,
}

/// `VoiceFocus`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct VoiceFocus {
    /// The leg whose voice is freed of noise.
    #[serde(flatten)]
    pub target: Target,
    /// On or off.
    pub enable: bool,
}
