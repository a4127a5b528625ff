//! Challenges and credentials (RFC 3261 §20.7, §20.27, §20.28, §20.44; RFC 7616). Only their
//! grammar: what they mean is `digest`'s.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::{HeaderError, HeaderName, Problem, TypedHeader};
use crate::params::{header_param, token_len, trim, trim_start};
use crate::uri::Params;

fn auth_params(text: &str) -> Result<Params, Problem> {
    let mut params = Params::new();
    let mut rest = trim(text);
    while !rest.is_empty() {
        // Empty elements are allowed in a list (RFC 9110 §5.6.1), and seen.
        if let Some(after) = rest.strip_prefix(',') {
            rest = trim_start(after);
            continue;
        }
        let (name, value, tail) = header_param(rest)?;
        let value = value.ok_or(Problem::Syntax("auth-param"))?;
        params.append(name, Some(value))?;
        rest = trim_start(tail);
        if !rest.is_empty() && !rest.starts_with(',') {
            return Err(Problem::Syntax("comma between auth-params"));
        }
    }
    Ok(params)
}

fn write_params(params: &Params, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (i, (name, value)) in params.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { ", " })?;
        write!(f, "{name}={}", value.unwrap_or(""))?;
    }
    Ok(())
}

macro_rules! scheme_and_params {
    ($($(#[$doc:meta])* $type:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $type {
            /// `Digest`, …
            pub scheme: Box<str>,
            /// The parameters, values as written (quotes kept).
            pub params: Params,
        }

        impl $type {
            /// Without parameters.
            pub fn new(scheme: &str) -> Self {
                Self { scheme: scheme.into(), params: Params::new() }
            }

            /// A parameter without its quotes.
            pub fn param(&self, name: &str) -> Option<Cow<'_, str>> {
                self.params.unquoted(name)
            }

            /// Compares the scheme without case.
            pub fn is(&self, scheme: &str) -> bool {
                self.scheme.eq_ignore_ascii_case(scheme)
            }
        }

        impl FromStr for $type {
            type Err = Problem;

            fn from_str(text: &str) -> Result<Self, Problem> {
                let text = trim(text);
                let (scheme, params) = text.split_at(token_len(text));
                if scheme.is_empty() {
                    return Err(Problem::Syntax("scheme"));
                }
                Ok(Self { scheme: scheme.into(), params: auth_params(params)? })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} ", self.scheme)?;
                write_params(&self.params, f)
            }
        }
    )+};
}

scheme_and_params! {
    /// A challenge of a server.
    Challenge;
    /// The answer to one.
    Credentials;
}

macro_rules! auth_header {
    ($($(#[$doc:meta])* $type:ident $inner:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $type(pub $inner);

        // No list: their values hold commas themselves (RFC 3261 §7.3.1).
        impl TypedHeader for $type {
            const NAME: HeaderName = HeaderName::$type;

            fn parse_value(text: &str) -> Result<Self, HeaderError> {
                text.parse().map(Self).map_err(|p: Problem| p.of(Self::NAME))
            }
        }

        impl From<$inner> for $type {
            fn from(inner: $inner) -> Self {
                Self(inner)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

auth_header! {
    /// In a 401 (RFC 3261 §20.44).
    WwwAuthenticate Challenge;
    /// In a 407 (RFC 3261 §20.27).
    ProxyAuthenticate Challenge;
    /// Answer to a 401 (RFC 3261 §20.7).
    Authorization Credentials;
    /// Answer to a 407 (RFC 3261 §20.28).
    ProxyAuthorization Credentials;
}

/// Authentication-Info (RFC 3261 §20.6): `nextnonce`, `rspauth`, …
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthenticationInfo(pub Params);

impl TypedHeader for AuthenticationInfo {
    const NAME: HeaderName = HeaderName::AuthenticationInfo;

    fn parse_value(text: &str) -> Result<Self, HeaderError> {
        auth_params(text).map(Self).map_err(|p| p.of(Self::NAME))
    }
}

impl fmt::Display for AuthenticationInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_params(&self.0, f)
    }
}
