//! Session descriptions (RFC 8866): a tolerant reader and a faithful printer.
//!
//! A description is kept as the lines it was made of, in their order; only the `m=` lines are taken
//! apart at once, because they divide the text. Everything else is read on demand, so a line nobody
//! understands survives from [`SessionDescription::parse`] to `Display`, and a fault in a line that
//! nobody needs hurts nobody.

mod direction;
mod media;
#[cfg(test)]
#[path = "tests/real_life.rs"]
pub(crate) mod real_life;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;

pub use direction::Direction;
pub use media::{Media, RtcpAddress, RtpMap};

/// The largest description that is read, in bytes. WebRTC offers reach 20 kB; nothing honest is larger.
pub const MAX_BYTES: usize = 64 * 1024;
/// The most lines that are read.
pub const MAX_LINES: usize = 1024;
/// The most `m=` lines that are read.
pub const MAX_MEDIA: usize = 32;
/// The most formats of one `m=` line that are kept; there are 128 payload types.
pub const MAX_FORMATS: usize = 128;

/// Why a body is no session description that could be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Nothing in it.
    #[error("the session description is empty")]
    Empty,
    /// More bytes than [`MAX_BYTES`].
    #[error("the session description has {0} bytes, more than {MAX_BYTES}")]
    TooLarge(usize),
    /// More lines than [`MAX_LINES`].
    #[error("the session description has more than {MAX_LINES} lines")]
    TooManyLines,
    /// More streams than [`MAX_MEDIA`].
    #[error("the session description has more than {MAX_MEDIA} streams")]
    TooManyMedia,
    /// Not one line of the form `letter=value` that belongs to SDP.
    #[error("the body is no session description")]
    NotSdp,
    /// An `m=` line without media, port, transport and format.
    #[error("line {line}: malformed m= line")]
    MediaLine {
        /// Counted from 1.
        line: usize,
    },
}

/// One line `letter=value`. `Debug` hides the keys of `a=crypto`; `Display` is for the peer.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    /// The type letter.
    pub letter: char,
    /// What follows the equals sign, without line end.
    pub value: String,
}

impl Line {
    /// A line; line ends inside `value` are cut off, for one line must not become two.
    #[must_use]
    pub fn new(letter: char, value: impl Into<String>) -> Self {
        let mut value: String = value.into();
        if let Some(end) = value.find(['\r', '\n']) {
            value.truncate(end);
        }
        Self { letter, value }
    }

    fn is_crypto(&self) -> bool {
        self.attribute().is_some_and(|(name, _)| name.eq_ignore_ascii_case("crypto"))
    }

    /// `a=name:value` gives `(name, Some(value))`, `a=name` gives `(name, None)`, others nothing.
    #[must_use]
    pub fn attribute(&self) -> Option<(&str, Option<&str>)> {
        (self.letter == 'a').then(|| match self.value.split_once(':') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (self.value.trim(), None),
        })
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Wherever the word stands: a mangled line may hold a key just as well.
        if self.value.to_ascii_lowercase().contains("inline:") || self.is_crypto() {
            write!(f, "{}=crypto:<hidden>", self.letter)
        } else {
            write!(f, "{}={:?}", self.letter, self.value)
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}\r\n", self.letter, self.value)
    }
}

/// `o=` of RFC 8866 §5.2. The numbers stay text: some devices write words or 20-digit numbers there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin<'a> {
    /// User name, `-` for none.
    pub username: &'a str,
    /// Session id.
    pub session_id: &'a str,
    /// Version, to be raised with each change.
    pub version: &'a str,
    /// Address of the originator, without net and address type.
    pub address: &'a str,
}

/// `c=` of RFC 8866 §5.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection<'a> {
    /// The address as written, without TTL and count (`/127`).
    pub address: &'a str,
}

impl<'a> Connection<'a> {
    fn parse(value: &'a str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let (_net, _family, address) = (words.next()?, words.next()?, words.next()?);
        let address = address.split('/').next().filter(|a| !a.is_empty())?;
        Some(Self { address })
    }

    /// The address, if it is a number and not a name.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
    }
}

/// A whole session description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionDescription {
    /// The lines above the first `m=`.
    pub lines: Vec<Line>,
    /// The streams in their order, which is what offer and answer are matched by (RFC 3264 §6).
    pub media: Vec<Media>,
}

