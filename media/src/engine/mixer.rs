//! A conference, ten milliseconds at a time: everybody hears the others. No socket, no clock.

use std::time::{Duration, Instant};

use super::api::{PortId, Role, Speaks};
use super::play::{MAX_WIDE, Player, Step};
use crate::voice::{Doubler, Halver, Rate};

/// Length of a turn.
const TURN: Duration = Duration::from_millis(10);
/// A thread that was stalled for longer than this goes on from where it is.
const MAX_LAG: Duration = Duration::from_millis(100);
/// Most that waits of one member, in turns; beyond that its oldest is left out.
const MOST_WAITING: usize = 6;
/// Members who are heard at a time: more voices at once are understood by nobody, and the noise of
/// every line in a large room would drown them.
const SPEAKERS: usize = 3;
/// What of its loudness a member keeps from turn to turn: half a second until it is forgotten.
const MEMORY: f32 = 0.93;
/// Who is heard already is taken for so much louder, so that nobody is cut off between two words.
const HOLD: f32 = 2.0;
/// What the gain regains in a turn after it was lowered for a loud moment.
const RECOVERY: f32 = 0.02;

/// The room.
pub(super) struct Mixer {
    members: Vec<Member>,
    rate: Rate,
    announcement: Option<Announcement>,
    next: Instant,
    gain: f32,
    /// The sum of all who are heard by everybody, in this turn.
    total: Vec<i32>,
}

struct Member {
    id: PortId,
    role: Role,
    /// The best it can hear and say.
    best: Rate,
    doubler: Doubler,
    halver: Halver,
    /// At the room's rate, behind `turn`.
    waiting: Vec<i16>,
    /// What it says in this turn; empty: nothing.
    turn: Vec<i16>,
    level: f32,
    heard: bool,
}

struct Announcement {
    player: Box<Player>,
    doubler: Doubler,
    halver: Halver,
    waiting: Vec<i16>,
    over: bool,
}

