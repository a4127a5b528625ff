//! A request whose body and answer are streams of events (HTTP/2, `application/vnd.amazon.eventstream`).

use std::time::Instant;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Uri;
use hyper::body::Incoming;
use hyper::http::request;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{Aws, AwsError, Service, refusal};
use crate::clocks::{is_other, later};
use crate::eventstream::{Decoder, FrameError, Message};
use crate::https::stream::{Body, Connection, body};
use crate::https::{Answer, Endpoint, HttpError, whole};
use crate::outside::http_date;
use crate::sigv4::{Draft, Scope, Seal};

/// The type of both bodies.
pub(crate) const EVENTS: &str = "application/vnd.amazon.eventstream";
/// Octets of an answer that is an error.
const MAX_ERROR: usize = 16 << 10;

/// Sends events. Dropped, it ends the request's body.
#[derive(Debug)]
pub(crate) struct Sends {
    to: mpsc::Sender<Bytes>,
    seal: Seal,
    /// When the request was signed, by the service's clock and by one that nobody sets.
    signed: (Timestamp, Instant),
}

/// The stream takes nothing any more: its answer says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

impl Sends {
    /// Sends an event, as soon as there is room for it: one that is signed has to be sent.
    pub(crate) async fn send(&mut self, event: Bytes) -> Result<(), Closed> {
        let place = self.to.reserve().await.map_err(|_| Closed)?;
        let (signed, at) = self.signed;
        let now = later(signed, at.elapsed());
        place.send(self.seal.seal(event, now).map_err(|_| Closed)?);
        Ok(())
    }

    /// No more events: says so in an empty one.
    pub(crate) async fn finish(mut self) {
        // A stream that is closed already needs no end.
        let _ = self.send(Bytes::new()).await;
    }
}

/// Gives the events of the answer. Dropped, it closes the connection at once, for both directions.
#[derive(Debug)]
pub(crate) struct Answers {
    body: Incoming,
    decoder: Decoder,
    aws: Aws,
    _connection: Connection,
}

impl Answers {
    /// The next one; `None`: the stream is over.
    pub(crate) async fn next(&mut self) -> Result<Option<Message>, HttpError> {
        let broken = |error: FrameError| HttpError::Broken(error.to_string());
        loop {
            if let Some(message) = self.decoder.message().map_err(broken)? {
                return Ok(Some(message));
            }
            let Some(frame) = self.body.frame().await else {
                self.decoder.finish().map_err(broken)?;
                return Ok(None);
            };
            let frame = frame.map_err(|error| HttpError::Broken(error.to_string()))?;
            if let Some(data) = frame.data_ref() {
                self.decoder.push(data).map_err(broken)?;
            }
        }
    }

    /// The service says in the stream that the keys are no good: others are asked for next time.
    pub(crate) async fn refused(&self) {
        self.aws.provider.forget().await;
    }
}

/// One attempt's outcome: the streams, or a refusal and the time that it told, when that is another
/// one than the request was signed at.
type Attempt = Result<(Sends, Answers), (Answer, Option<Timestamp>)>;

impl Aws {
    /// Opens a stream that begins with this event.
    pub(crate) async fn stream(
        &self,
        service: Service<'static>,
        region: &str,
        draft: Draft,
        first: Bytes,
    ) -> Result<(Sends, Answers), AwsError> {
        let endpoint = self.endpoint(service, region)?;
        let now = self.now(service.prefix);
        let ask = |now| self.stream_once((service, region), &endpoint, draft.clone(), &first, now);
        let mut attempt = ask(now).await?;
        if let Err((answer, Some(time))) = &attempt
            && matches!(answer.status.as_u16(), 400 | 401 | 403)
        {
            // Signed at a time that AWS does not have: once more, at its own.
            attempt = ask(*time).await?;
        }
        match attempt {
            Ok(streams) => Ok(streams),
            Err((answer, _)) => Err(self.refused(refusal(service.prefix, &answer)).await),
        }
    }

    async fn stream_once(
        &self,
        (service, region): (Service<'static>, &str),
        endpoint: &Endpoint,
        draft: Draft,
        first: &Bytes,
        now: Timestamp,
    ) -> Result<Attempt, AwsError> {
        let name = service.prefix;
        let failed = |error| AwsError::Http { service: name.to_owned(), error };
        let signed = (now, Instant::now());
        let credentials = self.provider.get(now).await?;
        let scope = Scope { region, service: service.signing };
        let (head, signature) = draft.streamed(&credentials, scope, now);
        let seal = Seal::new(credentials, scope, signature);
        let (to, body) = body();
        let mut sends = Sends { to, seal, signed };
        let request = http2(head, endpoint, body).map_err(AwsError::Unsendable)?;
        let asked = Instant::now();
        let mut connection = Connection::open(endpoint, &self.http.trust).await.map_err(failed)?;
        // There is room for it: nothing was sent yet.
        let _ = sends.send(first.clone()).await;
        let (head, body) = connection.ask(request).await.map_err(failed)?.into_parts();
        let took = asked.elapsed();
        let date = head.headers.get("date").and_then(|date| http_date(date.to_str().ok()?));
        if let Some(date) = date {
            self.clocks.learn(name, date, took, (Instant::now(), Timestamp::now()));
        }
        if head.status.is_success() {
            let decoder = Decoder::default();
            let answers = Answers { body, decoder, aws: self.clone(), _connection: connection };
            return Ok(Ok((sends, answers)));
        }
        let body = whole(body, MAX_ERROR).await.unwrap_or_default();
        let answer = Answer { status: head.status, headers: head.headers, body };
        Ok(Err((answer, date.filter(|date| is_other(*date, now, took)))))
    }
}

/// The request as HTTP/2 has it: the host stands in its address (RFC 9113 §8.3.1).
fn http2(
    head: request::Builder,
    endpoint: &Endpoint,
    body: Body,
) -> Result<hyper::Request<Body>, String> {
    let mut request = head.body(body).map_err(|error| error.to_string())?;
    request.headers_mut().remove("host");
    let scheme = if endpoint.tls { "https" } else { "http" };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let whole = Uri::builder().scheme(scheme).authority(&*endpoint.authority);
    *request.uri_mut() = whole.path_and_query(target).build().map_err(|error| error.to_string())?;
    Ok(request)
}
