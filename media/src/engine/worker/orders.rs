//! What a media thread is told to do, and how it does it.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use rustix::event::epoll;
use tokio::sync::oneshot;

use super::super::api::{
    Control, PlayEnd, Playback, PortId, RecordEnd, Recording, Role, StreamConfig, TapeSink,
};
use super::super::conference::MixId;
use super::super::pipe::{Pipe, PipeConfig};
use super::super::wakes;
use super::mixes::MixOrder;
use super::port::Line;
use super::{Port, Worker};
use crate::dtmf::Digit;
use crate::voice::Focus;

/// Most packets heard out when a recording is stopped: five seconds that a slow thread is behind.
const BACKLOG: usize = 256;

/// Something to do for one port.
pub(in crate::engine) enum Order {
    SetStream(Box<StreamConfig>),
    SetPipe(Box<PipeConfig>),
    Play(Playback),
    StopPlay,
    ControlPlay(Control),
    Record(Recording),
    StopRecord,
    Tape(u64, Box<dyn TapeSink>),
    StopTape(u64),
    Focus(Option<Box<Focus>>),
    SendDigits(Vec<Digit>, Duration, Duration),
    /// A key of the peer came by INFO; whether its owner asks what became of it.
    Informed(Digit, Duration, Duration, bool),
    /// With the other port, which this thread has or expects.
    Bridge(PortId),
    Unbridge,
    /// Into a conference of this thread.
    Mix(MixId, Role),
    /// Its own partner: an echo.
    Echo,
    /// Hand it to another thread, which expects it.
    Move(Remote),
    Close,
}

/// What is said to a thread.
pub(in crate::engine) enum Command {
    /// A new or moved port.
    Adopt(Box<Port>),
    /// A port will come from another thread: keep its orders until then.
    Expect(PortId),
    Port(PortId, Order),
    Mix(MixId, MixOrder),
    /// Answers, which shows that the thread works.
    Ping(oneshot::Sender<()>),
    Stop,
}

/// How to reach a thread.
#[derive(Clone)]
pub(in crate::engine) struct Remote {
    pub(super) commands: Sender<Command>,
    pub(super) wake: Arc<OwnedFd>,
}

impl Remote {
    /// Hands over a command. One to a thread that has stopped is dropped, and `false` told.
    pub(in crate::engine) fn send(&self, command: Command) -> bool {
        let lives = self.commands.send(command).is_ok();
        if lives {
            wakes::wake(&self.wake);
        }
        lives
    }
}

impl Worker {
    /// Does what is ordered, `first` and all that is behind it.
    pub(super) fn obey(&mut self, now: Instant, first: Command) {
        self.obeys = true;
        let mut next = Some(first);
        while let Some(command) = next {
            // A fault in it is that of no port whose packet this thread may be at.
            self.contained(usize::MAX, |worker| worker.command(now, command));
            next = self.commands.try_recv().ok();
        }
        self.obeys = false;
    }

