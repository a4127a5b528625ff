use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use offhook_chime::http_task::{Connection, HttpTasks};
use offhook_chime::{TaskError, Trust};
use serde_json::{Value, json};

use crate::nowhere;
use crate::web::{Asked, Says, Web};

const ARN: &str = "arn:aws:events:us-east-1:111122223333:connection/crm/5ce0-11";
const TOKEN: &str = "Bearer s3cret-token";

/// The members of an object come in any order.
fn sorted(pairs: &str) -> Vec<&str> {
    let mut pairs: Vec<&str> = pairs.split('&').collect();
    pairs.sort_unstable();
    pairs
}

fn tasks(connection: Connection) -> HttpTasks {
    let connections = BTreeMap::from([("crm".to_owned(), connection)]);
    HttpTasks::new(connections, "eu-central-1", Trust::system().unwrap()).unwrap()
}

fn connection() -> Connection {
    Connection {
        headers: BTreeMap::from([("Authorization".to_owned(), TOKEN.to_owned())]),
        ..Connection::default()
    }
}

/// Runs one task against a server that answers `says`.
async fn exchange(
    connection: Connection,
    mut parameters: Value,
    says: Says,
) -> (Option<Asked>, Result<Value, TaskError>) {
    let seen: Arc<Mutex<Option<Asked>>> = Arc::default();
    let log = Arc::clone(&seen);
    let web = Web::start(move |asked| {
        *log.lock().unwrap() = Some(asked);
        says.clone()
    });
    let path = parameters["ApiEndpoint"].as_str().unwrap_or("/").to_owned();
    parameters["ApiEndpoint"] = Value::from(format!("{}{path}", web.url()));
    parameters["Authentication"] = json!({"ConnectionArn": ARN});
    let outcome = tasks(connection).invoke(&parameters).await;
    let asked = seen.lock().unwrap().take();
    (asked, outcome)
}

#[tokio::test]
async fn a_request_carries_what_the_task_and_its_connection_say() {
    let connection = Connection {
        query: BTreeMap::from([("site".to_owned(), "office".to_owned())]),
        body: json!({"tenant": 7}).as_object().unwrap().clone(),
        ..connection()
    };
    let parameters = json!({
        "ApiEndpoint": "/v1/customers?a=1", "Method": "POST",
        "Headers": {"X-Trace": "t", "Accept": "application/json"},
        "QueryParameters": {"q": "a b", "site": "elsewhere", "n": [1, 2]},
        "RequestBody": {"phone": "+1206", "tenant": 1},
    });
    let says = Says::json(201, &json!({"id": 5})).with("x-a", "1").with("x-a", "2");
    let (asked, outcome) = exchange(connection, parameters, says).await;
    let asked = asked.unwrap();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/v1/customers"));
    let pairs = "a=1&n%5B0%5D=1&n%5B1%5D=2&q=a%20b&site=office";
    assert_eq!(sorted(&asked.query), sorted(pairs));
    assert_eq!(asked.json(), json!({"phone": "+1206", "tenant": 7}));
    for (name, value) in [
        ("authorization", TOKEN),
        ("x-trace", "t"),
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("user-agent", "Amazon|StepFunctions|HttpInvoke|eu-central-1"),
    ] {
        assert_eq!(asked.header(name), Some(value), "{name}");
    }
    let mut done = outcome.unwrap();
    assert_eq!(done["Headers"]["x-a"], json!(["1", "2"]));
    assert_eq!(done["Headers"]["content-type"], json!(["application/json"]));
    done.as_object_mut().unwrap().remove("Headers");
    assert_eq!(
        done,
        json!({"ResponseBody": {"id": 5}, "StatusCode": 201, "StatusText": "Created"})
    );
}

