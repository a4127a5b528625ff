use super::super::{Identity, SrtpKeys};
use super::*;

/// What goes to a side, and comes of it.
type Packets = Vec<Vec<u8>>;

/// A phone with an RSA certificate, and us, whom it asks.
struct Pair {
    phone: Identity,
    us: Identity,
    server: Association,
    now: Instant,
}

impl Pair {
    fn new() -> Self {
        let now = Instant::now();
        let [phone, us] = [Identity::with_an_rsa_key(), Identity::fresh().unwrap()];
        let server = us.associate(now, phone.fingerprint().clone(), false);
        Self { phone, us, server, now }
    }

    /// The phone, as it is after its start, and what it says first.
    fn client(&self) -> (Association, Packets) {
        self.client_of(&self.phone)
    }

    fn client_of(&self, phone: &Identity) -> (Association, Packets) {
        let mut client = phone.associate(self.now, self.us.fingerprint().clone(), true);
        let mut asked = Vec::new();
        client.handle_timeout(self.now, &mut |packet| asked.push(packet.to_vec()));
        (client, asked)
    }

    /// Gives us what was said; our answers, and keys if there are any.
    fn give(&mut self, packets: &[Vec<u8>]) -> (Packets, Vec<SrtpKeys>) {
        let (mut answers, mut keys) = (Vec::new(), Vec::new());
        for packet in packets {
            match self.server.receive(self.now, packet, &mut |p| answers.push(p.to_vec())) {
                News::Keys(new) => keys.push(new),
                News::Waiting => {}
                other => panic!("{other:?}"),
            }
        }
        (answers, keys)
    }

    /// Gives the phone what we said; what it says to that.
    fn take(&self, client: &mut Association, packets: &[Vec<u8>]) -> (Packets, Vec<SrtpKeys>) {
        let (mut said, mut keys) = (Vec::new(), Vec::new());
        for packet in packets {
            let news = client.receive(self.now, packet, &mut |p| said.push(p.to_vec()));
            keys.extend(if let News::Keys(new) = news { Some(new) } else { None });
        }
        (said, keys)
    }

    /// Both speak until neither has anything to say: keys of ours, and of the phone's.
    fn finish(
        &mut self,
        client: &mut Association,
        mut said: Packets,
    ) -> (Vec<SrtpKeys>, Vec<SrtpKeys>) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        while !said.is_empty() {
            let (answers, keys) = self.give(&said);
            ours.extend(keys);
            let (next, keys) = self.take(client, &answers);
            theirs.extend(keys);
            said = next;
        }
        (ours, theirs)
    }
}

fn agree((ours, theirs): &(Vec<SrtpKeys>, Vec<SrtpKeys>)) -> bool {
    let [ours, theirs] = [ours, theirs].map(|keys| <&[SrtpKeys; 1]>::try_from(&keys[..]).unwrap());
    (&ours[0].tx, &ours[0].rx) == (&theirs[0].rx, &theirs[0].tx)
}

#[test]
fn a_phone_that_begins_anew_after_the_keys_gets_others() {
    let mut pair = Pair::new();
    let (mut client, said) = pair.client();
    let first = pair.finish(&mut client, said);
    assert!(agree(&first));
    for _ in 0..3 {
        let (mut client, said) = pair.client();
        let second = pair.finish(&mut client, said);
        assert!(agree(&second) && second.0[0] != first.0[0]);
        assert!(!pair.server.begins_anew(), "nothing is left over");
    }
}

#[test]
fn a_phone_that_begins_anew_in_the_middle_of_its_first_handshake_is_heard() {
    let mut pair = Pair::new();
    let (mut lost, said) = pair.client();
    // As far as our certificate, and no further.
    let (cookie, _) = pair.give(&said);
    let (said, _) = pair.take(&mut lost, &cookie);
    let (answers, _) = pair.give(&said);
    assert!(pair.server.is_reached() && !answers.is_empty());
    let (mut client, said) = pair.client();
    assert!(agree(&pair.finish(&mut client, said)));
    assert!(!pair.server.begins_anew());
    // And before our cookie came back, when nobody was known yet.
    let mut pair = Pair::new();
    let (_, said) = pair.client();
    pair.give(&said);
    let (mut client, said) = pair.client();
    assert!(agree(&pair.finish(&mut client, said)));
}

