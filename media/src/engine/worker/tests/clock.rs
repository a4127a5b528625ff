//! What a thread does by the clock: what it has not read yet, and when it looks at whom.

use super::*;
use crate::engine::worker::clock::portion;

#[test]
fn what_was_said_before_the_end_is_kept_by_a_thread_that_is_late() {
    let another = || Order::Record(recording(Tape::default()));
    let hash = crate::dtmf::Digit::from_char('#').unwrap();
    let informed = move || Order::Informed(hash, Duration::ZERO, Duration::ZERO, false);
    let ends: [&dyn Fn() -> Order; 4] =
        [&|| Order::StopRecord, &|| Order::Close, &another, &informed];
    for end in ends {
        let (mut worker, remote) = Worker::new().unwrap();
        let mut events = Vec::with_capacity(BATCH);
        let a = peer(&remote, 1);
        let tape = Tape::default();
        let terminators = crate::dtmf::DigitSet::of("#");
        // With events: what is recorded is not kept back for tones to be found in it.
        remote.send(Command::Port(a.id, Order::SetStream(Box::new(with_events(&a)))));
        let recording = Recording { terminators, ..recording(tape.clone()) };
        remote.send(Command::Port(a.id, Order::Record(recording)));
        worker.turn(&mut events);
        // The caller speaks for a second and hangs up while the thread sleeps. A datagram without a
        // byte lies between.
        for sequence in 0..50u16 {
            if sequence == 20 {
                a.socket.send_to(&[], a.port).unwrap();
            }
            let timestamp = u32::from(sequence) * 160;
            let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 5 };
            let wire = [&header.to_bytes()[..], &[0x10; 160]].concat();
            a.socket.send_to(&wire, a.port).unwrap();
        }
        remote.send(Command::Port(a.id, end()));
        worker.turn(&mut events);
        assert_eq!(*tape.0.lock().unwrap(), (50 * 160, true));
    }
}

#[test]
fn a_thread_that_is_late_takes_nothing_unread_for_silence() {
    let (mut worker, remote) = Worker::new().unwrap();
    let mut events = Vec::with_capacity(BATCH);
    let a = peer(&remote, 1);
    let stream = with_events(&a);
    remote.send(Command::Port(a.id, Order::SetStream(Box::new(stream))));
    let tape = Tape::default();
    let recording = Recording {
        id: 1,
        to: Box::new(tape.clone()),
        max: None,
        silence: Some(crate::engine::SilenceRule::after(Duration::from_secs(2))),
        terminators: crate::dtmf::DigitSet::NONE,
    };
    remote.send(Command::Port(a.id, Order::Record(recording)));
    worker.turn(&mut events);
    for sequence in 0..10u16 {
        // A pause first, then a word.
        let loudness = if sequence < 5 { 0xff } else { 0x10 };
        let timestamp = u32::from(sequence) * 160;
        let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 5 };
        let wire = [&header.to_bytes()[..], &[loudness; 160]].concat();
        a.socket.send_to(&wire, a.port).unwrap();
    }
    let later = Instant::now() + Duration::from_secs(3);
    worker.tick(later);
    assert_eq!(*tape.0.lock().unwrap(), (1600, false));
    worker.tick(later + Duration::from_secs(2));
    assert_eq!(*tape.0.lock().unwrap(), (1600, true));
}

#[test]
fn who_is_only_recorded_is_heard_at_each_tick_and_at_once_when_bridged() {
    let (mut worker, remote) = Worker::new().unwrap();
    let mut events = Vec::with_capacity(BATCH);
    let (a, b) = (peer(&remote, 1), peer(&remote, 2));
    // Else what it says is kept back for tones to be found in it.
    remote.send(Command::Port(a.id, Order::SetStream(Box::new(with_events(&a)))));
    let tape = Tape::default();
    remote.send(Command::Port(a.id, Order::Record(recording(tape.clone()))));
    worker.turn(&mut events);
    let say = |sequence: u16| {
        let timestamp = u32::from(sequence) * 160;
        let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 5 };
        let wire = [&header.to_bytes()[..], &[0x10; 160]].concat();
        a.socket.send_to(&wire, a.port).unwrap();
    };
    let by_clock = |worker: &mut Worker| {
        let slot = worker.by_id[&a.id];
        worker.port(slot).unwrap().by_clock
    };
    let mut now = Instant::now();
    let mut tick = |worker: &mut Worker| {
        now += Duration::from_millis(5);
        worker.tick(now);
    };
    tick(&mut worker);
    assert!(by_clock(&mut worker));
    for sequence in 0..5 {
        say(sequence);
    }
    tick(&mut worker);
    assert_eq!(tape.0.lock().unwrap().0, 5 * 160);
    remote.send(Command::Port(a.id, Order::Bridge(b.id)));
    worker.turn(&mut events);
    tick(&mut worker);
    assert!(!by_clock(&mut worker));
    say(5);
    worker.turn(&mut events);
    assert!(b.socket.recv(&mut [0; 300]).is_ok(), "it wakes the thread again");
    remote.send(Command::Port(a.id, Order::Unbridge));
    remote.send(Command::Port(a.id, Order::StopRecord));
    worker.turn(&mut events);
    tick(&mut worker);
    assert!(!by_clock(&mut worker), "nothing looks at the clock for it");
    assert_eq!(*tape.0.lock().unwrap(), (6 * 160, true));
}

