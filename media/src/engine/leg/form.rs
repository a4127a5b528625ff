//! What every packet asks of a leg's stream.

use std::ops::Deref;

use super::super::api::{MAX_PACKET_MS, StreamConfig, TelephoneEvent};
use super::{COMFORT_NOISE, Kind};
use crate::codec::Codec;

/// A copy of some of [`StreamConfig`]. It lies in the leg, beside what else a packet touches: with a
/// thousand calls each place further away is one that the processor waits for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) codec: Codec,
    pub(super) telephone_event: Option<TelephoneEvent>,
    pub(super) ptime_ms: u16,
    pub(super) maxptime_ms: u8,
    pub(super) send_pt: u8,
    recv_pt: u8,
    pub(super) comfort_noise: bool,
    pub(super) send: bool,
    pub(super) receive: bool,
}

/// A stream, and what every packet asks of it.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub(super) form: Form,
    pub(super) config: Box<StreamConfig>,
}

impl From<Box<StreamConfig>> for Stream {
    fn from(config: Box<StreamConfig>) -> Self {
        Self { form: Form::from(&*config), config }
    }
}

impl Deref for Stream {
    type Target = StreamConfig;

    fn deref(&self) -> &StreamConfig {
        &self.config
    }
}

impl From<&StreamConfig> for Form {
    fn from(stream: &StreamConfig) -> Self {
        Self {
            codec: stream.codec,
            telephone_event: stream.telephone_event,
            ptime_ms: stream.ptime_ms,
            maxptime_ms: stream.maxptime_ms.min(MAX_PACKET_MS) as u8,
            send_pt: stream.send_pt,
            recv_pt: stream.recv_pt,
            comfort_noise: stream.comfort_noise,
            send: stream.send,
            receive: stream.receive,
        }
    }
}

impl Form {
    /// What a payload type means. The static types are always understood: a peer may send any codec
    /// of its answer (RFC 3264 §7), and some send another one regardless. Where the peer chose other
    /// numbers than we did, some send with their own and not, as RFC 3264 §5.1 has it, with ours.
    #[inline]
    pub(super) fn kind(&self, payload_type: u8) -> Option<Kind> {
        if payload_type == self.recv_pt {
            return Some(Kind::Audio(self.codec));
        }
        let event = self.telephone_event.map(|events| Kind::Event(events.clock));
        if self.telephone_event.is_some_and(|events| events.recv_pt == payload_type) {
            return event;
        }
        if payload_type == COMFORT_NOISE {
            return Some(Kind::Noise);
        }
        if let Some(codec) = Codec::from_static_payload_type(payload_type) {
            return Some(Kind::Audio(codec));
        }
        if payload_type == self.send_pt {
            return Some(Kind::Audio(self.codec));
        }
        let events = self.telephone_event.is_some_and(|events| events.send_pt == payload_type);
        event.filter(|_| events)
    }
}
