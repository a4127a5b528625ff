//! Netlink: messages of nested attributes, and a socket that asks and waits for the answer.
//!
//! Layout: `linux/netlink.h`; a header of 16 bytes (length, type, flags, sequence, port), then attributes
//! of length, type and value, each padded to four bytes. Numbers of nftables are big-endian, all
//! others native.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, netdevice, netlink,
    recv, send, socket_with,
};

pub(super) const REQUEST: u16 = 0x1;
pub(super) const ACK: u16 = 0x4;
pub(super) const DUMP: u16 = 0x300;
pub(super) const CREATE: u16 = 0x400;

const HEADER: usize = 16;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const NESTED: u16 = 0x8000;
const TYPE: u16 = 0x3fff;

/// How long the kernel may take. It answers while it is asked; longer is a fault.
const PATIENCE: Duration = Duration::from_secs(2);

/// Messages to be sent at once, with one sequence number.
#[derive(Debug)]
pub(super) struct Messages {
    bytes: Vec<u8>,
    sequence: u32,
}

impl Messages {
    /// A message: its type and flags, the header of its family, its attributes.
    pub(super) fn add(
        &mut self,
        kind: u16,
        flags: u16,
        header: &[u8],
        fill: impl FnOnce(&mut Attributes<'_>),
    ) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&self.sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(header);
        fill(&mut Attributes(&mut self.bytes));
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        if let Some(field) = self.bytes.get_mut(start..start + 4) {
            field.copy_from_slice(&length.to_ne_bytes());
        }
    }
}

/// Attributes being written.
pub(super) struct Attributes<'a>(&'a mut Vec<u8>);

impl Attributes<'_> {
    pub(super) fn bytes(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.pad();
    }

    /// A string, with the zero that ends it.
    pub(super) fn text(&mut self, kind: u16, value: &str) {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat());
    }

    /// A number of nftables.
    pub(super) fn number(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    pub(super) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Attributes<'_>)) {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 2]);
        self.0.extend_from_slice(&(kind | NESTED).to_ne_bytes());
        fill(&mut Attributes(self.0));
        let length = u16::try_from(self.0.len() - start).unwrap_or(u16::MAX);
        if let Some(field) = self.0.get_mut(start..start + 2) {
            field.copy_from_slice(&length.to_ne_bytes());
        }
    }

    fn pad(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }
}

/// Attributes being read: type and value of each. What is cut off ends the list.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (&[a, b, c, d], _) = bytes.split_first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([c, d]) & TYPE, value))
    })
}

/// The value of one attribute.
pub(super) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(k, _)| *k == kind).map(|(_, value)| value)
}

/// A netlink socket. What it made with an owner is gone when it is closed.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Socket {
    /// For a protocol; `None` is routing.
    pub(super) fn open(protocol: Option<Protocol>) -> io::Result<Self> {
        let fd =
            socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        set_socket_timeout(&fd, Timeout::Recv, Some(PATIENCE))?;
        Ok(Self { fd, sequence: 0, buffer: vec![0; 64 << 10] })
    }

    /// Hears of changes in the given groups (a bit mask), and asks nothing.
    pub(super) fn listen(groups: u32) -> io::Result<Self> {
        let socket = Self::open(None)?;
        rustix::net::bind(&socket.fd, &netlink::SocketAddrNetlink::new(0, groups))?;
        Ok(socket)
    }

    /// Whether something was told since the last time; what, is thrown away.
    pub(super) fn heard(&mut self) -> bool {
        let mut any = false;
        loop {
            match recv(&self.fd, &mut self.buffer[..], RecvFlags::DONTWAIT) {
                Ok(_) => any = true,
                // More than it can hold: something was told.
                Err(rustix::io::Errno::NOBUFS) => return true,
                Err(_) => return any,
            }
        }
    }

    /// The name of a network interface; `None`: there is none of this number.
    pub(super) fn interface(&self, index: u32) -> Option<String> {
        netdevice::index_to_name(&self.fd, index).ok()
    }

    pub(super) fn messages(&mut self) -> Messages {
        self.sequence = self.sequence.wrapping_add(1);
        Messages { bytes: Vec::new(), sequence: self.sequence }
    }

    /// Sends, and hands over each answer (its type and body) until the kernel says that this was all.
    ///
    /// # Errors
    /// What the kernel refused.
    pub(super) fn ask(
        &mut self,
        messages: &Messages,
        mut answer: impl FnMut(u16, &[u8]),
    ) -> io::Result<()> {
        send(&self.fd, &messages.bytes, SendFlags::empty())?;
        loop {
            let (n, _) = recv(&self.fd, &mut self.buffer[..], RecvFlags::empty())?;
            let mut rest = self.buffer.get(..n).unwrap_or_default();
            while let Some((kind, sequence, body, next)) = split(rest) {
                rest = next;
                if sequence != messages.sequence {
                    // Of a request that has failed before.
                    continue;
                }
                match kind {
                    DONE => return Ok(()),
                    ERROR => return outcome(body),
                    _ => answer(kind, body),
                }
            }
        }
    }
}

/// The first message: type, sequence number, body, and what follows it.
fn split(bytes: &[u8]) -> Option<(u16, u32, &[u8], &[u8])> {
    let number = |at: usize| {
        bytes.get(at..at + 4)?.first_chunk::<4>().map(|bytes| u32::from_ne_bytes(*bytes))
    };
    let length = usize::try_from(number(0)?).ok()?;
    let body = bytes.get(HEADER..length)?;
    let kind = u16::from_ne_bytes([*bytes.get(4)?, *bytes.get(5)?]);
    let next = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, number(8)?, body, next))
}

/// An error message with the number zero says that all is well.
fn outcome(body: &[u8]) -> io::Result<()> {
    match body.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes)) {
        Some(0) => Ok(()),
        Some(number) => Err(io::Error::from_raw_os_error(number.wrapping_neg())),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut messages = Messages { bytes: Vec::new(), sequence: 7 };
        messages.add(5, REQUEST, &[9, 9, 9, 9], |attributes| {
            attributes.text(1, "ab");
            attributes.nest(2, |inner| inner.number(3, 0x0102_0304));
        });
        let (kind, sequence, body, rest) = split(&messages.bytes).unwrap();
        assert_eq!((kind, sequence, rest.len()), (5, 7, 0));
        assert_eq!(attribute(&body[4..], 1), Some(&b"ab\0"[..]));
        let inner = attribute(&body[4..], 2).unwrap();
        assert_eq!(attribute(inner, 3), Some(&[1, 2, 3, 4][..]));
    }

    #[test]
    fn what_is_cut_off_is_no_message_and_no_attribute() {
        let mut messages = Messages { bytes: Vec::new(), sequence: 7 };
        messages.add(5, REQUEST, &[], |attributes| attributes.number(3, 1));
        for length in 0..messages.bytes.len() {
            assert!(split(&messages.bytes[..length]).is_none(), "{length}");
        }
        assert_eq!(attributes(&[0, 0, 0, 0]).count(), 0, "shorter than its own header");
        assert_eq!(attributes(&[8, 0, 1, 0, 1]).count(), 0);
        assert!(outcome(&[1]).is_err());
    }
}
