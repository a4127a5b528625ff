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

/// Which pieces of messages came: their number, and where in the message they begin.
#[derive(Debug, Clone, Default)]
pub(super) struct Repeats {
    pieces: Vec<([u8; 2], [u8; 3])>,
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
        while let Some((header, rest)) = record.split_first_chunk::<MESSAGE_HEADER>() {
            let [_, _, _, _, n0, n1, at @ .., l0, l1, l2] = *header;
            let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
            let Some((_, after)) = rest.split_at_checked(length) else { return false };
            known &= self.had(([n0, n1], at));
            record = after;
        }
        known
    }

    fn had(&mut self, piece: ([u8; 2], [u8; 3])) -> bool {
        // Until the peer has answered our cookie its first message is no repeat: it is asked for the
        // cookie again, and no timer does that.
        let asked = piece.0 == [0, 0] && self.pieces.iter().all(|(number, _)| *number == [0, 0]);
        let had = self.pieces.contains(&piece);
        if !had && self.pieces.len() < MOST {
            self.pieces.push(piece);
        }
        had && !asked
    }
}
