//! What the operator lets HTTP tasks show to a web server: in AWS an EventBridge connection
//! (EventBridge User Guide, "Authorization methods for connections").

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::token::Tokens;
use crate::https::{Client, Trust, Url};
use crate::task::TaskError;

/// A connection.
#[derive(Clone, Default)]
pub struct Connection {
    /// Headers, `authorization` among them.
    pub headers: BTreeMap<String, String>,
    /// Parameters of the query.
    pub query: BTreeMap<String, String>,
    /// Members of the body.
    pub body: Map<String, Value>,
    /// Addresses that it is for: `https://api.example.com/v1/`; none: all. Its headers are keys.
    pub addresses: Vec<String>,
    /// Where its access tokens are, when it has such.
    pub oauth: Option<OAuthClient>,
    /// Whose certificates it believes, when it is not the usual ones.
    pub trust: Option<Trust>,
}

/// A client of an OAuth 2.0 authorization server (RFC 6749 §4.4, "Client Credentials Grant").
#[derive(Clone)]
pub struct OAuthClient {
    /// Where tokens are.
    pub endpoint: String,
    /// `GET`, `POST` or `PUT`.
    pub method: String,
    /// Client id.
    pub id: String,
    /// Client secret.
    pub secret: String,
    /// Whether they stand in the body instead of the header `Authorization` (RFC 6749 §2.3.1).
    pub in_body: bool,
    /// Headers of the request.
    pub headers: BTreeMap<String, String>,
    /// Parameters of the query.
    pub query: BTreeMap<String, String>,
    /// Parameters of the body.
    pub body: BTreeMap<String, String>,
}

impl Connection {
    /// With a user name and a password (RFC 7617).
    #[must_use]
    pub fn with_basic(mut self, username: &str, password: &str) -> Self {
        self.headers.insert("authorization".to_owned(), basic(username, password));
        self
    }
}

/// The value of `Authorization`.
pub(super) fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl fmt::Debug for OAuthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthClient").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// A connection in use.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) is: Connection,
    pub(super) http: Client,
    tokens: Option<Tokens>,
}

impl Kept {
    /// # Errors
    /// In words: something of it cannot stand in a request.
    pub(super) fn new(name: &str, is: Connection, trust: Trust) -> Result<Self, String> {
        let oauth = is.oauth.as_ref();
        let headers = is.headers.iter().chain(oauth.iter().flat_map(|o| &o.headers));
        for (header, value) in headers {
            // The value is a secret.
            if header.parse::<HeaderName>().is_err() || HeaderValue::from_str(value).is_err() {
                return Err(format!("connection {name}: the header {header:?} cannot be sent"));
            }
        }
        for address in &is.addresses {
            Url::parse(address).and_then(|url| url.protected(address))?;
        }
        let trust = is.trust.clone().unwrap_or(trust);
        let tokens = oauth.map(|oauth| Tokens::new(oauth, trust.clone())).transpose()?;
        Ok(Self { is, http: Client::new(trust), tokens })
    }

    /// The value of `Authorization` that has to be asked for.
    pub(super) async fn token(&self) -> Result<Option<String>, TaskError> {
        match &self.tokens {
            None => Ok(None),
            Some(tokens) => tokens.current().await.map(Some),
        }
    }

    /// A server did not believe the token: the next request comes with another.
    pub(super) async fn refused(&self, token: &str) {
        if let Some(tokens) = &self.tokens {
            tokens.forget(token).await;
        }
    }

    /// Whether its keys may be sent there.
    pub(super) fn may_go(&self, url: &Url) -> bool {
        let fits = |address: &String| {
            Url::parse(address).is_ok_and(|allowed| {
                let folder = allowed.path.trim_end_matches('/');
                let rest = url.path.strip_prefix(folder);
                allowed.endpoint == url.endpoint
                    && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                    // Which would lead out again.
                    && !url.path.split('/').any(|segment| matches!(segment, ".." | "." ))
                    && !url.path.to_ascii_lowercase().contains("%2e")
            })
        };
        self.is.addresses.is_empty() || self.is.addresses.iter().any(fits)
    }
}
