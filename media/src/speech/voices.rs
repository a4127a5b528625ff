//! Amazon Polly's voices, so that a flow which names one is spoken by the like of it anywhere.

use super::SpeechError;

/// Man, woman or child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A woman.
    Woman,
    /// A man.
    Man,
    /// A child.
    Child,
}

/// A voice by its id.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Voice {
    /// `Joanna`.
    pub id: &'static str,
    /// Its language, as Polly writes it.
    pub language: &'static str,
    /// What it sounds like.
    pub kind: Kind,
}

/// The one that AWS takes when none is named.
pub const DEFAULT: &str = "Joanna";

macro_rules! voices {
    ($($language:literal: $($kind:ident $($id:literal)+),+;)+) => {
        const VOICES: &[Voice] =
            &[$($($(Voice { id: $id, language: $language, kind: Kind::$kind },)+)+)+];
    };
}

voices! {
    "arb": Woman "Zeina";
    "ar-AE": Woman "Hala", Man "Zayd";
    "ca-ES": Woman "Arlet";
    "cmn-CN": Woman "Zhiyu";
    "cs-CZ": Woman "Jitka";
    "cy-GB": Woman "Gwyneth";
    "da-DK": Woman "Naja" "Sofie", Man "Mads";
    "de-AT": Woman "Hannah";
    "de-CH": Woman "Sabrina";
    "de-DE": Woman "Marlene" "Vicki", Man "Hans" "Daniel" "Lennart";
    "en-AU": Woman "Nicole" "Olivia", Man "Russell";
    "en-GB": Woman "Amy" "Emma", Man "Brian" "Arthur";
    "en-GB-WLS": Man "Geraint";
    "en-IE": Woman "Niamh";
    "en-IN": Woman "Aditi" "Raveena" "Kajal";
    "en-NZ": Woman "Aria";
    "en-SG": Woman "Jasmine";
    "en-US": Woman "Joanna" "Kendra" "Kimberly" "Salli" "Danielle" "Ruth" "Tiffany",
        Man "Joey" "Matthew" "Gregory" "Stephen" "Patrick", Child "Ivy" "Justin" "Kevin";
    "en-ZA": Woman "Ayanda";
    "es-ES": Woman "Conchita" "Lucia", Man "Enrique" "Sergio";
    "es-MX": Woman "Mia", Man "Andres";
    "es-US": Woman "Lupe" "Penelope", Man "Miguel" "Pedro";
    "fi-FI": Woman "Suvi";
    "fr-BE": Woman "Isabelle";
    "fr-CA": Woman "Chantal" "Gabrielle", Man "Liam";
    "fr-FR": Woman "Celine" "Lea" "Ambre", Man "Mathieu" "Remi" "Florian";
    "is-IS": Woman "Dora", Man "Karl";
    "it-IT": Woman "Carla" "Bianca" "Beatrice", Man "Giorgio" "Adriano" "Lorenzo";
    "ja-JP": Woman "Mizuki" "Kazuha" "Tomoko", Man "Takumi";
    "ko-KR": Woman "Seoyeon" "Jihye";
    "nb-NO": Woman "Liv" "Ida";
    "nl-BE": Woman "Lisa";
    "nl-NL": Woman "Lotte" "Laura", Man "Ruben";
    "pl-PL": Woman "Ewa" "Maja" "Ola", Man "Jacek" "Jan";
    "pt-BR": Woman "Vitoria" "Camila", Man "Ricardo" "Thiago";
    "pt-PT": Woman "Ines", Man "Cristiano";
    "ro-RO": Woman "Carmen";
    "ru-RU": Woman "Tatyana", Man "Maxim";
    "sv-SE": Woman "Astrid" "Elin";
    "tr-TR": Woman "Filiz" "Burcu";
    "yue-CN": Woman "Hiujin";
}

/// Languages that a `LanguageCode` may name and the local engine's name for each.
const LANGUAGES: &[(&str, &str)] = &[
    ("arb", "ar"),
    ("ar-AE", "ar"),
    ("ca-ES", "ca"),
    ("cmn-CN", "cmn"),
    ("cs-CZ", "cs"),
    ("cy-GB", "cy"),
    ("da-DK", "da"),
    ("de-AT", "de"),
    ("de-CH", "de"),
    ("de-DE", "de"),
    ("en-AU", "en-gb"),
    ("en-GB", "en-gb"),
    ("en-GB-WLS", "en-gb"),
    ("en-IE", "en-gb"),
    ("en-IN", "en-gb"),
    ("en-NZ", "en-gb"),
    ("en-SG", "en-gb"),
    ("en-US", "en-us"),
    ("en-ZA", "en-gb"),
    ("es-ES", "es"),
    ("es-MX", "es-419"),
    ("es-US", "es-419"),
    ("fi-FI", "fi"),
    ("fr-BE", "fr-be"),
    ("fr-CA", "fr-fr"),
    ("fr-FR", "fr-fr"),
    ("hi-IN", "hi"),
    ("is-IS", "is"),
    ("it-IT", "it"),
    ("ja-JP", "ja"),
    ("ko-KR", "ko"),
    ("nb-NO", "nb"),
    ("nl-BE", "nl"),
    ("nl-NL", "nl"),
    ("pl-PL", "pl"),
    ("pt-BR", "pt-br"),
    ("pt-PT", "pt"),
    ("ro-RO", "ro"),
    ("ru-RU", "ru"),
    ("sv-SE", "sv"),
    ("tr-TR", "tr"),
    ("yue-CN", "yue"),
];

/// The voice of this id.
///
/// # Errors
/// When there is none.
pub fn voice(id: &str) -> Result<&'static Voice, SpeechError> {
    let found = VOICES.iter().find(|voice| voice.id == id);
    found.ok_or_else(|| SpeechError::UnknownVoice(id.chars().take(32).collect()))
}

/// The language of this code.
///
/// # Errors
/// When there is none.
pub(super) fn language(code: &str) -> Result<&'static str, SpeechError> {
    let found = LANGUAGES.iter().find(|(known, _)| *known == code);
    let unknown = || SpeechError::UnknownLanguage(code.chars().take(32).collect());
    found.map(|(known, _)| *known).ok_or_else(unknown)
}

/// What espeak-ng calls this language, spoken so.
pub(super) fn espeak(language: &str, kind: Kind) -> String {
    let known = LANGUAGES.iter().find(|(code, _)| *code == language);
    let name = known.map_or("en-us", |(_, name)| *name);
    match kind {
        Kind::Man => name.to_owned(),
        Kind::Woman => format!("{name}+f2"),
        Kind::Child => format!("{name}+f5"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_voice_has_a_language_that_the_local_engine_knows() {
        for voice in VOICES {
            assert_eq!(language(voice.language), Ok(voice.language), "{}", voice.id);
            assert_eq!(VOICES.iter().filter(|v| v.id == voice.id).count(), 1, "{}", voice.id);
        }
        assert_eq!(espeak("en-US", voice(DEFAULT).unwrap().kind), "en-us+f2");
        assert_eq!(espeak("de-DE", voice("Hans").unwrap().kind), "de");
        assert_eq!(voice("Tiffany").map(|tiffany| tiffany.language), Ok("en-US"));
        assert!(voice("Nobody").is_err() && language("xx-XX").is_err());
    }
}
