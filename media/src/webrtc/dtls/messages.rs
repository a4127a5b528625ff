//! What the library gets of a peer's handshake: each message once, and whole.
//!
//! `rtc-dtls` 0.21 takes away its own timer when a message comes that brings it no further, and then
//! never says its flight again: both sides wait for each other when a packet was lost. So it gets no
//! message that it had before; its timer (RFC 6347 §4.2.4) says again what the peer misses. Of messages
//! in pieces it goes from the beginning to the piece that came first for each place, and stops where
//! none begins at that one's end, but whoever says a flight again may cut it in other places (§4.2.3;
//! OpenSSL does, as what fits into a packet depends on what is before it). Nor can it read a piece that
//! has another behind it in its record. So pieces are put together here.

/// RFC 6347 §4.1: type, version, epoch, number, length.
const RECORD_HEADER: usize = 13;
/// RFC 6347 §4.2.2: type, length, number, offset, length of this piece.
const MESSAGE_HEADER: usize = 12;
/// Most pieces kept, and messages remembered: a flight with a long certificate has a dozen pieces.
/// Their bytes are bounded by what a handshake may take from the network.
const MOST: usize = 64;
/// RFC 5246 §7.
const HANDSHAKE: u8 = 22;

/// Whether every message that can be read in these records is a piece that can be: within what its
/// message is long, and not of nothing while the message is of something.
pub(super) fn is_sound(mut packet: &[u8]) -> bool {
    while let Some((header, rest)) = packet.split_first_chunk::<RECORD_HEADER>() {
        let Some((mut record, after)) = rest.split_at_checked(record_length(header)) else {
            return false;
        };
        packet = after;
        if !is_readable(header) {
            continue;
        }
        while !record.is_empty() {
            let Some((piece, rest)) = Piece::read(record) else { return false };
            if !piece.is_sound() {
                return false;
            }
            record = rest;
        }
    }
    true
}

fn record_length(header: &[u8; RECORD_HEADER]) -> usize {
    let [.., high, low] = *header;
    usize::from(u16::from_be_bytes([high, low]))
}

/// Whether these are messages without protection: of the first epoch.
fn is_readable(header: &[u8; RECORD_HEADER]) -> bool {
    let [kind, _, _, epoch @ .., _, _, _, _, _, _, _, _] = *header;
    kind == HANDSHAKE && epoch == [0, 0]
}

/// Type, length and number of a message.
type Name = [u8; 6];

#[derive(Debug)]
struct Piece {
    of: Name,
    offset: usize,
    bytes: Vec<u8>,
}

impl Piece {
    /// The first piece of a record, and what is behind it; `None`: it is cut off.
    fn read(record: &[u8]) -> Option<(Self, &[u8])> {
        let (header, rest) = record.split_first_chunk::<MESSAGE_HEADER>()?;
        let [kind, m0, m1, m2, n0, n1, o0, o1, o2, l0, l1, l2] = *header;
        let (bytes, after) = rest.split_at_checked(length([l0, l1, l2]))?;
        let (of, offset) = ([kind, m0, m1, m2, n0, n1], length([o0, o1, o2]));
        Some((Self { of, offset, bytes: bytes.to_vec() }, after))
    }

    fn end(&self) -> usize {
        self.offset + self.bytes.len()
    }

    /// How long its message is.
    fn whole(&self) -> usize {
        let [_, m0, m1, m2, ..] = self.of;
        length([m0, m1, m2])
    }

    fn is_sound(&self) -> bool {
        self.end() <= self.whole() && (!self.bytes.is_empty() || self.whole() == 0)
    }
}

fn length([high, middle, low]: [u8; 3]) -> usize {
    u32::from_be_bytes([0, high, middle, low]) as usize
}

/// What a datagram brings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Nothing that was not there before.
    Nothing,
    /// A part of a message.
    Part,
    /// What the library is to get of it, with the messages that it made whole.
    Records(Vec<u8>),
}

/// The messages of one peer.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// Which ones the library was given.
    given: Vec<Name>,
    /// Of the others, in the order in which they came.
    pieces: Vec<Piece>,
}

