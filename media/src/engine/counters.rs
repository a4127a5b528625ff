//! Counters of a port: written by its thread alone, read by anyone.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::api::PortCounters;

/// A number with one writer: a plain load and store, no locked instruction.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    /// One more. Only the owning thread may call this.
    #[inline]
    pub(super) fn bump(&self) {
        self.0.store(self.0.load(Relaxed).wrapping_add(1), Relaxed);
    }

    #[inline]
    pub(super) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) received: Count,
    pub(super) sent: Count,
    pub(super) lost: Count,
    pub(super) dropped: Count,
    pub(super) strangers: Count,
    pub(super) srtp_failures: Count,
    pub(super) send_errors: Count,
    pub(super) events_dropped: Count,
    pub(super) rtcp_received: Count,
    pub(super) rtcp_sent: Count,
    pub(super) jitter_us: Count,
    pub(super) remote_lost: Count,
    pub(super) round_trip_us: Count,
}

impl Counters {
    pub(super) fn snapshot(&self) -> PortCounters {
        PortCounters {
            received: self.received.get(),
            sent: self.sent.get(),
            lost: self.lost.get(),
            dropped: self.dropped.get(),
            strangers: self.strangers.get(),
            srtp_failures: self.srtp_failures.get(),
            send_errors: self.send_errors.get(),
            events_dropped: self.events_dropped.get(),
            rtcp_received: self.rtcp_received.get(),
            rtcp_sent: self.rtcp_sent.get(),
            jitter_us: self.jitter_us.get(),
            remote_lost: self.remote_lost.get(),
            round_trip_us: self.round_trip_us.get(),
        }
    }
}
