//! Who is not the phone, and what he can do to its handshake.

use super::*;

type Packets = Vec<Vec<u8>>;

/// Us, a phone, and somebody with another certificate.
struct Three {
    us: Identity,
    phone: Identity,
    stranger: Identity,
    now: Instant,
}

/// Where the phone says it is; behind its NAT it speaks from [`B`].
const INSIDE: &str = "10.0.0.7:5000";

impl Three {
    fn new() -> Self {
        let [us, phone, stranger] = [(); 3].map(|()| Identity::fresh().unwrap());
        Self { us, phone, stranger, now: Instant::now() }
    }

    fn terms(of: &Identity, active: bool) -> DtlsTerms {
        DtlsTerms { fingerprint: of.fingerprint().clone(), active }
    }

    /// We wait for the phone.
    fn desk(&self, announced: &str) -> Desk {
        let terms = Self::terms(&self.phone, false);
        Desk::new(self.now, terms, &self.us, addr(announced), &mut |_, _| {})
    }

    /// We ask the phone; what we ask.
    fn asking(&self, announced: &str) -> (Desk, Packets) {
        let mut asked = Packets::new();
        let terms = Self::terms(&self.phone, true);
        let desk = Desk::new(self.now, terms, &self.us, addr(announced), &mut |to, packet| {
            assert_eq!(to, addr(announced));
            asked.push(packet.to_vec());
        });
        (desk, asked)
    }

    /// Somebody who waits to be asked.
    fn server(&self, who: &Identity) -> Desk {
        Desk::new(self.now, Self::terms(&self.us, false), who, addr(A), &mut |_, _| {})
    }

    /// Lets this many seconds pass, one by one; what we ask meanwhile, and where.
    fn pass(&mut self, desk: &mut Desk, seconds: u32) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut asked = Vec::new();
        for _ in 0..seconds {
            self.now += Duration::from_secs(1);
            desk.handle_timeout(self.now, &mut |to, packet| asked.push((to, packet.to_vec())));
        }
        asked
    }

    /// Who was asked answers from there; whether both have keys then.
    fn answers(
        &self,
        desk: &mut Desk,
        from: &str,
        (server, mut asked): (&mut Desk, Packets),
    ) -> bool {
        for _ in 0..10 {
            let said = self.take(server, &asked);
            asked = self.give(desk, from, &said);
        }
        agree(desk, server)
    }

    /// Somebody who begins, and his ClientHello.
    fn client(&self, who: &Identity) -> (Desk, Packets) {
        let mut said = Packets::new();
        let terms = Self::terms(&self.us, true);
        let client = Desk::new(self.now, terms, who, addr(A), &mut |_, packet| {
            said.push(packet.to_vec());
        });
        (client, said)
    }

    /// Gives us packets that come from there; our answers.
    fn give(&self, desk: &mut Desk, from: &str, packets: &[Vec<u8>]) -> Packets {
        let mut answers = Packets::new();
        for packet in packets {
            desk.receive(self.now, addr(from), packet, &mut |to, packet| {
                assert_eq!(to, addr(from));
                answers.push(packet.to_vec());
            });
        }
        answers
    }

    /// Gives a client what we answered; what it says to that.
    fn take(&self, client: &mut Desk, packets: &[Vec<u8>]) -> Packets {
        let mut said = Packets::new();
        for packet in packets {
            client.receive(self.now, addr(A), packet, &mut |_, packet| said.push(packet.to_vec()));
        }
        said
    }

    /// Somebody who returns the cookie from there, and says no more.
    fn stall(&self, desk: &mut Desk, from: &str) {
        let (mut client, said) = self.client(&self.stranger);
        let cookie = self.give(desk, from, &said);
        let said = self.take(&mut client, &cookie);
        self.give(desk, from, &said);
    }

    /// The phone begins from there; whether it gets its keys, and we the same.
    fn gets_keys(&self, desk: &mut Desk, from: &str) -> bool {
        let (client, said) = self.client(&self.phone);
        self.finishes(desk, from, (client, said))
    }

    fn finishes(
        &self,
        desk: &mut Desk,
        from: &str,
        (mut client, mut said): (Desk, Packets),
    ) -> bool {
        while !said.is_empty() {
            let answers = self.give(desk, from, &said);
            said = self.take(&mut client, &answers);
        }
        agree(desk, &client)
    }
}

