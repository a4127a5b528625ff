//! Counters of a port: written by its thread alone, read by anyone.

use std::mem::offset_of;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::api::PortCounters;
use crate::ahead::fetch;
use crate::rtcp::Reception;

/// A number with one writer: a plain load and store, no locked instruction.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// One more. Only the owning thread may call this.
    #[inline]
    pub(super) fn bump(&self) {
        self.0.store(self.0.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// So many more. Only the owning thread may call this.
    pub(crate) fn add(&self, more: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    #[inline]
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// In this order in memory: the first eight are written with every packet, and are one line of the
/// processor's cache.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Counters {
    pub(super) received: Count,
    pub(super) sent: Count,
    pub(super) lost: Count,
    pub(super) expected: Count,
    pub(super) loss_runs: Count,
    pub(super) losses: Count,
    /// Sum of what packets deviated, and how many.
    pub(super) deviation_us: Count,
    pub(super) deviations: Count,
    pub(super) dropped: Count,
    pub(super) strangers: Count,
    pub(super) srtp_failures: Count,
    pub(super) send_errors: Count,
    pub(super) events_dropped: Count,
    pub(super) rtcp_received: Count,
    pub(super) rtcp_sent: Count,
    pub(super) remote_expected: Count,
    pub(super) remote_lost: Count,
    pub(super) remote_discarded: Count,
    pub(super) remote_jitter_us: Count,
    pub(super) remote_delay_ms: Count,
    pub(super) round_trip_us: Count,
    /// What the kernel relayed, written by the thread that looks after it: of this port's peer, and to
    /// him; and whether it does.
    pub(crate) kernel_received: Count,
    pub(crate) kernel_sent: Count,
    pub(crate) in_kernel: Count,
    /// Of the former, what `lost` takes into account.
    pub(super) kernel_credited: Count,
}

impl Counters {
    /// Has the processor fetch what each packet touches.
    #[inline]
    pub(super) fn foresee(&self) {
        fetch(&self.received, offset_of!(Self, dropped));
    }

    /// What is known of the peer's packets, after each.
    #[inline]
    pub(super) fn received(&self, reception: &Reception) {
        self.lost.set(reception.lost());
        self.expected.set(reception.expected());
        self.loss_runs.set(reception.losses().runs().into());
        self.losses.set(reception.losses().count().into());
        let (us, packets) = reception.deviation();
        self.deviation_us.set(us);
        self.deviations.set(packets);
    }

    pub(super) fn snapshot(&self) -> PortCounters {
        let kernel = self.kernel_received.get();
        let uncredited = kernel.saturating_sub(self.kernel_credited.get());
        PortCounters {
            received: self.received.get() + kernel,
            sent: self.sent.get() + self.kernel_sent.get(),
            received_in_kernel: kernel,
            lost: self.lost.get().saturating_sub(uncredited),
            expected: self.expected.get(),
            loss_runs: self.loss_runs.get(),
            losses: self.losses.get(),
            dropped: self.dropped.get(),
            strangers: self.strangers.get(),
            srtp_failures: self.srtp_failures.get(),
            send_errors: self.send_errors.get(),
            events_dropped: self.events_dropped.get(),
            rtcp_received: self.rtcp_received.get(),
            rtcp_sent: self.rtcp_sent.get(),
            jitter_us: self.deviation_us.get().checked_div(self.deviations.get()).unwrap_or(0),
            remote_expected: self.remote_expected.get(),
            remote_lost: self.remote_lost.get(),
            remote_discarded: self.remote_discarded.get(),
            remote_jitter_us: self.remote_jitter_us.get(),
            remote_delay_ms: self.remote_delay_ms.get(),
            round_trip_us: self.round_trip_us.get(),
        }
    }
}
