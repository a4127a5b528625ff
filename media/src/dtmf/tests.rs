use std::time::{Duration, Instant};

use super::*;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn digit(c: char) -> Digit {
    Digit::from_char(c).unwrap()
}

struct Phone {
    receiver: EventReceiver,
    clock: u32,
    now: Instant,
    heard: Vec<KeyEvent>,
}

impl Phone {
    fn new() -> Self {
        let receiver = EventReceiver::default();
        Self { receiver, clock: 8000, now: Instant::now(), heard: Vec::new() }
    }

    fn packet(&mut self, marker: bool, ts: u32, code: u8, end: bool, duration: u16) {
        let [d0, d1] = duration.to_be_bytes();
        let payload = [code, (u8::from(end) << 7) | 10, d0, d1];
        let heard = &mut self.heard;
        self.receiver.receive(self.now, self.clock, marker, ts, &payload, |e| heard.push(e));
        self.now += ms(20);
    }

    fn press(&mut self, ts: u32, code: u8) {
        self.packet(true, ts, code, false, 160);
        self.packet(false, ts, code, false, 320);
        for _ in 0..3 {
            self.packet(false, ts, code, true, 480);
        }
    }
}

#[test]
fn digits_and_sets_read_as_typed() {
    let all: String = (0..16).filter_map(Digit::from_event).map(Digit::as_char).collect();
    assert_eq!(all, "0123456789*#ABCD");
    assert_eq!(Digit::from_char('d'), Digit::from_event(15));
    assert_eq!(Digit::from_char('x'), None);
    assert_eq!(Digit::from_event(16), None);
    let set = DigitSet::of("1#");
    assert!(set.contains(digit('#')) && !set.contains(digit('*')));
    assert_eq!(format!("{set:?}"), "DigitSet(1#)");
    assert!(Digit::parse_all("12a").is_some() && Digit::parse_all("1 2").is_none());
}

#[test]
fn three_end_packets_are_one_digit() {
    let mut phone = Phone::new();
    phone.press(1000, 5);
    phone.press(3000, 5);
    let d = digit('5');
    assert_eq!(
        phone.heard,
        [
            KeyEvent::Pressed(d, 1000),
            KeyEvent::Released(d, ms(60)),
            KeyEvent::Pressed(d, 3000),
            KeyEvent::Released(d, ms(60))
        ]
    );
}

#[test]
fn a_digit_of_which_only_an_end_packet_came_counts() {
    let mut phone = Phone::new();
    phone.packet(false, 1000, 11, true, 800);
    phone.packet(false, 1000, 11, true, 800);
    assert_eq!(
        phone.heard,
        [KeyEvent::Pressed(digit('#'), 1000), KeyEvent::Released(digit('#'), ms(100))]
    );
}

#[test]
fn a_digit_without_an_end_is_released_by_the_next_or_by_time() {
    let mut phone = Phone::new();
    phone.packet(true, 1000, 1, false, 160);
    phone.packet(true, 3000, 2, false, 160);
    assert_eq!(phone.heard.len(), 3);
    assert_eq!(phone.heard[1], KeyEvent::Released(digit('1'), ms(20)));
    assert!(phone.receiver.is_down());
    assert_eq!(phone.receiver.handle_timeout(phone.now), None);
    assert_eq!(
        phone.receiver.handle_timeout(phone.now + ms(400)),
        Some(KeyEvent::Released(digit('2'), ms(20)))
    );
    assert!(!phone.receiver.is_down());
    phone.packet(false, 3000, 2, true, 320);
    assert_eq!(phone.heard.len(), 3, "an end that came too late tells nothing more");
}

#[test]
fn late_and_reordered_packets_tell_nothing_new() {
    let mut phone = Phone::new();
    phone.press(1000, 1);
    phone.press(3000, 2);
    phone.packet(false, 1000, 1, true, 480);
    phone.packet(false, 3000, 2, false, 160);
    assert_eq!(phone.heard.len(), 4);
}

