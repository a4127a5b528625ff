//! Requests that were signed by others: in the `Authorization` header, or in the query.

use hmac::Mac as _;
use hyper::header::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use super::{
    ALGORITHM, STREAMED, Scope, TERMINATOR, UNSIGNED, canonical, date, sha256, signature, unhex,
};

/// How far a request's time may be from ours.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// The longest that a presigned request may be good for: a week.
const MOST_EXPIRES: i64 = 604_800;

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// `POST`.
    pub method: &'a str,
    /// From the first slash on, as it stood in the request.
    pub path: &'a str,
    /// After the question mark, as it stood in the request; or empty.
    pub query: &'a str,
    /// All headers; those that HTTP/2 writes otherwise (`host`) included.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The access key's id.
    pub key_id: String,
    /// The region that it was signed for: whatever the client is set to.
    pub region: String,
}

/// Why a request is not believed. The texts and names are AWS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// It is not signed at all.
    #[error("Missing Authentication Token")]
    Missing,
    /// Something of the signature is not there, or makes no sense.
    #[error("{0}")]
    Incomplete(String),
    /// The access key is not known, or it came with a token, which ours never have.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The signature is wrong, or signed at another time or for another service.
    #[error("{0}")]
    Invalid(String),
}

impl AuthError {
    /// Its name on the wire; the status is 403 with all of them.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationTokenException",
            Self::Incomplete(_) => "IncompleteSignatureException",
            Self::UnknownKey => "UnrecognizedClientException",
            Self::Invalid(_) => "InvalidSignatureException",
        }
    }
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you \
    provided. Check your AWS Secret Access Key and signing method. Consult the service \
    documentation for details.";

/// What a request says of its signature.
#[derive(Debug, Default)]
struct Claim {
    credential: String,
    signed_headers: String,
    signature: String,
    date: String,
    /// Seconds that it is good for, of a presigned one.
    expires: Option<i64>,
    token: bool,
}

/// Checks a request's signature for `service`. `secret` gives the secret of an access key.
///
/// # Errors
/// See [`AuthError`].
pub fn verify(
    request: Received<'_>,
    service: &str,
    now: Timestamp,
    secret: impl FnOnce(&str) -> Option<String>,
) -> Result<Verified, AuthError> {
    Ok(verify_with(request, service, now, secret, || body_hash(request))?.0)
}

/// The same for a request whose body is a stream of signed events: its head alone, and the
/// signature that the first event builds on.
///
/// # Errors
/// See [`AuthError`].
pub fn verify_streamed(
    request: Received<'_>,
    service: &str,
    now: Timestamp,
    secret: impl FnOnce(&str) -> Option<String>,
) -> Result<(Verified, String), AuthError> {
    let told = request.headers.get("x-amz-content-sha256");
    if told.is_none_or(|told| told.as_bytes() != STREAMED.as_bytes()) {
        return invalid(format!("x-amz-content-sha256 must be {STREAMED}"));
    }
    verify_with(request, service, now, secret, || Ok(STREAMED.to_owned()))
}

fn verify_with(
    request: Received<'_>,
    service: &str,
    now: Timestamp,
    secret: impl FnOnce(&str) -> Option<String>,
    body_hash: impl FnOnce() -> Result<String, AuthError>,
) -> Result<(Verified, String), AuthError> {
    let claim = claim(request)?;
    let credential: Vec<&str> = claim.credential.split('/').collect();
    let [key_id, day, region, for_service, TERMINATOR] = credential.as_slice() else {
        return Err(incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. \
             keyid/date/region/service/term, got '{}'",
            claim.credential
        )));
    };
    if *for_service != service {
        return invalid(format!("Credential should be scoped to correct service: '{service}'."));
    }
    if region.is_empty() || claim.date.get(..8) != Some(*day) {
        return invalid(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP",
        );
    }
    in_time(&claim, now)?;
    let secret = match secret(key_id) {
        Some(secret) if !claim.token => secret,
        _ => return Err(AuthError::UnknownKey),
    };
    let headers = signed_headers(request.headers, &claim)?;
    let text = canonical::request(
        request.method,
        &canonical::path(request.path, service),
        &canonical::query(request.query, "X-Amz-Signature"),
        &headers,
        &body_hash()?,
    );
    let place = format!("{day}/{region}/{service}/{TERMINATOR}");
    let to_sign = super::string_to_sign(&claim.date, &place, &text);
    let scope = Scope { region, service };
    let given = unhex(&claim.signature).unwrap_or_default();
    // Compared in constant time.
    let good = signature(&secret, day, scope, &to_sign)
        .is_some_and(|mac| mac.verify_slice(&given).is_ok());
    if !good {
        return invalid(MISMATCH);
    }
    let verified = Verified { key_id: (*key_id).to_owned(), region: (*region).to_owned() };
    Ok((verified, claim.signature))
}

fn invalid<T>(words: impl Into<String>) -> Result<T, AuthError> {
    Err(AuthError::Invalid(words.into()))
}

fn incomplete(words: impl Into<String>) -> AuthError {
    AuthError::Incomplete(words.into())
}

fn claim(request: Received<'_>) -> Result<Claim, AuthError> {
    let headers = request.headers;
    if let Some(authorization) = headers.get("authorization") {
        let text = authorization.to_str().map_err(|_| incomplete("Authorization is no text"))?;
        return in_header(text, headers);
    }
    in_query(request.query)
}

