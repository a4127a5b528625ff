use std::sync::mpsc::channel;

use super::super::{RecorderConfig, RecordingDone};
use super::*;
use crate::wav::Format;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Everything that a mixdown gives out up to `upto`, each channel apart.
fn all(mixdown: &mut Mixdown, upto: u64) -> [Vec<i16>; 2] {
    let mut both = Vec::new();
    while mixdown.take(upto, 1000, &mut both) {}
    [0, 1].map(|side| both.iter().skip(side).step_by(2).copied().collect())
}

#[test]
fn each_piece_stands_at_its_place_and_silence_where_nothing_came() {
    let mut mixdown = Mixdown::new(2);
    mixdown.put(Side::Right, 4, &[7, 8]);
    mixdown.put(Side::Left, 0, &[1, 2, 3]);
    assert_eq!((mixdown.complete(), mixdown.end()), (3, 6));
    assert_eq!(all(&mut mixdown, 3), [vec![1, 2, 3], vec![0, 0, 0]]);
    mixdown.put(Side::Left, 2, &[9, 4]);
    mixdown.put(Side::Right, 5, &[6]);
    assert_eq!(all(&mut mixdown, 8), [vec![4, 0, 0, 0, 0], vec![0, 7, 6, 0, 0]]);
}

/// A tape of two sides in a folder of its own.
struct Bench {
    _folder: tempfile::TempDir,
    _recorder: Recorder,
    tape: Tape,
    begin: Instant,
}

impl Bench {
    fn new(kind: FileKind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config =
            RecorderConfig { min_free: 0, queue_per_recording: 1000, ..RecorderConfig::default() };
        let recorder = Recorder::with(config).unwrap();
        let begin = Instant::now();
        let tape = recorder.tape(begin, &folder.path().join("tape"), kind, 2).unwrap();
        Self { _folder: folder, _recorder: recorder, tape, begin }
    }

    /// Ends the tape when nobody has a track any more; gives what became of it and both sides.
    fn end(self, at: u64) -> (RecordingDone, Vec<i16>, Vec<i16>) {
        let (sender, receiver) = channel();
        self.tape.end(self.begin + ms(at), Box::new(move |done| sender.send(done).unwrap()));
        let done = receiver.recv().unwrap();
        let bytes = std::fs::read(&done.path).unwrap();
        let samples = bytes[44..].chunks(2).map(|c| i16::from_le_bytes([c[0], c[1]]));
        let samples: Vec<i16> = samples.collect();
        let side = |n| samples.iter().skip(n).step_by(2).copied().collect();
        (done, side(0), side(1))
    }
}

#[test]
fn two_ports_with_clocks_of_their_own_lie_side_by_side() {
    let bench = Bench::new(Format::Pcm16.into());
    let (mut left, mut right) = (bench.tape.track(Side::Left), bench.tape.track(Side::Right));
    // The callee comes 503 ms later and is heard at other instants.
    for n in 0..200 {
        left.push(bench.begin + ms(n * 10), &[1; 80]);
        if n >= 50 {
            right.push(bench.begin + ms(n * 10 + 3), &[2; 80]);
        }
    }
    drop((left, right));
    let (done, left, right) = bench.end(3000);
    assert_eq!((done.samples, done.dropped, done.error), (24_000, 0, None));
    assert_eq!(left.iter().position(|s| *s == 1), Some(0));
    assert_eq!(left.iter().rposition(|s| *s == 1), Some(15_999));
    assert_eq!(right.iter().position(|s| *s == 2), Some(503 * 8));
    assert_eq!(right.iter().filter(|s| **s == 2).count(), 150 * 80);
}

#[test]
fn a_side_that_is_silent_for_long_does_not_hold_the_other_up() {
    let bench = Bench::new(Format::Pcm16.into());
    let (mut left, mut right) = (bench.tape.track(Side::Left), bench.tape.track(Side::Right));
    for n in 0..1000 {
        left.push(bench.begin + ms(n * 10), &[1; 80]);
    }
    // Only what is a second late at most has a place left.
    right.push(bench.begin + ms(5000), &[2; 80]);
    right.push(bench.begin + ms(9500), &[2; 80]);
    drop((left, right));
    let (_, left, right) = bench.end(10_000);
    assert!(left.len() == 80_000 && left.iter().all(|s| *s == 1));
    assert_eq!(right.iter().filter(|s| **s == 2).count(), 80);
    assert_eq!(right[9500 * 8], 2);
}

#[test]
fn a_pause_is_silence_of_its_length_and_what_comes_after_stands_at_its_time() {
    let bench = Bench::new(Format::Pcm16.into());
    let mut left = bench.tape.track(Side::Left);
    for n in 0..300 {
        match n {
            100 => bench.tape.pause(),
            200 => bench.tape.resume(),
            _ => {}
        }
        left.push(bench.begin + ms(n * 10), &[5; 80]);
    }
    drop(left);
    let (_, left, _) = bench.end(3000);
    let expected = [vec![5; 8000], vec![0; 8000], vec![5; 8000]].concat();
    assert!(left == expected);
}

#[test]
fn another_port_goes_on_where_the_first_stopped_and_nothing_is_said_twice() {
    let bench = Bench::new(Format::Pcm16.into());
    let mut first = bench.tape.track(Side::Right);
    first.push(bench.begin, &[1; 80]);
    // Its grid moved: 4 ms of what follows were said already.
    first.push(bench.begin + ms(6), &[2; 80]);
    drop(first);
    let mut second = bench.tape.track(Side::Right);
    second.push(bench.begin + ms(20), &[3; 80]);
    drop(second);
    let (_, left, right) = bench.end(0);
    assert_eq!(left, vec![0; 240]);
    assert_eq!(right, [vec![1; 80], vec![2; 48], vec![0; 32], vec![3; 80]].concat());
}

#[test]
fn a_tape_is_finished_only_when_every_port_has_let_go_of_it() {
    let bench = Bench::new(Format::Pcm16.into());
    let mut late = bench.tape.track(Side::Left);
    let begin = bench.begin;
    let thread = std::thread::spawn(move || {
        late.push(begin, &[1; 80]);
    });
    let (done, left, _) = bench.end(5);
    thread.join().unwrap();
    assert_eq!(done.samples, 80, "the last words are longer than the call");
    assert_eq!(left, vec![1; 80]);
}