/// Whether both have the same keys the other way round.
fn agree(one: &Desk, other: &Desk) -> bool {
    let (ours, theirs) = (one.keys(), other.keys());
    ours.zip(theirs).is_some_and(|(ours, theirs)| (&ours.tx, &ours.rx) == (&theirs.rx, &theirs.tx))
}

#[test]
fn who_returns_cookies_and_stops_keeps_a_phone_behind_a_nat_out_for_no_longer_than_three_seconds() {
    let mut all = Three::new();
    // One host has one place, however many ports it has.
    let mut desk = all.desk(INSIDE);
    for port in 1..20 {
        all.stall(&mut desk, &format!("203.0.113.9:{port}"));
    }
    assert_eq!(desk.others.len(), 1);
    assert!(all.gets_keys(&mut desk, B));
    // And many hosts have one each for a while.
    let mut desk = all.desk(INSIDE);
    for host in 0..20 {
        all.stall(&mut desk, &format!("203.0.113.{host}:7"));
    }
    assert_eq!(desk.others.len(), MOST_OTHERS);
    assert!(!all.gets_keys(&mut desk, B));
    all.now += STALLED;
    assert!(all.gets_keys(&mut desk, B));
    assert!(desk.others.is_empty() && desk.take_error().is_none());
}

#[test]
fn ports_of_the_announced_host_do_not_keep_the_announced_one_out() {
    let all = Three::new();
    let mut desk = all.desk(B);
    for port in 1..20 {
        all.stall(&mut desk, &format!("198.51.100.2:{port}"));
    }
    assert_eq!(desk.others.len(), MOST_PORTS);
    assert!(all.gets_keys(&mut desk, B));
}

#[test]
fn hellos_from_many_ports_of_the_announced_host_leave_the_announced_one_its_own_measure() {
    let all = Three::new();
    let mut desk = all.desk(B);
    let (_, hello) = all.client(&all.stranger);
    for port in 6_000..6_200 {
        all.give(&mut desk, &format!("198.51.100.2:{port}"), &hello);
    }
    assert_eq!(desk.others.len(), MOST_PORTS);
    assert!(all.gets_keys(&mut desk, B));
}

#[test]
fn what_is_forged_from_the_announced_host_stops_no_handshake_and_moves_none() {
    let mut all = Three::new();
    let mut desk = all.desk(INSIDE);
    let (mut client, said) = all.client(&all.phone);
    let cookie = all.give(&mut desk, B, &said);
    let said = all.take(&mut client, &cookie);
    let (_, hello) = all.client(&all.stranger);
    for port in [5000, 9] {
        let from = format!("10.0.0.7:{port}");
        for first in 20..64 {
            all.give(&mut desk, &from, &[vec![first, 254, 253, 0, 0]]);
        }
        all.give(&mut desk, &from, &hello);
    }
    assert!(all.finishes(&mut desk, B, (client, said)));

    // The same where we begin: whom we asked is heard where it said it is.
    let (mut desk, asked) = all.asking(B);
    for first in 20..64 {
        all.give(&mut desk, "198.51.100.2:9", &[vec![first, 254, 253, 0, 0]]);
    }
    let mut phone = all.server(&all.phone);
    assert!(all.answers(&mut desk, B, (&mut phone, asked)));
    // Pieces that never become a message spoil nothing.
    let (mut desk, asked) = all.asking(B);
    all.give(&mut desk, "198.51.100.2:9", &pieces());
    let mut phone = all.server(&all.phone);
    assert!(all.answers(&mut desk, B, (&mut phone, asked)));
    // What spoils one handshake is not the end either, and the next one begins there again.
    let (mut desk, _) = all.asking(B);
    all.give(&mut desk, "198.51.100.2:9", &[stray(0)]);
    let asked = all.pass(&mut desk, 9);
    assert!(!asked.is_empty() && asked.iter().all(|(to, _)| *to == addr(B)));
    let mut phone = all.server(&all.phone);
    let asked = vec![asked[0].1.clone()];
    assert!(all.answers(&mut desk, B, (&mut phone, asked)));
    assert_eq!((desk.peer, desk.take_error()), (addr(B), None));
}

