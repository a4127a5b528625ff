//! Parameters of actions: what AWS's pages of each action say of ranges, defaults and errors.
#![allow(clippy::unwrap_used)]

use offhook_sma::action::*;
use offhook_sma::event::ActionData;
use serde_json::{Value, json};

fn action(kind: &str, parameters: &Value) -> Action {
    serde_json::from_value(json!({"Type": kind, "Parameters": parameters})).unwrap()
}

fn error(kind: &str, parameters: &Value) -> (String, String) {
    let error = action(kind, parameters).check("+15550199").unwrap_err();
    (error.kind.to_owned(), error.message)
}

#[track_caller]
fn refused(kind: &str, base: &Value, key: &str, value: Value, text: &str) {
    let mut parameters = base.clone();
    parameters[key] = value;
    let (_, message) = error(kind, &parameters);
    assert_eq!(message, text, "{kind} {key}");
}

#[track_caller]
fn taken(kind: &str, base: &Value, key: &str, value: Value) {
    let mut parameters = base.clone();
    parameters[key] = value;
    action(kind, &parameters).check("+15550199").unwrap();
}

fn audio() -> Value {
    json!({"Type": "S3", "BucketName": "b", "Key": "k.wav"})
}

#[test]
fn call_and_bridge() {
    let (kind, pstn) =
        ("CallAndBridge", json!([{"BridgeEndpointType": "PSTN", "Uri": "+15550100"}]));
    let base = json!({"CallerIdNumber": "+15550101", "Endpoints": pstn});
    let Action::CallAndBridge(call) = action(kind, &base) else { panic!() };
    assert_eq!(call.call_timeout_seconds, 30);
    for fits in [json!(1), json!("120")] {
        taken(kind, &base, "CallTimeoutSeconds", fits);
    }
    let timeout =
        "The MaxCallTimeout parameter is invalid. Timeout must be between 0 and 120 seconds.";
    for wrong in [json!(0), json!(121), json!(-1), json!("soon"), json!([])] {
        refused(kind, &base, "CallTimeoutSeconds", wrong, timeout);
    }
    let count = "Invalid number of endpoints provided.";
    refused(kind, &base, "Endpoints", json!([]), count);
    refused(kind, &base, "Endpoints", json!([pstn[0], pstn[0]]), count);
    let endpoint = "Endpoint parameter is invalid.";
    let arn = "arn:aws:chime:us-east-1:111122223333:vc/abcdefghijklmnopqrstuv";
    for wrong in [
        json!([{"BridgeEndpointType": "PSTN", "Uri": "sip:a@b"}]),
        json!([{"BridgeEndpointType": "PSTN", "Uri": "+15550100", "Arn": arn}]),
        json!([{"BridgeEndpointType": "AWS", "Uri": "600300"}]),
        json!([{"BridgeEndpointType": "AWS", "Uri": "a b", "Arn": arn}]),
        json!([{"BridgeEndpointType": "AWS", "Uri": "x".repeat(37), "Arn": arn}]),
        json!([{"BridgeEndpointType": "Pigeon", "Uri": "1"}]),
    ] {
        refused(kind, &base, "Endpoints", wrong, endpoint);
    }
    taken(
        kind,
        &base,
        "Endpoints",
        json!([{"BridgeEndpointType": "AWS", "Uri": "600300", "Arn": arn}]),
    );
    refused(kind, &base, "CallerIdNumber", json!("nobody"), "Invalid caller ID.");
    // AWS's types demand one (call-and-bridge); a phone of the office is shown who calls.
    refused(kind, &base, "CallerIdNumber", json!(null), "Caller ID not defined.");
    for ours in ["Extension", "Group", "Trunk"] {
        let to = json!({"Endpoints": [{"BridgeEndpointType": ours, "Uri": "101"}]});
        assert!(action(kind, &to).check("+15550199").is_ok(), "{ours}");
    }
    // LEG-A's own number, whatever it is.
    assert!(
        action(kind, &json!({"CallerIdNumber": "101", "Endpoints": pstn})).check("101").is_ok()
    );
    for name in ["From", "X-Amzn-Thing", "x-voice-1", "X-VC", "X-a b", "Route"] {
        let text = format!("Invalid SIP header(s) provided: {name}.");
        refused(kind, &base, "SipHeaders", json!({name: "v"}), &text);
    }
    taken(
        kind,
        &base,
        "SipHeaders",
        json!({"x-a": "1", "User-to-User": "00;encoding=hex", "Diversion": "<sip:1@h>"}),
    );
    let text = "Invalid SIP header(s) provided: X-Long.";
    refused(kind, &base, "SipHeaders", json!({"X-Long": "v".repeat(2049)}), text);
    let tone = json!({"Type": "S3", "BucketName": "", "Key": "k"});
    refused(kind, &base, "RingbackTone", tone, "Ringtone parameter value is invalid.");
    let (kind, message) = error("CallAndBridge", &json!({}));
    assert_eq!(
        (&*kind, &*message),
        ("MissingRequiredActionParameter", "Endpoints is a required parameter.")
    );
}

