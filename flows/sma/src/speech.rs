//! `Speak` and `SpeakAndGetDigits`: text in the place of audio.

use serde::{Deserialize, Serialize};

use crate::action::{AudioSource, PlayAudioAndGetDigits, Target};
use crate::lenient;

/// What to say and how. Names and values are Amazon Polly's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SpeechParameters {
    /// At most 1,000 characters. AWS requires it; without it the action fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// `standard` or `neural`; none: standard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// `en-US`; none: the voice's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language_code: Option<String>,
    /// `text` or `ssml`; none: text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_type: Option<String>,
    /// `Joanna`; none: the configured one, and Joanna without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_id: Option<String>,
}

impl SpeechParameters {
    /// Plain text in the voice of the house.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// What is not said here is as there.
    fn or(self, other: &Self) -> Self {
        let of = |mine: Option<String>, other: &Option<String>| mine.or_else(|| other.clone());
        Self {
            text: self.text,
            engine: of(self.engine, &other.engine),
            language_code: of(self.language_code, &other.language_code),
            text_type: of(self.text_type, &other.text_type),
            voice_id: of(self.voice_id, &other.voice_id),
        }
    }
}

/// `Speak`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speak {
    /// What it hears. Stands first: [`Target`] takes what is left.
    #[serde(flatten)]
    pub speech: SpeechParameters,
    /// The leg that hears it.
    #[serde(flatten)]
    pub target: Target,
}

/// `SpeakAndGetDigits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SpeakAndGetDigits {
    /// The leg that hears it and dials.
    #[serde(flatten)]
    pub target: Target,
    /// What it hears.
    pub speech_parameters: SpeechParameters,
    /// Said after digits that do not fit, before the next attempt. What is missing is as in
    /// `speech_parameters`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_speech_parameters: Option<SpeechParameters>,
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
    /// How long an attempt waits for the first digit after the text.
    #[serde(deserialize_with = "lenient::number")]
    pub repeat_duration_in_milliseconds: u64,
}

fn most_digits() -> u64 {
    128
}

fn one() -> u64 {
    1
}

fn hash() -> Vec<String> {
    vec!["#".to_owned()]
}

impl SpeakAndGetDigits {
    /// The same with speech as its audio.
    pub fn as_audio(&self) -> PlayAudioAndGetDigits {
        let failure = self.failure_speech_parameters.clone();
        PlayAudioAndGetDigits {
            target: self.target.clone(),
            audio_source: AudioSource::Speech(Box::new(self.speech_parameters.clone())),
            failure_audio_source: failure
                .map(|speech| AudioSource::Speech(Box::new(speech.or(&self.speech_parameters)))),
            input_digits_regex: self.input_digits_regex.clone(),
            min_number_of_digits: self.min_number_of_digits,
            max_number_of_digits: self.max_number_of_digits,
            terminator_digits: self.terminator_digits.clone(),
            in_between_digits_duration_in_milliseconds: self
                .in_between_digits_duration_in_milliseconds,
            repeat: self.repeat,
            repeat_duration_in_milliseconds: self.repeat_duration_in_milliseconds,
            playback_controls: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;
    use crate::rules::Rules;

    #[test]
    fn speak_is_read_as_awss_own_workflows_write_it() {
        let text = r#"{"Type":"Speak","Parameters":{"Text":"Hello","CallId":"c-1","Engine":"neural",
            "LanguageCode":"en-US","TextType":"text","VoiceId":"Joanna"}}"#;
        let action: Action = serde_json::from_str(text).unwrap();
        let Action::Speak(speak) = &action else { panic!("{action:?}") };
        assert_eq!(speak.target.call_id.as_deref(), Some("c-1"));
        assert_eq!(speak.speech.voice_id.as_deref(), Some("Joanna"));
        assert!(action.answers(&Rules::default()) && !action.is_interruptible(&Rules::default()));
        let again: serde_json::Value = serde_json::to_value(&action).unwrap();
        assert_eq!(again, serde_json::from_str::<serde_json::Value>(text).unwrap());
    }

    #[test]
    fn the_failure_text_is_spoken_as_the_text_is() {
        let text = r#"{"Type":"SpeakAndGetDigits","Parameters":{"ParticipantTag":"LEG-A",
            "SpeechParameters":{"Text":"Number?","VoiceId":"Matthew","TextType":"text"},
            "FailureSpeechParameters":{"Text":"<speak>no</speak>","TextType":"ssml"},
            "MaxNumberOfDigits":"3","RepeatDurationInMilliseconds":5000}}"#;
        let action: Action = serde_json::from_str(text).unwrap();
        let Action::SpeakAndGetDigits(ask) = &action else { panic!("{action:?}") };
        let audio = ask.as_audio();
        let Some(AudioSource::Speech(failure)) = audio.failure_audio_source else { panic!() };
        assert_eq!(failure.voice_id.as_deref(), Some("Matthew"));
        assert_eq!(failure.text_type.as_deref(), Some("ssml"));
        assert_eq!((audio.max_number_of_digits, audio.repeat), (3, 1));
    }
}
