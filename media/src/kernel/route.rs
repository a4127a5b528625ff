//! Where the kernel would send a packet (rtnetlink, `linux/rtnetlink.h`).

use std::io;
use std::net::Ipv4Addr;

use super::netlink::{ACK, REQUEST, Socket, attribute};

const GET_ROUTE: u16 = 26;
const NEW_ROUTE: u16 = 24;
/// `RTA_*`.
const DESTINATION: u16 = 1;
const SOURCE: u16 = 2;
const INTERFACE: u16 = 4;
const GATEWAY: u16 = 5;
/// `RTN_UNICAST`: neither ours nor anything special.
const UNICAST: u8 = 1;
/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV4_ROUTE`.
pub(super) const CHANGES: u32 = 0x1 | 0x10 | 0x40;
const AF_INET: u8 = 2;

/// The next hop towards a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) interface: u32,
    pub(super) next_hop: Ipv4Addr,
}

/// The route from an address of ours. `None`: the host is this machine, or there is none that a packet
/// could be sent by directly.
pub(super) fn route(
    socket: &mut Socket,
    to: Ipv4Addr,
    from: Ipv4Addr,
) -> io::Result<Option<Route>> {
    let mut messages = socket.messages();
    let header = [AF_INET, 32, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    messages.add(GET_ROUTE, REQUEST | ACK, &header, |attributes| {
        attributes.bytes(DESTINATION, &to.octets());
        attributes.bytes(SOURCE, &from.octets());
    });
    let mut found = None;
    socket.ask(&messages, |kind, body| {
        if kind == NEW_ROUTE {
            found = read(to, body);
        }
    })?;
    Ok(found)
}

fn read(to: Ipv4Addr, body: &[u8]) -> Option<Route> {
    let (header, rest) = body.split_first_chunk::<12>()?;
    if header.get(7) != Some(&UNICAST) {
        return None;
    }
    let interface = attribute(rest, INTERFACE)?.first_chunk().map(|b| u32::from_ne_bytes(*b))?;
    let next_hop = match attribute(rest, GATEWAY) {
        Some(gateway) => Ipv4Addr::from(*gateway.first_chunk()?),
        // A gateway of the other family (RTA_VIA), or several next hops, are left to the kernel.
        None if attribute(rest, 18).is_some() || attribute(rest, 9).is_some() => return None,
        None => to,
    };
    Some(Route { interface, next_hop })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_this_machine_has_no_route_to_send_by() {
        let mut socket = Socket::open(None).unwrap();
        let here = Ipv4Addr::LOCALHOST;
        assert_eq!(route(&mut socket, here, here).unwrap(), None);
    }
}
