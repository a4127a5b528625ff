//! Clips cut into packets on an even grid. No socket, no clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::api::{Playback, Repeat};
use crate::clip::Clip;
use crate::dtmf::DigitSet;
use crate::g711::Law;

/// Longest packet we make, in samples (60 ms).
pub(super) const MAX_FRAME: usize = 480;

/// A thread that was stalled for longer than this skips instead of bursting.
const MAX_LAG: Duration = Duration::from_millis(200);

/// A running playback.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) id: u64,
    pub(super) stop_on: DigitSet,
    clips: Vec<Arc<Clip>>,
    /// Which clip is being played, and its bytes in `law`.
    index: usize,
    encoded: Arc<[u8]>,
    position: usize,
    /// `None`: samples are wanted, for another codec.
    law: Option<Law>,
    /// Runs that follow the present one; `None` = forever.
    repeats: Option<u32>,
    frame: usize,
    next: Instant,
    /// Tells this playback from the one before, for the outgoing stream.
    pub(super) run: u32,
    sequence: u16,
    timestamp: u32,
    finished: bool,
}

/// One packet of a playback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) length: usize,
}

/// What a playback wants at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A packet was put into the buffer.
    Send(Frame),
    /// Nothing is due.
    Wait,
    /// The last packet has been heard out.
    End,
}

impl Player {
    pub(super) fn new(
        now: Instant,
        playback: Playback,
        law: Option<Law>,
        ptime_ms: u16,
        run: u32,
    ) -> Self {
        let mut clips = playback.clips;
        clips.retain(|clip| !clip.samples().is_empty());
        let encoded = bytes_of(clips.first(), law);
        Self {
            id: playback.id,
            stop_on: playback.stop_on,
            finished: clips.is_empty(),
            clips,
            index: 0,
            encoded,
            position: 0,
            law,
            repeats: match playback.repeat {
                Repeat::Once => Some(0),
                Repeat::Times(n) => Some(n.saturating_sub(1)),
                Repeat::Forever => None,
            },
            frame: frame_samples(ptime_ms),
            next: now,
            run,
            sequence: 0,
            timestamp: 0,
        }
    }

    /// Goes on in another codec or packet length, at the same sample.
    pub(super) fn retune(&mut self, law: Option<Law>, ptime_ms: u16) {
        self.frame = frame_samples(ptime_ms);
        if law != self.law {
            self.law = law;
            self.encoded = bytes_of(self.clips.get(self.index), law);
        }
    }

    #[cfg(test)]
    pub(super) fn poll_timeout(&self) -> Instant {
        self.next
    }

    /// Puts the next due packet's payload into `out`.
    pub(super) fn poll(&mut self, now: Instant, out: &mut [u8; MAX_FRAME]) -> Step {
        let silence = self.law.map_or(0, Law::silence);
        self.step(now, out, silence, |player| &player.encoded)
    }

    /// Puts the samples of the next due packet into `out`.
    pub(super) fn poll_samples(&mut self, now: Instant, out: &mut [i16; MAX_FRAME]) -> Step {
        self.step(now, out, 0, |player| {
            player.clips.get(player.index).map(|clip| clip.samples()).unwrap_or_default()
        })
    }

    fn step<T: Copy>(
        &mut self,
        now: Instant,
        out: &mut [T; MAX_FRAME],
        silence: T,
        source: impl Fn(&Self) -> &[T],
    ) -> Step {
        if now < self.next {
            return Step::Wait;
        }
        if self.finished {
            return Step::End;
        }
        if now.saturating_duration_since(self.next) > MAX_LAG {
            self.next = now;
        }
        let length = self.fill(out, silence, source);
        if length == 0 {
            return Step::End;
        }
        let frame = Frame { sequence: self.sequence, timestamp: self.timestamp, length };
        self.sequence = self.sequence.wrapping_add(1);
        // MAX_FRAME fits in 32 bits.
        self.timestamp = self.timestamp.wrapping_add(length as u32);
        // The grid is counted from the start, not from when we woke: no drift.
        self.next += Duration::from_micros(length as u64 * 125);
        Step::Send(frame)
    }

    /// Fills one frame across the ends of clips; the last is padded with silence.
    fn fill<T: Copy>(
        &mut self,
        out: &mut [T; MAX_FRAME],
        silence: T,
        source: impl Fn(&Self) -> &[T],
    ) -> usize {
        let Some(frame) = out.get_mut(..self.frame) else { return 0 };
        let mut filled = 0;
        while let Some(room) = frame.get_mut(filled..).filter(|room| !room.is_empty()) {
            let whole = source(self);
            let (length, rest) = (whole.len(), whole.get(self.position..).unwrap_or_default());
            let n = rest.len().min(room.len());
            for (to, from) in room.iter_mut().zip(rest) {
                *to = *from;
            }
            filled += n;
            self.position += n;
            if self.position >= length && !self.next_clip() {
                self.finished = true;
                break;
            }
        }
        if filled == 0 {
            return 0;
        }
        for rest in frame.iter_mut().skip(filled) {
            *rest = silence;
        }
        self.frame
    }

