//! A media thread: an epoll, a slab of ports, one packet buffer.

mod beats;
mod clock;
mod dtls;
mod ice;
mod kernel;
mod mixes;
mod orders;
mod packets;
mod pipes;
mod port;
mod slots;
mod webrtc;

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, epoll, eventfd};

use super::api::PortId;
use super::conference::MixId;
use super::leg::{Buffer, Piece, Speaks};
use super::mixer::Mixer;
use super::timer::{TICK, Timer};
use crate::kernel::Handle;
use crate::webrtc::Identity;

use self::beats::{Beats, Load};
pub(super) use self::mixes::MixOrder;
pub(super) use self::orders::{Command, Order, Remote};
pub(super) use self::port::Port;
use self::slots::Slots;
use self::webrtc::Router;
pub(super) use self::webrtc::{SharedSocket, WebRtc};

/// Epoll tokens that are no port.
const WAKE: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;
const SHARED: u64 = u64::MAX - 2;

/// Events taken from the kernel at once.
const BATCH: usize = 128;

/// How many packets before its own what a packet touches is fetched.
const AHEAD: usize = 3;

/// A port that the clock has work for.
#[derive(Debug, Clone, Copy)]
struct Active {
    slot: usize,
    due: Instant,
}

/// The slot that an epoll token is of; the last bit tells RTP from RTCP.
#[inline]
fn token_slot(token: u64) -> usize {
    usize::try_from(token >> 1).unwrap_or(usize::MAX)
}

