//! Webhooks: the event is sent to an address of the operator's, signed, and the answer is the
//! reply. docs/applications.md says how a receiver checks the signature.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use hmac::Mac as _;
use http_body_util::Full;
use hyper::Request;
use hyper::header::HeaderValue;
use jiff::Timestamp;
use offhook_sma::invoke::Fault;

use crate::handler::{Attempt, Handler, HandlerError, excerpt, is_json};
use crate::https::{Answer, Client, Limits, Trust, Url};
use crate::sigv4::{hex, mac};

/// The header of the signature: `t=1764398000,v1=5257a8…`.
pub const SIGNATURE: &str = "offhook-signature";
/// The header that is the same with each attempt for one event.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// What a receiver may answer: ten actions are a fraction of it.
const MAX_REPLY: usize = 256 << 10;
/// A secret that is shorter can be guessed.
const SHORTEST_SECRET: usize = 16;

/// An address that runs calls.
#[derive(Clone)]
pub struct Webhook {
    name: String,
    url: Url,
    secret: Vec<u8>,
    http: Client,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Webhook {
    /// Posts to `address`, signed with `secret`.
    ///
    /// # Errors
    /// In words: the address is none or not protected, the secret is too short.
    pub fn new(address: &str, secret: &str, trust: Trust) -> Result<Self, String> {
        let url = Url::parse(address)?.protected(address)?;
        if secret.len() < SHORTEST_SECRET {
            return Err(format!("the secret must have {SHORTEST_SECRET} characters or more"));
        }
        // What stands behind a question mark may be a secret of the receiver's.
        let name = format!("webhook:{}", address.split('?').next().unwrap_or_default());
        Ok(Self { name, url, secret: secret.as_bytes().to_vec(), http: Client::new(trust) })
    }

    /// Tells it something that needs no answer but a status of success. `id`: the same with each
    /// attempt.
    ///
    /// # Errors
    /// It was not taken: [`Fault::Client`] when it never will be.
    pub async fn tell(
        &self,
        id: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<(), HandlerError> {
        let request = self.request(id, &body, Timestamp::now()).map_err(HandlerError::other)?;
        let limits = Limits { time: patience, body: MAX_REPLY };
        let answer = self.http.ask(&self.url.endpoint, request, limits).await;
        let answer =
            answer.map_err(|error| HandlerError::other(format!("{}: {error}", self.name)))?;
        let status = answer.status;
        let words = format!("{} answers {status}", self.name);
        match status.as_u16() {
            200..300 => Ok(()),
            // It may pass: too early, too many requests.
            code @ (408 | 425 | 429 | 500..) => {
                Err(HandlerError { fault: Fault::Other(code.to_string()), words })
            }
            code => Err(HandlerError { fault: Fault::Client(code), words }),
        }
    }

    fn request(
        &self,
        id: &str,
        event: &Bytes,
        now: Timestamp,
    ) -> Result<Request<Full<Bytes>>, String> {
        let signature = sign(&self.secret, now, event);
        let mut request = Request::post(self.url.target())
            .header("host", self.url.endpoint.authority.as_str())
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .header("user-agent", concat!("Offhook/", env!("CARGO_PKG_VERSION")))
            .header(SIGNATURE, signature)
            .body(Full::new(event.clone()))
            .map_err(|error| error.to_string())?;
        if let Ok(id) = HeaderValue::from_str(id) {
            request.headers_mut().insert(IDEMPOTENCY_KEY, id);
        }
        Ok(request)
    }
}

/// The value of [`SIGNATURE`]: HMAC-SHA256 of the time in seconds, a full stop, and the body.
fn sign(secret: &[u8], now: Timestamp, body: &[u8]) -> String {
    let time = now.as_second();
    let mut signed = format!("{time}.").into_bytes();
    signed.extend_from_slice(body);
    let tag = mac(secret, &signed).map(|mac| hex(&mac.finalize().into_bytes()));
    format!("t={time},v1={}", tag.unwrap_or_default())
}

impl Handler for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn attempt(&self, id: String, event: Bytes, patience: Duration) -> Attempt<'_> {
        Box::pin(async move {
            let request =
                self.request(&id, &event, Timestamp::now()).map_err(HandlerError::other)?;
            let limits = Limits { time: patience, body: MAX_REPLY };
            let answer = self.http.ask(&self.url.endpoint, request, limits).await;
            let answer =
                answer.map_err(|error| HandlerError::other(format!("{}: {error}", self.name)))?;
            reply(&self.name, answer)
        })
    }
}

fn reply(name: &str, answer: Answer) -> Result<Bytes, HandlerError> {
    let status = answer.status;
    let words = match status.as_u16() {
        200..300 if answer.body.is_empty() || is_json(&answer.body) => return Ok(answer.body),
        200..300 => {
            let kind = answer.header("content-type").unwrap_or("no content type");
            let words = format!("{name} answers no JSON ({kind}): {}", excerpt(&answer.body));
            return Err(HandlerError::other(words));
        }
        300..400 => format!("{name} answers {status}: redirects are not followed"),
        _ => format!("{name} answers {status}: {}", excerpt(&answer.body)),
    };
    let fault = match status.as_u16() {
        code @ 300..500 => Fault::Client(code),
        _ => Fault::Other(words.clone()),
    };
    Err(HandlerError { fault, words })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_that_openssl_makes() {
        // printf '1764398000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let now = Timestamp::from_second(1_764_398_000).unwrap();
        assert_eq!(sign(b"0123456789abcdef", now, b"{\"a\":1}"), OPENSSL);
    }

    const OPENSSL: &str =
        "t=1764398000,v1=ca6e5257e9b153bd4ad4715534f9c57aebdf91cd3325768d77676bc82d7301b0";

    #[test]
    fn an_address_or_a_secret_that_protects_nothing_is_refused() {
        let trust = Trust::system().unwrap();
        let made = |address, secret| Webhook::new(address, secret, trust.clone()).map(|w| w.name);
        let good = "0123456789abcdef";
        assert_eq!(
            made("https://example.com/calls?token=x", good).unwrap(),
            "webhook:https://example.com/calls"
        );
        made("http://127.0.0.1:8080/", good).unwrap();
        assert!(made("http://example.com/", good).unwrap_err().contains("https://"));
        assert!(made("https://example.com/", "short").unwrap_err().contains("16 characters"));
    }
}
