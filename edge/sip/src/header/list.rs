//! Lists of tokens: methods, option tags, event packages.

use std::fmt;

use super::{HeaderError, HeaderName, HeaderValue, Problem, TypedHeader};
use crate::message::Method;
use crate::params::{is_token, split_list};

fn tokens(text: &str, into: &mut Vec<Box<str>>) -> Result<(), Problem> {
    // Empty elements are no error here: `Supported:` may be empty (RFC 3261 §20.37) and a comma
    // too many is common.
    for token in split_list(text).filter(|t| !t.is_empty()) {
        if !token.bytes().all(is_token) {
            return Err(Problem::Syntax("token"));
        }
        into.push(token.into());
    }
    Ok(())
}

macro_rules! token_list {
    ($($(#[$doc:meta])* $type:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $type(pub Vec<Box<str>>);

        impl $type {
            /// Of these tokens.
            pub fn new<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Self {
                Self(tokens.into_iter().map(Box::from).collect())
            }

            /// Whether the token is among them, compared without case.
            pub fn has(&self, token: &str) -> bool {
                self.0.iter().any(|t| t.eq_ignore_ascii_case(token))
            }

            /// All in order.
            pub fn iter(&self) -> impl Iterator<Item = &str> {
                self.0.iter().map(|t| &**t)
            }
        }

        impl TypedHeader for $type {
            const NAME: HeaderName = HeaderName::$type;

            fn parse_value(text: &str) -> Result<Self, HeaderError> {
                let mut list = Vec::new();
                tokens(text, &mut list).map_err(|p| p.of(Self::NAME))?;
                Ok(Self(list))
            }

            fn of_fields(
                fields: &mut dyn Iterator<Item = &HeaderValue>,
            ) -> Result<Option<Self>, HeaderError> {
                let mut found = None;
                for field in fields {
                    let list: &mut Self = found.get_or_insert_default();
                    tokens(&field.to_text(), &mut list.0).map_err(|p| p.of(Self::NAME))?;
                }
                Ok(found)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for (i, token) in self.0.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    f.write_str(token)?;
                }
                Ok(())
            }
        }
    )+};
}

token_list! {
    /// Methods (RFC 3261 §20.5).
    Allow;
    /// Option tags (RFC 3261 §20.37).
    Supported;
    /// Option tags (RFC 3261 §20.32).
    Require;
    /// Option tags (RFC 3261 §20.29).
    ProxyRequire;
    /// Option tags (RFC 3261 §20.40).
    Unsupported;
    /// Event packages (RFC 6665 §8.2.2).
    AllowEvents;
}

impl Allow {
    /// Whether a method is among them; methods are compared with case (RFC 3261 §7.1).
    pub fn has_method(&self, method: &Method) -> bool {
        self.0.iter().any(|m| **m == *method.as_str())
    }
}
