//! Everything a port does to packets. No socket, no clock: the worker hands in both.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::api::{
    PlayEnd, Playback, PortEvent, PortEventKind, PortId, RecordEnd, Recording, StreamConfig,
};
use super::counters::Counters;
use super::play::{MAX_FRAME, Player, Step};
use super::record::Recorder;
use crate::codec::Codec;
use crate::dtmf::{Digit, EventReceiver, EventSender, KeyEvent};
use crate::latch::Latch;
use crate::relay::{OutStream, Source};
use crate::rtcp::{self, MAX_REPORT, Reception, SenderInfo};
use crate::rtp::{self, HEADER_LEN, Header};
use crate::srtp::{SrtpSession, Unprotected};

/// A packet being worked on; longer than any packet by the room an SRTP tag needs.
pub(super) type Buffer = [u8; 2048];

/// Time between our RTCP reports (RFC 3550 §6.2 asks for five seconds at least).
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// Comfort noise (RFC 3389, static payload type of RFC 3551).
const COMFORT_NOISE: u8 = 13;

/// One side of a call: its peer, its streams in both directions, and what runs on it.
pub(super) struct Leg {
    id: PortId,
    events: mpsc::Sender<PortEvent>,
    pub(super) counters: Arc<Counters>,
    /// Something happened that the worker looks after: `moved`, or a need for ticks.
    pub(super) attention: bool,
    /// The peer's address changed, or became certain.
    pub(super) moved: bool,
    stream: Option<Box<StreamConfig>>,
    latch: Latch,
    rtcp_latch: Latch,
    out: OutStream,
    reception: Reception,
    sender_ssrc: u32,
    keys: EventReceiver,
    srtp: Option<Box<SrtpSession>>,
    player: Option<Box<Player>>,
    digits: Option<Box<EventSender>>,
    recorder: Option<Box<Recorder>>,
    runs: u32,
    last_received: Instant,
    silence_told: bool,
    no_media_after: Duration,
    next_report: Instant,
    cname: [u8; 16],
}

/// What a payload type means on a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Audio(Codec),
    Event,
    Noise,
}

/// A packet that came in and may go out on the other side. The payload is still in the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Media {
    kind: Kind,
    marker: bool,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: Range<usize>,
}

fn random_stream() -> OutStream {
    OutStream::new(rand::random(), rand::random(), rand::random())
}

/// A name that says nothing about us (RFC 7022 §4.2), in hexadecimal.
fn random_name() -> [u8; 16] {
    rand::random::<[u8; 16]>().map(|b| b"0123456789abcdef"[usize::from(b & 15)])
}

impl Leg {
    pub(super) fn new(
        now: Instant,
        id: PortId,
        events: mpsc::Sender<PortEvent>,
        counters: Arc<Counters>,
        no_media_after: Duration,
    ) -> Self {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Self {
            id,
            events,
            counters,
            attention: false,
            moved: false,
            stream: None,
            latch: Latch::new(nowhere),
            rtcp_latch: Latch::new(nowhere),
            out: random_stream(),
            reception: Reception::default(),
            sender_ssrc: 0,
            keys: EventReceiver::default(),
            srtp: None,
            player: None,
            digits: None,
            recorder: None,
            runs: 0,
            last_received: now,
            silence_told: false,
            no_media_after,
            // Legs opened together do not report together.
            next_report: now + REPORT_INTERVAL.mul_f32(0.5 + rand::random::<f32>() * 0.5),
            cname: random_name(),
        }
    }

    pub(super) fn id(&self) -> PortId {
        self.id
    }

    /// Where RTP goes; `None` before the first answer, and for a peer that gave no address.
    pub(super) fn target(&self) -> Option<SocketAddr> {
        self.stream.as_ref()?;
        Some(self.latch.target()).filter(is_somewhere)
    }

    /// The only address RTP can ever come from, once that is certain.
    pub(super) fn only_peer(&self) -> Option<SocketAddr> {
        self.target().filter(|_| self.latch.is_final())
    }

