//! What a peer repeats of its handshake. `rtc-dtls` 0.21 takes away its own timer when a message comes
//! that brings it no further, and then never says its flight again: both sides wait for each other
//! when a packet was lost. So it gets no datagram that it had before; its timer (RFC 6347 §4.2.4) says
//! again what the peer misses.

/// RFC 6347 §4.1: type, version, epoch, number, length.
const RECORD_HEADER: usize = 13;
/// RFC 6347 §4.2.2: type, length, number, offset, length of this piece.
const MESSAGE_HEADER: usize = 12;
/// Most pieces remembered: a flight with a long certificate has a dozen.
const MOST: usize = 64;
/// RFC 5246 §7.
const HANDSHAKE: u8 = 22;

/// Whether every message that can be read in these records is a piece that can be: within what its
/// message is long, and not of nothing while the message is of something. The library takes any piece
/// that begins a message for its beginning, so that one packet of a stranger would be the end.
pub(super) fn is_sound(mut packet: &[u8]) -> bool {
    while let Some((header, rest)) = packet.split_first_chunk::<RECORD_HEADER>() {
        let [kind, _, _, epoch @ .., _, _, _, _, _, _, high, low] = *header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some((mut record, after)) = rest.split_at_checked(length) else { return false };
        packet = after;
        if kind != HANDSHAKE || epoch != [0, 0] {
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

/// Which pieces of messages came.
#[derive(Debug, Clone, Default)]
pub(super) struct Repeats {
    pieces: Vec<Piece>,
}

/// All pieces of a message that begin at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    /// The message's number.
    number: [u8; 2],
    /// Where in the message it begins.
    offset: u32,
    /// The furthest that one of them went: who sends again may cut in larger pieces (RFC 6347
    /// §4.2.3).
    end: u32,
    /// How long the message is.
    whole: u32,
}

impl Piece {
    /// The first piece of a record, and what is behind it; `None`: it is cut off.
    fn read(record: &[u8]) -> Option<(Self, &[u8])> {
        let (header, rest) = record.split_first_chunk::<MESSAGE_HEADER>()?;
        let [_, m0, m1, m2, n0, n1, o0, o1, o2, l0, l1, l2] = *header;
        let [whole, offset, length] =
            [[0, m0, m1, m2], [0, o0, o1, o2], [0, l0, l1, l2]].map(u32::from_be_bytes);
        let (_, after) = rest.split_at_checked(length as usize)?;
        Some((Self { number: [n0, n1], offset, end: offset + length, whole }, after))
    }

    fn is_sound(&self) -> bool {
        self.end <= self.whole && (self.end > self.offset || self.whole == 0)
    }
}

impl Repeats {
    /// Whether all in a datagram of whole records was there before; what is new is remembered.
    pub(super) fn has_nothing_new(&mut self, mut packet: &[u8]) -> bool {
        let mut known = true;
        while let Some((header, rest)) = packet.split_first_chunk::<RECORD_HEADER>() {
            let [kind, _, _, epoch @ .., _, _, _, _, _, _, high, low] = *header;
            let length = usize::from(u16::from_be_bytes([high, low]));
            let Some((record, after)) = rest.split_at_checked(length) else { return false };
            // What is encrypted cannot be read here.
            known &= kind == HANDSHAKE && epoch == [0, 0] && self.had_all(record);
            packet = after;
        }
        known
    }

    fn had_all(&mut self, mut record: &[u8]) -> bool {
        let mut known = true;
        while let Some((piece, after)) = Piece::read(record) {
            // A piece of nothing, or of more than there is, says nothing of the message.
            known &= piece.is_sound() && self.had(piece);
            record = after;
        }
        known
    }

    fn had(&mut self, piece: Piece) -> bool {
        // Until the peer has answered our cookie its first message is no repeat: it is asked for the
        // cookie again, and no timer does that.
        let first = [0, 0];
        let asked = piece.number == first && self.pieces.iter().all(|p| p.number == first);
        let same = |p: &&mut Piece| (p.number, p.offset) == (piece.number, piece.offset);
        match self.pieces.iter_mut().find(same) {
            Some(before) if piece.end <= before.end => !asked,
            Some(before) => {
                before.end = piece.end;
                false
            }
            None => {
                if self.pieces.len() < MOST {
                    self.pieces.push(piece);
                }
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record with a piece of a message: its number, its whole length, where the piece begins, how
    /// long it is.
    fn piece(number: u8, whole: u8, offset: u8, length: u8) -> Vec<u8> {
        let mut record = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 12 + length];
        record.extend([11, 0, 0, whole, 0, number, 0, 0, offset, 0, 0, length]);
        record.resize(record.len() + usize::from(length), 7);
        record
    }

    #[test]
    fn a_piece_is_had_when_it_came_before_and_not_when_a_part_of_it_is_new() {
        let mut had = Repeats::default();
        assert!(!had.has_nothing_new(&piece(1, 90, 0, 30)));
        assert!(had.has_nothing_new(&piece(1, 90, 0, 30)));
        assert!(!had.has_nothing_new(&piece(1, 90, 30, 30)));
        assert!(!had.has_nothing_new(&piece(2, 90, 0, 30)), "of another message");
        // Sent again in larger pieces, and then in smaller ones.
        assert!(!had.has_nothing_new(&piece(1, 90, 0, 90)));
        assert!(had.has_nothing_new(&piece(1, 90, 0, 90)));
        assert!(had.has_nothing_new(&piece(1, 90, 0, 20)));
        let both = [piece(1, 90, 0, 90), piece(3, 0, 0, 0)].concat();
        assert!(!had.has_nothing_new(&both), "the second is new");
        assert!(had.has_nothing_new(&both));
    }

    #[test]
    fn what_is_no_sound_piece_of_a_message_stands_for_none() {
        let mut had = Repeats::default();
        for number in 0..9 {
            for _ in 0..2 {
                assert!(!had.has_nothing_new(&piece(number, 60, 0, 0)), "nothing of a message");
                assert!(!had.has_nothing_new(&piece(number, 60, 0, 61)), "more than there is");
                assert!(!had.has_nothing_new(&piece(number, 60, 50, 20)), "past its end");
            }
        }
        assert_eq!(had.pieces, []);
        assert!(is_sound(&piece(3, 60, 20, 40)) && is_sound(&piece(4, 0, 0, 0)));
        for unsound in [piece(3, 60, 0, 0), piece(3, 60, 0, 61), piece(3, 60, 50, 20)] {
            assert!(!is_sound(&[piece(3, 60, 20, 40), unsound].concat()));
        }
        let mut cut_off = piece(3, 60, 0, 30);
        cut_off[24] = 31;
        assert!(!is_sound(&cut_off));
    }

    #[test]
    fn the_first_message_is_no_repeat_until_a_second_one_came_and_what_is_encrypted_never() {
        let mut had = Repeats::default();
        assert!((0..3).all(|_| !had.has_nothing_new(&piece(0, 50, 0, 50))));
        assert!(!had.has_nothing_new(&piece(1, 50, 0, 50)));
        assert!(had.has_nothing_new(&piece(0, 50, 0, 50)));
        let mut encrypted = piece(5, 50, 0, 50);
        encrypted[4] = 1;
        assert!((0..2).all(|_| !had.has_nothing_new(&encrypted)));
    }

    #[test]
    fn who_sends_pieces_without_end_is_not_remembered_without_end() {
        let mut had = Repeats::default();
        for number in 0..200 {
            had.has_nothing_new(&piece(number, 90, 0, 10));
        }
        assert_eq!(had.pieces.len(), MOST);
    }
}
