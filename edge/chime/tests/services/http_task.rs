use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use offhook_chime::http_task::{Connection, HttpTasks, OAuthClient};
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
    HttpTasks::new(connections, "eu-central-1", &Trust::system().unwrap()).unwrap()
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
async fn a_connection_that_nobody_wrote_is_an_error_that_can_be_caught() {
    let parameters = json!({"ApiEndpoint": "https://x/", "Method": "GET",
        "InvocationConfig": {"ConnectionArn": "arn:aws:events:x:1:connection/other/1"}});
    let error = tasks(connection()).invoke(&parameters).await.unwrap_err();
    assert_eq!(error.error, "Events.ConnectionResource.ResourceNotFound");
    assert!(error.cause.contains("no connection \"other\""), "{error}");
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

/// An authorization server whose tokens are `token-1`, `token-2`, …, and a service that believes
/// the last one only.
struct Guarded {
    web: Web,
    seen: Arc<Mutex<Vec<Asked>>>,
}

impl Guarded {
    fn start(lifetime: u64) -> Self {
        let seen: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let log = Arc::clone(&seen);
        let web = Web::start(move |asked| {
            let mut seen = log.lock().unwrap();
            seen.push(asked.clone());
            let given = seen.iter().filter(|asked| asked.path == "/token").count();
            match asked.path.as_str() {
                "/token" if asked.query == "refuse" => Says::json(
                    401,
                    &json!({"error": "invalid_client", "error_description": "unknown"}),
                ),
                "/token" => Says::json(
                    200,
                    &json!({"access_token": format!("token-{given}"), "token_type": "bearer",
                        "expires_in": lifetime}),
                ),
                // Revoked, though it is not over.
                "/revoked" => Says::json(401, &json!({})),
                _ => Says::no_content(),
            }
        });
        Self { web, seen }
    }

    fn tasks(&self, change: impl FnOnce(&mut OAuthClient)) -> HttpTasks {
        let mut client = OAuthClient {
            endpoint: format!("{}/token", self.web.url()),
            method: "POST".to_owned(),
            id: "office 1".to_owned(),
            secret: "s3cret:%".to_owned(),
            in_body: false,
            headers: BTreeMap::from([("X-Realm".to_owned(), "r".to_owned())]),
            query: BTreeMap::new(),
            body: BTreeMap::from([("scope".to_owned(), "calls read".to_owned())]),
        };
        change(&mut client);
        tasks(Connection { oauth: Some(client), ..Connection::default() })
    }

    async fn ask(&self, tasks: &HttpTasks, path: &str) -> Result<Value, TaskError> {
        let parameters = json!({"ApiEndpoint": format!("{}{path}", self.web.url()),
            "Method": "GET", "Authentication": {"ConnectionArn": ARN}});
        tasks.invoke(&parameters).await
    }

    /// Path and `Authorization` of each request.
    fn seen(&self) -> Vec<(String, String)> {
        let seen = self.seen.lock().unwrap();
        let of = |a: &Asked| (a.path.clone(), a.header("authorization").unwrap_or("").to_owned());
        seen.iter().map(of).collect()
    }
}

const CLIENT: &str = "Basic b2ZmaWNlJTIwMTpzM2NyZXQlM0ElMjU=";

#[tokio::test]
async fn an_access_token_is_asked_for_once_and_anew_when_it_was_refused() {
    let server = Guarded::start(3600);
    let tasks = server.tasks(|_| {});
    let both = tokio::join!(server.ask(&tasks, "/a"), server.ask(&tasks, "/a"));
    assert!(both.0.is_ok() && both.1.is_ok());
    let refused = server.ask(&tasks, "/revoked").await.unwrap_err();
    assert_eq!(refused.error, "States.Http.StatusCode.401");
    server.ask(&tasks, "/b").await.unwrap();
    let expected = [
        ("/token", CLIENT),
        ("/a", "Bearer token-1"),
        ("/a", "Bearer token-1"),
        ("/revoked", "Bearer token-1"),
        ("/token", CLIENT),
        ("/b", "Bearer token-2"),
    ];
    assert_eq!(server.seen(), expected.map(|(p, a)| (p.to_owned(), a.to_owned())));
    let seen = server.seen.lock().unwrap();
    let form = std::str::from_utf8(&seen[0].body).unwrap();
    assert_eq!(sorted(form), ["grant_type=client_credentials", "scope=calls%20read"]);
    assert_eq!(seen[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen[0].header("x-realm"), Some("r"));
    assert!(!format!("{tasks:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_token_near_its_end_is_not_used_again() {
    let server = Guarded::start(59);
    let tasks = server.tasks(|client| client.in_body = true);
    server.ask(&tasks, "/a").await.unwrap();
    server.ask(&tasks, "/a").await.unwrap();
    let paths: Vec<String> = server.seen().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["/token", "/a", "/token", "/a"]);
    let seen = server.seen.lock().unwrap();
    let form = std::str::from_utf8(&seen[0].body).unwrap();
    let expected = "client_id=office%201&client_secret=s3cret%3A%25\
        &grant_type=client_credentials&scope=calls%20read";
    assert_eq!(sorted(form), sorted(expected));
    assert_eq!(seen[0].header("authorization"), None);
}

#[tokio::test]
async fn a_connection_without_a_token_says_whose_fault_it_is() {
    let server = Guarded::start(3600);
    let tasks = server.tasks(|client| client.endpoint.push_str("?refuse"));
    let error = server.ask(&tasks, "/a").await.unwrap_err();
    assert_eq!(error.error, "Events.ConnectionResource.InvalidConnectionState");
    assert!(error.cause.contains("401 Unauthorized invalid_client: unknown"), "{error}");
    assert!(!error.cause.contains("s3cret"));
    let tasks = server.tasks(|client| client.endpoint = nowhere());
    let error = server.ask(&tasks, "/a").await.unwrap_err();
    assert_eq!(error.error, "Events.ConnectionResource.InternalError");
    let paths: Vec<String> = server.seen().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["/token"], "nothing went to the service");
}

#[tokio::test]
async fn a_connection_may_believe_a_certificate_of_its_own_over_tls() {
    let (web, certificate) = Web::start_self_signed(|asked| match asked.header("authorization") {
        Some("Basic b2ZmaWNlOnM6ZQ==") => Says::json(200, &json!({"ok": true})),
        _ => Says::json(403, &json!({})),
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, certificate).unwrap();
    let port = web.address().port();
    let parameters = json!({"ApiEndpoint": format!("https://localhost:{port}/x"), "Method": "GET",
        "InvocationConfig": {"ConnectionArn": ARN}});
    let basic = Connection::default().with_basic("office", "s:e");
    let error = tasks(basic.clone()).invoke(&parameters).await.unwrap_err();
    assert_eq!(error.error, "States.Http.Socket", "{error}");
    let trusted = Connection { trust: Some(Trust::with_file(&file).unwrap()), ..basic };
    let done = tasks(trusted).invoke(&parameters).await.unwrap();
    assert_eq!(done["ResponseBody"], json!({"ok": true}));
}