#[test]
fn keys_are_heard_after_the_senders_clock_began_anew() {
    let mut phone = Phone::new();
    phone.press(1_000_000, 1);
    phone.press(10_000, 2);
    phone.packet(true, 90_000, 3, false, 160);
    phone.packet(true, 800, 4, true, 160);
    let pressed = |c, at| KeyEvent::Pressed(digit(c), at);
    let released = |c, ticks: u64| KeyEvent::Released(digit(c), ms(ticks / 8));
    assert_eq!(
        phone.heard,
        [
            pressed('1', 1_000_000),
            released('1', 480),
            pressed('2', 10_000),
            released('2', 480),
            pressed('3', 90_000),
            released('3', 160),
            pressed('4', 800),
            released('4', 160)
        ]
    );
}

#[test]
fn a_timestamp_that_runs_during_the_event_is_still_one_digit() {
    let mut phone = Phone::new();
    phone.packet(true, 1000, 7, false, 160);
    phone.packet(false, 1160, 7, false, 320);
    phone.packet(false, 1320, 7, true, 480);
    phone.packet(false, 1480, 7, true, 480);
    phone.packet(false, 1640, 7, true, 480);
    assert_eq!(phone.heard.len(), 2, "{:?}", phone.heard);
}

#[test]
fn a_key_held_longer_than_a_segment_is_one_digit() {
    let mut phone = Phone::new();
    phone.packet(true, 0, 3, false, 0xffff);
    phone.packet(false, 0xffff, 3, false, 160);
    phone.packet(false, 0xffff, 3, true, 320);
    assert_eq!(
        phone.heard[1],
        KeyEvent::Released(digit('3'), Duration::from_micros((0xffff + 320) * 125))
    );
    assert_eq!(phone.heard.len(), 2);
}

#[test]
fn other_events_and_short_payloads_are_no_digits() {
    let mut phone = Phone::new();
    phone.press(1000, 16);
    let heard = &mut phone.heard;
    phone.receiver.receive(phone.now, 8000, true, 5000, &[1, 2, 3], |e| heard.push(e));
    assert!(phone.heard.is_empty());
}

#[test]
fn what_is_sent_is_what_rfc_4733_asks_for() {
    let t0 = Instant::now();
    let mut sender = EventSender::default();
    assert_eq!(sender.queue(t0, &[digit('1'), digit('#')], ms(100), ms(60)), 2);
    let mut packets = Vec::new();
    while let Some(at) = sender.poll_timeout() {
        if let Some(p) = sender.poll(at, 8000) {
            packets.push((at.duration_since(t0).as_millis(), p));
        }
    }
    assert!(sender.is_idle());
    let first: Vec<_> = packets.iter().filter(|(_, p)| p.timestamp == 0).collect();
    let durations: Vec<_> =
        first.iter().map(|(_, p)| u16::from_be_bytes([p.payload[2], p.payload[3]])).collect();
    assert_eq!(durations, [160, 320, 480, 640, 800, 800, 800]);
    let ends: Vec<_> = first.iter().map(|(_, p)| p.payload[1] & 0x80 != 0).collect();
    assert_eq!(ends, [false, false, false, false, true, true, true]);
    let markers: Vec<_> = first.iter().map(|(_, p)| p.marker).collect();
    assert_eq!(markers, [true, false, false, false, false, false, false]);
    let (at, second) = packets.iter().find(|(_, p)| p.timestamp != 0).unwrap();
    assert_eq!((*at, second.timestamp, second.marker), (160, 1280, true));
    assert_eq!(second.payload[0], 11);
    assert!(packets.windows(2).all(|w| w[1].1.sequence == w[0].1.sequence + 1));
}

#[test]
fn what_is_sent_is_heard_once() {
    let t0 = Instant::now();
    let mut sender = EventSender::default();
    let digits = Digit::parse_all("0123456789*#ABCD").unwrap();
    sender.queue(t0, &digits, ms(90), ms(50));
    let mut receiver = EventReceiver::default();
    let mut heard = Vec::new();
    while let Some(at) = sender.poll_timeout() {
        if let Some(p) = sender.poll(at, 8000) {
            receiver.receive(at, 8000, p.marker, p.timestamp, &p.payload, |e| heard.push(e));
        }
    }
    let released: Vec<_> = heard
        .iter()
        .filter_map(|e| match e {
            KeyEvent::Released(d, held) => Some((*d, *held)),
            KeyEvent::Pressed(..) => None,
        })
        .collect();
    assert_eq!(released, digits.iter().map(|&d| (d, ms(90))).collect::<Vec<_>>());
}