impl Messages {
    /// Takes a datagram of whole records with sound pieces.
    pub(super) fn take(&mut self, mut packet: &[u8]) -> Taken {
        let (mut records, mut part) = (Vec::with_capacity(packet.len()), false);
        while let Some((header, rest)) = packet.split_first_chunk::<RECORD_HEADER>() {
            let Some((record, after)) = rest.split_at_checked(record_length(header)) else { break };
            packet = after;
            if !is_readable(header) {
                records.extend_from_slice(header);
                records.extend_from_slice(record);
                continue;
            }
            let messages = self.whole_messages(record, &mut part);
            if let (false, Ok(length)) = (messages.is_empty(), u16::try_from(messages.len())) {
                let [before @ .., _, _] = header;
                records.extend_from_slice(before);
                records.extend_from_slice(&length.to_be_bytes());
                records.extend_from_slice(&messages);
            }
        }
        match (records.is_empty(), part) {
            (false, _) => Taken::Records(records),
            (true, true) => Taken::Part,
            (true, false) => Taken::Nothing,
        }
    }

    /// The messages that are whole with this record, and were not given before. `part`: something
    /// of another is kept.
    fn whole_messages(&mut self, mut record: &[u8], part: &mut bool) -> Vec<u8> {
        let mut messages = Vec::new();
        while let Some((piece, after)) = Piece::read(record) {
            record = after;
            let (of, whole) = (piece.of, piece.whole());
            if self.was_given(of) {
                continue;
            }
            let bytes = if piece.bytes.len() == whole {
                piece.bytes
            } else {
                *part |= self.keep(piece);
                let Some(bytes) = self.put_together(of, whole) else { continue };
                bytes
            };
            self.pieces.retain(|piece| piece.of != of);
            if self.given.len() < MOST && !self.given.contains(&of) {
                self.given.push(of);
            }
            let [_, length @ .., _, _] = of;
            messages.extend_from_slice(&of);
            messages.extend_from_slice(&[0; 3]);
            messages.extend_from_slice(&length);
            messages.extend_from_slice(&bytes);
        }
        messages
    }

    /// Until the peer has answered our cookie its first message is no repeat: it is asked for the
    /// cookie again, and no timer does that.
    fn was_given(&self, of: Name) -> bool {
        let is_first = |[.., high, low]: &Name| [*high, *low] == [0, 0];
        let asked = is_first(&of) && self.given.iter().all(is_first);
        self.given.contains(&of) && !asked
    }

    /// Up to where the pieces of a message go on without a gap.
    fn reach(&self, of: Name, from: usize) -> usize {
        let mut at = from;
        let further =
            |at: usize, piece: &&Piece| piece.of == of && piece.offset <= at && piece.end() > at;
        while let Some(piece) = self.pieces.iter().find(|piece| further(at, piece)) {
            at = piece.end();
        }
        at
    }

    /// Keeps a piece; `false`: nothing of it is new, or there is no room.
    fn keep(&mut self, piece: Piece) -> bool {
        let new = self.reach(piece.of, piece.offset) < piece.end() && self.pieces.len() < MOST;
        if new {
            self.pieces.push(piece);
        }
        new
    }

