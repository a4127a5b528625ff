//! Requests and responses as values.

mod print;
mod status;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

pub use self::status::StatusCode;
use crate::header::{
    CSeq, ContentType, From_, HeaderError, HeaderName, HeaderValue, Headers, Problem, To,
    TypedHeader, Via,
};
use crate::params::{is_token, quoted_len};
use crate::uri::Uri;

/// A request method. Open: an unknown one is kept as written and compared with case
/// (RFC 3261 §7.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Method {
    Invite,
    Ack,
    Bye,
    Cancel,
    Options,
    Register,
    Prack,
    Update,
    Info,
    Subscribe,
    Notify,
    Refer,
    Message,
    Publish,
    Other(Box<str>),
}

impl Method {
    /// Reads a method. `None` when it is no token.
    pub fn parse(text: &[u8]) -> Option<Self> {
        Some(match text {
            b"INVITE" => Self::Invite,
            b"ACK" => Self::Ack,
            b"BYE" => Self::Bye,
            b"CANCEL" => Self::Cancel,
            b"OPTIONS" => Self::Options,
            b"REGISTER" => Self::Register,
            b"PRACK" => Self::Prack,
            b"UPDATE" => Self::Update,
            b"INFO" => Self::Info,
            b"SUBSCRIBE" => Self::Subscribe,
            b"NOTIFY" => Self::Notify,
            b"REFER" => Self::Refer,
            b"MESSAGE" => Self::Message,
            b"PUBLISH" => Self::Publish,
            _ => {
                let text = std::str::from_utf8(text).ok()?;
                let token = !text.is_empty() && text.bytes().all(is_token);
                return token.then(|| Self::Other(text.into()));
            }
        })
    }

    /// The method as it stands on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Register => "REGISTER",
            Self::Prack => "PRACK",
            Self::Update => "UPDATE",
            Self::Info => "INFO",
            Self::Subscribe => "SUBSCRIBE",
            Self::Notify => "NOTIFY",
            Self::Refer => "REFER",
            Self::Message => "MESSAGE",
            Self::Publish => "PUBLISH",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Request-URI.
    pub uri: Uri,
    /// All header fields in order. Content-Length is never among them: the printer writes it.
    pub headers: Headers,
    /// The body, exactly Content-Length octets.
    pub body: Bytes,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: StatusCode,
    /// Reason phrase, as received (may hold any UTF-8, may be empty).
    pub reason: Bytes,
    /// All header fields in order. Content-Length is never among them: the printer writes it.
    pub headers: Headers,
    /// The body, exactly Content-Length octets.
    pub body: Bytes,
}

/// Either.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Message {
    Request(Request),
    Response(Response),
}

macro_rules! sugar {
    ($type:ident) => {
        /// The header fields every message has.
        impl $type {
            /// Call-ID, unfolded.
            pub fn call_id(&self) -> Option<Cow<'_, str>> {
                self.headers.text(&HeaderName::CallId)
            }

            /// CSeq. Errors: absent or malformed.
            pub fn cseq(&self) -> Result<CSeq, HeaderError> {
                need(&self.headers)
            }

            /// The topmost Via. Errors: absent or malformed.
            pub fn top_via(&self) -> Result<Via, HeaderError> {
                need(&self.headers)
            }

            /// From. Errors: absent or malformed.
            pub fn from(&self) -> Result<From_, HeaderError> {
                need(&self.headers)
            }

            /// To. Errors: absent or malformed.
            pub fn to(&self) -> Result<To, HeaderError> {
                need(&self.headers)
            }

            /// The tag of From, without reading the address.
            pub fn from_tag(&self) -> Option<String> {
                tag(self.headers.get(&HeaderName::From)?)
            }

            /// The tag of To, without reading the address.
            pub fn to_tag(&self) -> Option<String> {
                tag(self.headers.get(&HeaderName::To)?)
            }

            /// With a header field appended.
            #[must_use]
            pub fn with(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
                self.headers.push(name, value);
                self
            }

            /// With a typed header field appended.
            #[must_use]
            pub fn with_typed<T: TypedHeader>(mut self, value: &T) -> Self {
                self.headers.push_typed(value);
                self
            }

            /// With a body and its Content-Type.
            #[must_use]
            pub fn with_body(mut self, kind: &ContentType, body: impl Into<Bytes>) -> Self {
                self.headers.set_typed(kind);
                self.body = body.into();
                self
            }
        }
    };
}

