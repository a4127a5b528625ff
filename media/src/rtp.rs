//! A view on an RTP packet in place (RFC 3550 §5.1), and the twelve bytes we write.

use std::ops::Range;

/// Length of the fixed header, the only one we send.
pub const HEADER_LEN: usize = 12;

/// Largest datagram taken: 20 ms of L16 at 44,100 Hz, secured, which come in fragments. Longer ones
/// are refused, not cut.
pub const MAX_PACKET: usize = 1850;

/// What a valid RTP packet says. The payload is a range, so that the packet can be rewritten in
/// place; extension, CSRC list and padding lie outside of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpView {
    /// Marker bit: first packet of a talkspurt or of a telephone event.
    pub marker: bool,
    /// Payload type, 0-127.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in units of the codec's clock.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Where in the packet the payload lies.
    pub payload: Range<usize>,
}

fn u16_at(packet: &[u8], at: usize) -> Option<u16> {
    packet.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

fn u32_at(packet: &[u8], at: usize) -> Option<u32> {
    packet.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// Whether a datagram on a shared port is RTCP (RFC 5761 §4): its second byte is a packet type of
/// 192-223, where RTP would have the marker and a payload type of 64-95, which nobody may use.
pub fn is_rtcp(packet: &[u8]) -> bool {
    matches!(packet, [first, 192..=223, ..] if first >> 6 == 2)
}

/// The SSRC of something that looks like RTP; readable even when the rest is encrypted.
pub fn peek_ssrc(packet: &[u8]) -> Option<u32> {
    if packet.first()? >> 6 != 2 {
        return None;
    }
    u32_at(packet, 8)
}

/// The sequence number of something that looks like RTP.
pub fn peek_sequence(packet: &[u8]) -> Option<u16> {
    u16_at(packet, 2)
}

/// Where the payload begins: behind header, CSRC list and extension. `None` when the packet is
/// shorter than that, or no RTP.
#[inline]
pub fn payload_start(packet: &[u8]) -> Option<usize> {
    let &first = packet.first()?;
    if first >> 6 != 2 {
        return None;
    }
    let mut start = HEADER_LEN + usize::from(first & 0x0f) * 4;
    if first & 0x10 != 0 {
        // RFC 3550 §5.3.1: the length counts 32-bit words after the four-byte extension header.
        start += 4 + usize::from(u16_at(packet, start + 2)?) * 4;
    }
    (start <= packet.len()).then_some(start)
}

/// Reads a packet; `None` when it breaks RFC 3550 (appendix A.1 lists the checks).
pub fn parse(packet: &[u8]) -> Option<RtpView> {
    let (&first, &second) = (packet.first()?, packet.get(1)?);
    let start = payload_start(packet)?;
    let mut end = packet.len();
    if first & 0x20 != 0 {
        let padding = usize::from(*packet.last()?);
        if padding == 0 {
            return None;
        }
        end = end.checked_sub(padding)?;
    }
    if start > end {
        return None;
    }
    Some(RtpView {
        marker: second & 0x80 != 0,
        payload_type: second & 0x7f,
        sequence: u16_at(packet, 2)?,
        timestamp: u32_at(packet, 4)?,
        ssrc: u32_at(packet, 8)?,
        payload: start..end,
    })
}

/// A header to send: no padding, no extension, no contributing sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Marker bit.
    pub marker: bool,
    /// Payload type, 0-127.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp.
    pub timestamp: u32,
    /// Our synchronisation source.
    pub ssrc: u32,
}

impl Header {
    /// The twelve bytes.
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        let [s0, s1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [c0, c1, c2, c3] = self.ssrc.to_be_bytes();
        let second = (u8::from(self.marker) << 7) | (self.payload_type & 0x7f);
        [0x80, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3]
    }

    /// Writes the header right before `payload` in `packet` and returns where the new packet lies.
    /// The payload does not move. `None` when there is no room, which [`parse`] rules out.
    pub fn write_before(self, packet: &mut [u8], payload: &Range<usize>) -> Option<Range<usize>> {
        let start = payload.start.checked_sub(HEADER_LEN)?;
        packet.get_mut(start..payload.start)?.copy_from_slice(&self.to_bytes());
        Some(start..payload.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        marker: true,
        payload_type: 101,
        sequence: 513,
        timestamp: 70_000,
        ssrc: 0xdead_beef,
    };

    fn packet(payload: &[u8]) -> Vec<u8> {
        [&HEADER.to_bytes()[..], payload].concat()
    }

    #[test]
    fn what_is_written_is_read() {
        let view = parse(&packet(b"abc")).unwrap();
        assert_eq!(
            (view.marker, view.payload_type, view.sequence, view.timestamp, view.ssrc),
            (true, 101, 513, 70_000, 0xdead_beef)
        );
        assert_eq!(view.payload, 12..15);
        assert_eq!(peek_ssrc(&packet(b"")), Some(0xdead_beef));
    }

    #[test]
    fn csrc_extension_and_padding_are_no_payload() {
        let mut p = packet(&[]);
        p[0] = 0x80 | 0x20 | 0x10 | 2;
        p.extend([0; 8]); // two CSRCs
        p.extend([0xbe, 0xde, 0, 1, 9, 9, 9, 9]); // an extension of one word
        p.extend(b"voice");
        p.extend([0, 0, 3]); // padding of three
        let view = parse(&p).unwrap();
        assert_eq!(&p[view.payload.clone()], b"voice");
        let at = HEADER.write_before(&mut p, &view.payload).unwrap();
        let again = parse(&p[at.clone()]).unwrap();
        assert_eq!(&p[at][again.payload], b"voice");
    }

    #[test]
    fn broken_packets_are_refused() {
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&packet(b"")[..11]), None);
        let with = |first: u8, payload: &[u8]| {
            let mut p = packet(payload);
            p[0] = first;
            parse(&p)
        };
        assert_eq!(with(0x40, b"x"), None, "version 1");
        assert_eq!(with(0x8f, b"x"), None, "fifteen CSRCs are not there");
        assert_eq!(with(0x90, &[0xbe, 0xde, 0xff, 0xff]), None, "the extension is longer");
        assert_eq!(with(0xa0, &[0]), None, "padding of zero");
        assert_eq!(with(0xa0, &[200]), None, "padding longer than the packet");
    }

    #[test]
    fn rtcp_on_the_rtp_port_is_told_apart() {
        assert!(is_rtcp(&[0x80, 200, 0, 6]));
        assert!(is_rtcp(&[0x81, 201, 0, 7]));
        assert!(!is_rtcp(&packet(b"")));
        assert!(!is_rtcp(&[0x80]));
    }
}
