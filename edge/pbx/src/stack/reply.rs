//! What goes out: handing bytes to the wire, and responses whose connection is gone.

use bytes::Bytes;
use offhook_sip::flow::Flow;
use offhook_sip::message::Message;
use offhook_sip::parse;
use tokio::time::Instant;

use super::task::Stack;
use crate::transport::wire::WireError;

impl Stack {
    pub(super) fn transmit(&mut self, flow: &Flow, bytes: Bytes) {
        let is_response = bytes.starts_with(b"SIP/2.0 ");
        let again =
            if is_response && flow.transport.is_reliable() { bytes.clone() } else { Bytes::new() };
        let mut sent = self.wire.send(flow, bytes);
        if sent == Err(WireError::Gone) && !again.is_empty() {
            sent = self.answer_anew(flow, again);
        }
        let Err(error) = sent else { return self.metrics.sip_sent.inc() };
        self.metrics.sip_send_failed.inc();
        // A response that cannot be sent says nothing about requests of ours: its address is what
        // a stranger wrote.
        if is_response {
            return;
        }
        // A full queue is like a lost datagram: retransmissions see to it. On a stream nothing is
        // sent again, so that it counts as the transport's failure.
        if flow.transport.is_reliable() || error != WireError::Full {
            tracing::debug!(%error, remote = %flow.remote, "not sent");
            self.layer.transport_failed(Instant::now().into_std(), flow);
        }
    }

    /// RFC 3261 §18.2.2: when the request's connection is gone, a new one goes to the address it
    /// came from (`received`) and the port of sent-by. Never to another address: that would let
    /// strangers aim our connections at others.
    fn answer_anew(&self, gone: &Flow, bytes: Bytes) -> Result<(), WireError> {
        let Ok(Message::Response(response)) = parse::datagram(bytes.clone()) else {
            return Err(WireError::Gone);
        };
        let Ok(via) = response.top_via() else { return Err(WireError::Gone) };
        if self.bans.is_banned(gone.remote.ip()) {
            return Err(WireError::Gone);
        }
        let mut remote = gone.remote;
        remote.set_port(via.sent_by.port.unwrap_or(gone.transport.default_port()));
        let flow = self.addresses.flow_to(gone.transport, remote);
        let flow = self.wire.open_for_answer(flow)?;
        self.wire.send(&flow, bytes)
    }
}
