//! Amazon Polly: `SynthesizeSpeech`, as 16 kHz PCM that is given as it comes.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::https::{self, Endpoint, Trust};
use crate::sigv4::{Credentials, Draft, Scope};

/// Samples in a second of what comes: the most that Polly gives as PCM.
pub const RATE: u32 = 16_000;
/// The operation's path.
const PATH: &str = "/v1/speech";
/// Octets of an answer that is an error.
const MAX_ERROR: usize = 16 << 10;

/// Why there is no speech.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PollyError {
    /// No connection, or it broke.
    #[error("Amazon Polly cannot be reached: {0}")]
    Unreachable(String),
    /// It wants fewer requests.
    #[error("Amazon Polly is throttling the request to synthesize speech")]
    Throttled,
    /// It does not let us: key, rights, clock.
    #[error("Amazon Polly refuses us: {0}")]
    Denied(String),
    /// It does not take this text, voice or language, or failed at it.
    #[error("Amazon Polly: {0}")]
    Refused(String),
    /// Whoever takes the samples wants no more.
    #[error("no more is wanted")]
    Stopped,
}

/// What is to be said.
#[derive(Debug, Clone, Copy)]
pub struct Synthesis<'a> {
    /// Plain text or SSML.
    pub text: &'a str,
    /// Which of them.
    pub ssml: bool,
    /// `Joanna`.
    pub voice: &'a str,
    /// `en-US`; `None`: the voice's own.
    pub language: Option<&'a str>,
    /// As AWS writes it: `standard`, `neural`, `long-form`, `generative`. Each has voices and markup of
    /// its own, and Polly refuses what does not go together.
    pub engine: &'a str,
}

/// A way to Amazon Polly.
#[derive(Debug, Clone)]
pub struct Polly {
    endpoint: Endpoint,
    region: String,
    credentials: Credentials,
    trust: Trust,
}

impl Polly {
    /// In a region, or at an address of its own.
    ///
    /// # Errors
    /// In words, when the address is none or TLS cannot be had.
    pub fn new(
        region: &str,
        endpoint: Option<&str>,
        credentials: Credentials,
    ) -> Result<Self, String> {
        let usual = format!("https://polly.{region}.amazonaws.com");
        let address = endpoint.unwrap_or(&usual);
        let endpoint =
            Endpoint::parse(address).ok_or_else(|| format!("{address} is no address"))?;
        Ok(Self { endpoint, region: region.to_owned(), credentials, trust: Trust::system()? })
    }

    /// Has a text spoken. `take` gets the samples as they come; `false` from it ends the request.
    ///
    /// # Errors
    /// See [`PollyError`].
    pub async fn synthesize(
        &self,
        what: Synthesis<'_>,
        now: Timestamp,
        mut take: impl FnMut(&[i16]) -> bool,
    ) -> Result<(), PollyError> {
        let request = self.request(what, now)?;
        let answer = https::send(&self.endpoint, &self.trust, request)
            .await
            .map_err(|error| PollyError::Unreachable(error.to_string()))?;
        if !answer.status().is_success() {
            return Err(refusal(answer).await);
        }
        let mut body = answer.into_body();
        let (mut odd, mut samples) = (None, Vec::new());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| PollyError::Unreachable(error.to_string()))?;
            samples.clear();
            for &byte in frame.data_ref().map(|data| &data[..]).unwrap_or_default() {
                match odd.take() {
                    Some(low) => samples.push(i16::from_le_bytes([low, byte])),
                    None => odd = Some(byte),
                }
            }
            if !take(&samples) {
                return Err(PollyError::Stopped);
            }
        }
        Ok(())
    }

    fn request(
        &self,
        what: Synthesis<'_>,
        now: Timestamp,
    ) -> Result<Request<Full<Bytes>>, PollyError> {
        let mut body = json!({
            "Engine": what.engine,
            "OutputFormat": "pcm",
            "SampleRate": RATE.to_string(),
            "Text": what.text,
            "TextType": if what.ssml { "ssml" } else { "text" },
            "VoiceId": what.voice,
        });
        if let (Some(language), Some(body)) = (what.language, body.as_object_mut()) {
            body.insert("LanguageCode".to_owned(), Value::from(language));
        }
        let body = Bytes::from(body.to_string());
        let draft = Draft::post(&self.endpoint.authority, PATH, "application/json", body);
        let scope = Scope { region: &self.region, service: "polly" };
        draft.signed(&self.credentials, scope, now).map_err(PollyError::Refused)
    }
}

/// What an answer says that is no speech.
async fn refusal(answer: Response<Incoming>) -> PollyError {
    let (head, body) = answer.into_parts();
    let kind = head.headers.get("x-amzn-errortype").and_then(|kind| kind.to_str().ok());
    // `InvalidSsmlException:http://internal.amazon.com/…`.
    let kind = kind.unwrap_or_default().split(':').next().unwrap_or_default().to_owned();
    let read = Limited::new(body, MAX_ERROR).collect().await;
    let text = read.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let told: Value = serde_json::from_slice(&text).unwrap_or_default();
    let message = ["message", "Message"].iter().find_map(|key| told.get(key)?.as_str());
    let words = format!("{} {kind} {}", head.status.as_u16(), message.unwrap_or_default());
    let words = words.trim_end().to_owned();
    match head.status.as_u16() {
        429 => PollyError::Throttled,
        _ if kind.starts_with("Throttling") => PollyError::Throttled,
        401 | 403 => PollyError::Denied(words),
        500.. => PollyError::Unreachable(words),
        _ => PollyError::Refused(words),
    }
}