#[test]
fn hellos_that_are_forged_with_the_address_of_the_phone_before_it_speaks_do_not_keep_it_out() {
    let all = Three::new();
    for announced in [B, INSIDE] {
        let mut desk = all.desk(announced);
        for _ in 0..30 {
            let (_, hello) = all.client(&all.stranger);
            assert!(all.give(&mut desk, B, &hello).len() <= 1, "a cookie at most");
        }
        // Some more while its cookie is on the way.
        let (mut client, said) = all.client(&all.phone);
        let cookie = all.give(&mut desk, B, &said);
        for _ in 0..3 {
            let (_, hello) = all.client(&all.stranger);
            all.give(&mut desk, B, &hello);
        }
        let said = all.take(&mut client, &cookie);
        assert!(all.finishes(&mut desk, B, (client, said)), "{announced}");
        assert!(!desk.is_busy());
    }
}

#[test]
fn a_forged_hello_and_a_wrong_cookie_after_it_are_not_the_end() {
    let all = Three::new();
    let mut desk = all.desk(B);
    let forge = |desk: &mut Desk| {
        let (mut client, hello) = all.client(&all.stranger);
        let cookie = all.give(desk, B, &hello);
        let mut second = all.take(&mut client, &cookie);
        // Behind the headers, version, random value and the length of no session.
        second[0][13 + 12 + 2 + 32 + 2] ^= 1;
        all.give(desk, B, &second);
    };
    forge(&mut desk);
    assert_eq!((desk.take_error(), desk.others.len()), (None, 0));
    // And when the phone has begun its own behind it.
    let (mut forger, hello) = all.client(&all.stranger);
    let cookie = all.give(&mut desk, B, &hello);
    let mut second = all.take(&mut forger, &cookie);
    second[0][13 + 12 + 2 + 32 + 2] ^= 1;
    let (mut client, said) = all.client(&all.phone);
    let cookie = all.give(&mut desk, B, &said);
    all.give(&mut desk, B, &second);
    let said = all.take(&mut client, &cookie);
    assert!(all.finishes(&mut desk, B, (client, said)));
    assert_eq!(desk.take_error(), None);
}

#[test]
fn a_forged_answer_to_what_we_ask_is_not_the_end_and_we_ask_again() {
    let mut all = Three::new();
    let (mut desk, asked) = all.asking(B);
    // The phone has heard us, and what is forged comes before its answer.
    let mut phone = all.server(&all.phone);
    let cookie = all.take(&mut phone, &asked);
    let hello =
        [22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 15, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 3, 9, 9, 9];
    all.give(&mut desk, B, &[hello.to_vec()]);
    let late = all.give(&mut desk, B, &cookie);
    assert!(late.iter().all(|packet| packet[0] != 22), "the library is at its end: {late:?}");
    let again = all.pass(&mut desk, 9);
    assert!(desk.doubt.is_some() && desk.take_error().is_none());
    assert!(again.len() == 1 && again[0].0 == addr(B));
    assert!(all.answers(&mut desk, B, (&mut phone, vec![again[0].1.clone()])));
}

#[test]
fn somebody_else_at_another_port_of_the_phone_who_answers_is_not_the_end_and_at_its_own_he_is() {
    const OTHER: &str = "198.51.100.2:9";
    let mut all = Three::new();
    let (mut desk, asked) = all.asking(B);
    let mut stranger = all.server(&all.stranger);
    assert!(!all.answers(&mut desk, OTHER, (&mut stranger, asked)));
    assert_eq!((desk.take_error(), desk.peer), (None, addr(B)));
    assert_eq!(desk.doubt, Some(WebRtcError::Stranger));
    let again = all.pass(&mut desk, 1);
    assert!(again.len() == 1 && again[0].0 == addr(B));
    let mut phone = all.server(&all.phone);
    assert!(all.answers(&mut desk, B, (&mut phone, vec![again[0].1.clone()])));

    // At the announced address it is the end at once, and nobody is asked or heard any more.
    let (mut desk, asked) = all.asking(B);
    let mut stranger = all.server(&all.stranger);
    all.answers(&mut desk, B, (&mut stranger, asked.clone()));
    assert_eq!(desk.take_error(), Some(WebRtcError::Stranger));
    assert!(!desk.is_busy() && all.pass(&mut desk, 30).is_empty());
    let said = all.take(&mut all.server(&all.stranger), &asked);
    assert!(!desk.receive(all.now, addr(B), &said[0], &mut |_, _| panic!("answered")));
}

