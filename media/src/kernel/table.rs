//! The nftables table that relays (`linux/netfilter/nf_tables.h`, over netlink).
//!
//! One rule on each interface that peers are behind, before the kernel's own IP: a packet that is in
//! the map as it came leaves as the map says, by the interface and to the neighbour that it names. What is
//! not in the map goes on as if there were no rule.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use rustix::net::netlink;

use super::netlink::{
    ACK, Attributes, CREATE, DUMP, Messages, REQUEST, Socket, attribute, attributes,
};
use super::route::Route;

/// `NFNL_SUBSYS_NFTABLES`.
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// `NFT_MSG_*`.
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const NEW_CHAIN: u16 = (SUBSYSTEM << 8) | 3;
const NEW_RULE: u16 = (SUBSYSTEM << 8) | 6;
const NEW_SET: u16 = (SUBSYSTEM << 8) | 9;
const NEW_ELEMENT: u16 = (SUBSYSTEM << 8) | 12;
const GET_ELEMENT: u16 = (SUBSYSTEM << 8) | 13;
const DELETE_ELEMENT: u16 = (SUBSYSTEM << 8) | 14;
/// `NFPROTO_NETDEV`.
const NETDEV: u8 = 5;
/// `NFT_TABLE_F_OWNER`: nobody else may change it, and it goes when our socket goes.
const OWNED: u32 = 2;
const MAP: u32 = 8;
/// `NF_NETDEV_INGRESS`.
const INGRESS: u32 = 0;
/// Before whatever the operator has there.
const PRIORITY: i32 = -300;

const MAP_NAME: &str = "flows";
const KEY_LENGTH: usize = 24;
const DATA_LENGTH: u32 = 20;

/// Registers of four bytes: the key, the sampling bits, the data, and the first bytes of the IP header.
const KEY: u32 = 8;
const SAMPLE: u32 = 14;
const DATA: u32 = 16;
const TRAFFIC_CLASS: u32 = 21;

/// Headers that a payload expression counts from.
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;

/// One packet in so many goes up as if there were no rule.
pub(super) const SAMPLING: u16 = 64;

/// Packets of one direction of a call, and how they leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Path {
    /// The peer that sends.
    pub(crate) from: SocketAddrV4,
    /// Our address that it sends to.
    pub(crate) at: SocketAddrV4,
    /// Our address towards the other peer.
    pub(crate) via: SocketAddrV4,
    /// The other peer.
    pub(crate) to: SocketAddrV4,
    /// Only this payload type: keys and comfort noise are for others.
    pub(crate) payload_type: u8,
    /// Only this length of payload, in bytes.
    pub(crate) payload: u16,
    /// Only this sender.
    pub(crate) ssrc: u32,
}

/// A path as the map knows it.
pub(super) type Key = [u8; KEY_LENGTH];

impl Path {
    pub(super) fn key(&self) -> Key {
        let mut key = [0; KEY_LENGTH];
        // The UDP length counts the headers of UDP and RTP.
        let length = self.payload.saturating_add(8 + 12);
        let fields = [
            &self.from.ip().octets()[..],
            &self.at.ip().octets(),
            &self.from.port().to_be_bytes(),
            &self.at.port().to_be_bytes(),
            &length.to_be_bytes(),
            &[0, 0],
            // Version 2 without padding, extension and contributing sources.
            &[0x80, self.payload_type & 0x7f, 0, 0],
            &self.ssrc.to_be_bytes(),
        ];
        for (to, from) in key.iter_mut().zip(fields.concat()) {
            *to = from;
        }
        key
    }

    fn data(&self, route: Route) -> Vec<u8> {
        [
            &self.via.ip().octets()[..],
            &self.to.ip().octets(),
            &self.via.port().to_be_bytes(),
            &self.to.port().to_be_bytes(),
            &route.next_hop.octets(),
            &route.interface.to_ne_bytes(),
        ]
        .concat()
    }
}

/// The table, which lives as long as this does.
#[derive(Debug)]
pub(super) struct Table {
    socket: Socket,
    name: String,
    /// Interfaces that have the rule.
    interfaces: Vec<u32>,
    /// DSCP of what leaves.
    dscp: u8,
}

