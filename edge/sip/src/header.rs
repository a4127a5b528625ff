//! Header fields: names, raw values, and the typed ones.

use bytes::Bytes;

/// A header field name. Known names are compared as variants (compact forms included); unknown
/// ones are kept as written and compared without case (RFC 3261 §7.3.1).
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum HeaderName {
    Via,
    From,
    To,
    CallId,
    CSeq,
    MaxForwards,
    Contact,
    Route,
    RecordRoute,
    ContentType,
    ContentLength,
    Expires,
    MinExpires,
    Allow,
    Supported,
    Require,
    ProxyRequire,
    Unsupported,
    Accept,
    UserAgent,
    Server,
    Authorization,
    ProxyAuthorization,
    WwwAuthenticate,
    ProxyAuthenticate,
    AuthenticationInfo,
    RetryAfter,
    Warning,
    Reason,
    SessionExpires,
    MinSe,
    RSeq,
    RAck,
    Event,
    SubscriptionState,
    AllowEvents,
    ReferTo,
    ReferredBy,
    Replaces,
    PAssertedIdentity,
    PPreferredIdentity,
    Privacy,
    Diversion,
    UserToUser,
    Path,
    ServiceRoute,
    AlertInfo,
    CallInfo,
    Subject,
    Date,
    Timestamp,
    /// Any other, as written.
    Other(Box<str>),
}

/// A raw value: the octets between the colon (white space trimmed) and the final CRLF, folds and
/// stray Latin-1 included, so that what we do not understand goes on byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderValue(pub(crate) Bytes);

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
