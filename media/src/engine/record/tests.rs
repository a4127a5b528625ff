use std::sync::{Arc, Mutex};

use super::*;

#[derive(Default)]
struct Tape {
    samples: Vec<i16>,
    finished: u32,
    broken: bool,
}

struct Sink(Arc<Mutex<Tape>>);

impl SampleSink for Sink {
    fn push(&mut self, samples: &[i16]) {
        self.0.lock().unwrap().samples.extend_from_slice(samples);
    }
    fn is_broken(&self) -> bool {
        self.0.lock().unwrap().broken
    }
    fn finish(self: Box<Self>) {
        self.0.lock().unwrap().finished += 1;
    }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn digit(c: char) -> Digit {
    Digit::from_char(c).unwrap()
}

struct Bench {
    recorder: Option<Recorder>,
    tape: Arc<Mutex<Tape>>,
    t0: Instant,
}

/// Bytes of a frame whose every sample decodes to about `level`.
fn level(level: i16) -> Vec<u8> {
    vec![Law::Mu.encode(level); 160]
}

impl Bench {
    fn new(change: impl FnOnce(&mut Recording)) -> Self {
        let tape = Arc::new(Mutex::new(Tape::default()));
        let mut recording = Recording {
            id: 9,
            to: Box::new(Sink(tape.clone())),
            max: None,
            silence: None,
            terminators: DigitSet::NONE,
        };
        change(&mut recording);
        let t0 = Instant::now();
        Self { recorder: Some(Recorder::new(t0, recording)), tape, t0 }
    }

    /// The nth 20 ms frame, arriving `late` ms after its time.
    fn frame(&mut self, n: u32, late: u64, loudness: i16) -> Option<RecordEnd> {
        let now = self.t0 + ms(u64::from(n) * 20 + late);
        let r = self.recorder.as_mut().unwrap();
        r.audio(now, 1, 5000 + n * 160, Law::Mu, &level(loudness), false);
        r.poll(now)
    }

    fn finish(&mut self, at: u64, by: RecordEnd) -> Taken {
        self.recorder.take().unwrap().finish(self.t0 + ms(at), by)
    }

