//! Where in the cloud a call came from: what a Voice Connector's INVITE says of it. Pure.
//!
//! > A header that names somebody's transaction or contact is believed from a trunk that is
//! > configured for it, and from nobody else: whoever is believed has calls moved.
//!
//! Our function of a SIP media application (`sma-function`) names its transaction and itself in two
//! headers, whose names the operator decides. Amazon Connect's external voice transfer names the
//! contact (`X-Amzn-ConnectContactId`) and, in `X-Amzn-SourceArn`, the instance.

use offhook_config::Cloud;
use offhook_sip::header::{HeaderName, Headers};

use crate::keep::CloudIds;

/// The contact of Connect, as its transfer connector names it.
const CONTACT: &str = "X-Amzn-ConnectContactId";
/// The first contact of a chain of transfers.
const INITIAL_CONTACT: &str = "X-Amzn-ConnectInitialContactId";
/// What transferred: `arn:aws:connect:REGION:ACCOUNT:instance/ID`, perhaps with more after it.
const SOURCE_ARN: &str = "X-Amzn-SourceArn";
/// Octets of an id; AWS's are GUIDs, and ARNs have 2048 at most.
const MOST_ID: usize = 256;
const MOST_ARN: usize = 2048;
/// Octets of User-to-User that are kept.
const MOST_USER_TO_USER: usize = 2048;

/// What is known of a call's other end in the cloud. Only headers that were there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloudOrigin {
    /// `TransactionId` of the SIP media application's call.
    pub transaction_id: Option<String>,
    /// `SipMediaApplicationId` of the application that has it.
    pub sip_media_application_id: Option<String>,
    /// `ContactId` of Amazon Connect.
    pub contact_id: Option<String>,
    /// `InitialContactId` of Amazon Connect.
    pub initial_contact_id: Option<String>,
    /// ARN of what transferred the call: a Connect instance, or something of it.
    pub source_arn: Option<String>,
    /// `User-to-User` as it came (RFC 7433).
    pub user_to_user: Option<String>,
}

impl CloudOrigin {
    /// Reads the headers of an INVITE that came over a trunk which may be believed. `None`: none
    /// of them is there.
    pub fn of(headers: &Headers, names: &Cloud) -> Option<Self> {
        let id = |name: &str| text(headers, name, MOST_ID).filter(|id| is_id(id));
        let origin = Self {
            transaction_id: id(&names.transaction_header),
            sip_media_application_id: id(&names.application_header),
            contact_id: id(CONTACT),
            initial_contact_id: id(INITIAL_CONTACT),
            source_arn: text(headers, SOURCE_ARN, MOST_ARN)
                .filter(|arn| arn.starts_with("arn:") && arn.bytes().all(|b| b.is_ascii_graphic())),
            user_to_user: headers
                .text(&HeaderName::UserToUser)
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty() && text.len() <= MOST_USER_TO_USER),
        };
        (origin != Self::default()).then_some(origin)
    }

    /// For the call's record.
    pub fn ids(&self) -> CloudIds {
        CloudIds {
            transaction_id: self.transaction_id.clone(),
            sip_media_application_id: self.sip_media_application_id.clone(),
            contact_id: self.contact_id.clone(),
            initial_contact_id: self.initial_contact_id.clone(),
        }
    }

    /// `InstanceId` of the Connect instance that transferred the call, from its ARN.
    pub fn instance_id(&self) -> Option<&str> {
        let arn = self.arn("connect")?;
        let id = arn.strip_prefix("instance/")?.split('/').next()?;
        is_id(id).then_some(id)
    }

    /// The region of the Connect instance, from its ARN.
    pub fn instance_region(&self) -> Option<&str> {
        self.arn("connect")?;
        let region = self.source_arn.as_deref()?.split(':').nth(3)?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        (!region.is_empty() && region.bytes().all(plain)).then_some(region)
    }

    /// The resource of the ARN, when it is one of a service.
    fn arn(&self, service: &str) -> Option<&str> {
        let mut parts = self.source_arn.as_deref()?.splitn(6, ':');
        let named = parts.nth(2)? == service;
        parts.nth(2).filter(|_| named)
    }
}

fn text(headers: &Headers, name: &str, most: usize) -> Option<String> {
    let value = headers.text(&HeaderName::parse(name.as_bytes())?)?;
    let value = unquoted(&value);
    (!value.is_empty() && value.len() <= most).then(|| value.to_owned())
}

