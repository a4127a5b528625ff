//! Headers that hold a name and an address (`name-addr` or `addr-spec`, RFC 3261 §20.10).

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::str::FromStr;

use super::{HeaderError, HeaderName, Problem, TypedHeader};
use crate::params::{quote, quoted_len, trim, trim_start, unquote};
use crate::uri::{Params, Uri};

/// `"display" <uri>;params`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name without quotes and escapes; `None` when absent or empty.
    pub display: Option<Box<str>>,
    /// The address.
    pub uri: Uri,
    /// Header parameters (`tag`, `expires`, …), not those of the URI.
    pub params: Params,
}

impl NameAddr {
    /// Only an address.
    pub fn new(uri: impl Into<Uri>) -> Self {
        Self { display: None, uri: uri.into(), params: Params::new() }
    }

    /// With a display name.
    #[must_use]
    pub fn with_display(mut self, display: &str) -> Self {
        self.display = (!display.is_empty()).then(|| display.into());
        self
    }

    /// With a parameter.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Self {
        self.params.set(name, value);
        self
    }

    /// With a tag.
    #[must_use]
    pub fn with_tag(self, tag: &str) -> Self {
        self.with_param("tag", Some(tag))
    }

    /// The tag, when there is one that is not empty.
    pub fn tag(&self) -> Option<&str> {
        self.params.value("tag").filter(|t| !t.is_empty())
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let text = trim(text);
        if text.is_empty() {
            return Err(Problem::Empty);
        }
        let (display, rest) = split_display(text)?;
        match rest.strip_prefix('<') {
            Some(after) => {
                let (uri, params) = after.split_once('>').ok_or(Problem::Angle)?;
                // Spaces inside the brackets: RFC 4475 §3.1.2.14 lets us ignore them.
                Self::of_parts(display, trim(uri), params)
            }
            None => Self::of_spec(rest),
        }
    }

    /// Without brackets what follows the first `;` belongs to the header, and a URI with `?` or
    /// `,` must not stand so (RFC 3261 §20, RFC 4475 §3.1.2.13).
    fn of_spec(text: &str) -> Result<Self, Problem> {
        let (uri, params) = text.split_at(text.find([';', ' ', '\t']).unwrap_or(text.len()));
        if uri.contains(',') {
            return Err(Problem::Several);
        }
        if uri.contains('?') {
            return Err(Problem::Angle);
        }
        Self::of_parts(None, uri, params)
    }

    fn of_parts(display: Option<Box<str>>, uri: &str, params: &str) -> Result<Self, Problem> {
        let params = trim(params);
        if params.starts_with(',') {
            return Err(Problem::Several);
        }
        Ok(Self { display, uri: Uri::from_str(uri)?, params: Params::of_header(params)? })
    }
}

/// The display name, and the rest from `<` on. Without `<`: no name, all of the text.
fn split_display(text: &str) -> Result<(Option<Box<str>>, &str), Problem> {
    let own = |name: &str| (!name.is_empty()).then(|| name.into());
    if text.starts_with('"') {
        let (name, rest) = text.split_at(quoted_len(text).ok_or(Problem::Quote)?);
        let rest = trim_start(rest);
        if !rest.starts_with('<') {
            return Err(Problem::Angle);
        }
        return Ok((own(&unquote(name)), rest));
    }
    let Some(at) = text.find('<') else { return Ok((None, text)) };
    let (name, rest) = text.split_at(at);
    // Names with dots, parentheses or umlauts and without quotes are seen in the wild and do no
    // harm; these characters would make it ambiguous.
    if name.contains('"') {
        return Err(Problem::Quote);
    }
    if name.contains(',') {
        return Err(Problem::Several);
    }
    if name.contains([';', '>', '@']) {
        return Err(Problem::Angle);
    }
    Ok((own(trim(name)), rest))
}

