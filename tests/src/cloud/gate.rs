//! Hosts of a simulated network with real sockets: agents that talk with real daemons. The clock
//! must not be paused.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::UdpSocket;

use crate::sim::net::{SimNet, Weather};

/// A network that adds nothing.
pub const STRAIGHT: Weather =
    Weather { nearest: Duration::ZERO, farthest: Duration::ZERO, ..Weather::CALM };

/// Opens sockets at these addresses of the network; what is sent from them to the daemons goes out.
///
/// # Panics
/// When an address is taken.
pub async fn open(net: &SimNet, hosts: &[SocketAddr], daemons: &[SocketAddr]) {
    let mut sockets = HashMap::new();
    for &host in hosts {
        let socket = Arc::new(UdpSocket::bind(host).await.expect("an address"));
        sockets.insert(host, Arc::clone(&socket));
        let net = net.clone();
        tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                net.send(from, host, Bytes::copy_from_slice(&buffer[..length]));
            }
        });
    }
    for &daemon in daemons {
        let sockets = sockets.clone();
        net.attach(daemon, move |packet| {
            if let Some(socket) = sockets.get(&packet.from) {
                // Full: lost, as a datagram is.
                let _ = socket.try_send_to(&packet.bytes, packet.to);
            }
        });
    }
}
