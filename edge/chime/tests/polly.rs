//! Amazon Polly in place of which a server of ours answers: it reads the raw request, works out the
//! signature from what came over the wire, and speaks.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;

use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use offhook_chime::polly::{Polly, PollyError, Synthesis};
use offhook_chime::sigv4::Credentials;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const SECRET: &str = "test-secret-of-nobody";

/// A request as it came: its head and its body.
struct Raw {
    head: String,
    body: Vec<u8>,
}

impl Raw {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Whether the signature is that of the holder of the secret, by AWS's description.
    fn is_signed_by(&self, secret: &str) -> bool {
        let authorization = self.header("authorization").unwrap();
        let field = |name: &str| {
            let (_, rest) = authorization.split_once(&format!("{name}=")).unwrap();
            rest.split(',').next().unwrap().to_owned()
        };
        let (credential, names, signature) =
            (field("Credential"), field("SignedHeaders"), field("Signature"));
        let scope: Vec<&str> = credential.split('/').skip(1).collect();
        let [day, region, service, "aws4_request"] = scope[..] else { return false };
        let path = self.head.split_whitespace().nth(1).unwrap();
        let signed: String = names
            .split(';')
            .map(|name| format!("{name}:{}\n", self.header(name).unwrap()))
            .collect();
        let canonical =
            format!("POST\n{path}\n\n{signed}\n{names}\n{:x}", Sha256::digest(&self.body));
        let text = format!(
            "AWS4-HMAC-SHA256\n{}\n{day}/{region}/{service}/aws4_request\n{:x}",
            self.header("x-amz-date").unwrap(),
            Sha256::digest(canonical.as_bytes())
        );
        let sign = |key: &[u8], text: &str| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            mac.update(text.as_bytes());
            mac.finalize().into_bytes()
        };
        let key = sign(format!("AWS4{secret}").as_bytes(), day);
        let key = sign(&sign(&sign(&key, region), service), "aws4_request");
        let all = ["content-type", "host", "x-amz-date"].join(";");
        names == all && format!("{:x}", sign(&key, &text)) == signature
    }
}

/// Answers one request; gives it back.
async fn serve(listener: TcpListener, answer: Vec<u8>) -> Raw {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut all = Vec::new();
    let end = loop {
        stream.read_buf(&mut all).await.unwrap();
        if let Some(end) = all.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
    };
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    let mut raw = Raw { head, body: all.split_off(end + 4) };
    let length: usize = raw.header("content-length").unwrap().parse().unwrap();
    while raw.body.len() < length {
        stream.read_buf(&mut raw.body).await.unwrap();
    }
    stream.write_all(&answer).await.unwrap();
    raw
}

/// What Polly says: in two pieces that part a sample.
fn pcm(samples: &[i16]) -> Vec<u8> {
    let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    let (one, two) = bytes.split_at(7);
    let mut answer =
        b"HTTP/1.1 200 OK\r\nContent-Type: audio/pcm\r\nTransfer-Encoding: chunked\r\n\r\n"
            .to_vec();
    for piece in [one, two, &[]] {
        answer.extend(format!("{:x}\r\n", piece.len()).bytes());
        answer.extend(piece);
        answer.extend(b"\r\n");
    }
    answer
}

async fn ask(at: SocketAddr, what: Synthesis<'_>) -> (Result<(), PollyError>, Vec<i16>) {
    let credentials = Credentials::new("AKIATEST", SECRET);
    let polly = Polly::new("eu-central-1", Some(&format!("http://{at}")), credentials).unwrap();
    let mut heard = Vec::new();
    let outcome = polly.synthesize(what, Timestamp::now(), |samples| {
        heard.extend_from_slice(samples);
        true
    });
    let outcome = outcome.await;
    (outcome, heard)
}

const HELLO: Synthesis<'_> =
    Synthesis { text: "R&D", ssml: false, voice: "Hans", language: None, engine: "neural" };

async fn exchange(answer: Vec<u8>, what: Synthesis<'_>) -> (Raw, Result<(), PollyError>, Vec<i16>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let (raw, (outcome, heard)) = tokio::join!(serve(listener, answer), ask(at, what));
    (raw, outcome, heard)
}

#[tokio::test]
async fn a_text_is_asked_for_signed_and_every_sample_of_the_answer_arrives() {
    let samples: Vec<i16> = (0..5000).map(|n| (n * 13 % 20_000) as i16 - 10_000).collect();
    let (raw, outcome, heard) = exchange(pcm(&samples), HELLO).await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(heard, samples);
    assert!(raw.head.starts_with("POST /v1/speech HTTP/1.1\r\n"), "{}", raw.head);
    assert!(raw.is_signed_by(SECRET) && !raw.is_signed_by("another"));
    assert!(raw.header("authorization").unwrap().contains("/eu-central-1/polly/aws4_request"));
    let body: serde_json::Value = serde_json::from_slice(&raw.body).unwrap();
    let wanted = serde_json::json!({"Engine": "neural", "OutputFormat": "pcm",
        "SampleRate": "16000", "Text": "R&D", "TextType": "text", "VoiceId": "Hans"});
    assert_eq!(body, wanted);
}

#[tokio::test]
async fn ssml_and_another_language_are_told() {
    let what = Synthesis {
        text: "<speak>x</speak>",
        ssml: true,
        language: Some("en-IN"),
        engine: "standard",
        ..HELLO
    };
    let (raw, outcome, _) = exchange(pcm(&[1; 10]), what).await;
    assert_eq!(outcome, Ok(()));
    let body: serde_json::Value = serde_json::from_slice(&raw.body).unwrap();
    assert_eq!(
        (&body["TextType"], &body["LanguageCode"], &body["Engine"]),
        (&"ssml".into(), &"en-IN".into(), &"standard".into())
    );
}

#[tokio::test]
async fn each_engine_is_asked_for_by_its_name() {
    for engine in ["standard", "neural", "long-form", "generative"] {
        let (raw, outcome, _) = exchange(pcm(&[1; 10]), Synthesis { engine, ..HELLO }).await;
        assert_eq!(outcome, Ok(()));
        let body: serde_json::Value = serde_json::from_slice(&raw.body).unwrap();
        assert_eq!(body["Engine"], engine);
    }
}

#[tokio::test]
async fn what_polly_refuses_is_told_apart() {
    let refuse = |status: &str, kind: &str| {
        let body = r#"{"message":"because"}"#;
        format!(
            "HTTP/1.1 {status} X\r\nx-amzn-ErrorType: {kind}:http://x/\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    for (status, kind, expected) in [
        (
            "400",
            "InvalidSsmlException",
            PollyError::Refused("400 InvalidSsmlException because".into()),
        ),
        (
            "403",
            "AccessDeniedException",
            PollyError::Denied("403 AccessDeniedException because".into()),
        ),
        ("400", "ThrottlingException", PollyError::Throttled),
        ("429", "", PollyError::Throttled),
        ("503", "", PollyError::Unreachable("503  because".into())),
    ] {
        let (_, outcome, heard) = exchange(refuse(status, kind), HELLO).await;
        assert_eq!((outcome, heard), (Err(expected), Vec::new()));
    }
    let nobody = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    assert!(matches!(ask(nobody, HELLO).await.0, Err(PollyError::Unreachable(_))));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error() {
    let mut answer = pcm(&[5; 3000]);
    answer.truncate(2000);
    let (_, outcome, heard) = exchange(answer, HELLO).await;
    assert!(matches!(outcome, Err(PollyError::Unreachable(_))), "{outcome:?}");
    assert!(!heard.is_empty());
}