#[test]
fn a_forged_clienthello_takes_nothing_away_and_many_take_little() {
    let mut pair = Pair::new();
    let (mut client, said) = pair.client();
    let (cookie, _) = pair.give(&said);
    let (said, _) = pair.take(&mut client, &cookie);
    let (flight, _) = pair.give(&said);
    // Between the flights, and after the keys: whoever forged them does not hear our cookie.
    let forge = |pair: &mut Pair| {
        let answers = (0..50).map(|_| {
            let (_, hello) = pair.client();
            let (answers, keys) = pair.give(&hello);
            assert!(keys.is_empty() && answers.len() <= 1, "a cookie at most");
            answers.len()
        });
        let answers: usize = answers.sum();
        assert!(answers <= MOST as usize, "{answers}");
    };
    forge(&mut pair);
    let (said, _) = pair.take(&mut client, &flight);
    let first = pair.finish(&mut client, said);
    assert!(agree(&first));
    forge(&mut pair);
    assert!(pair.server.begins_anew());
    // What was begun ends by itself, and a phone that means it is heard then.
    pair.now += HANDSHAKE;
    pair.server.handle_timeout(pair.now, &mut |_| {});
    assert!(!pair.server.begins_anew());
    let (mut client, said) = pair.client();
    assert!(agree(&pair.finish(&mut client, said)));
}

#[test]
fn somebody_with_another_certificate_who_begins_anew_changes_nothing() {
    let mut pair = Pair::new();
    let (mut client, said) = pair.client();
    assert!(agree(&pair.finish(&mut client, said)));
    let stranger = Identity::fresh().unwrap();
    let (mut client, said) = pair.client_of(&stranger);
    let (ours, _) = pair.finish(&mut client, said);
    assert!(ours.is_empty());
    assert!(!pair.server.begins_anew());
    // The phone itself may still begin anew.
    let (mut client, said) = pair.client();
    assert!(agree(&pair.finish(&mut client, said)));
}

#[test]
fn a_repeat_of_what_began_the_handshake_begins_no_other() {
    let mut pair = Pair::new();
    let (mut client, said) = pair.client();
    let hello = said.clone();
    assert!(agree(&pair.finish(&mut client, said)));
    for _ in 0..3 {
        pair.give(&hello);
        assert!(!pair.server.begins_anew());
    }
}

#[test]
fn one_that_fails_before_the_keys_makes_room_for_another_without_what_is_left_of_it() {
    let mut pair = Pair::new();
    // Somebody forges a ClientHello, and a second one with another cookie than ours.
    let (mut forger, said) = pair.client();
    let (cookie, _) = pair.give(&said);
    let (mut second, _) = pair.take(&mut forger, &cookie);
    // Behind the headers, version, random value and the length of no session.
    second[0][13 + 12 + 2 + RANDOM + 2] ^= 1;
    let news = pair.server.receive(pair.now, &second[0], &mut |_| {});
    assert!(matches!(news, News::Again(_)), "{news:?}");
    // The last flight of a phone that had begun by then, as that comes again and again.
    let (mut client, said) = pair.client();
    let phone = pair.phone.fingerprint().clone();
    let here = std::mem::replace(&mut pair.server, pair.us.associate(pair.now, phone, false));
    let mut flight = said;
    for _ in 0..2 {
        let (answers, _) = pair.give(&flight);
        flight = pair.take(&mut client, &answers).0;
    }
    pair.server = here;
    let left = pair.give(&flight);
    assert!(flight.len() > 1 && left.0.is_empty() && left.1.is_empty());
    let (mut client, said) = pair.client();
    assert!(agree(&pair.finish(&mut client, said)));
}

#[test]
fn a_phone_that_closes_dtls_after_the_keys_ends_nothing_and_may_begin_anew() {
    let mut pair = Pair::new();
    let (mut client, said) = pair.client();
    assert!(agree(&pair.finish(&mut client, said)));
    let mut goodbye = Vec::new();
    client.current.leaves(pair.now, &mut |packet| goodbye.push(packet.to_vec()));
    let (answers, keys) = pair.give(&goodbye);
    assert!(answers.len() == 1 && keys.is_empty(), "it is understood, and answered");
    pair.now += HANDSHAKE;
    assert_eq!(pair.server.handle_timeout(pair.now, &mut |_| {}), News::Waiting);
    let (mut client, said) = pair.client();
    assert!(agree(&pair.finish(&mut client, said)));
}