fn in_header(text: &str, headers: &HeaderMap) -> Result<Claim, AuthError> {
    let Some(rest) = text.trim().strip_prefix(ALGORITHM) else {
        return Err(incomplete(format!("Unsupported AWS 'algorithm': {}", first_word(text))));
    };
    let mut claim = Claim::default();
    for part in rest.split(',') {
        match part.trim().split_once('=') {
            Some(("Credential", value)) => value.clone_into(&mut claim.credential),
            Some(("SignedHeaders", value)) => value.clone_into(&mut claim.signed_headers),
            Some(("Signature", value)) => value.clone_into(&mut claim.signature),
            _ => {
                let words = "Invalid key=value pair (missing equal-sign) in Authorization header";
                return Err(incomplete(format!("{words}: '{}'.", part.trim())));
            }
        }
    }
    let needed = [
        ("Credential", &claim.credential),
        ("Signature", &claim.signature),
        ("SignedHeaders", &claim.signed_headers),
    ];
    for (name, value) in needed {
        if value.is_empty() {
            let words = format!("Authorization header requires '{name}' parameter.");
            return Err(incomplete(words));
        }
    }
    let Some(date) = headers.get("x-amz-date").and_then(|date| date.to_str().ok()) else {
        let words = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' \
                     header.";
        return Err(incomplete(words));
    };
    date.clone_into(&mut claim.date);
    claim.token = headers.contains_key("x-amz-security-token");
    Ok(claim)
}

fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().chars().take(40).collect()
}

fn in_query(query: &str) -> Result<Claim, AuthError> {
    let value = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.into_iter().find(|(n, _)| *n == name)?.1;
        String::from_utf8(canonical::decoded(found)).ok()
    };
    let Some(algorithm) = value("X-Amz-Algorithm") else { return Err(AuthError::Missing) };
    if algorithm != ALGORITHM {
        return Err(incomplete(format!("Unsupported AWS 'algorithm': {}", first_word(&algorithm))));
    }
    let needed = |name: &str| {
        value(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            incomplete(format!("AWS query-string parameters must include '{name}'."))
        })
    };
    let expires = needed("X-Amz-Expires")?;
    let good = expires.parse().ok().filter(|seconds| (1..=MOST_EXPIRES).contains(seconds));
    if good.is_none() {
        let words = format!("X-Amz-Expires must be a number from 1 to {MOST_EXPIRES}");
        return Err(incomplete(words));
    }
    Ok(Claim {
        credential: needed("X-Amz-Credential")?,
        signed_headers: needed("X-Amz-SignedHeaders")?,
        signature: needed("X-Amz-Signature")?,
        date: needed("X-Amz-Date")?,
        expires: good,
        token: value("X-Amz-Security-Token").is_some(),
    })
}

fn in_time(claim: &Claim, now: Timestamp) -> Result<(), AuthError> {
    let Some(then) = time(&claim.date) else {
        let words = "Date must be in ISO-8601 'basic format'. Got";
        return Err(incomplete(format!("{words} '{}'.", first_word(&claim.date))));
    };
    let good_for = claim.expires.map_or(SKEW, SignedDuration::from_secs);
    if now.duration_since(then) > good_for {
        let end = date(now.checked_sub(good_for).unwrap_or(now));
        let words = format!("Signature expired: {} is now earlier than {end}", claim.date);
        return invalid(format!("{words} ({} - {} s.)", date(now), good_for.as_secs()));
    }
    if then.duration_since(now) > SKEW {
        let end = date(now.checked_add(SKEW).unwrap_or(now));
        let words = format!("Signature not yet current: {} is still later than {end}", claim.date);
        return invalid(format!("{words} ({} + 5 min.)", date(now)));
    }
    Ok(())
}

/// The reading of `20150830T123600Z`.
fn time(text: &str) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// The headers that the signature covers, with their values.
fn signed_headers(headers: &HeaderMap, claim: &Claim) -> Result<Vec<(String, String)>, AuthError> {
    let names: Vec<&str> = claim.signed_headers.split(';').collect();
    let must = if claim.expires.is_some() { &["host"][..] } else { &["host", "x-amz-date"] };
    if let Some(missing) = must.iter().find(|name| !names.contains(*name)) {
        return invalid(format!("'{missing}' must be a 'SignedHeader' in the AWS signature."));
    }
    // What speaks for the request must be covered: `x-amz-target` says which operation it is.
    let all = headers.keys().map(hyper::header::HeaderName::as_str);
    if let Some(bare) = all.filter(|n| n.starts_with("x-amz-")).find(|n| !names.contains(n)) {
        return invalid(format!("'{bare}' must be a 'SignedHeader' in the AWS signature."));
    }
    let mut signed = Vec::with_capacity(names.len());
    for name in names {
        let values: Vec<String> = headers
            .get_all(name)
            .iter()
            .map(|value| canonical::value(&String::from_utf8_lossy(value.as_bytes())))
            .collect();
        if values.is_empty() {
            return invalid(format!("the signed header '{}' is not there", first_word(name)));
        }
        signed.push((name.to_owned(), values.join(",")));
    }
    Ok(signed)
}

/// The hash that was signed for the body. A body that was not signed is nobody's.
fn body_hash(request: Received<'_>) -> Result<String, AuthError> {
    let real = sha256(request.body);
    let Some(told) = request.headers.get("x-amz-content-sha256") else { return Ok(real) };
    if told.as_bytes() == UNSIGNED.as_bytes() {
        return invalid("the body must be signed: UNSIGNED-PAYLOAD is not taken");
    }
    if told.as_bytes() != real.as_bytes() {
        return invalid("x-amz-content-sha256 is not the hash of the body");
    }
    Ok(real)
}