    fn next_clip(&mut self) -> bool {
        self.index += 1;
        if self.index >= self.clips.len() {
            match &mut self.repeats {
                Some(0) => return false,
                Some(n) => *n -= 1,
                None => {}
            }
            self.index = 0;
        }
        self.encoded = bytes_of(self.clips.get(self.index), self.law);
        self.position = 0;
        // Empty clips were left out.
        self.index < self.clips.len()
    }
}

fn bytes_of(clip: Option<&Arc<Clip>>, law: Option<Law>) -> Arc<[u8]> {
    match (clip, law) {
        (Some(clip), Some(law)) => clip.encoded(law),
        _ => Arc::from([]),
    }
}

fn frame_samples(ptime_ms: u16) -> usize {
    usize::from(ptime_ms.clamp(10, 60)) * 8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn ramp(from: i16, len: usize) -> Arc<Clip> {
        Arc::new(Clip::from_samples((0..len).map(|i| from + i as i16).collect()))
    }

    fn playback(clips: Vec<Arc<Clip>>, repeat: Repeat) -> Playback {
        Playback { id: 1, clips, repeat, stop_on: DigitSet::NONE }
    }

    /// Plays to the end and returns (due time in ms, bytes) of each packet, and when it ended.
    fn run(mut player: Player, t0: Instant) -> (Vec<(u128, Vec<u8>)>, u128) {
        let mut packets = Vec::new();
        let mut out = [0; MAX_FRAME];
        loop {
            let at = player.poll_timeout();
            match player.poll(at, &mut out) {
                Step::Send(f) => {
                    packets.push(((at - t0).as_millis(), out[..f.length].to_vec()));
                }
                Step::Wait => panic!("due, and waits"),
                Step::End => return (packets, (at - t0).as_millis()),
            }
        }
    }

    #[test]
    fn clips_join_without_a_gap_and_the_last_packet_is_padded() {
        let t0 = Instant::now();
        let clips = vec![ramp(0, 200), ramp(5000, 200)];
        let player = Player::new(t0, playback(clips.clone(), Repeat::Once), Some(Law::Mu), 20, 1);
        let (packets, end) = run(player, t0);
        assert_eq!(packets.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 20, 40]);
        assert_eq!(end, 60);
        let heard: Vec<u8> = packets.into_iter().flat_map(|(_, b)| b).collect();
        let mut want: Vec<u8> = clips.iter().flat_map(|c| c.encoded(Law::Mu).to_vec()).collect();
        want.resize(480, Law::Mu.silence());
        assert_eq!(heard, want);
    }

    #[test]
    fn repeats_as_often_as_asked() {
        let t0 = Instant::now();
        for (repeat, frames) in [(Repeat::Once, 2), (Repeat::Times(3), 6), (Repeat::Times(0), 2)] {
            let player = Player::new(t0, playback(vec![ramp(0, 320)], repeat), Some(Law::A), 20, 1);
            assert_eq!(run(player, t0).0.len(), frames);
        }
        let mut forever =
            Player::new(t0, playback(vec![ramp(0, 320)], Repeat::Forever), Some(Law::A), 20, 1);
        let mut out = [0; MAX_FRAME];
        for i in 0..10_000 {
            assert!(matches!(forever.poll(t0 + ms(20 * i), &mut out), Step::Send(_)));
        }
    }

    #[test]
    fn nothing_to_play_ends_at_once() {
        let t0 = Instant::now();
        let empty = vec![Arc::new(Clip::from_samples(Vec::new()))];
        let player = Player::new(t0, playback(empty, Repeat::Forever), Some(Law::Mu), 20, 1);
        assert_eq!(run(player, t0), (vec![], 0));
    }

    #[test]
    fn a_thread_that_wakes_late_keeps_the_grid_and_one_that_stalled_does_not_burst() {
        let t0 = Instant::now();
        let clip = ramp(0, 8000);
        let mut player = Player::new(t0, playback(vec![clip], Repeat::Once), Some(Law::Mu), 20, 1);
        let mut out = [0; MAX_FRAME];
        assert!(matches!(player.poll(t0 + ms(3), &mut out), Step::Send(_)));
        assert_eq!(player.poll_timeout(), t0 + ms(20));
        assert!(matches!(player.poll(t0 + ms(1000), &mut out), Step::Send(_)));
        assert_eq!(player.poll_timeout(), t0 + ms(1020));
    }

    #[test]
    fn a_change_of_codec_goes_on_at_the_same_sample() {
        let t0 = Instant::now();
        let clip = ramp(0, 320);
        let list = playback(vec![clip.clone()], Repeat::Once);
        let mut player = Player::new(t0, list, Some(Law::Mu), 20, 1);
        let mut out = [0; MAX_FRAME];
        player.poll(t0, &mut out);
        player.retune(Some(Law::A), 20);
        player.poll(t0 + ms(20), &mut out);
        assert_eq!(out[..160], clip.encoded(Law::A)[160..]);
    }
}