#[test]
fn play_audio() {
    let base = json!({"AudioSource": audio()});
    let (kind, message) = error("PlayAudio", &json!({"AudioSource": {"Type": "S3"}}));
    assert_eq!(
        (&*kind, &*message),
        ("InvalidAudioSource", "Audio Source parameter value is invalid.")
    );
    refused("PlayAudio", &base, "Repeat", json!("often"), "The Repeat parameter is invalid.");
    taken("PlayAudio", &base, "PlaybackTerminators", json!(["1", "#", "*"]));
    let text = "The PlaybackTerminators parameter is invalid.";
    refused("PlayAudio", &base, "PlaybackTerminators", json!(["A"]), text);
}

#[test]
fn digits_of_a_prompt() {
    let speech = json!({"Text": "Number?"});
    for (kind, base) in [
        (
            "PlayAudioAndGetDigits",
            json!({"AudioSource": audio(), "RepeatDurationInMilliseconds": "5000"}),
        ),
        (
            "SpeakAndGetDigits",
            json!({"SpeechParameters": speech, "RepeatDurationInMilliseconds": 5000}),
        ),
    ] {
        let data = serde_json::to_value(action(kind, &base)).unwrap();
        let given = &data["Parameters"];
        assert_eq!(given["MaxNumberOfDigits"], 128);
        assert_eq!(given["TerminatorDigits"], json!(["#"]));
        assert_eq!((&given["Repeat"], &given["MinNumberOfDigits"]), (&json!(1), &json!(0)));
        taken(kind, &base, "MaxNumberOfDigits", json!(128));
        let most = "The MaxNumberOfDigits parameter is invalid.";
        refused(kind, &base, "MaxNumberOfDigits", json!(129), most);
        refused(kind, &base, "MaxNumberOfDigits", json!(0), most);
        let wait = "The RepeatDurationInMilliseconds parameter is invalid.";
        refused(kind, &base, "RepeatDurationInMilliseconds", json!(0), wait);
        let regex = "The InputDigitsRegex parameter is invalid.";
        refused(kind, &base, "InputDigitsRegex", json!("("), regex);
        let between = "The InBetweenDigitsDurationInMilliseconds parameter is invalid.";
        refused(kind, &base, "InBetweenDigitsDurationInMilliseconds", json!(0), between);
    }
    let (kind, _) = error("PlayAudioAndGetDigits", &json!({"AudioSource": audio()}));
    assert_eq!(kind, "MissingRequiredActionParameter");
}

#[test]
fn receive_and_send_digits() {
    let base = json!({"InputDigitsRegex": "^\\d{2}#$", "InBetweenDigitsDurationInMilliseconds": 5000,
        "FlushDigitsDurationInMilliseconds": 10000});
    taken("ReceiveDigits", &base, "InBetweenDigitsDurationInMilliseconds", json!("1000"));
    for key in ["InBetweenDigitsDurationInMilliseconds", "FlushDigitsDurationInMilliseconds"] {
        refused("ReceiveDigits", &base, key, json!(0), &format!("The {key} parameter is invalid."));
    }
    let base = json!({"Digits": ",,*09#ABCD"});
    let Action::SendDigits(send) = action("SendDigits", &base) else { panic!() };
    assert_eq!(send.tone_duration_in_milliseconds, 250);
    let tone = "ToneDuration parameter value is invalid.";
    for wrong in [49, 24_001] {
        refused("SendDigits", &base, "ToneDurationInMilliseconds", json!(wrong), tone);
    }
    refused(
        "SendDigits",
        &base,
        "Digits",
        json!("1".repeat(51)),
        "Digits parameter value is invalid.",
    );
    refused("SendDigits", &base, "Digits", json!("E"), "Digits parameter value is invalid.");
}

#[test]
fn pause_and_hangup() {
    let base = json!({"DurationInMilliseconds": 1});
    for wrong in [json!(0), json!(30_001), json!("x")] {
        refused(
            "Pause",
            &base,
            "DurationInMilliseconds",
            wrong,
            "The Duration parameter is invalid.",
        );
    }
    for fits in [json!("0"), json!("200"), json!("480"), json!(486)] {
        taken("Hangup", &json!({}), "SipResponseCode", fits);
    }
    let text = "The SipResponseCode parameter is invalid.";
    for wrong in [100, 180, 302, 700] {
        refused("Hangup", &json!({}), "SipResponseCode", json!(wrong), text);
    }
}

