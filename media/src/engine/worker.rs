//! A media thread: an epoll, a slab of ports, one packet buffer.

use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant, SystemTime};

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, epoll, eventfd};

use super::api::{PlayEnd, Playback, PortId, RecordEnd, Recording, StreamConfig};
use super::leg::{Buffer, Leg, Media, Piece};
use super::timer::{Pace, Timer};
use crate::dtmf::Digit;
use crate::rtp;

/// Epoll tokens that are no port.
const WAKE: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;

/// Events taken from the kernel at once.
const BATCH: usize = 128;

/// Most packets heard out when a recording is stopped: five seconds that a slow thread is behind.
const BACKLOG: usize = 256;

/// How often each port is looked at for reports and silence, and in how many portions.
const SWEEP: Duration = Duration::from_millis(100);
const SWEEPS: usize = 10;

/// Something to do for one port.
pub(super) enum Order {
    SetStream(Box<StreamConfig>),
    Play(Playback),
    StopPlay,
    Record(Recording),
    StopRecord,
    SendDigits(Vec<Digit>, Duration, Duration),
    /// With the other port, which this thread has or expects.
    Bridge(PortId),
    Unbridge,
    /// Its own partner: an echo.
    Echo,
    /// Hand it to another thread, which expects it.
    Move(Remote),
    Close,
}

/// What is said to a thread.
pub(super) enum Command {
    /// A new or moved port.
    Adopt(Box<Port>),
    /// A port will come from another thread: keep its orders until then.
    Expect(PortId),
    Port(PortId, Order),
    Stop,
}

/// How to reach a thread.
#[derive(Clone)]
pub(super) struct Remote {
    commands: Sender<Command>,
    wake: Arc<OwnedFd>,
}

impl Remote {
    /// Hands over a command. One to a thread that has stopped is dropped.
    pub(super) fn send(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            // Fails only when the counter is at its limit: then the thread is being woken anyway.
            let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        }
    }
}

/// A leg and its sockets.
pub(super) struct Port {
    leg: Leg,
    rtp: UdpSocket,
    rtcp: UdpSocket,
    /// The RTP socket is connected to the peer: the kernel filters strangers and keeps the route.
    connected: bool,
    /// Slot of the other leg.
    partner: Option<usize>,
    /// On the fast grid.
    active: bool,
}

impl Port {
    pub(super) fn new(leg: Leg, rtp: UdpSocket, rtcp: UdpSocket) -> Self {
        Self { leg, rtp, rtcp, connected: false, partner: None, active: false }
    }

    #[inline]
    fn transmit(&self, packet: &[u8]) {
        let send = || {
            if self.connected {
                return self.rtp.send(packet);
            }
            match self.leg.target() {
                Some(target) => self.rtp.send_to(packet, target),
                None => Err(io::ErrorKind::AddrNotAvailable.into()),
            }
        };
        let result = match send() {
            // An ICMP error for an earlier packet; this one has not been sent yet.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => send(),
            result => result,
        };
        match result {
            Ok(_) => self.leg.counters.sent.bump(),
            Err(_) => self.leg.counters.send_errors.bump(),
        }
    }

    /// Follows the leg's latch with the socket.
    fn retarget(&mut self) {
        match self.leg.only_peer() {
            Some(peer) => self.connected = self.rtp.connect(peer).is_ok(),
            None if self.connected => {
                self.connected = rustix::net::connect_unspec(&self.rtp).is_err();
            }
            None => {}
        }
    }

    fn poll(&mut self, now: Instant, buffer: &mut Buffer) {
        self.leg.handle_timeout(now);
        while let Some(at) = self.leg.poll(now, buffer) {
            self.transmit(buffer.get(at).unwrap_or_default());
        }
    }

    fn report(&mut self, now: Instant, buffer: &mut Buffer) {
        let Some((target, mux)) = self.leg.rtcp_target() else { return };
        let Some(n) = self.leg.report(now, ntp_now(), buffer) else { return };
        let packet = buffer.get(..n).unwrap_or_default();
        let result = match (mux, self.connected) {
            (true, true) => self.rtp.send(packet),
            (true, false) => self.rtp.send_to(packet, target),
            (false, _) => self.rtcp.send_to(packet, target),
        };
        if result.is_ok() {
            self.leg.counters.rtcp_sent.bump();
        }
    }
}

