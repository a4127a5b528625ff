//! Behaviour of what a browser is told.

use std::net::IpAddr;

use super::*;

fn told(webrtc: &str, signalling: [&str; 2]) -> String {
    let mut config = Config::default();
    config.webrtc.address = webrtc.parse().unwrap();
    let [bind, advertised] = signalling.map(|ip| ip.parse::<IpAddr>().unwrap());
    webrtc_address(&config, MediaAddress { bind, advertised }).advertised.to_string()
}

#[test]
fn a_browser_is_told_where_its_port_is_whatever_address_signalling_came_to() {
    // One port at all addresses: that of signalling will do.
    assert_eq!(told("0.0.0.0:30000", ["192.0.2.1"; 2]), "192.0.2.1");
    assert_eq!(told("[::]:30000", ["2001:db8::1"; 2]), "2001:db8::1");
    // Behind a proxy on the same box, or on another interface.
    assert_eq!(told("192.0.2.1:30000", ["127.0.0.1"; 2]), "192.0.2.1");
    assert_eq!(told("192.0.2.1:30000", ["2001:db8::1"; 2]), "192.0.2.1");
    // Behind NAT.
    assert_eq!(told("192.0.2.1:30000", ["192.0.2.1", "203.0.113.7"]), "203.0.113.7");
}
