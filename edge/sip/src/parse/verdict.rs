//! What a message must have to be worked with, and the answer to one that has not.

use bytes::Bytes;

use super::head::{Head, Start};
use super::{ErrorKind, MAX_VALUES, ParseError, Rejected};
use crate::header::{
    CSeq, CallId, Contact, From_, HeaderName, HeaderValue, Headers, MaxForwards, To, TypedHeader,
    Via,
};
use crate::message::{Message, Method, Request, Response, StatusCode};
use crate::params::split_list;

impl Head {
    /// The message, or the verdict on it.
    pub(crate) fn finish(mut self, body: Bytes) -> Result<Message, Rejected> {
        if let Some(error) = self.error.take() {
            return Err(self.reject(error.kind, error.offset));
        }
        let cseq = match self.check() {
            Ok(cseq) => cseq,
            Err(error) => return Err(self.reject(error.kind, error.offset)),
        };
        if self.start.is_ok() && self.method.as_ref().is_some_and(|m| *m != cseq.method) {
            // RFC 3261 §8.1.1.5, RFC 4475 §3.1.2.17 and §3.1.2.18.
            return Err(self.reject(ErrorKind::MethodMismatch, 0));
        }
        match self.start {
            Ok(Start::Request { method, uri }) => {
                Ok(Message::Request(Request { method, uri, headers: self.headers, body }))
            }
            Ok(Start::Response { status, reason }) => {
                Ok(Message::Response(Response { status, reason, headers: self.headers, body }))
            }
            Err(_) => Err(self.reject(ErrorKind::Empty, 0)),
        }
    }

    /// That error, and the reply to it. An error of the start line goes before it: a request of
    /// another version is answered so whatever else is wrong with it.
    pub(crate) fn reject(self, kind: ErrorKind, offset: usize) -> Rejected {
        let error = match self.start {
            Err(start) => ParseError { kind: start, offset: 0 },
            Ok(_) => ParseError { kind, offset },
        };
        let reply = self
            .method
            .filter(|method| *method != Method::Ack)
            .and_then(|method| reply(&self.headers, &method, &error.kind));
        Rejected { error, reply: reply.map(Box::new) }
    }

    /// The header fields without which nobody can work (RFC 3261 §8.1.1), and those whose
    /// malformed values RFC 4475 §3.1.2 wants answered 400.
    fn check(&self) -> Result<CSeq, ParseError> {
        self.once::<From_>()?;
        self.once::<To>()?;
        self.once::<CallId>()?;
        let cseq = self.once::<CSeq>()?;
        self.at_most_once::<MaxForwards>()?;
        if self.each::<Via>()? == 0 {
            return Err(ParseError { kind: ErrorKind::Missing(HeaderName::Via), offset: 0 });
        }
        if self.method.is_some() {
            // Only in requests: dropping a response would be worse than what its Contact may do.
            self.each::<Contact>()?;
        }
        Ok(cseq)
    }

    fn once<T: TypedHeader>(&self) -> Result<T, ParseError> {
        let found = self.at_most_once::<T>()?;
        found.ok_or(ParseError { kind: ErrorKind::Missing(T::NAME), offset: 0 })
    }

    fn at_most_once<T: TypedHeader>(&self) -> Result<Option<T>, ParseError> {
        let name = T::NAME;
        let mut fields = self.headers.get_all(&name);
        let Some(value) = fields.next() else { return Ok(None) };
        if let Some(second) = fields.next() {
            let offset = self.offset(second);
            return Err(ParseError { kind: ErrorKind::Repeated(T::NAME), offset });
        }
        self.value::<T>(value, &value.to_text()).map(Some)
    }

    fn each<T: TypedHeader>(&self) -> Result<usize, ParseError> {
        let mut count = 0;
        for value in self.headers.get_all(&T::NAME) {
            for element in split_list(&value.to_text()) {
                self.value::<T>(value, element)?;
                count += 1;
                if count > MAX_VALUES {
                    let kind = ErrorKind::TooManyValues(T::NAME);
                    return Err(ParseError { kind, offset: self.offset(value) });
                }
            }
        }
        Ok(count)
    }

    fn value<T: TypedHeader>(&self, value: &HeaderValue, text: &str) -> Result<T, ParseError> {
        T::parse_value(text)
            .map_err(|e| ParseError { kind: ErrorKind::Header(e), offset: self.offset(value) })
    }
}

/// A response with what could be read (RFC 3261 §8.2.6.2). `None` without any Via: nobody could
/// tell what it answers.
fn reply(headers: &Headers, method: &Method, fault: &ErrorKind) -> Option<Response> {
    headers.get(&HeaderName::Via)?;
    let status = fault.status(method);
    // §21.4.1: a 400 says in its phrase what is wrong.
    let phrase = (status == StatusCode::BAD_REQUEST).then(|| format!("Bad Request: {fault}"));
    let mut response = Response::new(status, phrase.as_deref());
    for header in headers.iter().filter(|h| h.name == HeaderName::Via) {
        response.headers.0.push(header.clone());
    }
    for name in [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq] {
        if let Some(value) = headers.get(&name) {
            response.headers.push(name, value.clone());
        }
    }
    response.ensure_to_tag(&stateless_tag(headers));
    Some(response)
}

/// The same tag for the same request, retransmitted or not (RFC 3261 §8.2.7): FNV-1a over what
/// tells transactions apart.
fn stateless_tag(headers: &Headers) -> String {
    let names = [HeaderName::Via, HeaderName::From, HeaderName::CallId, HeaderName::CSeq];
    let octets = names.iter().filter_map(|n| headers.get(n)).flat_map(HeaderValue::as_bytes);
    let hash = octets.fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| {
        (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}