/// Wall clock as NTP: seconds since 1900 in the upper half (RFC 3550 §4).
fn ntp_now() -> u64 {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = unix.as_secs().wrapping_add(2_208_988_800) & 0xffff_ffff;
    (seconds << 32) | ((u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000)
}

/// The thread's state.
pub(super) struct Worker {
    epoll: OwnedFd,
    wake: Arc<OwnedFd>,
    timer: Timer,
    commands: Receiver<Command>,
    slots: Vec<Option<Box<Port>>>,
    free: Vec<usize>,
    by_id: HashMap<PortId, usize>,
    expected: HashMap<PortId, Vec<Order>>,
    active: Vec<usize>,
    next_sweep: Instant,
    sweep_from: usize,
    buffer: Box<Buffer>,
    piece: Piece,
    stopping: bool,
}

impl Worker {
    /// A worker and the way to reach it.
    pub(super) fn new() -> io::Result<(Self, Remote)> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let timer = Timer::new()?;
        let flags = epoll::EventFlags::IN;
        epoll::add(&epoll, &wake, epoll::EventData::new_u64(WAKE), flags)?;
        epoll::add(&epoll, timer.fd(), epoll::EventData::new_u64(TIMER), flags)?;
        let (sender, commands) = std::sync::mpsc::channel();
        let remote = Remote { commands: sender, wake: wake.clone() };
        let worker = Self {
            epoll,
            wake,
            timer,
            commands,
            slots: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::new(),
            expected: HashMap::new(),
            active: Vec::new(),
            next_sweep: Instant::now(),
            sweep_from: 0,
            buffer: Box::new([0; 2048]),
            piece: Piece::default(),
            stopping: false,
        };
        Ok((worker, remote))
    }

    /// Works until told to stop.
    pub(super) fn run(mut self) {
        let mut events = Vec::with_capacity(BATCH);
        while !self.stopping {
            self.turn(&mut events);
        }
    }

    /// Waits for events and handles one batch.
    fn turn(&mut self, events: &mut Vec<epoll::Event>) {
        match epoll::wait(&self.epoll, spare_capacity(events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // Cannot happen with a valid epoll; without it there is nothing to do here.
            Err(_) => self.stopping = true,
        }
        let now = Instant::now();
        let (mut woken, mut ticked) = (false, false);
        for event in events.drain(..) {
            match event.data.u64() {
                WAKE => woken = true,
                TIMER => ticked = true,
                token => {
                    self.readable(now, token);
                }
            }
        }
        if ticked {
            self.timer.clear();
            self.tick(now);
        }
        if woken {
            // Read before the commands: one that comes in between wakes again.
            let _ = rustix::io::read(&*self.wake, &mut [0u8; 8]);
            while let Ok(command) = self.commands.try_recv() {
                self.command(now, command);
            }
        }
        if woken || ticked {
            self.set_pace();
        }
    }

    fn set_pace(&mut self) {
        self.timer.set(match (self.by_id.is_empty(), self.active.is_empty()) {
            (true, _) => Pace::Off,
            (false, true) => Pace::Slow,
            (false, false) => Pace::Fast,
        });
    }

    fn port(&mut self, slot: usize) -> Option<&mut Port> {
        self.slots.get_mut(slot)?.as_deref_mut()
    }

    // The hot path.

    /// Takes one datagram. False when there was none.
    #[inline]
    fn readable(&mut self, now: Instant, token: u64) -> bool {
        let slot = usize::try_from(token >> 1).unwrap_or(usize::MAX);
        let Some(port) = self.slots.get_mut(slot).and_then(|p| p.as_deref_mut()) else {
            return false;
        };
        if token & 1 == 1 {
            if let Ok((n, from)) = port.rtcp.recv_from(&mut self.buffer[..]) {
                port.leg.receive_rtcp(now, ntp_now(), from, false, &mut self.buffer, n);
            }
            return true;
        }
        let (n, from) = match port.rtp.recv_from(&mut self.buffer[..]) {
            Ok(received) => received,
            // Any other error is an ICMP answer to something we sent: noise.
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        };
        if n > rtp::MAX_PACKET {
            port.leg.counters.dropped.bump();
            return true;
        }
        if self.buffer.get(..n).is_some_and(rtp::is_rtcp) {
            port.leg.receive_rtcp(now, ntp_now(), from, true, &mut self.buffer, n);
            return true;
        }
        let media = port.leg.receive(now, from, &mut self.buffer, n);
        if let Some(media) = media {
            self.pass(now, slot, media);
        }
        if self.slots.get(slot).and_then(Option::as_deref).is_some_and(|p| p.leg.attention) {
            self.attend(slot);
            self.set_pace();
        }
        true
    }

    /// Lets the other leg have what this one received.
    #[inline]
    fn pass(&mut self, now: Instant, slot: usize, mut media: Media) {
        let partner = self.slots.get(slot).and_then(Option::as_deref).and_then(|p| p.partner);
        let far = partner.and_then(|p| self.slots.get(p)?.as_deref()?.leg.speaks());
        let Some(port) = self.slots.get_mut(slot).and_then(|p| p.as_deref_mut()) else { return };
        if !port.leg.route(now, &mut media, far, &self.buffer) {
            return;
        }
        let Some(partner) = partner else { return };
        let Some(other) = self.slots.get_mut(partner).and_then(|p| p.as_deref_mut()) else {
            return;
        };
        if let Some(at) = other.leg.relay(now, &media, &mut self.buffer) {
            other.transmit(self.buffer.get(at).unwrap_or_default());
        } else if media.is_event() {
            // It may have become a tone.
            other.poll(now, &mut self.buffer);
        }
    }

    /// Carries what a leg's ear heard since the last time to its recording and to the other leg.
    fn carry(&mut self, now: Instant, slot: usize) {
        while let Some(port) = self.port(slot) {
            let partner = port.partner;
            let mut piece = std::mem::take(&mut self.piece);
            let heard = self.port(slot).and_then(|port| port.leg.hear(now, &mut piece));
            if heard == Some(true)
                && let Some(other) = partner.and_then(|p| self.slots.get_mut(p)?.as_deref_mut())
            {
                other.leg.say(now, &piece);
                other.poll(now, &mut self.buffer);
            }
            self.piece = piece;
            if heard.is_none() {
                return;
            }
        }
    }

    /// Follows a change of a leg with its socket and with the fast grid.
    fn attend(&mut self, slot: usize) {
        let Some(port) = self.slots.get_mut(slot).and_then(|p| p.as_deref_mut()) else { return };
        port.leg.attention = false;
        if std::mem::take(&mut port.leg.moved) {
            port.retarget();
        }
        if port.leg.wants_ticks() && !port.active {
            port.active = true;
            self.active.push(slot);
        }
    }

    // The clock.

    fn tick(&mut self, now: Instant) {
        let mut active = std::mem::take(&mut self.active);
        active.retain(|&slot| {
            if self.port(slot).is_some_and(|port| port.leg.recording_is_due(now)) {
                // What this thread has not read yet is no silence of the caller.
                self.hear_out(now, slot);
            }
            self.carry(now, slot);
            let Some(port) = self.slots.get_mut(slot).and_then(|p| p.as_deref_mut()) else {
                return false;
            };
            port.poll(now, &mut self.buffer);
            port.active = port.leg.wants_ticks();
            port.active
        });
        self.active = active;
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP;
            self.sweep(now);
        }
    }

    fn sweep(&mut self, now: Instant) {
        let portion = self.slots.len().div_ceil(SWEEPS);
        for _ in 0..portion {
            self.sweep_from =
                if self.sweep_from + 1 < self.slots.len() { self.sweep_from + 1 } else { 0 };
            let slot = self.sweep_from;
            if let Some(port) = self.slots.get_mut(slot).and_then(|p| p.as_deref_mut()) {
                port.leg.sweep(now);
                port.report(now, &mut self.buffer);
            }
        }
    }

    // Commands.

    fn command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Adopt(port) => self.adopt(now, port),
            Command::Expect(id) => {
                self.expected.entry(id).or_default();
            }
            Command::Port(id, order) => self.order(now, id, order),
            Command::Stop => self.stopping = true,
        }
    }

    fn adopt(&mut self, now: Instant, mut port: Box<Port>) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let token = (slot as u64) << 1;
        let flags = epoll::EventFlags::IN;
        for (socket, token) in [(&port.rtp, token), (&port.rtcp, token | 1)] {
            // Fails only when the system is out of memory or watches: the port is deaf then, and
            // says so by NoMedia.
            let _ = epoll::add(&self.epoll, socket, epoll::EventData::new_u64(token), flags);
        }
        let id = port.leg.id();
        port.active = false;
        self.by_id.insert(id, slot);
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(port);
        }
        self.attend(slot);
        for order in self.expected.remove(&id).unwrap_or_default() {
            self.order(now, id, order);
        }
    }

    fn order(&mut self, now: Instant, id: PortId, order: Order) {
        if let Some(waiting) = self.expected.get_mut(&id) {
            waiting.push(order);
            return;
        }
        let Some(&slot) = self.by_id.get(&id) else { return };
        match order {
            Order::Bridge(other) => return self.bridge(id, slot, other),
            Order::Unbridge => return self.unbridge(slot),
            Order::Echo => {
                self.unbridge(slot);
                if let Some(port) = self.port(slot) {
                    port.partner = Some(slot);
                    port.leg.reconsider();
                }
                return;
            }
            Order::Close => {
                self.hear_out(now, slot);
                if let Some(port) = self.port(slot) {
                    port.leg.tape_rest(now);
                }
                return drop(self.remove(id, slot));
            }
            // Another recording takes the place of one that runs.
            Order::StopRecord | Order::Record(_) => self.hear_out(now, slot),
            Order::Move(to) => {
                if let Some(port) = self.remove(id, slot) {
                    let _ = epoll::delete(&self.epoll, &port.rtp);
                    let _ = epoll::delete(&self.epoll, &port.rtcp);
                    to.send(Command::Adopt(port));
                }
                return;
            }
            _ => {}
        }
        let Some(port) = self.port(slot) else { return };
        match order {
            Order::SetStream(stream) => {
                let partner = port.partner;
                if port.leg.set_stream(now, stream) {
                    port.leg.reconsider();
                    if let Some(other) = partner.and_then(|partner| self.port(partner)) {
                        other.leg.reconsider();
                    }
                }
            }
            Order::Play(playback) => port.leg.play(now, playback),
            Order::StopPlay => port.leg.end_play(PlayEnd::Stopped),
            Order::Record(recording) => port.leg.record(now, recording),
            Order::StopRecord => port.leg.end_record(now, RecordEnd::Stopped),
            Order::SendDigits(digits, tone, gap) => port.leg.send_digits(now, &digits, tone, gap),
            Order::Bridge(_) | Order::Unbridge | Order::Echo | Order::Move(_) | Order::Close => {}
        }
        self.attend(slot);
        // What was ordered starts now, not at the next tick.
        if let Some(port) = self.slots.get_mut(slot).and_then(|p| p.as_deref_mut()) {
            port.poll(now, &mut self.buffer);
        }
    }

    /// Takes what the socket already has, before a recording ends: what the caller said last must
    /// not be lost because this thread was late.
    fn hear_out(&mut self, now: Instant, slot: usize) {
        for _ in 0..BACKLOG {
            let recording = self.port(slot).is_some_and(|port| port.leg.is_recording());
            if !recording || !self.readable(now, (slot as u64) << 1) {
                return;
            }
        }
    }

    fn bridge(&mut self, id: PortId, slot: usize, other: PortId) {
        if let Some(waiting) = self.expected.get_mut(&other) {
            // Still on its way from another thread.
            return waiting.push(Order::Bridge(id));
        }
        let Some(&partner) = self.by_id.get(&other).filter(|&&partner| partner != slot) else {
            return;
        };
        self.unbridge(slot);
        self.unbridge(partner);
        for (slot, partner) in [(slot, partner), (partner, slot)] {
            if let Some(port) = self.port(slot) {
                port.partner = Some(partner);
                port.leg.reconsider();
            }
        }
    }

    fn unbridge(&mut self, slot: usize) {
        let partner = self.port(slot).and_then(|port| port.partner.take());
        if let Some(port) = self.port(slot) {
            port.leg.reconsider();
        }
        if let Some(other) = partner.and_then(|partner| self.port(partner)) {
            other.partner = None;
            other.leg.reconsider();
        }
    }

    fn remove(&mut self, id: PortId, slot: usize) -> Option<Box<Port>> {
        self.unbridge(slot);
        self.by_id.remove(&id);
        let port = self.slots.get_mut(slot)?.take()?;
        self.active.retain(|&active| active != slot);
        self.free.push(slot);
        Some(port)
    }
}

#[cfg(test)]
mod tests;
