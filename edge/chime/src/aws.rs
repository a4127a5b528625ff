//! One signed request to one of AWS's services, or to a server that stands in for it.

pub(crate) mod stream;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use offhook_sma::invoke::Fault;
use serde_json::Value;

use crate::clocks::{Clocks, is_other};
use crate::credentials::{CredentialsError, Environment, Provider, Source};
use crate::https::{Answer, Client, Endpoint, HttpError, Limits, Trust, is_loopback};
use crate::outside::http_date;
use crate::sigv4::{Draft, Scope};

/// What the operator says of AWS.
#[derive(Debug, Clone, Default)]
pub struct AwsConfig {
    /// `us-east-1`.
    pub region: String,
    /// Where access keys come from.
    pub credentials: Source,
    /// The address of all services that have none of their own in `endpoints` (LocalStack).
    pub endpoint: Option<String>,
    /// Addresses by a service's endpoint prefix (`lambda`, `dynamodb`).
    pub endpoints: BTreeMap<String, String>,
}

/// Why a service gave no answer that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AwsError {
    /// No access keys.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// No answer.
    #[error("{service} cannot be asked: {error}")]
    Http {
        /// Which service.
        service: String,
        /// Why.
        error: HttpError,
    },
    /// The service said no.
    #[error("{service}: {status} {code} {message}")]
    Refused {
        /// Which service.
        service: String,
        /// HTTP status.
        status: u16,
        /// `ResourceNotFoundException`.
        code: String,
        /// In the service's words.
        message: String,
    },
    /// The request makes no sense: the address, a name.
    #[error("{0}")]
    Unsendable(String),
}

impl AwsError {
    /// What it means for an invocation's retries.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Refused { status, .. } if (400..500).contains(status) => Fault::Client(*status),
            other => Fault::Other(other.to_string()),
        }
    }
}

/// Which service: its name in addresses, and the name that it is signed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Service<'a> {
    /// `states` of `states.us-east-1.amazonaws.com`.
    pub(crate) prefix: &'a str,
    /// Often the same.
    pub(crate) signing: &'a str,
}

/// A way to AWS.
#[derive(Debug, Clone)]
pub struct Aws {
    http: Client,
    provider: Provider,
    config: AwsConfig,
    clocks: Clocks,
}

impl Aws {
    /// Makes one; nothing is asked yet.
    ///
    /// # Errors
    /// In words: an address is none, or is not protected.
    pub fn new(config: AwsConfig, trust: Trust, environment: Environment) -> Result<Self, String> {
        for address in config.endpoint.iter().chain(config.endpoints.values()) {
            endpoint(address)?;
        }
        if !is_region(&config.region) {
            return Err(format!("{:?} is no region of AWS", config.region));
        }
        let http = Client::new(trust);
        let provider = Provider::new(config.credentials.clone(), environment, http.clone());
        Ok(Self { http, provider, config, clocks: Clocks::default() })
    }