#[test]
fn record_audio() {
    let to = json!({"Type": "S3", "BucketName": "valid-bucket", "Prefix": "a/b"});
    let base = json!({"RecordingDestination": to, "RecordingTerminators": ["#"]});
    let Action::RecordAudio(record) = action("RecordAudio", &base) else { panic!() };
    assert_eq!((record.silence_threshold, record.silence_duration_in_seconds), (200, None));
    for key in ["DurationInSeconds", "SilenceDurationInSeconds", "SilenceThreshold"] {
        let text = format!("{key} parameter value is invalid.");
        refused("RecordAudio", &base, key, json!(0), &text);
        taken("RecordAudio", &base, key, json!("1000"));
    }
    let text = "RecordingDestination parameter value is invalid.";
    for wrong in [
        json!({"Type": "S3"}),
        json!({"Type": "S3", "BucketName": "b", "Prefix": "x".repeat(980)}),
        json!({"Type": "S3", "BucketName": "b", "Prefix": "../up"}),
        json!({"Type": "S3", "BucketName": "../up"}),
    ] {
        refused("RecordAudio", &base, "RecordingDestination", wrong, text);
    }
}

#[test]
fn call_recordings() {
    let base = json!({"CallId": "c", "Track": "BOTH", "Destination": {"Type": "S3", "Location": "bucket/prefix"}});
    let start = action("StartCallRecording", &base);
    start.check("").unwrap();
    assert_eq!(serde_json::to_value(ActionData::of(start)).unwrap()["Parameters"], base);
    refused("StartCallRecording", &base, "Track", json!("NONE"), "The Track parameter is invalid.");
    for kind in ["StopCallRecording", "PauseCallRecording", "ResumeCallRecording"] {
        action(kind, &json!({"CallId": "c"})).check("").unwrap();
    }
}

#[test]
fn speech() {
    let base = json!({"Text": "Hello", "CallId": "c"});
    let required = "Text is a required parameter.";
    refused("Speak", &base, "Text", json!(" "), required);
    refused("Speak", &base, "Text", json!("x".repeat(1001)), "Text is limited to 1,000 characters");
    taken("Speak", &base, "Text", json!("x".repeat(1000)));
    refused("Speak", &base, "Engine", json!("quantum"), "The Engine parameter is invalid.");
    for engine in ["standard", "neural", "generative", "long-form"] {
        taken("Speak", &base, "Engine", json!(engine));
    }
    refused("Speak", &base, "TextType", json!("html"), "The TextType parameter is invalid.");
    let (kind, message) = error("SpeakAndGetDigits", &json!({"RepeatDurationInMilliseconds": 1}));
    assert_eq!((&*kind, &*message), ("MissingRequiredActionParameter", required));
}

#[test]
fn meetings_bots_and_noise() {
    let (kind, _) = error("JoinChimeMeeting", &json!({"MeetingId": "m"}));
    assert_eq!(kind, "MissingRequiredActionParameter");
    let text = "JoinToken parameter value is invalid.";
    refused("JoinChimeMeeting", &json!({}), "JoinToken", json!(""), text);
    let base = json!({"Operation": "Mute", "MeetingId": "m", "AttendeeList": ["a"]});
    let modify = "ModifyChimeMeetingAttendees";
    taken(modify, &base, "Operation", json!("Unmute"));
    let text = "The ModifyChimeMeetingAttendees Operation parameter value is invalid";
    refused(modify, &base, "Operation", json!("Kick"), text);
    refused(modify, &base, "MeetingId", json!(""), "Meeting ID parameter value is invalid.");
    let text = "Attendee List parameter value is invalid.";
    refused(modify, &base, "AttendeeList", json!(vec!["a"; 101]), text);
    refused(modify, &base, "AttendeeList", json!("a"), text);
    let arn = "arn:aws:lex:us-east-1:123456789012:bot-alias/ABCDEFGHIH/MNOPQRSTUV";
    let base = json!({ "BotAliasArn": arn });
    let Action::StartBotConversation(bot) = action("StartBotConversation", &base) else { panic!() };
    assert_eq!(bot.locale_id, "en_US");
    let text = "Configuration parameter value is invalid.";
    let welcome = json!({"WelcomeMessages": [{"Content": "Hi", "ContentType": "PlainText"}]});
    refused("StartBotConversation", &base, "Configuration", welcome, text);
    for none in [json!(null), json!([])] {
        taken("StartBotConversation", &base, "Configuration", json!({ "WelcomeMessages": none }));
    }
    let text = "BotAliasArn parameter value is invalid.";
    let bot = json!("arn:aws:lex:us-east-1:123456789012:bot/ABCDEFGHIH");
    refused("StartBotConversation", &json!({}), "BotAliasArn", bot, text);
    taken("StartBotConversation", &base, "LocaleId", json!("es_419"));
    let text = "LocaleId parameter value is invalid.";
    refused("StartBotConversation", &base, "LocaleId", json!("../en"), text);
    let (kind, _) = error("VoiceFocus", &json!({"CallId": "c"}));
    assert_eq!(kind, "MissingRequiredActionParameter");
}

