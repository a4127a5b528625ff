//! Headers of event notification (RFC 6665 §8.2).

use std::fmt;

use super::number::whole_u32;
use super::{HeaderError, HeaderName, Problem, TypedHeader};
use crate::params::{ParamError, token_len, trim};
use crate::uri::Params;

fn token_and_params(text: &str) -> Result<(&str, Params), Problem> {
    let text = trim(text);
    let (token, params) = text.split_at(token_len(text));
    if token.is_empty() {
        return Err(Problem::Syntax("token"));
    }
    Ok((token, Params::of_header(params).map_err(|p: ParamError| Problem::from(p))?))
}

/// Event (RFC 6665 §8.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `presence`, `dialog`, `message-summary`, `refer`, …
    pub package: Box<str>,
    /// The `id` parameter.
    pub id: Option<Box<str>>,
    /// All other parameters.
    pub params: Params,
}

impl Event {
    /// A package without parameters.
    pub fn new(package: &str) -> Self {
        Self { package: package.into(), id: None, params: Params::new() }
    }
}

impl TypedHeader for Event {
    const NAME: HeaderName = HeaderName::Event;

    fn parse_value(text: &str) -> Result<Self, HeaderError> {
        let (package, mut params) = token_and_params(text).map_err(|p| p.of(Self::NAME))?;
        let id = params.value("id").map(Box::from);
        params.remove("id");
        Ok(Self { package: package.into(), id, params })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.package)?;
        if let Some(id) = &self.id {
            write!(f, ";id={id}")?;
        }
        self.params.fmt(f)
    }
}

/// State of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubState {
    /// Accepted.
    Active,
    /// Not yet authorized.
    Pending,
    /// Ended.
    Terminated,
    /// Any other, as written.
    Other(Box<str>),
}

impl SubState {
    /// As written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Terminated => "terminated",
            Self::Other(text) => text,
        }
    }
}

/// Subscription-State (RFC 6665 §8.2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionState {
    /// The state.
    pub state: SubState,
    /// Seconds left.
    pub expires: Option<u32>,
    /// Why it ended (`timeout`, `noresource`, …).
    pub reason: Option<Box<str>>,
    /// Seconds after which to try again.
    pub retry_after: Option<u32>,
}

impl SubscriptionState {
    /// `active;expires=N`.
    pub fn active(expires: u32) -> Self {
        Self { state: SubState::Active, expires: Some(expires), reason: None, retry_after: None }
    }

    /// `terminated;reason=…`.
    pub fn terminated(reason: &str) -> Self {
        let reason = Some(reason.into());
        Self { state: SubState::Terminated, expires: None, reason, retry_after: None }
    }
}

impl TypedHeader for SubscriptionState {
    const NAME: HeaderName = HeaderName::SubscriptionState;

    fn parse_value(text: &str) -> Result<Self, HeaderError> {
        let (state, params) = token_and_params(text).map_err(|p| p.of(Self::NAME))?;
        let known = [SubState::Active, SubState::Pending, SubState::Terminated];
        let state = known
            .into_iter()
            .find(|s| s.as_str().eq_ignore_ascii_case(state))
            .unwrap_or_else(|| SubState::Other(state.into()));
        let seconds =
            |name| params.value(name).map(whole_u32).transpose().map_err(|p| p.of(Self::NAME));
        Ok(Self {
            state,
            expires: seconds("expires")?,
            reason: params.value("reason").map(Box::from),
            retry_after: seconds("retry-after")?,
        })
    }
}

impl fmt::Display for SubscriptionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.state.as_str())?;
        if let Some(expires) = self.expires {
            write!(f, ";expires={expires}")?;
        }
        if let Some(reason) = &self.reason {
            write!(f, ";reason={reason}")?;
        }
        if let Some(seconds) = self.retry_after {
            write!(f, ";retry-after={seconds}")?;
        }
        Ok(())
    }
}
