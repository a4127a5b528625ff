//! The runtime API of AWS Lambda, as a function sees it: the real binary is started beside it.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::web::{Asked, Says, Web};

/// How a function ended an invocation, or could not begin.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    Answer(Value),
    Error(Value),
    CannotBegin(Value),
}

/// A function with its service.
pub struct Function {
    events: Option<Sender<Value>>,
    told: Receiver<(String, Told)>,
    child: Child,
    sent: usize,
    _web: Web,
}

impl Function {
    /// Starts the binary with these variables, and nothing else of the environment.
    pub fn start(binary: &str, variables: &[(&str, &str)]) -> Self {
        let (events, next) = channel::<Value>();
        let (tell, told) = channel();
        let (next, tell) = (Arc::new(Mutex::new((next, 0_usize))), Mutex::new(tell));
        let web = Web::start(move |asked| answer(&asked, &next, &tell));
        let child = Command::new(Path::new(binary))
            .env_clear()
            .envs(variables.iter().copied())
            .env("AWS_LAMBDA_RUNTIME_API", web.url().trim_start_matches("http://"))
            .env("AWS_LAMBDA_FUNCTION_NAME", "function")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the function's binary");
        Self { events: Some(events), told, child, sent: 0, _web: web }
    }

    /// Invokes it.
    pub fn invoke(&mut self, event: &Value) -> Told {
        self.events.as_ref().unwrap().send(event.clone()).unwrap();
        self.sent += 1;
        let (id, told) = self.told.recv().expect("an answer");
        assert_eq!(id, format!("request-{}", self.sent));
        told
    }

    /// Invokes it, and takes nothing but an answer.
    pub fn ask(&mut self, event: &Value) -> Value {
        match self.invoke(event) {
            Told::Answer(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    /// What it says when it cannot begin.
    pub fn cannot_begin(&mut self) -> Value {
        match self.told.recv().expect("something") {
            (_, Told::CannotBegin(error)) => error,
            (_, other) => panic!("{other:?}"),
        }
    }

    /// Ends it, and gives its log as lines of JSON.
    pub fn log(mut self) -> Vec<Value> {
        let _ = self.child.kill();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut self.child.stdout.take().unwrap(), &mut text).unwrap();
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Whoever waits for the next event stops waiting.
        self.events = None;
    }
}

type Events = Arc<Mutex<(Receiver<Value>, usize)>>;

fn answer(asked: &Asked, events: &Events, tell: &Mutex<Sender<(String, Told)>>) -> Says {
    let path = asked.path.strip_prefix("/2018-06-01/runtime").unwrap_or_default();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let told = |id: &str, told: Told| {
        let _ = tell.lock().unwrap_or_else(PoisonError::into_inner).send((id.to_owned(), told));
        Says::json(202, &serde_json::json!({"status": "OK"}))
    };
    match (asked.method.as_str(), parts.as_slice()) {
        ("GET", ["invocation", "next"]) => {
            let mut events = events.lock().unwrap_or_else(PoisonError::into_inner);
            let Ok(event) = events.0.recv() else { return Says::no_content() };
            events.1 += 1;
            let id = format!("request-{}", events.1);
            Says::json(200, &event)
                .with("lambda-runtime-aws-request-id", &id)
                .with("lambda-runtime-deadline-ms", "9999999999999")
                .with("lambda-runtime-invoked-function-arn", "arn:aws:lambda:x")
        }
        ("POST", ["invocation", id, "response"]) => told(id, Told::Answer(asked.json())),
        ("POST", ["invocation", id, "error"]) => told(id, Told::Error(asked.json())),
        ("POST", ["init", "error"]) => told("", Told::CannotBegin(asked.json())),
        _ => Says::json(404, &Value::Null),
    }
}

/// What a function finds around it on Lambda.
pub fn variables<'a>(url: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all: HashMap<&str, &str> = HashMap::from([
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", crate::KEY),
        ("AWS_SECRET_ACCESS_KEY", crate::SECRET),
        ("AWS_ENDPOINT_URL", url),
        ("INTEGRATION_TABLE", "integration"),
    ]);
    all.extend(more.iter().copied());
    all.into_iter().collect()
}