impl Table {
    /// # Errors
    /// When the kernel has no nftables, or we may not use it.
    pub(super) fn open(dscp: u8) -> io::Result<Self> {
        let socket = Socket::open(Some(netlink::NETFILTER))?;
        let name = format!("offhook-{}-{:x}", std::process::id(), rand::random::<u32>());
        let mut table = Self { socket, name, interfaces: Vec::new(), dscp };
        table.change(|name, messages| {
            messages.add(NEW_TABLE, REQUEST | CREATE, &family(), |a| {
                a.text(1, name);
                a.number(2, OWNED);
            });
            messages.add(NEW_SET, REQUEST | CREATE | ACK, &family(), |a| {
                a.text(1, name);
                a.text(2, MAP_NAME);
                a.number(3, MAP);
                // Types are for who reads the table: bytes.
                a.number(4, 0);
                a.number(5, KEY_LENGTH as u32);
                a.number(6, 0);
                a.number(7, DATA_LENGTH);
                a.number(10, 1);
            });
        })?;
        Ok(table)
    }

    /// The rule for what comes in by an interface.
    pub(super) fn attach(&mut self, interface: u32, device: &str) -> io::Result<()> {
        if self.interfaces.contains(&interface) {
            return Ok(());
        }
        let dscp = self.dscp;
        let chain = format!("in-{interface}");
        self.change(|name, messages| {
            messages.add(NEW_CHAIN, REQUEST | CREATE, &family(), |a| {
                a.text(1, name);
                a.text(3, &chain);
                a.nest(4, |a| {
                    a.number(1, INGRESS);
                    a.number(2, PRIORITY.cast_unsigned());
                    a.text(3, device);
                });
                a.text(7, "filter");
            });
            messages.add(NEW_RULE, REQUEST | CREATE | ACK, &family(), |a| {
                a.text(1, name);
                a.text(2, &chain);
                a.nest(4, |a| rule(a, dscp));
            });
        })?;
        self.interfaces.push(interface);
        Ok(())
    }

    /// Interfaces may be others than before: those that are still there keep their rule.
    pub(super) fn forget_interfaces(&mut self, lives: impl Fn(u32) -> bool) {
        self.interfaces.retain(|interface| lives(*interface));
    }

    pub(super) fn insert(&mut self, path: &Path, route: Route) -> io::Result<()> {
        self.change(|name, messages| {
            messages.add(NEW_ELEMENT, REQUEST | CREATE | ACK, &family(), |a| {
                element(a, name, &path.key(), |a| {
                    a.nest(2, |a| a.bytes(1, &path.data(route)));
                    a.nest(7, |a| expression(a, "counter", |_| {}));
                });
            });
        })
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.change(|name, messages| {
            messages.add(DELETE_ELEMENT, REQUEST | ACK, &family(), |a| {
                element(a, name, &path.key(), |_| {});
            });
        })
    }

    /// Tells of each path how many packets took it.
    pub(super) fn count(&mut self, mut tell: impl FnMut(Key, u64)) -> io::Result<()> {
        let mut messages = self.socket.messages();
        messages.add(GET_ELEMENT, REQUEST | DUMP, &family(), |a| {
            a.text(1, &self.name);
            a.text(2, MAP_NAME);
        });
        self.socket.ask(&messages, |kind, body| read(kind, body, &mut tell))
    }

    /// How many packets took one path.
    pub(super) fn count_one(&mut self, path: &Path) -> io::Result<u64> {
        let mut messages = self.socket.messages();
        messages.add(GET_ELEMENT, REQUEST | ACK, &family(), |a| {
            element(a, &self.name, &path.key(), |_| {});
        });
        let mut packets = 0;
        self.socket.ask(&messages, |kind, body| read(kind, body, &mut |_, n| packets = n))?;
        Ok(packets)
    }

    /// All of it or nothing.
    fn change(&mut self, fill: impl FnOnce(&str, &mut Messages)) -> io::Result<()> {
        let mut messages = self.socket.messages();
        // `nfgenmsg` with the subsystem in place of a resource.
        let header = [0, 0, 0, SUBSYSTEM as u8];
        messages.add(BATCH_BEGIN, REQUEST, &header, |_| {});
        fill(&self.name, &mut messages);
        messages.add(BATCH_END, REQUEST, &header, |_| {});
        self.socket.ask(&messages, |_, _| {})
    }
}

/// `nfgenmsg`.
fn family() -> [u8; 4] {
    [NETDEV, 0, 0, 0]
}

fn element(a: &mut Attributes<'_>, table: &str, key: &Key, more: impl FnOnce(&mut Attributes<'_>)) {
    a.text(1, table);
    a.text(2, MAP_NAME);
    a.nest(3, |a| {
        a.nest(1, |a| {
            a.nest(1, |a| a.bytes(1, key));
            more(a);
        });
    });
}

