//! Events as Lex writes them, and what becomes of its errors.

use offhook_sma::event::error_type;
use serde_json::json;

use super::event::{configuration, heard, read};
use super::*;
use crate::credentials::CredentialsError;
use crate::eventstream;

fn event(kind: &str, body: &Value) -> Message {
    tagged(&[(":message-type", "event"), (":event-type", kind)], body.to_string())
}

fn tagged(headers: &[(&str, &str)], body: String) -> Message {
    let mut message = Message::new(Bytes::from(body));
    for (name, value) in headers {
        message.set(name, eventstream::Value::Text((*value).to_owned()));
    }
    message
}

fn body(message: &Message) -> Value {
    serde_json::from_slice(message.payload()).unwrap()
}

#[test]
fn the_configuration_is_spelled_as_lex_spells_it_and_names_of_attributes_stay() {
    let given = json!({
        "SessionState": {
            "SessionAttributes": {"MyKey": "V", "x-amz-lex:audio:start-timeout-ms:*:*": "4000"},
            "ActiveContexts": [{"Name": "c", "ContextAttributes": {"MyKey": "V"},
                "TimeToLive": {"TurnsToLive": 1}}],
            "DialogAction": {"Type": "ElicitIntent"}},
        "WelcomeMessages": [{"Content": "Welcome.", "ContentType": "PlainText"}],
        "Surplus": 1,
    });
    let mut counted = 0;
    let message = configuration(given.as_object(), &mut counted);
    assert_eq!(message.text(":event-type"), Some("ConfigurationEvent"));
    assert_eq!(message.text(":content-type"), Some("application/json"));
    let mut body = body(&message);
    assert!(body["clientTimestampMillis"].take().as_i64().unwrap() > 1_700_000_000_000);
    let expected = json!({
        "responseContentType": "audio/pcm", "disablePlayback": false, "eventId": "offhook-1",
        "clientTimestampMillis": null,
        "sessionState": {
            "sessionAttributes": {"MyKey": "V", "x-amz-lex:audio:start-timeout-ms:*:*": "4000"},
            "activeContexts": [{"name": "c", "contextAttributes": {"MyKey": "V"},
                "timeToLive": {"turnsToLive": 1}}],
            "dialogAction": {"type": "ElicitIntent"}},
        "welcomeMessages": [{"content": "Welcome.", "contentType": "PlainText"}],
    });
    assert_eq!(body, expected);
    let empty = json!({"SessionState": null, "WelcomeMessages": []});
    let told = self::body(&configuration(empty.as_object(), &mut counted));
    assert_eq!(told.as_object().unwrap().len(), 4, "{told}");
}

#[test]
fn an_exception_s_words_are_told_as_far_as_they_have_1_000_letters() {
    let message = "\u{e9}".repeat(1 << 20);
    for code in ["ValidationException", "BadGatewayException"] {
        let error = LexError::Exception { code: code.to_owned(), message: message.clone() };
        let told = error.as_action_error().message;
        assert_eq!(told.chars().count(), 1000);
        assert!(told.ends_with('\u{e9}'));
    }
}

#[test]
fn what_is_heard_is_told_in_the_form_that_lex_takes() {
    let mut counted = 7;
    let message = heard(&Heard::Audio(Bytes::from_static(&[1, 0, 255, 255])), &mut counted);
    assert_eq!(message.text(":event-type"), Some("AudioInputEvent"));
    let told = body(&message);
    assert_eq!(told["audioChunk"], "AQD//w==");
    let form =
        "audio/lpcm; sample-rate=8000; sample-size-bits=16; channel-count=1; is-big-endian=false";
    assert_eq!((&told["contentType"], &told["eventId"]), (&json!(form), &json!("offhook-8")));
    let key = heard(&Heard::Key('#'), &mut counted);
    assert_eq!(
        (key.text(":event-type"), &body(&key)["inputCharacter"]),
        (Some("DTMFInputEvent"), &json!("#"))
    );
    for (what, name) in
        [(Heard::Played, "PlaybackCompletionEvent"), (Heard::Gone, "DisconnectionEvent")]
    {
        assert_eq!(heard(&what, &mut counted).text(":event-type"), Some(name));
    }
}

#[test]
fn an_intent_is_told_as_aws_documents_it() {
    let told = json!({
        "eventId": "RESPONSE-3", "sessionId": "s", "inputMode": "Speech",
        "requestAttributes": {"a": "b"},
        "sessionState": {
            "sessionAttributes": {"key": "v"}, "dialogAction": {"type": "Close"},
            "intent": {"name": "BookHotel", "state": "ReadyForFulfillment", "confirmationState": "Confirmed",
                "slots": {"city": {"shape": "Scalar", "value": {"originalValue": "paris",
                    "interpretedValue": "Paris", "resolvedValues": ["Paris"]}}, "night": null}}},
        "interpretations": [
            {"nluConfidence": {"score": 0.84}, "interpretationSource": "Lex",
             "intent": {"name": "BookHotel", "slots": {}, "state": "ReadyForFulfillment"}},
            {"intent": {"name": "FallbackIntent"}}],
    });
    let Event::Understood { result, intent, over } =
        read(&event("IntentResultEvent", &told)).unwrap()
    else {
        panic!()
    };
    assert_eq!((intent.as_deref(), over), (Some("BookHotel (ReadyForFulfillment)"), true));
    let slot = json!({"Shape": "Scalar", "Values": [], "Value": {"OriginalValue": "paris",
        "InterpretedValue": "Paris", "ResolvedValues": ["Paris"]}});
    let expected = json!({
        "SessionId": "s",
        "SessionState": {"SessionAttributes": {"key": "v"}, "Intent": {"Name": "BookHotel",
            "State": "ReadyForFulfillment", "ConfirmationState": "Confirmed",
            "Slots": {"city": slot, "night": null}}},
        "Interpretations": [
            {"NluConfidence": {"Score": 0.84}, "Intent": {"Name": "BookHotel", "Slots": {}, "State": "ReadyForFulfillment"}},
            {"Intent": {"Name": "FallbackIntent", "Slots": {}}}],
    });
    assert_eq!(Value::Object(result), expected);
}

