//! Header fields: names, raw values, and the typed ones.
//!
//! One file per family of typed headers; all are re-exported here.

mod addr;
mod auth;
mod core;
mod dialog;
mod event;
mod list;
mod name;
mod number;
mod value;
mod via;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

pub use self::addr::{
    Contact, Diversion, From_, NameAddr, PAssertedIdentity, PPreferredIdentity, Path, RecordRoute,
    ReferTo, ReferredBy, Route, ServiceRoute, To,
};
pub use self::auth::{
    AuthenticationInfo, Authorization, Challenge, Credentials, ProxyAuthenticate,
    ProxyAuthorization, WwwAuthenticate,
};
pub use self::core::{CSeq, CallId, ContentType, Reason, Warning};
pub use self::dialog::{MinSe, RAck, RSeq, Refresher, Replaces, SessionExpires};
pub use self::event::{Event, SubState, SubscriptionState};
pub use self::list::{Allow, AllowEvents, ProxyRequire, Require, Supported, Unsupported};
pub use self::name::HeaderName;
pub use self::number::{Expires, MaxForwards, MinExpires, RetryAfter};
pub use self::value::HeaderValue;
pub use self::via::{Via, ViaTransport};
pub use crate::params::{quote, unquote};

use crate::params::{ParamError, split_list};
use crate::uri::UriError;

/// A header field value that does not follow its grammar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct HeaderError {
    /// Which header field.
    pub name: HeaderName,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What may be wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing there.
    #[error("empty value")]
    Empty,
    /// A quoted string without its end, or a quote where none may be.
    #[error("unbalanced quotes")]
    Quote,
    /// `<` without `>`, or the other way round.
    #[error("unbalanced angle brackets")]
    Angle,
    /// No number, or one that is too large.
    #[error("malformed number, or out of range")]
    Number,
    /// Several values where one is allowed.
    #[error("several values where one is allowed")]
    Several,
    /// A parameter that must be there is not.
    #[error("missing parameter {0}")]
    MissingParam(&'static str),
    /// The URI.
    #[error("URI: {0}")]
    Uri(UriError),
    /// The parameters.
    #[error("parameters: {0}")]
    Param(ParamError),
    /// Anything else.
    #[error("malformed: {0}")]
    Syntax(&'static str),
}

impl Problem {
    /// As the problem of that header field.
    pub fn of(self, name: HeaderName) -> HeaderError {
        HeaderError { name, problem: self }
    }
}

impl From<UriError> for Problem {
    fn from(error: UriError) -> Self {
        Self::Uri(error)
    }
}

impl From<ParamError> for Problem {
    fn from(error: ParamError) -> Self {
        match error {
            ParamError::Quote => Self::Quote,
            other => Self::Param(other),
        }
    }
}

/// A header field whose value has a type. `Display` prints the value alone.
pub trait TypedHeader: Sized + fmt::Display {
    /// Its name.
    const NAME: HeaderName;
    /// Whether one field may hold several values separated by commas (RFC 3261 §7.3.1).
    const LIST: bool = false;

    /// Reads one value, unfolded. Errors: the value does not follow its grammar.
    fn parse_value(text: &str) -> Result<Self, HeaderError>;

    /// Makes one of all fields of that name. The first value, unless the type is itself a list.
    /// Errors: the value looked at does not follow its grammar.
    fn of_fields(
        fields: &mut dyn Iterator<Item = &HeaderValue>,
    ) -> Result<Option<Self>, HeaderError> {
        let Some(field) = fields.next() else { return Ok(None) };
        let text = field.to_text();
        let first = if Self::LIST { split_list(&text).next().unwrap_or("") } else { &text };
        Self::parse_value(first).map(Some)
    }
}

/// One header field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: HeaderName,
    /// Its raw value.
    pub value: HeaderValue,
}

/// Header fields in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(pub(crate) Vec<Header>);