    /// Where RTCP goes, and whether through the RTP socket.
    pub(super) fn rtcp_target(&self) -> Option<(SocketAddr, bool)> {
        let mux = self.stream.as_ref()?.rtcp_mux;
        let target = if mux { self.latch.target() } else { self.rtcp_latch.target() };
        Some((target, mux)).filter(|(target, _)| is_somewhere(target))
    }

    /// Whether the worker must call [`Self::poll`] on its fast grid.
    pub(super) fn wants_ticks(&self) -> bool {
        self.player.is_some()
            || self.digits.is_some()
            || self.recorder.is_some()
            || self.keys.is_down()
    }

    fn tell(&self, kind: PortEventKind) {
        if self.events.try_send(PortEvent { port: self.id, kind }).is_err() {
            self.counters.events_dropped.bump();
        }
    }

    // What signalling says.

    pub(super) fn set_stream(&mut self, now: Instant, stream: Box<StreamConfig>) {
        let old = self.stream.take();
        let rx = |s: &StreamConfig| s.srtp.as_ref().map(|keys| keys.rx.clone());
        let same_peer = old
            .as_ref()
            .is_some_and(|old| old.remote_rtp == stream.remote_rtp && rx(old) == rx(&stream));
        if !same_peer {
            self.latch = Latch::new(stream.remote_rtp);
            self.last_received = now;
            self.silence_told = false;
        }
        let rtcp = stream.remote_rtcp.unwrap_or_else(|| {
            // RFC 3550 §11: the next higher port.
            let mut next = stream.remote_rtp;
            next.set_port(next.port().checked_add(1).unwrap_or(0));
            next
        });
        if !same_peer || rtcp != self.rtcp_latch.announced() {
            self.rtcp_latch = Latch::new(rtcp);
        }
        let was = old.map(|old| (old.send, old.receive));
        if stream.receive && was.is_none_or(|(_, receive)| !receive) {
            self.last_received = now;
            self.silence_told = false;
        }
        if stream.send && was.is_none_or(|(send, _)| !send) {
            // What was not sent while held is no loss.
            self.out.forget_source();
        }
        self.set_keys(&stream);
        if let Some(player) = &mut self.player {
            player.retune(stream.codec, stream.ptime_ms);
        }
        self.stream = Some(stream);
        self.moved |= !same_peer;
    }

    fn set_keys(&mut self, stream: &StreamConfig) {
        let Some(keys) = &stream.srtp else {
            self.srtp = None;
            return;
        };
        if let Some(session) = &mut self.srtp {
            if session.rekey(keys.clone()).is_none() {
                self.srtp = None;
            }
            return;
        }
        if self.out.sent().0 != 0 {
            // A key that was used before on this SSRC would start its counter again: a keystream
            // used twice (RFC 3711 §9.1). Another SSRC rules that out.
            self.out = random_stream();
        }
        self.srtp = SrtpSession::new(keys.clone()).map(Box::new);
    }

    pub(super) fn play(&mut self, now: Instant, playback: Playback) {
        self.end_play(PlayEnd::Stopped);
        let (codec, ptime) =
            self.stream.as_ref().map_or((Codec::Pcmu, 20), |s| (s.codec, s.ptime_ms));
        self.runs = self.runs.wrapping_add(1);
        self.player = Some(Box::new(Player::new(now, playback, codec, ptime, self.runs)));
    }

    pub(super) fn end_play(&mut self, by: PlayEnd) {
        if let Some(player) = self.player.take() {
            self.tell(PortEventKind::PlayEnded { id: player.id, by });
        }
    }

    pub(super) fn record(&mut self, now: Instant, recording: Recording) {
        self.end_record(now, RecordEnd::Stopped);
        self.recorder = Some(Box::new(Recorder::new(now, recording)));
    }

    pub(super) fn end_record(&mut self, now: Instant, by: RecordEnd) {
        if let Some(recorder) = self.recorder.take() {
            let taken = recorder.finish(now, by);
            self.tell(PortEventKind::RecordEnded {
                id: taken.id,
                by: taken.by,
                duration: taken.duration,
                speech: taken.speech,
            });
        }
    }