/// The thread's state.
pub(super) struct Worker {
    epoll: OwnedFd,
    wake: Arc<OwnedFd>,
    timer: Timer,
    commands: Receiver<Command>,
    /// They are being carried out.
    obeys: bool,
    slots: Slots,
    by_id: HashMap<PortId, usize>,
    expected: HashMap<PortId, Vec<Order>>,
    mixes: HashMap<MixId, Mixer>,
    active: Vec<Active>,
    /// When the conferences are looked at again.
    next_mix: Instant,
    beats: Beats,
    /// Who is due when, if somebody asked since the clock was looked at.
    load: Option<Load>,
    /// The beat at which the clock was looked at.
    last_tick: Instant,
    next_sweep: Instant,
    sweep_from: usize,
    next_shared: Instant,
    buffer: Box<Buffer>,
    piece: Piece,
    /// The port that WebRTC legs share, on the thread that has it.
    router: Option<Router>,
    /// Our certificate.
    identity: Option<Arc<Identity>>,
    /// Room for a list of them.
    shared_legs: Vec<usize>,
    /// Relays what needs no look inside.
    kernel: Option<Handle>,
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
            obeys: false,
            slots: Slots::default(),
            by_id: HashMap::new(),
            expected: HashMap::new(),
            mixes: HashMap::new(),
            active: Vec::new(),
            next_mix: Instant::now(),
            beats: Beats::new(Instant::now()),
            load: None,
            last_tick: Instant::now(),
            next_sweep: Instant::now(),
            sweep_from: 0,
            next_shared: Instant::now(),
            buffer: Box::new([0; 2048]),
            piece: Piece::default(),
            router: None,
            identity: None,
            shared_legs: Vec::new(),
            kernel: None,
            stopping: false,
        };
        Ok((worker, remote))
    }

    /// Takes our certificate; before the thread starts.
    pub(super) fn identify(&mut self, identity: Arc<Identity>) {
        self.identity = Some(identity);
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
        for event in events.iter().take(AHEAD) {
            self.slots.foresee(token_slot(event.data.u64()));
        }
        for (n, event) in events.iter().enumerate() {
            if let Some(later) = events.get(n + AHEAD) {
                self.slots.foresee(token_slot(later.data.u64()));
            }
            match event.data.u64() {
                WAKE => woken = true,
                TIMER => ticked = true,
                SHARED => self.shared_readable(now),
                token => {
                    self.contained(token_slot(token), |worker| worker.readable(now, token));
                }
            }
        }
        events.clear();
        if ticked {
            self.timer.clear();
            self.tick(now);
        }
        if woken {
            // Read before the commands: one that comes in between wakes again.
            let _ = rustix::io::read(&*self.wake, &mut [0u8; 8]);
            if let Ok(first) = self.commands.try_recv() {
                self.obey(now, first);
            }
        }
        if woken || ticked {
            self.set_timer();
        }
    }

    /// Lets the clock wake this thread when it has something to do, but not at once again.
    fn set_timer(&mut self) {
        self.timer.set(self.next_look());
    }

    /// The next beat at which the clock has something to do.
    fn next_look(&self) -> Option<Instant> {
        if self.by_id.is_empty() {
            return None;
        }
        let mixes = self.mixes.values().any(|mixer| !mixer.is_empty()).then_some(self.next_mix);
        let ports = self.active.iter().map(|active| active.due);
        let next = ports.chain(mixes).chain([self.next_sweep]).min();
        next.map(|next| self.beats.after(next).max(self.last_tick + TICK))
    }

    /// Does something for a port. Should that panic, the port is out and its owner told; the others on
    /// this thread go on.
    #[inline]
    fn contained<T>(&mut self, slot: usize, work: impl FnOnce(&mut Self) -> T) -> Option<T> {
        // What a panic leaves half done is the port's own, which goes; a slab, a map and a buffer that
        // is written before it is read are whole at every step.
        let done = catch_unwind(AssertUnwindSafe(|| work(self))).ok();
        if done.is_none() {
            self.give_up(slot);
        }
        done
    }

    #[cold]
    fn give_up(&mut self, slot: usize) {
        let Some(id) = self.port(slot).map(|port| port.leg.id()) else { return };
        let Some(port) = self.remove(id, slot) else { return };
        tracing::error!(port = %id, "a fault of ours in the work for a media port: it is closed");
        port.leg.tell_broken();
        // What caused it may be what is dropped.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(port)));
    }

    fn port(&mut self, slot: usize) -> Option<&mut Port> {
        self.slots.get_mut(slot)
    }

    /// Carries what a leg's ear heard since the last time to its recording and to the other leg.
    fn carry(&mut self, now: Instant, slot: usize) {
        while let Some(port) = self.port(slot) {
            let mix = port.mix;
            let partner = self.slots.partner(slot);
            let mut piece = std::mem::take(&mut self.piece);
            let far = mix.map(|_| true).or(self.far(slot).map(Speaks::events));
            let heard = self.port(slot).and_then(|port| port.leg.hear(now, far, &mut piece));
            if heard == Some(true)
                && let Some(other) = partner.and_then(|p| self.slots.get_mut(p))
            {
                other.leg.say(now, &piece);
                other.poll(now, &mut self.buffer);
            }
            if heard == Some(true)
                && let Some(mixer) = mix.and_then(|mix| self.mixes.get_mut(&mix))
                && let Some(port) = self.slots.get(slot)
            {
                mixer.feed(port.leg.id(), piece.samples(), piece.rate());
            }
            self.piece = piece;
            self.hand_on(now, slot);
            if heard.is_none() {
                return;
            }
        }
    }

    /// Follows a change of a leg with its socket and with the clock.
    fn attend(&mut self, now: Instant, slot: usize) {
        let Some(port) = self.slots.get_mut(slot) else { return };
        port.leg.attention = false;
        let moved = std::mem::take(&mut port.leg.moved);
        if moved {
            port.retarget();
        }
        if port.leg.wants_ticks() && !port.active {
            port.active = true;
            let due = port.leg.next_packet().map_or(now, |at| at.max(now));
            self.active.push(Active { slot, due });
        }
        if moved {
            self.take_back(slot);
        }
    }
}

#[cfg(test)]
mod tests;