#[tokio::test]
async fn a_body_is_written_as_a_form_where_the_task_wants_it() {
    for (format, form) in [
        (json!({}), "a%5B0%5D=x&a%5B1%5D=y&c%5Bd%5D=1"),
        (json!({"ArrayFormat": "INDICES"}), "a%5B0%5D=x&a%5B1%5D=y&c%5Bd%5D=1"),
        (json!({"ArrayFormat": "REPEAT"}), "a=x&a=y&c%5Bd%5D=1"),
        (json!({"ArrayFormat": "COMMAS"}), "a=x%2Cy&c%5Bd%5D=1"),
        (json!({"ArrayFormat": "BRACKETS"}), "a%5B%5D=x&a%5B%5D=y&c%5Bd%5D=1"),
    ] {
        let parameters = json!({
            "Method": "POST", "RequestBody": {"a": ["x", "y"], "c": {"d": 1}},
            "Transform": {"RequestBodyEncoding": "URL_ENCODED", "RequestEncodingOptions": format},
        });
        let (asked, outcome) = exchange(connection(), parameters, Says::no_content()).await;
        let asked = asked.unwrap();
        assert_eq!(sorted(std::str::from_utf8(&asked.body).unwrap()), sorted(form));
        assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(outcome.unwrap()["StatusCode"], 204);
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_an_error_with_its_number() {
    let get = || json!({"Method": "GET"});
    for (status, name) in [
        (404, "States.Http.StatusCode.404"),
        (503, "States.Http.StatusCode.503"),
        (302, "States.Http.StatusCode.302"),
    ] {
        let says = Says::json(status, &json!({"why": "x"})).with("location", "https://example.com");
        let (_, outcome) = exchange(connection(), get(), says).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.error, name);
        let cause: Value = serde_json::from_str(&error.cause).unwrap();
        assert_eq!(cause["ResponseBody"], json!({"why": "x"}));
        assert!(!error.cause.contains("s3cret"));
    }
    let (_, outcome) = exchange(connection(), get(), Says::text(200, "text/plain", "hi")).await;
    assert_eq!(outcome.unwrap()["ResponseBody"], "hi");
    let (_, outcome) = exchange(connection(), get(), Says::text(200, "image/png", "x")).await;
    assert_eq!(outcome.unwrap_err().error, "States.Runtime");
    let large = Says::text(200, "text/plain", &"x".repeat(300 << 10));
    let (_, outcome) = exchange(connection(), get(), large).await;
    assert_eq!(outcome.unwrap_err().error, "States.DataLimitExceeded");

    let parameters = json!({"ApiEndpoint": nowhere(), "Method": "GET",
        "Authentication": {"ConnectionArn": ARN}});
    let error = tasks(connection()).invoke(&parameters).await.unwrap_err();
    assert_eq!(error.error, "States.Http.Socket");
}

#[tokio::test]
async fn a_task_that_is_written_wrongly_sends_nothing() {
    let get = |more: Value| {
        let mut parameters = json!({"Method": "GET"});
        parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parameters
    };
    for (parameters, words) in [
        (get(json!({"Method": "TRACE"})), "cannot \"TRACE\""),
        (get(json!({"Headers": {"Authorization": "x"}})), "unsupported values: [authorization]"),
        (get(json!({"Headers": {"X-Amz-Date": "x"}})), "unsupported values: [x-amz-date]"),
        (get(json!({"Headers": {"X-A": "a\r\nHost: b"}})), "cannot be sent"),
        (get(json!({"Headers": []})), "Headers must be an object"),
        (get(json!({"QueryParameters": "x"})), "QueryParameters must be an object"),
        (
            get(json!({"RequestBody": "x", "Transform": {"RequestBodyEncoding": "URL_ENCODED"}})),
            "must be an object to be URL_ENCODED",
        ),
        (get(json!({"Transform": {"RequestBodyEncoding": "XML"}})), "cannot be \"XML\""),
        (
            get(json!({"Transform": {"RequestEncodingOptions": {"ArrayFormat": "?"}}})),
            "ArrayFormat cannot be",
        ),
    ] {
        let (asked, outcome) = exchange(connection(), parameters, Says::no_content()).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.error, "States.Runtime", "{error}");
        assert!(error.cause.contains(words), "{error}");
        assert!(asked.is_none());
    }
    for (parameters, words) in [
        (json!({"ApiEndpoint": "https://x/", "Method": "GET"}), "needs Authentication"),
        (
            json!({"ApiEndpoint": "https://x/", "Method": "GET",
            "InvocationConfig": {"ConnectionArn": "arn:aws:events:x:1:connection/other/1"}}),
            "no connection \"other\"",
        ),
        (
            json!({"ApiEndpoint": "http://example.com/", "Method": "GET",
            "InvocationConfig": {"ConnectionArn": ARN}}),
            "not protected",
        ),
        (
            json!({"ApiEndpoint": "http://169.254.169.254/latest/", "Method": "GET",
            "InvocationConfig": {"ConnectionArn": ARN}}),
            "not protected",
        ),
    ] {
        let error = tasks(connection()).invoke(&parameters).await.unwrap_err();
        assert_eq!(error.error, "States.Runtime");
        assert!(error.cause.contains(words), "{error}");
    }
}

#[tokio::test]
async fn keys_go_only_where_their_connection_is_for() {
    let allowed =
        Connection { addresses: vec!["https://api.example.com/v1".to_owned()], ..connection() };
    let tasks = tasks(allowed);
    for (address, words) in [
        ("https://evil.example.com/v1/x", "not for evil.example.com"),
        ("https://api.example.com:444/v1/x", "not for api.example.com:444"),
        ("https://api.example.com/v2/x", "not for api.example.com"),
        ("https://api.example.com/v10", "not for api.example.com"),
        ("https://api.example.com/v1/../v2", "not for api.example.com"),
        ("https://api.example.com/v1/%2e%2e/v2", "not for api.example.com"),
    ] {
        let parameters = json!({"ApiEndpoint": address, "Method": "GET",
            "InvocationConfig": {"ConnectionArn": ARN}});
        let error = tasks.invoke(&parameters).await.unwrap_err();
        assert!(error.cause.contains(words), "{address}: {error}");
    }
    assert!(!format!("{tasks:?}").contains("s3cret"));
}
