//! What speaks: espeak-ng, and Amazon Polly before it when it is configured.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use offhook_chime::polly::{self, Polly, PollyError, Synthesis};
use offhook_chime::sigv4::Credentials;
use offhook_config::{Config, SpeechEngine};
use offhook_media::speech::{
    Engine, Espeak, Hear, Speech, SpeechConfig, SpeechError, Utterance, voices,
};

use crate::place::CommandError;

/// Starts what `[speech]` asks for; `None`: it is off.
pub fn start(config: &Config) -> Result<Option<Speech>, CommandError> {
    let speech = &config.speech;
    let engines: Vec<Arc<dyn Engine>> = match speech.engine {
        SpeechEngine::Off => return Ok(None),
        SpeechEngine::Local => vec![Arc::new(Espeak::default())],
        SpeechEngine::Polly => vec![Arc::new(Cloud::new(config)?), Arc::new(Espeak::default())],
    };
    for warning in warnings(config) {
        tracing::warn!("{warning}");
    }
    let kept = speech.cache_megabytes > 0;
    let bounds = SpeechConfig {
        folder: kept.then(|| config.server.data_dir.join("speech")),
        disk_bytes: speech.cache_megabytes << 20,
        threads: speech.at_once,
        patience: speech.patience,
        ..SpeechConfig::default()
    };
    let started = Speech::start(bounds, engines);
    started.map(Some).map_err(|e| CommandError::Words(format!("no thread to speak with: {e}")))
}

/// What is no mistake in the file, and yet leaves texts unspoken.
pub fn warnings(config: &Config) -> Vec<String> {
    let speech = &config.speech;
    if speech.engine == SpeechEngine::Off {
        return Vec::new();
    }
    let mut warnings = Vec::new();
    if let Err(why) = Espeak::default().check() {
        let alone = if speech.engine == SpeechEngine::Polly {
            "what Amazon Polly cannot say stays unsaid"
        } else {
            "texts are not spoken"
        };
        warnings.push(format!("[speech] {why}: {alone}; apt-get install espeak-ng"));
    }
    if let Err(error) = voices::voice(&speech.voice) {
        warnings.push(format!("[speech] voice: {error}; docs/prompts-and-speech.md lists them"));
    }
    warnings
}

/// Amazon Polly as an engine.
struct Cloud(Polly);

impl Cloud {
    fn new(config: &Config) -> Result<Self, CommandError> {
        let speech = &config.speech;
        let credentials = Credentials::new(
            speech.polly_key.clone().unwrap_or_default(),
            speech.polly_secret.as_ref().map_or("", |s| s.expose()),
        );
        Polly::new(&speech.polly_region, speech.polly_endpoint.as_deref(), credentials)
            .map(Self)
            .map_err(|words| CommandError::Words(format!("[speech] {words}")))
    }
}

impl Engine for Cloud {
    fn name(&self) -> &'static str {
        "Amazon Polly"
    }

    fn speak(
        &self,
        utterance: &Utterance,
        until: Instant,
        hear: &mut Hear<'_>,
    ) -> Result<(), SpeechError> {
        let failed = |error: std::io::Error| SpeechError::Unavailable(error.to_string());
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let language = utterance.language();
        let what = Synthesis {
            text: utterance.text(),
            ssml: utterance.is_ssml(),
            voice: utterance.voice().id,
            language: (language != utterance.voice().language).then_some(language),
            engine: utterance.engine().name(),
        };
        let mut refused = None;
        let spoken = runtime.block_on(async {
            let take = |samples: &[i16]| {
                refused = hear(polly::RATE, samples).err();
                refused.is_none()
            };
            let speaking = self.0.synthesize(what, Timestamp::now(), take);
            tokio::time::timeout_at(until.into(), speaking).await
        });
        // A name server that does not answer must not keep this thread.
        runtime.shutdown_background();
        match spoken {
            Err(_) => Err(SpeechError::TimedOut),
            Ok(Ok(())) => Ok(()),
            Ok(Err(PollyError::Stopped)) => Err(refused.unwrap_or(SpeechError::TooMuch)),
            Ok(Err(PollyError::Throttled)) => Err(SpeechError::Busy),
            Ok(Err(error @ (PollyError::Unreachable(_) | PollyError::Denied(_)))) => {
                Err(SpeechError::Unavailable(error.to_string()))
            }
            Ok(Err(error @ PollyError::Refused(_))) => Err(SpeechError::Failed(error.to_string())),
        }
    }
}
