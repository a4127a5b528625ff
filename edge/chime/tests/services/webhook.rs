use std::sync::{Arc, Mutex};

use hmac::{Hmac, Mac as _};
use offhook_chime::Trust;
use offhook_chime::handler::{AskError, Handler as _, ask};
use offhook_chime::webhook::{IDEMPOTENCY_KEY, SIGNATURE, Webhook};
use offhook_sma::invoke::{GiveUp, Policy};
use offhook_sma::reply::ReplyError;
use serde_json::json;
use sha2::Sha256;

use crate::event;
use crate::web::{Asked, Says, Web};

const SECRET: &str = "a-secret-of-some-length";

fn hook(web: &Web) -> Webhook {
    let address = format!("{}/calls?site=office", web.url());
    Webhook::new(&address, SECRET, Trust::system().unwrap()).unwrap()
}

/// Checks as docs/applications.md tells a receiver to.
fn is_signed(asked: &Asked) -> bool {
    let header = asked.header(SIGNATURE).unwrap();
    let field = |name: &str| header.split(',').find_map(|f| f.strip_prefix(name)).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(field("t=").as_bytes());
    mac.update(b".");
    mac.update(&asked.body);
    let tag: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    let age = jiff::Timestamp::now().as_second() - field("t=").parse::<i64>().unwrap();
    tag == field("v1=") && (0..300).contains(&age)
}

#[tokio::test]
async fn a_webhook_gets_the_event_signed_and_its_answer_is_the_reply() {
    let seen: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let log = Arc::clone(&seen);
    let web = Web::start(move |asked| {
        log.lock().unwrap().push(asked);
        Says::json(200, &json!({"SchemaVersion": "1.0", "Actions": []}))
    });
    let hook = hook(&web);
    assert!(!hook.name().contains("site=office"));
    let reply = ask(&hook, &event(), Policy::default()).await.unwrap();
    assert_eq!(reply.actions, Some(Vec::new()));
    let seen = seen.lock().unwrap();
    let asked = &seen[0];
    assert_eq!((asked.path.as_str(), asked.query.as_str()), ("/calls", "site=office"));
    assert_eq!(asked.json(), serde_json::to_value(event()).unwrap());
    assert_eq!(asked.header("content-type"), Some("application/json"));
    let id = "23fe0cf1-fc36-4bdc-976d-3520c0a3ac86/1";
    assert_eq!(asked.header(IDEMPOTENCY_KEY), Some(id));
    assert!(is_signed(asked));
    let mut other = asked.clone();
    other.body = b"{}".to_vec().into();
    assert!(!is_signed(&other));
}

#[tokio::test]
async fn one_connection_serves_the_events_of_a_call() {
    let web = Web::start(|asked| {
        assert!(is_signed(&asked));
        Says::json(200, &json!({"SchemaVersion": "1.0"}))
    });
    let hook = hook(&web);
    for _ in 0..5 {
        ask(&hook, &event(), Policy::default()).await.unwrap();
    }
    assert_eq!(web.connections(), 1);
}

/// How a refusal begins, and a part of what the operator is told.
async fn refused(says: fn() -> Says) -> AskError {
    let web = Web::start(move |_| says());
    // The first failure is the last: these are about what is told, and not about retries.
    let policy = Policy { attempts: 1, ..Policy::default() };
    ask(&hook(&web), &event(), policy).await.unwrap_err()
}

#[tokio::test]
async fn what_a_webhook_answers_wrongly_is_told_in_words() {
    let error = refused(|| Says::text(302, "text/html", "").with("location", "/there")).await;
    assert!(error.to_string().contains("redirects are not followed"), "{error}");
    let error = refused(|| Says::text(200, "text/html", "<html>Welcome</html>")).await;
    assert!(error.to_string().contains("no JSON (text/html): <html>Welcome"), "{error}");
    let error = refused(|| Says::text(503, "text/plain", "busy")).await;
    assert!(error.to_string().contains("503 Service Unavailable: busy"), "{error}");
    let error = refused(|| Says::text(200, "application/json", &"[".repeat(300_000))).await;
    assert!(error.to_string().contains("larger than 262144 bytes"), "{error}");
    let error = refused(|| Says::text(403, "text/plain", "who?")).await;
    assert!(matches!(error, AskError::GaveUp { why: GiveUp::AccessDenied, .. }), "{error}");
    let error = refused(Says::no_content).await;
    assert_eq!(error, AskError::Invalid(ReplyError::Blank));
    let error = refused(|| Says::json(200, &json!({"Actions": []}))).await;
    assert_eq!(error, AskError::Invalid(ReplyError::SchemaVersion));
}

#[tokio::test]
async fn a_certificate_of_nobody_is_not_believed_until_its_file_is_given() {
    let (web, certificate) =
        Web::start_self_signed(|_| Says::json(200, &json!({"SchemaVersion": "1.0"})));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, certificate).unwrap();
    let address = format!("https://localhost:{}/", web.address().port());
    let policy = Policy { attempts: 1, ..Policy::default() };

    let stranger = Webhook::new(&address, SECRET, Trust::system().unwrap()).unwrap();
    let error = ask(&stranger, &event(), policy).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    let friend = Webhook::new(&address, SECRET, Trust::with_file(&file).unwrap()).unwrap();
    ask(&friend, &event(), policy).await.unwrap();

    std::fs::write(&file, "nothing").unwrap();
    assert!(Trust::with_file(&file).unwrap_err().contains("holds no certificate"));
}

/// The receiver's part of docs/applications.md, as an operator would copy it.
#[tokio::test]
async fn the_receiver_of_the_operators_page_believes_us_and_nobody_else() {
    let page = include_str!("../../../../docs/applications.md");
    let (_, rest) = page.split_once("```python\n").unwrap();
    let (code, _) = rest.split_once("```").unwrap();
    let seen: Arc<Mutex<Option<Asked>>> = Arc::default();
    let log = Arc::clone(&seen);
    let web = Web::start(move |asked| {
        *log.lock().unwrap() = Some(asked);
        Says::json(200, &json!({"SchemaVersion": "1.0"}))
    });
    ask(&hook(&web), &event(), Policy::default()).await.unwrap();
    let asked = seen.lock().unwrap().take().unwrap();
    let judge = |body: &[u8], secret: &str, later: i64| {
        let call = format!(
            "{code}\nimport sys\nprint(is_genuine({:?}, sys.stdin.buffer.read(), {:?}.encode(), \
             time.time() + {later}))",
            asked.header(SIGNATURE).unwrap(),
            secret
        );
        let mut child = std::process::Command::new("python3")
            .args(["-c", &call])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("python3 is installed (make test does it)");
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), body).unwrap();
        let output = child.wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(judge(&asked.body, SECRET, 0), "True");
    assert_eq!(judge(b"{}", SECRET, 0), "False");
    assert_eq!(judge(&asked.body, "another", 0), "False");
    assert_eq!(judge(&asked.body, SECRET, 400), "False");
}
