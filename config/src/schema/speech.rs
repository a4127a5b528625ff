//! Text that is spoken: `[speech]`.

use std::time::Duration;

use crate::secret::Secret;

/// What speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpeechEngine {
    /// Nothing does.
    Off,
    /// `espeak-ng` on this machine.
    Local,
    /// Amazon Polly, and `espeak-ng` what it cannot.
    Polly,
}

/// `[speech]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speech {
    /// What speaks.
    pub engine: SpeechEngine,
    /// The voice of texts that name none: one of Amazon Polly's.
    pub voice: String,
    /// Longest time that an engine may take over a text.
    pub patience: Duration,
    /// Texts that are made at a time.
    pub at_once: usize,
    /// Megabytes of spoken texts on the disk; 0: none are kept there.
    pub cache_megabytes: u64,
    /// Region of Amazon Polly.
    pub polly_region: String,
    /// Its address, when it is not the region's usual one.
    pub polly_endpoint: Option<String>,
    /// The access key's id.
    pub polly_key: Option<String>,
    /// The secret access key.
    pub polly_secret: Option<Secret>,
}

impl Default for Speech {
    fn default() -> Self {
        Self {
            engine: SpeechEngine::Local,
            voice: "Joanna".into(),
            patience: Duration::from_secs(5),
            at_once: 4,
            cache_megabytes: 100,
            polly_region: "us-east-1".into(),
            polly_endpoint: None,
            polly_key: None,
            polly_secret: None,
        }
    }
}