impl Mixer {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            members: Vec::new(),
            rate: Rate::Narrow,
            announcement: None,
            next: now + TURN,
            gain: 1.0,
            total: Vec::new(),
        }
    }

    /// Lets somebody in, or changes what he does here.
    pub(super) fn set(&mut self, id: PortId, role: Role) {
        match self.members.iter_mut().find(|member| member.id == id) {
            Some(member) => member.role = role,
            None => self.members.push(Member {
                id,
                role,
                best: Rate::Narrow,
                doubler: Doubler::default(),
                halver: Halver::default(),
                waiting: Vec::new(),
                turn: Vec::new(),
                level: 0.0,
                heard: false,
            }),
        }
    }

    /// The best that a member can hear and say.
    pub(super) fn set_best(&mut self, id: PortId, best: Rate) {
        if let Some(member) = self.members.iter_mut().find(|member| member.id == id) {
            member.best = best;
        }
        // One wideband member has nobody to hear the difference.
        let wide = self.members.iter().filter(|member| member.best == Rate::Wide).count();
        let rate = if wide > 1 { Rate::Wide } else { Rate::Narrow };
        if rate != self.rate {
            self.rate = rate;
            for member in &mut self.members {
                member.waiting.clear();
                (member.doubler, member.halver) = (Doubler::default(), Halver::default());
            }
            if let Some(announcement) = &mut self.announcement {
                announcement.waiting.clear();
            }
        }
    }

    pub(super) fn remove(&mut self, id: PortId) {
        self.members.retain(|member| member.id != id);
        self.set_best(id, Rate::Narrow);
    }

    /// Plays to everybody, in place of what is being played, while they go on talking.
    pub(super) fn announce(&mut self, player: Player) {
        self.announcement = Some(Announcement {
            player: Box::new(player),
            doubler: Doubler::default(),
            halver: Halver::default(),
            waiting: Vec::new(),
            over: false,
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn members(&self) -> impl Iterator<Item = PortId> + '_ {
        self.members.iter().map(|member| member.id)
    }

    /// The rate of what it gives.
    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes what a member says.
    pub(super) fn feed(&mut self, id: PortId, samples: &[i16], rate: Rate) {
        let room = self.rate;
        let Some(member) = self.members.iter_mut().find(|member| member.id == id) else { return };
        match (rate, room) {
            (Rate::Narrow, Rate::Wide) => member.doubler.run(samples, &mut member.waiting),
            (Rate::Wide, Rate::Narrow) => member.halver.run(samples, &mut member.waiting),
            _ => member.waiting.extend_from_slice(samples),
        }
        let most = MOST_WAITING * room.piece();
        if member.waiting.len() > most {
            member.waiting.drain(..member.waiting.len() - most);
        }
    }

    /// Begins the next turn when it is due: then everybody's [`Self::hears`] is ready.
    pub(super) fn turn(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        if now.saturating_duration_since(self.next) > MAX_LAG {
            self.next = now;
        }
        let at = self.next;
        self.next += TURN;
        let piece = self.rate.piece();
        for member in &mut self.members {
            member.turn.clear();
            // Less than a whole turn is kept for the next.
            if member.waiting.len() >= piece {
                member.turn.extend(member.waiting.drain(..piece));
            }
            let sum: u64 = member.turn.iter().map(|s| u64::from(s.unsigned_abs())).sum();
            member.level = (sum as f32 / piece as f32).max(member.level * MEMORY);
        }
        self.choose();
        self.add_up(at);
        true
    }

    /// Chooses who is heard.
    fn choose(&mut self) {
        let worth = |member: &Member| member.level * if member.heard { HOLD } else { 1.0 };
        let mut best = [0.0f32; SPEAKERS];
        for member in self.members.iter().filter(|m| m.role.speaks == Speaks::ToAll) {
            let mut worth = worth(member);
            for place in &mut best {
                if worth > *place {
                    std::mem::swap(place, &mut worth);
                }
            }
        }
        let floor = best[SPEAKERS - 1];
        let mut places = SPEAKERS;
        for member in &mut self.members {
            let chosen = member.role.speaks == Speaks::ToAll
                && places > 0
                && member.level > 0.0
                && worth(member) >= floor;
            member.heard = chosen;
            places -= usize::from(chosen);
        }
    }

    fn add_up(&mut self, at: Instant) {
        let piece = self.rate.piece();
        self.total.clear();
        self.total.resize(piece, 0);
        for member in self.members.iter().filter(|member| member.heard) {
            add(&mut self.total, &member.turn);
        }
        if let Some(announcement) = &mut self.announcement {
            announcement.read(at, self.rate);
            let count = announcement.waiting.len().min(piece);
            for (sum, sample) in self.total.iter_mut().zip(announcement.waiting.drain(..count)) {
                *sum += i32::from(sample);
            }
            if announcement.over && announcement.waiting.is_empty() {
                self.announcement = None;
            }
        }
        let peak = self.total.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0);
        let most = f32::from(i16::MAX) / peak.max(1) as f32;
        self.gain = (self.gain + RECOVERY).min(1.0).min(most);
    }

    /// What a member hears in this turn: the others, who does not speak to himself, and who whispers
    /// to him. `false`: nothing is to be said to him.
    pub(super) fn hears(&self, id: PortId, out: &mut Vec<i16>) -> bool {
        let Some(member) = self.members.iter().find(|member| member.id == id) else { return false };
        if !member.role.hears {
            return false;
        }
        out.clear();
        let own = member.turn.iter().copied().filter(|_| member.heard);
        let own = own.chain(std::iter::repeat(0));
        let whispers = |n: usize| -> i32 {
            let to_him = |other: &&Member| other.role.speaks == Speaks::ToOne(id);
            let said = self.members.iter().filter(to_him).filter_map(|other| other.turn.get(n));
            said.map(|&sample| i32::from(sample)).sum()
        };
        let whispered = self.members.iter().any(|other| other.role.speaks == Speaks::ToOne(id));
        out.extend(self.total.iter().zip(own).enumerate().map(|(n, (&sum, own))| {
            let others = sum - i32::from(own) + if whispered { whispers(n) } else { 0 };
            // `as` holds at the ends what is too loud.
            (others as f32 * self.gain) as i16
        }));
        true
    }
}

impl Announcement {
    fn read(&mut self, at: Instant, rate: Rate) {
        let mut frame = [0; MAX_WIDE];
        while !self.over {
            let own = self.player.rate();
            match self.player.poll_samples(at, &mut frame) {
                Step::Wait => return,
                Step::End => self.over = true,
                Step::Send(made) => {
                    let samples = frame.get(..made.length).unwrap_or_default();
                    match (own, rate) {
                        (Rate::Narrow, Rate::Wide) => self.doubler.run(samples, &mut self.waiting),
                        (Rate::Wide, Rate::Narrow) => self.halver.run(samples, &mut self.waiting),
                        _ => self.waiting.extend_from_slice(samples),
                    }
                }
            }
        }
    }
}

fn add(total: &mut [i32], samples: &[i16]) {
    for (sum, sample) in total.iter_mut().zip(samples) {
        *sum += i32::from(*sample);
    }
}

#[cfg(test)]
mod tests;
