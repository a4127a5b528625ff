//! The names of each action's parameters, for whoever checks what a person has written: one that is
//! not known here is passed on with the action and does nothing.

/// Names of the parameters of an action, or of an object within them (`AudioSource`, `Endpoints`).
/// Empty: not known here.
#[must_use]
pub fn parameters(of: &str) -> &'static [&'static str] {
    match of {
        "CallAndBridge" => &[
            "CallId",
            "ParticipantTag",
            "CallTimeoutSeconds",
            "CallerIdNumber",
            "Endpoints",
            "RingbackTone",
            "SipHeaders",
        ],
        "Hangup" => &["CallId", "ParticipantTag", "SipResponseCode"],
        "PlayAudio" => {
            &["CallId", "ParticipantTag", "AudioSource", "Repeat", "PlaybackTerminators"]
        }
        "PlayAudioAndGetDigits" => &[
            "CallId",
            "ParticipantTag",
            "AudioSource",
            "FailureAudioSource",
            "InputDigitsRegex",
            "MinNumberOfDigits",
            "MaxNumberOfDigits",
            "TerminatorDigits",
            "InBetweenDigitsDurationInMilliseconds",
            "Repeat",
            "RepeatDurationInMilliseconds",
            "PlaybackControls",
        ],
        "Speak" => {
            &["CallId", "ParticipantTag", "Text", "Engine", "LanguageCode", "TextType", "VoiceId"]
        }
        "SpeakAndGetDigits" => &[
            "CallId",
            "ParticipantTag",
            "SpeechParameters",
            "FailureSpeechParameters",
            "InputDigitsRegex",
            "MinNumberOfDigits",
            "MaxNumberOfDigits",
            "TerminatorDigits",
            "InBetweenDigitsDurationInMilliseconds",
            "Repeat",
            "RepeatDurationInMilliseconds",
        ],
        "RecordAudio" => &[
            "CallId",
            "ParticipantTag",
            "DurationInSeconds",
            "SilenceDurationInSeconds",
            "SilenceThreshold",
            "RecordingTerminators",
            "RecordingDestination",
        ],
        "ReceiveDigits" => &[
            "CallId",
            "ParticipantTag",
            "InputDigitsRegex",
            "InBetweenDigitsDurationInMilliseconds",
            "FlushDigitsDurationInMilliseconds",
        ],
        "SendDigits" => &["CallId", "ParticipantTag", "Digits", "ToneDurationInMilliseconds"],
        "Pause" => &["CallId", "ParticipantTag", "DurationInMilliseconds"],
        "StartCallRecording" => &["CallId", "ParticipantTag", "Track", "Destination"],
        "StopCallRecording" | "PauseCallRecording" | "ResumeCallRecording" | "Answer" | "Echo" => {
            &["CallId", "ParticipantTag"]
        }
        "VoiceFocus" => &["CallId", "ParticipantTag", "Enable"],
        "JoinChimeMeeting" => &["CallId", "ParticipantTag", "JoinToken", "MeetingId"],
        "ModifyChimeMeetingAttendees" => {
            &["CallId", "ParticipantTag", "Operation", "MeetingId", "AttendeeList"]
        }
        "StartBotConversation" => {
            &["CallId", "ParticipantTag", "BotAliasArn", "LocaleId", "Configuration"]
        }
        "JoinConference" => &["CallId", "ParticipantTag", "Conference"],
        "SuperviseCall" => &["CallId", "ParticipantTag", "Extension"],
        "AudioSource" | "FailureAudioSource" | "RingbackTone" => &[
            "Type",
            "BucketName",
            "Key",
            "Name",
            "Path",
            "Parts",
            "Text",
            "Engine",
            "LanguageCode",
            "TextType",
            "VoiceId",
        ],
        "SpeechParameters" | "FailureSpeechParameters" => {
            &["Text", "Engine", "LanguageCode", "TextType", "VoiceId"]
        }
        "RecordingDestination" => &["Type", "BucketName", "Prefix", "Mailbox", "Path"],
        "Destination" => &["Type", "Location"],
        "Endpoints" => &["BridgeEndpointType", "Uri", "Arn"],
        _ => &[],
    }
}