#[test]
fn the_queue_is_bounded() {
    let mut sender = EventSender::default();
    let many = vec![digit('1'); 1000];
    assert_eq!(sender.queue(Instant::now(), &many, ms(100), ms(100)), MAX_QUEUED);
}

/// What a sender makes of one key.
fn pressed(clock: u32, tone: Duration) -> Vec<(Instant, EventPacket)> {
    let mut sender = EventSender::default();
    sender.queue(Instant::now(), &[digit('5')], tone, ms(60));
    let mut packets = Vec::new();
    while let Some(at) = sender.poll_timeout() {
        packets.extend(sender.poll(at, clock).map(|packet| (at, packet)));
    }
    packets
}

#[test]
fn a_key_is_one_key_of_its_length_in_every_clock() {
    for clock in [8000, 48_000] {
        for tone in [ms(50), ms(1360), ms(1380), ms(3000), ms(9000)] {
            let mut receiver = EventReceiver::default();
            let mut heard = Vec::new();
            for (at, p) in pressed(clock, tone) {
                receiver.receive(at, clock, p.marker, p.timestamp, &p.payload, |e| heard.push(e));
            }
            let [KeyEvent::Pressed(_, 0), KeyEvent::Released(_, held)] = heard[..] else {
                panic!("{clock} {tone:?}: {heard:?}");
            };
            assert_eq!(held, tone, "{clock}");
        }
    }
}

#[test]
fn a_segment_ends_with_the_longest_duration_and_the_next_begins_where_it_ended() {
    let packets = pressed(48_000, ms(3000));
    let told: Vec<(u32, u16, bool, bool)> = packets
        .iter()
        .map(|(_, p)| {
            let duration = u16::from_be_bytes([p.payload[2], p.payload[3]]);
            (p.timestamp, duration, p.payload[1] & 0x80 != 0, p.marker)
        })
        .collect();
    assert!(told.contains(&(0, 0xffff, false, false)));
    assert!(told.contains(&(0xffff, 0xffff, false, false)));
    let last = (2 * 0xffff, (144_000_u32 - 2 * 0xffff) as u16, true, false);
    assert_eq!(told[told.len() - 3..], [last; 3]);
    assert_eq!(told.iter().filter(|(.., end, _)| *end).count(), 3);
    assert_eq!(told.iter().filter(|(.., marker)| *marker).count(), 1);
    assert!(told.windows(2).all(|pair| pair[0].0 <= pair[1].0));
}

#[test]
fn repeated_ends_whose_timestamps_run_are_one_digit_in_a_fast_clock_too() {
    let mut phone = Phone::new();
    phone.clock = 48_000;
    phone.packet(true, 1000, 7, false, 960);
    for n in 1..4 {
        phone.packet(false, 1000 + n * 960, 7, true, 1920);
    }
    assert_eq!(phone.heard.len(), 2, "{:?}", phone.heard);
}

#[test]
fn a_key_keeps_its_length_from_clock_to_clock() {
    for (from, to) in [(8000, 48_000), (48_000, 8000), (48_000, 48_000), (8000, 8000)] {
        let mut converter = Converter::default();
        let mut receiver = EventReceiver::default();
        let mut heard = Vec::new();
        for (at, p) in pressed(from, ms(3000)) {
            let start = 70_000_u32.wrapping_add(p.timestamp);
            let made = converter.convert(9, start, p.payload, (from, to)).unwrap();
            assert_eq!(made.pressed, 70_000);
            receiver.receive(at, to, p.marker, made.offset, &made.payload, |e| heard.push(e));
        }
        let [KeyEvent::Pressed(_, 0), KeyEvent::Released(_, held)] = heard[..] else {
            panic!("{from} {to}: {heard:?}");
        };
        assert!(ms(3000).abs_diff(held) < ms(1), "{from} {to}: {held:?}");
    }
}
