//! Ranges of parameters. What cannot be read at all is [`super::Malformed`].

use serde_json::Value;

use super::{
    Action, AudioSource, BotAlias, CallAndBridge, Endpoint, EndpointType, Hangup,
    ModifyChimeMeetingAttendees, PlayAudioAndGetDigits, RecordAudio, RecordingDestination,
    SendDigits, StartBotConversation, StartCallRecording,
};
use crate::digits::Collector;
use crate::event::{ActionError, error_type};
use crate::speech::SpeechParameters;

/// Endpoints of one call within the office.
pub const MAX_BRANCHES: usize = 64;
/// Octets of a SIP header that an application sets.
const MAX_HEADER: usize = 2048;
/// Beginnings of header names that AWS keeps for itself.
const RESERVED: [&str; 5] = ["x-amzn", "x-vine", "x-vc", "x-canary", "x-voice"];
/// Characters of one text.
const MAX_TEXT: usize = 1000;

impl Action {
    /// Whether its parameters are within their ranges. `from`: LEG-A's `From`, which may always be
    /// shown.
    ///
    /// # Errors
    /// The first that is not, in AWS's words.
    pub fn check(&self, from: &str) -> Result<(), ActionError> {
        match self {
            Self::Malformed(action) => Err(action.error()),
            Self::CallAndBridge(action) => bridge(action, from),
            Self::Hangup(action) => hangup(action),
            Self::PlayAudio(action) => {
                audio(&action.audio_source)?;
                keys(&action.playback_terminators, "PlaybackTerminators")
            }
            Self::PlayAudioAndGetDigits(action) => digits(action),
            Self::Speak(action) => text(&action.speech),
            Self::SpeakAndGetDigits(action) => {
                text(&action.speech_parameters)?;
                if let Some(failure) = &action.failure_speech_parameters {
                    text(failure)?;
                }
                digits(&action.as_audio())
            }
            Self::RecordAudio(action) => record(action),
            Self::ReceiveDigits(action) => Collector::for_listening(action).map(|_| ()),
            Self::SendDigits(action) => send(action),
            Self::Pause(action) => within(
                action.duration_in_milliseconds,
                1..=30_000,
                "The Duration parameter is invalid.",
            ),
            Self::StartCallRecording(action) => call_recording(action),
            Self::JoinChimeMeeting(action) => {
                let length = action.join_token.len() as u64;
                // It becomes a parameter of a SIP URI.
                within(length, 1..=2048, "JoinToken parameter value is invalid.")
            }
            Self::ModifyChimeMeetingAttendees(action) => attendees(action),
            Self::StartBotConversation(action) => bot(action),
            Self::StopCallRecording(_)
            | Self::PauseCallRecording(_)
            | Self::ResumeCallRecording(_)
            | Self::VoiceFocus(_)
            | Self::Answer(_)
            | Self::Echo(_)
            | Self::JoinConference(_)
            | Self::SuperviseCall(_) => Ok(()),
        }
    }
}

fn invalid(text: impl Into<String>) -> ActionError {
    ActionError::new(error_type::INVALID_ACTION_PARAMETER, text)
}

fn within(
    value: u64,
    range: std::ops::RangeInclusive<u64>,
    text: impl Into<String>,
) -> Result<(), ActionError> {
    if range.contains(&value) { Ok(()) } else { Err(invalid(text)) }
}

fn keys(list: &[String], name: &str) -> Result<(), ActionError> {
    let fits = |key: &String| matches!(key.as_bytes(), [b'0'..=b'9' | b'#' | b'*']);
    if list.iter().all(fits) {
        return Ok(());
    }
    Err(invalid(format!("The {name} parameter is invalid.")))
}

fn audio(source: &AudioSource) -> Result<(), ActionError> {
    match source {
        AudioSource::S3 { bucket_name, key } if bucket_name.is_empty() || key.is_empty() => {
            let text = "Audio Source parameter value is invalid.";
            Err(ActionError::new(error_type::INVALID_AUDIO_SOURCE, text))
        }
        AudioSource::Speech(speech) => text(speech),
        AudioSource::List { parts } => parts.iter().try_for_each(audio),
        _ => Ok(()),
    }
}

