//! Keys that end, from the metadata services of containers and instances.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use super::{CredentialsError, Environment, Lease};
use crate::https::{Client, Limits, Url, is_loopback};
use crate::sigv4::Credentials;

/// Of ECS, on a link-local address.
const CONTAINER: &str = "http://169.254.170.2";
/// Others to which a token may be shown without protection: ECS, and EKS Pod Identity.
const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];
/// Of EC2.
const INSTANCE: &str = "http://169.254.169.254";
/// Where an instance's keys are, by the name of its role.
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
/// What a container's service may take.
const CONTAINER_LIMITS: Limits = Limits { time: Duration::from_secs(5), body: 64 << 10 };
/// What an instance's may: it is in the same machine, or not at all.
const INSTANCE_LIMITS: Limits = Limits { time: Duration::from_secs(1), body: 64 << 10 };

fn failed(what: &str, why: impl std::fmt::Display) -> CredentialsError {
    CredentialsError(format!("{what}: {why}"))
}

/// Those of a container's role. `Ok(None)`: this is no such container.
pub(super) async fn container(
    environment: &Environment,
    http: &Client,
) -> Result<Option<Lease>, CredentialsError> {
    const WHAT: &str = "the container's metadata service";
    let address = match (
        environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    ) {
        (Some(path), _) => format!("{CONTAINER}{path}"),
        (None, Some(address)) => address,
        (None, None) => return Ok(None),
    };
    let url = Url::parse(&address).map_err(|why| failed(WHAT, why))?;
    let host = url.endpoint.host.as_str();
    if !url.endpoint.tls && !is_loopback(host) && !CONTAINER_HOSTS.contains(&host) {
        return Err(failed(WHAT, format!("{address} is not protected")));
    }
    let token = match environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(file) => {
            let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(file)).await;
            let text = read.map_err(|e| failed(WHAT, e))?.map_err(|e| failed(WHAT, e))?;
            Some(text.trim().to_owned())
        }
        None => environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    };
    let headers: Vec<(&str, &str)> =
        token.iter().map(|token| ("authorization", token.as_str())).collect();
    let text = ask(http, "GET", &url, &headers, CONTAINER_LIMITS, WHAT).await?;
    let text = text.ok_or_else(|| failed(WHAT, "it has no keys"))?;
    lease(&text, WHAT).map(Some)
}

/// Those of an instance's role. `Ok(None)`: this is no instance, or it has no role.
pub(super) async fn instance(
    environment: &Environment,
    http: &Client,
) -> Result<Option<Lease>, CredentialsError> {
    const WHAT: &str = "the instance's metadata service";
    let disabled = environment.get("AWS_EC2_METADATA_DISABLED");
    if disabled.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let base = environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    let base = base.unwrap_or_else(|| INSTANCE.to_owned());
    let base = base.trim_end_matches('/');
    let url = |path: &str| Url::parse(&format!("{base}{path}")).map_err(|why| failed(WHAT, why));
    let life = [("x-aws-ec2-metadata-token-ttl-seconds", "21600")];
    let token = url("/latest/api/token")?;
    // Nobody there: an office server.
    let Ok(token) = ask(http, "PUT", &token, &life, INSTANCE_LIMITS, WHAT).await else {
        return Ok(None);
    };
    let Some(token) = token else { return Ok(None) };
    let shown = [("x-aws-ec2-metadata-token", token.trim())];
    let Some(roles) = ask(http, "GET", &url(ROLES)?, &shown, INSTANCE_LIMITS, WHAT).await? else {
        return Ok(None);
    };
    let Some(role) = roles.lines().map(str::trim).find(|role| !role.is_empty()) else {
        return Ok(None);
    };
    let keys = url(&format!("{ROLES}{role}"))?;
    let text = ask(http, "GET", &keys, &shown, INSTANCE_LIMITS, WHAT).await?;
    let text = text.ok_or_else(|| failed(WHAT, format!("it has no keys of role {role}")))?;
    lease(&text, WHAT).map(Some)
}

/// One question; `Ok(None)`: there is nothing (404).
async fn ask(
    http: &Client,
    method: &str,
    url: &Url,
    headers: &[(&str, &str)],
    limits: Limits,
    what: &str,
) -> Result<Option<String>, CredentialsError> {
    let start = Request::builder()
        .method(method)
        .uri(url.target())
        .header("host", url.endpoint.authority.as_str());
    let request = headers
        .iter()
        .fold(start, |request, (name, value)| request.header(*name, *value))
        .body(Full::new(Bytes::new()))
        .map_err(|error| failed(what, error))?;
    let answer =
        http.ask(&url.endpoint, request, limits).await.map_err(|error| failed(what, error))?;
    match answer.status {
        StatusCode::NOT_FOUND => Ok(None),
        status if status.is_success() => {
            Ok(Some(String::from_utf8_lossy(&answer.body).into_owned()))
        }
        status => Err(failed(what, format!("it answers {status}"))),
    }
}

/// `{"AccessKeyId": …, "SecretAccessKey": …, "Token": …, "Expiration": …}`.
fn lease(text: &str, what: &str) -> Result<Lease, CredentialsError> {
    let told: Value = serde_json::from_str(text).map_err(|_| failed(what, "it gives no JSON"))?;
    let field = |name: &str| told.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(code) = field("Code").filter(|code| code != "Success") {
        return Err(failed(what, format!("it says {code}")));
    }
    let needed =
        |name: &str| field(name).ok_or_else(|| failed(what, format!("it gives no {name}")));
    let end = field("Expiration").map(|end| end.parse::<Timestamp>());
    let end = end.transpose().map_err(|error| failed(what, format!("Expiration: {error}")))?;
    let credentials = Credentials {
        key_id: needed("AccessKeyId")?,
        secret: needed("SecretAccessKey")?,
        session_token: field("Token"),
    };
    Ok(Lease { credentials, end })
}
