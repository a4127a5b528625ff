//! Numbers of ports, and which two are one call.

use std::net::UdpSocket;
use std::time::Instant;

use super::*;
use crate::engine::worker::slots::Slots;

fn port(id: u64) -> Box<Port> {
    let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let events = mpsc::channel(1).0;
    let leg = Leg::new(Instant::now(), PortId(id), events, Arc::default(), Duration::from_secs(60));
    Box::new(Port::new(leg, socket(), socket()))
}

#[test]
fn a_call_is_of_two_until_either_of_them_goes() {
    for (leaves, stays) in [(0, 1), (1, 0)] {
        let mut slots = Slots::default();
        let (one, other) = (slots.add(port(1)), slots.add(port(2)));
        assert_eq!((slots.partner(one), slots.partner(other)), (None, None));
        slots.join(one, other);
        assert_eq!((slots.partner(one), slots.partner(other)), (Some(other), Some(one)));
        let gone = slots.remove([one, other][leaves]).unwrap();
        assert_eq!(gone.leg.id(), PortId(leaves as u64 + 1));
        let left = [one, other][stays];
        assert_eq!(slots.partner(left), None);
        assert_eq!(slots.get(left).unwrap().leg.id(), PortId(stays as u64 + 1));
        assert_eq!(Arc::strong_count(&gone.leg.counters), 1, "nothing of it is kept");
    }
}

#[test]
fn a_number_is_given_anew_and_brings_no_partner() {
    let mut slots = Slots::default();
    let (one, other) = (slots.add(port(1)), slots.add(port(2)));
    slots.join(one, other);
    assert!(slots.remove(one).is_some() && slots.remove(one).is_none(), "once");
    assert_eq!(slots.free(), 1);
    let next = slots.add(port(3));
    assert_eq!((next, slots.len(), slots.free()), (one, 2, 0));
    assert_eq!((slots.partner(next), slots.partner(other)), (None, None));
}

#[test]
fn an_echo_is_its_own_partner_and_ends_alone() {
    let mut slots = Slots::default();
    let one = slots.add(port(1));
    slots.join(one, one);
    assert_eq!(slots.partner(one), Some(one));
    assert_eq!((slots.part(one), slots.part(one), slots.partner(one)), (Some(one), None, None));
}

#[test]
fn a_number_that_there_is_none_of_is_nobodys() {
    let mut slots = Slots::default();
    slots.foresee(usize::MAX);
    slots.foresee_keys(7);
    assert!(slots.get(0).is_none() && slots.remove(3).is_none() && slots.part(9).is_none());
    assert_eq!(slots.partner(usize::MAX), None);
}