    /// One number a frame: the rounded level of its first sample.
    fn heard(&self) -> Vec<i16> {
        let tape = self.tape.lock().unwrap();
        tape.samples.chunks(160).map(|c| (c[0] + 500) / 1000).collect()
    }
}

#[test]
fn loss_becomes_silence_and_reordering_is_undone() {
    let mut b = Bench::new(|_| {});
    for (n, late) in [(0, 0), (1, 0), (3, 0), (2, 25), (4, 10), (6, 0), (7, 0), (8, 0), (9, 0)] {
        b.frame(n, late, (n as i16 + 1) * 1000);
    }
    let taken = b.finish(200, RecordEnd::Stopped);
    assert_eq!(b.heard(), [1, 2, 3, 4, 5, 0, 7, 8, 9, 10]);
    assert_eq!(taken.duration, ms(200));
    assert_eq!(taken.speech, ms(180));
    assert_eq!(b.tape.lock().unwrap().finished, 1);
}

#[test]
fn a_disk_that_is_full_ends_the_recording() {
    let mut b = Bench::new(|_| {});
    assert_eq!(b.frame(0, 0, 4000), None);
    b.tape.lock().unwrap().broken = true;
    assert_eq!(b.frame(1, 0, 4000), Some(RecordEnd::Stopped));
}

#[test]
fn duplicates_and_very_late_packets_are_not_heard_twice() {
    let mut b = Bench::new(|_| {});
    for n in [0, 1, 1, 2, 0, 3, 3] {
        b.frame(n, 0, 4000);
    }
    assert_eq!(b.finish(80, RecordEnd::Stopped).duration, ms(80));
}

#[test]
fn a_pause_without_packets_is_kept_in_its_length() {
    let mut b = Bench::new(|_| {});
    b.frame(0, 0, 4000);
    b.frame(101, 0, 4000);
    for t in [2040, 2100] {
        b.recorder.as_mut().unwrap().poll(b.t0 + ms(t));
    }
    assert_eq!(b.tape.lock().unwrap().samples.len(), 102 * 160);
}

#[test]
fn a_jump_of_the_clock_is_not_an_hour_of_silence() {
    let mut b = Bench::new(|_| {});
    b.frame(0, 0, 4000);
    let now = b.t0 + ms(20);
    let r = b.recorder.as_mut().unwrap();
    r.audio(now, 1, 0x4000_0000, Law::Mu, &level(4000), false);
    r.poll(now + ms(100));
    r.audio(now + ms(120), 1, 77, Law::Mu, &level(4000), false);
    assert!(b.finish(200, RecordEnd::Stopped).duration < ms(1000));
}

#[test]
fn another_sender_continues_where_the_first_ended() {
    let mut b = Bench::new(|_| {});
    b.frame(0, 0, 4000);
    let now = b.t0 + ms(20);
    b.recorder.as_mut().unwrap().audio(now, 2, 99, Law::Mu, &level(4000), false);
    assert_eq!(b.finish(40, RecordEnd::Stopped).duration, ms(40));
}

#[test]
fn silence_ends_it_and_speech_puts_that_off() {
    let mut b = Bench::new(|r| r.silence = Some(SilenceRule::after(ms(1000))));
    let ended = (0..500).find_map(|n| {
        let loudness = if n == 30 { 4000 } else { 10 };
        b.frame(n, 0, loudness).map(|by| (n, by))
    });
    assert_eq!(ended, Some((80, RecordEnd::Silence)));
    assert_eq!(b.finish(1600, RecordEnd::Silence).speech, ms(20));
}

#[test]
fn a_caller_who_sends_nothing_is_silent_too() {
    let mut b = Bench::new(|r| {
        r.silence = Some(SilenceRule::after(ms(3000)));
        r.max = Some(ms(60_000));
    });
    let r = b.recorder.as_mut().unwrap();
    assert_eq!(r.poll(b.t0 + ms(2999)), None);
    assert_eq!(r.poll(b.t0 + ms(3000)), Some(RecordEnd::Silence));
    let mut b = Bench::new(|r| r.max = Some(ms(5000)));
    assert_eq!(b.recorder.as_mut().unwrap().poll(b.t0 + ms(6000)), Some(RecordEnd::Length));
}

#[test]
fn it_is_never_longer_than_its_length() {
    let mut b = Bench::new(|r| r.max = Some(ms(110)));
    let ended = (0..20).find_map(|n| b.frame(n, 0, 4000).map(|by| (n, by)));
    assert_eq!(ended, Some((5, RecordEnd::Length)));
    assert_eq!(b.finish(120, RecordEnd::Length).duration, ms(110));
    assert_eq!(b.tape.lock().unwrap().samples.len(), 880);
}

#[test]
fn a_key_is_not_heard_and_a_terminator_ends_it() {
    let mut b = Bench::new(|r| r.terminators = DigitSet::of("#"));
    b.frame(0, 0, 4000);
    let r = b.recorder.as_mut().unwrap();
    assert_eq!(r.pressed(digit('1')), None);
    for n in [1, 2] {
        let now = b.t0 + ms(u64::from(n) * 20);
        r.audio(now, 1, 5000 + n * 160, Law::Mu, &level(4000), true);
    }
    b.frame(3, 0, 4000);
    let end = b.recorder.as_ref().unwrap().pressed(digit('#'));
    assert_eq!(end, Some(RecordEnd::Terminator(digit('#'))));
    b.finish(80, end.unwrap());
    assert_eq!(b.heard(), [4, 0, 0, 4]);
}

#[test]
fn a_caller_who_hangs_up_leaves_the_last_words() {
    let mut b = Bench::new(|_| {});
    b.frame(0, 0, 4000);
    b.frame(2, 0, 4000);
    drop(b.recorder.take());
    assert_eq!(b.heard(), [4, 0, 4]);
    assert_eq!(b.tape.lock().unwrap().finished, 1);
}