    /// A message of which all is there. What came first of each place stays.
    fn put_together(&self, of: Name, whole: usize) -> Option<Vec<u8>> {
        if self.reach(of, 0) != whole {
            return None;
        }
        let mut bytes = vec![0; whole];
        for piece in self.pieces.iter().rev().filter(|piece| piece.of == of) {
            bytes.get_mut(piece.offset..piece.end())?.copy_from_slice(&piece.bytes);
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record with pieces of messages of ninety bytes: the message's number, from where to where.
    fn record(pieces: &[(u8, u8, u8)]) -> Vec<u8> {
        let mut messages = Vec::new();
        for (number, offset, end) in pieces {
            messages.extend([11, 0, 0, 90, 0, *number, 0, 0, *offset, 0, 0, end - offset]);
            messages.extend(*offset..*end);
        }
        let length = (messages.len() as u16).to_be_bytes();
        [&[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9][..], &length, &messages].concat()
    }

    fn whole(numbers: &[u8]) -> Taken {
        let pieces: Vec<_> = numbers.iter().map(|number| (*number, 0, 90)).collect();
        Taken::Records(record(&pieces))
    }

    /// A record with a piece of a message of that length, of so many bytes.
    fn piece(whole: u8, offset: u8, length: u8) -> Vec<u8> {
        let mut record = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 12 + length];
        record.extend([11, 0, 0, whole, 0, 3, 0, 0, offset, 0, 0, length]);
        record.resize(record.len() + usize::from(length), 7);
        record
    }

    #[test]
    fn a_message_is_given_once_and_whole_however_it_was_cut_and_said_again() {
        for (before, last) in [
            (&[(1, 0, 30), (1, 30, 60)][..], (1, 60, 90)),
            (&[(1, 60, 90), (1, 30, 60)], (1, 0, 30)),
            (&[(1, 0, 30)], (1, 0, 90)),
            (&[(1, 0, 30), (1, 60, 90)], (1, 0, 60)),
            // Cut smaller the second time.
            (&[(1, 0, 50), (1, 80, 90)], (1, 40, 80)),
            (&[(1, 30, 90)], (1, 0, 40)),
        ] {
            let mut messages = Messages::default();
            for piece in before {
                assert_eq!(messages.take(&record(&[*piece])), Taken::Part, "{before:?}");
                assert_eq!(messages.take(&record(&[*piece])), Taken::Nothing, "{before:?}");
            }
            assert_eq!(messages.take(&record(&[last])), whole(&[1]), "{before:?}");
            for again in [(1, 0, 90), (1, 0, 10), (1, 33, 77), (1, 60, 90)] {
                assert_eq!(messages.take(&record(&[again])), Taken::Nothing, "{before:?}");
            }
            assert!(messages.pieces.is_empty());
        }
    }

    #[test]
    fn pieces_of_several_messages_in_one_record_are_told_from_each_other() {
        let mut messages = Messages::default();
        assert_eq!(messages.take(&record(&[(1, 0, 30), (1, 30, 60), (2, 50, 90)])), Taken::Part);
        assert_eq!(messages.take(&record(&[(1, 60, 90), (2, 0, 50), (3, 0, 9)])), whole(&[1, 2]));
        assert_eq!(messages.take(&record(&[(2, 0, 90), (3, 9, 90)])), whole(&[3]));
    }

    #[test]
    fn what_came_first_of_each_place_stays() {
        let mut messages = Messages::default();
        messages.take(&record(&[(1, 0, 30)]));
        let mut forged = record(&[(1, 20, 90)]);
        forged[25..].fill(255);
        let Taken::Records(made) = messages.take(&forged) else { panic!("it is whole") };
        assert_eq!(made[25..55], record(&[(1, 0, 30)])[25..]);
        assert_eq!(made[55..], [255; 60]);
    }

    #[test]
    fn what_is_encrypted_or_no_handshake_goes_through_without_what_was_there_before() {
        let mut messages = Messages::default();
        assert_eq!(messages.take(&record(&[(1, 0, 90)])), whole(&[1]));
        let mut encrypted = record(&[(2, 0, 50)]);
        encrypted[4] = 1;
        let cipher = [20, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 1];
        let all = [&record(&[(1, 0, 90)])[..], &cipher, &encrypted].concat();
        for _ in 0..2 {
            assert_eq!(messages.take(&all), Taken::Records([&cipher[..], &encrypted].concat()));
        }
    }

    #[test]
    fn the_first_message_is_no_repeat_until_a_second_one_came() {
        let mut messages = Messages::default();
        for _ in 0..3 {
            assert_eq!(messages.take(&record(&[(0, 0, 90)])), whole(&[0]));
            assert_eq!(messages.take(&record(&[(0, 0, 60)])), Taken::Part);
            assert_eq!(messages.take(&record(&[(0, 60, 90)])), whole(&[0]));
        }
        assert_eq!(messages.take(&record(&[(1, 0, 90)])), whole(&[1]));
        assert_eq!(messages.take(&record(&[(0, 0, 90)])), Taken::Nothing);
    }

    #[test]
    fn a_piece_of_nothing_or_of_more_than_there_is_is_no_sound_one() {
        assert!(is_sound(&piece(60, 20, 40)) && is_sound(&piece(0, 0, 0)));
        for unsound in [piece(60, 0, 0), piece(60, 0, 61), piece(60, 50, 20)] {
            assert!(!is_sound(&unsound));
            assert!(!is_sound(&[piece(60, 20, 40), unsound].concat()));
        }
        let mut cut_off = piece(60, 0, 30);
        cut_off[24] = 31;
        assert!(!is_sound(&cut_off));
    }

    #[test]
    fn who_sends_pieces_without_end_has_no_more_given_than_he_sent() {
        let mut messages = Messages::default();
        let (mut sent, mut given) = (0, 0);
        for n in 0..2_000_u16 {
            let [high, low] = n.to_be_bytes();
            for (offset, end) in [(0, 1), (1, 90), (0, 1), (5, 6)] {
                let mut wire = record(&[(0, offset, end)]);
                // Of ever other messages, and again and again of one.
                (wire[17], wire[18]) = if n % 2 == 0 { (high, low) } else { (7, 7) };
                sent += wire.len();
                if let Taken::Records(records) = messages.take(&wire) {
                    given += records.len();
                }
            }
        }
        assert!(given <= sent, "{given} of {sent}");
        assert!(messages.given.len() <= MOST && messages.pieces.len() <= MOST);
    }
}