/// Key and counter of each element in a message.
fn read(kind: u16, body: &[u8], tell: &mut impl FnMut(Key, u64)) {
    let Some(elements) = body.get(4..).and_then(|rest| attribute(rest, 3)) else { return };
    if kind != NEW_ELEMENT {
        return;
    }
    for (_, element) in attributes(elements) {
        let key = attribute(element, 1).and_then(|key| attribute(key, 1));
        let counter = attribute(element, 7).and_then(|expression| attribute(expression, 2));
        let packets = counter.and_then(|data| attribute(data, 2)).and_then(|n| n.first_chunk());
        if let (Some(key), Some(packets)) = (key.and_then(|k| k.first_chunk()), packets) {
            tell(*key, u64::from_be_bytes(*packets));
        }
    }
}

/// An element of a list of expressions, or the one of a map's element.
fn expression(a: &mut Attributes<'_>, name: &str, fill: impl FnOnce(&mut Attributes<'_>)) {
    a.text(1, name);
    a.nest(2, fill);
}

fn step(a: &mut Attributes<'_>, name: &str, fill: impl FnOnce(&mut Attributes<'_>)) {
    a.nest(1, |a| expression(a, name, fill));
}

/// Loads bytes of a header into registers.
fn load(a: &mut Attributes<'_>, base: u32, offset: u32, length: u32, register: u32) {
    step(a, "payload", |a| {
        a.number(1, register);
        a.number(2, base);
        a.number(3, offset);
        a.number(4, length);
    });
}

/// Writes registers into a header and keeps its checksum right.
fn write(a: &mut Attributes<'_>, register: u32, at: (u32, u32, u32), checksum: u32, pseudo: bool) {
    step(a, "payload", |a| {
        a.number(5, register);
        a.number(2, at.0);
        a.number(3, at.1);
        a.number(4, at.2);
        a.number(6, 1);
        a.number(7, checksum);
        if pseudo {
            // UDP's covers the addresses too.
            a.number(8, 1);
        }
    });
}

/// `register = register & mask ^ bits`.
fn mask(a: &mut Attributes<'_>, register: u32, mask: [u8; 4], bits: [u8; 4]) {
    step(a, "bitwise", |a| {
        a.number(1, register);
        a.number(2, register);
        a.number(3, 4);
        a.nest(4, |a| a.bytes(1, &mask));
        a.nest(5, |a| a.bytes(1, &bits));
    });
}

/// Goes on only when the register is this, or (`not`) is not.
fn compare(a: &mut Attributes<'_>, register: u32, not: bool, value: &[u8]) {
    step(a, "cmp", |a| {
        a.number(1, register);
        a.number(2, u32::from(not));
        a.nest(3, |a| a.bytes(1, value));
    });
}

fn rule(a: &mut Attributes<'_>, dscp: u8) {
    let meta = |a: &mut Attributes<'_>, what: u32| {
        step(a, "meta", |a| {
            a.number(1, SAMPLE);
            a.number(2, what);
        });
    };
    // EtherType IPv4, protocol UDP, and a checksum, which some leave out and nobody could set right.
    meta(a, 1);
    compare(a, SAMPLE, false, &[0x08, 0x00]);
    meta(a, 16);
    compare(a, SAMPLE, false, &[17]);
    load(a, TRANSPORT, 6, 2, SAMPLE);
    compare(a, SAMPLE, true, &[0, 0]);
    // The low bits of the sequence number choose what goes up.
    load(a, TRANSPORT, 8 + 3, 1, SAMPLE);
    mask(a, SAMPLE, [(SAMPLING - 1) as u8, 0, 0, 0], [0; 4]);
    compare(a, SAMPLE, true, &[0]);
    load(a, NETWORK, 12, 8, KEY);
    load(a, TRANSPORT, 0, 6, KEY + 2);
    load(a, TRANSPORT, 8, 2, KEY + 4);
    mask(a, KEY + 4, [0xff, 0x7f, 0, 0], [0; 4]);
    load(a, TRANSPORT, 8 + 8, 4, KEY + 5);
    step(a, "lookup", |a| {
        a.text(1, MAP_NAME);
        a.number(2, KEY);
        a.number(3, DATA);
    });
    load(a, NETWORK, 0, 2, TRAFFIC_CLASS);
    mask(a, TRAFFIC_CLASS, [0xff, 0x03, 0, 0], [0, dscp << 2, 0, 0]);
    write(a, TRAFFIC_CLASS, (NETWORK, 0, 2), 10, false);
    write(a, DATA, (NETWORK, 12, 8), 10, true);
    write(a, DATA + 2, (TRANSPORT, 0, 4), 6, false);
    step(a, "fwd", |a| {
        a.number(1, DATA + 4);
        a.number(2, DATA + 3);
        a.number(3, 2);
    });
}

/// Whether an address can be a path's: not this machine's own.
pub(crate) fn usable(ip: Ipv4Addr) -> bool {
    !(ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast())
}
