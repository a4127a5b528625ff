//! Conferences over real sockets: what each member hears of the others.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::f64::consts::TAU;
use std::sync::Arc;
use std::time::{Duration, Instant};

use offhook_media::clip::Clip;
use offhook_media::codec::Codec;
use offhook_media::engine::{Engine, Playback, Repeat, Role};
use offhook_media::g711::Law;

mod peer;

use peer::{Leg, PATIENCE, engine, quiet};

/// What each member says: a tone of its own.
const TONES: [f64; 4] = [440.0, 1000.0, 1700.0, 2600.0];
const LAWS: [Law; 4] = [Law::Mu, Law::A, Law::Mu, Law::A];

fn member(engine: &Engine, law: Law) -> Leg {
    Leg::new(engine, |stream| {
        let codec = if law == Law::A { Codec::Pcma } else { Codec::Pcmu };
        (stream.codec, stream.send_pt) = (codec, codec.payload_type());
        stream.recv_pt = codec.payload_type();
    })
}

/// All speak until they hear what is wanted, or for too long; which tones each one heard of late.
fn talk(legs: &mut [Leg], wanted: &[[bool; 4]]) -> Vec<[bool; 4]> {
    let mut heard = vec![Vec::new(); legs.len()];
    let start = Instant::now();
    for packet in 0.. {
        for ((leg, tone), law) in legs.iter_mut().zip(TONES).zip(LAWS) {
            let payload: Vec<u8> = (0..160)
                .map(|n| {
                    let phase = (packet * 160 + n) as f64 * tone * TAU / 8000.0;
                    law.encode((phase.sin() * 4000.0) as i16)
                })
                .collect();
            let payload_type = if law == Law::A { 8 } else { 0 };
            leg.say_at(payload_type, packet * 160, &payload);
        }
        let due = start + Duration::from_millis(20) * (packet + 1);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        for (leg, heard) in legs.iter_mut().zip(&mut heard) {
            leg.socket.set_nonblocking(true).unwrap();
            while let Some((payload_type, payload, _)) = leg.hear() {
                let law = if payload_type == 8 { Law::A } else { Law::Mu };
                heard.extend(payload.iter().map(|&byte| f64::from(law.decode(byte))));
            }
        }
        let tones = |heard: &Vec<f64>| TONES.map(|tone| amplitude(heard, tone) > 2000.0);
        if packet % 25 == 24 {
            let now: Vec<_> = heard.iter().map(tones).collect();
            if now == wanted || start.elapsed() > PATIENCE {
                return now;
            }
            heard.iter_mut().for_each(Vec::clear);
        }
    }
    Vec::new()
}

/// Mean over blocks of 50 ms: a jitter buffer that corrects its delay moves the phase.
fn amplitude(samples: &[f64], tone: f64) -> f64 {
    let last = &samples[samples.len().saturating_sub(4000)..];
    let step = tone * TAU / 8000.0;
    let blocks = last.chunks_exact(400).map(|block| {
        let part = |of: fn(f64) -> f64| -> f64 {
            block.iter().enumerate().map(|(n, s)| s * of(n as f64 * step)).sum()
        };
        part(f64::sin).hypot(part(f64::cos)) * 2.0 / block.len() as f64
    });
    blocks.sum::<f64>() / (last.len() / 400).max(1) as f64
}

#[test]
fn members_on_several_threads_hear_the_others_the_coach_hears_all_and_one_hears_the_coach() {
    let engine = engine(2);
    let mut legs: Vec<_> = LAWS.iter().map(|&law| member(&engine, law)).collect();
    let room = engine.conference();
    for leg in &legs[..3] {
        room.set(&leg.port, Role::TALKS);
    }
    room.set(&legs[3].port, Role::whispers_to(legs[0].port.id()));
    let [yes, no] = [true, false];
    let wanted = [[no, yes, yes, yes], [yes, no, yes, no], [yes, yes, no, no], [yes, yes, yes, no]];
    assert_eq!(talk(&mut legs, &wanted), wanted);

    // One is muted, one has gone.
    room.set(&legs[1].port, Role::LISTENS);
    engine.unbridge(&legs[2].port);
    let wanted = [[no, no, no, yes], [yes, no, no, no], [no; 4], [yes, no, no, no]];
    assert_eq!(talk(&mut legs, &wanted), wanted);

    // Two go on in a bridge of their own.
    engine.bridge(&legs[0].port, &legs[1].port);
    let wanted = [[no, yes, no, no], [yes, no, no, no], [no; 4], [no; 4]];
    assert_eq!(talk(&mut legs, &wanted), wanted);
    drop(room);
    for leg in &mut legs {
        quiet(leg);
    }
    drop(legs);
    assert_eq!(engine.open_ports(), 0);
}

#[test]
fn an_announcement_into_one_leg_takes_the_place_of_the_room_there_and_nowhere_else() {
    let engine = engine(2);
    let mut legs: Vec<_> = LAWS[..3].iter().map(|&law| member(&engine, law)).collect();
    let room = engine.conference();
    for leg in &legs {
        room.set(&leg.port, Role::TALKS);
    }
    // A second of the fourth tone, over and over: whole periods, so that there is no click.
    let samples = (0..8000).map(|n| (f64::from(n) * TONES[3] * TAU / 8000.0).sin() * 6000.0);
    let clip = Arc::new(Clip::from_samples(samples.map(|sample| sample as i16).collect()));
    legs[0].port.play(Playback { repeat: Repeat::Forever, ..Playback::of(1, vec![clip]) });
    let [yes, no] = [true, false];
    let wanted = [[no, no, no, yes], [yes, no, yes, no], [yes, yes, no, no]];
    assert_eq!(talk(&mut legs, &wanted), wanted);
    // Afterwards the room is heard again.
    legs[0].port.stop_play();
    let wanted = [[no, yes, yes, no], [yes, no, yes, no], [yes, yes, no, no]];
    assert_eq!(talk(&mut legs, &wanted), wanted);
}