impl Headers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a field.
    pub fn push(&mut self, name: HeaderName, value: impl Into<HeaderValue>) {
        self.0.push(Header { name, value: value.into() });
    }

    /// Puts a field before all others (a Via, a Route).
    pub fn push_front(&mut self, name: HeaderName, value: impl Into<HeaderValue>) {
        self.0.insert(0, Header { name, value: value.into() });
    }

    /// Replaces all fields of that name by one, at the place of the first; appends when there is
    /// none.
    pub fn set(&mut self, name: HeaderName, value: impl Into<HeaderValue>) {
        let value = value.into();
        let Some(at) = self.0.iter().position(|h| h.name == name) else {
            return self.push(name, value);
        };
        let mut index = 0;
        self.0.retain(|h| {
            index += 1;
            index <= at + 1 || h.name != name
        });
        if let Some(header) = self.0.get_mut(at) {
            header.value = value;
        }
    }

    /// Same as [`Headers::set`].
    pub fn insert(&mut self, name: HeaderName, value: impl Into<HeaderValue>) {
        self.set(name, value);
    }

    /// Takes out all fields of that name. Tells whether there were any.
    pub fn remove(&mut self, name: &HeaderName) -> bool {
        let before = self.0.len();
        self.0.retain(|h| h.name != *name);
        before != self.0.len()
    }

    /// Takes out the first field of that name.
    pub fn remove_first(&mut self, name: &HeaderName) -> Option<HeaderValue> {
        let at = self.0.iter().position(|h| h.name == *name)?;
        Some(self.0.remove(at).value)
    }

    /// The first field of that name.
    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.0.iter().find(|h| h.name == *name).map(|h| &h.value)
    }

    /// All fields of that name in order.
    pub fn get_all<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a HeaderValue> {
        self.0.iter().filter(move |h| h.name == *name).map(|h| &h.value)
    }

    /// Whether there is a field of that name.
    pub fn has(&self, name: &HeaderName) -> bool {
        self.get(name).is_some()
    }

    /// All fields in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Header> {
        self.0.iter()
    }

    /// How many fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first field of that name as unfolded text.
    pub fn text(&self, name: &HeaderName) -> Option<Cow<'_, str>> {
        self.get(name).map(HeaderValue::to_text)
    }

    /// The first value of that type (for token lists: all of them). `None`: no such field.
    /// Errors: the value does not follow its grammar.
    pub fn typed<T: TypedHeader>(&self) -> Result<Option<T>, HeaderError> {
        T::of_fields(&mut self.get_all(&T::NAME))
    }

    /// All values of that type over all fields, comma lists split.
    /// Errors: one of them does not follow its grammar.
    pub fn typed_list<T: TypedHeader>(&self) -> Result<Vec<T>, HeaderError> {
        let mut list = Vec::new();
        for field in self.get_all(&T::NAME) {
            let text = field.to_text();
            if T::LIST {
                for value in split_list(&text) {
                    list.push(T::parse_value(value)?);
                }
            } else {
                list.push(T::parse_value(&text)?);
            }
        }
        Ok(list)
    }

    /// Appends a typed field.
    pub fn push_typed<T: TypedHeader>(&mut self, value: &T) {
        self.push(T::NAME, value.to_string());
    }

    /// Puts a typed field before all others.
    pub fn push_front_typed<T: TypedHeader>(&mut self, value: &T) {
        self.push_front(T::NAME, value.to_string());
    }

    /// Replaces all fields of that type by one.
    pub fn set_typed<T: TypedHeader>(&mut self, value: &T) {
        self.set(T::NAME, value.to_string());
    }

    /// Replaces the first *value* of a list header and keeps the rest, other values in the same
    /// field included (a Via that gets its `received`). Appends when there is none.
    pub fn set_first_typed<T: TypedHeader>(&mut self, value: &T) {
        let Some(header) = self.0.iter_mut().find(|h| h.name == T::NAME) else {
            return self.push_typed(value);
        };
        let text = header.value.to_text();
        let mut printed = value.to_string();
        if T::LIST {
            for rest in split_list(&text).skip(1) {
                printed.push_str(", ");
                printed.push_str(rest);
            }
        }
        header.value = printed.into();
    }

    /// Takes out the first *value* of a list header and keeps the rest (the Via of ours in a
    /// response, the Route that named us).
    pub fn remove_first_value(&mut self, name: &HeaderName) {
        let Some(at) = self.0.iter().position(|h| h.name == *name) else { return };
        let Some(header) = self.0.get_mut(at) else { return };
        let rest: Vec<String> =
            split_list(&header.value.to_text()).skip(1).map(String::from).collect();
        if rest.is_empty() {
            self.0.remove(at);
        } else {
            header.value = rest.join(", ").into();
        }
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a Header;
    type IntoIter = std::slice::Iter<'a, Header>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl IntoIterator for Headers {
    type Item = Header;
    type IntoIter = std::vec::IntoIter<Header>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Extend<Header> for Headers {
    fn extend<I: IntoIterator<Item = Header>>(&mut self, iter: I) {
        self.0.extend(iter);
    }
}

impl FromIterator<Header> for Headers {
    fn from_iter<I: IntoIterator<Item = Header>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}
