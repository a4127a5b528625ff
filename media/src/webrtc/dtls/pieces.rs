//! Messages that come in pieces. Whoever says a flight again may cut it in other places (RFC 6347
//! §4.2.3; OpenSSL does, as what fits into a packet depends on what is before it). `rtc-dtls` 0.21 goes
//! from the beginning to the piece that came first for each place, and where no piece begins at that
//! one's end it stops: one packet lost, and the message is never whole. So whatever completes a message
//! is handed over as all that is missing from there on.

/// RFC 6347 §4.1: type, version, epoch, number, length.
const RECORD_HEADER: usize = 13;
/// RFC 6347 §4.2.2: type, length, number, offset, length of this piece.
const MESSAGE_HEADER: usize = 12;
/// Most pieces kept: a flight with a long certificate has a dozen. Their bytes are bounded by what a
/// handshake may take from the network.
const MOST: usize = 64;
/// RFC 5246 §7.
const HANDSHAKE: u8 = 22;

/// What the library was given, in that order.
#[derive(Debug, Default)]
pub(super) struct Pieces(Vec<Piece>);

#[derive(Debug)]
struct Piece {
    number: [u8; 2],
    /// How long its message is.
    whole: [u8; 3],
    offset: usize,
    bytes: Vec<u8>,
}

impl Piece {
    /// The first piece of a record, and what is behind it.
    fn read(record: &[u8]) -> Option<(Self, &[u8])> {
        let (header, rest) = record.split_first_chunk::<MESSAGE_HEADER>()?;
        let [_, m0, m1, m2, n0, n1, o0, o1, o2, l0, l1, l2] = *header;
        let (bytes, after) = rest.split_at_checked(length([l0, l1, l2]))?;
        let (number, whole, offset) = ([n0, n1], [m0, m1, m2], length([o0, o1, o2]));
        Some((Self { number, whole, offset, bytes: bytes.to_vec() }, after))
    }

    fn end(&self) -> usize {
        self.offset + self.bytes.len()
    }
}

fn length([high, middle, low]: [u8; 3]) -> usize {
    u32::from_be_bytes([0, high, middle, low]) as usize
}

impl Pieces {
    /// Takes a datagram of sound pieces that the library is to get; another one where it is to get that.
    pub(super) fn mend(&mut self, mut packet: &[u8]) -> Option<Vec<u8>> {
        let (mut mended, mut other) = (Vec::with_capacity(packet.len()), false);
        while let Some((header, rest)) = packet.split_first_chunk::<RECORD_HEADER>() {
            let [kind, _, _, epoch @ .., _, _, _, _, _, _, high, low] = *header;
            let (record, after) =
                rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
            packet = after;
            let found = (kind == HANDSHAKE && epoch == [0, 0]).then(|| self.mend_record(record));
            other |= matches!(found, Some(Some(_)));
            let record = found.flatten().unwrap_or_else(|| record.to_vec());
            mended.extend_from_slice(header.split_at(RECORD_HEADER - 2).0);
            mended.extend_from_slice(&u16::try_from(record.len()).ok()?.to_be_bytes());
            mended.extend_from_slice(&record);
        }
        other.then_some(mended)
    }

    fn mend_record(&mut self, mut record: &[u8]) -> Option<Vec<u8>> {
        let (mut mended, mut other) = (Vec::new(), false);
        while let Some((piece, after)) = Piece::read(record) {
            let (as_it_is, _) = record.split_at_checked(record.len() - after.len())?;
            record = after;
            match self.missing(piece) {
                Some((at, bytes)) => {
                    other = true;
                    let [offset, count] = [at, bytes.len()].map(|n| (n as u32).to_be_bytes());
                    let (before, _) = as_it_is.split_at_checked(6)?;
                    mended.extend_from_slice(before);
                    mended.extend_from_slice(&offset[1..]);
                    mended.extend_from_slice(&count[1..]);
                    mended.extend_from_slice(&bytes);
                }
                None => mended.extend_from_slice(as_it_is),
            }
        }
        other.then_some(mended)
    }

