//! One stream of a session description: its `m=` line and the lines below it.

use std::fmt;
use std::net::IpAddr;

use super::{Connection, Line, MAX_FORMATS};

/// One stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, `image`, ...
    pub kind: String,
    /// RTP port; 0 refuses or ends the stream (RFC 3264 §6).
    pub port: u16,
    /// `/n` after the port, if written.
    pub port_count: Option<u32>,
    /// Transport such as `RTP/AVP`.
    pub proto: String,
    /// Formats in order of preference; payload type numbers for RTP.
    pub formats: Vec<String>,
    /// The lines below.
    pub lines: Vec<Line>,
}

/// What a payload type means (RFC 8866 §6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpMap<'a> {
    /// Encoding name, to be compared without case.
    pub name: &'a str,
    /// RTP clock in Hz.
    pub clock: u32,
    /// Channels; 1 unless said.
    pub channels: u8,
}

impl RtpMap<'_> {
    /// Whether this is that encoding in one channel.
    #[must_use]
    pub fn is(&self, name: &str, clock: u32) -> bool {
        self.name.eq_ignore_ascii_case(name) && self.clock == clock && self.channels == 1
    }
}

/// `a=rtcp` (RFC 3605 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtcpAddress {
    /// RTCP port.
    pub port: u16,
    /// Address, when it is not the stream's own.
    pub ip: Option<IpAddr>,
}

impl Media {
    /// A stream without lines below.
    #[must_use]
    pub fn new(kind: &str, port: u16, proto: &str, formats: Vec<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            port,
            port_count: None,
            proto: proto.to_owned(),
            formats,
            lines: Vec::new(),
        }
    }

    /// `<media> <port>[/<count>] <proto> <fmt> ...` (RFC 8866 §5.14). Formats may be missing.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let kind = words.next()?;
        let port = words.next()?;
        let proto = words.next()?;
        let (port, count) = match port.split_once('/') {
            Some((port, count)) => (port, Some(count.parse().ok()?)),
            None => (port, None),
        };
        let formats = words.take(MAX_FORMATS).map(str::to_owned).collect();
        let mut media = Self::new(kind, port.parse().ok()?, proto, formats);
        media.port_count = count;
        Some(media)
    }

    /// The first value of a line of this letter.
    #[must_use]
    pub fn value(&self, letter: char) -> Option<&str> {
        self.lines.iter().find(|line| line.letter == letter).map(|line| line.value.as_str())
    }

    /// This stream's own `c=`.
    #[must_use]
    pub fn connection(&self) -> Option<Connection<'_>> {
        self.value('c').and_then(Connection::parse)
    }

    /// All values of the attribute of this name; names are compared without case.
    pub fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines
            .iter()
            .filter_map(Line::attribute)
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .filter_map(|(_, value)| value)
    }

    /// The first value of the attribute of this name.
    #[must_use]
    pub fn attribute<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.attributes(name).next()
    }

    /// Whether the attribute stands there, with or without a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.lines.iter().filter_map(Line::attribute).any(|(n, _)| n.eq_ignore_ascii_case(name))
    }

    /// Payload types in the order of the `m=` line; formats that are no payload type are left out.
    /// `+8` and `08` are none: an answer names formats as the offer does (RFC 3264 §6.1).
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        let is_plain = |format: &&String| {
            format.as_str() == "0" || !format.starts_with(|c: char| !matches!(c, '1'..='9'))
        };
        let numbers = self.formats.iter().filter(is_plain).filter_map(|f| f.parse().ok());
        numbers.filter(|number| *number < 128)
    }

    /// What this payload type means: its `a=rtpmap`, else the static table of RFC 3551 §6.
    #[must_use]
    pub fn rtpmap(&self, payload_type: u8) -> Option<RtpMap<'_>> {
        self.attributes("rtpmap")
            .find_map(|value| {
                let (pt, map) = value.split_once(' ')?;
                (pt.parse::<u8>().ok()? == payload_type).then(|| read_map(map.trim())).flatten()
            })
            .or_else(|| static_map(payload_type))
    }

    /// Format parameters of this payload type.
    #[must_use]
    pub fn fmtp(&self, payload_type: u8) -> Option<&str> {
        self.attributes("fmtp").find_map(|value| {
            let (pt, parameters) = value.split_once(' ')?;
            (pt.parse::<u8>().ok()? == payload_type).then_some(parameters.trim())
        })
    }

    /// Milliseconds of audio wanted in a packet (RFC 8866 §6.4).
    #[must_use]
    pub fn ptime(&self) -> Option<u16> {
        self.attribute("ptime").and_then(read_milliseconds)
    }

    /// The most milliseconds of audio in a packet (RFC 8866 §6.5).
    #[must_use]
    pub fn maxptime(&self) -> Option<u16> {
        self.attribute("maxptime").and_then(read_milliseconds)
    }

    /// Where RTCP goes, if it is said.
    #[must_use]
    pub fn rtcp(&self) -> Option<RtcpAddress> {
        let mut words = self.attribute("rtcp")?.split_ascii_whitespace();
        let port = words.next()?.parse().ok().filter(|port| *port != 0)?;
        let ip = words.nth(2).and_then(|ip| ip.parse::<IpAddr>().ok()).map(|ip| ip.to_canonical());
        Some(RtcpAddress { port, ip })
    }

    /// Adds `a=text`.
    pub fn push_attribute(&mut self, text: impl Into<String>) {
        self.lines.push(Line::new('a', text));
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={} {}", self.kind, self.port)?;
        if let Some(count) = self.port_count {
            write!(f, "/{count}")?;
        }
        write!(f, " {}", self.proto)?;
        self.formats.iter().try_for_each(|format| write!(f, " {format}"))?;
        f.write_str("\r\n")?;
        self.lines.iter().try_for_each(|line| line.fmt(f))
    }
}

/// `name/clock[/channels]`.
fn read_map(text: &str) -> Option<RtpMap<'_>> {
    let mut parts = text.split('/');
    let name = parts.next().filter(|name| !name.is_empty())?;
    let clock = parts.next()?.trim().parse().ok()?;
    let channels = parts.next().map_or(Some(1), |n| n.trim().parse().ok())?;
    Some(RtpMap { name, clock, channels })
}

/// The payload types of RFC 3551 §6 that an office meets; their `a=rtpmap` is often left out.
fn static_map(payload_type: u8) -> Option<RtpMap<'static>> {
    let name = match payload_type {
        0 => "PCMU",
        3 => "GSM",
        4 => "G723",
        8 => "PCMA",
        9 => "G722",
        13 => "CN",
        15 => "G728",
        18 => "G729",
        _ => return None,
    };
    Some(RtpMap { name, clock: 8000, channels: 1 })
}

/// Some devices write `20.0`; the whole part counts.
fn read_milliseconds(text: &str) -> Option<u16> {
    text.split('.').next()?.trim().parse().ok().filter(|ms| *ms > 0)
}
