//! Keys of a peer that knows no telephone events: they come as tones within its audio.

use std::time::{Duration, Instant};

use super::Leg;
use crate::codec::Codec;
use crate::dtmf::{Detector, Digit, Heard, KeyEvent};
use crate::g711::Law;
use crate::rtp::RtpView;

/// A gap of up to so many samples is heard as silence; behind a longer one listening begins anew.
const MAX_GAP: u32 = 1600;

/// Length of the event that a tone becomes: it is sent at the press.
const PASSED: Duration = Duration::from_millis(100);

/// Most events of one packet.
const MOST: usize = 4;

/// What samples bring, and how many samples ago a key began.
type Brought = [Option<(Heard, u64)>; MOST];

/// What listens for tones.
#[derive(Default)]
pub(super) struct Tones {
    detector: Detector,
    /// Sender and timestamp of the next sample, where packets are heard as they come.
    next: Option<(u32, u32)>,
}

impl Tones {
    /// Whether there is a key, or what begins like one.
    pub(super) fn suspects(&self) -> bool {
        self.detector.suspects()
    }

    /// Takes samples.
    fn feed(&mut self, samples: &[i16]) -> Brought {
        let mut heard = Brought::default();
        let mut room = heard.iter_mut();
        self.detector.feed(samples, |event| {
            if let Some(slot) = room.next() {
                *slot = Some((event, 0));
            }
        });
        let position = self.detector.position();
        for (event, ago) in heard.iter_mut().flatten() {
            if let Heard::Pressed(_, at) = event {
                *ago = position.saturating_sub(*at);
            }
        }
        heard
    }

    /// Puts a packet behind those before; gives what ends in the gap between them. `None`: it is
    /// late.
    fn place(&mut self, ssrc: u32, timestamp: u32) -> Option<Brought> {
        static SILENCE: [i16; MAX_GAP as usize] = [0; MAX_GAP as usize];
        let gap = match self.next {
            Some((of, next)) if of == ssrc => timestamp.wrapping_sub(next),
            _ => u32::MAX / 2,
        };
        match gap {
            0 => Some(Brought::default()),
            1..=MAX_GAP => Some(self.feed(SILENCE.get(..gap as usize).unwrap_or_default())),
            _ if gap > u32::MAX - MAX_GAP => None,
            _ => {
                // A key that was down is released by now.
                let heard = self.feed(&SILENCE);
                self.detector = Detector::default();
                Some(heard)
            }
        }
    }
}

impl Leg {
    /// Whether keys can come only as tones.
    #[inline]
    pub(super) fn is_inband(&self) -> bool {
        self.form().is_some_and(|form| form.telephone_event.is_none())
    }

    /// Whether the tones of this leg are heard only through an ear.
    #[inline]
    pub(super) fn hears_tones(&self) -> bool {
        self.form().is_some_and(|f| f.telephone_event.is_none() && f.codec.law().is_none())
    }

    /// Listens for tones in a packet of G.711.
    pub(super) fn find_tones(
        &mut self,
        now: Instant,
        view: &RtpView,
        codec: Codec,
        payload: &[u8],
    ) {
        let Some(law) = codec.law() else { return };
        let tones = self.inband.get_or_insert_default();
        let Some(before) = tones.place(view.ssrc, view.timestamp) else { return };
        let mut samples = [0; 2048];
        let samples = decode(payload, law, &mut samples);
        let after = view.timestamp.wrapping_add(samples.len() as u32);
        tones.next = Some((view.ssrc, after));
        let brought = tones.feed(samples);
        let ends = before.into_iter().flatten().map(|heard| (heard, view.timestamp));
        let begins = brought.into_iter().flatten().map(|heard| (heard, after));
        for ((event, ago), behind) in ends.chain(begins) {
            let start = behind.wrapping_sub(ago as u32);
            if let (Heard::Pressed(..), Some(recorder)) = (event, &mut self.recorder) {
                recorder.cut_back_to(start);
            }
            self.on_tone(now, event, start);
        }
    }

    /// Listens for tones in what an ear gave, before the sample of this timestamp in a clock of so
    /// many ticks a second; a recording has it already.
    pub(super) fn find_heard_tones(
        &mut self,
        now: Instant,
        samples: &[i16],
        (after, clock): (u32, u32),
    ) {
        let tones = self.inband.get_or_insert_default();
        for (event, ago) in tones.feed(samples).into_iter().flatten() {
            let start = after.wrapping_sub((ago as u32).wrapping_mul(clock / 8000));
            if let (Heard::Pressed(..), Some(recorder)) = (event, &mut self.recorder) {
                recorder.cut_back(usize::try_from(ago).unwrap_or(usize::MAX));
            }
            self.on_tone(now, event, start);
        }
    }

    /// A key that the far leg is to get.
    #[inline]
    pub(in crate::engine) fn take_key(&mut self) -> Option<Digit> {
        self.to_pass.take()
    }

    /// A key of the far leg that came as a tone goes out as an event, if this peer knows them; else
    /// it has the tone.
    pub(in crate::engine) fn take_over(&mut self, now: Instant, key: Digit) -> bool {
        let takes = self.stream.as_ref().is_some_and(|s| s.send && s.telephone_event.is_some())
            && self.player.is_none();
        if takes && !self.dials(key) {
            self.send_digits(now, &[key], PASSED, PASSED / 2);
            self.attention = true;
        }
        takes
    }

    fn on_tone(&mut self, now: Instant, event: Heard, start: u32) {
        match event {
            Heard::Pressed(digit, _) => {
                self.on_key(now, KeyEvent::Pressed(digit, start));
                let known = self.key.is_some_and(|key| key.is_known());
                self.to_pass = Some(digit).filter(|_| !known);
            }
            Heard::Released(digit, samples) => {
                let held = Duration::from_micros(samples.saturating_mul(125));
                self.on_key(now, KeyEvent::Released(digit, held));
            }
        }
    }
}

fn decode<'a>(payload: &[u8], law: Law, room: &'a mut [i16; 2048]) -> &'a [i16] {
    let table = law.decode_table();
    for (sample, &byte) in room.iter_mut().zip(payload) {
        *sample = table[usize::from(byte)];
    }
    room.get(..payload.len()).unwrap_or_default()
}
