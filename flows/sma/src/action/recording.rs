//! `RecordAudio`, and the recording of a leg beside whatever else runs.

use serde::{Deserialize, Serialize};

use super::Target;
use crate::lenient;

/// Where a recording goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "Type")]
pub enum RecordingDestination {
    /// A bucket, as in AWS.
    S3 {
        /// Bucket.
        #[serde(rename = "BucketName")]
        bucket_name: String,
        /// What the key begins with.
        #[serde(rename = "Prefix", default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
        /// Filled in when it is done.
        #[serde(rename = "Key", default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// Offhook: a voice mailbox of this office.
    Mailbox {
        /// The extension.
        #[serde(rename = "Mailbox")]
        mailbox: String,
    },
    /// Offhook: a folder on this machine.
    Folder {
        /// Its path.
        #[serde(rename = "Path")]
        path: String,
    },
}

/// `RecordAudio`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RecordAudio {
    /// The leg that is recorded.
    #[serde(flatten)]
    pub target: Target,
    /// Longest recording; none: no limit but the house's own.
    #[serde(default, deserialize_with = "lenient::maybe", skip_serializing_if = "Option::is_none")]
    pub duration_in_seconds: Option<u64>,
    /// Silence that ends it; none: silence does not.
    #[serde(default, deserialize_with = "lenient::maybe", skip_serializing_if = "Option::is_none")]
    pub silence_duration_in_seconds: Option<u64>,
    /// What counts as silence, 1 to 1000.
    #[serde(default = "two_hundred", deserialize_with = "lenient::number")]
    pub silence_threshold: u64,
    /// Digits that end it.
    #[serde(default)]
    pub recording_terminators: Vec<String>,
    /// Where it goes.
    pub recording_destination: RecordingDestination,
}

fn two_hundred() -> u64 {
    200
}

/// What of a leg is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Track {
    /// Both, in stereo: what it says on the left, what it hears on the right.
    Both,
    /// What the participant says.
    Incoming,
    /// What the participant hears.
    Outgoing,
}

/// Where the recording of a call goes. AWS knows `S3` only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallRecordingDestination {
    /// `S3`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// `bucket` or `bucket/prefix`; in an event the whole key behind the bucket.
    pub location: String,
}

/// `StartCallRecording`: from now on, in the background, until it is stopped or the leg ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StartCallRecording {
    /// The leg.
    #[serde(flatten)]
    pub target: Target,
    /// What of it.
    pub track: Track,
    /// Where it goes.
    pub destination: CallRecordingDestination,
}

/// `StopCallRecording`, `PauseCallRecording`, `ResumeCallRecording`, which have the leg as their
/// only parameter. A recording that was stopped cannot be started again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecordingControl {
    /// The leg.
    #[serde(flatten)]
    pub target: Target,
}