#[test]
fn parameters_that_are_not_known_are_echoed() {
    for (kind, parameters) in [
        ("Speak", json!({"Text": "Hello", "Future": {"a": [1]}})),
        ("Pause", json!({"DurationInMilliseconds": 5, "Note": "x", "CallId": "c"})),
        ("Pause", json!({"DurationInMilliseconds": "never", "ParticipantTag": "LEG-B"})),
    ] {
        let read = action(kind, &parameters);
        let json = serde_json::to_value(&read).unwrap();
        assert_eq!(json, json!({"Type": kind, "Parameters": parameters}));
    }
}

#[test]
fn a_leg_that_is_none_is_told_in_awss_words() {
    let parameters = json!({"DurationInMilliseconds": 5, "ParticipantTag": "LEG-C"});
    let (_, message) = error("Pause", &parameters);
    assert_eq!(message, "CallId or ParticipantTag parameter for action is invalid");
}

/// AWS's business-number sample asks with `Repeat` 0 and with equal numbers of digits, whatever the
/// page says of both.
#[test]
fn a_prompt_that_is_not_repeated_is_asked_once() {
    let text = json!({"Text": "Press any key"});
    let ask = json!({"SpeechParameters": text, "MinNumberOfDigits": 0, "MaxNumberOfDigits": 1,
        "InBetweenDigitsDurationInMilliseconds": 1000, "Repeat": 0,
        "RepeatDurationInMilliseconds": 2000});
    action("SpeakAndGetDigits", &ask).check("").unwrap();
    let number = json!({"SpeechParameters": text, "MinNumberOfDigits": 10, "MaxNumberOfDigits": 10,
        "RepeatDurationInMilliseconds": 5000});
    action("SpeakAndGetDigits", &number).check("").unwrap();
}

/// Whoever checks what a person has written suggests these names, and tells of others.
#[test]
fn every_parameter_of_an_action_is_among_its_names_and_no_other_is_read() {
    let mut given = json!({"InputDigitsRegex": "1", "MinNumberOfDigits": 1, "MaxNumberOfDigits": 2,
        "TerminatorDigits": ["#"], "InBetweenDigitsDurationInMilliseconds": 1, "Repeat": 1,
        "RepeatDurationInMilliseconds": 1, "FailureAudioSource": audio(), "AudioSource": audio(),
        "PlaybackControls": [{"Digit": "1", "SeekMilliseconds": 1}], "Text": "t", "Engine": "neural",
        "LanguageCode": "en-US", "TextType": "text", "VoiceId": "Amy",
        "SpeechParameters": {"Text": "t"}, "FailureSpeechParameters": {"Text": "t"},
        "PlaybackTerminators": ["1"]});
    let others = json!({"CallTimeoutSeconds": 1, "CallerIdNumber": "+15550100",
        "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+15550100"}], "RingbackTone": audio(),
        "SipHeaders": {"X-A": "1"}, "SipResponseCode": 0, "DurationInSeconds": 1,
        "SilenceDurationInSeconds": 1, "SilenceThreshold": 1, "RecordingTerminators": ["#"],
        "RecordingDestination": {"Type": "S3", "BucketName": "b"}, "Digits": "1",
        "FlushDigitsDurationInMilliseconds": 1, "ToneDurationInMilliseconds": 50,
        "DurationInMilliseconds": 1, "Track": "BOTH", "Destination": {"Type": "S3", "Location": "b"},
        "Enable": true, "JoinToken": "t", "MeetingId": "m", "Operation": "Mute",
        "AttendeeList": ["a"], "BotAliasArn": "arn:a", "LocaleId": "en_US", "Configuration": {},
        "Conference": "c", "Extension": "101", "CallId": "c", "ParticipantTag": "LEG-A"});
    given.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
    for kind in KNOWN_ACTIONS {
        let all = action(kind, &given);
        let read = serde_json::to_value(&all).unwrap();
        let known = |name: &&String| !all.target().other.contains_key(name.as_str());
        let mut read: Vec<_> =
            read["Parameters"].as_object().unwrap().keys().filter(known).collect();
        let mut names: Vec<_> = parameters(kind).iter().map(ToString::to_string).collect();
        read.sort();
        names.sort();
        assert_eq!(read, names.iter().collect::<Vec<_>>(), "{kind}");
    }
}
