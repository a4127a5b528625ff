//! Requests that are signed by us.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, http::request};
use jiff::Timestamp;

use super::{
    ALGORITHM, Credentials, STREAMED, Scope, TERMINATOR, canonical, date, hex, sha256, signature,
};

/// A request before it is signed.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) method: &'static str,
    /// As it stands in `Host`.
    pub(crate) authority: String,
    /// From the first slash on, percent-encoded.
    pub(crate) path: String,
    /// Names and values, not encoded.
    pub(crate) query: Vec<(String, String)>,
    /// Lower-case names; `host` and what belongs to the signature come by themselves.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Draft {
    /// A POST of a body.
    pub(crate) fn post(authority: &str, path: &str, content_type: &str, body: Bytes) -> Self {
        Self {
            method: "POST",
            authority: authority.to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body,
        }
    }

    /// Signs it.
    ///
    /// # Errors
    /// In words, when a header or the path cannot stand in a request.
    pub(crate) fn signed(
        self,
        credentials: &Credentials,
        scope: Scope<'_>,
        now: Timestamp,
    ) -> Result<Request<Full<Bytes>>, String> {
        let body_hash = sha256(&self.body);
        let body = Full::new(self.body.clone());
        let (head, _) = self.head(credentials, scope, now, &body_hash);
        head.body(body).map_err(|error| error.to_string())
    }

    /// Signs the head of a request whose body is a stream of events, each of which is signed on its
    /// own: with the signature that the first of them builds on.
    pub(crate) fn streamed(
        mut self,
        credentials: &Credentials,
        scope: Scope<'_>,
        now: Timestamp,
    ) -> (request::Builder, String) {
        self.headers.push(("x-amz-content-sha256".to_owned(), STREAMED.to_owned()));
        self.head(credentials, scope, now, STREAMED)
    }

    /// All but the body, and the signature.
    fn head(
        self,
        credentials: &Credentials,
        scope: Scope<'_>,
        now: Timestamp,
        body_hash: &str,
    ) -> (request::Builder, String) {
        let date = date(now);
        let query: Vec<String> = self
            .query
            .iter()
            .map(|(n, v)| format!("{}={}", canonical::encoded(n), canonical::encoded(v)))
            .collect();
        let query = query.join("&");
        let mut headers = self.headers;
        headers.push(("host".to_owned(), self.authority));
        headers.push(("x-amz-date".to_owned(), date.clone()));
        if let Some(token) = &credentials.session_token {
            headers.push(("x-amz-security-token".to_owned(), token.clone()));
        }
        if scope.service == "s3" {
            headers.push(("x-amz-content-sha256".to_owned(), body_hash.to_owned()));
        }
        headers.sort();
        let signed: Vec<(String, String)> =
            headers.iter().map(|(n, v)| (n.clone(), canonical::value(v))).collect();
        let text = canonical::request(
            self.method,
            &canonical::path(&self.path, scope.service),
            &canonical::query(&query, ""),
            &signed,
            body_hash,
        );
        let (authorization, signature) = authorization(credentials, scope, &date, &signed, &text);
        let target = if query.is_empty() { self.path } else { format!("{}?{query}", self.path) };
        let start = Request::builder().method(self.method).uri(target);
        let head = headers
            .iter()
            .fold(start, |request, (name, value)| request.header(name.as_str(), value.as_str()));
        (head.header("authorization", authorization), signature)
    }
}

/// The value of `Authorization`, and the signature in it.
fn authorization(
    credentials: &Credentials,
    scope: Scope<'_>,
    date: &str,
    headers: &[(String, String)],
    canonical: &str,
) -> (String, String) {
    let day = date.get(..8).unwrap_or(date);
    let place = format!("{day}/{}/{}/{TERMINATOR}", scope.region, scope.service);
    let to_sign = super::string_to_sign(date, &place, canonical);
    let signature = signature(&credentials.secret, day, scope, &to_sign)
        .map(|mac| hex(&hmac::Mac::finalize(mac).into_bytes()))
        .unwrap_or_default();
    let authorization = format!(
        "{ALGORITHM} Credential={}/{place}, SignedHeaders={}, Signature={signature}",
        credentials.key_id,
        canonical::names(headers)
    );
    (authorization, signature)
}
