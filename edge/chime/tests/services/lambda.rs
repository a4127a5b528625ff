use std::time::Duration;

use bytes::Bytes;
use offhook_chime::AwsError;
use offhook_chime::handler::{AskError, LambdaHandler, ask};
use offhook_chime::lambda::{FunctionName, InvocationType, Invoke, Lambda};
use offhook_sma::action::Action;
use offhook_sma::invoke::{Fault, GiveUp, Policy};
use serde_json::{Value, json};

use crate::lambda_server::{KEY, LambdaServer, SECRET};
use crate::web::{Says, Web};
use crate::{anywhere, aws, event, nowhere};

fn invoke(function: &FunctionName, kind: InvocationType) -> Invoke<'_> {
    Invoke {
        function,
        payload: Bytes::from_static(b"{\"n\":1}"),
        kind,
        log_tail: true,
        client_context: None,
        patience: Duration::from_secs(10),
    }
}

fn server() -> LambdaServer {
    let server = LambdaServer::start(anywhere());
    server.function("double", |event| Ok(json!({"n": event["n"].as_i64().unwrap() * 2})));
    server.function("broken", |_| Err(("ValueError".to_owned(), "no".to_owned())));
    server
}

fn lambda(server: &LambdaServer) -> Lambda {
    Lambda::new(aws(&server.url(), KEY, SECRET))
}