sugar!(Request);
sugar!(Response);

fn need<T: TypedHeader>(headers: &Headers) -> Result<T, HeaderError> {
    headers.typed::<T>()?.ok_or_else(|| Problem::Empty.of(T::NAME))
}

/// The tag of a From or To value: the parameter after `>`, or after the first `;` without brackets.
/// Wider than a token, as [`NameAddr::tag`](crate::header::NameAddr::tag) is: a peer knows its tag
/// by every character that it wrote.
fn tag(value: &HeaderValue) -> Option<String> {
    let text = value.to_text();
    let text = if text.starts_with('"') { text.get(quoted_len(&text)?..)? } else { &text };
    let params = text.split_once('>').map_or(text, |(_, params)| params);
    params.split(';').skip(1).find_map(|param| {
        let (name, value) = param.split_once('=')?;
        let value = value.trim_start();
        let end = value.find([' ', '\t', ',', '"']).unwrap_or(value.len());
        let value = value.get(..end).filter(|v| !v.is_empty())?;
        name.trim().eq_ignore_ascii_case("tag").then(|| value.into())
    })
}

impl FromStr for Method {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        Self::parse(text.as_bytes()).ok_or(Problem::Syntax("method").of(HeaderName::CSeq))
    }
}

impl Request {
    /// Without header fields and body.
    pub fn new(method: Method, uri: Uri) -> Self {
        Self { method, uri, headers: Headers::new(), body: Bytes::new() }
    }
}

impl Response {
    /// Without header fields and body; `None` is the reason phrase of the RFC.
    pub fn new(status: StatusCode, reason: Option<&str>) -> Self {
        let reason = match reason {
            Some(text) => HeaderValue::from(text).0,
            None => Bytes::from_static(status.default_reason().as_bytes()),
        };
        Self { status, reason, headers: Headers::new(), body: Bytes::new() }
    }

    /// An answer to `req` with what RFC 3261 §8.2.6.2 copies: every Via, From, To, Call-ID, CSeq;
    /// and Timestamp into a 100 (§8.2.6.1). No tag is added to To.
    pub fn to_request(req: &Request, status: StatusCode, reason: Option<&str>) -> Self {
        let mut response = Self::new(status, reason);
        response.headers.0.reserve(8);
        for header in &req.headers {
            let copied = match header.name {
                HeaderName::Via
                | HeaderName::From
                | HeaderName::To
                | HeaderName::CallId
                | HeaderName::CSeq => true,
                HeaderName::Timestamp => status == StatusCode::TRYING,
                _ => false,
            };
            if copied {
                response.headers.0.push(header.clone());
            }
        }
        response
    }

    /// Adds a tag to To unless it has one (RFC 3261 §8.2.6.2). The field is left as received
    /// otherwise.
    pub fn ensure_to_tag(&mut self, tag: &str) {
        if self.to_tag().is_none()
            && let Some(to) = self.headers.get(&HeaderName::To)
        {
            // After the last parameter; without brackets parameters belong to the header anyway.
            // Octets, so that a name in Latin-1 goes back as it came.
            let value = [to.as_bytes(), b";tag=", tag.as_bytes()].concat();
            self.headers.set(HeaderName::To, Bytes::from(value));
        }
    }

    /// The reason phrase as text.
    pub fn reason_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.reason)
    }
}

impl Message {
    /// The header fields.
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }

    /// Same, for changing them.
    pub fn headers_mut(&mut self) -> &mut Headers {
        match self {
            Self::Request(request) => &mut request.headers,
            Self::Response(response) => &mut response.headers,
        }
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        match self {
            Self::Request(request) => &request.body,
            Self::Response(response) => &response.body,
        }
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}
