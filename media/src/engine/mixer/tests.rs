use super::*;
use crate::clip::Clip;
use crate::engine::api::Playback;

const NAMES: [PortId; 6] = [PortId(1), PortId(2), PortId(3), PortId(4), PortId(5), PortId(6)];

struct Room {
    mixer: Mixer,
    now: Instant,
}

impl Room {
    fn with(roles: &[Role]) -> Self {
        let now = Instant::now();
        let mut mixer = Mixer::new(now);
        for (id, role) in NAMES.into_iter().zip(roles) {
            mixer.set(id, *role);
        }
        Self { mixer, now }
    }

    /// A turn in which members say these amplitudes, and the first sample that each one hears.
    fn turn(&mut self, said: &[i16]) -> Vec<Option<i16>> {
        self.now += TURN;
        for (id, &amplitude) in NAMES.into_iter().zip(said) {
            self.mixer.feed(id, &[amplitude; 80], Rate::Narrow);
        }
        assert!(self.mixer.turn(self.now));
        assert!(!self.mixer.turn(self.now));
        let mut heard = Vec::new();
        let hears = |id: &PortId| self.mixer.hears(*id, &mut heard).then(|| heard[0]);
        NAMES.iter().take(said.len()).map(hears).collect()
    }
}

#[test]
fn everybody_hears_the_others_and_nobody_himself() {
    let mut room = Room::with(&[Role::TALKS; 3]);
    assert_eq!(room.turn(&[1000, 200, 30]), [Some(230), Some(1030), Some(1200)]);
    assert_eq!(room.turn(&[-1000, 0, 30]), [Some(30), Some(-970), Some(-1000)]);
}

#[test]
fn who_is_muted_hears_and_who_is_held_does_neither() {
    let held = Role { speaks: Speaks::ToNobody, hears: false };
    let mut room = Room::with(&[Role::TALKS, Role::LISTENS, held, Role::TALKS]);
    assert_eq!(room.turn(&[1000, 200, 30, 4]), [Some(4), Some(1004), None, Some(1000)]);
}

#[test]
fn a_whisper_is_heard_by_one_alone_and_the_coach_hears_all() {
    let roles = [Role::TALKS, Role::TALKS, Role::whispers_to(NAMES[0])];
    let mut room = Room::with(&roles);
    assert_eq!(room.turn(&[1000, 200, 30]), [Some(230), Some(1000), Some(1200)]);
}

#[test]
fn the_three_loudest_are_heard_and_not_cut_off_between_two_words() {
    let mut room = Room::with(&[Role::TALKS; 6]);
    let heard = room.turn(&[500, 600, 700, 100, 90, 0]);
    assert_eq!(heard[5], Some(1800), "three of five");
    assert_eq!(heard[3], Some(1800), "who is not heard hears them all");
    // A little louder than one of them is not enough; much louder is.
    assert_eq!(room.turn(&[500, 600, 700, 600, 90, 0])[5], Some(1800));
    assert_eq!(room.turn(&[500, 600, 700, 3000, 90, 0])[5], Some(4300));
    // A short pause keeps the place.
    assert_eq!(room.turn(&[0, 600, 700, 0, 90, 0])[5], Some(1300));
}

#[test]
fn all_who_shout_at_once_are_turned_down_and_not_clipped() {
    let mut room = Room::with(&[Role::TALKS; 3]);
    let heard = room.turn(&[30_000, 30_000, 30_000]);
    assert!(heard.iter().all(|h| h.is_some_and(|h| (20_000..=22_000).contains(&h))), "{heard:?}");
    // And the gain comes back.
    for _ in 0..60 {
        room.turn(&[1000, 0, 0]);
    }
    assert_eq!(room.turn(&[1000, 0, 0])[1], Some(1000));
}

#[test]
fn two_wideband_members_make_the_room_wide() {
    let mut room = Room::with(&[Role::TALKS; 3]);
    room.mixer.set_best(NAMES[0], Rate::Wide);
    assert_eq!(room.mixer.rate(), Rate::Narrow, "nobody could hear the difference");
    room.mixer.set_best(NAMES[1], Rate::Wide);
    assert_eq!(room.mixer.rate(), Rate::Wide);
    // A telephone's voice comes through in time and level.
    let mut heard = Vec::new();
    for _ in 0..20 {
        room.now += TURN;
        room.mixer.feed(NAMES[0], &[1000; 160], Rate::Wide);
        room.mixer.feed(NAMES[2], &[500; 80], Rate::Narrow);
        assert!(room.mixer.turn(room.now));
        assert!(room.mixer.hears(NAMES[1], &mut heard));
        assert_eq!(heard.len(), 160);
    }
    assert!(heard.iter().all(|h| (1495..=1505).contains(h)), "{heard:?}");
    room.mixer.remove(NAMES[0]);
    assert_eq!(room.mixer.rate(), Rate::Narrow);
}

#[test]
fn an_announcement_is_heard_by_all_while_they_go_on_talking() {
    let mut room = Room::with(&[Role::TALKS; 2]);
    let clip = std::sync::Arc::new(Clip::from_samples(vec![2000; 160]));
    let player = Player::new(room.now, Playback::of(1, vec![clip]), None, 10, 0);
    room.mixer.announce(player);
    let heard: Vec<_> = (0..6).map(|_| room.turn(&[100, 0])).collect();
    let with: Vec<_> = heard.iter().filter(|h| h[0] == Some(2000)).collect();
    assert_eq!(with.len(), 2, "{heard:?}");
    assert!(with.iter().all(|h| h[1] == Some(2100)));
    assert_eq!(heard[5], [Some(0), Some(100)]);
    assert!(room.mixer.announcement.is_none());
}

#[test]
fn a_member_whose_clock_runs_fast_is_bounded_and_a_silent_one_is_silence() {
    let mut room = Room::with(&[Role::TALKS; 2]);
    for _ in 0..100 {
        room.mixer.feed(NAMES[0], &[7; 80], Rate::Narrow);
    }
    assert_eq!(room.mixer.members[0].waiting.len(), MOST_WAITING * 80);
    for _ in 0..MOST_WAITING {
        room.turn(&[]);
    }
    let mut heard = Vec::new();
    room.turn(&[]);
    assert!(room.mixer.hears(NAMES[1], &mut heard));
    assert_eq!(heard, [0; 80]);
}