impl SessionDescription {
    /// Reads a description. Line ends may be CRLF, LF or CR; `s=`, `t=` and even `v=` may be missing;
    /// lines not of the form `letter=value` are passed over; bytes that are no UTF-8 are read as Latin-1.
    ///
    /// # Errors
    /// When the text is empty, too large, no SDP at all, or has an `m=` line that cannot be read.
    pub fn parse(bytes: &[u8]) -> Result<Self, SdpError> {
        if bytes.len() > MAX_BYTES {
            return Err(SdpError::TooLarge(bytes.len()));
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(SdpError::Empty);
        }
        let text = text_of(bytes);
        let mut description = Self::default();
        let lines = text.split(['\r', '\n']).map(str::trim_end).filter(|line| !line.is_empty());
        for (index, line) in lines.enumerate() {
            if index >= MAX_LINES {
                return Err(SdpError::TooManyLines);
            }
            if let Some((letter, value)) = split_line(line) {
                description.take(letter, value, index + 1)?;
            }
        }
        if description.is_foreign() {
            return Err(SdpError::NotSdp);
        }
        Ok(description)
    }

    fn take(&mut self, letter: char, value: &str, line: usize) -> Result<(), SdpError> {
        if letter == 'm' {
            if self.media.len() >= MAX_MEDIA {
                return Err(SdpError::TooManyMedia);
            }
            self.media.push(Media::parse(value).ok_or(SdpError::MediaLine { line })?);
        } else {
            let line = Line { letter, value: value.to_owned() };
            self.media.last_mut().map_or(&mut self.lines, |media| &mut media.lines).push(line);
        }
        Ok(())
    }

    /// Has neither a stream nor any of the lines that every description has.
    fn is_foreign(&self) -> bool {
        self.media.is_empty() && !self.lines.iter().any(|line| matches!(line.letter, 'v' | 'o'))
    }

    /// The first value of a session-level line of this letter.
    #[must_use]
    pub fn value(&self, letter: char) -> Option<&str> {
        self.lines.iter().find(|line| line.letter == letter).map(|line| line.value.as_str())
    }

    /// Who made this description, if `o=` is there and has its six words.
    #[must_use]
    pub fn origin(&self) -> Option<Origin<'_>> {
        let mut words = self.value('o')?.split_ascii_whitespace();
        let (username, session_id, version) = (words.next()?, words.next()?, words.next()?);
        let address = words.nth(2)?;
        Some(Origin { username, session_id, version, address })
    }

    /// The session's address, if any.
    #[must_use]
    pub fn connection(&self) -> Option<Connection<'_>> {
        self.value('c').and_then(Connection::parse)
    }

    /// The address that holds for this stream: its own `c=`, else the session's (RFC 8866 §5.7).
    #[must_use]
    pub fn connection_of<'a>(&'a self, media: &'a Media) -> Option<Connection<'a>> {
        media.connection().or_else(|| self.connection())
    }

    /// The direction that holds for this stream: its own attribute, else the session's, else
    /// `sendrecv` (RFC 8866 §6.7).
    #[must_use]
    pub fn direction_of(&self, media: &Media) -> Direction {
        direction_in(&media.lines)
            .or_else(|| direction_in(&self.lines))
            .unwrap_or(Direction::SendRecv)
    }
}

impl fmt::Display for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| line.fmt(f))?;
        self.media.iter().try_for_each(|media| media.fmt(f))
    }
}

/// The direction attribute among these lines; the first wins.
fn direction_in(lines: &[Line]) -> Option<Direction> {
    lines.iter().filter_map(Line::attribute).find_map(|(name, _)| Direction::named(name))
}

/// UTF-8 where it is, else each byte as one Latin-1 character: never a failure, never a lost line.
fn text_of(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes)
        .map_or_else(|_| bytes.iter().copied().map(char::from).collect(), str::to_owned)
}

/// Divides `x=value`; blanks before the letter and around the sign are forgiven.
fn split_line(line: &str) -> Option<(char, &str)> {
    let (letter, value) = line.split_once('=')?;
    let mut letters = letter.trim().chars();
    let letter = letters.next().filter(char::is_ascii_alphabetic)?;
    letters.next().is_none().then(|| (letter.to_ascii_lowercase(), value.trim()))
}