    pub(super) fn send_digits(
        &mut self,
        now: Instant,
        digits: &[Digit],
        tone: Duration,
        gap: Duration,
    ) {
        if self.digits.is_none() {
            self.digits = Some(Box::default());
            // A sender counts from zero: to the stream it is a new source.
            self.runs = self.runs.wrapping_add(1);
        }
        if let Some(sender) = &mut self.digits {
            sender.queue(now, digits, tone, gap);
        }
    }

    // Packets in.

    /// Takes an RTP datagram in `buffer[..length]`. What may be relayed comes back, its payload
    /// plain and in the buffer.
    #[inline]
    pub(super) fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        buffer: &mut Buffer,
        length: usize,
    ) -> Option<Media> {
        let Some(stream) = &self.stream else {
            self.counters.dropped.bump();
            return None;
        };
        if !self.latch.admits(from) {
            self.counters.strangers.bump();
            return None;
        }
        let (secured, listening) = (stream.srtp.is_some(), stream.receive);
        let length = if secured { self.unprotect(buffer, length, false)? } else { length };
        let parsed = buffer.get(..length).and_then(rtp::parse);
        let classified = parsed.and_then(|view| {
            Some((stream_kind(self.stream.as_deref()?, view.payload_type)?, view))
        });
        let Some((kind, view)) = classified else {
            self.counters.dropped.bump();
            return None;
        };
        if self.latch.confirm(from) {
            (self.attention, self.moved) = (true, true);
            self.tell(PortEventKind::FirstPacket { from });
        }
        self.count(now, kind, &view);
        if !listening {
            self.counters.dropped.bump();
            return None;
        }
        let payload = buffer.get(view.payload.clone())?;
        match kind {
            Kind::Audio(codec) => {
                if let Some(recorder) = &mut self.recorder {
                    recorder.audio(now, view.ssrc, view.timestamp, codec, payload);
                }
            }
            Kind::Event => self.receive_event(now, &view, payload),
            Kind::Noise => {}
        }
        Some(Media {
            kind,
            marker: view.marker,
            sequence: view.sequence,
            timestamp: view.timestamp,
            ssrc: view.ssrc,
            payload: view.payload,
        })
    }

    fn unprotect(&mut self, buffer: &mut Buffer, length: usize, rtcp: bool) -> Option<usize> {
        let outcome = match (&mut self.srtp, buffer.get_mut(..length)) {
            (Some(session), Some(packet)) if rtcp => session.unprotect_rtcp(packet),
            (Some(session), Some(packet)) => session.unprotect_rtp(packet),
            _ => Unprotected::Refused { tell: false },
        };
        match outcome {
            Unprotected::Plain(length) => Some(length),
            Unprotected::Refused { tell } => {
                self.counters.srtp_failures.bump();
                if tell {
                    self.tell(PortEventKind::SrtpFailed);
                }
                None
            }
        }
    }

    #[inline]
    fn count(&mut self, now: Instant, kind: Kind, view: &rtp::RtpView) {
        if view.ssrc != self.sender_ssrc {
            self.sender_ssrc = view.ssrc;
            if let Some(release) = self.keys.reset() {
                self.on_key(now, release);
            }
        }
        self.counters.received.bump();
        self.last_received = now;
        self.silence_told = false;
        let timestamp = matches!(kind, Kind::Audio(_)).then_some(view.timestamp);
        self.reception.receive(now, view.ssrc, view.sequence, timestamp);
        self.counters.lost.set(self.reception.lost());
        self.counters.jitter_us.set(u64::from(self.reception.jitter()) * 125);
    }

    fn receive_event(&mut self, now: Instant, view: &rtp::RtpView, payload: &[u8]) {
        // At most three: the release of a key before, a press, its release.
        let mut heard = [None; 3];
        let mut room = heard.iter_mut();
        self.keys.receive(now, view.marker, view.timestamp, payload, |event| {
            if let Some(slot) = room.next() {
                *slot = Some(event);
            }
        });
        for event in heard.into_iter().flatten() {
            self.on_key(now, event);
        }
        self.attention |= self.keys.is_down();
    }

    fn on_key(&mut self, now: Instant, event: KeyEvent) {
        match event {
            KeyEvent::Pressed(digit, timestamp) => {
                if self.player.as_ref().is_some_and(|p| p.stop_on.contains(digit)) {
                    self.end_play(PlayEnd::Digit(digit));
                }
                let end = self.recorder.as_mut().and_then(|r| r.pressed(digit, timestamp));
                if let Some(by) = end {
                    self.end_record(now, by);
                }
            }
            KeyEvent::Released(digit, ticks) => {
                if let Some(recorder) = &mut self.recorder {
                    recorder.released(ticks);
                }
                let duration = Duration::from_micros(u64::from(ticks) * 125);
                self.tell(PortEventKind::Digit { digit, duration });
            }
        }
    }

    /// Takes an RTCP datagram in `buffer[..length]`, from its own port or (`mux`) the RTP port.
    pub(super) fn receive_rtcp(
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
            let Some(length) = self.unprotect(buffer, length, true) else { return };
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
        if let Some(lost) = feedback.lost {
            self.counters.remote_lost.set(u64::from(lost));
        }
        if let Some(round_trip) = feedback.round_trip {
            self.counters.round_trip_us.set(u64::from(round_trip) * 1_000_000 / 65_536);
        }
    }

    // Packets out.

    /// Turns a packet that `self`'s partner received into one for our peer, in place. Returns where
    /// in the buffer it lies; `None` when we may not or cannot send it.
    #[inline]
    pub(super) fn relay(
        &mut self,
        now: Instant,
        media: &Media,
        buffer: &mut Buffer,
    ) -> Option<Range<usize>> {
        let stream = self.stream.as_deref()?;
        if !stream.send || self.player.is_some() || self.digits.is_some() {
            return None;
        }
        let payload_type = match media.kind {
            Kind::Audio(codec) => {
                if let Some(table) = codec.conversion(stream.codec) {
                    for byte in buffer.get_mut(media.payload.clone())? {
                        *byte = table[usize::from(*byte)];
                    }
                }
                stream.send_pt
            }
            Kind::Event => stream.telephone_event?.send_pt,
            Kind::Noise if stream.comfort_noise => COMFORT_NOISE,
            Kind::Noise => return None,
        };
        let source = Source::Relay(media.ssrc);
        let numbers = (media.sequence, media.timestamp);
        self.seal(now, source, numbers, media.marker, payload_type, buffer, media.payload.clone())
    }

    /// Writes the header before the payload and encrypts on a secured leg.
    #[inline]
    #[allow(clippy::too_many_arguments)]
    fn seal(
        &mut self,
        now: Instant,
        source: Source,
        (sequence, timestamp): (u16, u32),
        marker: bool,
        payload_type: u8,
        buffer: &mut Buffer,
        payload: Range<usize>,
    ) -> Option<Range<usize>> {
        let place = self.out.place(now, source, sequence, timestamp)?;
        let header = Header {
            marker: marker || place.first,
            payload_type,
            sequence: place.sequence,
            timestamp: place.timestamp,
            ssrc: self.out.ssrc(),
        };
        let at = header.write_before(buffer, &payload)?;
        self.out.count(payload.len());
        if self.stream.as_ref().is_some_and(|s| s.srtp.is_some()) {
            // Without a session nothing is sent: never plain on a secured leg.
            return self.srtp.as_mut()?.protect_rtp(buffer, at);
        }
        Some(at)
    }

    /// Makes the next packet of ours that is due. Call until `None`.
    pub(super) fn poll(&mut self, now: Instant, buffer: &mut Buffer) -> Option<Range<usize>> {
        loop {
            if let Some(sender) = &mut self.digits {
                let packet = sender.poll(now);
                if sender.is_idle() {
                    self.digits = None;
                    self.tell(PortEventKind::DigitsSent);
                }
                if let Some(packet) = packet {
                    let stream = self.stream.as_deref().filter(|s| s.send);
                    let Some(events) = stream.and_then(|s| s.telephone_event) else { continue };
                    let payload = put(buffer, &packet.payload)?;
                    return self.seal(
                        now,
                        Source::Digits(self.runs),
                        (packet.sequence, packet.timestamp),
                        packet.marker,
                        events.send_pt,
                        buffer,
                        payload,
                    );
                }
            }
            let mut frame = [0; MAX_FRAME];
            match self.player.as_mut()?.poll(now, &mut frame) {
                Step::Wait => return None,
                Step::End => {
                    self.end_play(PlayEnd::End);
                    return None;
                }
                Step::Send(made) => {
                    let stream = self.stream.as_deref().filter(|s| s.send);
                    let (Some(stream), None) = (stream, &self.digits) else {
                        // Not sent, so not counted as lost either: a new source when it goes on.
                        self.runs = self.runs.wrapping_add(1);
                        if let Some(player) = &mut self.player {
                            player.run = self.runs;
                        }
                        continue;
                    };
                    let payload_type = stream.send_pt;
                    let source = Source::Play(self.player.as_ref()?.run);
                    let payload = put(buffer, frame.get(..made.length)?)?;
                    let numbers = (made.sequence, made.timestamp);
                    return self.seal(now, source, numbers, false, payload_type, buffer, payload);
                }
            }
        }
    }

    /// Ends what the clock ends. For the fast grid.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Some(release) = self.keys.handle_timeout(now) {
            self.on_key(now, release);
        }
        if let Some(by) = self.recorder.as_mut().and_then(|r| r.poll(now)) {
            self.end_record(now, by);
        }
    }

    /// Looks for silence of the network. For the slow sweep.
    pub(super) fn sweep(&mut self, now: Instant) {
        let silent_for = now.saturating_duration_since(self.last_received);
        let expected = self.stream.as_ref().is_some_and(|s| s.receive) && self.target().is_some();
        if expected && !self.silence_told && silent_for >= self.no_media_after {
            self.silence_told = true;
            self.tell(PortEventKind::NoMedia { silent_for });
        }
    }

    /// Makes our RTCP report when it is due, in `buffer[..n]`.
    pub(super) fn report(&mut self, now: Instant, ntp: u64, buffer: &mut Buffer) -> Option<usize> {
        if now < self.next_report {
            return None;
        }
        self.next_report = now + REPORT_INTERVAL;
        let secured = self.stream.as_ref()?.srtp.is_some();
        let sender = self.out.timestamp_at(now).map(|timestamp| {
            let (packets, octets) = self.out.sent();
            SenderInfo { ntp, timestamp, packets, octets }
        });
        let mut report = [0; MAX_REPORT];
        let ssrc = self.out.ssrc();
        let n =
            rtcp::write_report(now, &mut report, ssrc, &self.cname, sender, &mut self.reception);
        buffer.get_mut(..n)?.copy_from_slice(report.get(..n)?);
        if secured { self.srtp.as_mut()?.protect_rtcp(buffer, n) } else { Some(n) }
    }
}

/// What a payload type means. Both static G.711 types are always understood: a peer may send any
/// codec of its answer (RFC 3264 §7), and some send the other one regardless.
#[inline]
fn stream_kind(stream: &StreamConfig, payload_type: u8) -> Option<Kind> {
    if payload_type == stream.recv_pt {
        return Some(Kind::Audio(stream.codec));
    }
    if stream.telephone_event.is_some_and(|events| events.recv_pt == payload_type) {
        return Some(Kind::Event);
    }
    if payload_type == COMFORT_NOISE {
        return Some(Kind::Noise);
    }
    Codec::from_static_payload_type(payload_type).map(Kind::Audio)
}

fn is_somewhere(addr: &SocketAddr) -> bool {
    addr.port() != 0 && !addr.ip().is_unspecified()
}

fn put(buffer: &mut Buffer, payload: &[u8]) -> Option<Range<usize>> {
    let range = HEADER_LEN..HEADER_LEN + payload.len();
    buffer.get_mut(range.clone())?.copy_from_slice(payload);
    Some(range)
}

/// The middle 32 bits of an NTP time, as LSR has them.
fn middle(ntp: u64) -> u32 {
    ((ntp >> 16) & 0xffff_ffff) as u32
}

#[cfg(test)]
mod tests;
