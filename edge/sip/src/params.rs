//! `;name=value` parameters of URIs and header fields, and the little grammar they share.

use std::borrow::Cow;
use std::fmt;

/// `;name=value` parameters in order, names compared without case, text kept as written (a quoted
/// value keeps its quotes: see [`Params::unquoted`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Params(List);

/// More parameters than any honest value has; lookups are linear.
pub const MAX_PARAMS: usize = 64;

/// Why parameters could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// Nothing between two semicolons, or a name that is no token.
    #[error("empty or malformed parameter")]
    Name,
    /// A quoted string without its end.
    #[error("quoted string without end")]
    Quote,
    /// Text where a semicolon belongs.
    #[error("unexpected text between parameters")]
    Trailing,
    /// An URI parameter with a character that must be escaped.
    #[error("character that must be escaped")]
    Char,
    /// More than [`MAX_PARAMS`].
    #[error("too many parameters")]
    TooMany,
}

impl Params {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// `None`: absent. `Some(None)`: present without a value.
    pub fn get(&self, name: &str) -> Option<Option<&str>> {
        let (_, value) = self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
        Some(value.as_deref())
    }

    /// The value of a parameter that is present and has one, as written.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.get(name).flatten()
    }

    /// The value without its quotes and backslashes, if it has any.
    pub fn unquoted(&self, name: &str) -> Option<Cow<'_, str>> {
        self.value(name).map(unquote)
    }

    /// Whether the parameter is there, with a value or without.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets or replaces a parameter. The value is written as it is.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(Box::from);
        match self.0.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some((_, v)) => *v = value,
            None => self.0.push((name.into(), value)),
        }
    }

    /// Sets or replaces a parameter with a value in quotes.
    pub fn set_quoted(&mut self, name: &str, text: &str) {
        self.set(name, Some(&quote(text)));
    }

    /// Takes a parameter out.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// Appends one, whether the name is there already or not.
    pub(crate) fn append(&mut self, name: &str, value: Option<&str>) -> Result<(), ParamError> {
        push(&mut self.0, name, value)
    }

    /// All in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(n, v)| (&**n, v.as_deref()))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Header parameters (`generic-param`, RFC 3261 §25.1): `text` is empty or begins with `;`.
    /// White space may stand around `;` and `=`.
    pub(crate) fn of_header(text: &str) -> Result<Self, ParamError> {
        let mut list = Vec::new();
        let mut rest = trim(text);
        while let Some(after) = rest.strip_prefix(';') {
            let (name, value, tail) = header_param(trim_start(after))?;
            push(&mut list, name, value)?;
            rest = trim_start(tail);
        }
        if rest.is_empty() { Ok(Self(list)) } else { Err(ParamError::Trailing) }
    }

    /// URI parameters (`uri-parameters`, RFC 3261 §25.1): `text` is what follows the first `;`.
    pub(crate) fn of_uri(text: &str) -> Result<Self, ParamError> {
        let mut list = Vec::new();
        for param in text.split(';') {
            let (name, value) = match param.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (param, None),
            };
            if name.is_empty() {
                return Err(ParamError::Name);
            }
            if !param.bytes().all(is_uri_text) || param.contains(['@', ',']) {
                return Err(ParamError::Char);
            }
            push(&mut list, name, value)?;
        }
        Ok(Self(list))
    }
}

type List = Vec<(Box<str>, Option<Box<str>>)>;

fn push(list: &mut List, name: &str, value: Option<&str>) -> Result<(), ParamError> {
    if list.len() >= MAX_PARAMS {
        return Err(ParamError::TooMany);
    }
    list.push((name.into(), value.map(Box::from)));
    Ok(())
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
        }
        Ok(())
    }
}

/// One `name [= value]` at the start of `text`; gives what follows as third.
pub(crate) fn header_param(text: &str) -> Result<(&str, Option<&str>, &str), ParamError> {
    let (name, rest) = text.split_at(token_len(text));
    if name.is_empty() {
        return Err(ParamError::Name);
    }
    let Some(after) = trim_start(rest).strip_prefix('=') else {
        return Ok((name, None, rest));
    };
    let after = trim_start(after);
    let len = if after.starts_with('"') {
        quoted_len(after).ok_or(ParamError::Quote)?
    } else {
        // Wider than token and host, so that what peers put there unquoted survives.
        after.find([' ', '\t', ';', ',', '"']).unwrap_or(after.len())
    };
    let (value, tail) = after.split_at(len);
    Ok((name, Some(value), tail))
}

/// Length of the token (RFC 3261 §25.1) at the start of `text`.
pub(crate) fn token_len(text: &str) -> usize {
    text.bytes().position(|b| !is_token(b)).unwrap_or(text.len())
}

/// Whether `b` may stand in a token (RFC 3261 §25.1).
pub(crate) const fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// Whether `b` may stand somewhere in a URI. Wider than the grammar by what phones really dial
/// (`#`, UTF-8), but never white space, controls, quotes or angle brackets.
pub(crate) const fn is_uri_text(b: u8) -> bool {
    b > b' '
        && b != 0x7f
        && !matches!(b, b'<' | b'>' | b'"' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
}

/// Length of the quoted string at the start of `text`, both quotes included.
pub(crate) fn quoted_len(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (i, b) in text.bytes().enumerate().skip(1) {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(i + 1),
            _ => {}
        }
    }
    None
}

/// The text of a quoted string; what is not quoted comes back as it is.
pub fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return Cow::Borrowed(text);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    Cow::Owned(out)
}

/// `text` as a quoted string (RFC 3261 §25.1). Line breaks become spaces: they cannot be escaped.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\r' | '\n' => out.push(' '),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Without linear white space at both ends.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Without linear white space at the start.
pub(crate) fn trim_start(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// The elements of a comma list, trimmed; commas in quotes and angle brackets do not count.
pub(crate) fn split_list(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let cut = list_cut(text);
        rest = cut.and_then(|at| text.get(at + 1..));
        Some(trim(text.get(..cut.unwrap_or(text.len())).unwrap_or(text)))
    })
}

fn list_cut(text: &str) -> Option<usize> {
    let (mut quoted, mut angle, mut escaped) = (false, false, false);
    for (i, b) in text.bytes().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !angle => quoted = !quoted,
            b'<' if !quoted => angle = true,
            b'>' if !quoted => angle = false,
            b',' if !quoted && !angle => return Some(i),
            _ => {}
        }
    }
    None
}
