//! Where calls of a connector may go: the sockets of this appliance in Voice Connector's words.

use offhook_config::{Config, Transport};

/// Ports and protocols (`UDP`, `TCP`) that a route can have. A connector with encryption speaks
/// TLS where its route says TCP (facts/chime.md §3.3). Nobody comes to a loopback address from
/// outside.
pub(crate) fn routes(config: &Config, encrypted: Option<bool>) -> Vec<(u16, &'static str)> {
    let spoken = |transport| match transport {
        Transport::Udp => (encrypted != Some(true)).then_some("UDP"),
        Transport::Tcp => (encrypted != Some(true)).then_some("TCP"),
        Transport::Tls => (encrypted != Some(false)).then_some("TCP"),
        Transport::Wss => None,
    };
    let reachable = config.listen.iter().filter(|listen| !listen.address.ip().is_loopback());
    reachable
        .filter_map(|listen| Some((listen.address.port(), spoken(listen.transport)?)))
        .collect()
}