#[test]
fn a_packet_of_a_playback_leaves_at_its_own_time_and_not_with_those_of_others() {
    let (mut worker, remote) = Worker::new().unwrap();
    let mut events = Vec::with_capacity(BATCH);
    let (a, b) = (peer(&remote, 1), peer(&remote, 2));
    worker.turn(&mut events);
    let ms = Duration::from_millis;
    let begin = worker.beats.after(Instant::now());
    for (peer, at) in [(&a, begin), (&b, begin + ms(7))] {
        let clip = Arc::new(Clip::from_samples(vec![1000; 8000]));
        let playback = Playback::of(1, vec![clip]);
        worker.obey(at, Command::Port(peer.id, Order::Play(playback)));
    }
    let heard = |peer: &Peer| std::iter::from_fn(|| peer.socket.recv(&mut [0; 300]).ok()).count();
    assert_eq!((heard(&a), heard(&b)), (1, 1), "what is ordered begins at once");
    worker.tick(begin + ms(8));
    for packet in 1..10 {
        let due = begin + ms(20) * packet;
        for (after, expected) in [(0, (1, 0)), (6, (0, 0)), (7, (0, 1)), (19, (0, 0))] {
            worker.tick(due + ms(after));
            assert_eq!((heard(&a), heard(&b)), expected, "packet {packet}, {after} ms");
        }
        let next = worker.active.iter().map(|active| active.due).min();
        assert_eq!(next, Some(due + ms(20)), "the clock need not wake the thread before");
    }
}

#[test]
fn playbacks_that_are_ordered_together_leave_a_few_at_a_beat() {
    let (mut worker, remote) = Worker::new().unwrap();
    let peers: Vec<Peer> = (1..=40).map(|id| peer(&remote, id)).collect();
    worker.turn(&mut Vec::with_capacity(BATCH));
    let begin = worker.beats.after(Instant::now());
    for peer in &peers {
        let playback = Playback::of(1, vec![Arc::new(Clip::from_samples(vec![1000; 8000]))]);
        worker.obey(begin, Command::Port(peer.id, Order::Play(playback)));
    }
    let heard = |peer: &Peer| std::iter::from_fn(|| peer.socket.recv(&mut [0; 300]).ok()).count();
    for round in 0..5 {
        let at_beat = [0, 1, 2, 3, 19].map(|beat| {
            worker.tick(begin + TICK * (20 * round + beat));
            peers.iter().map(heard).sum::<usize>()
        });
        assert_eq!(at_beat, [16, 16, 8, 0, 0], "round {round}");
    }
    assert!(worker.active.iter().all(|active| worker.beats.after(active.due) == active.due));
}

#[test]
fn a_look_that_was_late_moves_no_other() {
    let (mut worker, remote) = Worker::new().unwrap();
    let a = peer(&remote, 1);
    worker.turn(&mut Vec::with_capacity(BATCH));
    let begin = worker.beats.after(Instant::now());
    let playback = Playback::of(1, vec![Arc::new(Clip::from_samples(vec![1000; 8000]))]);
    worker.obey(begin, Command::Port(a.id, Order::Play(playback)));
    let late = Duration::from_micros(300);
    for beat in 1..100 {
        worker.tick(begin + TICK * beat + late);
        let next = worker.next_look().unwrap();
        assert!(next > begin + TICK * beat + late);
        assert_eq!(worker.beats.after(next), next, "after beat {beat}");
    }
}

#[test]
fn each_port_is_looked_at_once_a_second_and_few_together() {
    for ports in [1, 3, 10, 57, 160, 161, 2_000, 20_000] {
        let (portion, pause) = portion(ports);
        let most = ports.div_ceil(1000).max(16);
        assert!((1..=most).contains(&portion));
        assert!(pause >= TICK && pause <= Duration::from_millis(100));
        let round = pause.as_secs_f64() * ports as f64 / portion as f64;
        assert!((0.09..1.01).contains(&round), "{ports} ports: {round} s");
    }
}