#[test]
fn a_conversation_is_over_when_the_bot_expects_nothing_more() {
    let over = |action: Value, state: &str| {
        let told = json!({"sessionState": {"dialogAction": action, "intent": {"name": "I", "state": state}}});
        match read(&event("IntentResultEvent", &told)).unwrap() {
            Event::Understood { over, .. } => over,
            other => panic!("{other:?}"),
        }
    };
    assert!(over(json!({"type": "Close"}), "InProgress"));
    assert!(over(Value::Null, "Fulfilled") && over(json!({"type": "None"}), "Failed"));
    assert!(!over(json!({"type": "ElicitSlot"}), "InProgress"));
    assert!(!over(json!({"type": "ElicitIntent"}), "Fulfilled"), "it asks for something else");
    assert!(!over(Value::Null, "Waiting"));
}

#[test]
fn speech_comes_at_the_rate_that_is_told_and_ends_with_an_event_without_any() {
    let read = |body: Value| read(&event("AudioResponseEvent", &body));
    let octets = Bytes::from_static(&[1, 0, 255]);
    let audio = |rate| Ok(Event::Audio { rate, octets: octets.clone() });
    assert_eq!(read(json!({"audioChunk": "AQD/", "contentType": "audio/pcm"})), audio(16_000));
    assert_eq!(read(json!({"audioChunk": "AQD/"})), audio(16_000));
    let told = "audio/pcm; sample-rate=8000";
    assert_eq!(read(json!({"audioChunk": "AQD/", "contentType": told})), audio(8000));
    let nonsense = "audio/pcm; sample-rate=4000000000";
    assert_eq!(read(json!({"audioChunk": "AQD/", "contentType": nonsense})), audio(16_000));
    for end in [json!({}), json!({"audioChunk": null}), json!({"audioChunk": ""})] {
        assert_eq!(read(end), Ok(Event::AudioEnd));
    }
    for wrong in
        [json!({"audioChunk": "*"}), json!({"audioChunk": "AQD/", "contentType": "audio/mpeg"})]
    {
        assert!(matches!(read(wrong), Err(LexError::Broken(_))));
    }
}

#[test]
fn what_is_not_known_is_passed_over_and_what_is_no_event_ends_the_stream() {
    assert_eq!(read(&event("HeartbeatEvent", &json!({}))), Ok(Event::Other));
    assert_eq!(read(&event("NewInAnotherYearEvent", &json!([]))), Ok(Event::Other));
    let nonsense =
        tagged(&[(":message-type", "event"), (":event-type", "IntentResultEvent")], "{".into());
    for message in
        [nonsense, tagged(&[], String::new()), tagged(&[(":message-type", "x")], String::new())]
    {
        assert!(matches!(read(&message), Err(LexError::Broken(_))));
    }
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let told = format!("{{\"sessionState\":{{\"intent\":{{\"slots\":{{\"a\":{deep}}}}}}}}}");
    let deep = tagged(&[(":message-type", "event"), (":event-type", "IntentResultEvent")], told);
    assert!(matches!(read(&deep), Ok(Event::Understood { .. })));
}

#[test]
fn each_error_is_told_as_aws_tells_it() {
    let exception = |code: &str| {
        let headers = [(":message-type", "exception"), (":exception-type", code)];
        read(&tagged(&headers, json!({"message": "why"}).to_string())).unwrap_err()
    };
    let refused = |code: &str| {
        LexError::Aws(AwsError::Refused {
            service: "lex".to_owned(),
            status: 400,
            code: code.to_owned(),
            message: "why".to_owned(),
        })
    };
    for (code, kind, words) in [
        (
            "AccessDeniedException",
            error_type::RESOURCE_ACCESS_DENIED,
            "Access to the bot is denied. why",
        ),
        (
            "ResourceNotFoundException",
            error_type::RESOURCE_NOT_FOUND,
            "A specified bot is not found. why",
        ),
        (
            "ValidationException",
            error_type::INVALID_ACTION_PARAMETER,
            "One or more action parameters are invalid. why",
        ),
        (
            "ThrottlingException",
            error_type::ACTION_EXECUTION_THROTTLED,
            "Bot conversation service limit is exceeded. why",
        ),
        ("ConflictException", error_type::SYSTEM_EXCEPTION, ""),
        ("DependencyFailedException", error_type::SYSTEM_EXCEPTION, ""),
        ("BadGatewayException", error_type::SYSTEM_EXCEPTION, ""),
        ("InternalServerException", error_type::SYSTEM_EXCEPTION, ""),
    ] {
        for error in [exception(code), refused(code)] {
            let error = error.as_action_error();
            assert_eq!(error.kind, kind, "{code}");
            let system = error.message.starts_with("System error while running action. ");
            assert!(error.message == words || (words.is_empty() && system), "{}", error.message);
        }
    }
    let none = LexError::Aws(AwsError::Credentials(CredentialsError("none".to_owned())));
    let error = none.as_action_error();
    let words = "System error while running action. no AWS credentials: none";
    assert_eq!((error.kind, error.message.as_str()), (error_type::SYSTEM_EXCEPTION, words));
    let headers =
        [(":message-type", "error"), (":error-code", "InternalError"), (":error-message", "w")];
    assert_eq!(read(&tagged(&headers, String::new())).unwrap_err().to_string(), "InternalError w");
}
