//! Events of a stream that are signed one by one, each upon the one before (Amazon Lex V2 and
//! Transcribe, "Event stream encoding": `STREAMING-AWS4-HMAC-SHA256-EVENTS`). No clock, no socket.

use bytes::Bytes;
use jiff::Timestamp;

use super::{Credentials, Scope, TERMINATOR, date, hex, sha256, signature};
use crate::eventstream::{FrameError, Message, Value};

/// What stands first in what is signed.
const ALGORITHM: &str = "AWS4-HMAC-SHA256-PAYLOAD";
/// When the event was signed.
const DATE: &str = ":date";
/// Its signature.
const SIGNATURE: &str = ":chunk-signature";

/// Signs the events of one stream, in their order. Its secret cannot be printed.
#[derive(Debug)]
pub struct Seal {
    credentials: Credentials,
    region: String,
    service: String,
    /// Of the event before, or of the request; hexadecimal.
    last: String,
}

impl Seal {
    /// For a stream whose request has this signature.
    #[must_use]
    pub fn new(credentials: Credentials, scope: Scope<'_>, request: String) -> Self {
        let (region, service) = (scope.region.to_owned(), scope.service.to_owned());
        Self { credentials, region, service, last: request }
    }

    /// An event, whole and encoded, within the message that signs it. Nothing is what ends a stream.
    ///
    /// # Errors
    /// The event is too large for a message.
    pub fn seal(&mut self, event: Bytes, now: Timestamp) -> Result<Bytes, FrameError> {
        // To the second: the header has to be the time that the signature's text names.
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let signed = self.next(&event, now)?;
        let mut message = Message::new(event);
        message.set(DATE, Value::Timestamp(now.as_millisecond()));
        message.set(SIGNATURE, Value::Bytes(Bytes::from(signed)));
        message.encode()
    }

    /// Takes a message of [`Self::seal`] apart: the event in it, when it is the next one that was
    /// signed with this key; `None`: it is not.
    #[must_use]
    pub fn open(&mut self, sealed: &Message) -> Option<Bytes> {
        let Some(Value::Timestamp(at)) = sealed.get(DATE) else { return None };
        let Some(Value::Bytes(given)) = sealed.get(SIGNATURE) else { return None };
        let at = Timestamp::from_millisecond(*at).ok()?;
        let signed = self.next(sealed.payload(), at).ok()?;
        (signed == given[..]).then(|| sealed.payload().clone())
    }

    /// The signature of the next event.
    fn next(&mut self, event: &[u8], at: Timestamp) -> Result<Vec<u8>, FrameError> {
        let text = self.text(event, at)?;
        let date = date(at);
        let day = date.get(..8).unwrap_or(&date);
        let scope = Scope { region: &self.region, service: &self.service };
        let signed = signature(&self.credentials.secret, day, scope, &text)
            .map(|mac| hmac::Mac::finalize(mac).into_bytes().to_vec())
            .unwrap_or_default();
        self.last = hex(&signed);
        Ok(signed)
    }

    /// What is signed.
    fn text(&self, event: &[u8], at: Timestamp) -> Result<String, FrameError> {
        let date = date(at);
        let day = date.get(..8).unwrap_or(&date);
        let mut head = Message::new(Bytes::new());
        head.set(DATE, Value::Timestamp(at.as_millisecond()));
        let head = sha256(&head.encoded_headers()?);
        let place = format!("{day}/{}/{}/{TERMINATOR}", self.region, self.service);
        Ok(format!("{ALGORITHM}\n{date}\n{place}\n{}\n{head}\n{}", self.last, sha256(event)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventstream::Decoder;

    const SCOPE: Scope<'static> = Scope { region: "us-east-1", service: "testservice" };

    fn seal(secret: &str) -> Seal {
        Seal::new(Credentials::new("ANOTREAL", secret), SCOPE, sha256(b"last message sts"))
    }

    fn event() -> Bytes {
        let mut message = Message::new(Bytes::from_static(b"test payload"));
        message.set("some-header", Value::Text("value".to_owned()));
        message.encode().unwrap()
    }

    fn message(sealed: &[u8]) -> Message {
        let mut decoder = Decoder::default();
        decoder.push(sealed).unwrap();
        decoder.message().unwrap().unwrap()
    }

    /// The text that Amazon's own signer for Rust makes of the same event (smithy-rs,
    /// `aws-sigv4/src/event_stream.rs`, test `string_to_sign`).
    #[test]
    fn what_is_signed_is_what_amazons_signer_signs() {
        let at = Timestamp::new(123_456_789, 0).unwrap();
        let expected = "AWS4-HMAC-SHA256-PAYLOAD\n19731129T213309Z\n\
            19731129/us-east-1/testservice/aws4_request\n\
            be1f8c7d79ef8e1abc5254a2c70e4da3bfaf4f07328f527444e1fc6ea67273e2\n\
            0c0e3b3bf66b59b976181bd7d401927bbd624107303c713fd1e5f3d3c8dd1b1e\n\
            f2eba0f2e95967ee9fbc6db5e678d2fd599229c0d04b11e4fc8e0f2a02a806c6";
        assert_eq!(seal("notrealrnrELgWzOk3IfjzDKtFBhDby").text(&event(), at).unwrap(), expected);
    }

    /// Signatures that `EventSigner` of the Python package amazon-transcribe 0.6.4 gives for these
    /// three events, the last of them empty.
    #[test]
    fn a_chain_of_signatures_is_that_of_amazons_signer() {
        let mut seal = seal("notrealrnrELgWzOk3IfjzDKtFBhDby");
        let mut signed = |event: Bytes, second: i64| {
            let at = Timestamp::new(second, 999_000_000).unwrap();
            let message = message(&seal.seal(event, at).unwrap());
            assert_eq!(message.get(DATE), Some(&Value::Timestamp(second * 1000)));
            let Some(Value::Bytes(signature)) = message.get(SIGNATURE) else { panic!() };
            hex(signature)
        };
        assert_eq!(
            signed(event(), 123_456_789),
            "08fed460df836999e1c4137962a3d6ad66a9e8c1bf8e8888e3cbeee26bbf774d"
        );
        // Over midnight: the key is another day's.
        assert_eq!(
            signed(Bytes::from_static(b"second"), 123_465_601),
            "290fa996384c0c7fa1dfd94be9f3f8bd9c9687b1d77e767e0e9c7e39e0a77599"
        );
        assert_eq!(
            signed(Bytes::new(), 123_465_602),
            "5ff4e11f675aaf3dba77636eb02485ff608d0021a032d364b7207f1d49955e94"
        );
    }

    #[test]
    fn an_event_is_opened_in_its_turn_and_with_its_key_only() {
        let at = Timestamp::new(123_456_789, 0).unwrap();
        let mut ours = seal("secret");
        let sealed: Vec<Message> =
            (0..3).map(|_| message(&ours.seal(event(), at).unwrap())).collect();
        let mut theirs = seal("secret");
        assert_eq!(theirs.open(&sealed[0]), Some(event()));
        assert_eq!(theirs.open(&sealed[2]), None, "the second one is missing");
        assert_eq!(seal("another").open(&sealed[0]), None);
        let mut bare = Message::new(event());
        assert_eq!(seal("secret").open(&bare), None);
        bare.set(DATE, Value::Timestamp(at.as_millisecond()));
        bare.set(SIGNATURE, Value::Bytes(Bytes::from_static(&[0; 32])));
        assert_eq!(seal("secret").open(&bare), None);
    }
}