    /// The region that is asked when nothing names another.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.config.region
    }

    /// What time it is, by the clock of a service (`dynamodb`) as far as its answers have told it: a
    /// machine whose own is wrong would be refused, and would take leases of others for ended ones.
    #[must_use]
    pub fn now(&self, service: &str) -> Timestamp {
        self.clocks.now(service, Instant::now(), Timestamp::now())
    }

    /// Where a service is, in a region.
    pub(crate) fn endpoint(
        &self,
        service: Service<'_>,
        region: &str,
    ) -> Result<Endpoint, AwsError> {
        let own = self.config.endpoints.get(service.prefix).or(self.config.endpoint.as_ref());
        let address = match own {
            Some(address) => address.clone(),
            None => usual_address(service.prefix, region),
        };
        endpoint(&address).map_err(AwsError::Unsendable)
    }

    /// Whether a service is asked at an address of the operator's.
    pub(crate) fn has_own_endpoint(&self, prefix: &str) -> bool {
        self.config.endpoint.is_some() || self.config.endpoints.contains_key(prefix)
    }

    /// Signs a request, sends it and gives the answer when it is 2xx.
    pub(crate) async fn call(
        &self,
        service: Service<'_>,
        region: &str,
        endpoint: &Endpoint,
        draft: Draft,
        limits: Limits,
    ) -> Result<Answer, AwsError> {
        let scope = Scope { region, service: service.signing };
        let now = self.now(service.prefix);
        let (mut answer, other_time) =
            self.ask_once(service, scope, endpoint, draft.clone(), limits, now).await?;
        let refused = matches!(answer.status.as_u16(), 400 | 401 | 403);
        if let Some(time) = other_time
            && refused
        {
            // Signed at a time that AWS does not have: once more, at its own.
            (answer, _) = self.ask_once(service, scope, endpoint, draft, limits, time).await?;
        }
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(self.refused(refusal(service.prefix, &answer)).await)
    }

    /// Keys that a service says are no good are fetched anew next time.
    async fn refused(&self, error: AwsError) -> AwsError {
        if let AwsError::Refused { code, .. } = &error
            && ["ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException"]
                .contains(&code.as_str())
        {
            self.provider.forget().await;
        }
        error
    }

    /// One attempt, and the time that its answer told when that is another one than it was signed
    /// at.
    async fn ask_once(
        &self,
        service: Service<'_>,
        scope: Scope<'_>,
        endpoint: &Endpoint,
        draft: Draft,
        limits: Limits,
        now: Timestamp,
    ) -> Result<(Answer, Option<Timestamp>), AwsError> {
        let credentials = self.provider.get(now).await?;
        let request = draft.signed(&credentials, scope, now).map_err(AwsError::Unsendable)?;
        let asked = Instant::now();
        let answer = self.http.ask(endpoint, request, limits).await;
        let took = asked.elapsed();
        let name = service.prefix.to_owned();
        let answer = answer.map_err(|error| AwsError::Http { service: name, error })?;
        let date = answer.header("date").and_then(http_date);
        if let Some(date) = date {
            self.clocks.learn(service.prefix, date, took, (Instant::now(), Timestamp::now()));
        }
        let other_time = date.filter(|date| is_other(*date, now, took));
        Ok((answer, other_time))
    }
}

/// What most requests may take.
pub(crate) const LIMITS: Limits = Limits { time: Duration::from_secs(60), body: 8 << 20 };

/// Reads an address of a service; without protection only on this machine.
fn endpoint(address: &str) -> Result<Endpoint, String> {
    let endpoint = Endpoint::parse(address)
        .ok_or_else(|| format!("{address:?} is no address of a service"))?;
    if !endpoint.tls && !is_loopback(&endpoint.host) {
        return Err(format!("{address:?} is not protected: it must begin with https://"));
    }
    Ok(endpoint)
}

/// Where AWS has a service (AWS General Reference, "Service endpoints").
fn usual_address(prefix: &str, region: &str) -> String {
    // One for the whole world.
    if prefix == "iam" {
        return "https://iam.amazonaws.com".to_owned();
    }
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{prefix}.{region}.{suffix}")
}

/// `us-east-1` and the like: what may stand in a host's name.
pub(crate) fn is_region(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(good) && !text.starts_with('-')
}

/// An error's name without what stands around it: `com.amazon#Name:http://…`.
pub(crate) fn bare_code(text: &str) -> &str {
    let text = text.split(':').next().unwrap_or_default();
    text.rsplit('#').next().unwrap_or_default().trim()
}

/// What an answer says that is not 2xx: in JSON, in XML, or in a header only.
fn refusal(service: &str, answer: &Answer) -> AwsError {
    let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |keys: &[&str]| keys.iter().find_map(|key| told.get(key)?.as_str());
    let (mut code, mut message) = (
        answer
            .header("x-amzn-errortype")
            .or_else(|| text(&["__type", "code", "Code"]))
            .map(|code| bare_code(code).to_owned()),
        text(&["message", "Message", "errorMessage"]).map(str::to_owned),
    );
    if code.is_none()
        && let Some(error) = crate::sdk::xml_error(&answer.body)
    {
        (code, message) = (Some(error.0), Some(error.1));
    }
    AwsError::Refused {
        service: service.to_owned(),
        status: answer.status.as_u16(),
        code: code.unwrap_or_else(|| format!("Http{}", answer.status.as_u16())),
        message: message.unwrap_or_else(|| {
            answer.status.canonical_reason().unwrap_or("no reason given").to_owned()
        }),
    }
}