/// A value without the quotes that a Voice Connector puts around some (captured trace of AWS's
/// sample).
pub(super) fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let inside = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    inside.map_or(value, str::trim)
}

/// What may stand in the path of a request to AWS: nothing that would lead it elsewhere.
pub(super) fn is_id(text: &str) -> bool {
    text.len() <= MOST_ID
        && !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in lines {
            headers.push(HeaderName::parse(name.as_bytes()).unwrap(), (*value).to_owned());
        }
        headers
    }

    #[test]
    fn our_function_names_its_transaction_and_itself() {
        let lines = [("x-transaction-id", " t-1 "), ("X-Sip-Media-Application-Id", "a-1")];
        let origin = CloudOrigin::of(&headers(&lines), &Cloud::default()).unwrap();
        assert_eq!(origin.transaction_id.as_deref(), Some("t-1"));
        assert_eq!(origin.sip_media_application_id.as_deref(), Some("a-1"));
        assert_eq!(origin.contact_id, None);
    }

    #[test]
    fn a_voice_connector_may_have_put_values_in_quotes() {
        let arn = "\"arn:aws:connect:us-west-2:111122223333:instance/i-1\"";
        let lines = [
            ("X-Transaction-id", "\"t-1\""),
            ("X-Sip-media-application-id", " \"a-1\" "),
            (CONTACT, "\"c-1\""),
            (SOURCE_ARN, arn),
        ];
        let origin = CloudOrigin::of(&headers(&lines), &Cloud::default()).unwrap();
        assert_eq!(origin.transaction_id.as_deref(), Some("t-1"));
        assert_eq!(origin.sip_media_application_id.as_deref(), Some("a-1"));
        assert_eq!(
            (origin.contact_id.as_deref(), origin.instance_id()),
            (Some("c-1"), Some("i-1"))
        );
    }

    #[test]
    fn the_names_of_the_headers_are_the_operators() {
        let names = Cloud { transaction_header: "X-Tx".into(), ..Cloud::default() };
        let of = |name| CloudOrigin::of(&headers(&[(name, "t-1")]), &names);
        assert_eq!(of("X-TX").unwrap().transaction_id.as_deref(), Some("t-1"));
        assert_eq!(of("X-Transaction-Id"), None);
    }

    #[test]
    fn connect_names_the_contact_and_its_instance() {
        let arn = "arn:aws:connect:us-west-2:111122223333:instance/i-1/contact/c-1";
        let lines = [
            (CONTACT, "c-1"),
            (INITIAL_CONTACT, "c-0"),
            (SOURCE_ARN, arn),
            ("User-to-User", "7b7d;encoding=hex"),
        ];
        let origin = CloudOrigin::of(&headers(&lines), &Cloud::default()).unwrap();
        assert_eq!(origin.contact_id.as_deref(), Some("c-1"));
        assert_eq!(origin.initial_contact_id.as_deref(), Some("c-0"));
        assert_eq!(origin.user_to_user.as_deref(), Some("7b7d;encoding=hex"));
        assert_eq!(
            (origin.instance_id(), origin.instance_region()),
            (Some("i-1"), Some("us-west-2"))
        );
    }

    #[test]
    fn what_is_no_id_is_no_id() {
        for value in [
            "",
            "../x",
            "a b",
            "a/b",
            "a?b",
            "\"",
            "\"\"",
            "\"a",
            "\"a\"b\"",
            &"a".repeat(MOST_ID + 1),
        ] {
            let lines = [("X-Transaction-Id", value), (CONTACT, value)];
            assert_eq!(CloudOrigin::of(&headers(&lines), &Cloud::default()), None, "{value}");
        }
        for arn in
            ["arn:aws:chime:us-east-1:1:vc/x", "arn:aws:connect", "arn:aws:connect:r:1:instance/"]
        {
            let origin =
                CloudOrigin::of(&headers(&[(SOURCE_ARN, arn)]), &Cloud::default()).unwrap();
            assert_eq!(origin.instance_id(), None, "{arn}");
        }
        let odd = "arn:aws:connect:us.evil.example/:1:instance/i-1";
        let origin = CloudOrigin::of(&headers(&[(SOURCE_ARN, odd)]), &Cloud::default()).unwrap();
        assert_eq!(origin.instance_region(), None);
    }
}