    /// What the library lacks of a message, and where that begins, if this piece brings the last of it.
    fn missing(&mut self, piece: Piece) -> Option<(usize, Vec<u8>)> {
        let (number, whole) = (piece.number, piece.whole);
        let same = |piece: &&Piece| piece.number == number && piece.whole == whole;
        let end = length(whole);
        let mut of_it: Vec<&Piece> = self.0.iter().filter(same).collect();
        if of_it.is_empty() && piece.bytes.len() == end {
            return None;
        }
        let mut at = 0;
        while let Some(next) = of_it.iter().find(|p| p.offset == at && p.end() > at) {
            at = next.end();
        }
        of_it.push(&piece);
        of_it.sort_by_key(|piece| piece.offset);
        let reaches = |to: usize, piece: &&Piece| match piece.offset <= to {
            true => to.max(piece.end()),
            false => to,
        };
        let found = if at < end && of_it.iter().fold(0, reaches) == end {
            let mut bytes = vec![0; end - at];
            for piece in of_it {
                let known = piece.bytes.get(at.saturating_sub(piece.offset)..).unwrap_or_default();
                let from = piece.offset.max(at) - at;
                if let Some(place) = bytes.get_mut(from..from + known.len()) {
                    place.copy_from_slice(known);
                }
            }
            Some((at, bytes))
        } else {
            None
        };
        let other = |(offset, bytes): &(usize, Vec<u8>)| {
            (*offset, bytes.len()) != (piece.offset, piece.bytes.len())
        };
        let found = found.filter(other);
        // What is handed over is what the library has of it then.
        let had = match &found {
            Some((offset, bytes)) => Piece { number, whole, offset: *offset, bytes: bytes.clone() },
            None => piece,
        };
        if self.0.len() < MOST {
            self.0.push(had);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record with pieces of one message of ninety bytes: from where to where.
    fn record(pieces: &[(u8, u8)]) -> Vec<u8> {
        let mut messages = Vec::new();
        for (offset, end) in pieces {
            messages.extend([11, 0, 0, 90, 0, 1, 0, 0, *offset, 0, 0, end - offset]);
            messages.extend(*offset..*end);
        }
        let header = [22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, messages.len() as u8];
        [&header[..], &messages].concat()
    }

    #[test]
    fn what_completes_a_message_is_handed_over_as_all_that_is_missing() {
        for (before, last, missing) in [
            (&[(0, 30)][..], (0, 90), (30, 90)),
            (&[(0, 30), (60, 90)], (0, 60), (30, 90)),
            // Cut smaller the second time.
            (&[(0, 50), (80, 90), (0, 40)], (40, 80), (50, 90)),
            (&[(30, 90)], (0, 40), (0, 90)),
            (&[(0, 30), (30, 60)], (50, 90), (60, 90)),
        ] {
            let mut pieces = Pieces::default();
            for piece in before {
                assert_eq!(pieces.mend(&record(&[*piece])), None, "{before:?}");
            }
            assert_eq!(pieces.mend(&record(&[last])), Some(record(&[missing])), "{before:?}");
        }
    }

    #[test]
    fn what_the_library_puts_together_by_itself_and_all_else_is_left_as_it_is() {
        let mut pieces = Pieces::default();
        assert_eq!(pieces.mend(&record(&[(0, 90)])), None);
        assert!(pieces.0.is_empty(), "a whole message is not kept");
        // One after the other, and what cannot be read.
        let encrypted = [20, 254, 253, 0, 1, 0, 0, 0, 0, 0, 9, 0, 1, 1];
        let both = [&record(&[(0, 30), (30, 60)])[..], &encrypted].concat();
        assert_eq!(pieces.mend(&both), None);
        for _ in 0..200 {
            assert_eq!(pieces.mend(&record(&[(20, 50)])), None);
        }
        assert_eq!(pieces.0.len(), MOST);
    }
}
