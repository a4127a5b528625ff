//! What is to be spoken, checked.

use sha2::{Digest as _, Sha256};

use super::voices::{self, Voice};
use super::{SpeechError, ssml};

/// Characters of a text: as many as Amazon Polly speaks at once.
pub const MAX_TEXT: usize = 3000;

/// With which of Amazon Polly's engines a text is spoken (`SynthesizeSpeech`, `Engine`). What speaks on
/// this machine has one voice for all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum VoiceEngine {
    /// `standard`: what is meant where nothing is said.
    #[default]
    Standard,
    /// `neural`.
    Neural,
    /// `long-form`.
    LongForm,
    /// `generative`.
    Generative,
}

impl VoiceEngine {
    /// All that Polly has.
    pub const ALL: [Self; 4] = [Self::Standard, Self::Neural, Self::LongForm, Self::Generative];

    /// As AWS writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Neural => "neural",
            Self::LongForm => "long-form",
            Self::Generative => "generative",
        }
    }

    /// The one that AWS writes so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|engine| engine.name() == name)
    }
}

/// A text and how it is to sound. It is known to be spoken by somebody: voice and language exist, the
/// markup is sound.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Utterance {
    text: String,
    ssml: bool,
    voice: &'static Voice,
    language: &'static str,
    engine: VoiceEngine,
}

/// Names a spoken text: a hash of all that it depends on, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// 64 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Utterance {
    /// Plain text.
    ///
    /// # Errors
    /// When it is empty or too long, or there is no such voice.
    pub fn plain(text: &str, voice: &str) -> Result<Self, SpeechError> {
        let voice = voices::voice(voice)?;
        let text: String =
            text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        let text = text.trim().to_owned();
        let language = voice.language;
        Self { text, ssml: false, voice, language, engine: VoiceEngine::Standard }.checked()
    }

    /// SSML.
    ///
    /// # Errors
    /// As for plain text, and when the markup is broken or unknown.
    pub fn ssml(text: &str, voice: &str) -> Result<Self, SpeechError> {
        let voice = voices::voice(voice)?;
        let text = ssml::rewrite(text, true).map_err(SpeechError::Ssml)?;
        let language = voice.language;
        Self { text, ssml: true, voice, language, engine: VoiceEngine::Standard }.checked()
    }

    fn checked(self) -> Result<Self, SpeechError> {
        if self.text.is_empty() {
            return Err(SpeechError::Empty);
        }
        if self.text.chars().count() > MAX_TEXT {
            return Err(SpeechError::TooLong);
        }
        Ok(self)
    }

    /// In another language than the voice's own.
    ///
    /// # Errors
    /// When there is none of this code.
    pub fn in_language(mut self, code: &str) -> Result<Self, SpeechError> {
        self.language = voices::language(code)?;
        Ok(self)
    }

    /// With another of Polly's engines than the standard one.
    #[must_use]
    pub fn with_engine(mut self, engine: VoiceEngine) -> Self {
        self.engine = engine;
        self
    }

    /// The text: plain, or SSML that was written anew.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the text is SSML.
    #[must_use]
    pub fn is_ssml(&self) -> bool {
        self.ssml
    }

    /// Who speaks.
    #[must_use]
    pub fn voice(&self) -> &'static Voice {
        self.voice
    }

    /// In which language.
    #[must_use]
    pub fn language(&self) -> &'static str {
        self.language
    }

    /// With which of Polly's engines.
    #[must_use]
    pub fn engine(&self) -> VoiceEngine {
        self.engine
    }

    /// The name of this text as an engine speaks it.
    pub(super) fn key(&self, engine: &str) -> Key {
        let kind = if self.ssml { "ssml" } else { "text" };
        let quality = self.engine.name();
        let mut hash = Sha256::new();
        for part in [engine, quality, self.voice.id, self.language, kind, &self.text] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Key(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