impl FromStr for NameAddr {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::parse(text)
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(f, "{} ", quote(display))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

macro_rules! name_addr {
    ($($(#[$doc:meta])* $type:ident $name:ident $list:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $type(pub NameAddr);

        impl TypedHeader for $type {
            const NAME: HeaderName = HeaderName::$name;
            const LIST: bool = $list;

            fn parse_value(text: &str) -> Result<Self, HeaderError> {
                NameAddr::parse(text).map(Self).map_err(|p| p.of(Self::NAME))
            }
        }

        impl Deref for $type {
            type Target = NameAddr;

            fn deref(&self) -> &NameAddr {
                &self.0
            }
        }

        impl DerefMut for $type {
            fn deref_mut(&mut self) -> &mut NameAddr {
                &mut self.0
            }
        }

        impl From<NameAddr> for $type {
            fn from(addr: NameAddr) -> Self {
                Self(addr)
            }
        }

        impl From<Uri> for $type {
            fn from(uri: Uri) -> Self {
                Self(NameAddr::new(uri))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

name_addr! {
    /// From (RFC 3261 §20.20).
    From_ From false;
    /// To (RFC 3261 §20.39).
    To To false;
    /// Route (RFC 3261 §20.34).
    Route Route true;
    /// Record-Route (RFC 3261 §20.30).
    RecordRoute RecordRoute true;
    /// Refer-To (RFC 3515 §2.1).
    ReferTo ReferTo false;
    /// Referred-By (RFC 3892).
    ReferredBy ReferredBy false;
    /// P-Asserted-Identity (RFC 3325 §9.1).
    PAssertedIdentity PAssertedIdentity true;
    /// P-Preferred-Identity (RFC 3325 §9.2).
    PPreferredIdentity PPreferredIdentity true;
    /// Diversion (RFC 5806).
    Diversion Diversion true;
    /// Path (RFC 3327).
    Path Path true;
    /// Service-Route (RFC 3608).
    ServiceRoute ServiceRoute true;
}

/// Contact (RFC 3261 §20.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    /// `*`: all bindings (RFC 3261 §10.2.2).
    Star,
    /// An address.
    Addr(NameAddr),
}

impl Contact {
    /// The address, unless it is `*`.
    pub fn addr(&self) -> Option<&NameAddr> {
        match self {
            Self::Star => None,
            Self::Addr(addr) => Some(addr),
        }
    }

    /// The URI, unless it is `*`.
    pub fn uri(&self) -> Option<&Uri> {
        self.addr().map(|a| &a.uri)
    }

    /// The `expires` parameter in seconds. Too large a number is 2^32-1, a malformed value 3600
    /// (RFC 3261 §20.10).
    pub fn expires(&self) -> Option<u32> {
        let text = self.addr()?.params.unquoted("expires")?;
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        Some(if digits { text.parse().unwrap_or(u32::MAX) } else { 3600 })
    }

    /// The `q` parameter in thousandths, 0 to 1000; 1000 when absent or malformed.
    pub fn q(&self) -> u16 {
        let q = || {
            let text = self.addr()?.params.unquoted("q")?;
            let (whole, part) = text.split_once('.').unwrap_or((&*text, ""));
            let digits = part.bytes().all(|b| b.is_ascii_digit());
            // Three digits by the grammar; further ones say nothing.
            let part: u16 = digits.then(|| format!("{part:0<3}").get(..3)?.parse().ok())??;
            match whole {
                "0" => Some(part),
                "1" if part == 0 => Some(1000),
                _ => None,
            }
        };
        q().unwrap_or(1000)
    }
}

impl From<NameAddr> for Contact {
    fn from(addr: NameAddr) -> Self {
        Self::Addr(addr)
    }
}

impl From<Uri> for Contact {
    fn from(uri: Uri) -> Self {
        Self::Addr(NameAddr::new(uri))
    }
}

impl TypedHeader for Contact {
    const NAME: HeaderName = HeaderName::Contact;
    const LIST: bool = true;

    fn parse_value(text: &str) -> Result<Self, HeaderError> {
        if trim(text) == "*" {
            return Ok(Self::Star);
        }
        NameAddr::parse(text).map(Self::Addr).map_err(|p| p.of(Self::NAME))
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Star => f.write_str("*"),
            Self::Addr(addr) => addr.fmt(f),
        }
    }
}
