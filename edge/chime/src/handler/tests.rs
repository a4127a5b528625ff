//! With a clock of its own.

use std::sync::Mutex;

use super::*;

/// Answers each attempt after its time.
struct Slow {
    answers: Mutex<Vec<(u64, Result<&'static str, Fault>)>>,
    asked: Mutex<Vec<(u64, String)>>,
    began: Instant,
}

impl Slow {
    fn new(answers: &[(u64, Result<&'static str, Fault>)]) -> Self {
        let mut answers = answers.to_vec();
        answers.reverse();
        Self { answers: Mutex::new(answers), asked: Mutex::default(), began: Instant::now() }
    }

    fn times(&self) -> Vec<u64> {
        self.asked.lock().unwrap().iter().map(|(time, _)| *time).collect()
    }
}

impl Handler for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn attempt(&self, id: String, _: Bytes, _: Duration) -> Attempt<'_> {
        self.asked.lock().unwrap().push((self.began.elapsed().as_secs(), id));
        let answer = self.answers.lock().unwrap().pop();
        Box::pin(async move {
            let Some((after, answer)) = answer else { return std::future::pending().await };
            tokio::time::sleep(Duration::from_secs(after)).await;
            match answer {
                Ok(text) => Ok(Bytes::from(text)),
                Err(fault) => Err(HandlerError { words: format!("{fault:?}"), fault }),
            }
        })
    }
}

fn event() -> InvocationEvent {
    serde_json::from_value(serde_json::json!({
        "SchemaVersion": "1.0", "Sequence": 7, "InvocationEventType": "NEW_INBOUND_CALL",
        "CallDetails": {"TransactionId": "23fe0cf1", "AwsAccountId": "111122223333",
            "AwsRegion": "us-east-1", "SipMediaApplicationId": "8a912ad2", "Participants": []}
    }))
    .unwrap()
}

const GOOD: &str = "{\"SchemaVersion\":\"1.0\",\"Actions\":[]}";

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_long_is_asked_again_and_its_first_answer_counts() {
    let slow = Slow::new(&[(8, Ok(GOOD)), (60, Ok("late"))]);
    let reply = ask(&slow, &event(), Policy::default()).await.unwrap();
    assert_eq!(reply.actions, Some(Vec::new()));
    assert_eq!(slow.began.elapsed().as_secs(), 8);
    assert_eq!(slow.times(), [0, 5]);
    // Both for the same event: a receiver can know it.
    let ids: Vec<String> = slow.asked.lock().unwrap().iter().map(|(_, id)| id.clone()).collect();
    assert_eq!(ids, ["23fe0cf1/7", "23fe0cf1/7"]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_answers_is_given_up_after_twenty_seconds() {
    let slow = Slow::new(&[]);
    let error = ask(&slow, &event(), Policy::default()).await.unwrap_err();
    assert_eq!(error, AskError::GaveUp { why: GiveUp::TimedOut, last: None });
    assert_eq!(slow.began.elapsed().as_secs(), 20);
    assert_eq!(slow.times(), [0, 5, 10, 15]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_repeated_once_and_then_told_with_its_reason() {
    let slow = Slow::new(&[(0, Err(Fault::Client(403))), (1, Err(Fault::Client(403)))]);
    let error = ask(&slow, &event(), Policy::default()).await.unwrap_err();
    assert!(matches!(error, AskError::GaveUp { why: GiveUp::AccessDenied, .. }), "{error}");
    assert!(error.to_string().contains("Client(403)"), "{error}");
    assert_eq!(slow.times(), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_makes_no_sense_is_no_reason_to_ask_again() {
    let slow = Slow::new(&[(0, Ok("{\"SchemaVersion\":\"2.0\"}"))]);
    let error = ask(&slow, &event(), Policy::default()).await.unwrap_err();
    assert_eq!(error, AskError::Invalid(ReplyError::SchemaVersion));
    assert_eq!(slow.times(), [0]);
}

#[test]
fn an_excerpt_is_one_short_line() {
    assert_eq!(excerpt(b" <html>\n<p>no\x1b[2J "), "<html> <p>no [2J");
    assert_eq!(excerpt(&[b'x'; 500]).chars().count(), 81);
}

#[test]
fn a_byte_order_mark_does_not_make_json_something_else() {
    for (body, good) in [("{}", true), ("\u{feff}{}", true), ("\u{feff}", false), ("{", false)] {
        assert_eq!(is_json(body.as_bytes()), good, "{body}");
    }
}