fn text(speech: &SpeechParameters) -> Result<(), ActionError> {
    let missing =
        |text: &str| ActionError::new(error_type::MISSING_REQUIRED_ACTION_PARAMETER, text);
    let words = speech.text.as_deref().unwrap_or_default();
    if words.trim().is_empty() {
        return Err(missing("Text is a required parameter."));
    }
    if words.chars().count() > MAX_TEXT {
        return Err(missing("Text is limited to 1,000 characters"));
    }
    // Those of Amazon Polly: the guide names the first two, handlers in use ask for the others.
    let engine = speech.engine.as_deref();
    if !matches!(engine, None | Some("standard" | "neural" | "generative" | "long-form")) {
        return Err(invalid("The Engine parameter is invalid."));
    }
    if !matches!(speech.text_type.as_deref(), None | Some("text" | "ssml")) {
        return Err(invalid("The TextType parameter is invalid."));
    }
    Ok(())
}

fn hangup(action: &Hangup) -> Result<(), ActionError> {
    // 0, 480 and 486 in AWS. A handler of the public ends its calls with 200, which is what 0 is.
    match action.sip_response_code {
        0 | 200..=299 | 400..=699 => Ok(()),
        _ => Err(invalid("The SipResponseCode parameter is invalid.")),
    }
}

fn bridge(action: &CallAndBridge, from: &str) -> Result<(), ActionError> {
    let ours =
        |e: &Endpoint| !matches!(e.bridge_endpoint_type, EndpointType::Pstn | EndpointType::Aws);
    let local = |e: &Endpoint| {
        matches!(e.bridge_endpoint_type, EndpointType::Extension | EndpointType::Group)
    };
    let most = if action.endpoints.iter().all(ours) { 3_600 } else { 120 };
    within(
        action.call_timeout_seconds,
        1..=most,
        "The MaxCallTimeout parameter is invalid. Timeout must be between 0 and 120 seconds.",
    )?;
    let most = if action.endpoints.iter().all(local) { MAX_BRANCHES } else { 1 };
    if action.endpoints.is_empty() || action.endpoints.len() > most {
        return Err(invalid("Invalid number of endpoints provided."));
    }
    if !action.endpoints.iter().all(endpoint) {
        return Err(invalid("Endpoint parameter is invalid."));
    }
    if let Some(shown) = &action.caller_id_number
        && !is_e164(shown)
        && shown != from
    {
        return Err(invalid("Invalid caller ID."));
    }
    if let Some(AudioSource::S3 { bucket_name, key }) = &action.ringback_tone
        && (bucket_name.is_empty() || key.is_empty())
    {
        let text = "Ringtone parameter value is invalid.";
        return Err(ActionError::new(error_type::INVALID_AUDIO_SOURCE, text));
    }
    let mut headers = action.sip_headers.iter();
    if let Some((name, _)) =
        headers.find(|(name, value)| !may_set_header(name) || !may_be_value(value))
    {
        return Err(invalid(format!("Invalid SIP header(s) provided: {name}.")));
    }
    // Which of two mistakes AWS tells is not documented: what is there goes before what is not.
    if action.caller_id_number.is_none() && !action.endpoints.iter().all(ours) {
        return Err(invalid("Caller ID not defined."));
    }
    Ok(())
}

fn endpoint(endpoint: &Endpoint) -> bool {
    let uri = endpoint.uri.as_str();
    match endpoint.bridge_endpoint_type {
        EndpointType::Pstn => is_e164(uri) && endpoint.arn.is_none(),
        EndpointType::Aws => {
            // A user part: 30 characters in older documentation, 36 now.
            let fits = |b: u8| b.is_ascii_alphanumeric() || b"&=+$/%-_!~*().".contains(&b);
            let arn = endpoint.arn.as_deref().is_some_and(|arn| arn.starts_with("arn:"));
            (1..=36).contains(&uri.len()) && uri.bytes().all(fits) && arn
        }
        EndpointType::Extension | EndpointType::Group | EndpointType::Trunk => !uri.is_empty(),
    }
}

/// `^\+?[1-9]\d{1,14}$`.
pub(crate) fn is_e164(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or(number);
    (2..=15).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0')
}

/// Whether an application may set a SIP header of this name (sip-headers): `X-*`, `User-to-User`,
/// `Diversion`, and nothing that AWS keeps for itself.
pub fn may_set_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let token = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b));
    let own = name.starts_with("x-") && !RESERVED.iter().any(|kept| name.starts_with(kept));
    token && (own || name == "user-to-user" || name == "diversion")
}

fn may_be_value(value: &str) -> bool {
    value.len() <= MAX_HEADER && !value.chars().any(char::is_control)
}

