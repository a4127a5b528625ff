//! The functions' real binaries, started as AWS Lambda starts them: beside a server of the runtime
//! API.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};

use crate::killed::Killed;
use crate::web::{Asked, Says, Web};

/// Path of a function's program (`sma-function`), built once for this process.
///
/// # Panics
/// When it does not build.
pub fn program(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        // target/debug/deps/TEST-HASH -> target/debug
        let me = std::env::current_exe().expect("own path");
        let folder = me.ancestors().nth(2).expect("target folder").to_path_buf();
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "-p", "offhook-chime", "--bins", "--target-dir"])
            .arg(folder.parent().expect("target folder"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the functions do not build");
        folder
    });
    folder.join(name)
}

type Answer = Result<Value, (String, String)>;
type Answers = Arc<Mutex<HashMap<String, Sender<Answer>>>>;

/// A function; clones are one. Invocations that come at once wait for each other, as with Lambda
/// for a function with one instance.
#[derive(Clone)]
pub struct Binary(Arc<Inner>);

struct Inner {
    _child: Killed,
    /// Dropped after it, so that whoever waits for the next event stops waiting.
    events: Sender<(String, Value)>,
    answers: Answers,
    next: Mutex<u64>,
    _web: Web,
}

impl Binary {
    /// Starts a program with these variables, and nothing else of the environment.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(name: &str, variables: &[(&str, &str)]) -> Self {
        let (events, next) = channel();
        let next = Mutex::new(next);
        let answers = Answers::default();
        let shared = Arc::clone(&answers);
        let web = Web::start(move |asked| answer(&asked, &next, &shared));
        let child = Command::new(program(name))
            .env_clear()
            .envs(variables.iter().copied())
            .env("AWS_LAMBDA_RUNTIME_API", web.url().trim_start_matches("http://"))
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the function's binary");
        let inner = Inner { _child: child.into(), events, answers, next: Mutex::new(0), _web: web };
        Self(Arc::new(inner))
    }

    /// Invokes it, and waits for the answer or the error (type and message).
    ///
    /// # Errors
    /// What the function said, or that it is gone.
    pub fn invoke(&self, event: Value) -> Answer {
        let id = {
            let mut next = locked(&self.0.next);
            *next += 1;
            format!("request-{next}")
        };
        let (answer, answered) = channel();
        locked(&self.0.answers).insert(id.clone(), answer);
        let gone = || ("Runtime.ExitError".to_owned(), "the function is gone".to_owned());
        self.0.events.send((id, event)).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(asked: &Asked, events: &Mutex<Receiver<(String, Value)>>, answers: &Answers) -> Says {
    let path = asked.path.strip_prefix("/2018-06-01/runtime").unwrap_or_default();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let told = |id: &str, answer: Answer| {
        if let Some(waits) = locked(answers).remove(id) {
            let _ = waits.send(answer);
        }
        Says::json(202, &json!({"status": "OK"}))
    };
    let error = |error: &Value| {
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        Err((text("errorType"), text("errorMessage")))
    };
    match (asked.method.as_str(), parts.as_slice()) {
        ("GET", ["invocation", "next"]) => {
            let Ok((id, event)) = locked(events).recv() else { return Says::no_content() };
            Says::json(200, &event)
                .with("lambda-runtime-aws-request-id", &id)
                .with("lambda-runtime-deadline-ms", "9999999999999")
                .with("lambda-runtime-invoked-function-arn", "arn:aws:lambda:x")
        }
        ("POST", ["invocation", id, "response"]) => told(id, Ok(asked.json())),
        ("POST", ["invocation", id, "error"]) => told(id, error(&asked.json())),
        _ => Says::json(404, &Value::Null),
    }
}
