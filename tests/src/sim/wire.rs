//! The simulated network as the appliance's wire.

use std::net::SocketAddr;

use bytes::Bytes;
use offhook_pbx::transport::wire::{Incoming, Wire, WireError};
use offhook_sip::flow::{Flow, Transport};
use tokio::sync::mpsc;

use super::net::SimNet;

/// Datagrams that may wait for the stack, as behind a real socket.
const INBOX: usize = 4_096;

/// Sends what the stack sends into the network.
#[derive(Clone, Debug)]
pub struct SimWire(SimNet);

impl SimWire {
    /// Listens at `address`.
    pub fn listen(net: &SimNet, address: SocketAddr) -> (Self, mpsc::Receiver<Incoming>) {
        let (sender, inbox) = mpsc::channel(INBOX);
        net.attach(address, move |packet| {
            let flow = Flow {
                transport: Transport::Udp,
                local: address,
                remote: packet.from,
                connection: None,
            };
            // Full: lost, as a datagram is.
            let _ = sender.try_send(Incoming::Datagram { flow, bytes: packet.bytes });
        });
        (Self(net.clone()), inbox)
    }
}

impl Wire for SimWire {
    fn send(&self, flow: &Flow, bytes: Bytes) -> Result<(), WireError> {
        if flow.transport != Transport::Udp {
            return Err(WireError::NoListener);
        }
        self.0.send(flow.local, flow.remote, bytes);
        Ok(())
    }
}
