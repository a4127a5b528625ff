//! RFC 4475 and RFC 5118, one row for each message.

use offhook_sip::framing::{FramingError, StreamItem, StreamParser};
use offhook_sip::header::HeaderName;
use offhook_sip::parse::datagram;

use crate::corpus;

mod read;

/// What becomes of it as a datagram.
enum Gram {
    Accepted,
    /// Answered with that status.
    Answered(u16),
    Dropped,
}

/// What becomes of it on a stream.
enum Stream {
    /// The same.
    Same,
    /// More octets are waited for.
    Waits,
    /// The connection is closed.
    Closed(FramingError),
}

use FramingError::{BadContentLength, NoContentLength};
use Gram::{Accepted, Answered, Dropped};
use Stream::{Closed, Same, Waits};

/// Name, section, verdicts. What the appliance answers to an accepted one: tests/tests/torture.rs.
const TABLE: &[(&str, &str, Gram, Stream)] = &[
    ("rfc4475/wsinv", "3.1.1.1", Accepted, Same),
    ("rfc4475/intmeth", "3.1.1.2", Accepted, Same),
    ("rfc4475/esc01", "3.1.1.3", Accepted, Same),
    ("rfc4475/escnull", "3.1.1.4", Accepted, Same),
    ("rfc4475/esc02", "3.1.1.5", Accepted, Same),
    ("rfc4475/lwsdisp", "3.1.1.6", Accepted, Same),
    ("rfc4475/longreq", "3.1.1.7", Accepted, Same),
    ("rfc4475/dblreq", "3.1.1.8", Accepted, Same),
    ("rfc4475/semiuri", "3.1.1.9", Accepted, Same),
    ("rfc4475/transports", "3.1.1.10", Accepted, Same),
    ("rfc4475/mpart01", "3.1.1.11", Accepted, Same),
    ("rfc4475/unreason", "3.1.1.12", Accepted, Same),
    ("rfc4475/noreason", "3.1.1.13", Accepted, Same),
    ("rfc4475/badinv01", "3.1.2.1", Answered(400), Same),
    ("rfc4475/clerr", "3.1.2.2", Answered(400), Waits),
    ("rfc4475/ncl", "3.1.2.3", Answered(400), Closed(BadContentLength)),
    ("rfc4475/scalar02", "3.1.2.4", Answered(400), Same),
    ("rfc4475/scalarlg", "3.1.2.5", Dropped, Same),
    ("rfc4475/quotbal", "3.1.2.6", Answered(400), Same),
    ("rfc4475/ltgtruri", "3.1.2.7", Answered(400), Same),
    ("rfc4475/lwsruri", "3.1.2.8", Answered(400), Same),
    ("rfc4475/lwsstart", "3.1.2.9", Answered(400), Same),
    ("rfc4475/trws", "3.1.2.10", Answered(400), Same),
    ("rfc4475/escruri", "3.1.2.11", Answered(400), Same),
    ("rfc4475/baddate", "3.1.2.12", Accepted, Same), // nobody reads Date
    ("rfc4475/regbadct", "3.1.2.13", Answered(400), Same),
    ("rfc4475/badaspec", "3.1.2.14", Accepted, Same), // the spaces are ignored
    ("rfc4475/baddn", "3.1.2.15", Answered(400), Same),
    ("rfc4475/badvers", "3.1.2.16", Answered(505), Same),
    ("rfc4475/mismatch01", "3.1.2.17", Answered(400), Same),
    ("rfc4475/mismatch02", "3.1.2.18", Answered(501), Same),
    ("rfc4475/bigcode", "3.1.2.19", Dropped, Same),
    ("rfc4475/badbranch", "3.2.1", Accepted, Same),
    ("rfc4475/insuf", "3.3.1", Answered(400), Same),
    ("rfc4475/unkscm", "3.3.2", Accepted, Same),
    ("rfc4475/novelsc", "3.3.3", Accepted, Same),
    ("rfc4475/unksm2", "3.3.4", Accepted, Same),
    ("rfc4475/bext01", "3.3.5", Accepted, Same),
    ("rfc4475/invut", "3.3.6", Accepted, Same),
    ("rfc4475/regaut01", "3.3.7", Accepted, Same),
    ("rfc4475/multi01", "3.3.8", Answered(400), Same),
    ("rfc4475/mcl01", "3.3.9", Answered(400), Closed(BadContentLength)),
    ("rfc4475/bcast", "3.3.10", Accepted, Same),
    ("rfc4475/zeromf", "3.3.11", Accepted, Same),
    ("rfc4475/cparam01", "3.3.12", Accepted, Same),
    ("rfc4475/cparam02", "3.3.13", Accepted, Same),
    ("rfc4475/regescrt", "3.3.14", Accepted, Same),
    ("rfc4475/sdp01", "3.3.15", Accepted, Same),
    ("rfc4475/inv2543", "3.4.1", Accepted, Closed(NoContentLength)),
    ("rfc5118/ipv6-good", "4.1", Accepted, Same),
    ("rfc5118/ipv6-bad", "4.2", Answered(400), Same),
    ("rfc5118/port-ambiguous", "4.3", Accepted, Same),
    ("rfc5118/port-unambiguous", "4.4", Accepted, Same),
    ("rfc5118/via-received-param-with-delim", "4.5", Accepted, Same),
    ("rfc5118/via-received-param-no-delim", "4.5", Accepted, Same),
    ("rfc5118/ipv6-in-sdp", "4.6", Accepted, Same),
    ("rfc5118/mult-ip-in-header", "4.7", Accepted, Same),
    ("rfc5118/mult-ip-in-sdp", "4.8", Accepted, Same),
    ("rfc5118/ipv4-mapped-ipv6", "4.9", Accepted, Same),
    ("rfc5118/ipv6-bug-abnf-3-colons", "4.10", Accepted, Same),
    ("rfc5118/ipv6-correct-abnf-2-colons", "4.10", Accepted, Same),
];

