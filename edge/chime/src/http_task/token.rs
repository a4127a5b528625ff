//! Access tokens of a connection: asked for when one is needed, kept as long as they are good.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::connection::{OAuthClient, basic};
use crate::https::{Answer, Client, Limits, Trust, Url};
use crate::sigv4::encoded;
use crate::task::TaskError;

const LIMITS: Limits = Limits { time: Duration::from_secs(20), body: 64 << 10 };
/// A token that ends within this is not used any more (EventBridge User Guide).
const NEAR_END: Duration = Duration::from_secs(60);
/// A token of which nothing says when it ends is asked for again after this.
const UNSAID: Duration = Duration::from_secs(3600);
const FORM: &str = "application/x-www-form-urlencoded";

struct Token {
    /// The value of `Authorization`.
    value: String,
    ends: Instant,
}

/// The tokens of one connection.
pub(super) struct Tokens {
    client: OAuthClient,
    url: Url,
    http: Client,
    kept: Mutex<Option<Token>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Tokens {
    /// # Errors
    /// In words: the address of the authorization server is none, or not protected.
    pub(super) fn new(client: &OAuthClient, trust: Trust) -> Result<Self, String> {
        let url = Url::parse(&client.endpoint)?.protected(&client.endpoint)?;
        let client = client.clone();
        Ok(Self { client, url, http: Client::new(trust), kept: Mutex::default() })
    }

    /// The value of `Authorization`. Several that want one at once ask for one.
    ///
    /// # Errors
    /// `Events.ConnectionResource.InvalidConnectionState`: the authorization server gives none.
    /// `Events.ConnectionResource.InternalError`: it cannot be asked.
    pub(super) async fn current(&self) -> Result<String, TaskError> {
        let mut kept = self.kept.lock().await;
        if let Some(token) = &*kept
            && token.ends > Instant::now() + NEAR_END
        {
            return Ok(token.value.clone());
        }
        let request = self.request().map_err(TaskError::runtime)?;
        let answer = self.http.ask(&self.url.endpoint, request, LIMITS).await;
        let answer = answer.map_err(|error| {
            let words = format!("no access token from {}: {error}", self.url.endpoint.authority);
            TaskError::new("Events.ConnectionResource.InternalError", words)
        })?;
        let token = token(&answer).map_err(|why| {
            let words = format!("no access token from {}: {why}", self.url.endpoint.authority);
            TaskError::new("Events.ConnectionResource.InvalidConnectionState", words)
        })?;
        let value = token.value.clone();
        // One that ends at once is good for the request it was asked for.
        *kept = Some(token);
        Ok(value)
    }

    /// Forgets a token, unless there is another already.
    pub(super) async fn forget(&self, value: &str) {
        let mut kept = self.kept.lock().await;
        if kept.as_ref().is_some_and(|token| token.value == value) {
            *kept = None;
        }
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, String> {
        let client = &self.client;
        let mut form: BTreeMap<&str, &str> = [("grant_type", "client_credentials")].into();
        if client.in_body {
            form.extend([("client_id", &*client.id), ("client_secret", &*client.secret)]);
        }
        form.extend(client.body.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let form = pairs(form.into_iter());
        let mut url = self.url.clone();
        let mut query = vec![std::mem::take(&mut url.query)];
        query.push(pairs(client.query.iter().map(|(n, v)| (n.as_str(), v.as_str()))));
        let method = Method::from_bytes(client.method.as_bytes()).map_err(|e| e.to_string())?;
        // A request of GET has no body (RFC 9110 §9.3.1).
        let body = if method == Method::GET {
            query.push(form);
            Bytes::new()
        } else {
            Bytes::from(form)
        };
        query.retain(|part| !part.is_empty());
        url.query = query.join("&");
        let mut request = Request::builder()
            .method(method)
            .uri(url.target())
            .header("host", url.endpoint.authority.as_str())
            .header("accept", "application/json");
        if !body.is_empty() {
            request = request.header("content-type", FORM);
        }
        if !client.in_body {
            // Each of the two is encoded before (RFC 6749 §2.3.1).
            let value = basic(&encoded(&client.id), &encoded(&client.secret));
            request = request.header("authorization", value);
        }
        let mut request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
        for (name, value) in &client.headers {
            let header = (name.to_ascii_lowercase().parse::<HeaderName>(), value.parse());
            if let (Ok(name), Ok(value)) = header {
                let value: HeaderValue = value;
                request.headers_mut().insert(name, value);
            }
        }
        Ok(request)
    }
}

fn pairs<'a>(values: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<String> =
        values.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    pairs.join("&")
}

/// RFC 6749 §5.1; what went wrong as §5.2 has it. Never a part of a token.
fn token(answer: &Answer) -> Result<Token, String> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    if !answer.status.is_success() {
        let said: Vec<&str> = ["error", "error_description"].into_iter().filter_map(text).collect();
        return Err(format!("it answers {} {}", answer.status, said.join(": ")).trim().to_owned());
    }
    let access = text("access_token").ok_or("its answer has no access_token")?;
    let kind = match text("token_type") {
        // Not every server believes the lower case that it writes itself.
        Some(kind) if !kind.eq_ignore_ascii_case("bearer") => kind,
        _ => "Bearer",
    };
    let seconds = body.get("expires_in").and_then(|value| {
        value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
    });
    let lasts = match seconds {
        None => UNSAID,
        Some(seconds) => Duration::try_from_secs_f64(seconds.clamp(0.0, 1e8)).unwrap_or(UNSAID),
    };
    let value = format!("{kind} {access}");
    if HeaderValue::from_str(&value).is_err() {
        return Err("its access_token cannot stand in a header".to_owned());
    }
    Ok(Token { value, ends: Instant::now() + lasts })
}
