//! What is asked of the digits that a caller presses after a prompt, spoken or played.

use serde::{Deserialize, Serialize};

use crate::lenient;

/// The parameters that `PlayAudioAndGetDigits` and `SpeakAndGetDigits` have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DigitInput {
    /// What fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_digits_regex: Option<String>,
    /// Fewest digits.
    #[serde(default, deserialize_with = "lenient::number")]
    pub min_number_of_digits: u64,
    /// Most digits.
    #[serde(default = "most_digits", deserialize_with = "lenient::number")]
    pub max_number_of_digits: u64,
    /// Digits that end the input.
    #[serde(default = "hash")]
    pub terminator_digits: Vec<String>,
    /// Longest pause between digits; none: as `repeat_duration_in_milliseconds`.
    #[serde(default, deserialize_with = "lenient::maybe", skip_serializing_if = "Option::is_none")]
    pub in_between_digits_duration_in_milliseconds: Option<u64>,
    /// Attempts in all.
    #[serde(default = "one", deserialize_with = "lenient::number")]
    pub repeat: u64,
    /// How long an attempt waits for the first digit after the prompt.
    #[serde(deserialize_with = "lenient::number")]
    pub repeat_duration_in_milliseconds: u64,
}

pub(super) fn one() -> u64 {
    1
}

fn most_digits() -> u64 {
    128
}

fn hash() -> Vec<String> {
    vec!["#".to_owned()]
}
