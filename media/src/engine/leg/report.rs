//! RTCP of a leg: what we tell the peer, and what we learn from it.

use std::net::SocketAddr;
use std::time::Instant;

use super::{Buffer, Leg};
use crate::quality;
use crate::rtcp::{self, Extended, Feedback, MAX_REPORT, Schedule, SenderInfo, VoipMetrics};

/// A mean that grows.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: u64,
    of: u64,
}

impl Mean {
    fn add(&mut self, value: u64) -> u64 {
        self.sum = self.sum.saturating_add(value);
        self.of += 1;
        self.sum / self.of
    }
}

/// What a leg knows for its reports, and from those of its peer.
pub(super) struct Reporter {
    schedule: Schedule,
    cname: [u8; 16],
    /// A source of ours that is no more, which nobody was told yet.
    former: Option<u32>,
    /// The peer's reference time (RFC 3611 §4.4): its SSRC, the middle of the time, when it came.
    reference: Option<(u32, u32, Instant)>,
    /// Packets that were sent and lost under SSRCs before this one, and under this one.
    before: (u64, u64),
    present: (u64, u64),
    jitter: Mean,
    round_trip: Mean,
}

impl Reporter {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            schedule: Schedule::new(now, rand::random()),
            cname: random_name(),
            former: None,
            reference: None,
            before: (0, 0),
            present: (0, 0),
            jitter: Mean::default(),
            round_trip: Mean::default(),
        }
    }

    /// We go on under another SSRC: the peer is told soon (RFC 3550 §6.6).
    pub(super) fn leave(&mut self, ssrc: u32) {
        self.former = Some(ssrc);
        let (sent, lost) = std::mem::take(&mut self.present);
        self.before = (self.before.0 + sent, self.before.1 + lost);
        self.schedule.begin_anew();
    }
}

/// A name that says nothing about us (RFC 7022 §4.2), in hexadecimal.
fn random_name() -> [u8; 16] {
    rand::random::<[u8; 16]>().map(|b| b"0123456789abcdef"[usize::from(b & 15)])
}

/// The middle 32 bits of an NTP time, as LSR has them.
fn middle(ntp: u64) -> u32 {
    ((ntp >> 16) & 0xffff_ffff) as u32
}

impl Leg {
    /// Makes our RTCP report when it is due, in `buffer[..n]`.
    pub(in crate::engine) fn report(
        &mut self,
        now: Instant,
        ntp: u64,
        buffer: &mut Buffer,
    ) -> Option<usize> {
        if !self.reporter.schedule.is_due(now, rand::random()) {
            return None;
        }
        self.compound(now, ntp, buffer, false)
    }

    /// Makes our last report, which says that we leave. Who never said anything leaves in silence
    /// (RFC 3550 §6.3.7).
    pub(in crate::engine) fn goodbye(
        &mut self,
        now: Instant,
        ntp: u64,
        buffer: &mut Buffer,
    ) -> Option<usize> {
        let spoke = self.out.sent().0 != 0 || self.counters.rtcp_sent.get() != 0;
        if spoke { self.compound(now, ntp, buffer, true) } else { None }
    }

    fn compound(
        &mut self,
        now: Instant,
        ntp: u64,
        buffer: &mut Buffer,
        leaving: bool,
    ) -> Option<usize> {
        let stream = self.stream.as_deref()?;
        let (secured, wishes) = (stream.srtp.is_some(), stream.rtcp_xr);
        let (packets, octets) = self.out.sent();
        let speaks = self.reporter.schedule.as_sender(packets);
        let timestamp = self.out.timestamp_at(now).filter(|_| speaks);
        let sender = timestamp.map(|timestamp| SenderInfo { ntp, timestamp, packets, octets });
        let ssrc = self.out.ssrc();
        let mut report = [0; MAX_REPORT];
        let cname = &self.reporter.cname;
        let mut n = rtcp::write_report(now, &mut report, ssrc, cname, sender, &mut self.reception);
        if wishes.any() {
            let extended = self.extended(now, ntp, sender.is_some());
            n += rtcp::write_xr(report.get_mut(n..)?, ssrc, &extended);
        }
        let gone = [self.reporter.former.take(), leaving.then_some(ssrc)];
        for ssrc in gone.into_iter().flatten() {
            n += rtcp::write_bye(report.get_mut(n..)?, ssrc);
        }
        buffer.get_mut(..n)?.copy_from_slice(report.get(..n)?);
        if secured { self.srtp.as_mut()?.protect_rtcp(buffer, n) } else { Some(n) }
    }