#[test]
fn every_message_has_a_row() {
    let rows: Vec<&str> = TABLE.iter().map(|row| row.0).collect();
    for (name, _) in corpus::all() {
        assert!(rows.contains(&name.as_str()), "{name}");
    }
    assert_eq!(rows.len(), 61);
}

#[test]
fn every_datagram_meets_its_verdict() {
    for (name, section, gram, _) in TABLE {
        let result = datagram(corpus::load(name));
        let met = match (gram, &result) {
            (Accepted, Ok(_)) => true,
            (Dropped, Err(rejected)) => rejected.reply.is_none(),
            (Answered(status), Err(rejected)) => {
                rejected.reply.as_ref().is_some_and(|r| r.status.code() == *status)
            }
            _ => false,
        };
        assert!(met, "{name} (§{section}): {result:?}");
    }
}

#[test]
fn every_rejected_message_is_rejected_for_its_own_fault() {
    let faults = [
        ("rfc4475/badinv01", "Via: parameters: empty or malformed parameter"),
        ("rfc4475/clerr", "body has 154 octets of 9999"),
        ("rfc4475/ncl", "malformed or contradictory Content-Length"),
        ("rfc4475/scalar02", "CSeq: malformed number, or out of range"),
        ("rfc4475/scalarlg", "CSeq: malformed number, or out of range"),
        ("rfc4475/quotbal", "To: unbalanced quotes"),
        ("rfc4475/ltgtruri", "Request-URI: no scheme, or nothing behind it"),
        ("rfc4475/lwsruri", "Request-URI: character that must be escaped"),
        ("rfc4475/lwsstart", "malformed start line: more than one space"),
        ("rfc4475/trws", "malformed start line: more than one space"),
        ("rfc4475/escruri", "malformed start line: headers in Request-URI"),
        ("rfc4475/regbadct", "Contact: unbalanced angle brackets"),
        ("rfc4475/baddn", "From: several values where one is allowed"),
        ("rfc4475/badvers", "SIP version is not 2.0"),
        ("rfc4475/mismatch01", "CSeq has another method than the request line"),
        ("rfc4475/mismatch02", "CSeq has another method than the request line"),
        ("rfc4475/bigcode", "status code out of range"),
        ("rfc4475/insuf", "From is missing"),
        ("rfc4475/multi01", "From is there more than once"),
        ("rfc4475/mcl01", "malformed or contradictory Content-Length"),
        ("rfc5118/ipv6-bad", "Request-URI: malformed host"),
    ];
    let rejected = TABLE.iter().filter(|row| !matches!(row.2, Accepted)).map(|row| row.0);
    assert_eq!(rejected.collect::<Vec<_>>(), faults.map(|f| f.0));
    for (name, fault) in faults {
        assert_eq!(
            datagram(corpus::load(name)).unwrap_err().error.kind.to_string(),
            fault,
            "{name}"
        );
    }
}

#[test]
fn every_stream_meets_its_verdict() {
    for (name, section, _, stream) in TABLE {
        let octets = corpus::load(name);
        let mut parser = StreamParser::default();
        parser.push(&octets);
        let found = parser.next();
        let met = match (stream, &found) {
            (Same, Ok(Some(StreamItem::Message(message)))) => {
                datagram(octets).as_ref() == Ok(message)
            }
            (Same, Ok(Some(StreamItem::Bad(rejected)))) => {
                datagram(octets).as_ref() == Err(rejected)
            }
            (Waits, Ok(None)) => true,
            (Closed(expected), Err(error)) => expected == error,
            _ => false,
        };
        assert!(met, "{name} (§{section}): {found:?}");
    }
}

#[test]
fn every_accepted_message_survives_printing() {
    for (name, octets) in corpus::all() {
        let Ok(message) = datagram(octets) else { continue };
        let printed = message.to_bytes();
        let again = datagram(printed.clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(again, message, "{name}");
        assert_eq!(again.to_bytes(), printed, "{name}");
    }
}

#[test]
fn every_answer_to_a_rejected_request_is_a_message_unless_it_copies_the_fault() {
    for (name, octets) in corpus::all() {
        let Some(reply) = datagram(octets).err().and_then(|r| r.reply) else { continue };
        let printed = reply.to_bytes();
        assert!(printed.starts_with(b"SIP/2.0 "), "{name}");
        assert!(reply.headers.has(&HeaderName::Via), "{name}");
        if reply.headers.has(&HeaderName::To) {
            let to = reply.headers.text(&HeaderName::To).unwrap();
            assert!(to.contains(";tag="), "{name}: {to}");
        }
    }
}