#[test]
fn a_function_is_named_as_aws_lets_it_be_named() {
    for (text, shown) in [
        ("ivr", "ivr"),
        ("ivr:live", "ivr:live"),
        ("ivr:$LATEST", "ivr:$LATEST"),
        ("111122223333:function:ivr:7", "111122223333:function:ivr:7"),
        (
            "arn:aws:lambda:us-east-1:111122223333:function:ivr",
            "arn:aws:lambda:us-east-1:111122223333:function:ivr",
        ),
        (
            "arn:aws-cn:lambda:cn-north-1:111122223333:function:ivr:live",
            "arn:aws-cn:lambda:cn-north-1:111122223333:function:ivr:live",
        ),
    ] {
        assert_eq!(FunctionName::parse(text).unwrap().to_string(), shown);
    }
    let live = FunctionName::parse("ivr").unwrap().at(Some("live"));
    assert_eq!(live.to_string(), "ivr:live");
    for bad in [
        "",
        "a b",
        "ivr/../x",
        "ivr:",
        "ivr:live:2",
        "arn:aws:lambda:us-east-1:1111:function:ivr",
        "arn:aws:lambda:../x:111122223333:function:ivr",
        "arn:aws:s3:::bucket",
        "arn:aws:lambda:us-east-1:111122223333:function:",
    ] {
        assert!(FunctionName::parse(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_function_is_invoked_signed_and_its_answer_log_and_version_come_back() {
    let server = server();
    let lambda = lambda(&server);
    for name in
        ["double", "double:live", "arn:aws:lambda:eu-central-1:111122223333:function:double"]
    {
        let function = FunctionName::parse(name).unwrap();
        let done = lambda.invoke(invoke(&function, InvocationType::RequestResponse)).await.unwrap();
        assert_eq!((done.status, &done.payload[..]), (200, &b"{\"n\":2}"[..]), "{name}");
        assert_eq!(done.log.as_deref(), Some("END RequestId"));
        assert_eq!(done.executed_version.as_deref(), Some("$LATEST"));
        assert_eq!(done.error(), None);
    }
    assert_eq!(server.invoked("double"), vec![json!({"n": 1}); 3]);
    let function = FunctionName::parse("double").unwrap();
    let told = lambda.invoke(invoke(&function, InvocationType::Event)).await.unwrap();
    assert_eq!((told.status, told.payload.len(), told.log), (202, 0, None));
}

#[tokio::test]
async fn an_error_of_the_function_is_told_apart_from_one_of_the_service() {
    let server = server();
    let lambda = lambda(&server);
    let function = FunctionName::parse("broken").unwrap();
    let done = lambda.invoke(invoke(&function, InvocationType::RequestResponse)).await.unwrap();
    assert_eq!(done.error(), Some(("ValueError".to_owned(), "no".to_owned())));

    let missing = FunctionName::parse("missing").unwrap();
    let error = lambda.invoke(invoke(&missing, InvocationType::RequestResponse)).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Client(404));
    let words = "lambda: 404 ResourceNotFoundException Function not found: missing";
    assert_eq!(error.to_string(), words);

    let stranger = Lambda::new(aws(&server.url(), KEY, "another secret"));
    let error =
        stranger.invoke(invoke(&function, InvocationType::RequestResponse)).await.unwrap_err();
    assert!(error.to_string().contains("403 InvalidSignatureException"), "{error}");
}

#[tokio::test]
async fn throttling_failures_and_silence_have_their_names() {
    type Case = (fn() -> Says, &'static str, fn(&Fault) -> bool);
    let cases: [Case; 3] = [
        (
            || {
                Says::json(429, &json!({"message": "Rate Exceeded."}))
                    .with("x-amzn-errortype", "TooManyRequestsException:http://x/")
            },
            "lambda: 429 TooManyRequestsException Rate Exceeded.",
            |fault| *fault == Fault::Client(429),
        ),
        (
            || Says::text(502, "text/html", "<html>Bad Gateway</html>"),
            "lambda: 502 Http502 Bad Gateway",
            |fault| matches!(fault, Fault::Other(_)),
        ),
        (
            || Says::json(500, &json!({"__type": "com.amazonaws#ServiceException"})),
            "lambda: 500 ServiceException Internal Server Error",
            |fault| matches!(fault, Fault::Other(_)),
        ),
    ];
    let function = FunctionName::parse("ivr").unwrap();
    for (says, words, is) in cases {
        let web = Web::start(move |_| says());
        let lambda = Lambda::new(aws(&web.url(), KEY, SECRET));
        let error =
            lambda.invoke(invoke(&function, InvocationType::RequestResponse)).await.unwrap_err();
        assert_eq!(error.to_string(), words);
        assert!(is(&error.fault()), "{error:?}");
    }
    let lambda = Lambda::new(aws(&nowhere(), KEY, SECRET));
    let error =
        lambda.invoke(invoke(&function, InvocationType::RequestResponse)).await.unwrap_err();
    assert!(matches!(error, AwsError::Http { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_that_never_comes_is_not_waited_for() {
    let (held, hold) = std::sync::mpsc::channel::<()>();
    let hold = std::sync::Mutex::new(hold);
    let web = Web::start(move |_| {
        let _ = hold.lock().unwrap().recv();
        Says::default()
    });
    let lambda = Lambda::new(aws(&web.url(), KEY, SECRET));
    let function = FunctionName::parse("ivr").unwrap();
    let what = Invoke {
        patience: Duration::from_millis(50),
        ..invoke(&function, InvocationType::RequestResponse)
    };
    let error = lambda.invoke(what).await.unwrap_err();
    assert!(error.to_string().contains("no answer within 0.05 s"), "{error}");
    drop(held);
}

#[tokio::test]
async fn a_call_is_run_by_a_function() {
    let server = server();
    server.function("ivr", |event| {
        assert_eq!(event["InvocationEventType"], "NEW_INBOUND_CALL");
        Ok(json!({"SchemaVersion": "1.0", "Actions": [
            {"Type": "Hangup", "Parameters": {"SipResponseCode": "0", "ParticipantTag": "LEG-A"}}
        ]}))
    });
    let run = |name: &str| LambdaHandler::new(lambda(&server), FunctionName::parse(name).unwrap());
    let reply = ask(&run("ivr"), &event(), Policy::default()).await.unwrap();
    assert!(matches!(reply.actions.unwrap()[..], [Action::Hangup(_)]));
    assert_eq!(server.invoked("ivr")[0]["CallDetails"]["AwsRegion"], "us-east-1");

    let error = ask(&run("missing"), &event(), Policy::default()).await.unwrap_err();
    assert!(matches!(error, AskError::GaveUp { why: GiveUp::Failed(404), .. }), "{error}");
    assert!(error.to_string().contains("Function not found"), "{error}");
}

#[tokio::test]
async fn a_workflow_invokes_a_function_as_step_functions_does() {
    let server = server();
    let lambda = lambda(&server);
    let done = lambda.task(&json!({"FunctionName": "double", "Payload": {"n": 4}})).await.unwrap();
    let wanted = json!({"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": {"n": 8}});
    assert_eq!(done, wanted);
    assert_eq!(lambda.direct("double", &json!({"n": 5})).await.unwrap(), json!({"n": 10}));

    let error = lambda.direct("broken", &Value::Null).await.unwrap_err();
    assert_eq!(error.error, "ValueError");
    let cause: Value = serde_json::from_str(&error.cause).unwrap();
    assert_eq!(cause, json!({"errorType": "ValueError", "errorMessage": "no"}));
    let error = lambda.direct("missing", &Value::Null).await.unwrap_err();
    assert_eq!(error.error, "Lambda.ResourceNotFoundException");
    for bad in [
        json!({}),
        json!({"FunctionName": 7}),
        json!({"FunctionName": "a b"}),
        json!({"FunctionName": "double", "InvocationType": "Sometimes"}),
    ] {
        assert_eq!(lambda.task(&bad).await.unwrap_err().error, "States.Runtime", "{bad}");
    }
}

#[tokio::test]
async fn a_handler_in_python_runs_calls() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("index.py");
    std::fs::write(
        &file,
        "import os\ncount = 0\ndef lambda_handler(event, context):\n    global count\n    \
         count += 1\n    print('talkative')\n    if event['Sequence'] > 1:\n        \
         raise ValueError('too many')\n    return {'SchemaVersion': '1.0', 'Actions': [], \
         'TransactionAttributes': {'n': str(count), 'e': os.environ['TABLE'], \
         'f': context.function_name}}\n",
    )
    .unwrap();
    let server = server();
    server.python("py", "python3".as_ref(), &file, "lambda_handler", &[("TABLE", "numbers")]);
    let handler = LambdaHandler::new(lambda(&server), FunctionName::parse("py").unwrap());
    for n in ["1", "2"] {
        let reply = ask(&handler, &event(), Policy::default()).await.unwrap();
        let attributes = reply.transaction_attributes.unwrap();
        assert_eq!(json!(attributes), json!({"n": n, "e": "numbers", "f": "py"}));
    }
    let mut second = event();
    second.sequence = 2;
    let policy = Policy { attempts: 1, ..Policy::default() };
    let error = ask(&handler, &second, policy).await.unwrap_err();
    assert!(error.to_string().contains("ended in ValueError: too many"), "{error}");
}