    /// What a peer with `a=rtcp-xr` is told besides.
    fn extended(&self, now: Instant, ntp: u64, sends: bool) -> Extended {
        let Some(stream) = self.stream.as_deref() else { return Extended::default() };
        let wishes = stream.rtcp_xr;
        let delay = self.reporter.reference.map(|(ssrc, last, at)| {
            (ssrc, last, rtcp::short_ntp(now.saturating_duration_since(at)))
        });
        let heard = self.reception.ssrc().filter(|_| wishes.voip_metrics);
        Extended {
            // A sender report says the time too.
            reference: (wishes.round_trip && !sends).then_some(ntp),
            delay: delay.filter(|_| wishes.round_trip),
            voip: heard.map(|ssrc| self.voip_metrics(ssrc, stream.ptime_ms)),
        }
    }

    /// What RFC 3611 §4.7 asks of a listener. We judge for whoever listens behind us.
    fn voip_metrics(&self, ssrc: u32, ptime_ms: u16) -> VoipMetrics {
        let counters = self.counters.snapshot();
        let counted = (self.reception.lost(), self.reception.expected());
        let mut metrics = VoipMetrics::of_losses(ssrc, self.reception.losses(), counted, ptime_ms);
        let codec = self.stream.as_ref().map(|stream| stream.codec);
        let path = codec.and_then(|codec| quality::received(&counters, codec, ptime_ms));
        metrics.round_trip_ms = u16::try_from(counters.round_trip_us / 1000).unwrap_or(u16::MAX);
        if let Some(path) = path {
            // Within 0 to 100, and 10 to 45.
            let tenths = |r: f64| (quality::mos(r) * 10.0).round() as u8;
            metrics.r_factor = path.r_factor().round() as u8;
            metrics.mos_lq = tenths(path.listening_r_factor());
            metrics.mos_cq = tenths(path.r_factor());
        }
        metrics
    }

    /// Takes an RTCP datagram in `buffer[..length]`, from its own port or (`mux`) the RTP port.
    pub(in crate::engine) fn receive_rtcp(
        &mut self,
        now: Instant,
        ntp: u64,
        from: SocketAddr,
        mux: bool,
        buffer: &mut Buffer,
        length: usize,
    ) {
        let Some(stream) = self.stream.as_ref().filter(|s| s.rtcp_mux || !mux) else {
            self.counters.dropped.bump();
            return;
        };
        let known_host = [self.latch.target().ip(), self.rtcp_latch.announced().ip()];
        let latch = if mux { &self.latch } else { &self.rtcp_latch };
        if !latch.admits(from) || !known_host.contains(&from.ip()) {
            self.counters.strangers.bump();
            return;
        }
        let length = if stream.srtp.is_some() {
            let Some(length) = self.unprotect(now, Some(from), buffer, length, true) else {
                return;
            };
            length
        } else {
            length
        };
        let packet = buffer.get(..length).unwrap_or_default();
        let ssrc = self.out.ssrc();
        let Some(feedback) = rtcp::receive(now, middle(ntp), ssrc, packet, &mut self.reception)
        else {
            self.counters.dropped.bump();
            return;
        };
        if !mux {
            self.rtcp_latch.confirm(from);
        }
        self.counters.rtcp_received.bump();
        self.heed(now, &feedback);
    }

    /// Keeps what the peer's report says of us.
    fn heed(&mut self, now: Instant, feedback: &Feedback) {
        let (reporter, counters) = (&mut self.reporter, &self.counters);
        if let Some(lost) = feedback.lost {
            reporter.present = (self.out.sent().0.into(), lost.into());
            counters.remote_expected.set(reporter.before.0 + reporter.present.0);
            counters.remote_lost.set(reporter.before.1 + reporter.present.1);
        }
        if let Some(ticks) = feedback.jitter {
            let us = u64::from(ticks) * 1_000_000 / u64::from(self.out.clock().max(1));
            counters.remote_jitter_us.set(reporter.jitter.add(us));
        }
        if let Some(round_trip) = feedback.round_trip {
            let us = u64::from(round_trip) * 1_000_000 / 65_536;
            counters.round_trip_us.set(reporter.round_trip.add(us.max(1)));
        }
        if let Some(ntp) = feedback.extended.reference {
            reporter.reference = Some((feedback.ssrc, middle(ntp), now));
        }
        if let Some(voip) = feedback.extended.voip {
            let sent = counters.remote_expected.get();
            counters.remote_discarded.set(sent * u64::from(voip.discard) / 256);
            counters.remote_delay_ms.set(voip.end_system_ms.into());
        }
    }
}
