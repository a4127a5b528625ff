//! A bot's side of a conversation: what it is told, and what a test has it do.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use offhook_chime::eventstream::{Decoder, Message, Value as Header};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Asked;
use crate::tone::{seconds_of_sound, share};

/// What a bot is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// 8 kHz.
    Audio(Vec<i16>),
    /// `ConfigurationEvent`, the first one.
    Configuration(Value),
    /// A key.
    Key(char),
    /// The caller has heard the bot.
    Played,
    /// The caller is gone.
    Gone,
    /// The signed end of the stream.
    End,
    /// The stream is over, ended or not.
    Over,
}

/// Reads an event that was signed.
pub(super) fn read(event: &Bytes) -> Result<Told, String> {
    if event.is_empty() {
        return Ok(Told::End);
    }
    let mut decoder = Decoder::default();
    decoder.push(event).map_err(|error| error.to_string())?;
    let message = decoder.message().ok().flatten().ok_or("no event in the event")?;
    let text = |name| message.text(name);
    if (text(":message-type"), text(":content-type")) != (Some("event"), Some("application/json")) {
        return Err("no event of JSON".to_owned());
    }
    let body: Value = serde_json::from_slice(message.payload()).map_err(|e| e.to_string())?;
    Ok(match text(":event-type").unwrap_or_default() {
        "ConfigurationEvent" => Told::Configuration(body),
        "AudioInputEvent" => {
            let form = "audio/lpcm; sample-rate=8000; sample-size-bits=16; channel-count=1; \
                        is-big-endian=false";
            let chunk = BASE64.decode(body["audioChunk"].as_str().unwrap_or_default());
            let chunk = chunk.map_err(|error| error.to_string())?;
            if body["contentType"] != form || chunk.len() > 320 {
                return Err(format!("sound in a form that is not taken: {}", body["contentType"]));
            }
            let samples = chunk.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
            Told::Audio(samples.collect())
        }
        "DTMFInputEvent" => {
            let key = body["inputCharacter"].as_str().and_then(|text| text.chars().next());
            Told::Key(key.ok_or("no key")?)
        }
        "PlaybackCompletionEvent" => Told::Played,
        "DisconnectionEvent" => Told::Gone,
        other => return Err(format!("{other:?} is no event")),
    })
}

/// A bot's side of a conversation. Dropped, it ends its stream.
pub struct Bot {
    pub(super) says: mpsc::Sender<Bytes>,
    pub(super) told: mpsc::Receiver<Told>,
    /// What was asked for.
    pub asked: Asked,
    pub(super) events: u32,
}

impl Bot {
    /// The next thing that it is told.
    pub async fn next(&mut self) -> Told {
        self.told.recv().await.unwrap_or(Told::Over)
    }

    /// Waits for something that is no sound.
    pub async fn next_but_sound(&mut self) -> Told {
        loop {
            match self.next().await {
                Told::Audio(_) => {}
                told => return told,
            }
        }
    }

    /// Waits until it was told this.
    ///
    /// # Panics
    /// When the stream ends before.
    pub async fn until(&mut self, wanted: &Told) {
        loop {
            let told = self.next().await;
            if told == *wanted {
                return;
            }
            assert_ne!(told, Told::Over, "before {wanted:?}");
        }
    }

    /// Listens until there was a second of sound; how much of it is this tone.
    ///
    /// # Panics
    /// When the stream ends before.
    pub async fn hears(&mut self, hertz: f64) -> f64 {
        let mut all = Vec::new();
        while seconds_of_sound(&all, 8000) < 1.0 {
            match self.next().await {
                Told::Audio(samples) => all.extend(samples),
                Told::Over => panic!("the stream ended before a second of sound"),
                _ => {}
            }
        }
        share(&all, 8000, hertz)
    }

    /// Octets that may be none of an event.
    pub async fn sends(&mut self, octets: impl Into<Bytes>) {
        let _ = self.says.send(octets.into()).await;
    }

    async fn message(&mut self, headers: &[(&str, &str)], body: &Value) {
        let mut message = Message::new(Bytes::from(body.to_string()));
        for (name, value) in headers {
            message.set(name, Header::Text((*value).to_owned()));
        }
        self.sends(message.encode().expect("a message")).await;
    }

    /// An event.
    pub async fn does(&mut self, kind: &str, mut body: Value) {
        self.events += 1;
        body["eventId"] = json!(format!("RESPONSE-{}", self.events));
        let headers = [
            (":message-type", "event"),
            (":event-type", kind),
            (":content-type", "application/json"),
        ];
        self.message(&headers, &body).await;
    }

    /// An exception: the end of a stream.
    pub async fn fails(&mut self, kind: &str, message: &str) {
        let headers = [(":message-type", "exception"), (":exception-type", kind)];
        self.message(&headers, &json!({ "message": message })).await;
    }

    /// What it understood; `next`: the type of its `dialogAction`.
    pub async fn understands(&mut self, intent: &Value, next: &str) {
        let state = json!({"sessionAttributes": {"MyKey": "my value"}, "intent": intent,
            "dialogAction": {"type": next}});
        let body = json!({"inputMode": "Speech", "sessionId": self.asked.session,
            "sessionState": state, "requestAttributes": {},
            "interpretations": [{"nluConfidence": {"score": 0.9}, "intent": intent}]});
        self.does("IntentResultEvent", body).await;
    }

    /// Speaks: a tone of so many seconds at 16 kHz, in pieces of 100 octets, as fast as it goes.
    pub async fn speaks(&mut self, hertz: f64, seconds: f64) {
        let words = json!({"messages": [{"content": "beep", "contentType": "PlainText"}]});
        self.does("TextResponseEvent", words).await;
        self.begins_to_speak(hertz, seconds).await;
        self.does("AudioResponseEvent", json!({"contentType": "audio/pcm"})).await;
    }

    /// The same, and never comes to its end.
    pub async fn begins_to_speak(&mut self, hertz: f64, seconds: f64) {
        let sample = |n: usize| {
            let at = n as f64 / 16_000.0 * hertz * std::f64::consts::TAU;
            ((at.sin() * 8000.0) as i16).to_le_bytes()
        };
        let octets: Vec<u8> = (0..(seconds * 16_000.0) as usize).flat_map(sample).collect();
        for piece in octets.chunks(100) {
            let chunk = BASE64.encode(piece);
            let body = json!({"audioChunk": chunk, "contentType": "audio/pcm"});
            self.does("AudioResponseEvent", body).await;
        }
    }

    /// Nothing for a while.
    pub async fn waits(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
