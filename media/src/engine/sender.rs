//! Whose stream is listened to, of those that come from the peer's address.

/// The peer's stream, by its SSRC.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sender {
    ssrc: Option<u32>,
    /// Another, and the sequence number that would prove it.
    candidate: Option<(u32, u16)>,
    /// Signalling let us expect another one.
    expected: bool,
}

impl Sender {
    /// Whether a packet is taken. While the stream that was heard before goes on another one is
    /// believed at its second packet in sequence (RFC 3550 A.1 wants two): a stray or forged one
    /// changes nothing. Once that is `over` it is believed at once.
    #[inline]
    pub(super) fn admits(&mut self, ssrc: u32, sequence: u16, over: bool) -> bool {
        if self.ssrc == Some(ssrc) {
            return true;
        }
        if self.ssrc.is_none() || over || self.expected || self.candidate == Some((ssrc, sequence))
        {
            *self = Self { ssrc: Some(ssrc), ..Self::default() };
            return true;
        }
        self.candidate = Some((ssrc, sequence.wrapping_add(1)));
        false
    }

    /// Another stream may follow, as after a new offer and answer: it is believed at once.
    pub(super) fn expect_another(&mut self) {
        self.expected = true;
    }

    /// Whether this is another stream than the one heard before.
    #[inline]
    pub(super) fn is_new(&self, ssrc: u32) -> bool {
        self.ssrc != Some(ssrc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stray_changes_nothing_and_a_stream_is_followed() {
        let mut sender = Sender::default();
        assert!(sender.admits(1, 10, false), "the first is believed");
        for n in 0..100u16 {
            assert!(!sender.admits(2, n.wrapping_mul(7), false), "a stray");
            assert!(sender.admits(1, 11 + n, false));
        }
        assert!(!sender.admits(3, 65_535, false));
        assert!(sender.admits(3, 0, false), "two in sequence");
        assert!(!sender.admits(1, 200, false));
        assert!(sender.admits(1, 205, true), "the other one has ended");
        sender.expect_another();
        assert!(sender.admits(4, 7, false) && !sender.admits(5, 7, false));
    }
}
