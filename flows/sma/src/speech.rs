//! `Speak` and `SpeakAndGetDigits`: text in the place of audio.

use serde::{Deserialize, Serialize};

use crate::action::{AudioSource, DigitInput, PlayAudioAndGetDigits, Target};

/// What to say and how. Names and values are Amazon Polly's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SpeechParameters {
    /// At most 1,000 characters. AWS requires it; without it the action fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// `standard`, `neural`, `generative` or `long-form`; none: standard.
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
    /// What is asked of the digits. Stands before the leg: [`Target`] takes what is left.
    #[serde(flatten)]
    pub input: DigitInput,
    /// The leg that hears it and dials.
    #[serde(flatten)]
    pub target: Target,
    /// What it hears.
    pub speech_parameters: SpeechParameters,
    /// Said after digits that do not fit, before the next attempt. What is missing is as in
    /// `speech_parameters`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_speech_parameters: Option<SpeechParameters>,
}

impl SpeakAndGetDigits {
    /// The same with speech as its audio.
    pub fn as_audio(&self) -> PlayAudioAndGetDigits {
        let failure = self.failure_speech_parameters.clone();
        PlayAudioAndGetDigits {
            input: self.input.clone(),
            target: self.target.clone(),
            audio_source: AudioSource::Speech(Box::new(self.speech_parameters.clone())),
            failure_audio_source: failure
                .map(|speech| AudioSource::Speech(Box::new(speech.or(&self.speech_parameters)))),
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
        assert_eq!((audio.input.max_number_of_digits, audio.input.repeat), (3, 1));
    }
}
