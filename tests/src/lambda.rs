//! AWS Lambda as far as `Invoke` goes: functions that are closures of a test or handlers in
//! Python, behind signatures that are checked.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::killed::Killed;
use crate::web::{Asked, Says, Web};

/// The access key that it takes.
pub const KEY: &str = "AKIALAMBDATEST";
/// Its secret.
pub const SECRET: &str = "secret-of-the-lambda-server-of-tests";

/// What a function does: an answer, or an error's type and message.
type Body = dyn FnMut(Value) -> Result<Value, (String, String)> + Send;

/// A function.
struct Function {
    body: Arc<Mutex<Box<Body>>>,
}

#[derive(Default)]
struct Inner {
    functions: HashMap<String, Function>,
    invoked: Vec<(String, Value)>,
}

/// The server.
pub struct LambdaServer {
    web: Web,
    inner: Arc<Mutex<Inner>>,
}

impl LambdaServer {
    /// One without functions.
    pub fn start(address: SocketAddr) -> Self {
        let inner: Arc<Mutex<Inner>> = Arc::default();
        let shared = Arc::clone(&inner);
        let web = Web::start_on(address, move |asked| answer(&shared, &asked));
        Self { web, inner }
    }

    /// Where it is: `http://…`.
    pub fn url(&self) -> String {
        self.web.url()
    }

    /// Makes a function of a closure: it gets the event; an error is `(errorType, errorMessage)`.
    pub fn function(
        &self,
        name: &str,
        body: impl FnMut(Value) -> Result<Value, (String, String)> + Send + 'static,
    ) {
        let body: Box<Body> = Box::new(body);
        let function = Function { body: Arc::new(Mutex::new(body)) };
        locked(&self.inner).functions.insert(name.to_owned(), function);
    }

    /// Makes a function of a Python file with a `lambda_handler(event, context)` (or another
    /// name). It runs in a process of its own, which is kept, as Lambda's are.
    pub fn python(
        &self,
        name: &str,
        interpreter: &Path,
        file: &Path,
        handler: &str,
        environment: &[(&str, &str)],
    ) {
        let mut process = Python::start(name, interpreter, file, handler, environment);
        self.function(name, move |event| process.handle(&event));
    }

    /// The events that a function was invoked with.
    pub fn invoked(&self, name: &str) -> Vec<Value> {
        let inner = locked(&self.inner);
        let of = inner.invoked.iter().filter(|(function, _)| function == name);
        of.map(|(_, event)| event.clone()).collect()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(inner: &Mutex<Inner>, asked: &Asked) -> Says {
    let refused = |status, kind: &str, message: &str| {
        Says::json(status, &json!({"Message": message, "Type": "User"}))
            .with("x-amzn-errortype", kind)
    };
    if let Err(error) = asked.signed("lambda", Timestamp::now(), (KEY, SECRET)) {
        return refused(403, error.name(), &error.to_string());
    }
    let Some(name) = asked
        .path
        .strip_prefix("/2015-03-31/functions/")
        .and_then(|rest| rest.strip_suffix("/invocations"))
    else {
        return refused(404, "ResourceNotFoundException", "no such operation");
    };
    let name = name.replace("%3A", ":");
    let name = name.split_once(":function:").map_or(name.as_str(), |(_, name)| name);
    let Ok(event) = serde_json::from_slice::<Value>(&asked.body) else {
        let message = "Could not parse request body into json";
        return refused(400, "InvalidRequestContentException", message);
    };
    let body = {
        let mut inner = locked(inner);
        let Some(function) = inner.functions.get(name) else {
            let message = format!("Function not found: {name}");
            return refused(404, "ResourceNotFoundException", &message);
        };
        let body = Arc::clone(&function.body);
        inner.invoked.push((name.to_owned(), event.clone()));
        body
    };
    if asked.header("x-amz-invocation-type") == Some("Event") {
        std::thread::spawn(move || locked(&body)(event));
        return Says { status: 202, ..Says::default() };
    }
    let outcome = locked(&body)(event);
    let says = match outcome {
        Ok(value) => Says::json(200, &value),
        Err((kind, message)) => {
            Says::json(200, &json!({"errorMessage": message, "errorType": kind}))
                .with("x-amz-function-error", "Unhandled")
        }
    };
    let says = says.with("x-amz-executed-version", "$LATEST");
    match asked.header("x-amz-log-type") {
        // "END RequestId" in Base64.
        Some("Tail") => says.with("x-amz-log-result", "RU5EIFJlcXVlc3RJZA=="),
        _ => says,
    }
}

/// What runs beside a handler: an event on each line of its input, an answer on each of its
/// output.
const RUNNER: &str = r#"
import importlib.util, json, os, sys, traceback
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
path, handler, name = sys.argv[1:4]
sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
spec = importlib.util.spec_from_file_location("handler", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

class Context:
    function_name = name
    function_version = "$LATEST"
    invoked_function_arn = "arn:aws:lambda:us-east-1:111122223333:function:" + name
    memory_limit_in_mb = "128"
    aws_request_id = "00000000-0000-0000-0000-000000000000"
    log_group_name = "/aws/lambda/" + name
    log_stream_name = "test"
    @staticmethod
    def get_remaining_time_in_millis():
        return 25000

for line in sys.stdin:
    try:
        answer = {"ok": getattr(module, handler)(json.loads(line), Context())}
        text = json.dumps(answer)
    except BaseException as error:
        traceback.print_exc()
        text = json.dumps({"type": type(error).__name__, "message": str(error)})
    out.write(text + "\n")
    out.flush()
"#;

struct Python {
    _child: Killed,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Python {
    fn start(
        name: &str,
        interpreter: &Path,
        file: &Path,
        handler: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let mut child: Killed = Command::new(interpreter)
            .args(["-c", RUNNER])
            .arg(file)
            .args([handler, name])
            .envs(environment.iter().copied())
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed (make test does it)")
            .into();
        let input = child.stdin.take().expect("its input");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        Self { _child: child, input, output }
    }

    fn handle(&mut self, event: &Value) -> Result<Value, (String, String)> {
        let mut line = String::new();
        let told = writeln!(self.input, "{event}").and_then(|()| self.output.read_line(&mut line));
        let answer: Value = match told {
            Ok(1..) => serde_json::from_str(&line).unwrap_or_default(),
            _ => json!({"type": "Runtime.ExitError", "message": "the handler's process ended"}),
        };
        match answer.get("ok") {
            Some(value) => Ok(value.clone()),
            None => {
                let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
                Err((text("type"), text("message")))
            }
        }
    }
}