    fn command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Adopt(port) => self.adopt(now, port),
            Command::Expect(id) => {
                self.expected.entry(id).or_default();
            }
            Command::Mix(id, order) => self.mix_order(now, id, order),
            Command::Port(id, order) => {
                let slot = self.by_id.get(&id).copied().unwrap_or(usize::MAX);
                self.contained(slot, |worker| worker.order(now, id, order));
            }
            // Who asked may not wait any more.
            Command::Ping(answer) => drop(answer.send(())),
            Command::Stop => self.stopping = true,
        }
    }

    fn adopt(&mut self, now: Instant, mut port: Box<Port>) {
        let id = port.leg.id();
        (port.active, port.by_clock) = (false, false);
        let slot = self.slots.add(port);
        self.by_id.insert(id, slot);
        self.watch(slot);
        self.shared_name(slot);
        self.attend(now, slot);
        for order in self.expected.remove(&id).unwrap_or_default() {
            self.contained(slot, |worker| worker.order(now, id, order));
        }
    }

    /// Has packets of a port wake this thread.
    fn watch(&self, slot: usize) {
        let Some(port) = self.slots.get(slot) else { return };
        let token = (slot as u64) << 1;
        let flags = epoll::EventFlags::IN;
        if let Line::Own { rtp, rtcp, .. } = &port.line {
            for (socket, token) in [(rtp, token), (rtcp, token | 1)] {
                // Fails only when the system is out of memory or watches: the port is deaf then, and
                // says so by NoMedia.
                let _ = epoll::add(&self.epoll, socket, epoll::EventData::new_u64(token), flags);
            }
        }
    }

    fn order(&mut self, now: Instant, id: PortId, order: Order) {
        if let Some(waiting) = self.expected.get_mut(&id) {
            waiting.push(order);
            return;
        }
        let Some(&slot) = self.by_id.get(&id) else { return };
        self.take_back(slot);
        match order {
            Order::Bridge(other) => return self.bridge(id, slot, other),
            Order::Unbridge => return self.unbridge(slot),
            Order::Mix(mix, role) => return self.join_mix(slot, mix, role),
            Order::Informed(digit, tone, gap, ask) => {
                // It may end a recording.
                self.hear_out(now, slot);
                self.informed(now, slot, (digit, ask), (tone, gap));
                return;
            }
            Order::Echo => {
                self.unbridge(slot);
                self.slots.join(slot, slot);
                if let Some(port) = self.port(slot) {
                    port.leg.reconsider();
                }
                return;
            }
            Order::Close => {
                self.hear_out(now, slot);
                if let Some(port) = self.slots.get_mut(slot) {
                    port.leg.hear_last(now);
                    port.goodbye(now, &mut self.buffer);
                }
                return drop(self.remove(id, slot));
            }
            // Another recording takes the place of one that runs.
            Order::StopRecord | Order::Record(_) | Order::StopTape(_) => self.hear_out(now, slot),
            Order::Move(to) => {
                if let Some(port) = self.remove(id, slot) {
                    if let Line::Own { rtp, rtcp, .. } = &port.line {
                        let _ = epoll::delete(&self.epoll, rtp);
                        let _ = epoll::delete(&self.epoll, rtcp);
                    }
                    to.send(Command::Adopt(port));
                }
                return;
            }
            _ => {}
        }
        let identity = self.identity.clone();
        let partner = self.slots.partner(slot);
        let begin = self.begin_of_playback(now, &order, slot);
        let Some(port) = self.port(slot) else { return };
        match order {
            Order::SetStream(stream) => {
                if port.set_stream(now, stream, identity.as_deref()) {
                    port.leg.reconsider();
                    self.retune_mix(slot);
                    if let Some(other) = partner.and_then(|partner| self.port(partner)) {
                        other.leg.reconsider();
                    }
                }
                self.shared_name(slot);
                self.take_early(now, slot);
            }
            Order::SetPipe(config) => match &mut port.pipe {
                Some(pipe) => pipe.set(*config),
                None => port.pipe = Some(Box::new(Pipe::new(now, *config))),
            },
            Order::Play(playback) => port.leg.play(begin, playback),
            Order::StopPlay => port.leg.end_play(PlayEnd::Stopped),
            Order::ControlPlay(control) => port.leg.control_play(now, control),
            Order::Record(recording) => port.leg.record(now, recording),
            Order::StopRecord => port.leg.end_record(now, RecordEnd::Stopped),
            Order::Tape(id, to) => port.leg.add_tape(id, to),
            Order::StopTape(id) => port.leg.end_tape(now, id),
            Order::Focus(focus) => port.leg.set_focus(focus),
            Order::SendDigits(digits, tone, gap) => port.leg.send_digits(now, &digits, tone, gap),
            Order::Bridge(_)
            | Order::Unbridge
            | Order::Informed(..)
            | Order::Mix(..)
            | Order::Echo
            | Order::Move(_)
            | Order::Close => {}
        }
        self.attend(now, slot);
        // What was ordered starts now, not at the next tick.
        if let Some(port) = self.slots.get_mut(slot) {
            port.poll(now, &mut self.buffer);
        }
    }

    /// When what is ordered now begins, if it is a playback.
    fn begin_of_playback(&mut self, now: Instant, order: &Order, slot: usize) -> Instant {
        // Whose time was found already goes on with that, and at once.
        let is_active = self.slots.get(slot).is_none_or(|port| port.active);
        if is_active || !matches!(order, Order::Play(_)) {
            return now;
        }
        let dues = || self.active.iter().map(|active| active.due);
        let load = self.load.get_or_insert_with(|| self.beats.load(dues()));
        self.beats.for_playback(now, load)
    }

    /// A key that the peer of this leg told of otherwise than in its media.
    fn informed(
        &mut self,
        now: Instant,
        slot: usize,
        (digit, ask): (Digit, bool),
        timing: (Duration, Duration),
    ) {
        let Some(port) = self.port(slot) else { return };
        let passes = port.leg.informed(now, digit, ask);
        self.attend(now, slot);
        let partner = self.slots.partner(slot).filter(|partner| passes && *partner != slot);
        let Some((other, at)) = partner.and_then(|at| Some((self.port(at)?, at))) else { return };
        other.leg.send_digits(now, &[digit], timing.0, timing.1);
        self.attend(now, at);
        if let Some(other) = self.slots.get_mut(at) {
            other.poll(now, &mut self.buffer);
        }
    }

    /// Takes what the socket already has, before a recording ends: what the caller said last must
    /// not be lost because this thread was late.
    pub(super) fn hear_out(&mut self, now: Instant, slot: usize) {
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
        self.slots.join(slot, partner);
        for slot in [slot, partner] {
            if let Some(port) = self.port(slot) {
                port.leg.reconsider();
            }
        }
    }

    /// Ends what a leg is part of: its bridge, its echo or its conference.
    pub(super) fn unbridge(&mut self, slot: usize) {
        self.take_back(slot);
        self.leave_mix(slot);
        let partner = self.slots.part(slot);
        if let Some(port) = self.port(slot) {
            port.leg.reconsider();
        }
        if let Some(other) = partner.and_then(|partner| self.port(partner)) {
            other.leg.reconsider();
        }
    }

    pub(super) fn remove(&mut self, id: PortId, slot: usize) -> Option<Box<Port>> {
        self.unbridge(slot);
        self.shared_forget(slot);
        self.by_id.remove(&id);
        let port = self.slots.remove(slot)?;
        self.active.retain(|active| active.slot != slot);
        Some(port)
    }
}
