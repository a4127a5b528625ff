//! What the kernel may do for a leg, and what it did.

use std::net::{SocketAddr, SocketAddrV4};

use super::{Kind, Leg, Media, Way};
use crate::codec::Codec;
use crate::kernel;
use crate::relay::OutStream;

/// What a leg's peer says, when it can be passed on without a look inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Plain {
    pub(in crate::engine) from: SocketAddrV4,
    pub(in crate::engine) payload_type: u8,
    pub(in crate::engine) ssrc: u32,
    codec: Codec,
}

fn address(addr: SocketAddr) -> Option<SocketAddrV4> {
    match addr {
        SocketAddr::V4(addr) => Some(addr).filter(|addr| kernel::usable(*addr.ip())),
        // Without a mapped address an IPv6 leg is relayed in userspace.
        SocketAddr::V6(_) => None,
    }
}

impl Leg {
    /// The stream to our peer shall begin with the numbers of whom he hears first.
    pub(in crate::engine) fn pass_numbers(&mut self) {
        self.passes_numbers = true;
    }

    /// Takes over the numbers of the sender of a packet, before anything was sent.
    pub(super) fn take_numbers(&mut self, media: &Media) {
        let Kind::Audio(codec) = media.kind else { return };
        if media.decoded || self.srtp.is_some() {
            return;
        }
        if self.counters.rtcp_sent.get() != 0 {
            self.reporter.leave(self.out.ssrc());
        }
        let (ssrc, clock) = (media.ssrc, codec.clock_rate());
        self.out = OutStream::of_source(ssrc, media.sequence, media.timestamp, clock);
    }

    /// What the peer says, when nobody here needs to hear it: it is neither secured nor recorded,
    /// decoded nor watched for tones.
    pub(in crate::engine) fn heard_plainly(&self) -> Option<Plain> {
        let stream = self.stream.as_deref()?;
        let looked_at = stream.srtp.is_some()
            || stream.webrtc.is_some()
            || stream.ice.is_some()
            || self.is_recording()
            || self.is_inband()
            || self.ear.is_some()
            || self.focus.is_some()
            || self.keys.is_down()
            || self.way != Way::Relay;
        if looked_at || !stream.receive {
            return None;
        }
        Some(Plain {
            from: address(self.latch.known()?)?,
            payload_type: stream.recv_pt,
            ssrc: self.reception.ssrc()?,
            codec: stream.codec,
        })
    }

    /// Where that can be passed on as it is, and the length of its payload in bytes: the peer is
    /// told the same codec by the same number, and hears nothing else.
    pub(in crate::engine) fn says_plainly(&self, heard: &Plain) -> Option<(SocketAddrV4, u16)> {
        let stream = self.stream.as_deref()?;
        let busy = stream.srtp.is_some()
            || stream.webrtc.is_some()
            || stream.ice.is_some()
            || self.player.is_some()
            || self.digits.is_some();
        let same = stream.codec == heard.codec && stream.send_pt == heard.payload_type;
        if busy || !stream.send || !same || !self.out.passes(heard.ssrc) {
            return None;
        }
        let payload = u16::try_from(self.payload_length()?).ok()?;
        Some((address(self.latch.known()?)?, payload))
    }

    /// Bytes of a packet to our peer, of a codec that has a fixed rate.
    fn payload_length(&self) -> Option<usize> {
        let stream = self.stream.as_deref()?;
        Some(stream.codec.bytes_per_ms()? * usize::from(stream.ptime_ms))
    }

    /// Only a sample of the peer's packets comes here from now on, or all again.
    pub(in crate::engine) fn set_sampled(&mut self, sampled: bool) {
        self.reception.set_thin(sampled);
    }

    /// Takes into account what the kernel has relayed since the last time.
    pub(in crate::engine) fn credit(&mut self) {
        let counters = &self.counters;
        let (received, sent) = (counters.kernel_received.get(), counters.kernel_sent.get());
        let more = received.saturating_sub(counters.kernel_credited.get());
        if more > 0 {
            self.reception.credit(u32::try_from(more).unwrap_or(u32::MAX));
            counters.received(&self.reception);
            counters.kernel_credited.set(received);
        }
        let more = sent.saturating_sub(std::mem::replace(&mut self.kernel_sent, sent));
        if more > 0 {
            self.out.count_elsewhere(more, self.payload_length().unwrap_or(0));
        }
    }
}