#[test]
fn where_a_phone_is_after_another_description_is_not_known_by_what_it_said_before() {
    const C: &str = "192.0.2.77:6000";
    const OTHER: &str = "192.0.2.77:9";
    let all = Three::new();
    let (mut desk, asked) = all.asking(B);
    // It has said all that a server says first, and gets our answer at its new place only.
    let mut phone = all.server(&all.phone);
    let cookie = all.take(&mut phone, &asked);
    let hello = all.give(&mut desk, B, &cookie);
    let flight = all.take(&mut phone, &hello);
    all.give(&mut desk, B, &flight);
    assert!(desk.heard && desk.keys().is_none());
    let mut asked = Packets::new();
    let terms = Three::terms(&all.phone, true);
    desk.set(all.now, terms, &all.us, addr(C), &mut |to, packet| {
        assert_eq!(to, addr(C));
        asked.push(packet.to_vec());
    });
    all.give(&mut desk, OTHER, &[vec![22, 254, 253, 0, 0]]);
    assert!(!desk.heard && desk.peer == addr(C));
    assert!(all.answers(&mut desk, C, (&mut phone, asked)));
    assert!(desk.heard && desk.peer == addr(C));
}

#[test]
fn a_phone_that_says_it_is_elsewhere_may_begin_anew_there_and_the_old_keys_serve_until_then() {
    let mut all = Three::new();
    const C: &str = "192.0.2.77:6000";
    let mut desk = all.desk(B);
    assert!(all.gets_keys(&mut desk, B));
    let first = desk.keys().cloned();
    all.stall(&mut desk, C);
    assert!(desk.others.is_empty(), "nobody said anything of that address");
    let terms = Three::terms(&all.phone, false);
    desk.set(all.now, terms, &all.us, addr(C), &mut |_, _| panic!("nothing is to be said"));
    all.stall(&mut desk, "192.0.2.77:9");
    assert!(desk.keys() == first.as_ref() && desk.is_busy());
    assert!(all.gets_keys(&mut desk, C));
    assert!(desk.keys() != first.as_ref() && !desk.is_busy());
    // What only some begin there ends by itself.
    let terms = Three::terms(&all.phone, false);
    desk.set(all.now, terms, &all.us, addr(B), &mut |_, _| {});
    all.stall(&mut desk, B);
    all.now += TIME;
    desk.handle_timeout(all.now, &mut |_, _| {});
    assert!(!desk.is_busy() && desk.keys().is_some() && desk.take_error().is_none());
}

#[test]
fn a_hold_with_an_address_of_zeros_opens_the_desk_to_nobody() {
    let all = Three::new();
    let mut desk = all.desk(B);
    assert!(all.gets_keys(&mut desk, B));
    let first = desk.keys().cloned();
    for announced in ["0.0.0.0:5000", "[::]:5000", B] {
        let terms = Three::terms(&all.phone, false);
        desk.set(all.now, terms, &all.us, addr(announced), &mut |_, _| panic!("said"));
        let (_, hello) = all.client(&all.stranger);
        for from in ["203.0.113.9:7", "198.51.100.2:9"] {
            assert!(all.give(&mut desk, from, &hello).is_empty(), "{announced} {from}");
        }
        assert!(desk.others.is_empty() && !desk.is_busy());
    }
    assert!(desk.keys() == first.as_ref());
}

#[test]
fn a_piece_each_second_from_another_port_of_the_phones_host_does_not_keep_out_whom_we_ask() {
    let mut all = Three { phone: Identity::with_an_rsa_key(), ..Three::new() };
    for from in [B, "198.51.100.2:5001"] {
        // It is where it said, or its NAT has another port for it, which it loses to the forger for a while.
        let (mut desk, asked) = all.asking(B);
        let mut phone = all.server(&all.phone);
        let (mut asked, mut alone) = (asked, false);
        for number in 0..20 {
            if from == B || number == 0 {
                all.give(&mut desk, "198.51.100.2:9", &[stray(number)]);
            }
            for _ in 0..4 {
                let said = all.take(&mut phone, &asked);
                asked = all.give(&mut desk, from, &said);
            }
            alone |= desk.alone.is_some_and(|until| all.now < until);
            asked.extend(all.pass(&mut desk, 1).into_iter().map(|(_, packet)| packet));
        }
        assert!(agree(&desk, &phone), "{from}");
        assert!(alone && desk.take_error().is_none(), "{from}");
    }
}
