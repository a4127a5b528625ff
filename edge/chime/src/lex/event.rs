//! Events of a conversation: JSON in messages, their names in headers (Lex V2 API reference,
//! `StartConversationRequestEventStream`, `StartConversationResponseEventStream`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{LexError, words};
use crate::eventstream::{self, Message};

/// The form of what a caller says (`AudioInputEvent`, `contentType`): the only one that is taken.
const HEARD: &str =
    "audio/lpcm; sample-rate=8000; sample-size-bits=16; channel-count=1; is-big-endian=false";
/// Octets of one `AudioInputEvent` (developer guide: 320 at the most), 20 ms.
pub const CHUNK: usize = 320;
/// The form in which the bot is to speak: 16-bit PCM, little-endian ...
const SPOKEN: &str = "audio/pcm";
/// ... at 16 kHz (`RecognizeUtterance`, `responseContentType`), unless an event says otherwise.
const RATE: u32 = 16_000;

/// Something that a bot is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// What the caller says: 8 kHz PCM16, little-endian, of [`CHUNK`] octets at the most.
    Audio(Bytes),
    /// A key that he pressed: `0`-`9`, `*`, `#`, `A`-`D`.
    Key(char),
    /// He has heard what the bot said.
    Played,
    /// He is gone.
    Gone,
}

/// Something that a bot does.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// It speaks: mono PCM16, little-endian; a sample may be cut in two.
    Audio {
        /// Samples in a second.
        rate: u32,
        /// Octets.
        octets: Bytes,
    },
    /// It has said it all.
    AudioEnd,
    /// It will say something: the words of it are here, the sound comes.
    Text,
    /// It wants to say no more of what it said last: somebody speaks, or presses a key.
    Interrupted,
    /// What it understood.
    Understood {
        /// `IntentResult` of the action's event.
        result: Map<String, Value>,
        /// The name of the intent, for people.
        intent: Option<String>,
        /// It wants to hear nothing more.
        over: bool,
    },
    /// It is still there; or something of which nobody knows here.
    Other,
}

fn message(kind: &str, mut body: Value, counted: &mut u64) -> Message {
    *counted += 1;
    if let Some(body) = body.as_object_mut() {
        body.insert("eventId".to_owned(), json!(format!("offhook-{counted}")));
        let now = Timestamp::now().as_millisecond();
        body.insert("clientTimestampMillis".to_owned(), json!(now));
    }
    let mut message = Message::new(Bytes::from(body.to_string()));
    let mut text =
        |name, value: &str| message.set(name, eventstream::Value::Text(value.to_owned()));
    text(":message-type", "event");
    text(":event-type", kind);
    text(":content-type", "application/json");
    message
}

/// `ConfigurationEvent`: the first one.
pub(super) fn configuration(of: Option<&Map<String, Value>>, counted: &mut u64) -> Message {
    let mut body = of.map(words::configuration).unwrap_or_default();
    body.insert("responseContentType".to_owned(), json!(SPOKEN));
    // The bot waits until it was heard (`PlaybackCompletionEvent`).
    body.insert("disablePlayback".to_owned(), json!(false));
    message("ConfigurationEvent", Value::Object(body), counted)
}

pub(super) fn heard(heard: &Heard, counted: &mut u64) -> Message {
    let (kind, body) = match heard {
        Heard::Audio(octets) => {
            ("AudioInputEvent", json!({"audioChunk": BASE64.encode(octets), "contentType": HEARD}))
        }
        Heard::Key(key) => ("DTMFInputEvent", json!({"inputCharacter": key})),
        Heard::Played => ("PlaybackCompletionEvent", json!({})),
        Heard::Gone => ("DisconnectionEvent", json!({})),
    };
    message(kind, body, counted)
}

pub(super) fn read(message: &Message) -> Result<Event, LexError> {
    let text = |name| message.text(name).unwrap_or_default().to_owned();
    let body = || serde_json::from_slice::<Value>(message.payload());
    match message.text(":message-type") {
        Some("event") => {}
        Some("exception") => {
            let told = body().unwrap_or_default();
            let words = ["message", "Message"].iter().find_map(|key| told.get(key)?.as_str());
            let message = words.unwrap_or_default().to_owned();
            return Err(LexError::Exception { code: text(":exception-type"), message });
        }
        Some("error") => {
            let (code, message) = (text(":error-code"), text(":error-message"));
            return Err(LexError::Exception { code, message });
        }
        other => {
            return Err(LexError::Broken(format!("{other:?} is no type of a message")));
        }
    }
    let kind = message.text(":event-type").unwrap_or_default();
    let body = || body().map_err(|error| LexError::Broken(format!("{kind}: {error}")));
    Ok(match kind {
        "AudioResponseEvent" => audio(&body()?)?,
        "TextResponseEvent" => Event::Text,
        "PlaybackInterruptionEvent" => Event::Interrupted,
        "IntentResultEvent" => {
            let body = body()?;
            let over = words::is_over(&body);
            let (result, intent) = (words::result(&body), words::intent(&body));
            Event::Understood { result, intent, over }
        }
        _ => Event::Other,
    })
}

/// A piece of what the bot says; one without a chunk is its end.
fn audio(body: &Value) -> Result<Event, LexError> {
    let chunk = body.get("audioChunk").and_then(Value::as_str).unwrap_or_default();
    if chunk.is_empty() {
        return Ok(Event::AudioEnd);
    }
    let form = body.get("contentType").and_then(Value::as_str).unwrap_or(SPOKEN);
    let (kind, parameters) = form.split_once(';').unwrap_or((form, ""));
    if !kind.trim().eq_ignore_ascii_case(SPOKEN) {
        return Err(LexError::Broken(format!("{kind:?} was not asked for")));
    }
    let octets = BASE64.decode(chunk).map_err(|_| LexError::Broken("no Base64".to_owned()))?;
    Ok(Event::Audio { rate: rate(parameters), octets: Bytes::from(octets) })
}

/// Of `sample-rate=8000` or `rate=8000`.
fn rate(parameters: &str) -> u32 {
    let told = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        matches!(name.trim(), "sample-rate" | "rate").then(|| value.trim().parse().ok())?
    });
    told.filter(|rate| (8_000..=48_000).contains(rate)).unwrap_or(RATE)
}