fn digits(action: &PlayAudioAndGetDigits) -> Result<(), ActionError> {
    audio(&action.audio_source)?;
    if let Some(failure) = &action.failure_audio_source {
        audio(failure)?;
    }
    keys(&action.input.terminator_digits, "TerminatorDigits")?;
    // No most is documented. AWS's widget demo asks 9,999 times for one key, its business-number
    // sample 0 times, which is one attempt.
    if action.input.in_between_digits_duration_in_milliseconds == Some(0) {
        return Err(invalid("The InBetweenDigitsDurationInMilliseconds parameter is invalid."));
    }
    Collector::for_prompt(&action.input).map(|_| ())
}

fn record(action: &RecordAudio) -> Result<(), ActionError> {
    let of = |name: &str| format!("{name} parameter value is invalid.");
    if action.duration_in_seconds == Some(0) {
        return Err(invalid(of("DurationInSeconds")));
    }
    if let Some(seconds) = action.silence_duration_in_seconds {
        within(seconds, 1..=1000, of("SilenceDurationInSeconds"))?;
    }
    within(action.silence_threshold, 1..=1000, of("SilenceThreshold"))?;
    keys(&action.recording_terminators, "RecordingTerminators")?;
    let destination = match &action.recording_destination {
        RecordingDestination::S3 { bucket_name, prefix, .. } => {
            is_bucket(bucket_name) && prefix.as_deref().is_none_or(is_prefix)
        }
        RecordingDestination::Mailbox { mailbox } => !mailbox.is_empty(),
        RecordingDestination::Folder { path } => !path.is_empty(),
    };
    if destination { Ok(()) } else { Err(invalid(of("RecordingDestination"))) }
}

fn is_bucket(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        && !name.starts_with('.')
}

/// At most 979 safe characters (record-audio), and no way out of a folder.
fn is_prefix(prefix: &str) -> bool {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b"/!-_.*'()".contains(&b);
    prefix.len() <= 979 && prefix.bytes().all(safe) && prefix.split('/').all(|part| part != "..")
}

fn send(action: &SendDigits) -> Result<(), ActionError> {
    within(
        action.tone_duration_in_milliseconds,
        50..=24_000,
        "ToneDuration parameter value is invalid.",
    )?;
    let fits = |b: u8| b.is_ascii_digit() || b"*#ABCD,".contains(&b);
    if (1..=50).contains(&action.digits.len()) && action.digits.bytes().all(fits) {
        return Ok(());
    }
    Err(invalid("Digits parameter value is invalid."))
}

fn call_recording(action: &StartCallRecording) -> Result<(), ActionError> {
    let to = &action.destination;
    let (bucket, prefix) = to.location.split_once('/').unwrap_or((&to.location, ""));
    if to.kind == "S3" && is_bucket(bucket) && is_prefix(prefix) {
        return Ok(());
    }
    Err(invalid("Destination parameter value is invalid."))
}

fn attendees(action: &ModifyChimeMeetingAttendees) -> Result<(), ActionError> {
    if !matches!(action.operation.as_str(), "Mute" | "Unmute") {
        return Err(invalid(
            "The ModifyChimeMeetingAttendees Operation parameter value is invalid",
        ));
    }
    if action.meeting_id.is_empty() {
        return Err(invalid("Meeting ID parameter value is invalid."));
    }
    let count = action.attendee_list.len() as u64;
    within(count, 1..=100, "Attendee List parameter value is invalid.")
}

fn bot(action: &StartBotConversation) -> Result<(), ActionError> {
    if BotAlias::parse(&action.bot_alias_arn).is_none() {
        return Err(invalid("BotAliasArn parameter value is invalid."));
    }
    // `en_US`, `es_419`: a word of Lex's list, which grows.
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if !(2..=20).contains(&action.locale_id.len()) || !action.locale_id.bytes().all(letter) {
        return Err(invalid("LocaleId parameter value is invalid."));
    }
    let Some(configuration) = &action.configuration else { return Ok(()) };
    let fits = serde_json::to_string(configuration).is_ok_and(|json| json.len() <= 10 * 1024);
    let kind = configuration
        .get("SessionState")
        .and_then(|state| state.get("DialogAction")?.get("Type")?.as_str());
    let dialog = matches!(kind, None | Some("Delegate" | "ElicitIntent"));
    // A bot that speaks first asks what is wanted.
    let welcomes = match configuration.get("WelcomeMessages") {
        None | Some(Value::Null) => false,
        Some(Value::Array(messages)) => !messages.is_empty(),
        Some(_) => true,
    };
    if fits && dialog && (!welcomes || kind == Some("ElicitIntent")) {
        return Ok(());
    }
    Err(invalid("Configuration parameter value is invalid."))
}
