use super::*;
use crate::clip::Clip;
use crate::resample::Samples;
use crate::sound::Growing;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn ramp(from: i16, len: usize) -> Arc<Clip> {
    Arc::new(Clip::from_samples((0..len).map(|i| from + i as i16).collect()))
}

fn playback(clips: Vec<Arc<Clip>>, repeat: Repeat) -> Playback {
    Playback { repeat, ..Playback::of(1, clips) }
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
    assert!(matches!(player.poll(t0 + ms(1007), &mut out), Step::Send(_)));
    assert_eq!(player.poll_timeout(), t0 + ms(1020), "the grid that it had");
    assert!(matches!(player.poll(t0 + ms(1008), &mut out), Step::Wait));
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

/// Hears samples of 20 ms until `until`.
fn hear(player: &mut Player, from: Instant, until: Instant) -> Vec<i16> {
    let (mut heard, mut at, mut out) = (Vec::new(), from, [0; MAX_WIDE]);
    while at < until {
        match player.poll_samples(at, &mut out) {
            Step::Send(frame) => heard.extend_from_slice(&out[..frame.length]),
            Step::Wait => {}
            Step::End => break,
        }
        at += ms(20);
    }
    heard
}

#[test]
fn silence_speech_and_clips_join_at_the_very_sample_at_both_rates() {
    let t0 = Instant::now();
    let speech = || {
        let mut grower = Growing::begin();
        let narrow: Vec<i16> = (0..77).map(|n| 9000 + n).collect();
        let wide = narrow.iter().flat_map(|&s| [s, s]).collect();
        assert!(grower.push(&mut Samples { narrow, wide }));
        let grown = grower.growing();
        let _ = grower.finish();
        grown
    };
    let parts = |grown| {
        vec![
            Part::Clip(ramp(100, 33)),
            Part::Silence(Duration::from_micros(125 * 50)),
            Part::Growing(grown),
            Part::Clip(ramp(3000, 160)),
        ]
    };
    let list = Playback { parts: parts(speech()), ..Playback::of(1, vec![]) };
    let mut player = Player::new(t0, list, None, 20, 1);
    let heard = hear(&mut player, t0, t0 + ms(200));
    let narrow: Vec<i16> = heard.chunks(2).map(|pair| pair[0]).collect();
    let mut want = ramp(100, 33).samples().to_vec();
    want.extend([0; 50]);
    want.extend(9000..9077);
    want.extend(ramp(3000, 160).samples());
    want.resize(320, 0);
    assert_eq!(narrow, want);
    let list = Playback { parts: parts(speech()), ..Playback::of(1, vec![]) };
    let (packets, _) = run(Player::new(t0, list, Some(Law::A), 20, 1), t0);
    let bytes: Vec<u8> = packets.into_iter().flat_map(|(_, bytes)| bytes).collect();
    assert_eq!(bytes, want.iter().map(|&s| Law::A.encode(s)).collect::<Vec<u8>>());
}

#[test]
fn what_is_not_made_yet_is_silence_and_nothing_of_it_is_lost() {
    let t0 = Instant::now();
    let mut grower = Growing::begin();
    let list = Playback { parts: vec![Part::Growing(grower.growing())], ..Playback::of(1, vec![]) };
    let mut player = Player::new(t0, list, None, 20, 1);
    assert_eq!(hear(&mut player, t0, t0 + ms(40)), vec![0; 640]);
    assert!(grower.push(&mut Samples { narrow: vec![5; 160], wide: vec![5; 320] }));
    assert_eq!(hear(&mut player, t0 + ms(40), t0 + ms(60)), vec![5; 320]);
    assert_eq!(hear(&mut player, t0 + ms(60), t0 + ms(80)), vec![0; 320]);
    assert_eq!(player.played(), ms(20));
    let _ = grower.finish();
    assert_eq!(hear(&mut player, t0 + ms(80), t0 + ms(200)), Vec::<i16>::new());
}

#[test]
fn a_pause_is_silence_and_the_next_sample_is_heard_after_it() {
    let t0 = Instant::now();
    let clip = ramp(1, 8000);
    let list = playback(vec![Arc::clone(&clip)], Repeat::Once);
    let mut player = Player::new(t0, list, None, 20, 1);
    assert_eq!(hear(&mut player, t0, t0 + ms(100)), clip.samples()[..800]);
    player.control(t0 + ms(100), Control::PauseOrResume);
    assert_eq!(hear(&mut player, t0 + ms(100), t0 + ms(1100)), vec![0; 8000]);
    player.control(t0 + ms(1100), Control::PauseOrResume);
    assert_eq!(hear(&mut player, t0 + ms(1100), t0 + ms(1120)), clip.samples()[800..960]);
    // Nobody comes back: it goes on by itself.
    player.control(t0 + ms(1120), Control::Pause);
    let late = t0 + ms(1120) + MAX_PAUSE;
    assert_eq!(hear(&mut player, late, late + ms(20)), clip.samples()[960..1120]);
}

#[test]
fn one_seeks_within_the_part_that_is_heard() {
    let t0 = Instant::now();
    let clip = ramp(1, 16_000);
    let list = playback(vec![Arc::clone(&clip), ramp(-3000, 160)], Repeat::Once);
    let mut player = Player::new(t0, list, None, 20, 1);
    let mut at = t0;
    let mut next = |player: &mut Player| {
        at += ms(20);
        hear(player, at - ms(20), at)
    };
    next(&mut player);
    player.control(t0, Control::Seek(1000));
    assert_eq!(next(&mut player), clip.samples()[8160..8320]);
    player.control(t0, Control::Seek(-500));
    assert_eq!(next(&mut player), clip.samples()[4320..4480]);
    player.control(t0, Control::Seek(-60_000));
    assert_eq!(next(&mut player), clip.samples()[..160]);
    assert_eq!(player.played(), ms(20));
    player.control(t0, Control::Seek(60_000));
    assert_eq!(next(&mut player), ramp(-3000, 160).samples());
    assert_eq!(next(&mut player), Vec::<i16>::new());
}

#[test]
fn a_list_of_nothing_is_not_repeated_for_ever() {
    let t0 = Instant::now();
    let grown = Growing::begin().growing();
    let list = Playback { parts: vec![Part::Growing(grown)], ..Playback::of(1, vec![]) };
    let list = Playback { repeat: Repeat::Forever, ..list };
    assert_eq!(run(Player::new(t0, list, Some(Law::Mu), 20, 1), t0), (vec![], 0));
}
